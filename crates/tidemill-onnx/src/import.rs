//! Loads a file of another program, by its extension and first bytes, or a package.

use std::path::Path;

use tidemill_model::{ImportedModel, Importer, LoadedModel, Model, ModelError, TensorInfo, TensorValue, read_bounded};

use crate::OnnxOptions;
use crate::foreign::{Description, FILE_BYTES_MAX, ForeignTrees, Format, find_model_file, lightgbm, xgboost};
use crate::onnx::EngineError;

/// An [`Importer`] for model files, with options for ONNX models.
#[derive(Debug, Clone, Default)]
pub struct ModelReader {
    /// How ONNX models are run.
    pub onnx: OnnxOptions,
}

impl Importer for ModelReader {
    fn parse(&self, bytes: &[u8], file: &Path) -> Result<ImportedModel, ModelError> {
        parse_with(bytes, file, &self.onnx)
    }
}

/// Reads the model in `path`, by its extension and its first bytes. Errors give the position and the reason for a
/// truncated or damaged file, and name unsupported features of its format.
pub fn import(path: impl AsRef<Path>) -> Result<ImportedModel, ModelError> {
    import_with(path, &OnnxOptions::default())
}

/// As [`import`], with options for ONNX models.
pub fn import_with(path: impl AsRef<Path>, onnx: &OnnxOptions) -> Result<ImportedModel, ModelError> {
    let path = path.as_ref();
    parse_with(&read_bounded(path, FILE_BYTES_MAX)?, path, onnx)
}

/// As [`import`], for bytes in memory; `path` is the file's name, for its format and for errors.
pub fn parse(bytes: &[u8], path: &Path) -> Result<ImportedModel, ModelError> {
    parse_with(bytes, path, &OnnxOptions::default())
}

/// As [`parse`], with options for ONNX models.
pub fn parse_with(bytes: &[u8], path: &Path, onnx: &OnnxOptions) -> Result<ImportedModel, ModelError> {
    let refuse = |reason: String| ModelError::Package { file: path.to_owned(), reason };
    let parts = match Format::of(path, bytes).map_err(refuse)? {
        Format::LightGbm => lightgbm::parse(bytes).map_err(refuse)?,
        Format::XgBoost => xgboost::parse(bytes).map_err(refuse)?,
        Format::Onnx => crate::onnx::parse(bytes, path, onnx).map_err(|error| match error {
            EngineError::Graph(reason) => refuse(reason),
            EngineError::Library(reason) => ModelError::Engine { file: path.to_owned(), reason: Box::new(reason) },
        })?,
    };
    Ok(ImportedModel::new(path, bytes.len() as u64, parts))
}

/// Reads the trees of a LightGBM or XGBoost model, to be trained further.
pub fn read_trees(path: impl AsRef<Path>) -> Result<ForeignTrees, ModelError> {
    let path = path.as_ref();
    let bytes = read_bounded(path, FILE_BYTES_MAX)?;
    let refuse = |reason: String| ModelError::Package { file: path.to_owned(), reason };
    let description = match Format::of(path, &bytes).map_err(refuse)? {
        Format::LightGbm => lightgbm::describe(&bytes),
        Format::XgBoost => xgboost::describe(&bytes),
        Format::Onnx => {
            Err("it is an ONNX model, and only trees of LightGBM and XGBoost are trained further".to_owned())
        }
    };
    description.and_then(Description::trees).map_err(refuse)
}

/// The model file that `path` means, or `None` for the folder of a package.
pub fn model_file(path: impl AsRef<Path>) -> Result<Option<std::path::PathBuf>, ModelError> {
    find_model_file(path.as_ref())
}

/// The files beside an ONNX model that hold its tensors, as the model names them.
pub fn external_files(path: impl AsRef<Path>) -> Result<Vec<std::path::PathBuf>, ModelError> {
    let path = path.as_ref();
    let bytes = read_bounded(path, FILE_BYTES_MAX)?;
    let refuse = |reason: String| ModelError::Package { file: path.to_owned(), reason };
    match Format::of(path, &bytes).map_err(refuse)? {
        Format::Onnx => crate::onnx::external_files(&bytes).map_err(refuse),
        Format::LightGbm | Format::XgBoost => Ok(Vec::new()),
    }
}

/// Values that a model is likely to run on, for measurements: `rows` rows, and `open` for every other open size.
pub fn sample_inputs(inputs: &[TensorInfo], rows: usize, open: usize) -> Result<Vec<TensorValue>, String> {
    crate::onnx::sample_inputs(inputs, rows, open)
}

/// Loads the package in a folder, whatever its learner.
pub fn load_package(dir: impl AsRef<Path>) -> Result<Model, ModelError> {
    load_package_with(dir, &OnnxOptions::default())
}

/// As [`load_package`], with options for an ONNX model as its learner.
pub fn load_package_with(dir: impl AsRef<Path>, onnx: &OnnxOptions) -> Result<Model, ModelError> {
    Model::load_with(dir, &ModelReader { onnx: onnx.clone() })
}

/// Loads the model at `path`: the folder of a package, a model file, or a folder with one model file.
pub fn load_model(path: impl AsRef<Path>) -> Result<LoadedModel, ModelError> {
    load_model_with(path, &OnnxOptions::default())
}

/// As [`load_model`], with options for ONNX models.
pub fn load_model_with(path: impl AsRef<Path>, onnx: &OnnxOptions) -> Result<LoadedModel, ModelError> {
    let path = path.as_ref();
    match find_model_file(path)? {
        Some(file) => import_with(file, onnx).map(LoadedModel::Imported),
        None => load_package_with(path, onnx).map(|model| LoadedModel::Package(Box::new(model))),
    }
}
