# Compilers and options of gRPC's bundled C and C++ for Windows. They do not affect ring and the Rust code.
# OPENSSL_SMALL omits BoringSSL's tables for speed, because there is only one handshake every few minutes.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR AMD64)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc-posix)
set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++-posix)
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)
foreach(language C CXX)
    set(CMAKE_${language}_FLAGS_MINSIZEREL "-Oz -DNDEBUG -DOPENSSL_SMALL" CACHE STRING "")
endforeach()
