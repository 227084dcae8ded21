//! Making the reference of a version: from rows with labels, from a period of the log, from its first rows.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Int64Type, Schema};

use crate::MonitorError;
use crate::config::MonitorFile;
use crate::log::{InferenceLog, LogFile, Micros, times};
use crate::performance::Task;
use crate::watch::{LOG_COLUMNS, Profile, ProfileBuilder, Reader, WindowCounts, window_start};

/// Rows from which a reference is learnt, if nothing else is there.
pub const LEARN_ROWS: u64 = 1000;

/// The labels of the rows of a batch, where known.
pub type LabelsOf<'a> = &'a mut dyn FnMut(&RecordBatch) -> Vec<Option<f64>>;

/// Which columns of a log are watched, and whether they are outputs.
fn watched(file: &MonitorFile, name: &str, inputs: Option<&dyn Fn(&str) -> bool>) -> Option<bool> {
    if LOG_COLUMNS.contains(&name) || file.exclude.iter().any(|excluded| excluded == name) {
        return None;
    }
    Some(match inputs {
        Some(is_input) => !is_input(name),
        None => name.starts_with('_'),
    })
}

/// The output that is the model's answer: the only number among the outputs, or `_probability` or `_prediction`.
fn answer_of(schema: &Schema, file: &MonitorFile) -> Option<String> {
    let usual = ["_probability", "_prediction"].into_iter().find(|name| schema.index_of(name).is_ok());
    usual.map(str::to_owned).or_else(|| {
        let mut outputs = schema.fields().iter().filter(|field| watched(file, field.name(), None) == Some(true));
        let first = outputs.next()?;
        outputs.next().is_none().then(|| first.name().clone())
    })
}

/// The reference made of rows that have the columns of the log: `open` gives them, and is called twice. `labels` gives
/// the label of each row of a batch.
pub fn of_rows<I: Iterator<Item = Result<RecordBatch, MonitorError>>>(
    file: &MonitorFile,
    version: u64,
    source: &str,
    open: impl Fn() -> Result<I, MonitorError>,
    labels: Option<(Task, LabelsOf<'_>)>,
) -> Result<Profile, MonitorError> {
    let mut builder: Option<(ProfileBuilder, Option<String>)> = None;
    let mut rows = 0;
    for batch in open()? {
        let batch = batch?;
        let (builder, _) = builder.get_or_insert_with(|| {
            let schema = batch.schema();
            (ProfileBuilder::new(&schema, |name| watched(file, name, None)), answer_of(&schema, file))
        });
        builder.look(&batch);
        rows += batch.num_rows() as u64;
    }
    let Some((builder, answer)) = builder else {
        return Err(MonitorError::Reference { message: format!("the reference ({source}) has no rows"), hint: None });
    };
    let profile = builder.columns(version, source, answer, &file.importance);
    check_importance(file, &profile)?;
    profile.count(rows, open()?, labels)
}

/// The reference made of the rows of a version in a period of the log, by its windows.
pub fn of_period(
    file: &MonitorFile,
    log: &InferenceLog,
    version: Option<u64>,
    (from, to): (Micros, Micros),
    source: &str,
    as_version: u64,
) -> Result<Option<Profile>, MonitorError> {
    let files = in_period(log, from, to)?;
    let mut builder: Option<(ProfileBuilder, Option<String>)> = None;
    let mut rows = 0;
    for each in &files {
        for batch in each.read(None, None)? {
            let Some((batch, _)) = of_version(&batch?, each, version, (from, to))? else { continue };
            let (builder, _) = builder.get_or_insert_with(|| {
                let schema = batch.schema();
                (ProfileBuilder::new(&schema, |name| watched(file, name, None)), answer_of(&schema, file))
            });
            builder.look(&batch);
            rows += batch.num_rows() as u64;
        }
    }
    let Some((builder, answer)) = builder.filter(|_| rows >= file.rows_min) else { return Ok(None) };
    let mut profile = builder.columns(as_version, source, answer, &file.importance);
    check_importance(file, &profile)?;
    let mut windows: BTreeMap<Micros, WindowCounts> = BTreeMap::new();
    {
        let reader = Reader::new(&profile, LOG_COLUMNS.into_iter().chain(file.exclude.iter().map(String::as_str)));
        let types = profile.types();
        for each in &files {
            for batch in each.read(Some(types.clone()), None)? {
                let Some((batch, times)) = of_version(&batch?, each, version, (from, to))? else { continue };
                let mut groups: BTreeMap<Micros, Vec<u32>> = BTreeMap::new();
                for (row, time) in times.iter().enumerate() {
                    groups.entry(window_start(*time, file.window.micros())).or_default().push(row as u32);
                }
                for (start, rows) in groups {
                    let part = take_record_batch(&batch, &UInt32Array::from(rows)).map_err(divided)?;
                    windows.entry(start).or_insert_with(|| WindowCounts::new(&profile)).update(&part, &reader);
                }
            }
        }
    }
    let windows: Vec<WindowCounts> = windows.into_values().collect();
    profile.learn(&windows);
    Ok(Some(profile))
}

/// The reference made of the first rows of a version in the log; `None` as long as there are too few.
pub fn learn(file: &MonitorFile, log: &InferenceLog, version: u64) -> Result<Option<Profile>, MonitorError> {
    let needed = LEARN_ROWS.max(file.rows_min);
    let (mut seen, mut ends): (u64, Option<(Micros, Micros)>) = (0, None);
    'files: for each in in_period(log, Micros::MIN, Micros::MAX)? {
        for batch in each.read(None, None)? {
            let Some((_, times)) = of_version(&batch?, &each, Some(version), (Micros::MIN, Micros::MAX))? else {
                continue;
            };
            for time in times {
                let (first, last) = ends.unwrap_or((time, time));
                // Whole windows: at least two of them, so that they can be compared with each other.
                let length = file.window.micros();
                if seen >= needed && window_start(last.max(time), length) >= window_start(first, length) + 2 * length {
                    break 'files;
                }
                ends = Some((first.min(time), last.max(time)));
                seen += 1;
            }
        }
    }
    let Some((first, last)) = ends.filter(|_| seen >= needed) else { return Ok(None) };
    let source = format!("learnt from the first {seen} rows of version {version}");
    of_period(file, log, Some(version), (first, last + 1), &source, version)
}

fn in_period(log: &InferenceLog, from: Micros, to: Micros) -> Result<Vec<LogFile>, MonitorError> {
    let mut files = log.files()?;
    files.retain(|file| file.range.is_none_or(|(first, last)| last >= from && first < to));
    let mut kept = Vec::with_capacity(files.len());
    for file in files {
        if std::fs::metadata(&file.path).map_err(MonitorError::io(&file.path))?.len() > 0 {
            kept.push(file);
        }
    }
    Ok(kept)
}

/// The rows of a batch that are of a version and a period, with their times; `None` without any.
fn of_version(
    batch: &RecordBatch,
    file: &LogFile,
    version: Option<u64>,
    (from, to): (Micros, Micros),
) -> Result<Option<(RecordBatch, Vec<Micros>)>, MonitorError> {
    let times = times(batch, &file.path)?;
    let versions = batch.column_by_name("_version").and_then(|of| of.as_primitive_opt::<Int64Type>());
    let fits = |row: usize| {
        let is_version = match (version, versions) {
            (Some(wanted), Some(versions)) => !versions.is_null(row) && versions.value(row) as u64 == wanted,
            _ => true,
        };
        is_version && times[row].is_some_and(|time| (from..to).contains(&time))
    };
    let rows: Vec<u32> = (0..batch.num_rows()).filter(|row| fits(*row)).map(|row| row as u32).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let kept = rows.iter().filter_map(|row| times[*row as usize]).collect();
    Ok(Some((take_record_batch(batch, &UInt32Array::from(rows)).map_err(divided)?, kept)))
}

fn divided(error: arrow::error::ArrowError) -> MonitorError {
    MonitorError::log(format!("rows of the log cannot be divided: {error}"))
}

/// Weights for columns that are not there help nobody.
fn check_importance(file: &MonitorFile, profile: &Profile) -> Result<(), MonitorError> {
    let names = || profile.columns.iter().map(|column| column.name.as_str());
    for name in file.importance.keys().chain(&file.exclude) {
        let known = names().any(|known| known == name) || file.exclude.contains(name);
        if !known {
            let near = tidemill_core::suggest(name, names()).map(|near| format!("did you mean `{near}`?"));
            let message = format!("`importance` names `{name}`, and the reference has no such column");
            return Err(MonitorError::Reference { message, hint: near });
        }
    }
    Ok(())
}
