//! Fitting a transform graph: what the `Transform` step of a pipeline does.
//!
//! [`TransformConfig`] is what the pipeline file says, [`fit`] scans the train split for the constants that the steps
//! need, and the result is a [`TransformGraph`](tidemill_model::TransformGraph), which knows nothing of fitting.

mod analyze;
mod cache;
mod component;
mod config;
mod error;
mod feature;
mod feature_gen;
mod feature_table;
mod fit;
mod held;
mod history;
mod label;
mod leak;
mod need;
mod preview;
mod rank;
mod rows;
mod scan;
mod serving;
mod settle;
mod table;

pub use cache::AnalyzerCache;
pub use component::Transform;
pub use config::{Choice, Constants, FeatureConfig, FeatureSet, FeatureSets, ImputeWith, Order, Step, TransformConfig};
pub use error::TransformError;
pub use feature_gen::FeatureGen;
pub use feature_table::FeatureTable;
pub use fit::{FitOptions, Fitted, fit, fit_cached};
pub use history::{HistoryGen, HistoryJoin, HistoryOptions};
pub use label::LabelSummary;
pub use rank::{RankedFeature, Ranking, rank};
pub use rows::{MemoryRows, Piece, RowReader, RowSource};
pub use table::TableRows;
