//! A model version in memory.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidemill_core::Signature;
use tidemill_model::Model;

use super::table::Load;
use crate::BatchingOptions;
use crate::batching::Batcher;
use crate::metrics::Metrics;

/// A loaded and checked model version.
#[derive(Debug)]
pub(crate) struct LoadedModel {
    pub(crate) name: String,
    pub(crate) version: u64,
    pub(crate) model: Model,
    /// Puts requests together, if that is worth while.
    pub(crate) batcher: Option<Arc<Batcher>>,
}

impl LoadedModel {
    /// Loads the package and replays its recorded rows: a version that does not reproduce them never answers a
    /// request. The error says all there is to say, and a panic on the way is an error too.
    pub(super) fn load(
        load: &Load,
        batching: &BatchingOptions,
        timeout: Duration,
        metrics: &Metrics,
    ) -> Result<Self, String> {
        let work = || {
            let model = load_and_replay(&load.path)?;
            let policy = batching.policy_for(&model);
            Ok((model, policy))
        };
        let (model, policy) = std::panic::catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|_| Err("loading the package panicked".to_owned()))?;
        let batcher = policy.map(|policy| Batcher::new(policy, timeout, metrics.batches(&load.name)));
        Ok(Self { name: load.name.clone(), version: load.version, model, batcher })
    }

    /// A model with no server around it.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn alone(name: &str, path: &Path) -> Result<Self, String> {
        Ok(Self { name: name.to_owned(), version: 1, model: load_and_replay(path)?, batcher: None })
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
