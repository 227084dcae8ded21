//! When a pipeline runs: schedules, triggers, and what is done with ticks that are late or overlap.
//!
//! Everything here is pure. [`Cron`] and [`Every`](Rhythm::Every) compute ticks from a time zone and the tick before,
//! [`late`] decides about ticks that are due, [`overlapping`] about a tick whose pipeline is still running. No function
//! asks for the current time: the caller passes it, so that a test can simulate years.

mod cron;
mod parse;
mod policy;
mod rhythm;
mod schedule;

pub use cron::{Cron, CronError};
pub use parse::{ScheduleParams, parse_schedule};
pub use policy::{CatchUp, DueTick, Fate, LATE_AFTER, Overlap, Placement, late, overlapping};
pub use rhythm::{Rhythm, Ticks};
pub use schedule::{ArtifactTrigger, Schedule, TICK_REFERENCES, Trigger, is_tick_reference};
