//! Loading: a file of another program by its extension and first bytes, or a package.

use std::path::Path;

use tidemill_model::{AnyModel, ImportedModel, Importer, Model, ModelError, read_bounded};

use crate::OnnxOptions;
use crate::foreign::{FILE_BYTES_MAX, Format, find_model_file, lightgbm, xgboost};
use crate::onnx::NoEngine;

/// Reads model files, with ONNX models run as its options say.
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

/// Reads the model in `path`, by its extension and its first bytes. Refused with the place and the reason: a file that
/// is cut short or damaged, and what of its format this version cannot run, by name.
pub fn import(path: impl AsRef<Path>) -> Result<ImportedModel, ModelError> {
    import_with(path, &OnnxOptions::default())
}

/// As [`import`], with ONNX models run as `onnx` says.
pub fn import_with(path: impl AsRef<Path>, onnx: &OnnxOptions) -> Result<ImportedModel, ModelError> {
    let path = path.as_ref();
    parse_with(&read_bounded(path, FILE_BYTES_MAX)?, path, onnx)
}

/// As [`import`], of bytes at hand; `path` says what they are and is for errors.
pub fn parse(bytes: &[u8], path: &Path) -> Result<ImportedModel, ModelError> {
    parse_with(bytes, path, &OnnxOptions::default())
}

/// As [`parse`], with ONNX models run as `onnx` says.
pub fn parse_with(bytes: &[u8], path: &Path, onnx: &OnnxOptions) -> Result<ImportedModel, ModelError> {
    let refuse = |reason: String| ModelError::Package { file: path.to_owned(), reason };
    let parts = match Format::of(path, bytes).map_err(refuse)? {
        Format::LightGbm => lightgbm::parse(bytes).map_err(refuse)?,
        Format::XgBoost => xgboost::parse(bytes).map_err(refuse)?,
        Format::Onnx => crate::onnx::parse(bytes, path, onnx).map_err(|error| match error {
            NoEngine::Graph(reason) => refuse(reason),
            NoEngine::Library(reason) => ModelError::Engine { file: path.to_owned(), reason: Box::new(reason) },
        })?,
    };
    Ok(ImportedModel::new(path, bytes.len() as u64, parts))
}

/// Loads the package in a folder, whatever its learner is.
pub fn load_package(dir: impl AsRef<Path>) -> Result<Model, ModelError> {
    load_package_with(dir, &OnnxOptions::default())
}

/// As [`load_package`], with an ONNX model as its learner run as `onnx` says.
pub fn load_package_with(dir: impl AsRef<Path>, onnx: &OnnxOptions) -> Result<Model, ModelError> {
    Model::load_with(dir, &ModelReader { onnx: onnx.clone() })
}

/// Loads what `path` holds: the folder of a package, a model file, or a folder with one model file.
pub fn load_model(path: impl AsRef<Path>) -> Result<AnyModel, ModelError> {
    load_model_with(path, &OnnxOptions::default())
}

/// As [`load_model`], with ONNX models run as `onnx` says.
pub fn load_model_with(path: impl AsRef<Path>, onnx: &OnnxOptions) -> Result<AnyModel, ModelError> {
    let path = path.as_ref();
    match find_model_file(path)? {
        Some(file) => import_with(file, onnx).map(AnyModel::Imported),
        None => load_package_with(path, onnx).map(|model| AnyModel::Package(Box::new(model))),
    }
}
