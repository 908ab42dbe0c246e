//! Completions for bash, zsh and fish.

use super::command::{COMMANDS, CommandName};
use super::kind::{Completion, Word};
use super::setting::Setting;
use super::table::TABLE;

/// Returns the completions for bash: `source <(immuaudit completions bash)`.
pub(super) fn bash() -> String {
    let of = |command: Option<CommandName>| flags(|setting| setting.command() == command).join(" ");
    let mut script = "_immuaudit() {\n\
        \x20   local current=\"${COMP_WORDS[COMP_CWORD]}\" previous=\"${COMP_WORDS[COMP_CWORD-1]}\" flags\n\
        \x20   COMPREPLY=()\n\
        \x20   case \"$previous\" in\n".to_owned();
    let files = flags(|setting| matches!(setting.kind.completion(), Completion::Files));
    script.push_str(&format!(
        "        {}) compopt -o filenames; COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n",
        files.join("|")
    ));
    for setting in TABLE {
        if let Completion::Words(words) = setting.kind.completion() {
            let (flags, words) = (names(setting).join("|"), texts(words).join(" "));
            script.push_str(&format!(
                "        {flags}) COMPREPLY=($(compgen -W \"{words}\" -- \"$current\")); return ;;\n"
            ));
        }
    }
    let others = flags(|setting| matches!(setting.kind.completion(), Completion::Unknown));
    script.push_str(&format!(
        "        {}) return ;;\n    esac\n",
        others.join("|")
    ));
    script.push_str(&format!(
        "    flags=\"{}\"\n    case \" ${{COMP_WORDS[*]}} \" in\n",
        of(None)
    ));
    for command in COMMANDS
        .iter()
        .filter(|command| !of(Some(command.name)).is_empty())
    {
        let (word, flags) = (command.word, of(Some(command.name)));
        script.push_str(&format!("        *\" {word} \"*) flags+=\" {flags}\" ;;\n"));
    }
    let commands: Vec<&str> = COMMANDS.iter().map(|command| command.word).collect();
    script.push_str(&format!(
        "    esac\n    if [[ $current == -* ]]; then\n\
        \x20       COMPREPLY=($(compgen -W \"$flags\" -- \"$current\"))\n    else\n\
        \x20       COMPREPLY=($(compgen -W \"{}\" -- \"$current\"))\n    fi\n}}\n\
        complete -F _immuaudit immuaudit\n",
        commands.join(" ")
    ));
    script
}

/// Returns the completions for zsh: a file `_immuaudit` in a directory of `$fpath`.
pub(super) fn zsh() -> String {
    let escaped = |text: &str| {
        text.replace('\'', "'\\''")
            .replace('[', "\\[")
            .replace(']', "\\]")
            .replace(':', "\\:")
    };
    let mut script = "#compdef immuaudit\n_arguments \\\n".to_owned();
    for setting in TABLE {
        let value = match setting.kind.completion() {
            Completion::NoValue => String::new(),
            Completion::Files => format!(":{}:_files", escaped(setting.argument)),
            Completion::Words(words) => {
                format!(":{}:({})", setting.argument, texts(words).join(" "))
            }
            Completion::Unknown => format!(":{}:", escaped(setting.argument)),
        };
        for name in names(setting) {
            // "*" allows a flag that was given already
            let help = escaped(setting.help);
            script.push_str(&format!("  '*{name}[{help}]{value}' \\\n"));
        }
    }
    let commands = COMMANDS
        .iter()
        .map(|command| format!("{}\\:\"{}\"", command.word, escaped(command.help)));
    let commands: Vec<String> = commands.collect();
    script.push_str(&format!(
        "  '1:command:(({}))' \\\n  '*::'\n",
        commands.join(" ")
    ));
    script
}

/// Returns the completions for fish: `immuaudit completions fish | source`.
pub(super) fn fish() -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'");
    let mut script = "complete -c immuaudit -f\n".to_owned();
    for command in COMMANDS {
        let (word, help) = (command.word, escaped(command.help));
        script.push_str(&format!(
            "complete -c immuaudit -n __fish_use_subcommand -a {word} -d '{help}'\n"
        ));
    }
    for setting in TABLE {
        let mut line = "complete -c immuaudit".to_owned();
        if let Some(command) = setting.command() {
            line.push_str(&format!(
                " -n '__fish_seen_subcommand_from {}'",
                command.word()
            ));
        }
        if let Some(letter) = setting.short {
            line.push_str(&format!(" -s {letter}"));
        }
        line.push_str(&format!(" -l {}", setting.flag));
        match setting.kind.completion() {
            Completion::NoValue => {}
            Completion::Files => line.push_str(" -r -F"),
            Completion::Words(words) => {
                line.push_str(&format!(" -x -a '{}'", texts(words).join(" ")));
            }
            Completion::Unknown => line.push_str(" -x"),
        }
        script.push_str(&format!("{line} -d '{}'\n", escaped(setting.help)));
    }
    script
}

/// Returns `--flag` and, if the setting has one, `-f`.
fn names(setting: &Setting) -> Vec<String> {
    let short = setting.short.map(|letter| format!("-{letter}"));
    let long = format!("--{}", setting.flag);
    std::iter::once(long).chain(short).collect()
}

fn flags(of: impl Fn(&Setting) -> bool) -> Vec<String> {
    TABLE
        .iter()
        .filter(|setting| of(setting))
        .flat_map(names)
        .collect()
}

fn texts(words: &[Word]) -> Vec<&'static str> {
    words.iter().map(|(text, _)| *text).collect()
}
