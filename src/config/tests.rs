//! Tests of every setting in the table, in every layer. New settings are therefore tested, too.

mod installed;
mod lines;
#[cfg(unix)] // the page has Unix paths
mod reference;
mod with_json;

use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use super::compat_mode::CompatMode;
use super::gather::gather;
use super::kind::Kind;
use super::setting::{Group, Layers, Section, Setting};
use super::table::TABLE;
use super::{Process, SettingsErrors, completions, environment, flags, help, man};
use crate::checkpoint::{KeyName, SignerKey};

/// The begin of a full path.
const ROOT: &str = if cfg!(windows) { "C:/" } else { "/" };

/// A temporary directory, which is removed when it is dropped.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("immuaudit-table-{}-{count}", process::id()));
        fs::create_dir(&path).unwrap();
        Place(path)
    }

    fn process(&self) -> Process {
        let mut process = Process {
            directory: self.0.clone(),
            system_directory: self.0.join("etc"),
            ..Process::default()
        };
        let home = self.0.join("home").to_string_lossy().into_owned();
        for variable in ["HOME", "LOCALAPPDATA"] {
            process.variables.insert(variable.to_owned(), home.clone());
        }
        process
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns four values that this setting may have, without its default, each as text and as TOML.
fn values(setting: &Setting) -> [(String, String); 4] {
    ["1", "2", "3", "4"].map(|n| {
        let quoted = |text: String| (text.clone(), format!("\"{text}\""));
        match &setting.kind {
            Kind::Switch(_) | Kind::UnusedSwitch => ("true".to_owned(), "true".to_owned()),
            Kind::Text(_) | Kind::MaybeText(_) | Kind::Unused => quoted(format!("text{n}")),
            Kind::Instance(_) => quoted(format!("name{n}")),
            Kind::Host(_) => quoted(format!("host{n}")),
            Kind::Choice(words) => quoted(
                words[n.parse::<usize>().unwrap() % words.len()]
                    .0
                    .to_owned(),
            ),
            Kind::Count(range, _) | Kind::Bytes(range, _) => {
                let number = (range.start() + n.parse::<u64>().unwrap()).to_string();
                (number.clone(), number)
            }
            Kind::Duration(..) => quoted(format!("{n}h")),
            Kind::List(_) => (format!("a{n},b"), format!("[\"a{n}\", \"b\"]")),
            Kind::Pins(_) => {
                let pin = format!("shop:{n}:{}", "ab".repeat(32));
                (pin.clone(), format!("[\"{pin}\"]"))
            }
            Kind::Peers(_) => {
                let name = KeyName::new(&format!("zone-{n}")).unwrap();
                let key = SignerKey::of_seed(name, &[1; 32]).unwrap();
                let peer = format!("http://zone{n}:9477={}", key.public());
                (peer.clone(), format!("[\"{peer}\"]"))
            }
            Kind::VerifierKeys(_) => {
                let name = KeyName::new(&format!("zone-{n}")).unwrap();
                let key = SignerKey::of_seed(name, &[1; 32])
                    .unwrap()
                    .public()
                    .to_string();
                (key.clone(), format!("[\"{key}\"]"))
            }
            Kind::Path(_) | Kind::SecretFile(_) | Kind::UrlFile(_) | Kind::Command(_) => {
                quoted(format!("{ROOT}path{n}"))
            }
            Kind::Proxy(_) => quoted(format!("http://proxy{n}:3128")),
            Kind::Url(_) => quoted(format!("https://example{n}.org")),
            Kind::Urls(_) => {
                let url = format!("https://example{n}.org");
                (url.clone(), format!("[\"{url}\"]"))
            }
            Kind::Secret(_) => (format!("secret{n}"), "\"***\"".to_owned()),
            Kind::SigningKey(_) => (
                format!("a secret that is long enough {n}"),
                "\"***\"".to_owned(),
            ),
        }
    })
}

fn shown(process: &Process) -> Result<String, SettingsErrors> {
    let line = flags::read(&process.arguments, process.compat_mode()?);
    assert!(line.problems.is_empty());
    Ok(gather(process, &line.given)?.effective.to_toml())
}

fn everywhere() -> impl Iterator<Item = &'static Setting> {
    TABLE
        .iter()
        .filter(|setting| setting.layers == Layers::All && !setting.origin.is_unused())
}

#[test]
fn every_setting_is_taken_from_every_layer_the_stronger_one_winning() {
    for setting in everywhere() {
        let place = Place::new();
        let mut process = place.process();
        let (flag, now) = (setting.flag, setting.current().flag);
        let [weak, file, variable, argument] = values(setting);
        let holds = |process: &Process, value: &str, source: &str| {
            let shown = shown(process).unwrap();
            let line = shown
                .lines()
                .find(|line| line.starts_with(&format!("{now} =")))
                .unwrap_or_else(|| panic!("{flag}: {shown}"));
            assert_eq!(line, format!("{now} = {value} # {source}"));
        };
        let toml = |name: &str, value: &(String, String)| {
            let (text, toml) = value;
            let value = if setting.kind.is_secret() {
                format!("\"{text}\"")
            } else {
                toml.clone()
            };
            place.file(name, &format!("# settings\n{flag} = {value}\n"));
            place.0.join(name).display().to_string()
        };
        let path = toml("immuclient.toml", &weak);
        holds(&process, &weak.1, &format!("{path}:2"));
        let path = toml("immuaudit.toml", &file);
        holds(&process, &file.1, &format!("{path}:2"));
        for (prefix, value) in [("IMMUCLIENT", &weak), ("IMMUAUDIT", &variable)] {
            let name = setting.variable_of(prefix);
            process.variables.insert(name.clone(), value.0.clone());
            holds(&process, &value.1, &name);
        }
        process.arguments = vec![format!("--{flag}={}", argument.0)];
        holds(&process, &argument.1, &format!("flag --{flag}"));
    }
}

#[test]
fn every_default_is_a_value_its_setting_may_have() {
    let place = Place::new();
    let shown = shown(&place.process()).unwrap();
    for setting in everywhere() {
        let is_set =
            shown.contains(&format!("\n{} = ", setting.flag)) || shown.starts_with(setting.flag);
        let has_default = !setting.default.is_empty() || setting.computed.is_some();
        assert_eq!(is_set, has_default, "{}", setting.flag);
    }
}

#[test]
fn every_setting_of_a_layer_refuses_what_it_cannot_have_by_name_and_source() {
    for setting in everywhere() {
        let wrong = match setting.kind {
            Kind::Secret(_) => "enc:%%%",
            Kind::Path(_) | Kind::SecretFile(_) | Kind::UrlFile(_) => continue, // any text may be a path
            Kind::Text(_) | Kind::MaybeText(_) => "two\nlines",
            Kind::List(_) => continue, // any text may be a list
            _ => "no such thing",
        };
        let place = Place::new();
        let mut process = place.process();
        let name = setting.variable_of("IMMUAUDIT");
        process.variables.insert(name.clone(), wrong.to_owned());
        let message = shown(&process).unwrap_err().to_string();
        assert!(
            message.starts_with(&format!("{} ({name}): ", setting.flag)),
            "{message}"
        );
        assert!(message.contains("expected "), "{message}");
        assert!(!message.contains("%%%"), "{message}");
    }
}

#[test]
fn every_setting_refuses_a_toml_value_of_another_type_with_file_and_line() {
    for setting in everywhere() {
        let place = Place::new();
        place.file(
            "immuaudit.toml",
            &format!("\n\n{} = 1979-05-27\n", setting.flag),
        );
        let message = shown(&place.process()).unwrap_err().to_string();
        let path = place.0.join("immuaudit.toml");
        assert!(
            message.starts_with(&format!("{} ({}:3): ", setting.flag, path.display())),
            "{message}"
        );
    }
}

#[test]
fn no_two_settings_share_a_name_a_letter_or_a_variable() {
    for (index, setting) in TABLE.iter().enumerate() {
        for other in &TABLE[index + 1..] {
            // two commands may have different flags of the same name
            if setting.flag == other.flag {
                let unused = setting.origin.is_unused();
                assert!((unused || setting.command().is_some()) && other.command().is_some());
                assert!(setting.command() != other.command(), "{}", setting.flag);
                continue;
            }
            for compat_mode in [CompatMode::Immuclient, CompatMode::Immugw] {
                let letter = setting.short_flag(compat_mode);
                let same = letter.is_some() && letter == other.short_flag(compat_mode);
                assert!(!same, "{} {compat_mode:?}", setting.flag);
            }
            assert_ne!(setting.variable_of("X"), other.variable_of("X"));
        }
        let plain = |c: char| c.is_ascii_lowercase() || c == '-';
        assert!(setting.flag.chars().all(plain), "{}", setting.flag);
        assert_eq!(setting.long, format!("--{}", setting.flag));
        assert_eq!(
            setting.argument.is_empty(),
            setting.kind.is_switch(),
            "{}",
            setting.flag
        );
    }
}

#[test]
fn the_short_help_fits_a_screen() {
    let text = help::text(None, false);
    assert!(
        text.lines().count() <= 24,
        "{} lines\n{text}",
        text.lines().count()
    );
}

#[test]
fn no_line_of_help_is_wider_than_a_terminal() {
    let mut pages = vec![help::text(None, false), help::text(None, true)];
    for command in super::command::COMMANDS {
        pages.push(help::text(Some(command.name), false));
    }
    for line in pages.iter().flat_map(|page| page.lines()) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn help_explains_each_form_of_each_verb() {
    for command in super::command::COMMANDS {
        let page = help::text(Some(command.name), false);
        let words: Vec<&str> = page.split_whitespace().collect();
        let page = words.join(" ");
        for (form, meaning) in command.forms {
            let entry = format!("immuaudit {} {form} {meaning}", command.word);
            let entry: Vec<&str> = entry.split_whitespace().collect();
            assert!(page.contains(&entry.join(" ")), "{entry:?}: {page}");
        }
    }
}

/// Checks that the flags of each section are together, because no help would list a flag without a section.
#[test]
fn every_setting_is_listed_in_its_section() {
    let sections: Vec<Section> = TABLE
        .iter()
        .filter_map(|setting| match setting.group {
            Group::In(section) => Some(section),
            Group::Of(_) => None,
        })
        .collect();
    let mut order = sections.clone();
    order.dedup();
    assert!(
        order == Section::ALL,
        "sections in another order, or torn apart"
    );
}

#[test]
fn help_manual_and_completions_have_every_setting_and_verb() {
    let whole = help::text(None, true);
    let manual = man::page();
    for setting in TABLE {
        let flag = format!("--{}", setting.flag);
        assert!(manual.contains(&flag.replace('-', "\\-")), "{flag}");
        for script in [completions::bash(), completions::zsh()] {
            assert!(script.contains(&flag), "{flag}");
        }
        assert!(
            completions::fish().contains(&format!(" -l {} ", setting.flag)),
            "{flag}"
        );
        match setting.command() {
            None => assert!(whole.contains(&flag), "{flag}"),
            Some(command) => assert!(help::text(Some(command), false).contains(&flag), "{flag}"),
        }
    }
    for command in super::command::COMMANDS {
        for text in [
            &whole,
            &manual,
            &completions::bash(),
            &completions::zsh(),
            &completions::fish(),
        ] {
            assert!(
                text.contains(&command.word.replace('-', "\\-")) || text.contains(command.word),
                "{}",
                command.word
            );
        }
        assert_eq!(command.name.word(), command.word);
    }
}

#[test]
fn the_effective_settings_are_a_settings_file() {
    let place = Place::new();
    let mut process = place.process();
    process.arguments = ["--audit-databases=a\"b,c", "--server-label=x\\y", "--once"]
        .map(str::to_owned)
        .to_vec();
    let first = shown(&process).unwrap();
    place.file("immuaudit.toml", &first);
    process.arguments.clear();
    let second = shown(&process).unwrap();
    let values = |text: &str| -> Vec<String> {
        let settings = text.lines().filter(|line| !line.starts_with('#'));
        settings
            .map(|line| line.rsplit_once(" # ").unwrap().0.to_owned())
            .collect()
    };
    assert_eq!(values(&first), values(&second));
}

#[test]
fn a_variable_without_a_setting_is_warned_about() {
    let place = Place::new();
    let mut process = place.process();
    process
        .variables
        .insert("IMMUAUDIT_AUDIT_PASWORD".to_owned(), "x".to_owned());
    process
        .variables
        .insert("IMMUCLIENT_ANYTHING".to_owned(), "x".to_owned());
    let warnings = environment::unknown(&process);
    let message: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        message,
        [
            "variable \"IMMUAUDIT_AUDIT_PASWORD\" names no setting; the nearest is IMMUAUDIT_AUDIT_PASSWORD"
        ]
    );
}
