//! What outlives a change of an endpoint: counters, breakers, caches, tables, connections.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use super::cache::PredictionCache;
use super::features::FeatureTable;
use super::guard::{Counters, Guard};
use super::remote::Remote;
use super::rollout::{Progress, Rollout};
use super::shadow::ShadowState;
use super::spec::{BreakerSpec, EndpointSpec, LimitsSpec, PredictionCacheSpec, RolloutSpec, ShadowSpec};
use crate::inference::target::Target;

/// The parts of an endpoint that are kept while it changes.
#[derive(Debug, Default)]
pub(super) struct EndpointState {
    counters: BTreeMap<String, Arc<Counters>>,
    guards: BTreeMap<String, (LimitsSpec, Option<BreakerSpec>, Arc<Guard>)>,
    shadows: BTreeMap<String, Arc<ShadowState>>,
    tables: BTreeMap<String, Arc<FeatureTable>>,
    remotes: BTreeMap<String, (String, String, Arc<Remote>)>,
    cache: Option<(PredictionCacheSpec, Arc<PredictionCache>)>,
    generations: BTreeMap<String, (Arc<dyn Target>, u64)>,
    next_generation: u64,
    pub(super) draws: Arc<AtomicU64>,
    rollout: Option<Arc<Rollout>>,
    /// The folder that keeps the positions of rollouts.
    pub(super) folder: Option<PathBuf>,
}

impl EndpointState {
    /// Forgets the parts that an endpoint no longer has.
    pub(super) fn keep_only(&mut self, spec: &EndpointSpec) {
        let models: BTreeSet<String> = spec.all_models().into_keys().collect();
        self.counters.retain(|name, _| models.contains(name));
        self.guards.retain(|name, _| models.contains(name));
        self.remotes.retain(|name, _| models.contains(name));
        self.generations.retain(|name, _| models.contains(name));
        self.shadows.retain(|name, _| spec.shadow.iter().any(|shadow| shadow.to == *name));
        self.tables.retain(|name, table| spec.features.get(name).is_some_and(|spec| spec == table.spec()));
    }

    /// The guard of a model: the one that it has, unless its settings have changed.
    pub(super) fn guard(&mut self, name: &str, limits: LimitsSpec, breaker: Option<BreakerSpec>) -> Arc<Guard> {
        if let Some((known_limits, known_breaker, guard)) = self.guards.get(name)
            && (*known_limits, *known_breaker) == (limits, breaker)
        {
            return Arc::clone(guard);
        }
        let counters = Arc::clone(self.counters.entry(name.to_owned()).or_default());
        let guard = Arc::new(Guard::new(limits, breaker, counters));
        self.guards.insert(name.to_owned(), (limits, breaker, Arc::clone(&guard)));
        guard
    }

    /// What a shadow has seen.
    pub(super) fn shadow(&mut self, spec: &ShadowSpec) -> Arc<ShadowState> {
        let known = self.shadows.get(&spec.to).filter(|state| state.pending_max() == spec.pending_max.max(1));
        if let Some(state) = known {
            return Arc::clone(state);
        }
        let state = Arc::new(ShadowState::new(spec.pending_max));
        self.shadows.insert(spec.to.clone(), Arc::clone(&state));
        state
    }

    /// The tables of features, and those of them that are new.
    pub(super) fn tables(&mut self, spec: &EndpointSpec) -> (Vec<Arc<FeatureTable>>, Vec<Arc<FeatureTable>>) {
        let (mut all, mut new) = (Vec::new(), Vec::new());
        for (name, feature) in &spec.features {
            let table = match self.tables.get(name) {
                Some(table) => Arc::clone(table),
                None => {
                    let table = Arc::new(FeatureTable::new(name, feature));
                    self.tables.insert(name.clone(), Arc::clone(&table));
                    new.push(Arc::clone(&table));
                    table
                }
            };
            all.push(table);
        }
        (all, new)
    }

    /// A model on another server, and whether it is new.
    pub(super) fn remote(&mut self, name: &str, url: &str, model: &str) -> Result<(Arc<Remote>, bool), String> {
        if let Some((known_url, known_model, remote)) = self.remotes.get(name)
            && known_url == url
            && known_model == model
        {
            return Ok((Arc::clone(remote), false));
        }
        let remote = Arc::new(Remote::new(url, model)?);
        self.remotes.insert(name.to_owned(), (url.to_owned(), model.to_owned(), Arc::clone(&remote)));
        Ok((remote, true))
    }

    /// The cache of predictions.
    pub(super) fn cache(&mut self, spec: Option<PredictionCacheSpec>) -> Option<Arc<PredictionCache>> {
        let Some(spec) = spec else {
            self.cache = None;
            return None;
        };
        if let Some((known, cache)) = &self.cache
            && *known == spec
        {
            return Some(Arc::clone(cache));
        }
        let cache = Arc::new(PredictionCache::new(&spec));
        self.cache = Some((spec, Arc::clone(&cache)));
        Some(cache)
    }

    /// The generation of a model: another one for each version.
    pub(super) fn generation(&mut self, name: &str, target: &Arc<dyn Target>) -> u64 {
        if let Some((known, generation)) = self.generations.get(name)
            && Arc::ptr_eq(known, target)
        {
            return *generation;
        }
        self.next_generation += 1;
        self.generations.insert(name.to_owned(), (Arc::clone(target), self.next_generation));
        self.next_generation
    }

    /// The rollout of `subject`: the one that goes on, unless the file or the subject has become another. Without a subject
    /// it is the one of before.
    pub(super) fn rollout(
        &mut self,
        endpoint: &str,
        spec: Option<&RolloutSpec>,
        subject: Option<String>,
    ) -> Option<Arc<Rollout>> {
        let Some(spec) = spec else {
            self.rollout = None;
            return None;
        };
        let Some(subject) = subject else { return self.rollout.clone() };
        if let Some(rollout) = &self.rollout
            && rollout.spec == *spec
            && rollout.subject == subject
        {
            return Some(Arc::clone(rollout));
        }
        let kept = match (&self.folder, &self.rollout) {
            (Some(folder), _) => Progress::load(&Progress::path(folder, endpoint), spec, &subject),
            (None, Some(known)) if known.subject == subject && known.spec.is_same_but_for_approvals(spec) => {
                Ok(known.progress())
            }
            (None, _) => Ok(Progress::Step { step: 0 }),
        };
        let progress = kept.unwrap_or_else(|reason| {
            tracing::error!(endpoint, reason, "the rollout is held");
            Progress::Held { step: 0, reason }
        });
        let rollout = Arc::new(Rollout::new(spec, subject, progress, Instant::now()));
        self.rollout = Some(Arc::clone(&rollout));
        Some(rollout)
    }

    /// Moves the rollout on. `true`: the share of its candidate has changed.
    pub(super) fn tick(&self, endpoint: &str, now: Instant) -> bool {
        let Some(rollout) = &self.rollout else { return false };
        let Some(progress) = rollout.tick(now) else { return false };
        let share = rollout.share();
        match &progress {
            Progress::RolledBack { reason, .. } => tracing::error!(endpoint, reason, "the rollout is rolled back"),
            Progress::Held { reason, .. } => tracing::error!(endpoint, reason, "the rollout is held"),
            Progress::Step { .. } | Progress::Done => tracing::info!(endpoint, share, "the rollout goes on"),
        }
        if let Some(folder) = &self.folder
            && let Err(error) = progress.save(&Progress::path(folder, endpoint), &rollout.spec, &rollout.subject)
        {
            tracing::error!(endpoint, error, "the position of the rollout cannot be kept");
        }
        true
    }

    /// Lets go of the version of a model that is not there any more.
    pub(super) fn forget(&mut self, name: &str) {
        self.generations.remove(name);
    }
}
