//! The memory that the program needs, by the largest answer that it takes from the server.

use super::settings::ServerSettings;

/// Bytes that are needed whatever the server sends: half of it is the program, gRPC and TLS, the rest what is
/// remembered of databases and told of them.
const BASE: u64 = 32 << 20;
/// Bytes that are needed for each byte of the largest answer: the answer itself (1), what may be made of it (3,
/// `wire::budget`), answers that gRPC holds meanwhile (2, `server::channel`), and what the allocator has not given
/// back of them (2).
const PER_BYTE: u64 = 8;
/// The least limit, which `deploy` and its unit have for the default of 4 MiB.
const LEAST: u64 = 64 << 20;
const MIB: u64 = 1 << 20;

/// Returns the limit on memory, in MiB, that the program needs with this `--max-recv-msg-size`, which is in bytes.
pub fn memory_needed(max_recv_msg_size: u64) -> u64 {
    let bytes = max_recv_msg_size
        .saturating_mul(PER_BYTE)
        .saturating_add(BASE);
    bytes.max(LEAST).div_ceil(MIB)
}

impl ServerSettings {
    /// Returns the limit on memory, in MiB, that the program needs with these settings.
    pub fn memory_needed(&self) -> u64 {
        memory_needed(u64::try_from(self.max_recv_msg_size).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_needs_64_mib_and_immudbs_largest_value_follows_from_the_setting() {
        assert_eq!(memory_needed(65_536), 64);
        assert_eq!(memory_needed(4 << 20), 64);
        assert_eq!(memory_needed((4 << 20) + 1), 65);
        assert_eq!(memory_needed(32 << 20), 288);
        assert_eq!(memory_needed(1 << 30), 8_224);
        assert!(memory_needed(u64::MAX) > 1 << 40);
    }
}
