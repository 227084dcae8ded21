use super::*;
use crate::models::versions::Selector;

const BACKOFF: Backoff = Backoff { first: Duration::from_secs(5), longest: Duration::from_mins(1), retries_max: None };

/// A table with its own clock, whose loads end when the test ends them.
struct World {
    table: Table<u64>,
    now: Instant,
    loads: Vec<Load>,
}

impl World {
    fn new() -> Self {
        Self { table: Table::new(BACKOFF, false), now: Instant::now(), loads: Vec::new() }
    }

    /// Lists versions of the model `m` with their labels; the label `default` also makes a version the default.
    fn list(&mut self, versions: &[(u64, &[&str])]) -> &mut Self {
        let servables: Vec<Servable> = versions
            .iter()
            .map(|(version, labels)| Servable {
                name: "m".to_owned(),
                version: *version,
                path: format!("/m/{version}").into(),
                labels: labels.iter().map(|label| (*label).to_owned()).collect(),
                default: labels.contains(&"default"),
            })
            .collect();
        let loads = self.table.listed(&servables, self.now);
        self.loads.extend(loads);
        self
    }

    fn end(&mut self, version: u64, ok: bool) -> &mut Self {
        let at = self.loads.iter().position(|load| load.version == version).expect("the version is loading");
        let load = self.loads.remove(at);
        let result = if ok { Ok(Arc::new(version)) } else { Err("broken".to_owned()) };
        self.table.loaded(&load, result, self.now);
        self
    }

    fn pending(&self) -> Vec<u64> {
        self.loads.iter().map(|load| load.version).collect()
    }

    fn latest(&self) -> Option<u64> {
        self.table.snapshot().resolve("m", &Selector::Latest).ok().map(|version| *version)
    }

    fn label(&self, label: &str) -> Option<u64> {
        self.table.snapshot().resolve("m", &Selector::Label(label.to_owned())).ok().map(|version| *version)
    }

    fn states(&self) -> Vec<(u64, &'static str)> {
        let statuses = self.table.snapshot().status("m", &Selector::Latest).unwrap_or_default();
        statuses.iter().map(|status| (status.version, status.state.name())).collect()
    }
}

#[test]
fn a_new_version_takes_over_only_when_it_is_available() {
    let mut world = World::new();
    world.list(&[(1, &[])]).end(1, true);
    world.list(&[(2, &[])]);
    assert_eq!((world.latest(), world.states()), (Some(1), vec![(2, "LOADING"), (1, "AVAILABLE")]));
    world.end(2, true);
    assert_eq!((world.latest(), world.states()), (Some(2), vec![(2, "AVAILABLE"), (1, "UNLOADING")]));
    assert_eq!(world.table.collect().len(), 1);
    assert_eq!(world.states(), [(2, "AVAILABLE"), (1, "END")]);
}

#[test]
fn a_version_in_use_is_not_freed() {
    let mut world = World::new();
    world.list(&[(1, &[])]).end(1, true);
    let in_flight = world.table.snapshot().resolve("m", &Selector::Latest).unwrap();
    world.list(&[(2, &[])]).end(2, true);
    assert!(world.table.collect().is_empty());
    assert_eq!(world.states(), [(2, "AVAILABLE"), (1, "UNLOADING")]);
    drop(in_flight);
    assert_eq!(world.table.collect().len(), 1);
}

#[test]
fn a_broken_version_leaves_the_old_one_serving_and_is_retried_with_patience() {
    let mut world = World::new();
    world.list(&[(1, &[])]).end(1, true);
    world.list(&[(2, &[])]).end(2, false);
    assert_eq!((world.latest(), world.states()), (Some(1), vec![(2, "END"), (1, "AVAILABLE")]));
    let status = world.table.snapshot().status("m", &Selector::Version(2)).unwrap();
    assert_eq!(status[0].error.as_deref(), Some("broken"));
    for _ in 0..100 {
        world.list(&[(2, &[])]);
    }
    assert!(world.pending().is_empty(), "no retry before its time");
    world.now += Duration::from_secs(5);
    world.list(&[(2, &[])]);
    assert_eq!(world.pending(), [2]);
    assert_eq!(world.states()[0], (2, "END"), "what failed shows its error while it is tried again");
    world.end(2, false);
    world.now += Duration::from_secs(9);
    world.list(&[(2, &[])]);
    assert!(world.pending().is_empty(), "the pause doubles");
    world.now += Duration::from_secs(1);
    world.list(&[(2, &[])]).end(2, true);
    assert_eq!((world.latest(), world.states()), (Some(2), vec![(2, "AVAILABLE"), (1, "UNLOADING")]));
}

#[test]
fn a_broken_latest_does_not_fall_back_to_a_labelled_older_version() {
    let mut world = World::new();
    world.list(&[(3, &["champion"]), (4, &[])]).end(3, true).end(4, true);
    world.list(&[(3, &["champion"]), (5, &[])]);
    assert_eq!(world.latest(), Some(4), "4 answers while 5 loads");
    world.end(5, false);
    assert_eq!((world.latest(), world.label("champion")), (Some(4), Some(3)));
}

#[test]
fn a_label_stays_until_its_new_version_is_available() {
    let mut world = World::new();
    world.list(&[(1, &["champion"]), (3, &[])]).end(1, true).end(3, true);
    world.list(&[(2, &["champion"]), (3, &[])]);
    assert_eq!(world.label("champion"), Some(1));
    world.end(2, true);
    assert_eq!(world.label("champion"), Some(2));
    assert_eq!(world.states(), [(3, "AVAILABLE"), (2, "AVAILABLE"), (1, "UNLOADING")]);
    world.list(&[(2, &[]), (3, &["champion"])]);
    assert_eq!(world.label("champion"), Some(3), "between loaded versions a label moves at once");
    world.list(&[(3, &[])]);
    assert_eq!(world.label("champion"), None);
}

#[test]
fn plain_requests_follow_the_default_not_the_highest_number() {
    let mut world = World::new();
    world.list(&[(1, &["default"]), (2, &[])]).end(1, true).end(2, true);
    assert_eq!(world.latest(), Some(1), "a challenger gets no plain traffic");
    world.list(&[(1, &[]), (2, &[]), (3, &["default"])]);
    assert_eq!(world.latest(), Some(1), "the old default answers until the new one can");
    world.end(3, true);
    assert_eq!(world.latest(), Some(3));
    world.list(&[(1, &["default"]), (2, &[]), (3, &[])]);
    assert_eq!(world.latest(), Some(1), "a rollback takes effect at once");
    world.list(&[(1, &[]), (2, &[]), (3, &[])]);
    assert_eq!(world.latest(), Some(3));
}

#[test]
fn a_rollback_goes_down_without_a_gap() {
    let mut world = World::new();
    world.list(&[(2, &[])]).end(2, true);
    world.list(&[(1, &[])]);
    assert_eq!(world.latest(), Some(2));
    world.end(1, true);
    assert_eq!(world.latest(), Some(1));
}

#[test]
fn at_the_first_start_the_best_version_so_far_answers() {
    let mut world = World::new();
    world.list(&[(1, &[]), (2, &[]), (3, &[])]).end(1, true);
    assert_eq!(world.latest(), Some(1));
    world.end(2, true);
    assert_eq!(world.latest(), Some(2));
    world.end(3, false);
    assert_eq!(world.latest(), Some(2));
}

#[test]
fn a_version_wanted_again_while_unloading_is_not_loaded_again() {
    let mut world = World::new();
    world.list(&[(1, &[])]).end(1, true);
    world.list(&[(2, &[])]).end(2, true);
    world.list(&[(1, &[]), (2, &[])]);
    assert!(world.pending().is_empty());
    assert_eq!(world.states(), [(2, "AVAILABLE"), (1, "AVAILABLE")]);
}

#[test]
fn a_model_no_longer_listed_goes_and_a_late_load_of_it_is_dropped() {
    let mut world = World::new();
    world.list(&[(1, &[])]).end(1, true);
    world.list(&[(1, &[]), (2, &[])]).list(&[]);
    assert_eq!(world.latest(), None);
    world.end(2, true);
    assert_eq!(world.table.collect().len(), 2);
    assert!(world.table.models.is_empty());
}

#[test]
fn hundreds_of_reloads_leave_nothing_behind() {
    let mut world = World::new();
    for version in 1..300 {
        world.list(&[(version, &["live"])]).end(version, true);
        world.table.collect();
    }
    assert_eq!(world.states().len(), 1 + ENDED_KEPT);
    assert_eq!((world.latest(), world.label("live")), (Some(299), Some(299)));
}
