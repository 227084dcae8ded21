//! Administrative operations: reconfigure, load, unload.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use tokio::sync::{mpsc, oneshot};

use crate::inference::request_error::RequestError;
use crate::models::versions::{Models, VersionState};
use crate::server::access::{AllowedRoots, Caller};
use crate::{ModelConfig, Source};

/// How long a client waits for a load. After that it gets an answer and the load goes on.
const LOADING_MAX: Duration = Duration::from_mins(5);

/// Names of models that clients have unloaded. The manager ignores the source's versions of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unloaded(Arc<Mutex<BTreeSet<String>>>);

impl Unloaded {
    fn names(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.names().contains(name)
    }
}

/// Changes what is served, at the request of clients. Every attempt is logged with the name of the client's key.
pub(crate) struct ModelControl {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) polls: mpsc::Sender<oneshot::Sender<()>>,
    pub(crate) models: Arc<Models>,
    pub(crate) unloaded: Unloaded,
    pub(crate) options: ControlOptions,
}

/// What clients may change.
#[derive(Debug, Default)]
pub(crate) struct ControlOptions {
    /// Whether model control is enabled.
    pub(crate) allowed: bool,
    /// Folders that base paths in client configurations must be under.
    pub(crate) model_roots: AllowedRoots,
    /// Folders that log prefixes in client configurations must be under.
    pub(crate) log_roots: AllowedRoots,
}

/// A model, or one version of it, in the repository index.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RepositoryEntry {
    pub(crate) name: String,
    pub(crate) version: Option<u64>,
    pub(crate) state: &'static str,
    pub(crate) reason: String,
}

impl fmt::Debug for ModelControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelControl").field("options", &self.options).finish_non_exhaustive()
    }
}

impl ModelControl {
    /// Serves `models` instead of the current configuration, and waits until they are loaded. Returns the versions that
    /// failed to load.
    pub(crate) async fn configure(
        &self,
        caller: &Caller,
        models: Vec<ModelConfig>,
    ) -> Result<Vec<String>, RequestError> {
        let names: BTreeSet<String> = models.iter().map(|model| model.name.clone()).collect();
        let subject = names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let work = async {
            self.check_allowed()?;
            self.check_paths(&models)?;
            self.source.configure(models).map_err(|error| {
                let status = if error.is_of_request() { StatusCode::BAD_REQUEST } else { StatusCode::NOT_IMPLEMENTED };
                RequestError::new(status, error.to_string())
            })?;
            self.wait_until_loaded().await?;
            let mut broken = self.broken(|name| names.contains(name));
            let served = self.models.snapshot();
            broken
                .extend(names.iter().filter(|name| !served.contains(name)).map(|name| format!("{name}: no versions")));
            Ok(broken)
        };
        logged(caller, "reconfigure", &subject, work.await)
    }

    /// Loads a model that was unloaded, or checks it for new versions.
    pub(crate) async fn load(&self, caller: &Caller, name: &str) -> Result<(), RequestError> {
        let work = async {
            self.check_allowed()?;
            self.unloaded.names().remove(name);
            self.wait_until_loaded().await?;
            let served = self.models.snapshot();
            if served.available(name).is_some_and(|mut versions| versions.next().is_some()) {
                return Ok(());
            }
            let failed = |status, why: &str| Err(RequestError::new(status, format!("failed to load {why}")));
            match self.broken(|model| model == name).into_iter().next() {
                Some(broken) => failed(StatusCode::SERVICE_UNAVAILABLE, &broken),
                None => failed(StatusCode::NOT_FOUND, &format!("`{name}`: there is no such model")),
            }
        };
        logged(caller, "load", name, work.await)
    }

    /// Unloads a model until [`load`](Self::load) loads it again.
    pub(crate) async fn unload(&self, caller: &Caller, name: &str) -> Result<(), RequestError> {
        let work = async {
            self.check_allowed()?;
            if !self.models.snapshot().contains(name) && !self.unloaded.contains(name) {
                let message = format!("failed to unload `{name}`: there is no such model");
                return Err(RequestError::new(StatusCode::NOT_FOUND, message));
            }
            self.unloaded.names().insert(name.to_owned());
            self.wait_until_loaded().await
        };
        logged(caller, "unload", name, work.await)
    }

    /// Every known version and every unloaded model; with `ready` only those that answer requests.
    pub(crate) fn index(&self, ready: bool) -> Vec<RepositoryEntry> {
        let mut entries = Vec::new();
        for model in self.models.snapshot().statuses() {
            for version in model.versions {
                let state = match version.state {
                    VersionState::Available => "READY",
                    VersionState::Start | VersionState::Loading => "LOADING",
                    VersionState::Unloading => "UNLOADING",
                    VersionState::End => "UNAVAILABLE",
                };
                let (version, reason) = (Some(version.version), version.error.unwrap_or_default());
                entries.push(RepositoryEntry { name: model.name.clone(), version, state, reason });
            }
        }
        for name in self.unloaded.names().iter() {
            let reason = "unloaded".to_owned();
            entries.push(RepositoryEntry { name: name.clone(), version: None, state: "UNAVAILABLE", reason });
        }
        entries.retain(|entry| !ready || entry.state == "READY");
        entries
    }

    fn check_allowed(&self) -> Result<(), RequestError> {
        if self.options.allowed {
            return Ok(());
        }
        let message = "model control is disabled (start the server with `--model-control on`)";
        Err(RequestError::new(StatusCode::FORBIDDEN, message))
    }

    /// Checks a path from a client: allowed are the current paths of its models, and others under the allowed roots.
    fn check_paths(&self, models: &[ModelConfig]) -> Result<(), RequestError> {
        let configured = self.source.configured();
        for model in models {
            let before = configured.iter().find(|other| other.name == model.name);
            let refused = |what: &str, path: &Path, flag: &str| {
                let (name, path) = (&model.name, path.display());
                let message = format!("model `{name}`: the {what} `{path}` is under no allowed root (see `{flag}`)");
                Err(RequestError::new(StatusCode::FORBIDDEN, message))
            };
            let same = before.is_some_and(|before| before.base_path == model.base_path);
            if !same && !self.options.model_roots.allow(&model.base_path) {
                return refused("base path", &model.base_path, "--model-root");
            }
            for log in &model.logs {
                let same = before.is_some_and(|before| before.logs.iter().any(|other| other.prefix == log.prefix));
                if !same && !self.options.log_roots.allow(&log.prefix) {
                    return refused("log prefix", &log.prefix, "--log-root");
                }
            }
        }
        Ok(())
    }

    fn broken(&self, of: impl Fn(&str) -> bool) -> Vec<String> {
        let statuses = self.models.snapshot().statuses().into_iter().filter(|model| of(&model.name));
        let broken = statuses.flat_map(|model| {
            let name = model.name;
            let errors = model.versions.into_iter().filter_map(|version| Some((version.version, version.error?)));
            errors.map(move |(version, error)| format!("{name} version {version}: {error}"))
        });
        broken.collect()
    }

    /// Polls the source and waits until nothing is being loaded.
    async fn wait_until_loaded(&self) -> Result<(), RequestError> {
        let gone = || RequestError::new(StatusCode::SERVICE_UNAVAILABLE, "the server is shutting down");
        let (applied, done) = oneshot::channel();
        self.polls.send(applied).await.map_err(|_| gone())?;
        done.await.map_err(|_| gone())?;
        let mut progress = self.models.progress();
        let loads_finished = progress.wait_for(|progress| progress.listed && progress.loads_finished);
        let late =
            |_| RequestError::new(StatusCode::GATEWAY_TIMEOUT, "loading goes on: ask for the state of the model");
        tokio::time::timeout(LOADING_MAX, loads_finished).await.map_err(late)?.map_err(|_| gone())?;
        Ok(())
    }
}

/// Logs a change to the models that a client made or attempted.
fn logged<T>(caller: &Caller, act: &str, models: &str, result: Result<T, RequestError>) -> Result<T, RequestError> {
    let key = caller.name();
    match &result {
        Ok(_) => tracing::info!(key, act, models, "model control"),
        Err(error) => tracing::warn!(key, act, models, error = error.message, "model control"),
    }
    result
}
