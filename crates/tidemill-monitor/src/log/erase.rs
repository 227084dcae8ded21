//! Erasing the rows of a person.

use std::collections::BTreeSet;
use std::path::Path;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde::Serialize;
use serde_json::Value;
use tidemill_data::write_table;

use super::compact::{lock, read_rows, write_hour};
use super::manifest::Manifest;
use super::{HOUR, InferenceLog, is_read, parse_time};
use crate::MonitorError;

/// Whose rows are erased: those with one of these values in a column.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The column.
    pub column: String,
    /// The values as they are in the log: hashed, if the server hashes the column.
    pub values: BTreeSet<String>,
}

/// What was erased.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// Rows.
    pub rows: u64,
    /// Files that were written again or removed.
    pub files: usize,
    /// Files that a server is still writing: they were not looked at.
    pub unfinished: usize,
    /// The names of the requests whose rows are gone, for their feedback.
    #[serde(skip)]
    pub requests: BTreeSet<String>,
}

impl InferenceLog {
    /// Erases the rows of a subject from all complete files. Every file is either written again without them or stays
    /// as it was.
    pub fn erase(&self, subject: &Subject) -> Result<Erased, MonitorError> {
        let mut done = Erased { unfinished: self.unfinished(), ..Erased::default() };
        let dir = self.hours_dir();
        let mut has_column = false;
        if dir.is_dir() {
            let _lock = lock(&dir)?;
            let mut manifest = Manifest::read(&dir)?;
            let mut kept = Vec::with_capacity(manifest.hours.len());
            let mut changed = false;
            for hour in std::mem::take(&mut manifest.hours) {
                let path = dir.join(&hour.file);
                let Some(rows) = read_rows(&path)? else { continue };
                has_column |= rows.batch.column_by_name(&subject.column).is_some();
                let Some(left) = without(&rows.batch, subject, &mut done)? else {
                    kept.push(hour);
                    continue;
                };
                changed = true;
                if left.num_rows() == 0 {
                    manifest.emptied.extend(hour.sources);
                    continue;
                }
                let start = parse_time(&format!("{}:00:00Z", hour.hour)).unwrap_or(hour.first).div_euclid(HOUR) * HOUR;
                kept.push(write_hour(&dir, &mut manifest.next, hour.hour, &left, start, hour.sources)?);
            }
            manifest.hours = kept;
            if changed {
                manifest.write(&dir)?;
                manifest.sweep(&dir)?;
            }
        }
        for name in self.raw_names()?.into_iter().filter(|name| is_read(name)) {
            let path = self.dir.join(&name);
            has_column |= if path.extension().is_some_and(|of| of == "jsonl") {
                erase_lines(&path, subject, &mut done)?
            } else {
                erase_table(&path, subject, &mut done)?
            };
        }
        if !has_column {
            return Err(MonitorError::Log {
                message: format!("the log of `{}` has no column `{}`", self.model, subject.column),
                hint: Some("name a column of the log, such as an input or `_request_id`".to_owned()),
            });
        }
        Ok(done)
    }
}

/// The rows that are not the subject's; `None` if that is all of them.
fn without(batch: &RecordBatch, subject: &Subject, done: &mut Erased) -> Result<Option<RecordBatch>, MonitorError> {
    let Some(column) = batch.column_by_name(&subject.column) else { return Ok(None) };
    let wrong = |error: arrow::error::ArrowError| MonitorError::log(format!("`{}`: {error}", subject.column));
    let texts = ArrayFormatter::try_new(column, &FormatOptions::default()).map_err(wrong)?;
    let is_theirs = |row: usize| !column.is_null(row) && subject.values.contains(texts.value(row).to_string().as_str());
    let keep: BooleanArray = (0..batch.num_rows()).map(|row| Some(!is_theirs(row))).collect();
    let gone = batch.num_rows() - keep.true_count();
    if gone == 0 {
        return Ok(None);
    }
    if let Some(ids) = batch.column_by_name("_request_id").and_then(|ids| ids.as_string_opt::<i32>()) {
        let theirs = (0..ids.len()).filter(|row| !keep.value(*row) && !ids.is_null(*row));
        done.requests.extend(theirs.map(|row| ids.value(row).to_owned()));
    }
    done.rows += gone as u64;
    done.files += 1;
    filter_record_batch(batch, &keep).map(Some).map_err(wrong)
}

/// Erases lines of JSON, and leaves the others as they are to the byte. Returns whether the column was there.
fn erase_lines(path: &Path, subject: &Subject, done: &mut Erased) -> Result<bool, MonitorError> {
    let text = std::fs::read_to_string(path).map_err(MonitorError::io(path))?;
    let (mut kept, mut gone, mut has_column) = (String::with_capacity(text.len()), 0, false);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let row: Value = serde_json::from_str(line).map_err(|error| {
            MonitorError::log(format!("line {} of `{}` is not JSON: {error}", number + 1, path.display()))
        })?;
        let value = row.get(&subject.column);
        has_column |= value.is_some();
        let theirs = match value {
            Some(Value::String(text)) => subject.values.contains(text),
            Some(Value::Null) | None => false,
            Some(other) => subject.values.contains(other.to_string().as_str()),
        };
        if !theirs {
            kept.push_str(line);
            continue;
        }
        gone += 1;
        if let Some(id) = row.get("_request_id").and_then(Value::as_str) {
            done.requests.insert(id.to_owned());
        }
    }
    if gone > 0 {
        done.rows += gone;
        done.files += 1;
        if kept.is_empty() {
            std::fs::remove_file(path).map_err(MonitorError::io(path))?;
        } else {
            tidemill_files::write(path, kept)?;
        }
    }
    Ok(has_column)
}

fn erase_table(path: &Path, subject: &Subject, done: &mut Erased) -> Result<bool, MonitorError> {
    let Some(rows) = read_rows(path)? else { return Ok(false) };
    let has_column = rows.batch.column_by_name(&subject.column).is_some();
    if let Some(left) = without(&rows.batch, subject, done)? {
        if left.num_rows() == 0 {
            std::fs::remove_file(path).map_err(MonitorError::io(path))?;
        } else {
            write_table(path, std::iter::once(Ok(left)))?;
        }
    }
    Ok(has_column)
}
