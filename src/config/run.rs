//! A task with its settings.

use super::compat_mode::CompatMode;
use super::effective::Effective;
use super::raw_settings::RawSettings;
use super::settings::Settings;
use super::settings_error::SettingsError;
use super::settings_warning::SettingsWarning;
use super::task::Task;

/// A task with its settings.
#[derive(Debug)]
pub struct Run {
    /// The task.
    pub task: Task,
    /// The settings of the task.
    pub settings: Settings,
    /// The warnings about the settings, which are reported first, each at its level.
    pub warnings: Vec<SettingsWarning>,
    /// Every setting with its value and its source.
    pub effective: Effective,
}

/// Checks that immugw's settings are given only in its compatibility mode, and that an audit in that mode is
/// requested.
pub(super) fn in_place(
    raw: &RawSettings,
    effective: &Effective,
    task: &Task,
) -> Result<(), SettingsError> {
    match raw.compat_mode {
        CompatMode::Immuclient => effective.refuse_immugws(),
        CompatMode::Immugw if matches!(task, Task::Audit | Task::Check) && !raw.audit => {
            Err(SettingsError::NotAuditing)
        }
        CompatMode::Immugw => Ok(()),
    }
}
