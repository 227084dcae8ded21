//! Sorting the rows of a log into a file for each hour.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema};
use serde::Serialize;
use tidemill_data::{BATCH_ROWS_MAX, ReadOptions, Table, write_table};

use super::columns::{Rows, together};
use super::manifest::{HourFile, Manifest};
use super::{HOUR, InferenceLog, Micros, SOURCE_COLUMN, hour_name, is_read, times};
use crate::MonitorError;

/// What a compaction did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Compacted {
    /// Files of the server that were compacted and removed.
    pub files: usize,
    /// Rows that they held.
    pub rows: u64,
    /// Hours that were written, new or again.
    pub hours: usize,
    /// Rows without a time that can be read; they are in the hour of the start of their file.
    pub rows_without_time: u64,
    /// Files of the server that are too young.
    pub left: usize,
}

impl InferenceLog {
    /// Moves the rows of complete files into a Parquet file for each hour. A file whose name says that it was begun
    /// less than `hold` before `now` is left for later, so that hours are rarely written twice.
    ///
    /// The rows of an hour of traffic are in memory at a time. A process that is killed loses nothing, and no row is
    /// ever read twice: the manifest is replaced in one step, and files that it does not list do not count.
    pub fn compact(&self, now: Micros, hold: Duration) -> Result<Compacted, MonitorError> {
        let dir = self.hours_dir();
        let held = now.saturating_sub(i64::try_from(hold.as_micros()).unwrap_or(i64::MAX));
        let mut done = Compacted::default();
        let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let names: Vec<String> = self.raw_names()?.into_iter().filter(|name| is_read(name)).collect();
        if names.is_empty() && !dir.is_dir() {
            return Ok(done);
        }
        tidemill_files::create_folder(&dir)?;
        let _lock = lock(&dir)?;
        let mut manifest = Manifest::read(&dir)?;
        manifest.sweep(&dir)?;
        for name in names {
            if manifest.sources().any(|source| source == name) {
                // Compacted before, by a process that could not remove it.
                self.remove(&name)?;
                continue;
            }
            match began(&name) {
                Some(began) if began > held => done.left += 1,
                Some(began) => groups.entry(hour_name(began)).or_default().push(name),
                None => groups.entry(String::new()).or_default().push(name),
            }
        }
        for names in groups.into_values() {
            self.compact_files(&dir, &mut manifest, &names, &mut done)?;
        }
        Ok(done)
    }

    /// Compacts these files together, and commits.
    fn compact_files(
        &self,
        dir: &Path,
        manifest: &mut Manifest,
        names: &[String],
        done: &mut Compacted,
    ) -> Result<(), MonitorError> {
        let mut by_hour: BTreeMap<Micros, Vec<Rows>> = BTreeMap::new();
        let mut emptied = Vec::new();
        for name in names {
            let path = self.dir.join(name);
            let rows = read_all(&path, name)?;
            let Some(rows) = rows else {
                emptied.push(name.clone());
                continue;
            };
            let fallback = began(name).unwrap_or_default();
            let times = times(&rows.batch, &path)?;
            let mut of_hours: BTreeMap<Micros, Vec<u32>> = BTreeMap::new();
            for (row, time) in times.iter().enumerate() {
                done.rows_without_time += u64::from(time.is_none());
                of_hours.entry(time.unwrap_or(fallback).div_euclid(HOUR) * HOUR).or_default().push(row as u32);
            }
            done.rows += rows.batch.num_rows() as u64;
            for (hour, rows_of_hour) in of_hours {
                let batch = take_record_batch(&rows.batch, &UInt32Array::from(rows_of_hour)).map_err(joined)?;
                by_hour.entry(hour).or_default().push(Rows { batch, valueless: rows.valueless.clone() });
            }
        }
        let mut next = manifest.clone();
        let mut replaced = Vec::new();
        for (hour, mut parts) in by_hour {
            let label = hour_name(hour);
            let mut sources: Vec<String> = Vec::new();
            if let Some(at) = next.hours.iter().position(|known| known.hour == label) {
                let known = next.hours.remove(at);
                let path = dir.join(&known.file);
                if let Some(rows) = read_rows(&path)? {
                    parts.insert(0, rows);
                }
                sources.extend(known.sources);
                replaced.push(path);
            }
            sources.extend(names.iter().filter(|name| !emptied.contains(name)).cloned());
            let batch = by_time(&together(&parts)?, hour)?;
            next.hours.push(write_hour(dir, &mut next.next, label, &batch, hour, sources)?);
            done.hours += 1;
        }
        next.emptied.extend(emptied);
        next.write(dir)?;
        *manifest = next;
        // Committed: what follows is done again if it does not happen now.
        for path in replaced {
            std::fs::remove_file(&path).map_err(MonitorError::io(&path))?;
        }
        for name in names {
            self.remove(name)?;
            done.files += 1;
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), MonitorError> {
        let path = self.dir.join(name);
        std::fs::remove_file(&path).map_err(MonitorError::io(&path))
    }
}

/// Keeps other processes from compacting or erasing at the same time, until it is dropped.
pub(super) fn lock(dir: &Path) -> Result<File, MonitorError> {
    let path = dir.join(".lock");
    let file = File::create(&path).map_err(MonitorError::io(&path))?;
    file.try_lock().map_err(|_| MonitorError::Log {
        message: format!("another process changes the log in `{}`", dir.display()),
        hint: Some("wait until it has ended".to_owned()),
    })?;
    Ok(file)
}

/// Writes a file of an hour.
pub(super) fn write_hour(
    dir: &Path,
    next: &mut u64,
    hour: String,
    batch: &RecordBatch,
    start: Micros,
    sources: Vec<String>,
) -> Result<HourFile, MonitorError> {
    let file = format!("{hour}-{next}.parquet");
    *next += 1;
    let path = dir.join(&file);
    let rows = batch.num_rows();
    let pieces = (0..rows).step_by(BATCH_ROWS_MAX).map(|from| Ok(batch.slice(from, BATCH_ROWS_MAX.min(rows - from))));
    write_table(&path, pieces)?;
    let known: Vec<Micros> = times(batch, &path)?.into_iter().flatten().collect();
    let (first, last) = (known.iter().min().copied(), known.iter().max().copied());
    Ok(HourFile { hour, file, rows: rows as u64, first: first.unwrap_or(start), last: last.unwrap_or(start), sources })
}

/// All rows of a server's file with their source; `None` if it has none.
fn read_all(path: &Path, name: &str) -> Result<Option<Rows>, MonitorError> {
    let Some(rows) = read_rows(path)? else { return Ok(None) };
    let mut fields: Vec<Arc<Field>> = rows.batch.schema().fields().iter().cloned().collect();
    let mut columns = rows.batch.columns().to_vec();
    fields.push(Arc::new(Field::new(SOURCE_COLUMN, DataType::Utf8, true)));
    columns.push(Arc::new(StringArray::from_iter_values(std::iter::repeat_n(name, rows.batch.num_rows()))) as ArrayRef);
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(joined)?;
    Ok(Some(Rows { batch, ..rows }))
}

/// All rows of a file; `None` if it has none.
pub(super) fn read_rows(path: &Path) -> Result<Option<Rows>, MonitorError> {
    let length = std::fs::metadata(path).map_err(MonitorError::io(path))?.len();
    if length == 0 {
        return Ok(None);
    }
    let table = Table::open(path, &ReadOptions::default())?;
    let reader = table.read()?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    let batch = concat_batches(&schema, &batches).map_err(joined)?;
    Ok(Some(Rows { batch, valueless: table.valueless_columns().to_vec() }))
}

/// The rows by time; those of the same time stay in order.
fn by_time(batch: &RecordBatch, fallback: Micros) -> Result<RecordBatch, MonitorError> {
    let times = times(batch, Path::new("the log"))?;
    let known: Vec<Micros> = times.into_iter().map(|time| time.unwrap_or(fallback)).collect();
    if known.is_sorted() {
        return Ok(batch.clone());
    }
    let mut order: Vec<u32> = (0..known.len() as u32).collect();
    order.sort_by_key(|row| known[*row as usize]);
    take_record_batch(batch, &UInt32Array::from(order)).map_err(joined)
}

/// The time in the name of a server's file: `20261120T115720.123456Z-4711-1.jsonl`.
pub(crate) fn began(name: &str) -> Option<Micros> {
    let stamp = name.split('-').next()?;
    let (day, clock) = stamp.split_once('T')?;
    if day.len() != 8 || clock.len() < 7 || !stamp.is_ascii() {
        return None;
    }
    let text = format!("{}-{}-{}T{}:{}:{}", &day[..4], &day[4..6], &day[6..], &clock[..2], &clock[2..4], &clock[4..]);
    super::parse_time(&text)
}

fn joined(error: arrow::error::ArrowError) -> MonitorError {
    MonitorError::log(format!("rows of the log cannot be joined: {error}"))
}
