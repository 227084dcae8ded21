//! Labels joined to the rows of a log that they belong to.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};

use super::book::{LabelBook, Texts, key_of_request};
use crate::MonitorError;
use crate::config::LabelSpec;
use crate::log::{InferenceLog, LogFile, Micros, TIME_COLUMN, times};
use crate::watch::window_start;

/// The labelled rows of a window of a version.
#[derive(Debug, Clone, Default)]
pub struct JoinedWindow {
    /// Rows of the window.
    pub rows: u64,
    /// Answer and label of the rows that have one.
    pub pairs: Vec<(f64, f64)>,
    /// Who gave the label of each pair, if that is known.
    pub actors: Vec<Option<String>>,
}

/// The labelled rows of a period.
#[derive(Debug, Clone, Default)]
pub struct Joined {
    /// By start and version.
    pub windows: BTreeMap<(Micros, u64), JoinedWindow>,
    /// Labels whose row is in the period.
    pub found: BTreeSet<String>,
}

/// Joins the labels that were known at `as_of` to the rows of the log whose windows begin in a period.
pub fn join(
    log: &InferenceLog,
    book: &LabelBook,
    spec: &LabelSpec,
    answer: &str,
    (from, to): (Micros, Micros),
    length: Micros,
    as_of: impl Fn(Micros) -> Micros,
) -> Result<Joined, MonitorError> {
    let mut joined = Joined::default();
    let mut columns: BTreeSet<String> =
        [TIME_COLUMN, "_version", "_request_id", "_row", answer].map(str::to_owned).into();
    columns.extend(spec.keys.iter().cloned());
    // With keys, a label belongs to the last request before it.
    let mut by_key: HashMap<String, Vec<(Micros, u64, f64)>> = HashMap::new();
    for file in log.files()? {
        if file.range.is_some_and(|(first, last)| last < from || first >= to + length) || is_empty(&file)? {
            continue;
        }
        for batch in file.read_present(None, &columns)? {
            let batch = batch?;
            let rows = Rows::of(&batch, answer, spec, &file)?;
            for row in 0..batch.num_rows() {
                let Some((time, version, found, key)) = rows.get(row) else { continue };
                let start = window_start(time, length);
                if !(from..to).contains(&start) {
                    continue;
                }
                let window = joined.windows.entry((start, version)).or_default();
                window.rows += 1;
                if !spec.keys.is_empty() {
                    by_key.entry(key).or_default().push((time, version, found));
                    continue;
                }
                match book.label(&key, as_of(start), spec) {
                    Some(label) => {
                        window.pairs.push((found, label.value));
                        window.actors.push(label.actor);
                    }
                    None if spec.events.as_ref().is_some_and(|rule| rule.silence_is_zero) => {
                        window.pairs.push((found, 0.0));
                        window.actors.push(None);
                    }
                    None => {}
                }
                if !book.of(&key).is_empty() {
                    joined.found.insert(key);
                }
            }
        }
    }
    for (key, mut rows) in by_key {
        rows.sort_by_key(|(time, ..)| *time);
        for label in book.of(&key) {
            // Without times, the last request is meant.
            let timed = label.at > Micros::MIN;
            let before = if timed { rows.partition_point(|(time, ..)| *time <= label.at) } else { rows.len() };
            let Some((time, version, found)) = before.checked_sub(1).map(|last| rows[last]) else { continue };
            let near = spec.within.is_none_or(|within| !timed || label.at - time <= within.micros());
            let start = window_start(time, length);
            if near && label.at <= as_of(start) {
                let window = joined.windows.entry((start, version)).or_default();
                window.pairs.push((found, label.value));
                window.actors.push(label.actor.clone());
                joined.found.insert(key.clone());
            }
        }
    }
    Ok(joined)
}

impl Joined {
    /// Labels of rows that are not in the log at all, if the period is all of it.
    pub fn unknown(&self, book: &LabelBook) -> u64 {
        book.keys().filter(|key| !self.found.contains(*key)).count() as u64
    }
}

fn is_empty(file: &LogFile) -> Result<bool, MonitorError> {
    Ok(std::fs::metadata(&file.path).map_err(MonitorError::io(&file.path))?.len() == 0)
}

/// The parts of a batch of a log that a join needs.
pub(crate) struct Rows<'a> {
    times: Vec<Option<Micros>>,
    versions: Option<&'a arrow::array::Int64Array>,
    numbers: Option<&'a arrow::array::Int64Array>,
    answers: Option<&'a arrow::array::Float64Array>,
    keys: Vec<Texts<'a>>,
    by_request: bool,
}

impl<'a> Rows<'a> {
    pub(crate) fn of(
        batch: &'a RecordBatch,
        answer: &str,
        spec: &LabelSpec,
        file: &LogFile,
    ) -> Result<Self, MonitorError> {
        let whole = |name: &str| batch.column_by_name(name).and_then(|of| of.as_primitive_opt::<Int64Type>());
        let by_request = spec.keys.is_empty();
        let names: Vec<&str> =
            if by_request { vec!["_request_id"] } else { spec.keys.iter().map(String::as_str).collect() };
        Ok(Self {
            times: times(batch, &file.path)?,
            versions: whole("_version"),
            numbers: whole("_row"),
            answers: batch.column_by_name(answer).and_then(|of| of.as_primitive_opt::<Float64Type>()),
            keys: names.into_iter().map(|name| Texts::of(batch, name, &file.path)).collect::<Result<_, _>>()?,
            by_request,
        })
    }

    /// Time, version, answer and key of a row; `None` if one of them is missing.
    pub(crate) fn get(&self, row: usize) -> Option<(Micros, u64, f64, String)> {
        let time = self.times[row]?;
        let version = self.versions.filter(|of| !of.is_null(row)).map_or(0, |of| of.value(row).max(0) as u64);
        let answer = self.answers.filter(|of| !of.is_null(row)).map(|of| of.value(row))?;
        let parts: Vec<String> = self.keys.iter().map(|key| key.get(row)).collect::<Option<_>>()?;
        let key = if self.by_request {
            key_of_request(
                &parts[0],
                self.numbers.filter(|of| !of.is_null(row)).map_or(0, |of| of.value(row).max(0) as u64),
            )
        } else {
            parts.join("\u{1f}")
        };
        Some((time, version, answer, key))
    }
}
