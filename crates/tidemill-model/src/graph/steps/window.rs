//! `window`: one number of the values of an entity that came before a row.

use std::fmt;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType as ArrowType, Float64Type, Int64Type};
use serde::{Deserialize, Serialize};
use tidemill_core::calendar::seconds_of;

use super::super::decode::load_numbers;
use super::super::mapper::{MapStep, Position};
use super::super::run::{BatchContext, Columns, Decoder, Rows};
use super::super::{History, Stage};

/// The number that a window gives. Missing values are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowAggregate {
    /// How many values there are.
    Count,
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// Their standard deviation, divided by n.
    StdDev,
    /// The oldest.
    First,
    /// The newest.
    Last,
    /// The newest but so many: 1 is the newest, 2 the one before it.
    Nth(u32),
}

/// One number of the values of a history whose age, the time of the row less theirs, is above 0, at least `from_seconds`
/// and less than `from_seconds + length_seconds`. A window without values gives a missing value, as a `count` 0; so does a
/// row without a time or without lists.
///
/// What a window sees depends on ages only, so a history that reaches further, or holds what is too young, gives the same
/// number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The least age; what was not known yet when predicting is younger.
    pub from_seconds: u64,
    /// How far the window reaches beyond; without it, as far as the history does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length_seconds: Option<u64>,
    /// Which number.
    pub take: WindowAggregate,
}

impl MapStep for Window {
    fn name(&self) -> &'static str {
        "window"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        if self.take == WindowAggregate::Nth(0) {
            return Err("`nth` of `window` counts from 1".to_owned());
        }
        if self.length_seconds == Some(0) {
            return Err("`length_seconds` of `window` is 0".to_owned());
        }
        self.only(Stage::History, stage, Stage::Float)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " ({}", self.take.name())?;
        if let WindowAggregate::Nth(nth) = self.take {
            write!(f, " {nth}")?;
        }
        write!(f, " from {} s before", self.from_seconds)?;
        match self.length_seconds {
            Some(length) => write!(f, ", over {length} s)"),
            None => f.write_str(")"),
        }
    }

    fn least_age(&self) -> Option<u64> {
        Some(self.from_seconds)
    }

    fn reads_raw(&self, _: bool) -> bool {
        true
    }

    fn decoder(&self, _: &Position<'_>) -> Option<(Box<dyn Decoder>, usize)> {
        Some((Box::new(WindowDecoder::new(self)), 1))
    }
}

/// The values whose age at the time of the row is above 0, at least `from`, and less than `until`.
#[derive(Debug)]
struct WindowDecoder {
    from: f64,
    until: f64,
    take: WindowAggregate,
}

/// Where a window finds its columns among the inputs of a graph.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct HistoryInputs {
    /// The time of the row.
    pub(crate) time: usize,
    /// The times of what came before.
    pub(crate) times: usize,
    /// Its values.
    pub(crate) values: usize,
    rows_max: usize,
    /// The least and the greatest age of what is looked at.
    ages: (f64, f64),
}

impl HistoryInputs {
    /// At these inputs: the time, the times and the values; `history` says how far it reaches.
    pub(crate) fn new([time, times, values]: [usize; 3], history: &History) -> Self {
        let oldest = history.length_seconds.map_or(f64::INFINITY, |length| length as f64);
        let ages = (history.horizon_seconds.unwrap_or(0) as f64, oldest);
        Self { time, times, values, rows_max: history.rows_max.map_or(usize::MAX, |rows| rows as usize), ages }
    }
}

/// The first row whose times and values are not of one length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LengthMismatch {
    /// The row of the batch.
    pub row: usize,
    /// How many times it has.
    pub times: usize,
    /// How many values it has.
    pub values: usize,
}

impl WindowDecoder {
    fn new(window: &Window) -> Self {
        let from = window.from_seconds as f64;
        let until = window.length_seconds.map_or(f64::INFINITY, |length| from + length as f64);
        Self { from, until, take: window.take }
    }

    /// Writes the number of each row into `out`. A row's answer depends on its own lists only, and on their order only
    /// where two times are equal: there the later in the list is the newer.
    ///
    /// `false`: a column has another type than was bound, or a row has more times than values or fewer.
    fn numbers(&self, place: BatchContext<'_>, inputs: HistoryInputs, out: &mut [f64]) -> bool {
        let (Some(time), Some(times), Some(values)) =
            (place.column(inputs.time), place.column(inputs.times), place.column(inputs.values))
        else {
            return false;
        };
        if let ArrowType::Null = times.data_type() {
            out.fill(f64::NAN);
            return true;
        }
        let (Some(times), Some(values)) = (Lists::of(times, seconds), Lists::of(values, numbers)) else { return false };
        let mut now = Vec::new();
        if length_mismatch(&times, &values, place.batch.num_rows()).is_some() || !seconds(time, &mut now) {
            return false;
        }
        let mut order = Vec::new();
        for (row, (out, now)) in out.iter_mut().zip(now).enumerate() {
            *out = match (times.row(row), values.row(row)) {
                (Some(times), Some(values)) if !now.is_nan() => {
                    inputs.gather(now, times, values, &mut order);
                    self.of(now, &order)
                }
                _ => f64::NAN,
            };
        }
        true
    }

    /// The number of what came before `now`, oldest first.
    fn of(&self, now: f64, past: &[(f64, f64)]) -> f64 {
        let start = past.partition_point(|(time, _)| now - time >= self.until);
        let end = past.partition_point(|(time, _)| now - time >= self.from);
        self.take.of(past.get(start..end).unwrap_or_default())
    }
}

impl Decoder for WindowDecoder {
    fn run(&self, rows: &Rows<'_>, out: &mut Columns<'_>) -> bool {
        rows.source.history().is_some_and(|inputs| self.numbers(rows.place, inputs, out.main))
    }
}

impl HistoryInputs {
    /// What fitting would have seen of the lists of a row at `now`, oldest first, missing values included.
    fn gather(&self, now: f64, times: &[f64], values: &[f64], past: &mut Vec<(f64, f64)>) {
        past.clear();
        let (youngest, oldest) = self.ages;
        // A time that cannot be read is NaN, which is of no age.
        let seen = |time: f64| now - time > 0.0 && now - time >= youngest && now - time <= oldest;
        let pairs = times.iter().zip(values).filter(|(time, _)| seen(**time));
        past.extend(pairs.map(|(time, value)| (*time, *value)));
        if !past.is_sorted_by(|a, b| a.0 <= b.0) {
            past.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        past.drain(..past.len().saturating_sub(self.rows_max));
    }
}

impl WindowAggregate {
    /// The number of values oldest first.
    fn of(self, values: &[(f64, f64)]) -> f64 {
        let all = values.iter().map(|(_, value)| *value).filter(|value| !value.is_nan());
        let count = all.clone().count();
        let sum = || all.clone().sum::<f64>();
        match self {
            Self::Count => count as f64,
            _ if count == 0 => f64::NAN,
            Self::Sum => sum(),
            Self::Mean => sum() / count as f64,
            Self::Min => all.fold(f64::INFINITY, f64::min),
            Self::Max => all.fold(f64::NEG_INFINITY, f64::max),
            Self::StdDev => {
                let mean = sum() / count as f64;
                (all.map(|value| (value - mean) * (value - mean)).sum::<f64>() / count as f64).sqrt()
            }
            Self::First => all.clone().next().unwrap_or(f64::NAN),
            Self::Last => all.clone().next_back().unwrap_or(f64::NAN),
            Self::Nth(nth) => all.clone().rev().nth(nth.max(1) as usize - 1).unwrap_or(f64::NAN),
        }
    }

    /// The name in a pipeline file: `mean`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
            Self::StdDev => "std_dev",
            Self::First => "first",
            Self::Last => "last",
            Self::Nth(_) => "nth",
        }
    }
}

/// Lists of numbers, a row each.
struct Lists<'a> {
    column: &'a ArrayRef,
    values: Vec<f64>,
}

impl<'a> Lists<'a> {
    /// `None`: the column holds no lists of what `read` takes.
    fn of(column: &'a ArrayRef, read: impl Fn(&ArrayRef, &mut Vec<f64>) -> bool) -> Option<Self> {
        let lists = column.as_list_opt::<i32>()?;
        let mut values = Vec::new();
        // A batch may be a slice: only what its rows have is read.
        let range = range(lists.value_offsets());
        read(&lists.values().slice(range.start, range.len()), &mut values).then_some(Self { column, values })
    }

    fn row(&self, row: usize) -> Option<&[f64]> {
        let lists = self.column.as_list_opt::<i32>().filter(|lists| lists.is_valid(row))?;
        let offsets = lists.value_offsets();
        let first = offsets[0];
        self.values.get((offsets[row] - first) as usize..(offsets[row + 1] - first) as usize)
    }
}

fn range(offsets: &[i32]) -> Range<usize> {
    match (offsets.first(), offsets.last()) {
        (Some(first), Some(last)) => *first as usize..*last as usize,
        _ => 0..0,
    }
}

fn length_mismatch(times: &Lists<'_>, values: &Lists<'_>, rows: usize) -> Option<LengthMismatch> {
    let length = |lists: &Lists<'_>, row| lists.row(row).map(<[f64]>::len);
    (0..rows).find_map(|row| match (length(times, row), length(values, row)) {
        (Some(times), Some(values)) if times != values => Some(LengthMismatch { row, times, values }),
        _ => None,
    })
}

/// The first row of two columns of lists that are not of one length, where both hold lists.
pub(crate) fn list_length_mismatch(times: &ArrayRef, values: &ArrayRef) -> Option<LengthMismatch> {
    let (times, values) = (times.as_list_opt::<i32>()?, values.as_list_opt::<i32>()?);
    (0..times.len().min(values.len())).find_map(|row| {
        let (a, b) = (times.value_length(row) as usize, values.value_length(row) as usize);
        (times.is_valid(row) && values.is_valid(row) && a != b).then_some(LengthMismatch { row, times: a, values: b })
    })
}

fn numbers(column: &ArrayRef, out: &mut Vec<f64>) -> bool {
    out.clear();
    out.resize(column.len(), f64::NAN);
    load_numbers(column, out)
}

/// The times of a column in seconds since 1970, UTC: whole or real numbers are seconds already, text is an ISO date with
/// or without a time, as `date_part` reads it. What cannot be read is NaN. `false`: the column holds something else.
pub fn seconds(column: &ArrayRef, out: &mut Vec<f64>) -> bool {
    out.clear();
    match column.data_type() {
        ArrowType::Int64 => {
            out.extend(column.as_primitive::<Int64Type>().iter().map(|time| time.map_or(f64::NAN, |time| time as f64)));
        }
        ArrowType::Float64 => {
            out.extend(column.as_primitive::<Float64Type>().iter().map(|time| time.unwrap_or(f64::NAN)));
        }
        ArrowType::Utf8 => {
            out.extend(column.as_string::<i32>().iter().map(|text| text.map_or(f64::NAN, seconds_of)));
        }
        ArrowType::Null => out.resize(column.len(), f64::NAN),
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(from: u64, length: Option<u64>, take: WindowAggregate, times: &[f64], values: &[f64]) -> f64 {
        bounded(None, from, length, take, times, values)
    }

    fn bounded(
        rows_max: Option<u32>,
        from: u64,
        length: Option<u64>,
        take: WindowAggregate,
        times: &[f64],
        values: &[f64],
    ) -> f64 {
        let (time, times_of, values_of) = (String::new(), String::new(), String::new());
        let history = History {
            time,
            times: times_of,
            values: values_of,
            rows_max,
            length_seconds: Some(35),
            horizon_seconds: None,
        };
        let mut past = Vec::new();
        HistoryInputs::new([0, 1, 2], &history).gather(100.0, times, values, &mut past);
        WindowDecoder::new(&Window { from_seconds: from, length_seconds: length, take }).of(100.0, &past)
    }

    #[test]
    fn a_longer_history_than_fitting_saw_changes_nothing() {
        let (times, values) = ([30.0, 64.0, 65.0, 70.0, 80.0, 90.0], [9.0, 9.0, 1.0, 2.0, 4.0, 8.0]);
        assert_eq!(bounded(None, 0, None, WindowAggregate::Sum, &times, &values), 15.0);
        assert_eq!(bounded(Some(2), 0, None, WindowAggregate::Sum, &times, &values), 12.0);
        assert_eq!(bounded(Some(2), 20, None, WindowAggregate::Sum, &times, &values), 4.0);
    }

    #[test]
    fn a_window_is_closed_where_it_is_younger_and_open_where_it_is_older() {
        let (times, values) = ([65.0, 70.0, 80.0, 90.0, 100.0, 110.0], [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]);
        // Nothing of the row's own time or after it, whatever is asked for.
        assert_eq!(of(0, None, WindowAggregate::Sum, &times, &values), 15.0);
        assert_eq!(of(10, Some(20), WindowAggregate::Sum, &times, &values), 12.0);
        assert_eq!(of(20, None, WindowAggregate::Last, &times, &values), 4.0);
        assert_eq!(of(20, None, WindowAggregate::First, &times, &values), 1.0);
        assert_eq!(of(0, None, WindowAggregate::Nth(3), &times, &values), 2.0);
        assert!(of(0, None, WindowAggregate::Nth(5), &times, &values).is_nan());
        assert_eq!(of(50, None, WindowAggregate::Count, &times, &values), 0.0);
        assert!(of(50, None, WindowAggregate::Mean, &times, &values).is_nan());
    }

    #[test]
    fn the_order_of_the_list_does_not_matter_and_missing_values_are_passed_over() {
        let (times, values) = ([90.0, 65.0, 80.0, f64::NAN, 70.0], [8.0, 1.0, f64::NAN, 7.0, 3.0]);
        assert_eq!(of(0, None, WindowAggregate::Last, &times, &values), 8.0);
        assert_eq!(of(0, None, WindowAggregate::Nth(2), &times, &values), 3.0);
        assert_eq!(of(0, None, WindowAggregate::Mean, &times, &values), 4.0);
        assert_eq!(of(0, None, WindowAggregate::Min, &times, &values), 1.0);
        assert_eq!(of(0, None, WindowAggregate::Max, &times, &values), 8.0);
        // numpy.std([8, 1, 3])
        assert!((of(0, None, WindowAggregate::StdDev, &times, &values) - 2.943_920_288_775_949).abs() < 1e-15);
        // Of one time the later in the list is the newer.
        assert_eq!(of(0, None, WindowAggregate::Last, &[90.0, 90.0], &[1.0, 2.0]), 2.0);
    }
}
