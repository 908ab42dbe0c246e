//! Reading consecutive transactions, in calls of the size that the server allows.

use super::{Scanned, Server, ServerError, ServerErrorKind};
use crate::wire::{Entries, Tx};

impl Server {
    /// Returns up to `most` transactions from `first` on, or as many as one call returns. If the server allows fewer,
    /// `most` becomes the number that it allows: 1 for a server without scans.
    ///
    /// # Errors
    /// A call failed for another reason than its size.
    pub fn run_of_txs(
        &mut self,
        database: &str,
        first: u64,
        most: &mut u32,
        entries: Entries,
    ) -> Result<Vec<Tx>, ServerError> {
        while *most > 1 {
            let scan = self.tx_scan(database, first, *most, entries);
            match scan.and_then(Scanned::decode) {
                Ok(list) => return Ok(list.into_iter().map_while(Result::ok).collect()),
                Err(failure) => match failure.kind {
                    ServerErrorKind::LimitExceeded | ServerErrorKind::TooLarge => *most /= 2,
                    ServerErrorKind::Unimplemented => *most = 1, // immudb 0.9.0
                    _ => return Err(failure),
                },
            }
        }
        let tx = self.tx(database, first, entries)?;
        Ok(vec![tx])
    }
}
