//! Tests with random command lines: some are created from their meaning, some from fragments.

use super::super::command;
use super::super::compat_mode::CompatMode;
use super::super::flags::{read, separate};
use super::super::process::Process;
use super::super::setting::Setting;
use super::super::table::{self, TABLE};

/// Values that are easily mistaken for something else.
const VALUES: [&str; 14] = [
    "", "-", "--", "--json", "-a", "-m", "=", "=x", "a=b", "'a b'", "\"q", "true", "--dir=x", "é\n",
];
const WORDS: [&str; 8] = ["shop", "status", "alarm", "drill", "", "-", "a=b", "é"];
const FRAGMENTS: [&str; 18] = [
    "-",
    "--",
    "=",
    "a",
    "m",
    "p",
    "h",
    "pin",
    "json",
    "é",
    "\0",
    "true",
    "'",
    "as",
    "immugw",
    "audit-password",
    "database",
    " ",
];

/// A linear congruential generator (Knuth, MMIX).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn one_of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len())]
    }
}

/// A command line, and its meaning.
#[derive(Default)]
struct Meant {
    compat_mode: CompatMode,
    arguments: Vec<String>,
    words: Vec<String>,
    /// The given settings, in the order in which each was given last.
    given: Vec<(&'static Setting, Vec<String>)>,
    secrets: Vec<String>,
    /// The begin of each problem.
    problems: Vec<String>,
}

impl Meant {
    fn random(random: &mut Random) -> Meant {
        let mut line = Meant {
            compat_mode: [CompatMode::Immuclient, CompatMode::Immugw][random.below(2)],
            ..Meant::default()
        };
        for _ in 0..random.below(12) {
            match random.below(10) {
                0 | 1 => line.word(random.one_of(&WORDS)),
                2 => line.unknown(["--no-such", "-~", "-mh", "--"][random.below(4)]),
                _ => line.flag(random),
            }
        }
        match random.below(4) {
            0 => {
                line.arguments.push("--".to_owned());
                for _ in 0..random.below(3) {
                    line.word(random.one_of(&VALUES));
                }
            }
            1 => {
                let flag = ["--dir", "--password"][random.below(2)];
                line.arguments.push(flag.to_owned());
                line.problems.push(format!("{flag} has no value"));
            }
            _ => {}
        }
        line
    }

    fn word(&mut self, word: &str) {
        self.arguments.push(word.to_owned());
        self.words.push(word.to_owned());
    }

    /// Adds a flag that names no setting, or that is a switch with letters after it.
    fn unknown(&mut self, flag: &str) {
        self.arguments.push(format!("{flag}=hunter2"));
        self.problems.push(format!("unknown option \"{flag}\""));
    }

    fn flag(&mut self, random: &mut Random) {
        let command = self.words.iter().find_map(|word| command::find(word));
        let command = command.map(|command| command.name);
        let flag = TABLE[random.below(TABLE.len())].flag;
        let Some(setting) = table::find_for(flag, command, self.compat_mode) else {
            return self.unknown(&format!("--{flag}"));
        };
        let letter = setting.short_flag(self.compat_mode);
        let switch = setting.kind.is_switch();
        let value = random.one_of(&VALUES);
        let long = format!("--{flag}");
        let short = letter.map_or(long.clone(), |letter| format!("-{letter}"));
        let arguments = match random.below(6) {
            0 | 1 if switch => return self.give(setting, "true", vec![long]),
            2 if switch => return self.give(setting, "false", vec![short, "false".to_owned()]),
            3 | 4 if !switch => vec![short, value.to_owned()],
            // directly after a letter, a leading "=" would not belong to the value
            5 if letter.is_some() && !switch && !value.is_empty() && !value.starts_with('=') => {
                vec![format!("{short}{value}")]
            }
            other => vec![format!("{}={value}", [long, short][other % 2])],
        };
        self.give(setting, value, arguments);
    }

    fn give(&mut self, setting: &'static Setting, value: &str, arguments: Vec<String>) {
        self.arguments.extend(arguments);
        let before = self
            .given
            .iter()
            .position(|(of, _)| of.flag == setting.flag);
        let mut texts = before.map_or(Vec::new(), |index| self.given.remove(index).1);
        if ![
            "pin",
            "audit-notification-url",
            "audit-peer",
            "key",
            "peer-key",
        ]
        .contains(&setting.flag)
        {
            texts.clear();
        }
        texts.push(value.to_owned());
        self.given.push((setting, texts));
        // no value is a URL, so all of it may be a token
        let is_token = setting.kind.is_url() && !value.is_empty();
        if setting.kind.is_secret() || is_token {
            self.secrets.push(value.to_owned());
        }
    }
}

#[test]
fn a_random_command_line_means_what_it_was_made_from() {
    for seed in 0..5_000 {
        let meant = Meant::random(&mut Random(seed));
        let about = format!("{:?} {:?}", meant.compat_mode, meant.arguments);
        let line = read(&meant.arguments, meant.compat_mode);
        assert_eq!(line.words, meant.words, "{about}");
        let problems: Vec<String> = line.problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), meant.problems.len(), "{about} {problems:?}");
        for (problem, start) in problems.iter().zip(&meant.problems) {
            assert!(problem.starts_with(start), "{about} {problem}");
            assert!(!problem.contains("hunter2"), "{about} {problem}");
        }
        if problems.is_empty() {
            let given = |setting: &Setting, texts: &[String]| {
                format!("{} {:?} {texts:?}", setting.long, setting.command())
            };
            let found: Vec<String> = line
                .given
                .iter()
                .map(|g| given(g.setting, &g.texts))
                .collect();
            let due: Vec<String> = meant
                .given
                .iter()
                .map(|(s, texts)| given(s, texts))
                .collect();
            assert_eq!(found, due, "{about}");
        }
        let places = separate(&meant.arguments, meant.compat_mode).secrets;
        let secrets: Vec<&str> = places
            .iter()
            .map(|(argument, offset)| &meant.arguments[*argument][*offset..])
            .collect();
        assert_eq!(secrets, meant.secrets, "{about}");
    }
}

#[test]
fn a_command_line_of_fragments_is_read_without_a_panic() {
    for seed in 0..5_000 {
        let random = &mut Random(seed);
        let arguments: Vec<String> = (0..random.below(20))
            .map(|_| {
                let fragments = 0..random.below(5);
                fragments.map(|_| random.one_of(&FRAGMENTS)).collect()
            })
            .collect();
        for compat_mode in [CompatMode::Immuclient, CompatMode::Immugw] {
            let line = read(&arguments, compat_mode);
            // each argument is a word, a flag, a value or "--"
            let flags = line.given.iter().map(|given| given.texts.len());
            let most = line.words.len() + line.problems.len() + flags.sum::<usize>();
            assert!(most <= arguments.len(), "{arguments:?}");
            for (argument, offset) in separate(&arguments, compat_mode).secrets {
                assert!(arguments[argument].get(offset..).is_some(), "{arguments:?}");
            }
        }
        let process = Process {
            arguments,
            ..Process::default()
        };
        let _ = process.compat_mode();
    }
}
