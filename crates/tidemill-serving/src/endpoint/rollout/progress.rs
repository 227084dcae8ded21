//! The position of a rollout, and the file that keeps it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::endpoint::spec::RolloutSpec;

/// The format of the file.
const FORMAT: u32 = 1;

/// The position of a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::endpoint) enum Progress {
    /// At this step, counted from 0.
    Step { step: usize },
    /// Stopped at this step: the candidate keeps its share.
    Held { step: usize, reason: String },
    /// Stopped: the candidate gets nothing.
    RolledBack { step: usize, reason: String },
    /// The last step has held out its time.
    Done,
}

/// `.tidemill/endpoints/rides/.rollout.json`: `{ "format": 1, "rollout": …, "progress": { "step": { "step": 2 } } }`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    /// What the position is of: another rollout begins at its first step.
    rollout: RolloutSpec,
    /// The candidate, and its version.
    subject: String,
    progress: Progress,
}

impl Progress {
    /// The file of an endpoint in a folder.
    pub(in crate::endpoint) fn path(folder: &Path, endpoint: &str) -> PathBuf {
        folder.join(endpoint).join(".rollout.json")
    }

    /// The position that was kept of this rollout of this candidate; its first step if there is none. An approval does not make another
    /// rollout of it. A damaged file is an error.
    pub(in crate::endpoint) fn load(path: &Path, rollout: &RolloutSpec, subject: &str) -> Result<Self, String> {
        let damaged = |why: &dyn std::fmt::Display| format!("`{}` is damaged: {why}", path.display());
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::Step { step: 0 }),
            Err(error) => return Err(format!("`{}` cannot be read: {error}", path.display())),
        };
        let file: File = serde_json::from_slice(&bytes).map_err(|error| damaged(&error))?;
        if file.format != FORMAT {
            return Err(damaged(&format!("its format is {}", file.format)));
        }
        let is_same = file.subject == subject && file.rollout.is_same_but_for_approvals(rollout);
        Ok(if is_same { file.progress } else { Self::Step { step: 0 } })
    }

    /// Keeps the position.
    pub(in crate::endpoint) fn save(&self, path: &Path, rollout: &RolloutSpec, subject: &str) -> Result<(), String> {
        let file =
            File { format: FORMAT, rollout: rollout.clone(), subject: subject.to_owned(), progress: self.clone() };
        let json = serde_json::to_vec_pretty(&file).map_err(|error| error.to_string())?;
        tidemill_files::create_parent(path).map_err(|error| error.to_string())?;
        tidemill_files::write(path, json).map_err(|error| error.to_string())
    }
}
