//! The memory that the program needs, which depends on the largest response that it accepts.

use super::allowed::memory_allowed;
use super::settings::ServerSettings;
use super::settings_warning::SettingsWarning;

/// The memory that is needed without any response, in bytes. Half of it is for the program, gRPC and TLS, the rest for
/// the records and reports of databases.
const BASE: u64 = 32 << 20;
/// The memory for each byte of the largest response, in bytes:
///
/// - 1 for the response,
/// - 3 for its decoded form (`wire::budget`),
/// - 2 for responses that gRPC holds (`server::channel`),
/// - 2 for freed memory that the allocator has not returned.
const PER_BYTE: u64 = 8;
/// The smallest limit in bytes, which the files in `deploy` have for the default of 4 MiB.
const MIN_LIMIT_BYTES: u64 = 64 << 20;
const MIB: u64 = 1 << 20;

/// Returns the limit on memory, in MiB, that the program needs with this `--max-recv-msg-size`, which is in bytes.
pub fn memory_needed(max_recv_msg_size: u64) -> u64 {
    let bytes = max_recv_msg_size
        .saturating_mul(PER_BYTE)
        .saturating_add(BASE);
    bytes.max(MIN_LIMIT_BYTES).div_ceil(MIB)
}

/// The additional size of a response with a proof of the same transaction, in bytes.
const ADDITIONAL_PROOF_BYTES: u64 = 64 << 10;
/// The largest possible `--max-recv-msg-size`, in bytes.
const MAX_RECV_MSG_BYTES: u64 = 1 << 30;

/// Returns the `--max-recv-msg-size`, in bytes, for responses of up to this size: whole MiB.
pub fn size_to_set(answer: u64) -> u64 {
    let size = answer.saturating_add(ADDITIONAL_PROOF_BYTES).div_ceil(MIB);
    size.saturating_mul(MIB).min(MAX_RECV_MSG_BYTES)
}

impl ServerSettings {
    /// Returns the limit on memory, in MiB, that the program needs with these settings.
    pub fn memory_needed(&self) -> u64 {
        memory_needed(u64::try_from(self.max_recv_msg_size).unwrap_or(0))
    }

    /// Returns a warning if the memory limit of this process is lower than these settings need, because the kernel
    /// would kill it.
    pub(super) fn little_memory(&self) -> Option<SettingsWarning> {
        let needed = self.memory_needed();
        let allowed = memory_allowed()? / MIB;
        (allowed < needed).then_some(SettingsWarning::LittleMemory {
            allowed,
            needed,
            size: self.max_recv_msg_size,
        })
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

    #[test]
    fn the_size_to_set_has_space_for_a_proof_and_is_one_that_can_be_set() {
        assert_eq!(size_to_set(4_194_304), 5 << 20);
        assert_eq!(size_to_set(10_000_000), 10 << 20);
        assert_eq!(size_to_set(u64::MAX), MAX_RECV_MSG_BYTES);
    }
}
