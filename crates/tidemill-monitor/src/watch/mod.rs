//! Windows of the inference log, counted and compared with a reference.
//!
//! [`Profile`] is the reference of a version; [`WindowCounts`] are what is kept of a window, and no rows.
//! [`Engine`] reads a log, closes windows and finds what is unusual about them.

mod cells;
mod compare;
mod counts;
mod engine;
mod finding;
mod profile;
mod report;
mod significance;
mod store;

pub use cells::Cells;
pub(crate) use compare::most_grown;
pub use compare::{ColumnResult, DISTANCE_MIN, DriftRules, compare};
pub use counts::{ColumnCounts, Reader, WindowCounts};
pub use engine::{Closed, Engine, Profiles, Seen};
pub use finding::{Finding, Kind, Severity, by_kind};
pub(crate) use finding::{of_concept, of_performance};
pub use profile::{ColumnProfile, OwnWindows, Profile, ProfileBuilder};
pub use report::{Comparison, Performance, WindowReport};
pub use significance::{benjamini_hochberg, chi_squared_tail, homogeneity};
pub use store::StateFolder;
pub(crate) use store::{read_sealed, write_sealed};

/// The columns of a log that are neither inputs nor outputs of the model.
pub const LOG_COLUMNS: [&str; 7] =
    ["_time", "_model", "_version", "_request_id", "_row", "_latency_us", crate::log::SOURCE_COLUMN];

/// The start of the window that a time is in. Weeks begin on Mondays.
pub fn window_start(time: crate::Micros, length: crate::Micros) -> crate::Micros {
    // 1970-01-05 was a Monday.
    const MONDAY: crate::Micros = 4 * 86_400_000_000;
    let shift = if length % (7 * 86_400_000_000) == 0 { MONDAY } else { 0 };
    (time - shift).div_euclid(length) * length + shift
}
