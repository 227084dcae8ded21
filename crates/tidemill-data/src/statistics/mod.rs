//! Everything worth knowing of a dataset, in one pass and bounded memory.
//!
//! An accumulator per column: exact where that is cheap, a sketch with a stated error where it is not.

mod column;
mod counts;
mod dataset;
mod grid;
mod histogram;
mod moments;
mod numeric;
mod sketch;
mod text;

pub(crate) use dataset::compute_until;
pub use dataset::{DatasetAccumulator, StatisticsError, compute_statistics};
