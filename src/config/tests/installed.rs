//! Tests that the settings file of a service gets each setting as it was given, although secrets are never printed.

use super::super::flags::Assignment;
use super::super::kind::Kind;
use super::super::service::parameters;
use super::super::setting::Setting;
use super::super::source::Source;
use super::{Place, everywhere, values};

/// Returns a value that this setting may have; one of a URL has a token.
fn given(setting: &Setting) -> String {
    let [(value, _), ..] = values(setting);
    match setting.kind {
        Kind::Url(_) | Kind::Urls(_) => format!("{value}/hook/token?of=us"),
        Kind::Proxy(_) => value.replacen("://", "://user:token@", 1),
        Kind::Peers(_) => value.replacen('=', "/checkpoints/token=", 1),
        _ => value,
    }
}

/// Returns the texts of a TOML value: a list has several.
fn texts(value: &toml::Value) -> Vec<String> {
    match value {
        toml::Value::Array(items) => items.iter().flat_map(texts).collect(),
        toml::Value::String(text) => vec![text.clone()],
        toml::Value::Integer(number) => vec![number.to_string()],
        toml::Value::Boolean(is_on) => vec![is_on.to_string()],
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_settings_file_of_a_service_gets_every_setting_as_it_was_given() {
    let place = Place::new();
    let mut secrets = 0;
    for setting in everywhere() {
        let given = given(setting);
        secrets += usize::from(given.contains("token"));
        let assignment = Assignment {
            setting,
            texts: vec![given.clone()],
            source: Source::Flag(setting.flag),
        };
        let parameters = parameters(&place.process(), std::iter::once(&assignment));
        let [parameter] = &parameters[..] else {
            panic!("{}: {parameters:?}", setting.flag);
        };
        assert_eq!(parameter.key, setting.current().flag);
        let file = format!("{} = {}\n", parameter.key, parameter.value.expose());
        let table: toml::Table = file.parse().unwrap();
        let written = texts(&table[parameter.key]).join(",");
        // Windows writes an absolute path with other separators
        let written = match cfg!(windows) {
            true => written.replace('\\', "/"),
            false => written,
        };
        assert_eq!(written, given, "{}", setting.flag);
    }
    assert!(secrets > 3, "{secrets}");
}
