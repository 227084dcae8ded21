//! Feedback on predictions, written beside the inference log.
//!
//! ```text
//! DIR/_feedback/20260501-4711.jsonl      a line for each record, a file for each day and process
//! ```

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tidemill_core::Feedback;

/// Where feedback goes.
#[derive(Debug)]
pub(crate) struct FeedbackLog {
    dir: PathBuf,
    /// One writer at a time, so that lines stay whole.
    writing: Mutex<()>,
}

impl FeedbackLog {
    /// In the folder of an inference log.
    pub(crate) fn new(log: &Path) -> Self {
        Self { dir: log.join("_feedback"), writing: Mutex::default() }
    }

    /// Writes records to disk. When this returns, they are there.
    pub(crate) fn write(&self, mut records: Vec<Feedback>) -> io::Result<()> {
        let now = jiff::Timestamp::now();
        let mut lines = Vec::new();
        for record in &mut records {
            record.received = Some(format!("{now:.6}"));
            serde_json::to_writer(&mut lines, record)?;
            lines.push(b'\n');
        }
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        std::fs::create_dir_all(&self.dir)?;
        let day: String = now.to_string().chars().take(10).filter(|c| *c != '-').collect();
        let path = self.dir.join(format!("{day}-{}.jsonl", std::process::id()));
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        let before = file.metadata()?.len();
        let written = file.write_all(&lines).and_then(|()| file.sync_data());
        // Half a record would be read as a wrong one.
        written.inspect_err(|_| drop(file.set_len(before)))
    }
}
