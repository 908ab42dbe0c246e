//! A trusted state as text: `DATABASE.state`, and the same keys in alarms and evidence.

use toml::Table;

use super::checksummed::{self, Writer};
use super::file_damage::FileDamage;
use super::text::{hex, unhex};
use super::trusted_state::{TrustOrigin, TrustedState, parse_shape, shape_word};
use crate::ledger::Signature;

/// The longest file that is read, in bytes. It limits the memory that a damaged or foreign file can take.
pub const MAX_STATE_FILE_BYTES: u64 = 256 * 1024;

const WHAT: &str = "immuaudit: the trusted state of one database. The last line is a checksum.";

/// Returns the content of a trusted state's file.
pub fn render(server: &str, trusted: &TrustedState) -> Vec<u8> {
    let mut writer = Writer::new(WHAT, server);
    write(&mut writer, trusted);
    writer.finish()
}

/// Returns the trusted state in a file of this server and database.
pub fn parse(bytes: &[u8], server: &str, database: &str) -> Result<TrustedState, FileDamage> {
    let trusted = read(&checksummed::open(bytes, server)?)?;
    if trusted.database == database {
        return Ok(trusted);
    }
    Err(FileDamage::OtherName {
        what: "database",
        found: trusted.database,
    })
}

/// Writes the keys of a trusted state into the current table.
pub fn write(writer: &mut Writer, trusted: &TrustedState) {
    writer.text("database", &trusted.database);
    writer.text("state", &trusted.state.to_string());
    writer.text("how", &trusted.how.to_string());
    writer.time("since", trusted.since);
    writer.time("accepted", trusted.accepted);
    writer.optional("uuid", trusted.uuid.as_deref());
    writer.optional("shape", trusted.shape.map(shape_word));
    if let Some(signature) = &trusted.signature {
        writer.text("signature", &hex(&signature.der));
        writer.text("signed_with", &hex(&signature.public_key));
    }
    writer.optional_number("last_signed", trusted.last_signed);
}

/// Returns the trusted state in a table.
pub fn read(table: &Table) -> Result<TrustedState, FileDamage> {
    let shape = match checksummed::optional(table, "shape")? {
        Some(word) => Some(parse_shape(word).ok_or(FileDamage::Value("shape"))?),
        None => None,
    };
    let bytes = |key| match checksummed::optional(table, key) {
        Ok(Some(text)) => unhex(text).map(Some).ok_or(FileDamage::Value(key)),
        Ok(None) => Ok(None),
        Err(damage) => Err(damage),
    };
    let signature = match (bytes("signature")?, bytes("signed_with")?) {
        (Some(der), Some(public_key)) => Some(Signature { public_key, der }),
        (None, None) => None,
        _ => return Err(FileDamage::Value("signature")),
    };
    let state = checksummed::state(table, "state")?.ok_or(FileDamage::Value("state"))?;
    let last_signed = match table.get("last_signed") {
        // a file of a version without this key
        None => TrustedState::signed_at(signature.as_ref(), state.tx, None),
        Some(_) => Some(checksummed::number(table, "last_signed")?),
    };
    Ok(TrustedState {
        database: checksummed::text(table, "database")?.into(),
        state,
        shape,
        signature,
        last_signed,
        uuid: checksummed::optional(table, "uuid")?.map(String::from),
        since: checksummed::time(table, "since")?,
        accepted: checksummed::time(table, "accepted")?,
        how: checksummed::text(table, "how")?
            .parse::<TrustOrigin>()
            .map_err(|_| FileDamage::Value("how"))?,
    })
}
