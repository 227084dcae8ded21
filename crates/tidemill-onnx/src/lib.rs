//! Models of other programs: ONNX models are run and written, trees of LightGBM and XGBoost run on the native executor,
//! and what a TensorFlow `SavedModel` or a `TFLite` model says of itself is read.
//!
//! [`import`] reads a file into an [`ImportedModel`](tidemill_model::ImportedModel); [`load_model`] loads a package or such
//! a file. [`export_onnx`] writes transform graph and learner as one ONNX model, [`OnnxExporter`] does so for packages.

mod export;
mod foreign;
mod import;
mod inspect;
mod onnx;

pub use export::{OnnxExporter, Unseen, export_onnx};
pub use import::{
    ModelReader, import, import_with, load_model, load_model_with, load_package, load_package_with, parse, parse_with,
};
pub use inspect::{OtherGraph, OtherModel, OtherSignature, OtherTensor, inspect};
pub use onnx::{OnnxEngine, OnnxOptions, OnnxRuntimeError};
