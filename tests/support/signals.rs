//! Signals to a program that a test started.

use std::process::{Child, Command};

/// Prepares a command for [`send`], before it is started.
#[cfg(unix)]
pub fn prepare(_: &mut Command) {}

/// Sends a signal by its name, such as `TERM`.
#[cfg(unix)]
pub fn send(child: &mut Child, name: &str) {
    let id = child.id().to_string();
    // the shell's own kill, because not every system has a program of this name
    let kill = ["-c", "kill -s \"$0\" \"$1\"", name, &id];
    let sent = Command::new("sh").args(kill).status();
    assert!(sent.expect("sh runs").success());
}

/// Prepares a command for [`send`], before it is started: a separate process group, so that only this process gets an
/// event of the console.
#[cfg(windows)]
pub fn prepare(command: &mut Command) {
    use std::os::windows::process::CommandExt;
    use windows_sys::Win32::System::Threading::CREATE_NEW_PROCESS_GROUP;

    command.creation_flags(CREATE_NEW_PROCESS_GROUP);
}

/// Sends the equivalent of a signal: Ctrl-Break for `TERM` and `INT`, and an immediate end for `KILL`. Windows has no
/// equivalent of other signals. Ctrl-Break requires a console, which the program shares with the test.
#[cfg(windows)]
pub fn send(child: &mut Child, name: &str) {
    use windows_sys::Win32::System::Console::{
        CTRL_BREAK_EVENT, CTRL_C_EVENT, GenerateConsoleCtrlEvent,
    };

    match name {
        "KILL" => child.kill().expect("it is killed"),
        "TERM" | "INT" => {
            // Wine 8 has no Ctrl-Break, but sends Ctrl-C to a group. Windows sends Ctrl-C to all processes of the
            // console.
            //
            // SAFETY: the call takes two numbers. The group exists, because its process is a child that was not
            // waited for.
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
