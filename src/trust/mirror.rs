//! `DATABASE.mirror`: the hash of every transaction, so that `locate` finds the first rewritten transaction
//! exactly, also offline.
//!
//! A line with the server and the database, then blocks of 1,024 hashes, 32 bytes each. A block begins with two
//! seals (a number of hashes, and the SHA-256 over the first line's, the block's number and this many hashes).
//! Hashes are appended and synced before the unused seals of their blocks are overwritten, so a kill leaves the earlier
//! content; bytes that no seal covers are cut off. A block without a valid seal counts as absent, and is filled again.

mod append;

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::file_damage::{FileDamage, Record};
use super::file_name::{escape, unescape};
use super::files;
use super::store_error::StoreError;
use crate::clock::Timestamp;
use crate::ledger::Digest;
use crate::sys::{self, Creation};

pub use append::Extended;

const HEADER: &str = "immuaudit-mirror 1";
/// The longest first line: names are escaped, and a server's or database's name has no limit.
const MAX_LINE_BYTES: usize = 64 << 10;
/// The number of hashes in a block.
const BLOCK: u32 = 1_024;
/// The length of a seal in bytes: the number of hashes that it covers, and the SHA-256.
const SEAL: u64 = 4 + DIGEST;
const DIGEST: u64 = Digest::LEN as u64;
/// The number of bytes before a block's hashes.
const SEALS: u64 = 2 * SEAL;
const STRIDE: u64 = SEALS + DIGEST * BLOCK as u64;

/// The mirror of one database.
#[derive(Debug)]
pub struct Mirror {
    path: PathBuf,
    file: File,
    server: String,
    database: String,
    since: Timestamp,
    /// The hash over the first line.
    line: Digest,
    /// The position of the first block.
    start: u64,
    /// The valid part of each block.
    blocks: Vec<Good>,
}

/// The valid part of a block: this many hashes, by this seal.
#[derive(Clone, Copy, Debug, Default)]
struct Good {
    hashes: u32,
    seal: u64,
}

impl Mirror {
    /// Opens any mirror for reading, such as another auditor's.
    ///
    /// # Errors
    /// The file does not exist, or is no mirror.
    pub fn read(path: &Path) -> Result<Mirror, StoreError> {
        if !files::exists(path)? {
            return Err(StoreError::NoFile {
                path: path.into(),
                record: Record::Mirror,
            });
        }
        let mirror = Mirror::open(path, OpenOptions::new().read(true));
        mirror.map_err(|failure| failure.of_named(Record::Mirror))
    }

    /// Returns the server's name under which the mirror was written.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Returns the mirror's database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Returns the begin of the trusted line that the mirror belongs to.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// Returns the first transaction that is absent.
    pub fn next(&self) -> u64 {
        self.next_from(0)
    }

    /// Returns the first transaction that is absent in this block and the following ones.
    fn next_from(&self, number: u64) -> u64 {
        let skipped = usize::try_from(number).unwrap_or(usize::MAX);
        let full = |good: &&Good| good.hashes == BLOCK;
        let blocks = self.blocks.iter().skip(skipped);
        let full = u64::try_from(blocks.take_while(full).count()).unwrap_or(u64::MAX);
        let number = number.saturating_add(full);
        first_of(number).saturating_add(u64::from(self.block(number).hashes))
    }

    /// Returns the last transaction whose hash is stored, although some before it may be absent; 0: none is
    /// stored.
    pub fn last(&self) -> u64 {
        let Some(last) = self.blocks.len().checked_sub(1) else {
            return 0;
        };
        let last = u64::try_from(last).unwrap_or(u64::MAX);
        (first_of(last) - 1).saturating_add(u64::from(self.block(last).hashes))
    }

    /// Returns a transaction's hash, if it is stored. Each call reads it from disk again and checks its block's
    /// seal.
    pub fn alh(&self, tx: u64) -> Option<Digest> {
        let (number, offset) = place(Some(tx).filter(|tx| *tx > 0)?);
        let good = self.block(number);
        let mut block = vec![0; usize::try_from(STRIDE).ok()?];
        let read = read_up_to(&self.file, &mut block, self.start_of(number)).ok()?;
        let bytes = block.get(..read)?;
        if offset >= good.hashes || self.covered(number, bytes, good.seal)? < good.hashes {
            return None;
        }
        let at = SEALS + DIGEST * u64::from(offset);
        let hash = bytes.get(usize::try_from(at).ok()?..)?;
        hash.first_chunk::<{ Digest::LEN }>()
            .copied()
            .map(Digest::new)
    }

    pub(super) fn create(
        path: &Path,
        server: &str,
        database: &str,
        since: Timestamp,
    ) -> Result<Mirror, StoreError> {
        let content = format!(
            "{HEADER} server={} database={} since={since}",
            escape(server),
            escape(database)
        );
        let line = format!("{content} {}\n", Digest::of(&[content.as_bytes()]));
        let failed = |error: &io::Error| StoreError::system("write", path, error);
        // an incomplete line is not recognised at the next start, which moves the file away
        let file = files::open_private(path, Creation::New)?;
        sys::write_all_at(&file, line.as_bytes(), 0)
            .and_then(|()| file.sync_all())
            .map_err(|error| failed(&error))?;
        files::sync_directory_of(path)?;
        Mirror::open(path, OpenOptions::new().read(true).write(true))
    }

    pub(super) fn open(path: &Path, options: &mut OpenOptions) -> Result<Mirror, StoreError> {
        let failed = |error: &io::Error| StoreError::system("read", path, error);
        let damaged = |damage| StoreError::DamagedRecord {
            path: path.into(),
            damage,
            record: Record::Mirror,
        };
        let file =
            files::open(path, options)?.ok_or_else(|| failed(&ErrorKind::NotFound.into()))?;
        let mut head = vec![0; MAX_LINE_BYTES];
        let read = read_up_to(&file, &mut head, 0).map_err(|error| failed(&error))?;
        head.truncate(read);
        let (content, end) = first_line(&head).ok_or_else(|| damaged(FileDamage::Line(1)))?;
        let (server, database, since) =
            parse(content).ok_or_else(|| damaged(FileDamage::Format))?;
        let mut mirror = Mirror {
            path: path.into(),
            file,
            server,
            database,
            since,
            line: Digest::of(&[content.as_bytes()]),
            start: u64::try_from(end).unwrap_or(u64::MAX),
            blocks: Vec::new(),
        };
        mirror.verify().map_err(|error| failed(&error))?;
        Ok(mirror)
    }

    pub(super) fn is_of(&self, server: &str, database: &str, since: Timestamp) -> bool {
        self.server == server && self.database == database && self.since == since
    }

    /// Reads every block, and uses the part that a seal covers.
    fn verify(&mut self) -> io::Result<()> {
        let mut block = vec![0; usize::try_from(STRIDE).unwrap_or(0)];
        for number in 0.. {
            let read = read_up_to(&self.file, &mut block, self.start_of(number))?;
            if read == 0 {
                break;
            }
            let bytes = block.get(..read).unwrap_or_default();
            let good = [0, 1].map(|seal| Good {
                hashes: self.covered(number, bytes, seal).unwrap_or(0),
                seal,
            });
            let best = good.into_iter().max_by_key(|good| good.hashes);
            self.blocks.push(best.unwrap_or_default());
        }
        Ok(())
    }

    /// Returns how many hashes of a block this seal covers; `None` if the seal is not valid.
    fn covered(&self, number: u64, block: &[u8], seal: u64) -> Option<u32> {
        let bytes = block.get(usize::try_from(seal * SEAL).ok()?..)?;
        let (count, rest) = bytes.split_first_chunk::<4>()?;
        let sum: &[u8; Digest::LEN] = rest.first_chunk()?;
        let count = u32::from_be_bytes(*count);
        let end = SEALS + DIGEST * u64::from(count);
        let hashes = block.get(usize::try_from(SEALS).ok()?..usize::try_from(end).ok()?)?;
        let due = self.seal(number, count, hashes);
        (count <= BLOCK && due.as_bytes() == sum).then_some(count)
    }

    fn seal(&self, number: u64, count: u32, hashes: &[u8]) -> Digest {
        let (number, count) = (number.to_be_bytes(), count.to_be_bytes());
        Digest::of(&[self.line.as_bytes(), &number, &count, hashes])
    }

    pub(super) fn cut_torn_tail(&mut self) -> Result<(), StoreError> {
        while self.blocks.last().is_some_and(|good| good.hashes == 0) {
            self.blocks.pop();
        }
        let blocks = u64::try_from(self.blocks.len()).unwrap_or(u64::MAX);
        let end = match blocks.checked_sub(1) {
            None => self.start,
            Some(last) => {
                let hashes = u64::from(self.block(last).hashes);
                self.start_of(last) + SEALS + DIGEST * hashes
            }
        };
        self.file
            .set_len(end)
            .and_then(|()| self.file.sync_all())
            .map_err(|error| StoreError::system("cut", &self.path, &error))
    }

    fn start_of(&self, number: u64) -> u64 {
        self.start.saturating_add(number.saturating_mul(STRIDE))
    }

    fn block(&self, number: u64) -> Good {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        self.blocks.get(index).copied().unwrap_or_default()
    }
}

/// Returns the first transaction of a block.
fn first_of(block: u64) -> u64 {
    block.saturating_mul(u64::from(BLOCK)).saturating_add(1)
}

/// Returns a transaction's block, and its place in the block.
fn place(tx: u64) -> (u64, u32) {
    let (index, block) = (tx.saturating_sub(1), u64::from(BLOCK));
    (index / block, u32::try_from(index % block).unwrap_or(0))
}

fn read_up_to(file: &File, bytes: &mut [u8], from: u64) -> io::Result<usize> {
    let mut read = 0;
    while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
        let at = from.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        match sys::read_at(file, rest, at) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// Returns the first line without its checksum, and the position after the line.
fn first_line(head: &[u8]) -> Option<(&str, usize)> {
    let end = head.iter().position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(head.get(..end)?).ok()?;
    let (content, sum) = line.rsplit_once(' ')?;
    (Digest::of(&[content.as_bytes()]).to_string() == sum).then_some((content, end + 1))
}

fn parse(content: &str) -> Option<(String, String, Timestamp)> {
    let mut words = content.strip_prefix(HEADER)?.trim_start().split(' ');
    let server = unescape(words.next()?.strip_prefix("server=")?)?;
    let database = unescape(words.next()?.strip_prefix("database=")?)?;
    let since = words.next()?.strip_prefix("since=")?.parse().ok()?;
    Some((server, database, since))
}

#[cfg(test)]
mod tests;
