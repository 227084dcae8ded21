//! What is served, watched.
//!
//! [`InferenceLog`] makes the log of the model server a dataset; [`MonitorFile`] says what is watched; [`Engine`] counts
//! windows and compares them with a [`Profile`]. Everything here reads files and state, never a server or a pipeline:
//! what runs a pipeline or moves an alias is given from outside.

pub mod alert;
pub mod config;
mod error;
mod examples;
mod export;
mod gauges;
mod labels;
mod log;
mod monitor;
mod performance;
mod reference;
mod report;
mod watch;

pub use config::{MONITOR_FILE, MonitorFile};
pub use error::MonitorError;
pub use examples::{ExampleRows, example_rows};
pub use export::{Provenance, export};
pub use gauges::{GAUGE_COLUMNS, gauges};
pub use labels::{
    Agreement, FEEDBACK_FOLDER, Joined, JoinedWindow, Label, LabelBook, LabelCounts, ReviewItem, agreement,
    append_feedback, erase_feedback, join, parse_feedback, review_queue,
};
pub use log::{
    Compacted, Erased, InferenceLog, LogFile, LogStatus, Micros, Pruned, SOURCE_COLUMN, Subject, TIME_COLUMN,
    hour_name, parse_time, rfc3339,
};
pub use monitor::{Monitor, Round};
pub use performance::{
    Calibration, ClassSums, Estimator, LossModel, Measure, Measures, Task, expected_auc, expected_measures, realised,
};
pub use reference::{LEARN_ROWS, LabelsOf, learn, of_period, of_rows};
pub use report::render_monitor_report;
pub use watch::{
    Cells, Closed, ColumnCounts, ColumnProfile, ColumnResult, Comparison, DISTANCE_MIN, DriftRules, Engine, Finding,
    Kind, LOG_COLUMNS, OwnWindows, Performance, Profile, ProfileBuilder, Profiles, Reader, Seen, Severity, StateFolder,
    WindowCounts, WindowReport, benjamini_hochberg, by_kind, chi_squared_tail, compare, homogeneity, window_start,
};
