//! The numbers of each row that metrics of one's own add up: expressions, costs, groups, errors of a naive forecast.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};
use tidemill_core::{LabelSet, Task};
use tidemill_model::{Expression, largest_column};

use crate::metrics::{Costs, Metric, RowColumn};
use crate::{EvaluateError, EvaluationTable, Series};

/// One model's predictions of the rows of a table.
#[derive(Clone, Copy)]
pub(crate) struct Predicted<'a> {
    /// One number a row.
    pub scores: &'a [f64],
    /// The columns of several classes, labels or quantiles.
    pub columns: &'a [Vec<f64>],
    /// A row is called positive if its score is above this.
    pub threshold: f64,
}

/// The values of `columns` for every row of `table`.
pub(crate) fn row_values(
    table: &EvaluationTable,
    columns: &[RowColumn],
    predicted: Predicted<'_>,
    series: Option<&Series>,
) -> Result<Vec<Vec<f64>>, EvaluateError> {
    let of = |column: &RowColumn| match column {
        RowColumn::Expression { metric, text } => expression_values(table, metric, text, predicted),
        RowColumn::Costs(metric) => cost_values(table, *metric, predicted),
        RowColumn::Group(name) => group_values(table, name),
        RowColumn::Naive => match series {
            Some(series) => naive_errors(table, series),
            None => Err(EvaluateError::OwnMetric {
                metric: Metric::Mase.name().to_owned(),
                problem: "needs `series`: the column of the time, and the rows of one season".to_owned(),
            }),
        },
    };
    columns.iter().map(of).collect()
}

fn group_values(table: &EvaluationTable, name: &str) -> Result<Vec<f64>, EvaluateError> {
    let column = table.columns.iter().find(|column| column.name == name);
    let column = column.ok_or_else(|| EvaluateError::ColumnNotFound {
        column: name.to_owned(),
        place: "metrics",
        nearest: None,
    })?;
    Ok(column.codes.iter().map(|code| f64::from(*code)).collect())
}

/// The class that a row is called: of several the most probable one.
fn called(predicted: Predicted<'_>, row: usize) -> usize {
    if predicted.columns.is_empty() {
        usize::from(predicted.scores[row] > predicted.threshold)
    } else {
        largest_column(predicted.columns, row)
    }
}

fn cost_values(table: &EvaluationTable, metric: Metric, predicted: Predicted<'_>) -> Result<Vec<f64>, EvaluateError> {
    let costs = metric.definition().and_then(|own| own.costs.as_ref());
    let rows = || table.labels.iter().enumerate();
    match costs {
        Some(Costs::Binary(costs)) => {
            let of = |(row, label): (usize, &f64)| match (*label > 0.5, called(predicted, row) == 1) {
                (true, true) => costs.true_positive,
                (true, false) => costs.false_negative,
                (false, true) => costs.false_positive,
                (false, false) => costs.true_negative,
            };
            Ok(rows().map(of).collect())
        }
        Some(Costs::Classes(written)) => {
            let classes = table.task.classes();
            let place = |name: &String| {
                classes.iter().position(|known| known == name).ok_or_else(|| EvaluateError::OwnMetric {
                    metric: metric.name().to_owned(),
                    problem: format!("names the class `{name}`, and the classes are {}", classes.join(", ")),
                })
            };
            let mut matrix = vec![0.0; classes.len() * classes.len()];
            for (truth, costs) in written {
                for (other, cost) in costs {
                    matrix[place(truth)? * classes.len() + place(other)?] = *cost;
                }
            }
            Ok(rows().map(|(row, label)| matrix[*label as usize * classes.len() + called(predicted, row)]).collect())
        }
        None => Ok(vec![f64::NAN; table.rows()]),
    }
}

/// An expression over the columns kept of the table and what the evaluation knows of a row.
fn expression_values(
    table: &EvaluationTable,
    metric: &str,
    text: &str,
    predicted: Predicted<'_>,
) -> Result<Vec<f64>, EvaluateError> {
    let fail = |problem: String| EvaluateError::OwnMetric { metric: metric.to_owned(), problem };
    let expression = Expression::parse(text).map_err(|error| fail(error.to_string()))?;
    let used = expression.columns();
    let mut values = Vec::with_capacity(table.rows());
    let mut first = 0;
    // Without columns of its own a table has no batches; a block at a time bounds what is held beside it.
    let blocks: Vec<Option<&RecordBatch>> = if table.kept.is_empty() {
        vec![None; table.rows().div_ceil(BLOCK_ROWS)]
    } else {
        table.kept.iter().map(Some).collect()
    };
    for kept in blocks {
        let rows = kept.map_or(BLOCK_ROWS.min(table.rows() - first), RecordBatch::num_rows);
        let batch = with_given(table, &used, kept, first..first + rows, predicted).map_err(fail)?;
        let bound = expression.bind(batch.schema_ref()).map_err(|error| fail(error.to_string()))?;
        let result = bound.evaluate(&batch).map_err(|error| fail(error.to_string()))?;
        append(&result, &mut values).ok_or_else(|| {
            fail(format!(
                "is of type {}, and a metric adds up numbers; write `case when … then 1 else 0 end`",
                bound.datatype()
            ))
        })?;
        first += rows;
    }
    Ok(values)
}

/// Rows that are evaluated together.
const BLOCK_ROWS: usize = 65_536;

/// Adds the numbers of an array; null is NaN. `None`: it is not of numbers.
fn append(array: &ArrayRef, values: &mut Vec<f64>) -> Option<()> {
    match array.data_type() {
        DataType::Float64 => values.extend(array.as_primitive::<Float64Type>().iter().map(|v| v.unwrap_or(f64::NAN))),
        DataType::Int64 => {
            values.extend(array.as_primitive::<Int64Type>().iter().map(|v| v.map_or(f64::NAN, |v| v as f64)));
        }
        DataType::Null => values.resize(values.len() + array.len(), f64::NAN),
        _ => return None,
    }
    Some(())
}

/// A batch of the columns that an expression uses.
fn with_given(
    table: &EvaluationTable,
    used: &[String],
    kept: Option<&RecordBatch>,
    rows: std::ops::Range<usize>,
    predicted: Predicted<'_>,
) -> Result<RecordBatch, String> {
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for name in used {
        let column = match given(table, name, rows.clone(), predicted) {
            Some(column) => column,
            None => kept.and_then(|batch| batch.column_by_name(name).cloned()).ok_or_else(|| {
                format!(
                    "names `{name}`, which is neither a column of the rows nor label, prediction, predicted or weight"
                )
            })?,
        };
        fields.push(Field::new(name, column.data_type().clone(), true));
        columns.push(column);
    }
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
        .map_err(|error| error.to_string())
}

/// What the evaluation knows of rows under a name.
fn given(
    table: &EvaluationTable,
    name: &str,
    rows: std::ops::Range<usize>,
    predicted: Predicted<'_>,
) -> Option<ArrayRef> {
    let numbers = |values: Vec<f64>| Some(Arc::new(Float64Array::from(values)) as ArrayRef);
    let names = table.task.names();
    let classes = table.task.classes();
    let texts = |of: &dyn Fn(usize) -> usize| -> Option<ArrayRef> {
        Some(Arc::new(StringArray::from_iter_values(rows.clone().map(|row| classes[of(row)].as_str()))))
    };
    match name {
        "label" if !classes.is_empty() => texts(&|row| table.labels[row] as usize),
        "label" if !matches!(table.task, Task::MultiLabel { .. }) => numbers(table.labels[rows].to_vec()),
        "prediction" if names.is_empty() || matches!(table.task, Task::Quantiles { .. }) => {
            numbers(predicted.scores[rows].to_vec())
        }
        "predicted" if !classes.is_empty() => texts(&|row| called(predicted, row)),
        "predicted" if table.task == Task::Binary => {
            numbers(rows.map(|row| f64::from(u8::from(called(predicted, row) == 1))).collect())
        }
        "weight" => numbers(match &table.weights {
            Some((_, weights)) => weights[rows].to_vec(),
            None => vec![1.0; rows.len()],
        }),
        _ => {
            let (kind, inside) = name.strip_suffix(']')?.split_once('[')?;
            let at = names.iter().position(|known| known == inside)?;
            match kind {
                "prediction" => numbers(predicted.columns.get(at)?[rows].to_vec()),
                "label" => numbers(rows.map(|row| f64::from(u8::from(has(table, row, at)))).collect()),
                _ => None,
            }
        }
    }
}

fn has(table: &EvaluationTable, row: usize, at: usize) -> bool {
    match table.task {
        Task::MultiLabel { .. } => LabelSet::from_value(table.labels[row]).has(at),
        _ => table.labels[row] as usize == at,
    }
}

/// |label - the label one season earlier in the same series|; NaN if there is none.
fn naive_errors(table: &EvaluationTable, series: &Series) -> Result<Vec<f64>, EvaluateError> {
    let fail = |problem: String| EvaluateError::OwnMetric { metric: Metric::Mase.name().to_owned(), problem };
    let (mut times, mut members): (Vec<Time>, HashMap<Vec<String>, Vec<usize>>) = (Vec::new(), HashMap::new());
    for batch in &table.kept {
        let first = times.len();
        let column = |name: &String| {
            batch.column_by_name(name).ok_or_else(|| fail(format!("has no column `{name}` of `series` in the rows")))
        };
        times.extend(times_of(column(&series.time)?).ok_or_else(|| {
            fail(format!("cannot order rows by `{}`: write numbers, or dates as text that sorts", series.time))
        })?);
        let keys: Vec<&ArrayRef> = series.by.iter().map(column).collect::<Result<_, _>>()?;
        for row in 0..batch.num_rows() {
            let key = keys.iter().map(|key| arrow::util::display::array_value_to_string(key, row).unwrap_or_default());
            members.entry(key.collect()).or_default().push(first + row);
        }
    }
    let mut errors = vec![f64::NAN; table.rows()];
    for rows in members.values_mut() {
        rows.sort_by(|a, b| times[*a].cmp(&times[*b]));
        for (at, row) in rows.iter().enumerate().skip(series.season) {
            errors[*row] = (table.labels[*row] - table.labels[rows[at - series.season]]).abs();
        }
    }
    Ok(errors)
}

/// A time that can be ordered: a number, or a text such as a date.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Time {
    Number(i64),
    Text(String),
}

fn times_of(array: &ArrayRef) -> Option<Vec<Time>> {
    // Numbers in their order as whole ones.
    let ordered = |value: f64| {
        let bits = value.to_bits() as i64;
        bits ^ ((bits >> 63) & i64::MAX)
    };
    Some(match array.data_type() {
        DataType::Int64 => {
            let values = array.as_primitive::<Int64Type>();
            (0..values.len()).map(|row| Time::Number(values.value(row))).collect()
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            (0..values.len()).map(|row| Time::Number(ordered(values.value(row)))).collect()
        }
        DataType::Utf8 => {
            let values = array.as_string::<i32>();
            (0..values.len()).map(|row| Time::Text(values.value(row).to_owned())).collect()
        }
        _ => return None,
    })
}
