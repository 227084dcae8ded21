//! Detects which file is a model, and its format.

use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;

use tidemill_model::ModelError;

use crate::inspect;

/// A larger file is rejected unread.
pub(crate) const FILE_BYTES_MAX: u64 = 4 << 30;

/// The formats by file extension.
const EXTENSIONS: [&str; 3] = ["onnx", "txt", "json"];

/// A supported format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    LightGbm,
    XgBoost,
    Onnx,
}

impl Format {
    /// The format of a file, by its first bytes; otherwise what the file is instead.
    pub(crate) fn of(path: &Path, bytes: &[u8]) -> Result<Self, String> {
        if bytes.starts_with(b"tree\n") || bytes.starts_with(b"tree\r\n") {
            return Ok(Self::LightGbm);
        }
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        if first == Some(&b'{') {
            // UBJSON writes the length of a key's length before the key, JSON a quote.
            if bytes.get(1).is_some_and(|byte| matches!(byte, b'L' | b'l' | b'i' | b'U')) {
                return Err("this is UBJSON; save the XGBoost model with the extension `.json`".to_owned());
            }
            return Ok(Self::XgBoost);
        }
        if bytes.is_empty() {
            return Err("the file is empty".to_owned());
        }
        if bytes.starts_with(b"binf") {
            return Err("this is XGBoost's old binary format; save the model with the extension `.json`".to_owned());
        }
        if inspect::is_tflite(bytes) {
            return Err(inspect::refusal(path, bytes));
        }
        if crate::onnx::looks_like_model(bytes) {
            return Ok(Self::Onnx);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Err(format!("`{name}` is neither ONNX, LightGBM's text nor XGBoost's JSON"))
    }
}

/// The model file for `path`, or `None` for the folder of a package.
///
/// A folder contains a package, or one file of a supported format: two would be ambiguous.
pub(crate) fn find_model_file(path: &Path) -> Result<Option<PathBuf>, ModelError> {
    if !path.is_dir() {
        return Ok(Some(path.to_owned()));
    }
    let manifest = path.join("model.json");
    if manifest.is_file() {
        return Ok(is_xgboost(&manifest).then_some(manifest));
    }
    let io = |source| ModelError::Io { action: "read", path: path.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(io)? {
        let file = entry.map_err(io)?.path();
        let extension = file.extension().and_then(|extension| extension.to_str());
        if extension.is_some_and(|extension| EXTENSIONS.contains(&extension)) && file.is_file() {
            found.push(file);
        }
    }
    found.sort();
    let refuse = |reason| Err(ModelError::Package { file: path.to_owned(), reason });
    match found.as_slice() {
        [] if path.join(inspect::SAVED_MODEL).is_file() => refuse(inspect::saved_model_refusal(path)?),
        [] => match (inspect::single_tflite(path), first_version(path)) {
            // The reader reports it by its own name.
            (Some(file), _) => Ok(Some(file)),
            (None, Some(version)) => refuse(format!(
                "it holds versions of a model and is none: name one of them, such as `{}`",
                version.display()
            )),
            // The error of a package names the manifest.
            (None, None) => Ok(None),
        },
        [_] => Ok(found.pop()),
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|file| format!("`{}`", file.file_name().unwrap_or_default().to_string_lossy()))
                .collect();
            refuse(format!("it holds several models: {}", names.join(", ")))
        }
    }
}

/// The first folder in `path` that may be a version.
fn first_version(path: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(path).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let is_version = |folder: &PathBuf| {
        let name = folder.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.parse::<u64>().is_ok()) && folder.is_dir()
    };
    entries.filter(is_version).min()
}

/// XGBoost's users often name their file `model.json`, like the manifest of a package.
fn is_xgboost(path: &Path) -> bool {
    #[derive(serde::Deserialize)]
    struct Head {
        format: Option<IgnoredAny>,
        learner: Option<IgnoredAny>,
    }
    let Ok(file) = std::fs::File::open(path) else { return false };
    let head: Result<Head, _> = serde_json::from_reader(std::io::BufReader::new(file));
    head.is_ok_and(|head| head.format.is_none() && head.learner.is_some())
}
