//! What a running program says of itself: lines of JSON in a file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use tidemill_core::Progress;

/// A longer line is dropped.
const LINE_MAX: usize = 64 << 10;
/// A program that writes more is stopped.
pub(super) const BYTES_MAX: u64 = 64 << 20;
/// Metrics that are kept.
const METRICS_MAX: usize = 10_000;
/// Warnings that are kept.
const WARNINGS_MAX: usize = 20;

#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    Progress {
        done: u64,
        #[serde(default)]
        of: Option<u64>,
    },
    Metric {
        name: String,
        #[serde(default)]
        split: Option<String>,
        #[serde(default)]
        step: Option<u64>,
        value: Value,
    },
    Checkpoint {},
    Note {
        #[serde(default)]
        level: Option<String>,
        text: String,
    },
    Done {},
}

/// Reads events as they are written.
#[derive(Debug, Default)]
pub(super) struct Events {
    read: u64,
    rest: Vec<u8>,
    last: u64,
    total: Option<u64>,
    dropped: u64,
    /// The metrics, one after the other.
    pub(super) metrics: Vec<Value>,
    pub(super) warnings: Vec<String>,
}

impl Events {
    /// Reads what is new. `false`: the program has written more than it may.
    pub(super) fn poll(&mut self, path: &Path, progress: &dyn Progress) -> bool {
        let Ok(mut file) = File::open(path) else { return true };
        let mut new = Vec::new();
        if file.seek(SeekFrom::Start(self.read)).is_err() || file.take(BYTES_MAX).read_to_end(&mut new).is_err() {
            return true;
        }
        self.read += new.len() as u64;
        self.rest.extend(new);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            self.take(&line, progress);
        }
        if self.rest.len() > LINE_MAX {
            self.rest.clear();
            self.dropped += 1;
        }
        self.read <= BYTES_MAX
    }

    fn take(&mut self, line: &[u8], progress: &dyn Progress) {
        if line.len() > LINE_MAX {
            self.dropped += 1;
            return;
        }
        match serde_json::from_slice::<Event>(line) {
            Ok(Event::Progress { done, of }) => {
                if of.is_some() && of != self.total {
                    self.total = of;
                    progress.total(of.unwrap_or_default(), "steps");
                    self.last = 0;
                }
                progress.advance(done.saturating_sub(self.last));
                self.last = done.max(self.last);
            }
            Ok(Event::Metric { name, split, step, value }) => {
                let on = split.as_deref().map_or_else(String::new, |split| format!("{split} "));
                let shown = value.as_f64().map_or_else(|| value.to_string(), |value| format!("{value:.4}"));
                let at = step.map_or_else(String::new, |step| format!("step {step} · "));
                progress.phase(&format!("{at}{on}{name} {shown}"));
                if self.metrics.len() < METRICS_MAX {
                    self.metrics.push(json!({ "name": name, "split": split, "step": step, "value": value }));
                } else {
                    self.dropped += 1;
                }
            }
            Ok(Event::Note { level, text }) if level.as_deref() == Some("warn") => {
                if self.warnings.len() < WARNINGS_MAX {
                    self.warnings.push(text);
                }
            }
            Ok(Event::Note { text, .. }) => progress.phase(&text),
            Ok(Event::Checkpoint {} | Event::Done {}) => {}
            Err(_) if line.iter().all(u8::is_ascii_whitespace) => {}
            Err(_) => self.dropped += 1,
        }
    }

    /// What is worth knowing about them at the end.
    pub(super) fn finish(mut self) -> (Vec<Value>, Vec<String>) {
        if self.dropped > 0 {
            self.warnings
                .push(format!("{} events of the training command could not be read or were too many", self.dropped));
        }
        (self.metrics, self.warnings)
    }
}
