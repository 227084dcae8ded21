//! Where the server learns which model versions it should serve.

mod configured;
mod fixed;
mod folder;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use async_trait::async_trait;

use crate::{ModelConfig, ModelLog};

pub use configured::ConfiguredSource;
pub use fixed::StaticSource;
pub use folder::FolderSource;

/// One version of a model that should be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Servable {
    /// The model's name, as clients ask for it.
    pub name: String,
    /// The version.
    pub version: u64,
    /// The folder of the model package.
    pub path: PathBuf,
    /// Labels (aliases) that should lead to this version.
    pub labels: Vec<String>,
    /// Requests that name neither version nor label go to this one. Where no version of a model says so, they go
    /// to the one with the highest number, as in TF Serving.
    pub default: bool,
}

/// Lists what should be served. The server asks every `poll_interval` and makes it so.
///
/// The source decides the policy (latest, all, those with an alias): whatever it lists is served, whatever it no
/// longer lists is unloaded once its replacement is available. An error changes nothing: the server keeps what it
/// has and asks again.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// Everything that should be served now, in any order.
    async fn list(&self) -> Result<Vec<Servable>, SourceError>;

    /// Names of models that must answer before the server is ready, also where no version of them is there yet.
    fn expected(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether the server may be ready while nothing is listed. A source that names a registry, a bucket or folders is not
    /// ready as long as it is empty.
    fn may_be_empty(&self) -> bool {
        false
    }

    /// The models of the configuration, if there is one.
    fn configured(&self) -> Vec<ModelConfig> {
        Vec::new()
    }

    /// The logs that single models have, besides that of all.
    fn logs(&self) -> BTreeMap<String, Vec<ModelLog>> {
        BTreeMap::new()
    }

    /// Lists the versions of these models from now on (TF Serving's `HandleReloadConfigRequest`). A source that is not
    /// configured by request says so.
    fn configure(&self, models: Vec<ModelConfig>) -> Result<(), SourceError> {
        drop(models);
        Err(SourceError::new(
            "models are not configured by request: what is served follows the registry, or the folder of versions, \
             the server was started with",
        ))
    }
}

/// The source could not say what should be served.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    message: String,
    /// What was asked for is wrong, not the source.
    wrong_request: bool,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl SourceError {
    /// An error that says what could not be read.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), wrong_request: false, source: None }
    }

    /// The same error, for what was asked of the source.
    pub(crate) fn of_request(mut self) -> Self {
        self.wrong_request = true;
        self
    }

    /// Whether what was asked for is wrong.
    pub(crate) fn is_of_request(&self) -> bool {
        self.wrong_request
    }

    /// The same error with its cause.
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

/// Which versions of a folder are served, as in TF Serving's `model_version_policy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionPolicy {
    /// The so many highest versions.
    Latest(usize),
    /// Every version.
    All,
    /// These versions.
    Specific(BTreeSet<u64>),
}

impl Default for VersionPolicy {
    fn default() -> Self {
        Self::Latest(1)
    }
}

impl VersionPolicy {
    /// Keeps the versions to serve; `versions` must be sorted upwards.
    fn select(&self, mut versions: Vec<(u64, PathBuf)>) -> Vec<(u64, PathBuf)> {
        match self {
            Self::Latest(count) => versions.split_off(versions.len().saturating_sub(*count)),
            Self::All => versions,
            Self::Specific(wanted) => {
                versions.retain(|(version, _)| wanted.contains(version));
                versions
            }
        }
    }
}
