# What gRPC's bundled C and C++ is compiled with for the static program; ring and the Rust code do not see it.
# Tables for speed that a handshake every few minutes has no use for are left out of boringssl.
foreach(language C CXX)
    set(CMAKE_${language}_FLAGS_MINSIZEREL "-Oz -DNDEBUG -DOPENSSL_SMALL" CACHE STRING "")
endforeach()
