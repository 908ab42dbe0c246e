//! The service of systemd: its unit, and the steps that install and remove it.

mod account;
mod directory;
mod facts;
mod instance;
mod instance_plan;
mod mark;
mod plan;
mod program;
mod replaceable;
mod step;
mod unit;
mod usual;

pub use directory::Place;
pub use facts::{Facts, NoSystemd, is_systemd};
pub use instance::{InstanceFacts, unit_of};
pub use plan::{Plan, Purge, Service};
pub use step::{Fault, Step, control};
pub use unit::UNIT;
pub use usual::make_usual_directory;
