//! `values`: the progress of reading each database's values, so that a sweep survives a restart.
//!
//! No trusted state depends on it: if it is damaged, the reading starts again.

use super::checksummed::{self, Writer};
use super::due::{Due, Retried};
use super::failpoint::FileKind;
use super::files;
use super::store::Store;
use super::store_error::StoreError;
use super::sweep::{SweepInProgress, SweepSummary, SweepTrigger, Unavailable};
use super::values::{Searched, ValueProgress};
use super::warning::Warning;
use crate::clock::Timestamp;
use crate::ledger::Digest;
use crate::ranges::{Ranges, parse_range, range_word};
use crate::sys::Lock;

const WHAT: &str = "immuaudit: the progress of the value checks of each database.";
const ASKED: &str = "asked";
const PACED: &str = "paced";
const FILE: &str = "values";
/// The longest file that is read, in bytes. It limits the memory that a damaged or foreign file can take.
const MAX_FILE_BYTES: u64 = 64 << 20;
/// The maximum number of ranges of all databases in each list of the file: about 40 bytes each at most, seven lists.
const MAX_RANGES: usize = 200_000;

impl Store {
    /// Writes the progress of reading the values.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save_progress<'a>(
        &self,
        progress: impl IntoIterator<Item = &'a ValueProgress>,
    ) -> Result<(), StoreError> {
        let _hold = self.hold(Lock::Exclusive)?;
        let mut writer = Writer::new(WHAT, self.server());
        let all: Vec<&ValueProgress> = progress.into_iter().collect();
        let share = MAX_RANGES
            .checked_div(all.len())
            .unwrap_or(MAX_RANGES)
            .max(1);
        for progress in all {
            let mut bounded = progress.clone();
            bounded.bound(share);
            write(&mut writer, &bounded);
        }
        files::replace(FileKind::Values, &self.home.join(FILE), &writer.finish())
    }

    /// Returns the progress of reading values; nothing, and a warning, if the file is damaged.
    pub fn load_progress(&self, now: Timestamp) -> Vec<ValueProgress> {
        let path = self.home.join(FILE);
        let progress = self.elements(&path, MAX_FILE_BYTES, "database", |table| parse(table, now));
        progress.unwrap_or_else(|| {
            self.warn(Warning::StartedOver { path });
            Vec::new()
        })
    }
}

fn write(writer: &mut Writer, progress: &ValueProgress) {
    writer.element("database");
    writer.text("name", &progress.database);
    writer.time("since", progress.since);
    writer.number("read", progress.read);
    write_unavailable(writer, "", &progress.unavailable);
    writer.number("truncated_before", progress.truncated_before);
    writer.optional_number("new_to", progress.new_to);
    writer.optional_time("behind_since", progress.behind_since);
    writer.optional_time("cut_since", progress.cut_since);
    if progress.read_from > 0 {
        writer.number("read_from", progress.read_from);
    }
    writer.text("due", &due_words(&progress.due));
    if let (Some(retried), false) = (progress.retried, progress.due.is_empty()) {
        writer.number("retried", retried.tx);
        writer.time("retried_since", retried.since);
        writer.optional_time("retry_round_began", progress.round_began);
    }
    for (key, ranges) in [
        ("unproven_trees", &progress.unproven_trees),
        ("absent", &progress.absent),
        ("dropped", &progress.dropped),
        ("broken", &progress.broken),
        ("whole", &progress.whole),
    ] {
        if !ranges.is_empty() {
            writer.text(key, &ranges.to_string());
        }
    }
    if !progress.searched.is_empty() {
        let words = progress.searched.iter().map(|searched| {
            let Searched { from, to, before } = searched;
            format!("{from}-{to}:{before}")
        });
        writer.text("searched", &words.collect::<Vec<_>>().join(" "));
    }
    if let Some(sweep) = &progress.sweep {
        writer.time("sweep_began", sweep.began);
        writer.text(
            "sweep_begun",
            match sweep.begun {
                SweepTrigger::Manual => ASKED,
                SweepTrigger::Scheduled => PACED,
            },
        );
        writer.number("sweep_at", sweep.at);
        writer.optional("sweep_hash", sweep.hash.map(|h| h.to_string()).as_deref());
        writer.text("sweep_read_txs", &sweep.read.to_string());
        write_unavailable(writer, "sweep_", &sweep.unavailable);
        let peaks: Vec<String> = sweep.peaks.iter().map(Digest::to_string).collect();
        writer.text("sweep_peaks", &peaks.join(" "));
    }
    writer.optional_time("sweep_asked", progress.sweep_asked);
    if let Some(swept) = &progress.swept {
        writer.time("swept_began", swept.began);
        writer.time("swept_ended", swept.ended);
        writer.number("swept_read", swept.read);
        write_unavailable(writer, "swept_", &swept.unavailable);
        writer.number("swept_of", swept.of);
    }
}

fn write_unavailable(writer: &mut Writer, prefix: &str, unavailable: &Unavailable) {
    for (count, name, _) in unavailable.by_kind() {
        if count > 0 {
            writer.number(&format!("{prefix}{name}"), count);
        }
    }
}

fn parse_unavailable(table: &toml::Table, prefix: &str) -> Option<Unavailable> {
    let number = |name| match table.get(&format!("{prefix}{name}")) {
        Some(count) => u64::try_from(count.as_integer()?).ok(),
        None => Some(0),
    };
    Some(Unavailable {
        truncated: number("truncated")?,
        expired: number("expired")?,
        documents: number("documents")?,
        unreadable: number("unreadable")?,
    })
}

/// Returns the due transactions as `5-9@TIME 12@TIMEv`, with times in unix seconds; `v` if only the values are
/// due.
fn due_words(due: &Ranges<Due>) -> String {
    let words = due.iter().map(|(first, last, due)| {
        let values_only = if due.values_only { "v" } else { "" };
        format!(
            "{}@{}{values_only}",
            range_word(first, last),
            due.since.unix()
        )
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Reads the due transactions. Files of 0.1.0 contain no time, so their transactions are due from now on.
fn parse_due<'a>(words: impl Iterator<Item = &'a str>, now: Timestamp) -> Option<Ranges<Due>> {
    let mut due = Ranges::new();
    for word in words {
        let (range, since) = match word.split_once('@') {
            Some((range, since)) => (range, since),
            None => (word, ""),
        };
        let (first, last) = parse_range(range)?;
        let (digits, values_only) = match since.strip_suffix('v') {
            Some(digits) => (digits, true),
            None => (since, false),
        };
        let since = match digits {
            "" => now,
            digits => Timestamp::from_unix(digits.parse().ok()?),
        };
        due.insert(first, last, Due { since, values_only });
    }
    Some(due)
}

fn parse_searched(word: &str) -> Option<Searched> {
    let (range, before) = word.split_once(':')?;
    let (from, to) = parse_range(range)?;
    Some(Searched {
        from,
        to,
        before: before.parse().ok()?,
    })
}

fn parse(table: &toml::Table, now: Timestamp) -> Option<ValueProgress> {
    let number = |key| checksummed::number(table, key).ok();
    let time = |key| checksummed::time(table, key).ok();
    let some_number = |key| checksummed::optional_number(table, key).ok();
    let some_time = |key| checksummed::optional_time(table, key).ok();
    let has = |key: &str| table.contains_key(key);
    let words = |key| Some(checksummed::text(table, key).ok()?.split_whitespace());
    let some_text = |key| Some(checksummed::optional(table, key).ok()?.unwrap_or(""));
    let ranges = |key| some_text(key)?.parse::<Ranges>().ok();
    let mut progress = ValueProgress {
        database: checksummed::text(table, "name").ok()?.into(),
        since: time("since")?,
        new_to: some_number("new_to")?,
        read: number("read")?,
        behind_since: some_time("behind_since")?,
        cut_since: some_time("cut_since")?,
        read_from: some_number("read_from")?.unwrap_or(0),
        due: parse_due(words("due")?, now)?,
        unproven_trees: ranges("unproven_trees")?,
        // older files contain no age: then the retries begin with the oldest again
        retried: match (some_number("retried")?, some_time("retried_since")?) {
            (Some(tx), Some(since)) => Some(Retried { since, tx }),
            _ => None,
        },
        round_began: some_time("retry_round_began")?,
        absent: ranges("absent")?,
        dropped: ranges("dropped")?,
        broken: ranges("broken")?,
        whole: ranges("whole")?,
        searched: some_text("searched")?
            .split_whitespace()
            .map(parse_searched)
            .collect::<Option<_>>()?,
        unavailable: parse_unavailable(table, "")?,
        truncated_before: number("truncated_before")?,
        sweep: match has("sweep_at") {
            // files of 0.1.0 contain only the number of the read ones: such a sweep starts again
            true if has("sweep_read_txs") => Some(SweepInProgress {
                began: time("sweep_began")?,
                begun: match checksummed::text(table, "sweep_begun").ok()? {
                    ASKED => SweepTrigger::Manual,
                    PACED => SweepTrigger::Scheduled,
                    _ => return None,
                },
                at: number("sweep_at")?,
                hash: match checksummed::optional(table, "sweep_hash").ok()? {
                    Some(hash) => Some(hash.parse().ok()?),
                    None => None,
                },
                read: ranges("sweep_read_txs")?,
                unavailable: parse_unavailable(table, "sweep_")?,
                peaks: words("sweep_peaks")?
                    .map(|word| word.parse().ok())
                    .collect::<Option<_>>()?,
            }),
            _ => None,
        },
        // files of 0.1.0 contain no time: the next check sets it
        sweep_asked: some_time("sweep_asked")?,
        swept: match has("swept_ended") {
            true => Some(SweepSummary {
                began: time("swept_began")?,
                ended: time("swept_ended")?,
                read: number("swept_read")?,
                unavailable: parse_unavailable(table, "swept_")?,
                of: number("swept_of")?,
            }),
            false => None,
        },
    };
    progress.clamp_to(now);
    Some(progress)
}
