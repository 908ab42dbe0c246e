//! The object for one database, as `--json` prints it.

use super::Known;
use crate::config::Settings;
use crate::ranges::Ranges;
use crate::report::{JsonObject, all_ranges};
use crate::trust::Progress;

impl Known<'_> {
    pub(super) fn json(&self, settings: &Settings) -> String {
        let server = settings.server.name.as_str();
        let trusted = self.trusted();
        let chance = trusted.map(|trusted| self.chance(settings, trusted.state.tx).to_string());
        let sweep = self.values.and_then(|values| values.sweep.as_ref());
        let swept = self.values.and_then(|values| values.swept);
        let due = self.values.map(|values| values.due.count());
        let hash = trusted.map(|trusted| trusted.state.hash.to_string());
        let time = |time: Option<crate::clock::Timestamp>| time.map(|time| time.to_string());
        let alarms: Vec<&str> = self
            .alarms
            .iter()
            .flatten()
            .map(|alarm| alarm.id.as_str())
            .collect();
        let overdue = self.overdue(settings).map(|overdue| overdue.to_string());
        let unexplained = self.values.map(|of| self.unexplained(of));
        let (absent, dropped) = (
            unexplained.as_ref().map(|of| &of.0),
            unexplained.as_ref().map(|of| &of.1),
        );
        let due_ranges = self.values.map(|of| all_ranges(&of.due));
        let acknowledged = self.acknowledged.as_ref().ok();
        let failure = self.trusted.as_ref().err().or(self.alarms.as_ref().err());
        let failure = failure.map(ToString::to_string);
        JsonObject::new()
            .text("server", Some(server))
            .text("database", Some(&self.database))
            .number("tx", trusted.map(|trusted| trusted.state.tx))
            .text("hash", hash.as_deref())
            .text(
                "how",
                trusted.map(|trusted| trusted.how.to_string()).as_deref(),
            )
            .text(
                "since",
                time(trusted.map(|trusted| trusted.since)).as_deref(),
            )
            .text(
                "accepted",
                time(trusted.map(|trusted| trusted.accepted)).as_deref(),
            )
            .text("verdict", self.last.map(|last| last.verdict.as_str()))
            .text("reason", self.last.map(|last| last.reason.as_str()))
            .text(
                "checked",
                time(self.last.map(|last| last.checked)).as_deref(),
            )
            .text(
                "proven",
                time(self.last.and_then(|last| last.proven)).as_deref(),
            )
            .text("overdue", overdue.as_deref())
            .text("failure", failure.as_deref())
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
            .text("values_due_ranges", due_ranges.as_deref())
            .text(
                "values_due_since",
                time(self.values.and_then(Progress::due_since)).as_deref(),
            )
            .number("values_behind", self.behind())
            .number("values_absent", absent.map(Ranges::count))
            .text("values_absent_ranges", absent.map(all_ranges).as_deref())
            .number("values_dropped", dropped.map(Ranges::count))
            .text("values_dropped_ranges", dropped.map(all_ranges).as_deref())
            .number(
                "values_unavailable",
                self.values.map(|values| values.unavailable.total()),
            )
            .number("sweep_at", sweep.map(|sweep| sweep.at))
            .text("swept", time(swept.map(|swept| swept.ended)).as_deref())
            .number("swept_read", swept.map(|swept| swept.read))
            .number(
                "swept_unavailable",
                swept.map(|swept| swept.unavailable.total()),
            )
            .number("swept_of", swept.map(|swept| swept.of))
            .text("found_within_a_day", chance.as_deref())
            .end()
    }
}
