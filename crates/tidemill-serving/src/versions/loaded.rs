//! A model version in memory.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidemill_core::Signature;
use tidemill_model::AnyModel;

use super::table::Load;
use crate::BatchingOptions;
use crate::batching::Batcher;
use crate::input_check::InputChecks;
use crate::metrics::Metrics;
use crate::warmup;

/// A loaded and checked model version.
#[derive(Debug)]
pub(crate) struct LoadedModel {
    pub(crate) name: String,
    pub(crate) version: u64,
    pub(crate) model: AnyModel,
    /// Puts requests together, if that is worth while.
    pub(crate) batcher: Option<Arc<Batcher>>,
    /// What its inputs must be like, where the package says so.
    pub(crate) checks: Option<InputChecks>,
}

impl LoadedModel {
    /// Loads the package, or the model file of another program, replays recorded rows and answers the warm-up requests
    /// beside it: a version that does not reproduce the former or cannot answer the latter never answers a request. The
    /// error says all there is to say, and a panic on the way is an error too.
    pub(super) fn load(
        load: &Load,
        batching: &BatchingOptions,
        timeout: Duration,
        metrics: &Metrics,
    ) -> Result<Self, String> {
        let work = || {
            let model = load_and_replay(&load.path)?;
            let batcher =
                batching.policy_for(&model).map(|policy| Batcher::new(policy, timeout, metrics.batches(&load.name)));
            let checks = InputChecks::load(&load.path, &model)?;
            let loaded = Self { name: load.name.clone(), version: load.version, model, batcher, checks };
            let records = warmup::replay(&load.path, &loaded)?;
            tracing::debug!(model = load.name, version = load.version, records, "warm-up requests are answered");
            Ok(loaded)
        };
        std::panic::catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|_| Err("loading the package panicked".to_owned()))
    }

    /// A model with no server around it.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn alone(name: &str, path: &Path) -> Result<Self, String> {
        Ok(Self { name: name.to_owned(), version: 1, model: load_and_replay(path)?, batcher: None, checks: None })
    }

    /// What the model takes and gives.
    pub(crate) fn signature(&self) -> &Signature {
        self.model.signature()
    }
}

fn load_and_replay(path: &Path) -> Result<AnyModel, String> {
    let model = AnyModel::load(path).map_err(|error| with_causes(&error))?;
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
