//! Signals to a program that a test started.

use std::process::{Child, Command};

/// Makes a command that has not started yet ready for [`send`].
#[cfg(unix)]
pub fn prepare(_: &mut Command) {}

/// Sends a signal by its name, such as `TERM`.
#[cfg(unix)]
pub fn send(child: &mut Child, name: &str) {
    let id = child.id().to_string();
    // the shell's own, for the program of this name is not everywhere
    let kill = ["-c", "kill -s \"$0\" \"$1\"", name, &id];
    let sent = Command::new("sh").args(kill).status();
    assert!(sent.expect("sh runs").success());
}

/// Makes a command that has not started yet ready for [`send`]: a process group of its own, so that an event of the console
/// is for it alone.
#[cfg(windows)]
pub fn prepare(command: &mut Command) {
    use std::os::windows::process::CommandExt;
    use windows_sys::Win32::System::Threading::CREATE_NEW_PROCESS_GROUP;

    command.creation_flags(CREATE_NEW_PROCESS_GROUP);
}

/// Sends what Windows has for a signal: Ctrl-Break for `TERM` and `INT`, and an immediate end for `KILL`. It has none of the
/// others. Ctrl-Break wants a console, which the program has from the test.
#[cfg(windows)]
pub fn send(child: &mut Child, name: &str) {
    use windows_sys::Win32::System::Console::{
        CTRL_BREAK_EVENT, CTRL_C_EVENT, GenerateConsoleCtrlEvent,
    };

    match name {
        "KILL" => child.kill().expect("it is killed"),
        "TERM" | "INT" => {
            // Wine 8 has no Ctrl-Break, and sends Ctrl-C to a group; Windows sends that to all of the console
            // SAFETY: the call takes two numbers, and the group is that of a child that was not waited for.
            let sent = [CTRL_BREAK_EVENT, CTRL_C_EVENT]
                .into_iter()
                .any(|event| unsafe { GenerateConsoleCtrlEvent(event, child.id()) } != 0);
            assert!(
                sent,
                "no event was sent: {}",
                std::io::Error::last_os_error()
            );
        }
        name => panic!("Windows has no signal {name}"),
    }
}
