//! Every order in which requests and the task that changes versions can interleave.
//!
//! All that requests share with that task is one pointer to a snapshot: a request takes a version out of it in one step,
//! uses it, and lets go of it in another; the task swaps the pointer in one step. So every run of the server is one of the
//! interleavings of those steps, and for a script of a few versions and a few requests all of them are tried.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::table::{Backoff, Load, Table};
use super::{Selector, Snapshot};
use crate::Servable;

/// A model in memory; it counts itself.
#[derive(Debug)]
struct Loaded {
    version: u64,
    freed: AtomicBool,
    in_memory: Arc<AtomicUsize>,
}

impl Drop for Loaded {
    fn drop(&mut self) {
        self.freed.store(true, Ordering::Relaxed);
        self.in_memory.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The next step of the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// The source lists this version with the label `live`.
    List(u64),
    /// The load of this version ends, successfully or not.
    Load(u64, bool),
}

/// One step of one participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Change,
    Publish,
    Collect,
    /// The version that a request got, then the end of that request.
    Begin(usize),
    End(usize),
}

/// A server without threads.
struct World {
    table: Table<Loaded>,
    published: Arc<Snapshot<Loaded>>,
    loads: Vec<Load>,
    in_memory: Arc<AtomicUsize>,
    most_in_memory: usize,
    now: Instant,
    requests: Vec<Option<Arc<Loaded>>>,
    unload_first: bool,
}

impl World {
    /// Version 1 answers, and so does the label `live`.
    fn new(requests: usize, unload_first: bool) -> Self {
        let backoff = Backoff { first: Duration::from_secs(5), longest: Duration::from_secs(5), retries_max: None };
        let mut world = Self {
            table: Table::new(backoff, unload_first),
            published: Arc::default(),
            loads: Vec::new(),
            in_memory: Arc::default(),
            most_in_memory: 0,
            now: Instant::now(),
            requests: (0..requests).map(|_| None).collect(),
            unload_first,
        };
        for change in [Change::List(1), Change::Load(1, true)] {
            world.change(change);
            world.publish();
            world.collect();
        }
        world.most_in_memory = world.in_memory();
        world
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::List(version) => {
                let servable = Servable {
                    name: "m".to_owned(),
                    version,
                    path: format!("/m/{version}").into(),
                    labels: vec!["live".to_owned()],
                    default: false,
                };
                let loads = self.table.listed(&[servable], self.now);
                self.loads.extend(loads);
            }
            Change::Load(version, ok) => {
                let waiting = self.table.deferred();
                self.loads.extend(waiting);
                // If memory comes first, a load does not begin before the old version is gone.
                let Some(at) = self.loads.iter().position(|load| load.version == version) else { return };
                let load = self.loads.remove(at);
                let now = self.in_memory.fetch_add(1, Ordering::Relaxed) + 1;
                self.most_in_memory = self.most_in_memory.max(now);
                let (freed, in_memory) = (AtomicBool::new(false), Arc::clone(&self.in_memory));
                let loaded = Loaded { version, freed, in_memory };
                let result = if ok { Ok(Arc::new(loaded)) } else { Err("broken".to_owned()) };
                self.table.loaded(&load, result, self.now);
            }
        }
    }

    fn in_memory(&self) -> usize {
        self.in_memory.load(Ordering::Relaxed)
    }

    fn publish(&mut self) {
        self.published = Arc::new(self.table.snapshot());
    }

    fn collect(&mut self) {
        for loaded in self.table.collect() {
            assert_eq!(Arc::strong_count(&loaded), 1, "version {} is freed while somebody has it", loaded.version);
            drop(loaded);
        }
    }

    /// A request arrives: with no downtime allowed it must find a version.
    fn begin(&mut self, request: usize) {
        let selector = if request.is_multiple_of(2) { Selector::Latest } else { Selector::Label("live".to_owned()) };
        match self.published.resolve("m", &selector) {
            Ok(loaded) => self.requests[request] = Some(loaded),
            Err(error) => assert!(self.unload_first, "request {request}: {error}"),
        }
    }

    /// It ends, on the version it began with.
    fn end(&mut self, request: usize) {
        if let Some(loaded) = self.requests[request].take() {
            assert!(
                !loaded.freed.load(Ordering::Relaxed),
                "version {} is gone before its request ends",
                loaded.version
            );
        }
    }

    /// Changes stop: unwanted versions are unloaded.
    fn rest(&mut self) {
        for _ in 0..4 {
            self.collect();
            self.publish();
            let waiting: Vec<u64> = self.table.deferred().iter().map(|load| load.version).collect();
            assert!(waiting.is_empty() || self.unload_first);
        }
    }
}

/// Tries every interleaving of the steps of the task with those of the requests; returns how many there are.
fn every_order(changes: &[Change], requests: usize, unload_first: bool, check: &dyn Fn(&mut World)) -> usize {
    let manager: Vec<Step> =
        changes.iter().flat_map(|_| [Step::Change, Step::Publish, Step::Collect, Step::Publish]).collect();
    let clients = (0..requests).map(|request| vec![Step::Begin(request), Step::End(request)]);
    let parts: Vec<Vec<Step>> = std::iter::once(manager).chain(clients).collect();
    let mut orders = 0;
    let mut open = vec![(vec![0; parts.len()], Vec::<Step>::new())];
    while let Some((at, order)) = open.pop() {
        let mut ended = true;
        for (part, steps) in parts.iter().enumerate() {
            if let Some(step) = steps.get(at[part]) {
                ended = false;
                let (mut at, mut order) = (at.clone(), order.clone());
                at[part] += 1;
                order.push(*step);
                open.push((at, order));
            }
        }
        if ended {
            orders += 1;
            play(changes, requests, unload_first, &order, check);
        }
    }
    orders
}

fn play(changes: &[Change], requests: usize, unload_first: bool, order: &[Step], check: &dyn Fn(&mut World)) {
    let mut world = World::new(requests, unload_first);
    let mut changes = changes.iter();
    for step in order {
        match step {
            Step::Change => world.change(*changes.next().expect("a change for each step")),
            Step::Publish => world.publish(),
            Step::Collect => world.collect(),
            Step::Begin(request) => world.begin(*request),
            Step::End(request) => world.end(*request),
        }
    }
    world.rest();
    check(&mut world);
}

fn latest(world: &World) -> Option<u64> {
    world.published.resolve("m", &Selector::Latest).ok().map(|loaded| loaded.version)
}

#[test]
fn a_new_version_takes_over_in_every_order() {
    let changes = [Change::List(2), Change::Load(2, true)];
    let orders = every_order(&changes, 2, false, &|world| {
        assert_eq!(latest(world), Some(2));
        assert_eq!(world.in_memory(), 1, "the old version is out of memory");
        assert!(world.most_in_memory <= 2, "and never were there more than both");
    });
    assert_eq!(orders, 2970, "12! / (8! 2! 2!)");
}

#[test]
fn a_version_that_breaks_and_one_that_replaces_it_take_nothing_away_in_any_order() {
    let changes = [Change::List(2), Change::Load(2, false), Change::List(3), Change::Load(3, true)];
    let orders = every_order(&changes, 1, false, &|world| {
        assert_eq!(latest(world), Some(3));
        assert_eq!(world.in_memory(), 1);
    });
    assert_eq!(orders, 153, "18! / (16! 2!)");
}

#[test]
fn a_version_that_is_wanted_again_is_not_freed_under_those_who_ask_in_any_order() {
    let changes = [Change::List(2), Change::Load(2, true), Change::List(1)];
    every_order(&changes, 2, false, &|world| {
        let latest = latest(world).expect("one of them answers");
        assert!(latest == 1 || latest == 2);
    });
}

#[test]
fn where_memory_comes_first_two_versions_are_never_in_it_in_any_order() {
    let changes = [Change::List(2), Change::Load(2, true), Change::Load(2, true), Change::Load(2, true)];
    every_order(&changes, 1, true, &|world| {
        assert!(world.most_in_memory <= 1, "{} versions in memory at once", world.most_in_memory);
        assert!(latest(world).is_none_or(|latest| latest == 2), "the old one does not come back");
    });
}
