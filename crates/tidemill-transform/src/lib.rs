//! Fitting a transform graph: what the `Transform` step of a pipeline does.
//!
//! [`TransformConfig`] is what the pipeline file says, [`fit`] scans the train split for the constants that the steps
//! need, and the result is a [`TransformGraph`](tidemill_model::TransformGraph), which knows nothing of fitting.

mod analyze;
mod analyzer;
mod auto;
mod cache;
mod column_counts;
mod component;
mod config;
mod deferred;
mod dry_run;
mod error;
mod feature;
mod feature_gen;
mod feature_table;
mod fit;
mod history;
mod issues;
mod label;
mod label_values;
mod leak;
mod preview;
mod rank;
mod rows;
mod scan;
mod serving;
mod step;
pub mod steps;
mod table;

pub use auto::{ColumnChoice, choose_features, is_called_identifier};
pub use cache::AnalyzerCache;
pub use component::Transform;
pub use config::{Constants, FeatureConfig, FeatureSet, FeatureSets, TransformConfig};
pub use error::TransformError;
pub use feature_gen::FeatureGen;
pub use feature_table::FeatureTable;
pub use fit::{FitOptions, Fitted, fit, fit_cached};
pub use history::{HistoryGen, HistoryJoin, HistoryOptions};
pub use label::LabelSummary;
pub use rank::{RankedFeature, Ranking, rank};
pub use rows::{MemoryRows, Piece, RowReader, SplitSource};
pub use steps::Step;
pub use table::TableRows;
