//! Instances: several auditors on one host. The settings of each override those of a common file.

use std::path::PathBuf;

use super::compat_mode::CompatMode;
use super::file::{self, Files};
use super::instance::{DIRECTORY, FLAG, Instance};
use super::process::Process;
use super::settings_error::SettingsError;
use super::source::Source;
use super::sourced::SourcedPath;

/// The common settings file of all instances.
const COMMON: &str = "immuaudit.toml";

/// Settings that an instance does not take from the common file, because each instance needs its own value.
const NOT_COMMON: [&str; 5] = [
    "dir",
    "roots-filepath",
    "server-label",
    "server-name",
    "audit-monitoring-port",
];

impl Process {
    /// Returns the names of the instances that have a settings file, sorted, and the names of settings files that name
    /// none.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(super) fn instances(&self) -> Result<(Vec<Instance>, Vec<PathBuf>), SettingsError> {
        let directory = self.system_directory.join(DIRECTORY);
        let unreadable = |error: std::io::Error| SettingsError::UnreadableSettings {
            path: directory.clone(),
            fault: error.to_string(),
        };
        let entries = match std::fs::read_dir(&directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok((Vec::new(), Vec::new()));
            }
            entries => entries.map_err(unreadable)?,
        };
        let (mut instances, mut others) = (Vec::new(), Vec::new());
        for entry in entries {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let name = path.file_stem().and_then(|stem| stem.to_str());
            match name.map(Instance::read) {
                Some(Ok(instance)) => instances.push(instance),
                _ => others.push(path),
            }
        }
        instances.sort();
        others.sort();
        Ok((instances, others))
    }
}

/// Whether the settings file of an instance must exist.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    /// The file must exist.
    MustExist,
    /// The file may be absent, because it is about to be written.
    MayBeAbsent,
}

/// Reads the settings files of an instance: the common file, which `--config` may name, and then the instance's own
/// file, which overrides it.
pub(super) fn read(
    process: &Process,
    compat_mode: CompatMode,
    common: Option<SourcedPath>,
    instance: &Instance,
    own: Own,
) -> Files {
    let given = |path: PathBuf| SourcedPath {
        path,
        flag: FLAG,
        source: Source::Default,
    };
    let usual = || {
        let path = process.system_directory.join(COMMON);
        path.exists().then(|| given(path))
    };
    let mut files = match common.or_else(usual) {
        Some(common) => file::read(process, compat_mode, Some(common)),
        None => Files::default(),
    };
    files
        .given
        .retain(|given| !NOT_COMMON.contains(&given.setting.flag));
    let path = instance.config(&process.system_directory);
    if own == Own::MayBeAbsent && !path.exists() {
        return files;
    }
    let own = file::read(process, compat_mode, Some(given(path)));
    files.given.extend(own.given);
    if !own.receivers.is_empty() {
        files.receivers = own.receivers;
    }
    if !own.peers.is_empty() {
        files.peers = own.peers;
    }
    files.warnings.extend(own.warnings);
    files.problems.extend(own.problems);
    files
}

// the tests have Unix paths
#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::config::{Invocation, Settings, SettingsError, load};
    use std::fs;
    use std::path::Path;

    struct Scene(PathBuf);

    impl Scene {
        fn new(name: &str) -> Scene {
            let of = format!("immuaudit-instance-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(of);
            fs::create_dir_all(path.join(DIRECTORY)).unwrap();
            Scene(path)
        }

        fn file(&self, name: &str, text: &str) {
            fs::write(self.0.join(name), text).unwrap();
        }

        fn process(&self, arguments: &[&str]) -> Process {
            Process {
                arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
                directory: self.0.clone(),
                system_directory: self.0.clone(),
                privilege: crate::config::Privilege::Root,
                ..Process::default()
            }
        }

        fn settings(&self, arguments: &[&str]) -> Settings {
            match load(&self.process(arguments)) {
                Ok(Invocation::Run(run)) => run.settings,
                other => panic!("{other:?}"),
            }
        }
    }

    impl Drop for Scene {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn an_instances_own_file_wins_over_the_common_one() {
        let scene = Scene::new("layers");
        scene.file("immuaudit.toml", "audit-interval = \"1h\"\nimmudb-port = 1\naudit-sample = 7\ndir = \"/common\"\nserver-label = \"common\"\naudit-monitoring-port = 9477\n");
        scene.file("immuclient.toml", "audit-sample = 8\n");
        scene.file("immuaudit.d/shop.toml", "immudb-port = 2\n");
        let settings = scene.settings(&["--instance", "shop"]);
        assert_eq!(settings.server.port, 2);
        assert_eq!(settings.audit.interval.as_secs(), 3600);
        assert_eq!(settings.audit.values.sample, 7);
        // each instance has its own value of these
        let directory = Path::new("/var/lib/immuaudit.d/shop");
        assert_eq!(settings.trust.directory, directory);
        assert_eq!(settings.server.name, "127.0.0.1:2");
        assert_eq!(settings.monitoring.listen.unwrap().port, 0);
        assert_eq!(settings.instance.unwrap().name(), "shop");
        // a flag overrides both files
        let flag = scene.settings(&["--instance=shop", "--immudb-port", "3"]);
        assert_eq!(flag.server.port, 3);
    }

    #[test]
    fn an_instance_without_a_file_is_refused() {
        let scene = Scene::new("none");
        let wrong = load(&scene.process(&["--instance", "shop"])).unwrap_err();
        let message = wrong.0.first().unwrap().to_string();
        assert!(message.contains("immuaudit.d/shop.toml"), "{message}");
        let wrong = load(&scene.process(&["--instance", "../shop"])).unwrap_err();
        assert!(matches!(
            wrong.0.first(),
            Some(SettingsError::BadValue { .. })
        ));
    }

    #[test]
    fn every_settings_file_is_an_instance_or_is_reported() {
        let scene = Scene::new("list");
        for name in ["b.toml", "a.toml", "A.toml", "a.json", "a.pass"] {
            scene.file(&format!("{DIRECTORY}/{name}"), "");
        }
        let (instances, others) = scene.process(&[]).instances().unwrap();
        let names: Vec<&str> = instances.iter().map(Instance::name).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(others, [scene.0.join(DIRECTORY).join("A.toml")]);
    }
}
