//! Drives the table of versions: polls the source, loads, publishes snapshots.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use super::loading::{self, LoadOptions};
use super::table::{Backoff, Load, Table};
use super::{ResolveError, Selector, Snapshot, VersionState, VersionStatus, VersionTarget};
use crate::endpoint::registry::Endpoints;
use crate::endpoint::spec::EndpointSpec;
use crate::inference::compute_pool::PoolOptions;
use crate::inference::target::Target;
use crate::models::control::Unloaded;
use crate::models::targets::NamedTargets;
use crate::observability::inference_log::Logs;
use crate::observability::metrics::Metrics;
use crate::{ModelLog, Servable, Source, SourceError};

/// Length of the event queue; senders wait when it is full.
const EVENTS_MAX: usize = 64;

/// Settings of the manager.
#[derive(Debug, Clone)]
pub(crate) struct ManagerOptions {
    pub(crate) poll_interval: Duration,
    pub(crate) load_threads: usize,
    pub(crate) loading: LoadOptions,
    pub(crate) unload_first: bool,
    pub(crate) backoff: Backoff,
}

/// The part of the manager that requests see.
#[derive(Debug)]
pub(crate) struct Models {
    /// Targets that are not versions, by name.
    pub(crate) targets: NamedTargets,
    /// The endpoints, which are made of versions.
    pub(crate) endpoints: Arc<Endpoints>,
    snapshot: ArcSwap<Snapshot<dyn VersionTarget>>,
    progress: watch::Sender<Progress>,
}

/// Progress of the manager.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    /// The source has answered at least once.
    pub(crate) listed: bool,
    /// Every listed version is available or has failed.
    pub(crate) loads_finished: bool,
    /// There was a moment when every listed model was available, and the source is not empty. A model that is added
    /// later does not make the server unready.
    pub(crate) ready: bool,
    /// As `ready`, but for endpoints.
    models_ready: bool,
}

enum Event {
    Listed { result: Result<Listing, SourceError>, applied: Option<oneshot::Sender<()>> },
    Loaded { load: Load, result: Result<Arc<dyn VersionTarget>, String>, took: Duration },
    Freed,
}

/// The listing of a source at one moment.
struct Listing {
    servables: Vec<Servable>,
    expected: Vec<String>,
    may_be_empty: bool,
    logs: BTreeMap<String, Vec<ModelLog>>,
    endpoints: Vec<Arc<EndpointSpec>>,
    /// The folder that keeps what endpoints must not forget.
    endpoint_folder: Option<PathBuf>,
}

/// The one task that changes what is served.
pub(crate) struct Manager {
    options: ManagerOptions,
    models: Arc<Models>,
    metrics: Arc<Metrics>,
    table: Table<dyn VersionTarget>,
    waiting: VecDeque<Load>,
    running: usize,
    events: mpsc::Sender<Event>,
    inbox: mpsc::Receiver<Event>,
    listed: bool,
    /// The source lists nothing, although it should.
    empty: bool,
    logs: Logs,
    unloaded: Unloaded,
    /// Models that must be available before the server is ready.
    expected: Vec<String>,
}

impl Models {
    /// `pool` limits the threads that read large requests to endpoints.
    pub(crate) fn new(pool: PoolOptions) -> Self {
        Self {
            targets: NamedTargets::default(),
            endpoints: Arc::new(Endpoints::new(pool)),
            snapshot: ArcSwap::default(),
            progress: watch::Sender::default(),
        }
    }

    /// Builds endpoints again when something besides the models has changed. Never returns.
    pub(crate) async fn follow_endpoints(self: Arc<Self>) {
        loop {
            self.endpoints.changed().await;
            self.endpoints.rebuild(&self.snapshot.load(), &self.targets);
            let ready = self.endpoints.are_ready();
            self.progress.send_modify(|progress| progress.ready |= progress.models_ready && ready);
        }
    }

    /// The target that answers requests for `name`: the one of this name, or else a version of the model.
    pub(crate) fn resolve(&self, name: &str, selector: &Selector) -> Result<Arc<dyn Target>, ResolveError> {
        if *selector == Selector::Latest
            && let Some(target) = self.targets.get(name)
        {
            return Ok(target);
        }
        Ok(self.version(name, selector)?)
    }

    /// The states of a model's versions, as in TF Serving; an endpoint has one version.
    pub(crate) fn status(&self, name: &str, selector: &Selector) -> Result<Vec<VersionStatus>, ResolveError> {
        let snapshot = self.snapshot.load();
        let endpoint = self.targets.get(name).filter(|_| *selector == Selector::Latest && !snapshot.contains(name));
        match endpoint {
            Some(target) => {
                let version = target.signature().version.unwrap_or(1);
                Ok(vec![VersionStatus { version, state: VersionState::Available, error: None }])
            }
            None => snapshot.status(name, selector),
        }
    }

    /// The names of endpoints and models.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = self.endpoints.names();
        let models = self.snapshot.load().statuses().into_iter().map(|model| model.name);
        names.extend(models.filter(|name| self.targets.get(name).is_none()));
        names
    }

    /// The loaded version that a name and a selector lead to.
    pub(crate) fn version(&self, name: &str, selector: &Selector) -> Result<Arc<dyn VersionTarget>, ResolveError> {
        self.snapshot.load().resolve(name, selector)
    }

    /// Everything that is served now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot<dyn VersionTarget>> {
        self.snapshot.load_full()
    }

    /// Whether there is a target of this name, or the source lists the model.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.snapshot.load().contains(name) || self.targets.get(name).is_some()
    }

    /// The name of the only endpoint, or of the only model if there are no endpoints.
    pub(crate) fn single_model_name(&self) -> Option<String> {
        match &self.endpoints.names()[..] {
            [] => self.snapshot.load().single_model_name().map(str::to_owned),
            [endpoint] => Some(endpoint.clone()),
            _ => None,
        }
    }

    /// Whether every version would reject work for a compute thread.
    pub(crate) fn are_full(&self) -> bool {
        let snapshot = self.snapshot.load();
        let mut full = snapshot.loaded().map(|target| target.compute_pool().is_full()).peekable();
        full.peek().is_some() && full.all(|full| full)
    }

    /// Whether the server is ready for requests.
    pub(crate) fn is_ready(&self) -> bool {
        self.progress.borrow().ready
    }

    pub(crate) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// `complete`: every model that the source requires is listed. `empty`: the source lists nothing, although it
    /// should.
    fn publish(&self, snapshot: Snapshot<dyn VersionTarget>, listed: bool, complete: bool, empty: bool) {
        let loads_finished = listed && snapshot.loads_finished();
        let ready = complete && snapshot.is_ready();
        self.snapshot.store(Arc::new(snapshot));
        self.endpoints.rebuild(&self.snapshot.load(), &self.targets);
        let endpoints_ready = self.endpoints.are_ready();
        self.progress.send_modify(|progress| {
            let models_ready = !empty && (progress.models_ready || ready);
            let ready = models_ready && (progress.ready || endpoints_ready);
            *progress = Progress { listed, loads_finished, ready, models_ready };
        });
    }
}

impl Manager {
    /// Serves everything the source lists except the models in `unloaded`.
    pub(crate) fn new(
        options: ManagerOptions,
        models: Arc<Models>,
        metrics: Arc<Metrics>,
        logs: Logs,
        unloaded: Unloaded,
    ) -> Self {
        let (events, inbox) = mpsc::channel(EVENTS_MAX);
        let table = Table::new(options.backoff, options.unload_first);
        let waiting = VecDeque::new();
        Self {
            options,
            models,
            metrics,
            table,
            waiting,
            running: 0,
            events,
            inbox,
            listed: false,
            empty: false,
            logs,
            unloaded,
            expected: Vec::new(),
        }
    }

    /// Runs until it is dropped. A message on `polls` makes it poll the source at once; it replies when the listing is
    /// applied.
    pub(crate) async fn run(mut self, source: Arc<dyn Source>, polls: mpsc::Receiver<oneshot::Sender<()>>) {
        let poller = poll(source, self.options.poll_interval, polls, self.events.clone());
        tokio::pin!(poller);
        loop {
            let event = tokio::select! {
                event = self.inbox.recv() => event,
                () = &mut poller => None,
            };
            let Some(event) = event else { return };
            self.apply(event);
        }
    }

    fn apply(&mut self, event: Event) {
        let mut acknowledge = None;
        match event {
            Event::Listed { result, applied } => {
                acknowledge = applied;
                match result {
                    Ok(Listing { mut servables, mut expected, may_be_empty, logs, endpoints, endpoint_folder }) => {
                        self.empty = servables.is_empty() && !may_be_empty;
                        self.listed = true;
                        self.models.endpoints.configure(&endpoints, endpoint_folder.as_deref());
                        self.logs.follow(&logs);
                        servables.retain(|servable| !self.unloaded.contains(&servable.name));
                        expected.retain(|name| !self.unloaded.contains(name));
                        self.waiting.extend(self.table.listed(&servables, Instant::now()));
                        self.expected = expected;
                    }
                    Err(error) => {
                        self.metrics.source_failed();
                        tracing::warn!(error = &error as &dyn std::error::Error, "the source of models did not answer");
                    }
                }
                // Tens of thousands of samples a second are folded here, so not on a thread that answers requests.
                let metrics = Arc::clone(&self.metrics);
                tokio::task::spawn_blocking(move || metrics.upkeep());
            }
            Event::Loaded { load, result, took } => {
                self.running -= 1;
                self.metrics.loaded(&load.name, &load.path, result.is_ok(), took);
                match &result {
                    Ok(_) => {
                        tracing::info!(model = load.name, version = load.version, ?took, "model version is loaded");
                    }
                    Err(error) => {
                        tracing::error!(model = load.name, version = load.version, error, "model version is broken");
                    }
                }
                self.table.loaded(&load, result, Instant::now());
            }
            Event::Freed => {}
        }
        self.start_loads();
        self.publish();
        // The new snapshot is published, so no request can acquire an unloading version any more: what is unused here
        // stays unused.
        let freed = self.table.collect();
        if !freed.is_empty() {
            self.free(freed);
            self.publish();
        }
        if let Some(applied) = acknowledge {
            // The sender may have left.
            let _ = applied.send(());
        }
    }

    fn publish(&self) {
        let snapshot = self.table.snapshot();
        let complete = self.listed && self.expected.iter().all(|name| snapshot.contains(name));
        self.models.publish(snapshot, self.listed, complete && !self.empty, self.empty);
    }

    /// Frees versions off the threads that answer requests, then starts the loads that waited for their memory.
    fn free(&self, versions: Vec<Arc<dyn VersionTarget>>) {
        let events = self.events.clone();
        tokio::task::spawn_blocking(move || {
            drop(versions);
            // The manager may have gone: the server is shutting down.
            let _ = events.blocking_send(Event::Freed);
        });
    }

    fn start_loads(&mut self) {
        self.waiting.extend(self.table.deferred());
        while self.running < self.options.load_threads.max(1) {
            let Some(load) = self.waiting.pop_front() else { return };
            self.running += 1;
            let events = self.events.clone();
            let options = self.options.loading.clone();
            let metrics = Arc::clone(&self.metrics);
            tokio::task::spawn_blocking(move || {
                let started = Instant::now();
                let result = loading::load(&load, &options, &metrics);
                // The manager may have gone: the server is shutting down.
                let _ = events.blocking_send(Event::Loaded { load, result, took: started.elapsed() });
            });
        }
    }
}

/// Polls the source again and again. Never returns while the manager runs.
async fn poll(
    source: Arc<dyn Source>,
    interval: Duration,
    mut polls: mpsc::Receiver<oneshot::Sender<()>>,
    events: mpsc::Sender<Event>,
) {
    let mut ticks = tokio::time::interval(interval.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let applied = tokio::select! {
            _ = ticks.tick() => None,
            Some(applied) = polls.recv() => Some(applied),
        };
        let listed = source.list().await;
        let result = listed.map(|servables| {
            let (expected, logs) = (source.expected(), source.logs());
            let (may_be_empty, endpoints) = (source.may_be_empty(), source.endpoints());
            let endpoint_folder = source.endpoint_folder();
            Listing { servables, expected, may_be_empty, logs, endpoints, endpoint_folder }
        });
        if events.send(Event::Listed { result, applied }).await.is_err() {
            return;
        }
    }
}
