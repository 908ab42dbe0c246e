//! A pause without any resource of the connection: no thread, no wake-up, no memory.

use std::time::Duration;

use super::Server;

/// The shortest pause for which the connection is closed: that of an interval of ten seconds, less its cycle. A
/// new connection costs as much as gRPC's threads do in about three seconds.
pub const LONG_PAUSE: Duration = Duration::from_secs(9);

impl Server {
    /// Closes the connection, if it is not needed for at least [`LONG_PAUSE`]. Tokens stay; the next call opens a
    /// connection.
    pub fn rest(&mut self, pause: Duration) {
        if pause >= LONG_PAUSE {
            self.prefetched.forget();
            self.disconnect();
            self.transport.end();
        }
    }
}
