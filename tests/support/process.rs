//! A process with its settings, in its own directory.

use std::fs;
use std::path::{MAIN_SEPARATOR, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use immuaudit::config::{Invocation, Process, Run, load};
use immuaudit::sys;

use super::modes::set_mode;

/// A temporary working directory, removed when it is dropped, and a process in it.
pub struct Setup {
    pub path: PathBuf,
    pub process: Process,
}

impl Setup {
    pub fn new() -> Setup {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("immuaudit-settings-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        let process = Process {
            directory: path.clone(),
            system_directory: path.join("etc"),
            ..Process::default()
        };
        let setup = Setup { path, process };
        let home = setup.at("home");
        setup
            .variable("HOME", &home)
            .variable("USERPROFILE", &home)
            .variable("LOCALAPPDATA", &home)
    }

    pub fn at(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    pub fn arguments(mut self, arguments: &[&str]) -> Setup {
        self.process.arguments = arguments.iter().map(|a| (*a).to_owned()).collect();
        self
    }

    pub fn variable(mut self, name: &str, value: &str) -> Setup {
        let variables = &mut self.process.variables;
        variables.insert(sys::variable_name(name.to_owned()), value.to_owned());
        self
    }

    pub fn file(self, name: &str, text: &str) -> Setup {
        let path = self.path.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        set_mode(&path, 0o600).unwrap();
        self
    }

    pub fn run(&self) -> Run {
        match load(&self.process) {
            Ok(Invocation::Run(run)) => *run,
            other => panic!("{other:?}"),
        }
    }

    pub fn text(&self) -> String {
        match load(&self.process) {
            Ok(Invocation::Print(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    /// Returns the message about wrong settings, without the path of the directory.
    pub fn wrong(&self) -> String {
        let message = load(&self.process).unwrap_err().to_string();
        let path = format!("{}{MAIN_SEPARATOR}", self.path.display());
        message.replace(&path, "")
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

pub fn given(arguments: &[&str]) -> Setup {
    Setup::new().arguments(arguments)
}
