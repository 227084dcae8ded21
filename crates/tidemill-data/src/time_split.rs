//! Splits by time: the oldest rows are in the first split, the newest in the last.
//!
//! The rows are ordered by a column of times (text that [`Moment`] reads, or numbers) and cut where the shares of the
//! splits end. Rows of the same time are never cut apart: the cut moves to the nearer end of such a run of rows. So the
//! splits depend on the rows alone and not on their order in the source.

use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema};
use tidemill_core::calendar::Moment;
use tidemill_core::suggest;

use crate::DataError;

/// The column with the time of each row.
#[derive(Debug, Clone)]
pub(crate) struct TimeColumn {
    index: usize,
    name: String,
}

/// Decides the split of rows by their time.
#[derive(Debug, Clone)]
pub(crate) struct TimeSplitter {
    column: TimeColumn,
    /// The first time of every split but the first, ascending.
    starts: Vec<i64>,
}

impl TimeColumn {
    /// The column of a table; it must be of text or numbers.
    pub(crate) fn new(path: &Path, schema: &Schema, name: &str) -> Result<Self, DataError> {
        let Ok(index) = schema.index_of(name) else {
            let known = schema.fields().iter().map(|field| field.name().as_str());
            let nearest = suggest(name, known).map(str::to_owned);
            return Err(DataError::ColumnNotFound { path: path.to_owned(), column: name.to_owned(), nearest });
        };
        let found = match schema.field(index).data_type() {
            DataType::Int64 | DataType::Float64 | DataType::Utf8 => {
                return Ok(Self { index, name: name.to_owned() });
            }
            DataType::Boolean => "true or false",
            DataType::Binary => "bytes",
            _ => "lists",
        };
        Err(column_error(path, name, format!("holds {found}; `split_by_time` needs dates, times or numbers")))
    }

    /// Numbers in the order of the times. `first_row` is the number of the batch's first row, counted from 1.
    pub(crate) fn times(&self, path: &Path, batch: &RecordBatch, first_row: u64) -> Result<Vec<i64>, DataError> {
        let column = batch.column(self.index);
        let bad = |row: usize, what: String| {
            column_error(path, &self.name, format!("{what} in row {}", first_row + row as u64))
        };
        if let Some(row) = (0..column.len()).find(|row| column.is_null(*row)) {
            return Err(bad(row, "decides the split, but has no value".to_owned()));
        }
        match column.data_type() {
            DataType::Int64 => Ok(column.as_primitive::<Int64Type>().values().to_vec()),
            DataType::Float64 => {
                let of = |(row, value): (usize, &f64)| {
                    if value.is_nan() { Err(bad(row, "is not a number".to_owned())) } else { Ok(ordered(*value)) }
                };
                column.as_primitive::<Float64Type>().values().iter().enumerate().map(of).collect()
            }
            _ => {
                let texts = column.as_string::<i32>();
                let of = |row: usize| {
                    let text = texts.value(row);
                    let moment = Moment::parse(text);
                    moment
                        .map(|moment| ordered(moment.seconds))
                        .ok_or_else(|| bad(row, format!("is not a date or time (`{text}`)")))
                };
                (0..texts.len()).map(of).collect()
            }
        }
    }
}

impl TimeSplitter {
    /// Cuts rows of these times by `shares`, whose sum must not be 0.
    pub(crate) fn new(column: TimeColumn, mut times: Vec<i64>, shares: &[u32]) -> Self {
        times.sort_unstable();
        let total: u64 = shares.iter().map(|share| u64::from(*share)).sum();
        let (mut sum, mut starts) = (0_u64, Vec::new());
        for share in shares.iter().take(shares.len().saturating_sub(1)) {
            sum += u64::from(*share);
            let cut = (u128::from(sum) * times.len() as u128 / u128::from(total.max(1))) as usize;
            starts.push(start(&times, cut));
        }
        Self { column, starts }
    }

    /// The split of every row: its place in the shares.
    pub(crate) fn assign(&self, path: &Path, batch: &RecordBatch, first_row: u64) -> Result<Vec<u16>, DataError> {
        let times = self.column.times(path, batch, first_row)?;
        Ok(times.iter().map(|time| self.split_of(*time)).collect())
    }

    /// The split of a row of this time.
    pub(crate) fn split_of(&self, time: i64) -> u16 {
        self.starts.partition_point(|start| *start <= time) as u16
    }
}

/// The first time after the cut nearest to `cut` that leaves rows of the same time together.
fn start(times: &[i64], cut: usize) -> i64 {
    let Some(&time) = times.get(cut) else { return i64::MAX };
    let first = times.partition_point(|other| *other < time);
    let end = times.partition_point(|other| *other <= time);
    let takes_all_before = first > 0 && cut - first <= end - cut;
    if takes_all_before || end == times.len() { time } else { times[end] }
}

/// A number in the same order as floating-point values.
fn ordered(value: f64) -> i64 {
    let bits = (value + 0.0).to_bits() as i64;
    if bits < 0 { !bits ^ i64::MIN } else { bits }
}

fn column_error(path: &Path, column: &str, message: String) -> DataError {
    DataError::ColumnType { path: path.to_owned(), line: None, column: column.to_owned(), message }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    fn splits(values: ArrayRef, shares: &[u32]) -> Result<Vec<u16>, DataError> {
        let batch = RecordBatch::try_from_iter_with_nullable([("t", values, true)]).unwrap();
        let path = Path::new("t.csv");
        let column = TimeColumn::new(path, &batch.schema(), "t")?;
        let times = column.times(path, &batch, 1)?;
        TimeSplitter::new(column, times, shares).assign(path, &batch, 1)
    }

    #[test]
    fn later_rows_are_in_later_splits() {
        let days = ["2024-03-01", "2024-01-01", "2024-02-01 12:00", "2024-02-01", "2024-05-01", "2024-04-01"];
        let found = splits(Arc::new(StringArray::from(days.to_vec())), &[2, 1]).unwrap();
        assert_eq!(found, [0, 0, 0, 0, 1, 1]);
        let error = splits(Arc::new(StringArray::from(vec!["2024-03-01", "soon"])), &[2, 1]).unwrap_err();
        assert_eq!(error.to_string(), "`t.csv`: column `t` is not a date or time (`soon`) in row 2");
    }

    #[test]
    fn floats_keep_their_order() {
        let values = [f64::NEG_INFINITY, -2.5, -1e-300, 0.0, 1e-300, 1.0, 7e9, f64::INFINITY];
        assert!(values.windows(2).all(|pair| ordered(pair[0]) < ordered(pair[1])));
        assert_eq!(ordered(-0.0), ordered(0.0));
    }

    proptest! {
        #[test]
        fn cuts_are_near_the_shares_and_keep_equal_times_together(times in prop::collection::vec(0i64..40, 1..300), train in 1u32..9, eval in 1u32..9) {
            let found = splits(Arc::new(Int64Array::from(times.clone())), &[train, eval]).unwrap();
            let newest = times.iter().zip(&found).filter(|(_, split)| **split == 0).map(|(time, _)| *time).max();
            let oldest = times.iter().zip(&found).filter(|(_, split)| **split == 1).map(|(time, _)| *time).min();
            if let (Some(newest), Some(oldest)) = (newest, oldest) {
                prop_assert!(newest < oldest);
            }
            let wanted = times.len() as f64 * f64::from(train) / f64::from(train + eval);
            let in_train = found.iter().filter(|split| **split == 0).count() as f64;
            let longest = times.iter().map(|time| times.iter().filter(|other| *other == time).count()).max().unwrap();
            prop_assert!((in_train - wanted).abs() <= longest as f64 + 1.0);
        }
    }
}
