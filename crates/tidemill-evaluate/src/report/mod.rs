//! One HTML file that shows an evaluation: works offline, has aggregates only, bounded in size.
//!
//! It uses the style of the statistics report in `tidemill-data`: the same tokens, the same tables.

mod data;
mod gaps;
mod html;
mod page;
mod probes;
mod tables;

pub use page::render_evaluation_report;
