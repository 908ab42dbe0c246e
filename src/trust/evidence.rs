//! `evidence/DATABASE/ALARM.toml`: one finding, in a file that needs no other.

use std::sync::Arc;

use toml::Table;

use super::checksummed::{self, Writer};
use super::claim::Claim;
use super::file_damage::FileDamage;
use super::finding::{Answer, Finding, Shortened};
use super::state_file;
use super::text::{cut, hex, unhex};
use super::trusted_state::kept_identity;
use crate::clock::Timestamp;

const WHAT: &str = "immuaudit: evidence of tampering. `immuaudit evidence show FILE` explains it.";

/// The limits for evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The maximum number of files of one database; this limit never removes the first or the last finding.
    pub files_of_a_database: usize,
    /// The maximum number of files of all databases of a server.
    pub files: usize,
    /// The maximum number of bytes of all databases of a server.
    pub bytes: u64,
    /// The maximum length of one response, in bytes; a longer one is cut, and marked.
    pub answer: usize,
    /// The maximum length of all responses of a finding, in bytes; responses after it are left out, and counted.
    pub answers: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}

impl Limits {
    /// The limits of the program.
    pub const DEFAULT: Limits = Limits {
        files_of_a_database: 100,
        files: 4_000,
        bytes: 64 << 20,
        answer: 1 << 20,
        answers: 2 << 20,
    };
}

/// A finding from its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The version that wrote it.
    pub program: String,
    /// The server's configured name.
    pub server: String,
    /// The alarm's id.
    pub alarm: String,
    /// The time of the finding.
    pub found: Timestamp,
    /// The finding; its `answers` are empty, because they are stored below.
    pub finding: Finding,
    /// The stored responses.
    pub answers: Vec<Answer>,
    /// The number of responses that were left out because of the limit.
    pub left_out: u64,
}

impl Evidence {
    /// Returns the finding in a file of any server.
    ///
    /// # Errors
    /// The difference between the file and a written one.
    pub fn parse(bytes: &[u8]) -> Result<Evidence, FileDamage> {
        let file = checksummed::open_of_any_server(bytes)?;
        let text = |key| checksummed::text(&file, key).map(String::from);
        let trusted = checksummed::optional_table(&file, "trusted")?;
        let claim = checksummed::optional_table(&file, "claim")?;
        let finding = Finding {
            database: text("database")?,
            kind: text("kind")?
                .parse()
                .map_err(|_| FileDamage::Value("kind"))?,
            reason: text("reason")?,
            trusted: trusted.map(state_file::read).transpose()?,
            claim: claim.map(Claim::read).transpose()?,
            shown: checksummed::state(&file, "shown")?,
            uuid: checksummed::optional(&file, "uuid")?.map(String::from),
            identity_changed: checksummed::number(&file, "identity_changed")? != 0,
            answers: Vec::new(),
        };
        let answers = checksummed::elements(&file, "answer")?;
        Ok(Evidence {
            program: text("program")?,
            server: text("server")?,
            alarm: text("alarm")?,
            found: checksummed::time(&file, "found")?,
            finding,
            answers: answers.into_iter().map(answer).collect::<Result<_, _>>()?,
            left_out: checksummed::number(&file, "answers_left_out")?,
        })
    }
}

/// Returns the content of a finding's file, with the ID of its alarm.
pub fn render(
    server: &str,
    id: &str,
    finding: &Finding,
    now: Timestamp,
    limits: &Limits,
) -> Vec<u8> {
    let mut writer = Writer::new(WHAT, server);
    writer.text("program", concat!("immuaudit ", env!("CARGO_PKG_VERSION")));
    writer.text("database", &finding.database);
    writer.text("alarm", id);
    writer.text("kind", &finding.kind.to_string());
    writer.text("reason", &finding.kept_reason());
    writer.time("found", now);
    let shown = finding.shown.map(|state| state.to_string());
    writer.optional("shown", shown.as_deref());
    let uuid = kept_identity(finding.uuid.as_deref());
    writer.optional("uuid", uuid.as_deref());
    writer.number("identity_changed", u64::from(finding.identity_changed));
    let kept = kept_answers(finding, limits);
    let left_out = finding.answers.len().saturating_sub(kept.len());
    writer.number(
        "answers_left_out",
        u64::try_from(left_out).unwrap_or(u64::MAX),
    );
    if let Some(trusted) = &finding.trusted {
        writer.table("trusted");
        state_file::write(&mut writer, trusted);
    }
    if let Some(claim) = &finding.claim {
        writer.table("claim");
        claim.write(&mut writer);
    }
    for kept in kept {
        writer.element("answer");
        writer.text("call", &cut(&kept.call, 100));
        writer.text("request", &hex(&kept.request));
        match &kept.reply {
            Ok(reply) => writer.text("reply", &hex(reply)),
            Err(error) => writer.text("error", error),
        }
        match kept.shortened {
            None => {}
            Some(Shortened::Cut(length)) => writer.number("cut_from", length),
            Some(Shortened::WithoutValues(length)) => writer.number("without_values_of", length),
        }
    }
    writer.finish()
}

fn answer(table: &Table) -> Result<Answer, FileDamage> {
    let bytes = |key| unhex(checksummed::text(table, key)?).ok_or(FileDamage::Value(key));
    let length = |key| checksummed::optional_number(table, key);
    let cut = length("cut_from")?.map(Shortened::Cut);
    let without_values = length("without_values_of")?.map(Shortened::WithoutValues);
    Ok(Answer {
        call: checksummed::text(table, "call")?.into(),
        request: bytes("request")?,
        reply: match checksummed::optional(table, "error")? {
            Some(error) => Err(error.into()),
            None => Ok(Arc::new(bytes("reply")?)),
        },
        shortened: cut.or(without_values),
    })
}

/// Returns as many responses as the limit allows, each cut if it is too long: the last one, which proves the finding,
/// and the first ones.
fn kept_answers(finding: &Finding, limits: &Limits) -> Vec<Answer> {
    let mut space = limits.answers;
    let mut fitting = |answer: &Answer| {
        let answer = answer.clone().cut(limits.answer);
        space = space.checked_sub(answer.size())?;
        Some(answer)
    };
    let Some((last, first)) = finding.answers.split_last() else {
        return Vec::new();
    };
    let last = fitting(last);
    let first = first.iter().map_while(fitting);
    first.chain(last).collect()
}
