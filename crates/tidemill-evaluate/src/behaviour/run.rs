//! Runs behaviour tests on the rows of a split.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Schema};
use arrow::util::display::array_value_to_string;
use tidemill_core::CancelFlag;
use tidemill_data::Examples;
use tidemill_model::{Expression, Model, Task, largest_column};

use super::{BehaviourFailure, BehaviourResult, BehaviourTest, Expected, FAILURES_MAX};
use crate::EvaluateError;
use crate::gate::number;

/// A model and the rows that it is tried on.
pub(crate) struct Probe<'a> {
    pub examples: &'a Examples,
    pub split: &'a str,
    pub model: &'a Model,
}

impl Probe<'_> {
    /// The inputs of the model that the examples have, and with them the columns that the label is made of.
    pub fn columns(&self, of_label: Vec<String>) -> (Vec<String>, Vec<String>) {
        let schema = self.examples.schema();
        let inputs = self.model.graph().inputs().iter().map(|input| input.name.clone());
        let inputs: Vec<String> = inputs.filter(|name| schema.index_of(name).is_ok()).collect();
        let mut needed = inputs.clone();
        needed.extend(of_label.into_iter().filter(|name| !inputs.contains(name)));
        (inputs, needed)
    }
}

/// Runs every test.
pub(crate) fn run_tests(
    probe: &Probe<'_>,
    tests: &[BehaviourTest],
    cancel: &CancelFlag,
) -> Result<Vec<BehaviourResult>, EvaluateError> {
    tests.iter().map(|test| run_test(probe, test, cancel)).collect()
}

fn run_test(probe: &Probe<'_>, test: &BehaviourTest, cancel: &CancelFlag) -> Result<BehaviourResult, EvaluateError> {
    let fail = |problem: String| EvaluateError::Behaviour { test: test.name.clone(), problem };
    let output = output_of(probe.model.task(), test).map_err(&fail)?;
    let schema = probe.examples.schema();
    let mut needed: Vec<String> = probe.model.graph().inputs().iter().map(|input| input.name.clone()).collect();
    for column in test.columns() {
        if schema.index_of(&column).is_err() {
            return Err(fail(format!("names the column `{column}`, which the examples do not have")));
        }
        if !needed.contains(&column) {
            needed.push(column);
        }
    }
    let known: Vec<&str> = needed.iter().map(String::as_str).filter(|name| schema.index_of(name).is_ok()).collect();
    let mut result = BehaviourResult { test: test.clone(), rows: 0, passed: 0, holds: false, failures: Vec::new() };
    let mut first = 0_u64;
    for batch in probe.examples.batches(probe.split, Some(&known))? {
        if cancel.is_set() {
            return Err(EvaluateError::Canceled);
        }
        let batch = batch?;
        let (rows, numbers) = chosen(test, &batch, first, test.rows - result.rows).map_err(&fail)?;
        first += batch.num_rows() as u64;
        if rows.num_rows() > 0 {
            try_rows(probe.model, test, output, &rows, &numbers, &mut result)?.map_err(&fail)?;
        }
        if result.rows >= test.rows {
            break;
        }
    }
    result.holds = result.rows > 0 && result.passed as f64 >= test.pass * result.rows as f64;
    Ok(result)
}

/// Which number of a prediction is meant. `None`: the most probable class.
fn output_of(task: &Task, test: &BehaviourTest) -> Result<Option<usize>, String> {
    let names = task.names();
    match &test.output {
        Some(output) => match names.iter().position(|name| name == output) {
            Some(at) => Ok(Some(at)),
            None if names.is_empty() => Err(format!("names the output `{output}`, and the model has one number")),
            None => Err(format!("names the output `{output}`, and the model has {}", names.join(", "))),
        },
        None if names.is_empty() => Ok(Some(0)),
        None if !task.classes().is_empty()
            && test.expect == Some(Expected::Same)
            && test.at_least.is_none()
            && test.at_most.is_none() =>
        {
            Ok(None)
        }
        None => Err(format!("does not say which number it is of; write `output:` with one of {}", names.join(", "))),
    }
}

/// The rows of a batch that are tested, and their numbers in the split.
fn chosen(test: &BehaviourTest, batch: &RecordBatch, first: u64, most: u64) -> Result<(RecordBatch, Vec<u64>), String> {
    let keep: Vec<bool> = match &test.r#where {
        None => vec![true; batch.num_rows()],
        Some(text) => {
            let values = evaluated(text, batch)?;
            if values.data_type() != &DataType::Boolean {
                return Err("has a `where` that is neither true nor false".to_owned());
            }
            values.as_boolean().iter().map(|value| value == Some(true)).collect()
        }
    };
    let mut left = most;
    let keep: Vec<bool> = keep
        .into_iter()
        .map(|keep| {
            let taken = keep && left > 0;
            left -= u64::from(taken);
            taken
        })
        .collect();
    let numbers = keep.iter().enumerate().filter(|(_, keep)| **keep).map(|(row, _)| first + row as u64 + 1).collect();
    let rows = filter_record_batch(batch, &BooleanArray::from(keep)).map_err(|error| error.to_string())?;
    Ok((rows, numbers))
}

fn evaluated(text: &str, batch: &RecordBatch) -> Result<ArrayRef, String> {
    let expression = Expression::parse(text).map_err(|error| error.to_string())?;
    let bound = expression.bind(batch.schema_ref()).map_err(|error| error.to_string())?;
    bound.evaluate(batch).map_err(|error| error.to_string())
}

/// The batch with the changed values, of the types that the columns have.
fn changed(test: &BehaviourTest, batch: &RecordBatch) -> Result<RecordBatch, String> {
    let mut columns = batch.columns().to_vec();
    for (name, text) in &test.change {
        let at = batch.schema_ref().index_of(name).map_err(|error| error.to_string())?;
        let values = evaluated(text, batch)?;
        columns[at] = cast(&values, columns[at].data_type()).map_err(|_| {
            format!("changes `{name}` to {} values, and it has {}", values.data_type(), columns[at].data_type())
        })?;
    }
    // A changed value may be missing.
    let fields: Vec<_> =
        batch.schema_ref().fields().iter().map(|field| Arc::new(field.as_ref().clone().with_nullable(true))).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|error| error.to_string())
}

/// Compares the predictions for rows before and after the change.
fn try_rows(
    model: &Model,
    test: &BehaviourTest,
    output: Option<usize>,
    rows: &RecordBatch,
    numbers: &[u64],
    result: &mut BehaviourResult,
) -> Result<Result<(), String>, EvaluateError> {
    let after_rows = match changed(test, rows) {
        Ok(after) => after,
        Err(problem) => return Ok(Err(problem)),
    };
    let before = model.predict_columns(rows)?;
    let after = if test.change.is_empty() { before.clone() } else { model.predict_columns(&after_rows)? };
    let classes = model.task().classes();
    for (row, number_of_row) in numbers.iter().enumerate() {
        let (holds, shown) = match output {
            None => {
                let [from, to] = [&before, &after].map(|columns| largest_column(columns, row));
                (from == to, [classes[from].clone(), classes[to].clone()])
            }
            Some(at) => {
                let (from, to) = (before[at][row], after[at][row]);
                (holds(test, from, to), [number(from), number(to)])
            }
        };
        result.rows += 1;
        result.passed += u64::from(holds);
        if !holds && result.failures.len() < FAILURES_MAX {
            let [before, after] = shown;
            result.failures.push(BehaviourFailure {
                row: *number_of_row,
                before,
                after,
                changed: told_changes(test, rows, &after_rows, row),
            });
        }
    }
    Ok(Ok(()))
}

fn holds(test: &BehaviourTest, before: f64, after: f64) -> bool {
    let as_expected = match test.expect {
        None => true,
        Some(Expected::Same) => (after - before).abs() <= test.tolerance,
        Some(Expected::NotLower) => after >= before - test.tolerance,
        Some(Expected::NotHigher) => after <= before + test.tolerance,
    };
    as_expected && test.at_least.is_none_or(|least| after >= least) && test.at_most.is_none_or(|most| after <= most)
}

/// `trip_miles 1.2 → 1.32` for every column that is another.
fn told_changes(test: &BehaviourTest, before: &RecordBatch, after: &RecordBatch, row: usize) -> Vec<String> {
    let value = |batch: &RecordBatch, name: &str| {
        let column = batch.column_by_name(name)?;
        if column.is_null(row) { Some("missing".to_owned()) } else { array_value_to_string(column, row).ok() }
    };
    let change = |name: &String| {
        let (from, to) = (value(before, name)?, value(after, name)?);
        (from != to).then(|| format!("{name} {from} → {to}"))
    };
    test.change.keys().filter_map(change).collect()
}
