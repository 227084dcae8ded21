//! A model version in memory.

use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use tidemill_model::{Explanation, LoadedModel};

use super::counters::VersionCounters;
use super::speed::InlineLimit;
use crate::inference::carrier;
use crate::inference::compute_pool::{ComputePool, PoolOptions};
use crate::inference::request::InferenceRequest;
use crate::inference::request_error::RequestError;
use crate::inference::response::InferenceResponse;
use crate::inference::signature::TargetSignature;
use crate::inference::target::{Inference, Target, Thread, not_explained};
use crate::observability::metrics::ModelMetrics;
use crate::protocol::operation::Operation;

/// Rows that are predicted between two checks for cancellation.
const PIECE_ROWS: usize = 16 << 10;

/// A target that is one version of a model: the version itself, or a batcher around it.
pub(crate) trait VersionTarget: Target {
    fn version(&self) -> &ServedVersion;
}

/// A loaded and checked model version.
#[derive(Debug)]
pub(crate) struct ServedVersion {
    pub(super) signature: TargetSignature,
    pub(super) number: u64,
    pub(super) model: LoadedModel,
    /// The most rows that may be predicted on an I/O thread.
    pub(super) inline: InlineLimit,
    pool: ComputePool,
    metrics: ModelMetrics,
    pub(super) counters: VersionCounters,
    /// The version's id in ML Metadata.
    pub(super) mlmd: Option<String>,
}

impl ServedVersion {
    /// A version that answers on compute threads only, until it is known to be fast.
    pub(super) fn new(
        signature: TargetSignature,
        number: u64,
        model: LoadedModel,
        metrics: ModelMetrics,
        pool: PoolOptions,
    ) -> Self {
        let (inline, counters) = (InlineLimit::never(), VersionCounters::default());
        let pool = ComputePool::new(pool);
        Self { signature, number, model, inline, pool, metrics, counters, mlmd: None }
    }

    /// The model itself, for checks.
    pub(crate) fn model(&self) -> &LoadedModel {
        &self.model
    }

    /// The most rows that it predicts on an I/O thread.
    #[cfg(test)]
    pub(crate) fn inline_rows(&self) -> usize {
        self.inline.rows()
    }

    /// Predicts without counting.
    pub(crate) fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch, RequestError> {
        match self.model.tensors() {
            Some(tensors) if carrier::is_carrier(batch) => carrier::answer(&**tensors, batch),
            _ => Ok(self.model.predict_tensors(batch)?),
        }
    }

    /// Records a request of `rows` rows, with its time including the wait for its batch.
    pub(crate) fn ran(&self, operation: Operation, rows: usize, took: Duration) {
        self.counters.ran(rows);
        self.metrics.ran(operation, rows, took);
    }

    /// The response with these predictions.
    pub(crate) fn response(&self, predictions: RecordBatch) -> InferenceResponse {
        InferenceResponse { predictions, version: Some(self.number) }
    }

    fn predict_on(&self, batch: &RecordBatch, thread: Thread<'_>) -> Result<RecordBatch, RequestError> {
        let Thread::Compute(cancelled) = thread else { return self.predict(batch) };
        // In a model of another program, the prediction of a row may depend on the other rows.
        if batch.num_rows() <= PIECE_ROWS || !matches!(self.model, LoadedModel::Package(_)) {
            return self.predict(batch);
        }
        let mut pieces = Vec::with_capacity(batch.num_rows().div_ceil(PIECE_ROWS));
        for from in (0..batch.num_rows()).step_by(PIECE_ROWS) {
            cancelled.check()?;
            pieces.push(self.predict(&batch.slice(from, PIECE_ROWS.min(batch.num_rows() - from)))?);
        }
        let schema = pieces.first().map(RecordBatch::schema);
        let schema = schema.ok_or_else(|| RequestError::internal("a batch without rows was cut into pieces"))?;
        concat_batches(&schema, &pieces).map_err(|error| RequestError::internal(error.to_string()))
    }
}

/// The rows of a batch, or those of the tensors that it holds.
fn rows_of(batch: &RecordBatch) -> usize {
    if carrier::is_carrier(batch) { carrier::rows(batch) } else { batch.num_rows() }
}

impl Target for ServedVersion {
    fn signature(&self) -> &TargetSignature {
        &self.signature
    }

    fn compute_pool(&self) -> &ComputePool {
        &self.pool
    }

    fn infer(&self, request: InferenceRequest, thread: Thread<'_>) -> Inference {
        let rows = rows_of(&request.batch);
        let on_io = matches!(thread, Thread::Io);
        if on_io && rows > self.inline.rows() {
            return Inference::NeedsComputeThread(request);
        }
        let started = Instant::now();
        let predicted = self.predict_on(&request.batch, thread);
        let took = started.elapsed();
        if on_io && self.inline.took(took) {
            let (model, version) = (&self.signature.name, self.number);
            tracing::warn!(model, version, ?took, "slower than measured at load: it moves to compute threads");
        }
        if predicted.is_ok() {
            self.ran(request.operation, rows, took);
        }
        Inference::Done(predicted.map(|predictions| self.response(predictions)))
    }

    fn explain(&self, batch: &RecordBatch, trees: usize) -> Result<Explanation, RequestError> {
        self.model.explain(batch, trees)?.ok_or_else(|| not_explained(&self.signature.name))
    }
}

impl VersionTarget for ServedVersion {
    fn version(&self) -> &ServedVersion {
        self
    }
}
