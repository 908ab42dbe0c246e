//! The program that the service runs: the service must reach it, and only root may replace it.

use std::path::{Path, PathBuf};

use super::facts::Facts;
use super::replaceable::COPY;
use super::step::Step;
use super::unit::can_run;

/// Directories that the unit hides from the service.
pub(super) const HIDDEN: [&str; 5] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

/// Returns the path from which the service runs the program, and the steps for it: a copy if the service cannot reach
/// the program, or if other users can replace it, and a note about the latter.
pub(super) fn program_to_run<'a>(program: &'a Path, facts: &Facts) -> (&'a Path, Vec<Step>) {
    let is_hidden = HIDDEN.iter().any(|folder| program.starts_with(folder)) || !can_run(program);
    let copy = || Step::Copy {
        from: program.to_owned(),
        to: PathBuf::from(COPY),
    };
    let repair = |program: &Path, why: &str| {
        Step::Note(format!(
            "users other than root can replace {}, and run another program as the service, because {why}: \
             give it and the directories above it to root (chown root), and take the right to write from others (chmod go-w)",
            program.display()
        ))
    };
    match (&facts.program, &facts.copy) {
        (_, Some(why)) if is_hidden => {
            (Path::new(COPY), vec![copy(), repair(Path::new(COPY), why)])
        }
        (_, None) if is_hidden => (Path::new(COPY), vec![copy()]),
        (Some(why), None) => {
            let note = Step::Note(format!(
                "the service runs a copy of {}, because users other than root can replace it: {why}",
                program.display()
            ));
            (Path::new(COPY), vec![note, copy()])
        }
        (Some(why), Some(_)) => (program, vec![repair(program, why)]),
        (None, _) => (program, Vec::new()),
    }
}
