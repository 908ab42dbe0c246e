# What gRPC's bundled C and C++ is compiled with for the static program; ring and the Rust code do not see it.
# Tables for speed that a handshake every few minutes has no use for are left out of boringssl.
# Compilers before gcc 12 do not know -Oz.
set(size -Oz)
execute_process(COMMAND cc -Oz -x c -c /dev/null -o /dev/null RESULT_VARIABLE unknown ERROR_QUIET)
if(unknown)
    set(size -Os)
endif()
foreach(language C CXX)
    set(CMAKE_${language}_FLAGS_MINSIZEREL "${size} -DNDEBUG -DOPENSSL_SMALL" CACHE STRING "")
endforeach()
