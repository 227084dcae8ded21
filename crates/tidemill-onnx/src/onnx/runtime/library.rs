//! The shared library, loaded once per process.

use std::error::Error as _;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::LoadDynamicError;
use ort::environment::Environment;
use ort::logging::LogLevel;

use crate::onnx::library_error::OnnxRuntimeError;

/// The loaded library.
pub(super) struct Library {
    pub(super) environment: Environment,
    path: PathBuf,
    /// 31 of version 1.31.
    minor_version: u32,
}

static LOADED: Mutex<Option<Arc<Library>>> = Mutex::new(None);

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Library").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Library {
    /// Loads the library in the file `named`, else the one with the platform's name: beside the binary, or on the
    /// system's search path.
    pub(super) fn load(named: Option<&Path>) -> Result<Arc<Self>, OnnxRuntimeError> {
        let path = match named {
            None => format!("{}onnxruntime{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX).into(),
            Some(named) => {
                // A relative path starts at the process's folder, as everywhere.
                let path = std::path::absolute(named).unwrap_or_else(|_| named.to_owned());
                if !path.is_file() {
                    return Err(OnnxRuntimeError::NotFound { library: path });
                }
                path
            }
        };
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(library) = &*loaded {
            if library.path != path {
                return Err(OnnxRuntimeError::Another { library: path, loaded: library.path.clone() });
            }
            return Ok(Arc::clone(library));
        }
        let open = AssertUnwindSafe(|| open(path.clone()));
        let library = std::panic::catch_unwind(open).unwrap_or_else(|_| {
            Err(OnnxRuntimeError::NotLoaded {
                library: path,
                reason: "it does not have the calls it should".to_owned(),
            })
        })?;
        Ok(Arc::clone(loaded.insert(Arc::new(library))))
    }

    /// Its name for people.
    pub(super) fn name(&self) -> String {
        format!("ONNX Runtime 1.{}", self.minor_version)
    }
}

fn open(path: PathBuf) -> Result<Library, OnnxRuntimeError> {
    let not_loaded = |reason: String| OnnxRuntimeError::NotLoaded { library: path.clone(), reason };
    let builder = ort::init_from(&path).map_err(|error| match error {
        // The system's message is in the cause.
        LoadDynamicError::Dlopen { error, .. } => {
            not_loaded(error.source().map_or_else(|| error.to_string(), ToString::to_string))
        }
        LoadDynamicError::MissingApi { .. } => not_loaded("it has no `OrtGetApiBase`".to_owned()),
        LoadDynamicError::InvalidVersionString => not_loaded("its version is not text".to_owned()),
        LoadDynamicError::BadVersion { version_str, .. } => OnnxRuntimeError::TooOld {
            library: path.clone(),
            found: version_str,
            least: format!("1.{}", ort::MINOR_VERSION),
        },
    })?;
    let minor_version = ort::util::probe(&path).ok_or_else(|| not_loaded("its version is not 1".to_owned()))?;
    let environment = builder.with_name("tidemill").with_telemetry(false).build();
    let environment = environment.map_err(|error| not_loaded(error.to_string()))?;
    // Errors are returned, not raised.
    environment.set_log_level(LogLevel::Fatal);
    Ok(Library { environment, path, minor_version })
}
