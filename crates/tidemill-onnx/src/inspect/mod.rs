//! Describes models that Tidemill cannot run: TensorFlow's `SavedModel` and `TFLite`.
//!
//! Only the description of a model is read: signatures with their tensors, and the names of the operators.

mod flatbuffer;
mod saved_model;
mod tflite;
mod wire;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use tidemill_model::ModelError;
use tidemill_model::read_bounded;

pub(crate) use tflite::is_tflite;

/// A larger file is rejected unread.
const FILE_BYTES_MAX: u64 = 2 << 30;
/// More tensors in signatures than this are rejected: a few bytes may refer to one repeatedly.
const TENSORS_MAX: usize = 1 << 14;
/// Operators listed in a message; `tidemill model show` lists all.
const OPERATORS_NAMED: usize = 30;

/// The default signature.
const DEFAULT_SIGNATURE: &str = "serving_default";
/// The file with the description of a `SavedModel`.
pub(crate) const SAVED_MODEL: &str = "saved_model.pb";

/// A model in a format that cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectedModel {
    /// The file that was read.
    pub path: PathBuf,
    /// The format: `TensorFlow SavedModel`.
    pub format: &'static str,
    /// The size of that file.
    pub bytes: u64,
    /// The program that wrote it, according to the file.
    pub version: String,
    /// The callable graphs: for each set of tags its signatures, by name.
    pub graphs: Vec<InspectedGraph>,
    /// Operators, with their number of uses.
    pub operators: BTreeMap<String, u64>,
}

/// One graph of a model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InspectedGraph {
    /// Its tags: `serve`.
    pub tags: Vec<String>,
    /// By name.
    pub signatures: BTreeMap<String, InspectedSignature>,
}

/// A signature: one way to call a graph.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InspectedSignature {
    /// `tensorflow/serving/predict`; empty where the format has none.
    pub method: String,
    /// Inputs by name.
    pub inputs: BTreeMap<String, InspectedTensor>,
    /// Outputs by name.
    pub outputs: BTreeMap<String, InspectedTensor>,
}

/// A tensor of a signature.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InspectedTensor {
    /// Its name in the graph.
    pub name: String,
    /// With the Open Inference Protocol's name, if it has one: `FP32`.
    pub datatype: String,
    /// −1 for a size that is not fixed; `None` if the number of sizes is not fixed either.
    pub shape: Option<Vec<i64>>,
}

impl InspectedModel {
    /// The command that converts it to a model that can run, if all of its operators have counterparts in ONNX.
    pub fn conversion(&self) -> String {
        let (flag, path) = match self.path.parent() {
            Some(folder) if self.path.ends_with(SAVED_MODEL) => ("saved-model", folder),
            _ => ("tflite", self.path.as_path()),
        };
        let mut names = self.graphs.iter().flat_map(|graph| graph.signatures.keys());
        let signature = match names.clone().count() {
            0 | 1 => String::new(),
            _ => names
                .clone()
                .find(|name| *name == DEFAULT_SIGNATURE)
                .or_else(|| names.next())
                .map(|name| format!(" --signature_def {name}"))
                .unwrap_or_default(),
        };
        format!("python -m tf2onnx.convert --{flag} {}{signature} --output model.onnx", path.display())
    }

    /// Why it cannot run, for the message of a load.
    fn refusal(&self) -> String {
        let mut operators: Vec<&str> = self.operators.keys().take(OPERATORS_NAMED).map(String::as_str).collect();
        let more = self.operators.len() - operators.len();
        let and_more = format!("{more} more");
        if more > 0 {
            operators.push(&and_more);
        }
        format!(
            "this is a {} ({}), which this version does not run; its operators are {}; convert it to ONNX: `{}`",
            self.format,
            self.version,
            operators.join(", "),
            self.conversion()
        )
    }
}

/// Describes the model at `path` if it is one that cannot run: the folder of a `SavedModel`, a `TFLite` file, or a
/// folder with one. `None` if it is none of these. A truncated or damaged file is an error.
pub fn inspect(path: impl AsRef<Path>) -> Result<Option<InspectedModel>, ModelError> {
    let path = path.as_ref();
    let Some(file) = file_of(path) else { return Ok(None) };
    let bytes = read_bounded(&file, FILE_BYTES_MAX)?;
    match describe(&file, &bytes) {
        Ok(model) => Ok(Some(model)),
        Err(reason) => Err(ModelError::Package { file, reason }),
    }
}

/// Why the file `path` with the content `bytes`, a `SavedModel` or a `TFLite` model, cannot run.
pub(crate) fn refusal(path: &Path, bytes: &[u8]) -> String {
    describe(path, bytes).map_or_else(|reason| reason, |model| model.refusal())
}

/// As [`refusal`], for the folder of a `SavedModel`.
pub(crate) fn saved_model_refusal(folder: &Path) -> Result<String, ModelError> {
    let file = folder.join(SAVED_MODEL);
    Ok(refusal(&file, &read_bounded(&file, FILE_BYTES_MAX)?))
}

/// The only `TFLite` file of a folder.
pub(crate) fn single_tflite(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    let is_one = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "tflite") && file.is_file();
    let mut found: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_one).collect();
    if found.len() == 1 { found.pop() } else { None }
}

/// The file that describes a model that cannot run.
fn file_of(path: &Path) -> Option<PathBuf> {
    let saved_model = path.join(SAVED_MODEL);
    if saved_model.is_file() {
        return Some(saved_model);
    }
    if path.is_dir() {
        return single_tflite(path);
    }
    (path.ends_with(SAVED_MODEL) || starts_as_tflite(path)).then(|| path.to_owned())
}

fn starts_as_tflite(file: &Path) -> bool {
    let mut start = [0; 8];
    std::fs::File::open(file).and_then(|mut file| file.read_exact(&mut start)).is_ok() && is_tflite(&start)
}

fn describe(file: &Path, bytes: &[u8]) -> Result<InspectedModel, String> {
    let (format, read) = if is_tflite(bytes) {
        ("TFLite model", tflite::read(bytes))
    } else {
        ("TensorFlow SavedModel", saved_model::read(bytes))
    };
    let Described { version, graphs, operators } =
        read.map_err(|reason| format!("this is a {format}, which this version does not run, and damaged: {reason}"))?;
    Ok(InspectedModel { path: file.to_owned(), format, bytes: bytes.len() as u64, version, graphs, operators })
}

/// The result of parsing a format.
struct Described {
    version: String,
    graphs: Vec<InspectedGraph>,
    operators: BTreeMap<String, u64>,
}
