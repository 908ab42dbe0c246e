//! What the layers of settings say together, each over the one below it.

use super::draft::{Draft, GivenPath};
use super::effective::Effective;
use super::environment;
use super::file::{self, Files};
use super::flags::Given;
use super::instances::{self, Own};
use super::peers;
use super::persona::{self, Persona};
use super::problem::{Problem, Wrong};
use super::process::Process;
use super::proxy::Environment;
use super::receiver_table;
use super::remark::Remark;
use super::resolve::everybody_reads;
use super::source::Source;
use super::table::TABLE;

/// Immugw's auditor is one, and its file is immugw's.
pub(super) fn instance_as_immugw() -> Problem {
    Problem::FlagsExclude {
        flag: instances::FLAG,
        other: persona::FLAG,
        remedy: "leave --as immugw out",
    }
}

/// What all layers say together.
pub(super) struct Gathered {
    pub draft: Draft,
    pub effective: Effective,
    pub remarks: Vec<Remark>,
}

/// Every layer over the one below it: defaults, files, credentials, environment, flags.
pub(super) fn gather(process: &Process, flags: &[Given]) -> Result<Gathered, Wrong> {
    let persona = process.persona()?;
    let environment = environment::read(process, persona);
    let config = config_file(&environment, flags);
    let files = match process.instance()? {
        Some(_) if persona == Persona::Immugw => return Err(instance_as_immugw().into()),
        Some(instance) => instances::read(process, persona, config, &instance, Own::MustExist),
        None => file::read(process, persona, config),
    };
    gather_with(process, environment, files, flags)
}

/// The same with files of the caller's choice.
pub(super) fn gather_with(
    process: &Process,
    environment: Vec<Given>,
    files: Files,
    flags: &[Given],
) -> Result<Gathered, Wrong> {
    let mut remarks = environment::unknown(process);
    remarks.extend(files.remarks);
    let mut problems = files.problems;
    let (of_files, working): (Vec<Given>, Vec<Given>) = files
        .given
        .into_iter()
        .partition(|given| !is_working_directory(given));
    remarks.extend(working.into_iter().map(|given| Remark::WorkingDirectory {
        source: given.source,
    }));
    let (mut draft, mut effective) = (Draft::default(), Effective::default());
    draft.environment = Environment::of(&process.variables);
    let (defaults, credentials) = (defaults(process), environment::credentials(process));
    let layers = [&defaults, &of_files, &credentials, &environment, flags];
    for given in layers.into_iter().flatten() {
        match effective.take(&mut draft, given) {
            Ok(()) => remarks.extend(remark(given)),
            Err(problem) => problems.push(problem),
        }
    }
    draft.receivers = files.receivers;
    draft.peer_tables = files.peers;
    effective.take_tables(&draft.receivers, &draft.peer_tables);
    problems.extend(peers::repeated(&draft));
    problems.extend(receiver_table::repeated(&draft.receivers));
    if problems.is_empty() {
        Ok(Gathered {
            draft,
            effective,
            remarks,
        })
    } else {
        Err(Wrong(problems))
    }
}

/// Does the file of immuclient or immugw put states where the program is started, as the one that immugw ships?
fn is_working_directory(given: &Given) -> bool {
    let Source::File { path, .. } = &given.source else {
        return false;
    };
    let names = [Persona::Immuclient, Persona::Immugw].map(Persona::file_name);
    given.setting.flag == "dir"
        && names.iter().any(|name| path.ends_with(name))
        && [".", "./"]
            .map(String::from)
            .contains(&given.texts.concat())
}

/// What the table says where nobody else does.
fn defaults(process: &Process) -> Vec<Given> {
    let given = TABLE.iter().filter_map(|setting| {
        let text = match setting.computed {
            Some(default) => default(process)?,
            None => setting.default.to_owned(),
        };
        let (texts, source) = (vec![text], Source::Default);
        (texts != [""]).then_some(Given {
            setting,
            texts,
            source,
        })
    });
    given.collect()
}

/// The file that `--config` names; what is wrong with other settings is told when all are read.
pub(super) fn config_file(environment: &[Given], flags: &[Given]) -> Option<GivenPath> {
    let (mut draft, mut effective) = (Draft::default(), Effective::default());
    for given in environment.iter().chain(flags) {
        let _ = effective.take(&mut draft, given);
    }
    draft.config
}

fn remark(given: &Given) -> Option<Remark> {
    let flag = given.setting.flag;
    if let Some(now) = given.setting.renamed {
        let source = given.source.clone();
        return Some(Remark::Renamed { flag, source, now });
    }
    match (given.setting.origin, &given.source) {
        (origin, source) if origin.is_unused() => Some(Remark::UnusedSetting {
            flag,
            source: source.clone(),
        }),
        (_, Source::Flag(_)) if given.setting.kind.is_secret() => {
            Some(Remark::PasswordOnCommandLine { flag })
        }
        (_, Source::File { path, .. })
            if given.setting.kind.is_secret() && everybody_reads(path) =>
        {
            Some(Remark::LoosePasswordFile { path: path.clone() })
        }
        _ => None,
    }
}
