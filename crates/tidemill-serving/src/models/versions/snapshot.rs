//! The view that requests have of the versions.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{ModelStatus, VersionState, VersionStatus};

/// The version of a model that a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selector {
    /// No version in particular.
    Latest,
    /// This version.
    Version(u64),
    /// The version that a label leads to.
    Label(String),
}

/// Why no version answers the request. Messages are TF Serving's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResolveError {
    /// The model or the version is not listed.
    #[error("Servable not found for request: {0}")]
    NotFound(String),
    /// The version (or the model, if none was named) is listed but not available.
    #[error("Servable not found for request: {0}")]
    NotAvailable(String),
    /// The model has no such label.
    #[error("Unrecognized servable version label: {0}")]
    UnknownLabel(String),
}

/// Everything that is served at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot<T: ?Sized> {
    pub(super) models: BTreeMap<String, ServedModel<T>>,
}

/// One model in a snapshot.
#[derive(Debug)]
pub(crate) struct ServedModel<T: ?Sized> {
    pub(super) available: BTreeMap<u64, Arc<T>>,
    pub(super) latest: Option<Arc<T>>,
    pub(super) latest_version: Option<u64>,
    pub(super) labels: HashMap<String, u64>,
    pub(super) statuses: Vec<VersionStatus>,
}

impl<T: ?Sized> Default for Snapshot<T> {
    fn default() -> Self {
        Self { models: BTreeMap::new() }
    }
}

impl<T: ?Sized> Snapshot<T> {
    /// The loaded version that answers for `name`.
    pub(crate) fn resolve(&self, name: &str, selector: &Selector) -> Result<Arc<T>, ResolveError> {
        let request = || match selector {
            Selector::Version(version) => format!("Specific({name}, {version})"),
            Selector::Latest | Selector::Label(_) => format!("Latest({name})"),
        };
        let model = self.models.get(name).ok_or_else(|| ResolveError::NotFound(request()))?;
        let found = match selector {
            Selector::Latest => model.latest.as_ref(),
            Selector::Version(version) => match model.available.get(version) {
                None if !model.statuses.iter().any(|status| status.version == *version) => {
                    return Err(ResolveError::NotFound(request()));
                }
                found => found,
            },
            Selector::Label(label) => match model.labels.get(label) {
                None => return Err(ResolveError::UnknownLabel(label.clone())),
                Some(version) => model.available.get(version),
            },
        };
        found.cloned().ok_or_else(|| ResolveError::NotAvailable(request()))
    }

    /// The states of a model's versions, highest first; with a selector of one version, of that one.
    pub(crate) fn status(&self, name: &str, selector: &Selector) -> Result<Vec<VersionStatus>, ResolveError> {
        let model = self
            .models
            .get(name)
            .ok_or_else(|| ResolveError::NotFound(format!("Could not find any versions of model {name}")))?;
        let version = match selector {
            Selector::Latest => return Ok(model.statuses.clone()),
            Selector::Version(version) => *version,
            Selector::Label(label) => {
                *model.labels.get(label).ok_or_else(|| ResolveError::UnknownLabel(label.clone()))?
            }
        };
        let status = model.statuses.iter().find(|status| status.version == version);
        status
            .map(|status| vec![status.clone()])
            .ok_or_else(|| ResolveError::NotFound(format!("Could not find version {version} of model {name}")))
    }

    /// Whether the model is listed.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.models.contains_key(name)
    }

    /// The name of the only model, if there is one model.
    pub(crate) fn single_model_name(&self) -> Option<&str> {
        let mut names = self.models.keys();
        names.next().filter(|_| names.next().is_none()).map(String::as_str)
    }

    /// The versions of a model that answer requests, lowest first. `None`: no such model.
    pub(crate) fn available(&self, name: &str) -> Option<impl Iterator<Item = u64>> {
        self.models.get(name).map(|model| model.available.keys().copied())
    }

    /// Every version that answers requests.
    pub(crate) fn loaded(&self) -> impl Iterator<Item = &T> {
        self.models.values().flat_map(|model| model.available.values()).map(Arc::as_ref)
    }

    /// Whether every listed model answers requests.
    pub(crate) fn is_ready(&self) -> bool {
        self.models.values().all(|model| model.latest.is_some())
    }

    /// Whether no load is pending: every listed version is available or has failed.
    pub(crate) fn loads_finished(&self) -> bool {
        let moving = |status: &VersionStatus| matches!(status.state, VersionState::Start | VersionState::Loading);
        !self.models.values().flat_map(|model| &model.statuses).any(moving)
    }

    /// The state of everything, for status pages.
    pub(crate) fn statuses(&self) -> Vec<ModelStatus> {
        let status = |(name, model): (&String, &ServedModel<T>)| {
            let mut labels: Vec<_> = model.labels.iter().map(|(label, version)| (label.clone(), *version)).collect();
            labels.sort();
            ModelStatus { name: name.clone(), versions: model.statuses.clone(), labels, latest: model.latest_version }
        };
        self.models.iter().map(status).collect()
    }
}
