//! Monitors of a project: their file, the references of the versions that are watched, what alerts do.

mod act;
mod file;
mod references;
mod work;

pub use act::{Acted, act, export_joined};
pub use file::{OpenMonitor, monitor_state_dir, read_monitor_file};
pub use references::References;
pub use work::{Tick, tick, watch_monitor};
