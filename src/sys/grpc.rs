//! The shutdown of gRPC's core, which grpcio does not offer.

use super::trim_memory;

/// Shuts gRPC's core down once. Each environment of grpcio initialises the core once and never shuts it down. After the last
/// call the threads of the core have ended, except while a connection is being closed: then they end with the connection.
/// All objects of grpcio must have been dropped, and the environment's thread must have ended.
pub fn end_grpc() {
    unsafe extern "C" {
        fn grpc_shutdown_blocking();
    }
    // SAFETY: takes nothing, and counts down what grpc_init counted up (grpc/grpc.h, 1.51 to 1.56).
    unsafe { grpc_shutdown_blocking() };
    trim_memory();
}
