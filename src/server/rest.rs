//! A pause in which nothing of the connection is left: no thread, no wake, no memory.

use std::time::Duration;

use super::Server;

/// The shortest pause for which the connection is given up: that of an interval of ten seconds, less its cycle. To make
/// a connection anew costs what gRPC's threads cost in about three seconds.
pub const LONG_PAUSE: Duration = Duration::from_secs(9);

impl Server {
    /// Gives the connection up, if it is not needed for at least [`LONG_PAUSE`]. Tokens are kept; the next call opens a
    /// connection.
    pub fn rest(&mut self, pause: Duration) {
        if pause >= LONG_PAUSE {
            self.disconnect();
            self.transport.end();
        }
    }
}
