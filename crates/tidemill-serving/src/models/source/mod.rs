//! Where the server learns which model versions it should serve.

mod configured;
mod fixed;
mod folder;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use crate::endpoint::spec::EndpointSpec;
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
    /// Requests that name neither version nor label go to this version. If no version of a model sets this, they go to
    /// the highest number, as in TF Serving.
    pub default: bool,
}

/// Lists the model versions to serve. The server polls it every `poll_interval` and applies the list.
///
/// The source decides the policy (latest, all, those with an alias): the server serves everything it lists, and unloads
/// what it no longer lists once the replacement is available. An error changes nothing: the server keeps what it has
/// and polls again.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// Everything to serve now, in any order.
    async fn list(&self) -> Result<Vec<Servable>, SourceError>;

    /// Names of models that must answer before the server is ready, even if no version of them is listed yet.
    fn expected(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether the server may be ready while nothing is listed. A source that names a registry, a bucket or folders is
    /// not ready while it is empty.
    fn may_be_empty(&self) -> bool {
        false
    }

    /// The models of the configuration, if there is one.
    fn configured(&self) -> Vec<ModelConfig> {
        Vec::new()
    }

    /// The logs of single models, besides the log of all models.
    fn logs(&self) -> BTreeMap<String, Vec<ModelLog>> {
        BTreeMap::new()
    }

    /// The endpoints to serve, besides the models.
    fn endpoints(&self) -> Vec<Arc<EndpointSpec>> {
        Vec::new()
    }

    /// The folder in which the server keeps what endpoints must not forget in a restart: the positions of rollouts. Without
    /// it, they begin anew.
    fn endpoint_folder(&self) -> Option<PathBuf> {
        None
    }

    /// Lists the versions of these models from now on (TF Serving's `HandleReloadConfigRequest`). A source that cannot
    /// be configured by request returns an error.
    fn configure(&self, models: Vec<ModelConfig>) -> Result<(), SourceError> {
        drop(models);
        Err(SourceError::new(
            "models are not configured by request: what is served follows the registry, or the folder of versions, \
             the server was started with",
        ))
    }
}

/// The source could not list what to serve.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    message: String,
    /// Whether the request to the source is wrong, not the source.
    wrong_request: bool,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl SourceError {
    /// An error that says what could not be read.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), wrong_request: false, source: None }
    }

    /// The same error, as the fault of the request.
    pub(crate) fn of_request(mut self) -> Self {
        self.wrong_request = true;
        self
    }

    /// Whether the request is wrong, not the source.
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
    /// This many of the highest versions.
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
    /// Removes the versions that are not served; `versions` must be in ascending order.
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
