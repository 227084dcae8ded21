//! Models that answer at the same time, and one answer out of theirs.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use tokio::task::JoinSet;

use super::call::{Answer, Call, Outcome, Step};
use super::graph::{From, Graph, first_numbers, fitted};
use super::rows::{interleaved, internal, named, push_cell};
use super::spec::{Combination, PartialPolicy};
use crate::inference::request_error::RequestError;

/// Models that answer at the same time.
#[derive(Debug, Clone)]
pub(super) struct Parallel {
    pub(super) members: Vec<Member>,
    pub(super) combine: Combination,
    pub(super) partial: PartialPolicy,
    pub(super) answers_min: usize,
}

/// A model of a combination.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) node: usize,
    pub(super) name: String,
    pub(super) weight: f64,
    /// For a map: the names of its outputs, and what they are in the result.
    pub(super) outputs: Vec<(String, String)>,
}

impl Parallel {
    pub(super) fn start(&self, graph: &Arc<Graph>, call: Call, name: &str) -> Step {
        let steps: Vec<Step> =
            self.members.iter().map(|member| graph.start(member.node, call.clone(), From::Model)).collect();
        let (combination, name, rows) = (self.clone(), name.to_owned(), call.batch.num_rows());
        if steps.iter().all(|step| matches!(step, Step::Done(_))) {
            let outcomes = steps.into_iter().filter_map(|step| match step {
                Step::Done(outcome) => Some(outcome),
                Step::Later(_) => None,
            });
            let outcomes: Vec<Outcome> = outcomes.collect();
            return Step::Done(match self.combine {
                Combination::First => first_of(outcomes, &name),
                _ => combination.combined(outcomes, &name, rows),
            });
        }
        Step::later(async move {
            let mut running = JoinSet::new();
            for (at, step) in steps.into_iter().enumerate() {
                running.spawn(async move { (at, step.finish().await) });
            }
            let mut outcomes: Vec<Option<Outcome>> = combination.members.iter().map(|_| None).collect();
            let mut errors = Vec::new();
            while let Some(joined) = running.join_next().await {
                let (at, outcome) = joined.map_err(|_| RequestError::internal("answering the request panicked"))?;
                if combination.combine == Combination::First {
                    match outcome {
                        // Dropping the set cancels the others.
                        Ok(answer) => return first_of(vec![Ok(answer)], &name),
                        Err(error) => errors.push(Err(error)),
                    }
                } else {
                    outcomes[at] = Some(outcome);
                }
            }
            if combination.combine == Combination::First {
                return first_of(errors, &name);
            }
            combination.combined(outcomes.into_iter().flatten().collect(), &name, rows)
        })
    }

    /// One answer out of the answers of all members.
    fn combined(&self, outcomes: Vec<Outcome>, name: &str, rows: usize) -> Outcome {
        let (mut answers, mut error, mut trail) = (Vec::new(), None, Vec::new());
        for (member, outcome) in self.members.iter().zip(outcomes) {
            match outcome {
                Ok(answer) => {
                    trail.push(answer.trail.to_string());
                    answers.push((member, answer.predictions));
                }
                Err(other) => {
                    trail.push(format!("{} failed", member.name));
                    error = error.or_else(|| Some(other.at(&format!("model `{}`: ", member.name))));
                }
            }
        }
        if let Some(error) = error
            && (self.partial == PartialPolicy::Fail || answers.len() < self.answers_min)
        {
            return Err(error);
        }
        let predictions = match self.combine {
            Combination::Map => self.map(&answers, rows),
            Combination::Mean | Combination::Weighted => mean(&answers, rows),
            Combination::Vote => vote(&answers, rows),
            Combination::Argmax => argmax(&answers, rows),
            Combination::First => Err(RequestError::internal("the first answer is not combined with others")),
        };
        let trail = Arc::from(format!("{name}({})", trail.join(", ")));
        Ok(Answer { predictions: predictions?, version: None, trail })
    }

    /// Every output under the name of its model; those of models that failed are NaN.
    fn map(&self, answers: &[(&Member, RecordBatch)], rows: usize) -> Result<RecordBatch, RequestError> {
        let (mut names, mut columns): (Vec<String>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
        for member in &self.members {
            let answer = answers.iter().find(|(other, _)| other.node == member.node);
            for (own, name) in &member.outputs {
                names.push(name.clone());
                columns.push(match answer {
                    Some((_, predictions)) => Arc::clone(output(member, predictions, own, member.outputs.len())?),
                    None => Arc::new(Float64Array::from(vec![f64::NAN; rows])),
                });
            }
        }
        named(&names, columns, rows)
    }
}

/// The first answer; the first error if there is none.
fn first_of(outcomes: Vec<Outcome>, name: &str) -> Outcome {
    let mut error = None;
    for outcome in outcomes {
        match outcome {
            Ok(answer) => {
                let trail = Arc::from(format!("{name}({})", answer.trail));
                return Ok(Answer { trail, ..answer });
            }
            Err(other) => error = error.or(Some(other)),
        }
    }
    Err(error.unwrap_or_else(|| RequestError::internal("a combination without models")))
}

/// The mean of each output, by the weights of the models that answered.
fn mean(answers: &[(&Member, RecordBatch)], rows: usize) -> Result<RecordBatch, RequestError> {
    let (_, first) = answers.first().ok_or_else(|| internal("no answers"))?;
    let total: f64 = answers.iter().map(|(member, _)| member.weight).sum();
    let names: Vec<String> = first.schema_ref().fields().iter().map(|field| field.name().clone()).collect();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(names.len());
    for name in &names {
        let mut sums: Option<(Vec<f64>, Option<i32>)> = None;
        for (member, predictions) in answers {
            let (values, width) = numbers(output(member, predictions, name, names.len())?)?;
            let weight = member.weight / total;
            let (sums, known) = sums.get_or_insert_with(|| (vec![0.0; values.len()], width));
            if sums.len() != values.len() || *known != width {
                return Err(internal(format!("models answered with outputs `{name}` of different sizes")));
            }
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
        }
        let (sums, width) = sums.unwrap_or_default();
        columns.push(column_of(sums, width)?);
    }
    named(&names, columns, rows)
}

/// The output of a model; an only output may have another name.
fn output<'a>(
    member: &Member,
    predictions: &'a RecordBatch,
    name: &str,
    count: usize,
) -> Result<&'a ArrayRef, RequestError> {
    let alone = predictions.columns().first().filter(|_| count == 1 && predictions.num_columns() == 1);
    let lacks = || internal(format!("model `{}` has no output `{name}`", member.name));
    predictions.column_by_name(name).or(alone).ok_or_else(lacks)
}

/// The values of a column of numbers, or of lists of equally many numbers: all of them, and how many a row has.
fn numbers(column: &ArrayRef) -> Result<(Vec<f64>, Option<i32>), RequestError> {
    let (values, width) = match column.as_fixed_size_list_opt() {
        Some(lists) => (Arc::clone(lists.values()), Some(lists.value_length())),
        None => (Arc::clone(column), None),
    };
    if !values.data_type().is_numeric() {
        return Err(internal("an output that is not a number has no mean"));
    }
    let values = cast(&values, &DataType::Float64).map_err(internal)?;
    let values = values.as_primitive::<Float64Type>().iter().map(|value| value.unwrap_or(f64::NAN));
    Ok((values.collect(), width))
}

fn column_of(values: Vec<f64>, width: Option<i32>) -> Result<ArrayRef, RequestError> {
    let values: ArrayRef = Arc::new(Float64Array::from(values));
    let Some(width) = width else { return Ok(values) };
    let item = arrow::datatypes::Field::new("item", DataType::Float64, false);
    Ok(Arc::new(FixedSizeListArray::try_new(Arc::new(item), width, values, None).map_err(internal)?))
}

/// For each row, the answer whose first output most models gave; of two, that of the earlier model.
fn vote(answers: &[(&Member, RecordBatch)], rows: usize) -> Result<RecordBatch, RequestError> {
    let (_, first) = answers.first().ok_or_else(|| internal("no answers"))?;
    let fit = |(member, batch): &(&Member, RecordBatch)| fitted(batch.clone(), first.schema_ref(), &member.name);
    let fitting: Result<Vec<RecordBatch>, _> = answers.iter().map(fit).collect();
    let fitting = fitting?;
    let winner = |row: usize| {
        let value = |batch: &RecordBatch| {
            let mut bytes = Vec::new();
            batch.columns().first().into_iter().for_each(|column| push_cell(&mut bytes, column, row));
            bytes
        };
        let values: Vec<Vec<u8>> = fitting.iter().map(value).collect();
        let mut votes: HashMap<&[u8], usize> = HashMap::new();
        values.iter().for_each(|value| *votes.entry(value).or_default() += 1);
        let most = votes.values().copied().max().unwrap_or_default();
        values.iter().position(|value| votes[value.as_slice()] == most).unwrap_or_default()
    };
    let order: Vec<(usize, usize)> = (0..rows).map(|row| (winner(row), row)).collect();
    interleaved(&fitting.iter().collect::<Vec<_>>(), &order)
}

/// For each row, the model with the highest first output, and that.
fn argmax(answers: &[(&Member, RecordBatch)], rows: usize) -> Result<RecordBatch, RequestError> {
    let mut best: Vec<(&str, f64)> = vec![("", f64::NAN); rows];
    for (member, predictions) in answers {
        let values = first_numbers(predictions);
        let values = values.ok_or_else(|| internal(format!("the answer of `{}` is not a number", member.name)))?;
        for (best, value) in best.iter_mut().zip(values) {
            if value > best.1 || best.1.is_nan() && best.0.is_empty() || best.1.is_nan() && !value.is_nan() {
                *best = (&member.name, value);
            }
        }
    }
    let models: ArrayRef = Arc::new(best.iter().map(|(name, _)| Some(*name)).collect::<StringArray>());
    let values: ArrayRef = Arc::new(best.iter().map(|(_, value)| *value).collect::<Float64Array>());
    named(&["model".to_owned(), "value".to_owned()], vec![models, values], rows)
}
