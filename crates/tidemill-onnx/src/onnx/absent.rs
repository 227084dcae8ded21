//! Replaces ONNX Runtime in a build without it.

use std::path::Path;

use tidemill_model::TensorInfo;

use super::engine::EngineError;
use super::generated::ModelProto;
use super::library_error::OnnxRuntimeError;
use super::options::OnnxOptions;
use super::value::Tensor;

/// Never constructed.
#[derive(Debug)]
pub(super) enum OnnxRuntime {}

/// The reason in the message if nothing else can run a model.
pub(super) const ADVICE: &str = "";

pub(super) fn check(_: Option<&Path>) -> Result<(), OnnxRuntimeError> {
    Err(OnnxRuntimeError::NotBuilt)
}

impl OnnxRuntime {
    pub(super) fn new(_: &ModelProto, _: &[TensorInfo], _: &OnnxOptions) -> Result<Self, EngineError> {
        Err(OnnxRuntimeError::NotBuilt.into())
    }

    pub(super) fn name(&self) -> String {
        match *self {}
    }

    pub(super) fn is_single(&self) -> bool {
        match *self {}
    }

    pub(super) fn run(&self, _: &[Tensor]) -> Result<Vec<Tensor>, String> {
        match *self {}
    }
}
