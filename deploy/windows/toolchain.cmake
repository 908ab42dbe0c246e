# What gRPC's bundled C and C++ is compiled with for Windows; ring and the Rust code do not see it.
# Tables for speed that a handshake every few minutes has no use for are left out of boringssl.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR AMD64)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc-posix)
set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++-posix)
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)
foreach(language C CXX)
    set(CMAKE_${language}_FLAGS_MINSIZEREL "-Oz -DNDEBUG -DOPENSSL_SMALL" CACHE STRING "")
endforeach()
