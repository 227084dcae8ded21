//! The state machine of versions: no clock, no I/O, no threads.
//!
//! A version is aspired while the source lists it. Pointers lead requests to versions: one for each label, and one
//! for requests that name no version. A pointer moves to the version it should have once that is available and
//! until then stays where it is; a version that is no longer aspired is unloaded once no pointer leads to it. So a
//! broken version never takes a working one away.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::snapshot::ServedModel;
use super::{Snapshot, VersionState, VersionStatus};
use crate::Servable;

/// How many unloaded versions of a model stay in its status.
const ENDED_KEPT: usize = 4;

/// A load to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) name: String,
    pub(super) version: u64,
    pub(super) path: PathBuf,
}

/// How long to wait before a version that failed to load is tried again: doubling from `first` up to `longest`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
    /// After this many retries it is not tried again, unless its path changes or it is listed anew.
    pub(crate) retries_max: Option<u32>,
}

impl Backoff {
    fn after(self, failures: u32) -> Duration {
        self.first.saturating_mul(2u32.saturating_pow(failures.saturating_sub(1))).min(self.longest)
    }
}

#[derive(Debug)]
pub(super) struct Table<T: ?Sized> {
    backoff: Backoff,
    /// A new version is loaded only after the version it replaces is out of memory.
    unload_first: bool,
    models: BTreeMap<String, Model<T>>,
}

#[derive(Debug)]
struct Model<T: ?Sized> {
    versions: BTreeMap<u64, Version<T>>,
    aspired_labels: BTreeMap<String, u64>,
    labels: BTreeMap<String, u64>,
    aspired_default: Option<u64>,
    /// The version for requests that name neither version nor label.
    latest: Option<u64>,
}

#[derive(Debug)]
struct Version<T: ?Sized> {
    path: PathBuf,
    aspired: bool,
    failures: u32,
    error: Option<String>,
    state: State<T>,
}

#[derive(Debug)]
enum State<T: ?Sized> {
    /// To be loaded when there is memory.
    Deferred,
    Loading,
    Available(Arc<T>),
    Unloading(Arc<T>),
    Failed {
        retry_at: Instant,
    },
    Ended,
}

impl<T: ?Sized> Version<T> {
    fn loading(path: PathBuf) -> Self {
        Self { path, aspired: true, failures: 0, error: None, state: State::Loading }
    }

    fn is_available(&self) -> bool {
        matches!(self.state, State::Available(_))
    }

    /// A version that failed before shows as failed while it is tried again.
    fn status(&self, version: u64) -> VersionStatus {
        let state = match &self.state {
            State::Deferred => VersionState::Start,
            State::Loading if self.error.is_none() => VersionState::Loading,
            State::Available(_) => VersionState::Available,
            State::Unloading(_) => VersionState::Unloading,
            State::Loading | State::Failed { .. } | State::Ended => VersionState::End,
        };
        VersionStatus { version, state, error: self.error.clone() }
    }
}

impl<T: ?Sized> Table<T> {
    pub(super) fn new(backoff: Backoff, unload_first: bool) -> Self {
        Self { backoff, unload_first, models: BTreeMap::new() }
    }

    /// Applies a listing and returns the loads to start. Of two servables with the same name and version the first
    /// counts; a label given twice leads to the higher version.
    pub(super) fn listed(&mut self, servables: &[Servable], now: Instant) -> Vec<Load> {
        let mut by_model: BTreeMap<&str, BTreeMap<u64, &Servable>> = BTreeMap::new();
        for servable in servables {
            by_model.entry(&servable.name).or_default().entry(servable.version).or_insert(servable);
        }
        for &name in by_model.keys() {
            self.models.entry(name.to_owned()).or_default();
        }
        let nothing = BTreeMap::new();
        let mut loads = Vec::new();
        for (name, model) in &mut self.models {
            let listed = by_model.get(name.as_str()).unwrap_or(&nothing);
            model.apply_listing(name, listed, now, self.backoff.retries_max, &mut loads);
            model.move_pointers(self.unload_first);
        }
        self.drop_forgotten();
        if !self.unload_first {
            return loads;
        }
        let (later, now): (Vec<Load>, Vec<Load>) =
            loads.into_iter().partition(|load| self.waits_for_memory(&load.name));
        for load in later {
            if let Some(version) = self.version_mut(&load) {
                version.state = State::Deferred;
            }
        }
        now
    }

    /// The loads that waited for memory and can start now.
    pub(super) fn deferred(&mut self) -> Vec<Load> {
        let mut loads = Vec::new();
        for (name, model) in &mut self.models {
            if model.is_unloading() {
                continue;
            }
            for (number, version) in &mut model.versions {
                if matches!(version.state, State::Deferred) {
                    version.state = State::Loading;
                    loads.push(Load { name: name.clone(), version: *number, path: version.path.clone() });
                }
            }
        }
        loads
    }

    fn waits_for_memory(&self, name: &str) -> bool {
        self.models.get(name).is_some_and(Model::is_unloading)
    }

    fn version_mut(&mut self, load: &Load) -> Option<&mut Version<T>> {
        self.models.get_mut(&load.name)?.versions.get_mut(&load.version)
    }

    /// Records that a load started by [`listed`](Self::listed) has ended.
    pub(super) fn loaded(&mut self, load: &Load, result: Result<Arc<T>, String>, now: Instant) {
        let Some(model) = self.models.get_mut(&load.name) else { return };
        if let Some(version) = model.versions.get_mut(&load.version)
            && matches!(version.state, State::Loading)
        {
            match result {
                Ok(loaded) => {
                    version.failures = 0;
                    version.error = None;
                    version.state = State::Available(loaded);
                }
                Err(error) => {
                    version.failures += 1;
                    version.error = Some(error);
                    version.state = State::Failed { retry_at: now + self.backoff.after(version.failures) };
                }
            }
        }
        model.move_pointers(self.unload_first);
        self.drop_forgotten();
    }

    /// Removes and returns the unloading versions that no request uses any more. Freeing them may take a while: the
    /// caller chooses the thread.
    pub(super) fn collect(&mut self) -> Vec<Arc<T>> {
        let mut freed = Vec::new();
        for model in self.models.values_mut() {
            for version in model.versions.values_mut() {
                match std::mem::replace(&mut version.state, State::Ended) {
                    State::Unloading(loaded) if Arc::strong_count(&loaded) == 1 => freed.push(loaded),
                    other => version.state = other,
                }
            }
            model.forget_ended();
        }
        self.drop_forgotten();
        freed
    }

    /// The snapshot that requests should see from now on.
    pub(super) fn snapshot(&self) -> Snapshot<T> {
        let models = self.models.iter().filter(|(_, model)| model.is_listed());
        Snapshot { models: models.map(|(name, model)| (name.clone(), model.served())).collect() }
    }

    fn drop_forgotten(&mut self) {
        self.models.retain(|_, model| model.is_listed() || model.holds_memory());
    }
}

impl<T: ?Sized> Default for Model<T> {
    fn default() -> Self {
        Self {
            versions: BTreeMap::new(),
            aspired_labels: BTreeMap::new(),
            labels: BTreeMap::new(),
            aspired_default: None,
            latest: None,
        }
    }
}

impl<T: ?Sized> Model<T> {
    fn apply_listing(
        &mut self,
        name: &str,
        listed: &BTreeMap<u64, &Servable>,
        now: Instant,
        retries_max: Option<u32>,
        loads: &mut Vec<Load>,
    ) {
        for version in self.versions.values_mut() {
            version.aspired = false;
        }
        for (&number, servable) in listed {
            let version = match self.versions.entry(number) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    loads.push(Load { name: name.to_owned(), version: number, path: servable.path.clone() });
                    entry.insert(Version::loading(servable.path.clone()));
                    continue;
                }
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            };
            version.aspired = true;
            let load_again = match &version.state {
                State::Failed { retry_at } => {
                    let tired = retries_max.is_some_and(|max| version.failures > max);
                    (*retry_at <= now && !tired) || version.path != servable.path
                }
                State::Ended => true,
                State::Deferred | State::Loading | State::Available(_) | State::Unloading(_) => false,
            };
            if load_again {
                version.path.clone_from(&servable.path);
                version.state = State::Loading;
                loads.push(Load { name: name.to_owned(), version: number, path: servable.path.clone() });
            }
            // It was unloading and is listed again: still in memory, so it needs no load.
            version.state = match std::mem::replace(&mut version.state, State::Ended) {
                State::Unloading(loaded) => State::Available(loaded),
                other => other,
            };
        }
        // Versions ascend, so a label (or the default) given twice ends at the higher one.
        self.aspired_default =
            listed.iter().filter(|(_, servable)| servable.default).map(|(&number, _)| number).next_back();
        self.aspired_labels =
            listed.iter().flat_map(|(&number, s)| s.labels.iter().map(move |label| (label.clone(), number))).collect();
    }

    /// Moves the pointers as far as possible, then unloads the versions that no pointer needs. If memory comes first, it
    /// immediately unloads the versions that are no longer aspired.
    fn move_pointers(&mut self, unload_first: bool) {
        if unload_first {
            self.unload_unaspired();
        }
        let is_available = |number: &u64| self.versions.get(number).is_some_and(Version::is_available);
        let mut labels = BTreeMap::new();
        for (label, target) in &self.aspired_labels {
            let last = self.labels.get(label).copied().filter(is_available);
            if let Some(number) = Some(*target).filter(is_available).or(last) {
                labels.insert(label.clone(), number);
            }
        }
        let aspired = || self.versions.iter().filter(|(_, version)| version.aspired).map(|(number, _)| *number);
        let last = self.latest.filter(is_available);
        self.latest = aspired().max().and_then(|newest| {
            let fallback = || match self.aspired_default {
                // The previous default keeps answering until the new one can.
                Some(_) => last.or_else(|| aspired().filter(is_available).max()),
                None => aspired().filter(is_available).max().max(last),
            };
            Some(self.aspired_default.unwrap_or(newest)).filter(is_available).or_else(fallback)
        });
        self.labels = labels;

        let pointed: BTreeSet<u64> = self.labels.values().copied().chain(self.latest).collect();
        self.versions
            .retain(|_, version| version.aspired || !matches!(version.state, State::Failed { .. } | State::Deferred));
        for (number, version) in &mut self.versions {
            if !version.aspired && !pointed.contains(number) {
                version.state = match std::mem::replace(&mut version.state, State::Ended) {
                    State::Available(loaded) => State::Unloading(loaded),
                    other => other,
                };
            }
        }
    }

    /// Unloads every version that is no longer aspired, even if pointers lead to it, when another waits to be loaded.
    fn unload_unaspired(&mut self) {
        let replaced = |version: &Version<T>| version.aspired && !version.is_available();
        if !self.versions.values().any(replaced) {
            return;
        }
        for version in self.versions.values_mut().filter(|version| !version.aspired) {
            version.state = match std::mem::replace(&mut version.state, State::Ended) {
                State::Available(loaded) => State::Unloading(loaded),
                other => other,
            };
        }
    }

    fn is_unloading(&self) -> bool {
        self.versions.values().any(|version| matches!(version.state, State::Unloading(_)))
    }

    fn forget_ended(&mut self) {
        let ended = self.versions.iter().filter(|(_, version)| matches!(version.state, State::Ended));
        let ended: Vec<u64> = ended.map(|(number, _)| *number).collect();
        for number in &ended[..ended.len().saturating_sub(ENDED_KEPT)] {
            self.versions.remove(number);
        }
    }

    fn is_listed(&self) -> bool {
        self.versions.values().any(|version| version.aspired)
    }

    fn holds_memory(&self) -> bool {
        self.versions.values().any(|version| !matches!(version.state, State::Failed { .. } | State::Ended))
    }

    fn served(&self) -> ServedModel<T> {
        let available: BTreeMap<u64, Arc<T>> = self
            .versions
            .iter()
            .filter_map(|(number, version)| match &version.state {
                State::Available(loaded) => Some((*number, Arc::clone(loaded))),
                _ => None,
            })
            .collect();
        ServedModel {
            latest: self.latest.and_then(|number| available.get(&number).cloned()),
            latest_version: self.latest,
            available,
            labels: self.labels.iter().map(|(label, number)| (label.clone(), *number)).collect(),
            statuses: self.versions.iter().rev().map(|(number, version)| version.status(*number)).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
