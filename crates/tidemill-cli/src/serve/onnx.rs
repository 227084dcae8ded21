//! How a command runs ONNX models.

use std::num::NonZero;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tidemill_serving::{OnnxEngine, OnnxOptions};

/// How ONNX models are run.
#[derive(Debug, Args)]
#[command(next_help_heading = "ONNX models")]
pub struct OnnxArgs {
    /// What runs them
    #[arg(
        long = "onnx-engine",
        alias = "onnx_engine",
        value_name = "ENGINE",
        default_value = "auto",
        env = "TIDEMILL_ONNX_ENGINE"
    )]
    pub onnx_engine: OnnxEngineName,
    /// Shared library of ONNX Runtime, 1.17 or newer [default: none; with `--onnx-engine onnxruntime`, the system's]
    #[arg(long = "onnxruntime", value_name = "FILE", env = "TIDEMILL_ONNXRUNTIME")]
    pub onnxruntime: Option<PathBuf>,
    /// Threads that ONNX Runtime works with on one batch
    #[arg(
        long = "onnxruntime-threads",
        alias = "onnxruntime_threads",
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=1024),
        env = "TIDEMILL_ONNXRUNTIME_THREADS"
    )]
    pub onnxruntime_threads: u16,
}

/// What runs ONNX models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnnxEngineName {
    /// The first of the others that can; ONNX Runtime only if its library is named
    Auto,
    /// The interpreter of Tidemill
    Native,
    /// tract
    Tract,
    /// ONNX Runtime
    Onnxruntime,
}

impl OnnxArgs {
    /// As the library takes them.
    pub fn options(&self) -> OnnxOptions {
        OnnxOptions {
            engine: match self.onnx_engine {
                OnnxEngineName::Auto => OnnxEngine::Auto,
                OnnxEngineName::Native => OnnxEngine::Native,
                OnnxEngineName::Tract => OnnxEngine::Tract,
                OnnxEngineName::Onnxruntime => OnnxEngine::OnnxRuntime,
            },
            library: self.onnxruntime.clone().filter(|file| !file.as_os_str().is_empty()),
            threads: NonZero::new(usize::from(self.onnxruntime_threads)).unwrap_or(NonZero::<usize>::MIN),
        }
    }
}
