//! Feedback as it arrives: JSON lines, one record each, kept as they came.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::MonitorError;
use crate::log::{Micros, parse_time, rfc3339};

/// The folder of feedback, beside the logs of the models.
pub const FEEDBACK_FOLDER: &str = "_feedback";

/// What somebody says about a prediction.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feedback {
    /// The name of the request.
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "prediction_id")]
    pub request_id: Option<String>,
    /// The row in the request. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// The model. The server adds it where it serves one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The truth: a correction, or what happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Value>,
    /// A rating, such as `up`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<String>,
    /// What the user did with the answer, such as `select`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Who says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// When it became known. Default: when it arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The chance with which this answer was shown, if it was chosen at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propensity: Option<f64>,
    /// A person decided it in the review queue.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub review: bool,
    /// When it arrived. The receiver sets it.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "_received")]
    pub received: Option<String>,
}

impl Feedback {
    /// What is wrong with it.
    pub fn problem(&self) -> Option<String> {
        if self.request_id.as_ref().is_none_or(String::is_empty) {
            return Some("`request_id` is missing".to_owned());
        }
        let said = [self.label.is_some(), self.rating.is_some(), self.event.is_some()];
        match said.iter().filter(|said| **said).count() {
            1 => {}
            0 => return Some("one of `label`, `rating` and `event` is needed".to_owned()),
            _ => return Some("only one of `label`, `rating` and `event` may be there".to_owned()),
        }
        if let Some(label) = &self.label
            && !(label.is_number() || label.is_string() || label.is_boolean())
        {
            return Some("`label` must be a number, text, true or false".to_owned());
        }
        if let Some(time) = self.time.as_ref().filter(|time| parse_time(time).is_none()) {
            return Some(format!("`time` is not a time: `{time}`; write `2026-03-01T12:00:00Z`"));
        }
        if self.propensity.is_some_and(|chance| !(chance > 0.0 && chance <= 1.0)) {
            return Some("`propensity` must be above 0 and at most 1".to_owned());
        }
        None
    }

    /// When it became known.
    pub fn at(&self) -> Option<Micros> {
        self.time.as_ref().or(self.received.as_ref()).and_then(|time| parse_time(time))
    }
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
        if let Some(problem) = record.problem() {
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
    let path = dir.join(format!("{stamp}-{}-file.jsonl", std::process::id()));
    tidemill_files::create_parent(&path)?;
    tidemill_files::write(&path, text)?;
    Ok(path)
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
        name.ends_with(".jsonl") && !name.starts_with('.')
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
