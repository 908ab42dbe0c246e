//! Completions of the shell.

use crate::support::process::given;

/// Runs the completion function in bash itself.
#[test]
fn bash_completes_commands_flags_and_values() {
    let script = given(&["completions", "bash"]).text();
    let complete = |words: &[&str]| -> Vec<String> {
        let words = words.join(" ");
        let ask = format!(
            "{script}\nCOMP_WORDS=({words} \"\"); ((COMP_CWORD = ${{#COMP_WORDS[@]}} - 2)); unset 'COMP_WORDS[-1]'; _immuaudit; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let output = std::process::Command::new("bash")
            .args(["--norc", "-c", &ask])
            .output()
            .unwrap();
        assert!(
            output.stderr.is_empty(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(complete(&["immuaudit", "sta"]), ["status", "states"]);
    assert_eq!(complete(&["immuaudit", "--no-first"]), ["--no-first-use"]);
    assert_eq!(complete(&["immuaudit", "--log-level", "de"]), ["debug"]);
    let offered = complete(&["immuaudit", "drill", "--serve"]);
    assert!(offered.contains(&"--serve".to_owned()), "{offered:?}");
    let offered = complete(&["immuaudit", "status", "--serve"]);
    assert!(!offered.contains(&"--serve".to_owned()), "{offered:?}");
}
