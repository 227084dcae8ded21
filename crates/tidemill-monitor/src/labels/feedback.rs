//! Feedback as it arrives: JSON lines, one record each, kept as they came.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tidemill_core::Feedback;

use crate::MonitorError;
use crate::log::{Micros, parse_time, rfc3339};

/// The folder of feedback, beside the logs of the models.
pub const FEEDBACK_FOLDER: &str = "_feedback";

/// When a record became known.
pub(super) fn known_at(record: &Feedback) -> Option<Micros> {
    record.time.as_ref().or(record.received.as_ref()).and_then(|time| parse_time(time))
}

/// What is wrong with a record.
pub(super) fn problem(record: &Feedback) -> Option<String> {
    record.problem(|time| parse_time(time).is_some())
}

/// Reads JSON lines of feedback; the first line that cannot be used is an error, and nothing is taken in.
pub fn parse_feedback(text: &str, from: &str) -> Result<Vec<Feedback>, MonitorError> {
    let mut all = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |message: String| MonitorError::Feedback {
            message: format!("line {} of `{from}`: {message}", number + 1),
            hint: Some(r#"as in `{"request_id": "r-1", "label": 1}`"#.to_owned()),
        };
        let record: Feedback = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
        if let Some(problem) = problem(&record) {
            return Err(wrong(problem));
        }
        all.push(record);
    }
    Ok(all)
}

/// Adds records to the feedback of a log, in a file of its own. Returns its path.
pub fn append_feedback(log: &Path, records: &[Feedback], now: Micros) -> Result<PathBuf, MonitorError> {
    let dir = log.join(FEEDBACK_FOLDER);
    let stamp = rfc3339(now).replace(['-', ':'], "");
    let mut text = String::new();
    for record in records {
        let received = Some(record.received.clone().unwrap_or_else(|| rfc3339(now)));
        let record = Feedback { received, ..record.clone() };
        text.push_str(&serde_json::to_string(&record).unwrap_or_default());
        text.push('\n');
    }
    tidemill_files::create_folder(&dir)?;
    let mut number = 1;
    loop {
        let path = dir.join(format!("{stamp}-{}-file-{number}.jsonl", std::process::id()));
        if tidemill_files::create_new(&path, &text)? {
            return Ok(path);
        }
        number += 1;
    }
}

/// The files of feedback of a log, in order.
pub(super) fn feedback_files(log: &Path) -> Result<Vec<PathBuf>, MonitorError> {
    let dir = log.join(FEEDBACK_FOLDER);
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(&dir).map_err(MonitorError::io(&dir))?.flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        path.extension().is_some_and(|of| of == "jsonl") && !name.starts_with('.')
    });
    files.sort();
    Ok(files)
}

/// Erases the feedback on requests. Returns how many records are gone.
pub fn erase_feedback(log: &Path, requests: &BTreeSet<String>) -> Result<u64, MonitorError> {
    let mut gone = 0;
    for path in feedback_files(log)? {
        let text = std::fs::read_to_string(&path).map_err(MonitorError::io(&path))?;
        let theirs = |line: &str| {
            let record: Option<Feedback> = serde_json::from_str(line).ok();
            record.and_then(|record| record.request_id).is_some_and(|id| requests.contains(&id))
        };
        let kept: String = text.split_inclusive('\n').filter(|line| !theirs(line)).collect();
        if kept.len() < text.len() {
            gone += (text.lines().count() - kept.lines().count()) as u64;
            if kept.is_empty() {
                std::fs::remove_file(&path).map_err(MonitorError::io(&path))?;
            } else {
                tidemill_files::write(&path, kept)?;
            }
        }
    }
    Ok(gone)
}
