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
struct Said {
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
    let mut said = Vec::new();
    // without files, no auditor without an instance ever ran
    if !Store::known_servers(&setup::location(settings)).is_empty() {
        said.push(ask(&program, settings, all, None));
    }
    for instance in &all.instances {
        said.push(ask(&program, settings, all, Some(instance.name())));
    }
    said.extend(all.nameless.iter().map(|path| Said {
        instance: None,
        exit: Exit::Local,
        text: String::new(),
        errors: format!("{}: not a valid name of an instance", path.display()),
    }));
    if said.is_empty() {
        print("no auditor is installed on this host");
        return Ok(Exit::Incomplete);
    }
    worst_first(&mut said);
    for of in &said {
        tell(of, settings.report.format);
    }
    Ok(said.first().map_or(Exit::Good, |worst| worst.exit))
}

/// Sorts by exit code, tampering first; of the same one by name.
fn worst_first(said: &mut [Said]) {
    said.sort_by(|one, other| {
        let names = one.instance.cmp(&other.instance);
        other.exit.cmp(&one.exit).then(names)
    });
}

fn ask(program: &Path, settings: &Settings, all: &AllInstances, instance: Option<&str>) -> Said {
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
            Said {
                instance,
                // a killed program has no exit code
                exit: code.and_then(Exit::of_code).unwrap_or(Exit::Local),
                text: text(&output.stdout),
                errors: text(&output.stderr),
            }
        }
        Err(error) => Said {
            instance,
            exit: Exit::Local,
            text: String::new(),
            errors: error.to_string(),
        },
    }
}

fn tell(said: &Said, format: Format) {
    let name = match &said.instance {
        Some(instance) => format!("immuaudit@{instance}"),
        None => "immuaudit".to_owned(),
    };
    match format {
        Format::Text => {
            let lines = said.text.lines().map(|line| format!("  {line}"));
            let lines: Vec<String> = std::iter::once(name.clone()).chain(lines).collect();
            print(&lines.join("\n"));
        }
        Format::Json if said.text.is_empty() => print(
            &JsonObject::new()
                .text("instance", said.instance.as_deref())
                .text("server", None)
                .text("database", None)
                .text("reason", Some(&said.errors))
                .end(),
        ),
        Format::Json => print(&said.text),
    }
    for line in said.errors.lines() {
        print_error(&format!("{name}: {line}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tampering_comes_first_then_local_failures_then_what_is_not_proven() {
        let said = |name: &str, exit| Said {
            instance: Some(name.to_owned()),
            exit,
            text: String::new(),
            errors: String::new(),
        };
        let mut all = [
            said("a", Exit::Good),
            said("b", Exit::Incomplete),
            said("d", Exit::Tampered),
            said("c", Exit::Local),
            said("b2", Exit::Tampered),
        ];
        worst_first(&mut all);
        let names = all.map(|of| of.instance.unwrap());
        assert_eq!(names, ["b2", "d", "c", "b", "a"]);
    }
}
