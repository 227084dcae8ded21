//! Models of other programs: runs and writes ONNX models, runs the trees of LightGBM and XGBoost on the native
//! executor, and describes TensorFlow `SavedModel` and `TFLite` models.
//!
//! [`import`] reads a file into an [`ImportedModel`](tidemill_model::ImportedModel); [`load_model`] loads a package or such
//! a file. [`export_onnx`] writes transform graph and learner as one ONNX model, [`OnnxExporter`] does so for packages.

mod export;
mod foreign;
mod import;
mod inspect;
mod onnx;

pub use export::{OnnxExporter, UnseenCategories, export_lightgbm, export_onnx, export_xgboost};
pub use foreign::{ForeignLink, ForeignTrees, is_model};
pub use import::{
    ModelReader, external_files, import, import_with, load_model, load_model_with, load_package, load_package_with,
    model_file, parse, parse_with, read_trees, sample_inputs,
};
pub use inspect::{InspectedGraph, InspectedModel, InspectedSignature, InspectedTensor, inspect};
pub use onnx::{OnnxEngine, OnnxOptions, OnnxRuntimeError};
