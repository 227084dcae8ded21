//! A loaded model version as part of an endpoint.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::datatypes::SchemaRef;

use super::call::{Answer, Call, Outcome, Step};
use super::rows::with_columns;
use crate::inference::request::InferenceRequest;
use crate::inference::request_error::RequestError;
use crate::inference::response::InferenceResponse;
use crate::inference::target::{Inference, Target, Thread};

/// A loaded version, and how it gets its columns from the rows of the endpoint.
#[derive(Debug)]
pub(super) struct VersionModel {
    pub(super) target: Arc<dyn Target>,
    pub(super) inputs: Projection,
}

/// The columns of a model out of those of another batch.
#[derive(Debug, Clone)]
pub(super) struct Projection {
    /// The columns of the endpoint.
    endpoint: SchemaRef,
    /// The columns of the model.
    model: SchemaRef,
    /// For each column of the model: its name in the endpoint, its position there, and whether it may be missing.
    columns: Vec<(String, Option<usize>, bool)>,
    is_identity: bool,
    /// Whether required columns must be looked at: they may be missing in the endpoint's rows.
    checks: bool,
}

impl Projection {
    /// `names`: for each column of the model its name in the endpoint, and whether it is optional.
    pub(super) fn new(endpoint: &SchemaRef, model: &SchemaRef, names: Vec<(String, bool)>, checks: bool) -> Self {
        let columns: Vec<(String, Option<usize>, bool)> = names
            .into_iter()
            .map(|(name, optional)| {
                let at = endpoint.index_of(&name).ok();
                (name, at, optional)
            })
            .collect();
        let in_order = columns.iter().enumerate().all(|(place, (_, at, _))| *at == Some(place));
        let is_identity = in_order && columns.len() == endpoint.fields().len() && model == endpoint;
        Self { endpoint: Arc::clone(endpoint), model: Arc::clone(model), columns, is_identity, checks }
    }

    /// The positions of its columns in the endpoint's rows.
    pub(super) fn positions(&self) -> Vec<usize> {
        self.columns.iter().filter_map(|(_, at, _)| *at).collect()
    }

    /// The rows as the model takes them.
    pub(super) fn project(&self, batch: &RecordBatch) -> Result<RecordBatch, RequestError> {
        let is_endpoints = Arc::ptr_eq(batch.schema_ref(), &self.endpoint);
        if is_endpoints && self.is_identity && !self.checks {
            return Ok(batch.clone());
        }
        let rows = batch.num_rows();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for ((name, at, optional), field) in self.columns.iter().zip(self.model.fields()) {
            let column = if is_endpoints { at.map(|at| batch.column(at)) } else { batch.column_by_name(name) };
            let lacks = |row| RequestError::invalid(format!("row {row}: the feature `{name}` is missing"));
            match column {
                Some(column) if !optional && column.null_count() > 0 => {
                    let row = (0..rows).find(|row| column.is_null(*row)).unwrap_or_default();
                    return Err(lacks(row));
                }
                Some(column) if column.data_type() != field.data_type() => {
                    let (found, expected) = (column.data_type(), field.data_type());
                    let message = format!("the input `{name}` is {found} where the model takes {expected}");
                    return Err(RequestError::internal(message));
                }
                Some(column) => columns.push(Arc::clone(column)),
                None if *optional => columns.push(new_null_array(field.data_type(), rows)),
                None => return Err(lacks(0)),
            }
        }
        with_columns(Arc::clone(&self.model), columns, rows)
    }
}

impl VersionModel {
    pub(super) fn start(&self, call: Call, label: &Arc<str>) -> Step {
        let timeout = call.time_left();
        let batch = match self.inputs.project(&call.batch) {
            Ok(batch) => batch,
            Err(error) => return Step::failed(error),
        };
        let request = InferenceRequest { batch, operation: call.operation, timeout, attributes: None };
        let label = Arc::clone(label);
        match self.target.infer(request, Thread::Io) {
            Inference::Done(response) => Step::Done(answer(response, label)),
            Inference::Pending(answered) => Step::later(async move { answer(received(answered).await, label) }),
            Inference::NeedsComputeThread(request) => {
                let target = Arc::clone(&self.target);
                Step::later(async move { answer(on_compute_thread(target, request).await, label) })
            }
        }
    }
}

fn answer(response: Result<InferenceResponse, RequestError>, trail: Arc<str>) -> Outcome {
    response.map(|response| Answer { predictions: response.predictions, version: response.version, trail })
}

type Receiver = tokio::sync::oneshot::Receiver<Result<InferenceResponse, RequestError>>;

async fn received(answered: Receiver) -> Result<InferenceResponse, RequestError> {
    answered.await.unwrap_or_else(|_| Err(RequestError::internal("a model dropped a request without an answer")))
}

async fn on_compute_thread(
    target: Arc<dyn Target>,
    request: InferenceRequest,
) -> Result<InferenceResponse, RequestError> {
    enum Reply {
        Now(InferenceResponse),
        Later(Receiver),
    }
    let work = {
        let target = Arc::clone(&target);
        move |cancelled: &_| match target.infer(request, Thread::Compute(cancelled)) {
            Inference::Done(response) => response.map(Reply::Now),
            Inference::Pending(answered) => Ok(Reply::Later(answered)),
            Inference::NeedsComputeThread(_) => {
                Err(RequestError::internal("a target asked for a compute thread on a compute thread"))
            }
        }
    };
    match target.compute_pool().run(work).await? {
        Reply::Now(response) => Ok(response),
        Reply::Later(answered) => received(answered).await,
    }
}
