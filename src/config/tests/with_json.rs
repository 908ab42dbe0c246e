//! Tests that docs/json.md names each command, and whether it prints JSON.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::super::command::{COMMANDS, WITH_JSON};
use super::super::load;
use super::Place;

/// Returns each command with each of its subcommands.
fn commands() -> Vec<String> {
    let mut commands = Vec::new();
    for command in COMMANDS {
        if !command.needs_subcommand() {
            commands.push(command.word.to_owned());
        }
        for subcommand in command.subcommands() {
            commands.push(format!("{} {subcommand}", command.word));
        }
    }
    commands
}

/// Returns the rows of the table of commands in docs/json.md.
fn documented() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md");
    let page = fs::read_to_string(path).unwrap();
    let section = page.split("\n## ").find(|of| of.starts_with("Commands\n"));
    let rows = section
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("| `"));
    let rows = rows.map(|row| {
        let cells: Vec<&str> = row.split(" | ").collect();
        let command = cells[0].trim_start_matches("| ").trim_matches('`');
        (
            command.to_owned(),
            cells[1].trim_end_matches(" |").to_owned(),
        )
    });
    rows.collect()
}

#[test]
fn the_page_names_each_command_and_whether_it_refuses_the_option() {
    let (documented, commands) = (documented(), commands());
    let names: Vec<&String> = documented.keys().collect();
    let mut sorted: Vec<&String> = commands.iter().collect();
    sorted.sort();
    assert_eq!(names, sorted);
    for with_json in WITH_JSON {
        assert!(
            commands.iter().any(|command| command == with_json),
            "{with_json}"
        );
    }
    let place = Place::new();
    for command in &commands {
        let mut process = place.process();
        process.arguments = command.split(' ').map(str::to_owned).collect();
        process.arguments.push("--json".into());
        let message = load(&process).map_or_else(|wrong| wrong.to_string(), |_| String::new());
        let refused = message.contains("prints no JSON: remove --json");
        let due = documented[command].starts_with("refused");
        assert_eq!(refused, due, "{command}: {message}");
        let prints = WITH_JSON.contains(&command.as_str());
        let is_setting = ["config", "audit-mode install"].contains(&command.as_str());
        assert_eq!(refused, !prints && !is_setting, "{command}");
    }
}

#[test]
fn json_in_a_settings_file_is_no_reason_to_refuse_a_command() {
    let place = Place::new();
    place.file("immuaudit.toml", "json = true\n");
    let mut process = place.process();
    process.arguments = vec!["states".into(), "export".into()];
    assert!(load(&process).is_ok());
}
