//! Errors of the ONNX Runtime library.

use std::path::PathBuf;

use tidemill_core::{Code, Coded};

/// Why ONNX Runtime is not available.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxRuntimeError {
    /// The binary was built without the feature.
    #[error("ONNX Runtime is asked for, and this binary was built without it")]
    NotBuilt,
    /// The named file does not exist.
    #[error("there is no library of ONNX Runtime at `{}`", library.display())]
    NotFound {
        /// The file.
        library: PathBuf,
    },
    /// The system cannot load it, or it is another library.
    #[error("`{}` cannot be loaded as ONNX Runtime: {reason}", library.display())]
    NotLoaded {
        /// The file, or the name that was searched for.
        library: PathBuf,
        /// The system's message.
        reason: String,
    },
    /// It is older than required.
    #[error("`{}` is ONNX Runtime {found}, and {least} or newer is needed", library.display())]
    TooOld {
        /// The file.
        library: PathBuf,
        /// Its version.
        found: String,
        /// The oldest supported version.
        least: String,
    },
    /// The process has already loaded another one.
    #[error("`{}` cannot be loaded: ONNX Runtime is loaded from `{}`", library.display(), loaded.display())]
    Another {
        /// The file.
        library: PathBuf,
        /// The one that is loaded.
        loaded: PathBuf,
    },
}

impl Coded for OnnxRuntimeError {
    fn code(&self) -> Code {
        Code::OnnxRuntime
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotBuilt => "build it with `--features onnxruntime`, or ask for another engine".to_owned(),
            Self::Another { .. } => "start another process for the other library".to_owned(),
            Self::NotFound { .. } | Self::NotLoaded { .. } | Self::TooOld { .. } => format!(
                "name the file with `--onnxruntime` or TIDEMILL_ONNXRUNTIME: `{}onnxruntime{}` in `lib/` of a release of \
                 ONNX Runtime, or in `onnxruntime/capi/` of its Python package",
                std::env::consts::DLL_PREFIX,
                std::env::consts::DLL_SUFFIX
            ),
        })
    }
}
