//! Models that answer one after the other.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use tidemill_model::Expression;

use super::call::{Answer, Call, Outcome, Step};
use super::graph::{From, Graph, fitted};
use super::rows::{interleaved, named, take_rows};
use super::spec::StepInput;
use crate::inference::request_error::RequestError;

/// Models in a row. Each receives the answers before it as further inputs; the answer of the last is the result.
#[derive(Debug)]
pub(super) struct Sequence {
    pub(super) steps: Vec<SequenceStep>,
}

/// A step of a sequence.
#[derive(Debug, Clone)]
pub(super) struct SequenceStep {
    pub(super) node: usize,
    pub(super) input: StepInput,
    /// A condition on the answer before. Rows that do not meet it keep that answer.
    pub(super) when: Option<Expression>,
}

impl Sequence {
    pub(super) fn start(&self, graph: &Arc<Graph>, call: Call, name: &str) -> Step {
        let (graph, steps, name) = (Arc::clone(graph), self.steps.clone(), name.to_owned());
        Step::later(async move { run(&graph, &steps, &name, call).await })
    }
}

async fn run(graph: &Arc<Graph>, steps: &[SequenceStep], name: &str, call: Call) -> Outcome {
    let mut inputs = call.batch.clone();
    let mut last: Option<RecordBatch> = None;
    let mut trail = Vec::with_capacity(steps.len());
    for step in steps {
        let (rows, started) = (call.batch.num_rows(), Instant::now());
        let chosen = match (&step.when, &last) {
            (Some(condition), Some(before)) => rows_where(condition, before)?,
            _ => (0..rows).collect(),
        };
        if chosen.is_empty() {
            break;
        }
        let batch = match step.input {
            StepInput::Both => &inputs,
            StepInput::Request => &call.batch,
        };
        let batch = if chosen.len() == rows { batch.clone() } else { take_rows(batch, &chosen)? };
        let answer = graph.start(step.node, call.with_batch(batch), From::Model).finish().await;
        let answer = answer.map_err(|error| error.at(&format!("step `{}`: ", graph.nodes[step.node].name)))?;
        trail.push(format!("{} {:.1}ms", answer.trail, started.elapsed().as_secs_f64() * 1e3));
        let answered = match &last {
            Some(before) if chosen.len() < rows => replaced(before, answer.predictions, &chosen, &answer.trail)?,
            _ => answer.predictions,
        };
        inputs = with_outputs(&inputs, &answered)?;
        last = Some(answered);
    }
    let predictions = last.ok_or_else(|| RequestError::internal("a sequence without steps"))?;
    Ok(Answer { predictions, version: None, trail: Arc::from(format!("{name}({})", trail.join(", "))) })
}

/// The rows for which a condition on an answer holds.
fn rows_where(condition: &Expression, answer: &RecordBatch) -> Result<Vec<usize>, RequestError> {
    let wrong = |error: tidemill_model::ExpressionError| RequestError::internal(format!("a condition: {error}"));
    let values = condition.bind(answer.schema_ref()).and_then(|bound| bound.evaluate(answer)).map_err(wrong)?;
    let Some(holds) = values.as_boolean_opt() else { return Ok(Vec::new()) };
    Ok((0..holds.len()).filter(|row| holds.is_valid(*row) && holds.value(*row)).collect())
}

/// An answer with some of its rows from another one.
fn replaced(
    before: &RecordBatch,
    after: RecordBatch,
    rows: &[usize],
    trail: &str,
) -> Result<RecordBatch, RequestError> {
    let after = fitted(after, before.schema_ref(), trail)?;
    let mut order: Vec<(usize, usize)> = (0..before.num_rows()).map(|row| (0, row)).collect();
    for (place, row) in rows.iter().enumerate() {
        order[*row] = (1, place);
    }
    interleaved(&[before, &after], &order)
}

/// Inputs with the columns of an answer, which replace inputs of the same name.
fn with_outputs(inputs: &RecordBatch, outputs: &RecordBatch) -> Result<RecordBatch, RequestError> {
    let (mut names, mut columns): (Vec<String>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
    for (field, column) in inputs.schema_ref().fields().iter().zip(inputs.columns()) {
        if outputs.column_by_name(field.name()).is_none() {
            names.push(field.name().clone());
            columns.push(Arc::clone(column));
        }
    }
    for (field, column) in outputs.schema_ref().fields().iter().zip(outputs.columns()) {
        names.push(field.name().clone());
        columns.push(Arc::clone(column));
    }
    named(&names, columns, inputs.num_rows())
}
