//! One HTML file that shows statistics: works offline, holds aggregates only, grows with the features and not with the rows.

mod alerts;
mod attention;
mod data;
mod moved;
mod page;
mod pairs;
mod slices;
mod stats;

pub use attention::attention_score;
pub use page::{render_drift_report, render_report};
