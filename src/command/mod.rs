//! What the program does for each verb: settings in, an exit code out.

#![forbid(unsafe_code)]

mod accept;
mod audit;
mod drill;
mod exercise;
mod notify;
mod open;
mod status;
mod watch;

use std::process::ExitCode;

use crate::audit::Exit;
use crate::config::{self, Invocation, Process, Run, Task, Wrong};
use crate::report::{print, start_logging};
use crate::sys;

/// Runs the program as it was called.
pub fn main() -> ExitCode {
    sys::silence_grpc();
    let exit = match Process::current().and_then(|process| config::load(&process)) {
        Ok(Invocation::Tell(text)) => {
            print(&text);
            Exit::Good
        }
        Ok(Invocation::Run(run)) => perform(*run),
        Err(wrong) => refuse(&wrong),
    };
    exit.code().into()
}

/// Nothing is started with settings that are wrong.
fn refuse(wrong: &Wrong) -> Exit {
    for problem in &wrong.0 {
        eprintln!("immuaudit: {problem}");
    }
    Exit::Local
}

fn perform(run: Run) -> Exit {
    let report = &run.settings.report;
    start_logging(report.log_level, report.log_format);
    for remark in &run.remarks {
        log::log!(remark.level(), "{remark}");
    }
    let done = match run.task {
        Task::Audit => audit::run(&run.settings, &run.effective),
        Task::Status => status::run(&run.settings),
        Task::Accept { database, alarm } => accept::run(&run.settings, &database, &alarm),
        Task::Drill(drill) => drill::run(drill),
        Task::NotifyTest => notify::run(&run.settings),
    };
    done.unwrap_or_else(|failed| {
        eprintln!("immuaudit: {failed}");
        Exit::Local
    })
}
