//! A model version in memory.

use std::panic::AssertUnwindSafe;
use std::path::Path;

use tidemill_core::Signature;
use tidemill_model::Model;

use super::table::Load;

/// A loaded and checked model version.
#[derive(Debug)]
pub(crate) struct LoadedModel {
    pub(crate) name: String,
    pub(crate) version: u64,
    pub(crate) model: Model,
}

impl LoadedModel {
    /// Loads the package and replays its recorded rows: a version that does not reproduce them never answers a
    /// request. The error says all there is to say, and a panic on the way is an error too.
    pub(super) fn load(load: &Load) -> Result<Self, String> {
        let model = std::panic::catch_unwind(AssertUnwindSafe(|| load_and_replay(&load.path)))
            .unwrap_or_else(|_| Err("loading the package panicked".to_owned()))?;
        Ok(Self { name: load.name.clone(), version: load.version, model })
    }

    /// What the model takes and gives.
    pub(crate) fn signature(&self) -> &Signature {
        self.model.signature()
    }
}

fn load_and_replay(path: &Path) -> Result<Model, String> {
    let model = Model::load(path).map_err(|error| with_causes(&error))?;
    model.replay_sample().map_err(|error| with_causes(&error))?;
    Ok(model)
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
