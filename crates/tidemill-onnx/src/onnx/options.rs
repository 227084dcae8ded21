//! Options for running ONNX models.

use std::num::NonZero;
use std::path::PathBuf;

use super::library_error::OnnxRuntimeError;
use super::runtime;

/// Options for running ONNX models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnnxOptions {
    /// The engine. Default: [`OnnxEngine::Auto`].
    pub engine: OnnxEngine,
    /// The shared library of ONNX Runtime, 1.17 or newer. Default: none; if `engine` requires it, the library with the
    /// platform's name, beside the binary or on the system's search path.
    pub library: Option<PathBuf>,
    /// ONNX Runtime's threads per batch. Default: 1, which gives the same answer every time.
    pub threads: NonZero<usize>,
}

/// The engine that runs a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnnxEngine {
    /// The interpreter if it has all operators and the graph is not a network of large matrices; else tract if it has
    /// them; else the interpreter after all, or ONNX Runtime if its library is named. Other software on the machine
    /// does not affect the choice.
    #[default]
    Auto,
    /// The interpreter only.
    Native,
    /// tract only.
    Tract,
    /// ONNX Runtime only.
    OnnxRuntime,
}

impl Default for OnnxOptions {
    fn default() -> Self {
        Self { engine: OnnxEngine::Auto, library: None, threads: NonZero::<usize>::MIN }
    }
}

impl OnnxOptions {
    /// Loads the library of ONNX Runtime if these options require it, so that a server reports errors at startup.
    pub fn check(&self) -> Result<(), OnnxRuntimeError> {
        if self.engine == OnnxEngine::OnnxRuntime || self.library.is_some() {
            runtime::check(self.library.as_deref())?;
        }
        Ok(())
    }
}
