//! The immudb versions that the embedded server emulates, as far as they differ for an audit (protocol.md §1, §2
//! and §4).

use crate::ledger::{HeaderVersion, StateShape};

/// A version of immudb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Emulated {
    /// The state has another shape, `TxScan` does not exist, `atTx` is ignored.
    V0_9_0,
    /// Header version 0, the entries' spec is ignored, values only by `Get`.
    V0_9_2,
    /// As 0.9.2, before sessions: no linear advance proof yet, and trees that lag.
    V1_1_0,
    /// Header version 1, raw values, no linear advance proof.
    V1_2_4,
    /// The newest emulated version.
    V1_11_1,
    /// A version with sessions only: `Login` and `UseDatabase` are deprecated since 1.2.
    WithoutLogin,
}

impl Emulated {
    /// Every released version, the oldest first.
    pub const ALL: [Emulated; 5] = [
        Emulated::V0_9_0,
        Emulated::V0_9_2,
        Emulated::V1_1_0,
        Emulated::V1_2_4,
        Emulated::V1_11_1,
    ];

    /// Returns the version as it is usually written.
    pub fn name(self) -> &'static str {
        match self {
            Emulated::V0_9_0 => "0.9.0",
            Emulated::V0_9_2 => "0.9.2",
            Emulated::V1_1_0 => "1.1.0",
            Emulated::V1_2_4 => "1.2.4",
            Emulated::V1_11_1 => "1.11.1",
            Emulated::WithoutLogin => "sessions alone",
        }
    }

    /// Returns the header version of its transactions.
    pub fn header_version(self) -> HeaderVersion {
        match self < Emulated::V1_2_4 {
            true => HeaderVersion::V0,
            false => HeaderVersion::V1,
        }
    }

    /// Returns the shape of its state message.
    pub fn state_shape(self) -> StateShape {
        match self {
            Emulated::V0_9_0 => StateShape::WithoutDatabase,
            _ => StateShape::WithDatabase,
        }
    }

    /// Returns how many transactions a scan may request; `None` if the version has no such call.
    pub(super) fn scan_limit(self) -> Option<u32> {
        match self {
            Emulated::V0_9_0 => None,
            Emulated::V1_11_1 | Emulated::WithoutLogin => Some(2500),
            _ => Some(1000),
        }
    }

    /// Returns whether the version is 0.9, which refuses a login with another code, and an unknown token with another
    /// message.
    pub(super) fn is_0_9(self) -> bool {
        self <= Emulated::V0_9_2
    }

    /// Returns whether the version has `Login` and `UseDatabase`.
    pub(super) fn has_login(self) -> bool {
        self != Emulated::WithoutLogin
    }

    /// Returns whether the version sends `linearAdvanceProof`: from 1.4.
    pub(super) fn advances(self) -> bool {
        self >= Emulated::V1_11_1
    }

    /// Returns whether the version uses an `entriesSpec`, sends values and accepts metadata: from 1.2.
    pub(super) fn heeds_spec(self) -> bool {
        self >= Emulated::V1_2_4
    }
}
