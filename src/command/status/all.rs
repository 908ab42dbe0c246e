//! `status --all`: every auditor on this host, the worst first.
//!
//! Each status comes from a process of its own, which continues as the owner of that auditor's files. No file of one
//! auditor is read with the rights of another, or with root's.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::audit::Exit;
use crate::command::setup::{self, CommandError};
use crate::config::{AllInstances, Format, Settings};
use crate::report::{JsonObject, print, print_error};
use crate::trust::Store;

/// The output of one auditor's `status`.
struct StatusOutput {
    /// The instance; `None`: the service without one.
    instance: Option<String>,
    exit: Exit,
    text: String,
    /// The errors.
    errors: String,
}

/// Prints the status of every auditor, the worst first. The exit code is the worst one.
pub fn run(settings: &Settings, all: &AllInstances) -> Result<Exit, CommandError> {
    let program = env::current_exe()
        .map_err(|error| CommandError::Service(format!("this program: {error}")))?;
    let mut status_output = Vec::new();
    // without files, no auditor without an instance ever ran
    if !Store::known_servers(&setup::location(settings)).is_empty() {
        status_output.push(ask(&program, settings, all, None));
    }
    for instance in &all.instances {
        status_output.push(ask(&program, settings, all, Some(instance.name())));
    }
    status_output.extend(all.nameless.iter().map(|path| StatusOutput {
        instance: None,
        exit: Exit::Local,
        text: String::new(),
        errors: format!("{}: not a valid name of an instance", path.display()),
    }));
    if status_output.is_empty() {
        print("no auditor is installed on this host");
        return Ok(Exit::Incomplete);
    }
    worst_first(&mut status_output);
    for of in &status_output {
        print_status(of, settings.report.format);
    }
    Ok(status_output.first().map_or(Exit::Good, |worst| worst.exit))
}

/// Sorts by exit code, tampering first; of the same one by name.
fn worst_first(status_output: &mut [StatusOutput]) {
    status_output.sort_by(|one, other| {
        let names = one.instance.cmp(&other.instance);
        other.exit.cmp(&one.exit).then(names)
    });
}

fn ask(
    program: &Path,
    settings: &Settings,
    all: &AllInstances,
    instance: Option<&str>,
) -> StatusOutput {
    let mut command = Command::new(program);
    command.arg("status").stdin(Stdio::null());
    if settings.report.format == Format::Json {
        command.arg("--json");
    }
    if let Some(config) = &all.config {
        command.arg("--config").arg(config);
    }
    if let Some(instance) = instance {
        command.args(["--instance", instance]);
    }
    let instance = instance.map(str::to_owned);
    match command.output() {
        Ok(output) => {
            let code = output
                .status
                .code()
                .and_then(|code| u8::try_from(code).ok());
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
            StatusOutput {
                instance,
                // a killed program has no exit code
                exit: code.and_then(Exit::of_code).unwrap_or(Exit::Local),
                text: text(&output.stdout),
                errors: text(&output.stderr),
            }
        }
        Err(error) => StatusOutput {
            instance,
            exit: Exit::Local,
            text: String::new(),
            errors: error.to_string(),
        },
    }
}

fn print_status(status_output: &StatusOutput, format: Format) {
    let name = match &status_output.instance {
        Some(instance) => format!("immuaudit@{instance}"),
        None => "immuaudit".to_owned(),
    };
    match format {
        Format::Text => {
            let lines = status_output.text.lines().map(|line| format!("  {line}"));
            let lines: Vec<String> = std::iter::once(name.clone()).chain(lines).collect();
            print(&lines.join("\n"));
        }
        Format::Json if status_output.text.is_empty() => print(
            &JsonObject::new()
                .text("instance", status_output.instance.as_deref())
                .text("server", None)
                .text("database", None)
                .text("reason", Some(&status_output.errors))
                .end(),
        ),
        Format::Json => print(&status_output.text),
    }
    for line in status_output.errors.lines() {
        print_error(&format!("{name}: {line}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tampering_comes_first_then_local_failures_then_what_is_not_proven() {
        let status_output = |name: &str, exit| StatusOutput {
            instance: Some(name.to_owned()),
            exit,
            text: String::new(),
            errors: String::new(),
        };
        let mut all = [
            status_output("a", Exit::Good),
            status_output("b", Exit::Incomplete),
            status_output("d", Exit::Tampered),
            status_output("c", Exit::Local),
            status_output("b2", Exit::Tampered),
        ];
        worst_first(&mut all);
        let names = all.map(|of| of.instance.unwrap());
        assert_eq!(names, ["b2", "d", "c", "b", "a"]);
    }
}
