//! Notifications of the open alarms that a receiver has no record of.

use std::collections::BTreeMap;

use super::delivery::DeliveryWorker;
use super::notification::Notification;
use super::waiting::Noted;
use crate::trust::Alarm;

/// The maximum number of open alarms of one database for which a receiver without a record gets one notification
/// each. For more alarms, the list of alarms is the better report.
const MAX_SINGLE_ALARMS: usize = 10;

/// Notifies a receiver of the open alarms that are not in its record: the receiver was added or its address was
/// corrected since they were found, or a kill came between alarm and notification.
pub(super) fn catch_up(server: &str, worker: &DeliveryWorker, open: &[Alarm]) {
    let mut by_database: BTreeMap<&str, Vec<Alarm>> = BTreeMap::new();
    for alarm in open.iter().filter(|alarm| !worker.knows(alarm)) {
        let alarms = by_database.entry(&alarm.database).or_default();
        alarms.push(alarm.clone());
    }
    for alarms in by_database.values() {
        let each = alarms.len().min(MAX_SINGLE_ALARMS);
        for (index, alarm) in alarms.iter().take(each).enumerate() {
            // the last notification covers the remaining alarms too
            let end = if index + 1 == each {
                alarms.len()
            } else {
                index + 1
            };
            let covered = alarms.get(index..end).unwrap_or_default();
            let notification =
                Notification::of_alarm(server, alarm, covered.len().saturating_sub(1));
            worker.enqueue(notification, Noted::Alarms(covered));
        }
    }
}
