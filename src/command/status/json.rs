//! The JSON object of one database.

use super::{Known, object};
use crate::config::Settings;
use crate::ranges::Ranges;
use crate::report::peer_record_json;
use crate::trust::ValueProgress;

impl Known<'_> {
    pub(super) fn json(&self, settings: &Settings) -> String {
        let server = settings.server.name.as_str();
        let trusted = self.trusted();
        let probability = trusted.map(|trusted| self.probability(settings, trusted.state.tx));
        let sweep = self.values.and_then(|values| values.sweep.as_ref());
        let swept = self.values.and_then(|values| values.swept);
        let due = self.values.map(|values| values.due.count());
        let alarms: Vec<&str> = self
            .alarms
            .iter()
            .flatten()
            .map(|alarm| alarm.id.as_str())
            .collect();
        let unexplained = self.values.map(|of| self.unexplained(of));
        let (absent, dropped) = (
            unexplained.as_ref().map(|of| &of.0),
            unexplained.as_ref().map(|of| &of.1),
        );
        let acknowledged = self.acknowledged.as_ref().ok();
        let failure = self.trusted.as_ref().err().or(self.alarms.as_ref().err());
        object(settings)
            .text("server", Some(server))
            .text("database", Some(&self.database))
            .number("tx", trusted.map(|trusted| trusted.state.tx))
            .shown("hash", trusted.map(|trusted| trusted.state.hash))
            .shown("trust_origin", trusted.map(|trusted| &trusted.how))
            .shown("since", trusted.map(|trusted| trusted.since))
            .shown("accepted", trusted.map(|trusted| trusted.accepted))
            .text("verdict", self.last.map(|last| last.verdict.as_str()))
            .text("reason", self.last.map(|last| last.reason.as_str()))
            .shown("checked", self.last.map(|last| last.checked))
            .shown("proven", self.last.and_then(|last| last.proven))
            .shown("overdue", self.overdue(settings))
            .text("condition", Some(self.facts(settings).condition().word()))
            .shown("failure", failure)
            .texts("open_alarms", &alarms)
            .number(
                "last_signed",
                trusted.and_then(|trusted| trusted.last_signed),
            )
            .number(
                "acknowledged_absent_to",
                acknowledged.map(|of| of.absent_to).filter(|tx| *tx > 0),
            )
            .number(
                "acknowledged_unsigned_after",
                acknowledged.and_then(|of| of.unsigned_after),
            )
            .number("values_read", self.values.map(|values| values.read))
            .number("values_due", due)
            .shown("values_due_ranges", self.values.map(|of| &of.due))
            .shown(
                "values_due_since",
                self.values.and_then(ValueProgress::due_since),
            )
            .number("values_behind", self.behind())
            .number("values_absent", absent.map(Ranges::count))
            .shown("values_absent_ranges", absent)
            .number("values_dropped", dropped.map(Ranges::count))
            .shown("values_dropped_ranges", dropped)
            .number(
                "values_unavailable",
                self.values.map(|values| values.unavailable.total()),
            )
            .number("sweep_position", sweep.map(|sweep| sweep.at))
            .shown("last_sweep_ended", swept.map(|swept| swept.ended))
            .number("last_sweep_read", swept.map(|swept| swept.read))
            .number(
                "last_sweep_unavailable",
                swept.map(|swept| swept.unavailable.total()),
            )
            .number("last_sweep_of", swept.map(|swept| swept.of))
            .shown("detection_probability_24h", probability)
            .objects(
                "peers",
                self.peers.iter().map(|record| peer_record_json(record)),
            )
            .end()
    }
}
