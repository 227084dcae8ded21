//! Everything worth knowing of a dataset, in one pass and bounded memory.
//!
//! An accumulator per column: exact where that is cheap, a sketch with a stated error where it is not.

mod bytes;
mod column;
mod compute;
mod counts;
mod cross;
mod dataset;
mod distinct;
mod error;
mod grid;
mod histogram;
mod image;
mod language;
mod moment;
mod moments;
mod numeric;
mod options;
mod row_sample;
mod sketch;
mod slices;
mod state;
mod text;
mod text_counts;
mod time;
mod valency;
mod value_sample;
mod weight;
mod weighted;

pub(crate) use cross::number;

pub use compute::{Computation, Open, compute_statistics};
pub use dataset::DatasetAccumulator;
pub use error::StatisticsError;
pub use options::{StatisticsOptions, is_sample_rate};
pub use sketch::QuantileSketch;
pub use state::{Input as StateInput, StateError, Stored};
