# Compiler options of gRPC's bundled C and C++ in the static program. They do not affect ring and the Rust code.
# OPENSSL_SMALL omits BoringSSL's tables for speed, because there is only one handshake every few minutes.
# Compilers before gcc 12 do not support -Oz.
set(size -Oz)
execute_process(COMMAND cc -Oz -x c -c /dev/null -o /dev/null RESULT_VARIABLE unknown ERROR_QUIET)
if(unknown)
    set(size -Os)
endif()
foreach(language C CXX)
    set(CMAKE_${language}_FLAGS_MINSIZEREL "${size} -DNDEBUG -DOPENSSL_SMALL" CACHE STRING "")
endforeach()
