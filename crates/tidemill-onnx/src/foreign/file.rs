//! Detects which file is a model, and its format.

use std::path::{Path, PathBuf};

use tidemill_model::ModelError;

use crate::inspect;

/// A larger file is rejected unread.
pub(crate) const FILE_BYTES_MAX: u64 = 4 << 30;

/// Bytes of a file that its kind is read from.
const HEAD_BYTES: usize = 4 << 10;
/// Names by which a folder with several models says which one it is.
const USUAL_NAMES: [&str; 10] = [
    "model.onnx",
    "model.txt",
    "model.lgb",
    "model.json",
    "model.ubj",
    "model.xgb",
    "model.bst",
    "model.lightgbm",
    "model.xgboost",
    "model.tflite",
];
/// Files that only another program can run, by extension, and how their models become ones that run here.
const OTHERS: [(&str, &str); 9] = [
    ("pkl", "a Python pickle; write the model as ONNX with skl2onnx"),
    ("pickle", "a Python pickle; write the model as ONNX with skl2onnx"),
    ("joblib", "a Python pickle; write the model as ONNX with skl2onnx"),
    ("pt", "a PyTorch file; write the model as ONNX with `torch.onnx.export`"),
    ("pth", "a PyTorch file; write the model as ONNX with `torch.onnx.export`"),
    ("safetensors", "weights only; write the model as ONNX with `optimum-cli export onnx`"),
    ("h5", "a Keras file; write the model as ONNX with `model.export(format=\"onnx\")`"),
    ("keras", "a Keras file; write the model as ONNX with `model.export(format=\"onnx\")`"),
    ("cbm", "a CatBoost file; save the model with `format=\"onnx\"`"),
];

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
            return if is_xgboost_head(&bytes[..bytes.len().min(HEAD_BYTES)]) {
                Ok(Self::XgBoost)
            } else {
                Err("it is JSON, and not a model of XGBoost".to_owned())
            };
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
    if manifest.is_file() && !is_model(&manifest) {
        return Ok(None);
    }
    let io = |source| ModelError::Io { action: "read", path: path.to_owned(), source };
    let (mut found, mut others) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(path).map_err(io)? {
        let file = entry.map_err(io)?.path();
        if !file.is_file() {
            continue;
        }
        if is_model(&file) {
            found.push(file);
        } else if other_kind(&file).is_some() {
            others.push(file);
        }
    }
    found.sort();
    others.sort();
    let refuse = |reason| Err(ModelError::Package { file: path.to_owned(), reason });
    let name_of = |file: &PathBuf| format!("`{}`", file.file_name().unwrap_or_default().to_string_lossy());
    match found.as_slice() {
        [] if path.join(inspect::SAVED_MODEL).is_file() => refuse(inspect::saved_model_refusal(path)?),
        [] => {
            // Hugging Face's folders hold the model in a folder of its own.
            let inner = path.join("onnx");
            if inner.is_dir() {
                return find_model_file(&inner);
            }
            if let Some(file) = inspect::single_tflite(path) {
                // The reader reports it by its own name.
                return Ok(Some(file));
            }
            if let Some(version) = first_version(path) {
                return refuse(format!(
                    "it holds versions of a model and is none: name one of them, such as `{}`",
                    version.display()
                ));
            }
            if let Some(kind) = others.first().and_then(|file| Some((name_of(file), other_kind(file)?))) {
                return refuse(format!("{} is {}", kind.0, kind.1));
            }
            // The error of a package names the manifest.
            Ok(None)
        }
        [_] => Ok(found.pop()),
        several => {
            let is_usual = |file: &&PathBuf| {
                file.file_name().and_then(|name| name.to_str()).is_some_and(|name| USUAL_NAMES.contains(&name))
            };
            let usual: Vec<&PathBuf> = several.iter().filter(is_usual).collect();
            match usual.as_slice() {
                [one] => Ok(Some((*one).clone())),
                _ => {
                    let names: Vec<String> = several.iter().map(name_of).collect();
                    refuse(format!("it holds several models: {}; name one of them `model`", names.join(", ")))
                }
            }
        }
    }
}

/// Whether a file is a model by its content.
pub fn is_model(file: &Path) -> bool {
    use std::io::Read as _;
    let mut head = Vec::with_capacity(HEAD_BYTES);
    let read = std::fs::File::open(file).and_then(|file| file.take(HEAD_BYTES as u64).read_to_end(&mut head));
    if read.is_err() {
        return false;
    }
    // The bytes of ONNX are not much of a mark: a file of texts or of another program may begin with them.
    let by_name = |extension: &str| file.extension().is_some_and(|other| other.eq_ignore_ascii_case(extension));
    let is_onnx = crate::onnx::looks_like_model(&head) && by_name("onnx");
    // A damaged file is still the model of its folder.
    let is_named = by_name("onnx") && !head.is_empty();
    let is_json = head.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{') && is_xgboost_head(&head);
    head.starts_with(b"tree\n")
        || head.starts_with(b"tree\r\n")
        || is_onnx
        || is_named
        || is_json
        || inspect::is_tflite(&head)
}

/// What a file of another kind is, and what to do, by its extension.
fn other_kind(file: &Path) -> Option<&'static str> {
    let extension = file.extension()?.to_str()?.to_ascii_lowercase();
    OTHERS.iter().find(|(other, _)| *other == extension).map(|(_, kind)| *kind)
}

/// Whether an object, in JSON or UBJSON, begins as XGBoost writes its models: the learner is first, or after the version.
fn is_xgboost_head(head: &[u8]) -> bool {
    let begin = &head[..head.len().min(256)];
    let holds = |word: &[u8]| begin.windows(word.len()).any(|part| part == word);
    let keys = [&b"learner"[..], b"version", b"config"];
    let first = begin.iter().position(u8::is_ascii_lowercase).map(|at| &begin[at..]);
    // The marks of lengths in UBJSON are letters too.
    let starts = |word: &&[u8]| first.is_some_and(|first| first.windows(word.len()).take(12).any(|part| part == *word));
    holds(b"learner") && keys.iter().any(starts)
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
