//! The models of an endpoint and how each is called: cache, guard, the model itself, fallbacks.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, SchemaRef};

use super::cache::PredictionCache;
use super::call::{Answer, Call, Outcome, Step};
use super::expression::ExpressionModel;
use super::fallback::Fallback;
use super::guard::{Admission, Entry, Guard, is_fault};
use super::model::VersionModel;
use super::parallel::Parallel;
use super::remote::Remote;
use super::rollout::Watch;
use super::rows::{internal, named, with_columns};
use super::sequence::Sequence;
use crate::inference::request_error::RequestError;

/// All models of an endpoint.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) cache: Option<Arc<PredictionCache>>,
    /// The columns of answers: the endpoint's outputs.
    pub(super) outputs: SchemaRef,
}

/// One model of an endpoint.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) guard: Arc<Guard>,
    pub(super) off: bool,
    pub(super) threshold: Option<f64>,
    /// Its outputs under the names of the endpoint: the new name of each of its own. Empty: they keep their names.
    pub(super) renamed: Vec<(String, String)>,
    pub(super) fallback: Vec<Fallback>,
    /// Observes its answers, if it is part of a rollout.
    pub(super) watch: Option<Watch>,
    /// What it is called in trails: `champion/3`.
    pub(super) label: Arc<str>,
    /// The same for answers from the cache.
    pub(super) cached_label: Arc<str>,
    /// The version that answers, if it is one version.
    pub(super) version: Option<u64>,
    /// Changes when another version answers.
    pub(super) generation: u64,
    /// Keeps its keys in the cache apart from those of other models.
    pub(super) seed: u64,
    /// The columns of the endpoint's rows that its answer depends on; `None` stands for all.
    pub(super) keyed_by: Option<Vec<usize>>,
}

/// What a model is.
#[derive(Debug)]
pub(super) enum Kind {
    Version(VersionModel),
    Expression(ExpressionModel),
    Remote(Arc<Remote>),
    Sequence(Sequence),
    Parallel(Parallel),
    /// It cannot answer, for this reason.
    Missing(String),
}

/// Where a model is called from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// A rule of the route, with rows as the endpoint takes them: answers are cached.
    Route,
    /// Another model.
    Model,
}

impl Graph {
    /// Calls a model. Work that can be done at once is done.
    pub(super) fn start(self: &Arc<Self>, at: usize, call: Call, from: From) -> Step {
        let node = &self.nodes[at];
        if node.fallback.is_empty() {
            return self.start_watched(at, call, from);
        }
        match self.start_watched(at, call.clone(), from) {
            Step::Done(Err(error)) if is_fault(&error) => self.fall_back(at, call, error),
            Step::Later(work) => {
                let graph = Arc::clone(self);
                Step::later(async move {
                    match work.await {
                        Err(error) if is_fault(&error) => graph.fall_back(at, call, error).finish().await,
                        outcome => outcome,
                    }
                })
            }
            done @ Step::Done(_) => done,
        }
    }

    /// As [`start`](Self::start), without its fallbacks; a rollout observes the outcome.
    fn start_watched(self: &Arc<Self>, at: usize, call: Call, from: From) -> Step {
        let watch = self.nodes[at].watch.as_ref().filter(|_| from == From::Route);
        let Some(watching) = watch.and_then(|watch| watch.begin(&call)) else {
            return self.start_plain(at, call, from);
        };
        self.start_plain(at, call, from).map(move |outcome| {
            watching.end(&outcome);
            outcome
        })
    }

    /// As [`start`](Self::start), without its fallbacks.
    pub(super) fn start_plain(self: &Arc<Self>, at: usize, call: Call, from: From) -> Step {
        match &self.cache {
            Some(cache) if from == From::Route => self.start_cached(at, call, cache),
            _ => self.start_guarded(at, call),
        }
    }

    /// Calls a model if its limits and its breaker allow it.
    pub(super) fn start_guarded(self: &Arc<Self>, at: usize, call: Call) -> Step {
        let node = &self.nodes[at];
        match node.guard.admit(&node.name) {
            Ok(Admission::Now(entry)) => self.run(at, call, entry),
            Ok(Admission::Wait(waiting)) => {
                let (graph, timeout) = (Arc::clone(self), node.guard.timeout());
                Step::later(async move {
                    let entry = Call::in_time(call.deadline, timeout, waiting.enter()).await?;
                    graph.run(at, call, entry).finish().await
                })
            }
            Err(error) => Step::failed(error),
        }
    }

    fn run(self: &Arc<Self>, at: usize, call: Call, entry: Entry) -> Step {
        let node = &self.nodes[at];
        let (rows, deadline) = (call.batch.num_rows(), call.deadline);
        match self.begin(at, call) {
            Step::Done(outcome) => {
                let outcome = outcome.and_then(|answer| node.finish(answer));
                entry.end(&outcome, rows);
                Step::Done(outcome)
            }
            Step::Later(work) => {
                let (graph, timeout) = (Arc::clone(self), node.guard.timeout());
                Step::later(async move {
                    let outcome = Call::in_time(deadline, timeout, work).await;
                    let outcome = outcome.and_then(|answer| graph.nodes[at].finish(answer));
                    entry.end(&outcome, rows);
                    outcome
                })
            }
        }
    }

    fn begin(self: &Arc<Self>, at: usize, call: Call) -> Step {
        let node = &self.nodes[at];
        if call.deadline <= Instant::now() {
            return Step::failed(crate::inference::compute_pool::late(std::time::Duration::ZERO));
        }
        match &node.kind {
            Kind::Version(model) => model.start(call, &node.label),
            Kind::Expression(expression) => Step::Done(expression.evaluate(&call.batch, &node.label)),
            Kind::Remote(remote) => Remote::start(remote, call, &node.label),
            Kind::Sequence(sequence) => sequence.start(self, call, &node.name),
            Kind::Parallel(parallel) => parallel.start(self, call, &node.name),
            Kind::Missing(reason) => {
                let message = format!("model `{}` is not available: {reason}", node.name);
                Step::failed(RequestError::new(hyper::StatusCode::SERVICE_UNAVAILABLE, message))
            }
        }
    }
}

impl Node {
    /// Gives an answer the names of the endpoint, and applies the threshold.
    fn finish(&self, answer: Answer) -> Outcome {
        let answer = if self.renamed.is_empty() { answer } else { self.rename(answer)? };
        match self.threshold {
            Some(threshold) => with_threshold(answer, threshold),
            None => Ok(answer),
        }
    }

    fn rename(&self, answer: Answer) -> Outcome {
        let predictions = &answer.predictions;
        let names = predictions.schema_ref().fields().iter().map(|field| {
            let renamed = self.renamed.iter().find(|(own, _)| own == field.name());
            renamed.map_or_else(|| field.name().clone(), |(_, name)| name.clone())
        });
        let names: Vec<String> = names.collect();
        let predictions = named(&names, predictions.columns().to_vec(), predictions.num_rows())?;
        Ok(Answer { predictions, ..answer })
    }
}

/// The first output as 1 or 0.
fn with_threshold(answer: Answer, threshold: f64) -> Outcome {
    let predictions = &answer.predictions;
    let Some(first) = predictions.columns().first() else { return Ok(answer) };
    let numbers = cast(first, &DataType::Float64).map_err(internal)?;
    let decided = numbers.as_primitive::<Float64Type>().iter().map(|value| {
        let value = value.unwrap_or(f64::NAN);
        if value.is_nan() { value } else { f64::from(u8::from(value >= threshold)) }
    });
    let decided: Float64Array = decided.collect();
    let decided = cast(&decided, first.data_type()).map_err(internal)?;
    let mut columns = predictions.columns().to_vec();
    columns[0] = decided;
    let predictions = with_columns(predictions.schema(), columns, predictions.num_rows())?;
    Ok(Answer { predictions, ..answer })
}

/// The outputs of an answer as these columns. An only output may have another name.
pub(super) fn fitted(predictions: RecordBatch, outputs: &SchemaRef, trail: &str) -> Result<RecordBatch, RequestError> {
    if Arc::ptr_eq(predictions.schema_ref(), outputs) {
        return Ok(predictions);
    }
    let (fields, wanted) = (predictions.schema_ref().fields(), outputs.fields());
    let same_names = fields.iter().zip(wanted).all(|(field, wanted)| field.name() == wanted.name());
    let columns: Vec<ArrayRef> = if fields.len() == wanted.len() && (same_names || wanted.len() == 1) {
        predictions.columns().to_vec()
    } else {
        let column = |wanted: &Arc<Field>| {
            let name = wanted.name();
            let missing = || RequestError::internal(format!("`{trail}` answered without the output `{name}`"));
            predictions.column_by_name(name).cloned().ok_or_else(missing)
        };
        wanted.iter().map(column).collect::<Result<_, _>>()?
    };
    with_columns(Arc::clone(outputs), columns, predictions.num_rows())
        .map_err(|error| error.at(&format!("`{trail}` answered with outputs of other types: ")))
}

/// The first output as numbers, missing ones as NaN; `None` if they are no numbers.
pub(super) fn first_numbers(predictions: &RecordBatch) -> Option<Vec<f64>> {
    let first = predictions.columns().first()?;
    if !first.data_type().is_numeric() && *first.data_type() != DataType::Boolean {
        return None;
    }
    let numbers = cast(first, &DataType::Float64).ok()?;
    let numbers = numbers.as_primitive_opt::<Float64Type>()?;
    Some((0..numbers.len()).map(|row| if numbers.is_null(row) { f64::NAN } else { numbers.value(row) }).collect())
}
