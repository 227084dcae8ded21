//! The endpoints of a server: their files, and the targets that they are now.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::build::{Built, Resolved, build, local};
use super::features::FeatureTable;
use super::remote::Remote;
use super::spec::{EndpointSpec, RuleSpec};
use super::state::EndpointState;
use super::status;
use super::target::EndpointTarget;
use crate::inference::compute_pool::PoolOptions;
use crate::inference::target::Target;
use crate::models::targets::NamedTargets;
use crate::models::versions::{Snapshot, VersionTarget};

/// How often rollouts are looked at.
const TICK: Duration = Duration::from_millis(500);
/// How often a server is asked for the signature of its model until it answers.
const REMOTE_INTERVAL: Duration = Duration::from_secs(2);

/// The endpoints of a server.
pub(crate) struct Endpoints {
    entries: Mutex<BTreeMap<String, Entry>>,
    pool: PoolOptions,
    /// Whether there has been any endpoint.
    is_used: AtomicBool,
    /// Whether endpoints look at headers of requests.
    looks_at_headers: AtomicBool,
    /// Something besides the models has changed: a table was read, another server has told its signature.
    changed: Arc<Notify>,
}

#[derive(Default)]
struct Entry {
    spec: Option<Arc<EndpointSpec>>,
    state: EndpointState,
    resolved: Resolved,
    built: Option<Arc<EndpointTarget>>,
    /// Why the file, or the models as they are now, cannot be used.
    problem: Option<String>,
    /// The problem that was last reported.
    reported: Option<String>,
    /// Whether it must be built again.
    stale: bool,
}

impl fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoints").finish_non_exhaustive()
    }
}

impl Endpoints {
    pub(crate) fn new(pool: PoolOptions) -> Self {
        Self {
            entries: Mutex::default(),
            pool,
            is_used: AtomicBool::new(false),
            looks_at_headers: AtomicBool::new(false),
            changed: Arc::default(),
        }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves these endpoints from now on. What endpoints of the same name have learned stays.
    ///
    /// `folder` keeps what must outlive the process, if there is one.
    pub(crate) fn configure(&self, specs: &[Arc<EndpointSpec>], folder: Option<&Path>) {
        let looks = specs.iter().flat_map(|spec| &spec.route).any(RuleSpec::looks_at_headers);
        self.looks_at_headers.store(looks, Ordering::Relaxed);
        if !specs.is_empty() {
            self.is_used.store(true, Ordering::Relaxed);
        }
        let mut entries = self.entries();
        entries.retain(|name, _| specs.iter().any(|spec| spec.endpoint == *name));
        for spec in specs {
            let entry = entries.entry(spec.endpoint.clone()).or_default();
            entry.state.folder = folder.map(Path::to_owned);
            if entry.spec.as_ref() != Some(spec) {
                entry.spec = Some(Arc::clone(spec));
                entry.stale = true;
            }
        }
    }

    /// Makes the targets that the endpoints are with the models of a snapshot. An endpoint whose models no longer fit
    /// stays as it was.
    pub(crate) fn rebuild(&self, snapshot: &Snapshot<dyn VersionTarget>, targets: &NamedTargets) {
        let mut entries = self.entries();
        if !self.is_used.load(Ordering::Relaxed) {
            return;
        }
        let mut changed = false;
        for (name, entry) in entries.iter_mut() {
            let Some(spec) = entry.spec.clone() else { continue };
            let resolved = resolve(&spec, snapshot);
            if entry.stale || !resolved.is_same(&entry.resolved) {
                entry.resolved = resolved;
                changed |= self.rebuild_one(name, entry, &spec);
            }
            // While models are being loaded, a problem is expected.
            if snapshot.loads_finished() && entry.problem != entry.reported {
                if let Some(problem) = &entry.problem {
                    tracing::warn!(endpoint = name, problem, "endpoint stays as it was");
                }
                entry.reported.clone_from(&entry.problem);
            }
        }
        let known: Vec<&String> = entries.keys().collect();
        if changed || !targets.has_exactly(&known) {
            let built = entries.iter().filter_map(|(name, entry)| {
                let target: Arc<dyn Target> = Arc::clone(entry.built.as_ref()?) as _;
                Some((name.clone(), target))
            });
            targets.replace(built.collect());
        }
    }

    fn rebuild_one(&self, name: &str, entry: &mut Entry, spec: &EndpointSpec) -> bool {
        entry.stale = false;
        let (tables, remotes, changed) = match build(spec, &entry.resolved, &mut entry.state, self.pool) {
            Ok(Built { target, new_tables, new_remotes }) => {
                if entry.problem.take().is_some() || entry.built.is_none() {
                    tracing::info!(endpoint = name, "endpoint is available");
                }
                entry.built = Some(target);
                (new_tables, new_remotes, true)
            }
            Err((issues, new_tables, new_remotes)) => {
                let problem = issues.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                entry.problem = Some(problem);
                (new_tables, new_remotes, false)
            }
        };
        for table in tables {
            tokio::spawn(follow_table(Arc::downgrade(&table), Arc::clone(&self.changed)));
        }
        for remote in remotes {
            tokio::spawn(ask_remote(Arc::downgrade(&remote), Arc::clone(&self.changed)));
        }
        changed
    }

    /// Waits until something besides the models has changed: then endpoints must be built again.
    pub(crate) async fn changed(&self) {
        let mut ticks = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                () = self.changed.notified() => {
                    return self.entries().values_mut().for_each(|entry| entry.stale = true);
                }
                _ = ticks.tick() => {
                    if self.tick() {
                        return;
                    }
                }
            }
        }
    }

    /// Moves rollouts on. `true`: shares have changed.
    fn tick(&self) -> bool {
        let (now, mut changed) = (Instant::now(), false);
        for (name, entry) in self.entries().iter_mut() {
            if entry.state.tick(name, now) {
                entry.stale = true;
                changed = true;
            }
        }
        changed
    }

    /// Whether every endpoint answers.
    pub(crate) fn are_ready(&self) -> bool {
        self.entries().values().all(|entry| entry.built.as_ref().is_some_and(|built| status::is_ready(built)))
    }

    /// Whether endpoints look at headers of requests.
    pub(crate) fn look_at_headers(&self) -> bool {
        self.looks_at_headers.load(Ordering::Relaxed)
    }

    /// The names of all endpoints.
    pub(crate) fn names(&self) -> Vec<String> {
        self.entries().keys().cloned().collect()
    }

    /// The state of an endpoint; `None` if there is none of that name.
    pub(crate) fn status(&self, name: &str) -> Option<Value> {
        let entries = self.entries();
        let entry = entries.get(name)?;
        let mut value = match (&entry.spec, &entry.built) {
            (Some(spec), Some(built)) => status::status(spec, built),
            _ => json!({ "endpoint": name, "ready": false }),
        };
        if let Some(problem) = &entry.problem {
            value["problem"] = json!(problem);
        }
        Some(value)
    }

    /// The counters of all endpoints as Prometheus text.
    pub(crate) fn metrics_text(&self) -> String {
        let entries = self.entries();
        let built = entries.iter().filter_map(|(name, entry)| Some((name.as_str(), &**entry.built.as_ref()?)));
        status::metrics_text(&built.collect::<Vec<_>>())
    }
}

fn resolve(spec: &EndpointSpec, snapshot: &Snapshot<dyn VersionTarget>) -> Resolved {
    let mut resolved = Resolved::default();
    for (name, model) in spec.all_models() {
        let Some((served, selector)) = local(&spec.endpoint, &name, &model) else { continue };
        match snapshot.resolve(&served, &selector) {
            Ok(target) => {
                resolved.targets.insert(name, target as Arc<dyn Target>);
            }
            Err(error) => {
                let broken = snapshot.status(&served, &selector).ok().into_iter().flatten();
                let why = broken.filter_map(|version| version.error).next();
                resolved.missing.insert(name, why.unwrap_or_else(|| error.to_string()));
            }
        }
    }
    resolved
}

/// Reads a table again and again, as long as there is an endpoint that uses it.
async fn follow_table(table: Weak<FeatureTable>, changed: Arc<Notify>) {
    let mut reported = None;
    while let Some(strong) = table.upgrade() {
        let (before, interval) = (strong.columns(), strong.refresh_interval());
        let read = tokio::task::spawn_blocking(move || {
            let read = strong.refresh();
            (read, strong.columns())
        });
        match read.await {
            Ok((Ok(_), columns)) => {
                reported = None;
                if columns != before {
                    changed.notify_one();
                }
            }
            Ok((Err(error), _)) => {
                if reported.as_ref() != Some(&error) {
                    tracing::warn!(error, "a table of features stays as it was");
                }
                reported = Some(error);
            }
            Err(_) => tracing::error!("reading a table of features panicked"),
        }
        tokio::time::sleep(interval).await;
    }
}

/// Asks another server for the signature of its model until it answers.
async fn ask_remote(remote: Weak<Remote>, changed: Arc<Notify>) {
    let mut reported = None;
    while let Some(strong) = remote.upgrade() {
        match strong.learn().await {
            Ok(true) => return changed.notify_one(),
            Ok(false) => return,
            Err(error) => {
                if reported.as_ref() != Some(&error.message) {
                    tracing::warn!(error = error.message, "another server has not told the signature of its model yet");
                }
                reported = Some(error.message);
            }
        }
        drop(strong);
        tokio::time::sleep(REMOTE_INTERVAL).await;
    }
}
