//! The program's commands: each gets the settings and returns an exit code. `setup` builds the server, the store and
//! the policy for all of them, and `audit` has the loop of the service.

#![forbid(unsafe_code)]

mod acknowledge;
mod alarm;
mod audit;
mod check;
mod checkpoint;
mod compare;
mod compare_checkpoints;
mod drill;
mod evidence;
mod exercise;
mod exercise_peers;
mod health;
mod key;
mod locate;
mod monitoring;
mod notify;
mod operator;
mod output;
mod reload;
#[cfg_attr(windows, path = "service_windows.rs")]
mod service;
mod setup;
mod states;
mod status;
mod sweep;

use std::panic;
use std::process;

use log::{Level, LevelFilter};

use crate::audit::Exit;
use crate::config::{
    self, CheckpointTask, Invocation, Process, Run, SettingsErrors, SettingsWarning, StatesTask,
    Task, Verbosity,
};
use crate::report::{print_error, start_logging};
use crate::sys;
use crate::text::Escaped;

/// Runs the command of the command line, and ends the process.
pub fn main() -> ! {
    sys::silence_grpc();
    sys::give_memory_back();
    let mut process = Process::current(); // overwrites passwords in the arguments
    if let Ok(process) = &mut process {
        sys::go_under_manager(&mut process.arguments);
    }
    sys::forbid_core_dumps(); // only now, because the overwriting needs /proc/self/mem
    end_at_a_panic();
    let exit = process.and_then(|process| {
        Ok(match config::load(&process)? {
            Invocation::Print(text) => output::print_data(&text, "text"),
            Invocation::Run(run) => perform(*run, &process),
        })
    });
    sys::end(exit.unwrap_or_else(|wrong| refuse(&wrong)).code())
}

/// Ends the program at a panic of any of its threads. Without a delivery worker or the port it would continue
/// unnoticed. Its parent sees SIGABRT, and a supervisor starts it again.
fn end_at_a_panic() {
    panic::set_hook(Box::new(|panic| {
        let panic = Escaped::new(&panic.to_string());
        print_error(&format!(
            "immuaudit: {}; this is a defect of the program: please report it",
            panic.as_str()
        ));
        process::abort();
    }));
}

/// Prints the errors in the settings. No command runs with wrong settings.
fn refuse(wrong: &SettingsErrors) -> Exit {
    for problem in &wrong.0 {
        print_error(&format!("immuaudit: {problem}"));
    }
    Exit::Local
}

fn perform(mut run: Run, process: &Process) -> Exit {
    if reads_files_alone(&run.task) {
        setup::take_only_server(&mut run.settings, &run.effective);
    }
    let report = &run.settings.report;
    let level = match report.verbosity {
        Verbosity::Normal => report.log_level,
        Verbosity::Quiet => LevelFilter::Off, // problems are printed to stdout
    };
    start_logging(level, report.log_format);
    for warning in &run.warnings {
        match (&run.task, warning) {
            // the system may kill the program for lack of memory, so this is printed even if the log is off
            (
                Task::Audit | Task::Sweep { .. } | Task::Locate(_),
                SettingsWarning::LittleMemory { .. },
            ) if !log::log_enabled!(Level::Warn) => {
                print_error(&format!("immuaudit: {warning}"));
            }
            (Task::Sweep { .. } | Task::Locate(_), SettingsWarning::LittleMemory { .. }) => {
                log::warn!("{warning}");
            }
            (Task::Audit, _) => log::log!(warning.level(), "{warning}"),
            _ => {}
        }
    }
    let done = match run.task {
        Task::Check => check::run(&run.settings, &run.warnings),
        Task::Audit => audit::run(&run.settings, &run.effective, process),
        Task::Sweep { databases } => sweep::run(&run.settings, &run.effective, &databases),
        Task::Status => status::run(&run.settings),
        Task::StatusOfAll(all) => status::run_all(&run.settings, &all),
        Task::Health => health::run(&run.settings),
        Task::Locate(task) => locate::run(&run.settings, &task),
        Task::Alarm(task) => alarm::run(&run.settings, &task),
        Task::Acknowledge(task) => acknowledge::run(&run.settings, &task),
        Task::Service(task) => service::run(&run.settings, task),
        Task::States(task) => states::run(&run.settings, task),
        Task::Compare(another) => compare::run(&run.settings, &another),
        Task::Evidence(task) => evidence::run(&run.settings, &task),
        Task::Checkpoint(task) => checkpoint::run(&run.settings, &task),
        Task::Key(task) => key::run(&task),
        Task::Drill(drill) => drill::run(drill),
        Task::NotifyTest => notify::run(&run.settings),
    };
    done.unwrap_or_else(|failed| {
        print_error(&format!("immuaudit: {failed}"));
        Exit::Local
    })
}

/// Returns whether a command reads only the files of one server and never asks the server itself.
fn reads_files_alone(task: &Task) -> bool {
    match task {
        Task::Status | Task::Alarm(_) | Task::Acknowledge(_) | Task::Evidence(_) => true,
        Task::States(task) => !matches!(task, StatesTask::Import { .. }),
        Task::Checkpoint(task) => matches!(task, CheckpointTask::Export),
        Task::Audit
        | Task::Check
        | Task::Sweep { .. }
        | Task::Health
        | Task::StatusOfAll(_)
        | Task::Locate(_)
        | Task::Service(_)
        | Task::Compare(_)
        | Task::Key(_)
        | Task::Drill(_)
        | Task::NotifyTest => false,
    }
}
