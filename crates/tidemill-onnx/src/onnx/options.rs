//! What a caller says of how ONNX models are run.

use std::num::NonZero;
use std::path::PathBuf;

use super::library_error::OnnxRuntimeError;
use super::runtime;

/// How ONNX models are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnnxOptions {
    /// What runs them. Default: [`OnnxEngine::Auto`].
    pub engine: OnnxEngine,
    /// The shared library of ONNX Runtime, 1.17 or newer. Default: none, and where `engine` asks for it the name that the
    /// platform gives it, beside the binary or where the system looks for libraries.
    pub library: Option<PathBuf>,
    /// Threads that ONNX Runtime works with on one batch. Default: 1, which gives the same answer every time.
    pub threads: NonZero<usize>,
}

/// What runs a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnnxEngine {
    /// The interpreter where it has all operators and the graph is no network of large matrices; else tract where that
    /// has them; else the interpreter after all, or ONNX Runtime if its library is named. What else lies on the machine
    /// makes no difference.
    #[default]
    Auto,
    /// The interpreter, or nothing.
    Native,
    /// tract, or nothing.
    Tract,
    /// ONNX Runtime, or nothing.
    OnnxRuntime,
}

impl Default for OnnxOptions {
    fn default() -> Self {
        Self { engine: OnnxEngine::Auto, library: None, threads: NonZero::<usize>::MIN }
    }
}

impl OnnxOptions {
    /// Loads the library of ONNX Runtime where these options ask for one: a server says at once that it cannot.
    pub fn check(&self) -> Result<(), OnnxRuntimeError> {
        if self.engine == OnnxEngine::OnnxRuntime || self.library.is_some() {
            runtime::check(self.library.as_deref())?;
        }
        Ok(())
    }
}
