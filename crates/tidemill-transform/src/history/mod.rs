//! What came before a row in the rows of the same entity: columns of lists for features with lags and windows.

mod component;
mod join;
mod params;

pub use component::HistoryGen;
pub use join::{HistoryJoin, HistoryOptions};
