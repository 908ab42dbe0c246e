//! The addition of hashes to a mirror: the hashes first, then the seals that cover them.

use std::io::{self, ErrorKind};

use super::{BLOCK, DIGEST, Good, Mirror, SEAL, SEALS, first_of, place, read_up_to};
use crate::ledger::Digest;
use crate::sys;
use crate::trust::store_error::StoreError;

/// Hashes to add to one block.
struct Run<'a> {
    /// The block.
    number: u64,
    /// Their position in the file.
    at: u64,
    hashes: &'a [Digest],
    /// The number of hashes in the block with these.
    end: u32,
}

/// The result of adding hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extended {
    /// All hashes were added.
    All,
    /// The limit allows no more hashes.
    Full,
}

impl Mirror {
    /// Adds the hashes of `first` and the following transactions, as far as they are the next missing ones. The
    /// file grows by at most `space` bytes.
    ///
    /// # Errors
    /// The system refuses.
    pub fn extend(
        &mut self,
        first: u64,
        hashes: &[Digest],
        space: u64,
    ) -> Result<Extended, StoreError> {
        let length = |mirror: &Mirror| -> io::Result<u64> { Ok(mirror.file.metadata()?.len()) };
        let failed = |mirror: &Mirror, error: &io::Error| {
            StoreError::system("append to", &mirror.path, error)
        };
        let most = length(self)
            .map_err(|error| failed(self, &error))?
            .saturating_add(space);
        let (mut runs, mut next) = (Vec::new(), self.next());
        let extended = loop {
            let rest = next
                .checked_sub(first)
                .and_then(|at| hashes.get(usize::try_from(at).ok()?..))
                .unwrap_or_default();
            let (number, offset) = place(next);
            let at = self.start_of(number) + SEALS + DIGEST * u64::from(offset);
            let fits = most.saturating_sub(at) / DIGEST;
            let left = u64::from(BLOCK - offset).min(fits);
            let hashes =
                usize::try_from(left).map_or(rest, |left| rest.get(..left).unwrap_or(rest));
            if rest.is_empty() {
                break Extended::All;
            }
            if hashes.is_empty() {
                break Extended::Full;
            }
            let end = offset + u32::try_from(hashes.len()).unwrap_or(BLOCK - offset);
            next = match end < BLOCK {
                true => first_of(number).saturating_add(u64::from(end)),
                false => self.next_from(number.saturating_add(1)),
            };
            runs.push(Run {
                number,
                at,
                hashes,
                end,
            });
        };
        self.append(&runs).map_err(|error| failed(self, &error))?;
        Ok(extended)
    }

    /// Adds hashes to blocks. The file is synced twice, whatever the number of blocks.
    fn append(&mut self, runs: &[Run<'_>]) -> io::Result<()> {
        if runs.is_empty() {
            return Ok(());
        }
        for run in runs {
            let bytes: Vec<u8> = run
                .hashes
                .iter()
                .flat_map(|hash| *hash.as_bytes())
                .collect();
            sys::write_all_at(&self.file, &bytes, run.at)?;
        }
        self.sync()?;
        for run in runs {
            self.write_seal(run)?;
        }
        self.sync()?;
        for run in runs {
            let seal = self.unused_seal(run.number);
            let index = usize::try_from(run.number).unwrap_or(usize::MAX);
            if index >= self.blocks.len() {
                self.blocks.push(Good::default());
            }
            if let Some(good) = self.blocks.get_mut(index) {
                *good = Good {
                    hashes: run.end,
                    seal,
                };
            }
        }
        Ok(())
    }

    /// Overwrites the unused seal of a block whose hashes are written.
    fn write_seal(&self, run: &Run<'_>) -> io::Result<()> {
        let mut all = vec![0; usize::try_from(run.end).unwrap_or(0) * Digest::LEN];
        let block = self.start_of(run.number);
        if read_up_to(&self.file, &mut all, block + SEALS)? < all.len() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut sealed = run.end.to_be_bytes().to_vec();
        sealed.extend(self.seal(run.number, run.end, &all).as_bytes());
        let seal = self.unused_seal(run.number);
        sys::write_all_at(&self.file, &sealed, block + seal * SEAL)
    }

    fn unused_seal(&self, number: u64) -> u64 {
        (self.block(number).seal + 1) % 2
    }

    fn sync(&self) -> io::Result<()> {
        #[cfg(test)]
        super::tests::SYNCS.set(super::tests::SYNCS.get() + 1);
        self.file.sync_data()
    }
}
