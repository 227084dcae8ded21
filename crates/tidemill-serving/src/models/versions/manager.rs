//! Drives the table of versions: asks the source, loads, publishes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use super::loading::{self, LoadOptions};
use super::table::{Backoff, Load, Table};
use super::{ResolveError, Selector, Snapshot, VersionTarget};
use crate::inference::target::Target;
use crate::models::control::Unloaded;
use crate::models::targets::NamedTargets;
use crate::observability::inference_log::Logs;
use crate::observability::metrics::Metrics;
use crate::{ModelLog, Servable, Source, SourceError};

/// Events wait in a queue of this length; those who send them wait when it is full.
const EVENTS_MAX: usize = 64;

/// How the manager works.
#[derive(Debug, Clone)]
pub(crate) struct ManagerOptions {
    pub(crate) poll_interval: Duration,
    pub(crate) load_threads: usize,
    pub(crate) loading: LoadOptions,
    pub(crate) unload_first: bool,
    pub(crate) backoff: Backoff,
}

/// What requests see of the manager.
#[derive(Debug)]
pub(crate) struct Models {
    /// Targets that are not versions, by name.
    pub(crate) targets: NamedTargets,
    snapshot: ArcSwap<Snapshot<dyn VersionTarget>>,
    progress: watch::Sender<Progress>,
}

/// How far the manager is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    /// The source has answered at least once.
    pub(crate) listed: bool,
    /// Every listed version is available or has failed.
    pub(crate) settled: bool,
    /// There was a moment when every listed model was available, and the source is not empty. A model that is added
    /// later does not take the readiness of the others away.
    pub(crate) ready: bool,
}

enum Event {
    Listed { result: Result<Listing, SourceError>, applied: Option<oneshot::Sender<()>> },
    Loaded { load: Load, result: Result<Arc<dyn VersionTarget>, String>, took: Duration },
    Freed,
}

/// What a source says at one moment.
struct Listing {
    servables: Vec<Servable>,
    expected: Vec<String>,
    may_be_empty: bool,
    logs: BTreeMap<String, Vec<ModelLog>>,
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
    /// The source lists nothing, and should.
    empty: bool,
    logs: Logs,
    unloaded: Unloaded,
    /// Models that must be there before the server is ready.
    expected: Vec<String>,
}

impl Models {
    pub(crate) fn new() -> Self {
        Self { targets: NamedTargets::default(), snapshot: ArcSwap::default(), progress: watch::Sender::default() }
    }

    /// The target that answers requests for `name`: the one that has this name, or else a version of this model.
    pub(crate) fn resolve(&self, name: &str, selector: &Selector) -> Result<Arc<dyn Target>, ResolveError> {
        if *selector == Selector::Latest
            && let Some(target) = self.targets.get(name)
        {
            return Ok(target);
        }
        Ok(self.version(name, selector)?)
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
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.snapshot.load().knows(name) || self.targets.get(name).is_some()
    }

    /// The name of the only model, if there is one model.
    pub(crate) fn only_name(&self) -> Option<String> {
        self.snapshot.load().only_name().map(str::to_owned)
    }

    /// Whether every version would refuse work for a compute thread.
    pub(crate) fn are_full(&self) -> bool {
        let snapshot = self.snapshot.load();
        let mut full = snapshot.loaded().map(|target| target.compute_pool().is_full()).peekable();
        full.peek().is_some() && full.all(|full| full)
    }

    /// Whether requests may come.
    pub(crate) fn is_ready(&self) -> bool {
        self.progress.borrow().ready
    }

    pub(crate) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// `complete`: everything the source expects is in it. `empty`: it lists nothing, and should.
    fn publish(&self, snapshot: Snapshot<dyn VersionTarget>, listed: bool, complete: bool, empty: bool) {
        let settled = listed && snapshot.is_settled();
        let ready = complete && snapshot.is_ready();
        self.snapshot.store(Arc::new(snapshot));
        self.progress.send_modify(|progress| {
            *progress = Progress { listed, settled, ready: !empty && (progress.ready || ready) };
        });
    }
}

impl Manager {
    /// Serves what the source lists but for what is `unloaded`.
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

    /// Works until it is dropped. Who sends on `polls` has the source asked at once and hears when that is applied.
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
                    Ok(Listing { mut servables, mut expected, may_be_empty, logs }) => {
                        self.empty = servables.is_empty() && !may_be_empty;
                        self.listed = true;
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
                // Tens of thousands of samples a second are folded here: not on a thread that answers requests.
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
        // Only now does nobody get hold of an unloaded version any more, so what is unused here stays unused.
        let freed = self.table.collect();
        if !freed.is_empty() {
            self.free(freed);
            self.publish();
        }
        if let Some(applied) = acknowledge {
            // Who asked may have gone.
            let _ = applied.send(());
        }
    }

    fn publish(&self) {
        let snapshot = self.table.snapshot();
        let complete = self.listed && self.expected.iter().all(|name| snapshot.knows(name));
        self.models.publish(snapshot, self.listed, complete && !self.empty, self.empty);
    }

    /// Frees versions off the threads that answer requests; then what waited for their memory is loaded.
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

/// Asks the source again and again. Never returns while the manager listens.
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
            Listing { servables, expected, may_be_empty: source.may_be_empty(), logs }
        });
        if events.send(Event::Listed { result, applied }).await.is_err() {
            return;
        }
    }
}
