//! What was seen of spans, kept for the next fit.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tidemill_core::Digest;
use tidemill_validation::{StateInput, Stored};

/// Changes whenever the bytes of an analyzer, or what they mean, do.
const FORMAT: u32 = 3;
/// What is kept of one span for one feature, at most.
const ENTRY_BYTES_MAX: usize = 64 << 20;
/// All of it together, about; what was written longest ago goes first.
const TOTAL_BYTES_MAX: u64 = 1 << 30;

/// Analyzers of spans that were read before, in a folder: a file for each, named by a digest of everything they depend on.
///
/// What cannot be read or written costs a scan and nothing else.
#[derive(Debug, Clone)]
pub struct AnalyzerCache {
    dir: PathBuf,
}

impl AnalyzerCache {
    /// In this folder, which is made when there is something to keep.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The name of what `parts` decide.
    pub(crate) fn key(piece: &Digest, parts: &[&str]) -> Digest {
        let mut hasher = blake3::Hasher::new();
        let mut part = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        part(&format!("{FORMAT} {}", env!("CARGO_PKG_VERSION")));
        part(&piece.to_string());
        for text in parts {
            part(text);
        }
        Digest::from_bytes(hasher.finalize().as_bytes())
    }

    fn path(&self, key: &Digest) -> PathBuf {
        self.dir.join(key.to_string().replace(|c: char| !c.is_ascii_alphanumeric(), "-"))
    }

    /// The bytes kept under `key`, if they are whole.
    fn bytes(&self, key: &Digest) -> Option<Vec<u8>> {
        let bytes = fs::read(self.path(key)).ok()?;
        let (digest, payload) = bytes.split_first_chunk::<32>()?;
        (blake3::hash(payload).as_bytes() == digest).then(|| payload.to_vec())
    }

    /// What is kept under `key`.
    pub(crate) fn get<T: Stored>(&self, key: &Digest) -> Option<T> {
        from_bytes(&self.bytes(key)?)
    }

    /// Keeps `payload` under `key`.
    pub(crate) fn put(&self, key: &Digest, payload: &[u8]) {
        if payload.len() > ENTRY_BYTES_MAX || fs::create_dir_all(&self.dir).is_err() {
            return;
        }
        let path = self.path(key);
        let draft = path.with_extension(format!("{}.draft", std::process::id()));
        let bytes = [blake3::hash(payload).as_bytes().as_slice(), payload].concat();
        if fs::write(&draft, bytes).is_err() || fs::rename(&draft, &path).is_err() {
            let _ = fs::remove_file(&draft);
        }
    }

    /// Removes what was written longest ago where all of it together is too much.
    pub(crate) fn trim(&self) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        let file = |entry: fs::DirEntry| {
            let facts = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            Some((facts.modified().unwrap_or(SystemTime::UNIX_EPOCH), facts.len(), entry.path()))
        };
        let mut files: Vec<(SystemTime, u64, PathBuf)> = entries.flatten().filter_map(file).collect();
        files.sort();
        let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, path) in files {
            if total <= TOTAL_BYTES_MAX {
                break;
            }
            if fs::remove_file::<&Path>(&path).is_ok() {
                total -= bytes;
            }
        }
    }
}

/// `value` as it is kept.
pub(crate) fn to_bytes<T: Stored>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.store(&mut bytes);
    bytes
}

/// What [`to_bytes`] wrote; nothing for anything else.
pub(crate) fn from_bytes<T: Stored>(bytes: &[u8]) -> Option<T> {
    T::load(&mut StateInput::new(bytes)).ok()
}
