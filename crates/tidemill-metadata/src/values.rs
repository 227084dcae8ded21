//! Values of runs: metrics, settings, labels.

use async_trait::async_trait;

use crate::search::{FoundRun, OrderBy, RunSearch, RunValue};
use crate::{RunId, StoreError};

/// The record of the values of runs.
#[async_trait]
pub trait RunValues: Send + Sync {
    /// Adds values to a run, in any state. A metric keeps its history, and its newest value is that of the highest step,
    /// and of the last call for the same step. A label is replaced.
    ///
    /// [`StoreError::ParamIsSet`] if a setting has another value already: settings never change.
    async fn log_values(&self, run: &RunId, values: Vec<RunValue>) -> Result<(), StoreError>;

    /// The newest value of each key of a run, by kind and key.
    async fn run_values(&self, run: &RunId) -> Result<Vec<RunValue>, StoreError>;

    /// Every value of a metric of a run, by step and time.
    async fn metric_history(&self, run: &RunId, key: &str) -> Result<Vec<RunValue>, StoreError>;

    /// Runs that a filter admits, with their values, in the given orders and then newest first.
    async fn search_runs(
        &self,
        search: &RunSearch,
        orders: &[OrderBy],
        limit: usize,
    ) -> Result<Vec<FoundRun>, StoreError>;
}
