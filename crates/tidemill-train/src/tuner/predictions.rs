//! The predictions of good trials, kept for the ensemble.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tidemill_core::{Code, ComponentError};
use tidemill_tune::Params;

/// Trials whose predictions are kept.
const KEPT_MAX: usize = 50;
/// Numbers that are kept of one trial: more are not, and the trial is no member of an ensemble.
const NUMBERS_MAX: usize = 20_000_000;
const MAGIC: &[u8; 8] = b"TMPREDS\x01";

/// Predictions of judged rows by the parameters of their trial, in memory and in a folder that another attempt reads.
pub(super) struct Predictions {
    folder: Option<PathBuf>,
    kept: Mutex<BTreeMap<String, Kept>>,
}

struct Kept {
    /// Less is better.
    loss: f64,
    /// A column for each number of the task.
    columns: Vec<Vec<f32>>,
}

impl Predictions {
    /// A place for predictions. `work`: the folder of an attempt, if anything is kept.
    pub(super) fn new(work: Option<&Path>) -> Self {
        Self { folder: work.map(|work| work.join("predictions")), kept: Mutex::default() }
    }

    /// Keeps the predictions of a trial if it is among the best so far.
    pub(super) fn keep(&self, params: &Params, loss: f64, columns: &[Vec<f64>]) -> Result<(), ComponentError> {
        if columns.iter().map(Vec::len).sum::<usize>() > NUMBERS_MAX {
            return Ok(());
        }
        let key = key(params);
        let columns: Vec<Vec<f32>> =
            columns.iter().map(|column| column.iter().map(|value| *value as f32).collect()).collect();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = &self.folder {
            let path = folder.join(&key);
            std::fs::create_dir_all(folder).map_err(|error| cannot(folder, error))?;
            // A file that was not written to its end is no prediction.
            std::fs::write(&path, encode(&columns)).map_err(|error| cannot(&path, error))?;
        }
        kept.insert(key, Kept { loss, columns });
        while kept.len() > KEPT_MAX {
            let worst = kept.iter().max_by(|a, b| a.1.loss.total_cmp(&b.1.loss)).map(|(key, _)| key.clone());
            let Some(worst) = worst else { break };
            kept.remove(&worst);
            if let Some(folder) = &self.folder {
                // A file too many does no harm.
                let _ = std::fs::remove_file(folder.join(&worst));
            }
        }
        Ok(())
    }

    /// The predictions of a trial, of this attempt or of one before it.
    pub(super) fn of(&self, params: &Params) -> Option<Vec<Vec<f32>>> {
        let key = key(params);
        if let Some(kept) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Some(kept.columns.clone());
        }
        decode(&std::fs::read(self.folder.as_ref()?.join(&key)).ok()?)
    }
}

/// A name of the parameters.
fn key(params: &Params) -> String {
    let text = serde_json::to_string(params).unwrap_or_default();
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

fn encode(columns: &[Vec<f32>]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend((columns.len() as u64).to_le_bytes());
    for column in columns {
        bytes.extend((column.len() as u64).to_le_bytes());
        column.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
    }
    bytes
}

/// The columns of a file; `None` for one that is damaged, whose trial is no member then.
fn decode(bytes: &[u8]) -> Option<Vec<Vec<f32>>> {
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let number = |rest: &mut &[u8]| -> Option<usize> {
        let (head, tail) = rest.split_first_chunk::<8>()?;
        *rest = tail;
        usize::try_from(u64::from_le_bytes(*head)).ok()
    };
    let count = number(&mut rest)?;
    let mut columns = Vec::new();
    for _ in 0..count {
        let rows = number(&mut rest)?;
        let (column, tail) = rest.split_at_checked(rows.checked_mul(4)?)?;
        rest = tail;
        columns.push(column.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect());
    }
    rest.is_empty().then_some(columns)
}

fn cannot(path: &Path, error: std::io::Error) -> ComponentError {
    ComponentError {
        source: Some(Box::new(error)),
        ..ComponentError::new(Code::Io, format!("predictions cannot be kept in `{}`", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn another_attempt_finds_what_was_kept_and_damage_is_no_prediction() {
        let dir = tempfile::tempdir().unwrap();
        let params = |number: usize| Params::from([("x".to_owned(), json!(number))]);
        let first = Predictions::new(Some(dir.path()));
        for number in 0..=KEPT_MAX {
            first.keep(&params(number), number as f64, &[vec![number as f64, 0.25]]).unwrap();
        }
        let second = Predictions::new(Some(dir.path()));
        assert_eq!(second.of(&params(3)), Some(vec![vec![3.0, 0.25]]));
        assert_eq!((first.of(&params(KEPT_MAX)), second.of(&params(KEPT_MAX))), (None, None), "the worst is dropped");
        let path = dir.path().join("predictions").join(key(&params(4)));
        let bytes = std::fs::read(&path).unwrap();
        for end in 0..bytes.len() {
            assert_eq!(decode(&bytes[..end]), None);
        }
    }
}
