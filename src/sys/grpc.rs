//! The end of gRPC's core, for which grpcio has no call.

use super::trim_memory;

/// Reverts one initialisation of gRPC's core, which each environment of grpcio makes and none reverts. After the
/// last one, its threads have ended when this returns, unless a connection is still being closed: then they end
/// with that. All objects of gRPC must have been dropped, and the environment's thread must have ended.
pub fn end_grpc() {
    unsafe extern "C" {
        fn grpc_shutdown_blocking();
    }
    // SAFETY: it takes no argument, and reverses one call of grpc_init (grpc/grpc.h, 1.51 to 1.56).
    unsafe { grpc_shutdown_blocking() };
    trim_memory();
}
