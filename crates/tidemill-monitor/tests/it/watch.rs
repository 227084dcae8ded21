//! Monitors find what is planted, and nothing else.

use std::collections::BTreeMap;

use tidemill_monitor::alert::AlertState;
use tidemill_monitor::{Kind, Round, StateFolder, append_feedback, parse_feedback, rfc3339};

use crate::world::{HOUR, Twist, World, rows};

fn kinds(round: &Round, hour: i64) -> Vec<Kind> {
    let report = round.closed.iter().find(|report| report.start == World::start() + hour * HOUR).unwrap();
    let mut kinds: Vec<Kind> = report.findings.iter().map(|finding| finding.kind).collect();
    kinds.sort();
    kinds
}

#[test]
fn windows_as_usual_are_no_alarm_in_a_month() {
    let mut world = World::new("{}");
    for hour in 0..720 {
        world.serve(hour, 200, Twist::default());
    }
    let (_, round) = world.replay();
    assert_eq!(round.closed.len(), 720);
    let unusual = round.closed.iter().filter(|report| !report.findings.is_empty()).count();
    assert!(unusual <= 14, "{unusual} of 720");
    let fired: Vec<_> = round.changes.iter().filter(|change| change.alert.state == AlertState::Firing).collect();
    assert!(fired.len() <= 1, "{fired:#?}");
}

#[test]
fn each_planted_fault_is_found_in_its_window_and_by_its_kind() {
    let cases = [
        (Twist { shift: 1.0, ..Twist::default() }, Kind::Drift),
        (Twist { missing: 0.3, ..Twist::default() }, Kind::Missing),
        (Twist { new_kind: true, ..Twist::default() }, Kind::Schema),
        (Twist { stuck: Some(0.5), ..Twist::default() }, Kind::RepeatedAnswers),
    ];
    for (twist, kind) in cases {
        let mut world = World::new("{}");
        for hour in 0..6 {
            world.serve(hour, 500, if hour >= 4 { twist } else { Twist::default() });
        }
        let (monitor, round) = world.replay();
        assert!((0..4).all(|hour| kinds(&round, hour).is_empty()), "{kind:?}");
        assert!(kinds(&round, 4).contains(&kind), "{kind:?}: {:?}", kinds(&round, 4));
        // Two of three windows.
        let fired: Vec<Kind> = round.changes.iter().map(|change| change.alert.kind).collect();
        assert!(fired.contains(&kind), "{kind:?}: {fired:?}");
        assert_eq!(monitor.alerts().open[&kind].state, AlertState::Firing);
    }
}

#[test]
fn a_drift_names_its_causes_and_is_resolved() {
    let mut world = World::new(r#"{ "importance": { "amount": 3, "age": 1 } }"#);
    for hour in 0..12 {
        let shift = if (4..8).contains(&hour) { 1.5 } else { 0.0 };
        world.serve(hour, 500, Twist { shift, ..Twist::default() });
    }
    let (_, round) = world.replay();
    let drift: Vec<_> = round.changes.iter().filter(|change| change.alert.kind == Kind::Drift).collect();
    let states: Vec<AlertState> = drift.iter().map(|change| change.alert.state).collect();
    assert_eq!(states, [AlertState::Firing, AlertState::Resolved]);
    let cause = &drift[0].alert.finding.causes[0];
    assert!(cause.starts_with("amount: mean ") && cause.contains("→"), "{cause}");
    assert_eq!(rfc3339(drift[0].at), rfc3339(World::start() + 6 * HOUR), "after the second window");
    assert_eq!(drift[0].alert.fingerprint, drift[1].alert.fingerprint);
}

#[test]
fn a_few_rows_are_no_alarm_and_an_outage_is_one() {
    let mut world = World::new("{}");
    for hour in 0..12 {
        match hour {
            9 | 10 => {}
            8 => world.serve(hour, 3, Twist { shift: 9.0, ..Twist::default() }),
            _ => world.serve(hour, 300, Twist::default()),
        }
    }
    let (_, round) = world.replay();
    assert!(!kinds(&round, 8).contains(&Kind::Drift));
    assert_eq!(kinds(&round, 9), [Kind::Volume]);
    let fired: Vec<Kind> =
        round.changes.iter().filter(|of| of.alert.state == AlertState::Firing).map(|of| of.alert.kind).collect();
    assert_eq!(fired, [Kind::Volume]);
}

#[test]
fn an_outage_stays_an_alert_however_long_it_lasts() {
    let mut world = World::new("{}");
    for hour in (0..8).chain(70..72) {
        world.serve(hour, 300, Twist::default());
    }
    let (_, round) = world.replay();
    let volume: Vec<_> =
        round.changes.iter().filter(|of| of.alert.kind == Kind::Volume).map(|of| (of.alert.state, of.at)).collect();
    let at = |hour: i64| World::start() + hour * HOUR;
    assert_eq!(volume, [(AlertState::Firing, at(10)), (AlertState::Resolved, at(72))]);
}

#[test]
fn state_is_the_same_however_often_the_monitor_ran_and_whatever_was_compacted() {
    let mut world = World::new("{}");
    let mut monitor = world.open(world.state_dir());
    for hour in 0..8 {
        world.serve(hour, 150, Twist { shift: f64::from(u8::from(hour > 4)), ..Twist::default() });
        let now = World::start() + hour * HOUR + HOUR + 60_000_000;
        monitor.round(&mut world.reference(), Some(now)).unwrap();
        monitor.save().unwrap();
        if hour == 3 {
            monitor.log().compact(now + 9 * HOUR, std::time::Duration::ZERO).unwrap();
        }
        if hour == 5 {
            // Another process goes on.
            monitor = world.open(world.state_dir());
        }
    }
    let end = World::start() + 9 * HOUR;
    monitor.round(&mut world.reference(), Some(end)).unwrap();
    let (replayed, _) = world.replay();
    let all = |monitor: &tidemill_monitor::Monitor| monitor.windows(0, i64::MAX).unwrap();
    assert_eq!(all(&monitor).len(), 8);
    for (one, other) in all(&monitor).iter().zip(all(&replayed)) {
        assert_eq!(one.counts.rows, other.counts.rows);
        assert_eq!(one.findings, other.findings);
    }
    assert_eq!(monitor.seen().rows, 8 * 150);
}

#[test]
fn clocks_that_disagree_and_rows_that_come_too_late_are_counted() {
    let mut world = World::new("{}");
    world.serve(0, 200, Twist::default());
    world.serve(1, 200, Twist::default());
    world.serve(2, 200, Twist::default());
    let mut monitor = world.open(StateFolder::in_memory());
    let now = World::start() + 3 * HOUR;
    let (future, _) = rows(World::start() + 90 * HOUR, 5, 3, Twist::default());
    world.put(World::start() + 2 * HOUR, future);
    monitor.round(&mut world.reference(), Some(now)).unwrap();
    assert_eq!((monitor.seen().future, monitor.windows(0, i64::MAX).unwrap().len()), (5, 2));
    let (late, _) = rows(World::start(), 7, 4, Twist::default());
    world.put(World::start() + 3 * HOUR, late);
    monitor.round(&mut world.reference(), Some(now + HOUR)).unwrap();
    assert_eq!(monitor.seen().late, 7);
}

#[test]
fn damaged_state_is_an_error_and_is_computed_again() {
    let mut world = World::new("{}");
    world.serve(0, 200, Twist::default());
    let mut monitor = world.open(world.state_dir());
    monitor.round(&mut world.reference(), None).unwrap();
    monitor.save().unwrap();
    let path = world.dir.path().join("state/state.json");
    let text = std::fs::read_to_string(&path).unwrap();
    for damaged in [text.replace("\"late\":0", "\"late\":1"), text[..text.len() / 2].to_owned(), String::new()] {
        std::fs::write(&path, damaged).unwrap();
        let error =
            tidemill_monitor::Monitor::open(world.file.clone(), world.dir.path(), world.state_dir()).unwrap_err();
        assert!(error.to_string().contains("state.json"), "{error}");
    }
}

/// Labels of everything that was served, known an hour later.
fn give_labels(world: &World, actor: Option<&str>) {
    let lines: Vec<String> = world
        .truths
        .iter()
        .map(|(id, truth)| {
            let start: i64 = id.split('-').next().unwrap().parse().unwrap();
            serde_json::json!({ "request_id": id, "label": truth, "time": rfc3339(start + HOUR), "actor": actor })
                .to_string()
        })
        .collect();
    let records = parse_feedback(&lines.join("\n"), "labels").unwrap();
    append_feedback(&world.log(), &records, World::start()).unwrap();
}

#[test]
fn estimate_and_truth_stand_side_by_side_and_only_labels_see_that_the_world_changed() {
    let mut world = World::new(r#"{ "labels": { "maturity": "2h" } }"#);
    for hour in 0..10 {
        world.serve(hour, 1500, Twist { flipped: hour >= 5, ..Twist::default() });
    }
    give_labels(&world, None);
    let (monitor, round) = world.replay();
    let windows = monitor.windows(0, i64::MAX).unwrap();
    for report in &windows[..5] {
        let (estimated, real) = (&report.performance.estimated["roc_auc"], &report.performance.realised["roc_auc"]);
        assert!((estimated.value - real.value).abs() < estimated.band.hypot(real.band), "{estimated:?} {real:?}");
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        assert_eq!(report.performance.labelled, 1500);
    }
    let fired: BTreeMap<Kind, i64> = round
        .changes
        .iter()
        .filter(|of| of.alert.state == AlertState::Firing)
        .map(|of| (of.alert.kind, of.at))
        .collect();
    assert_eq!(fired.keys().copied().collect::<Vec<_>>(), [Kind::Performance, Kind::ConceptDrift]);
    assert_eq!(round.labels.unwrap().records, 15_000);
}

#[test]
fn a_covariate_shift_moves_the_estimate_as_it_moves_the_truth() {
    let mut world = World::new(r#"{ "labels": { "maturity": "2h" } }"#);
    for hour in 0..4 {
        world.serve(hour, 3000, Twist { shift: if hour >= 2 { 1.5 } else { 0.0 }, ..Twist::default() });
    }
    give_labels(&world, None);
    let windows = world.replay().0.windows(0, i64::MAX).unwrap();
    for metric in ["accuracy", "roc_auc", "brier", "log_loss", "f1", "recall", "precision"] {
        for report in &windows {
            let (estimated, real) = (&report.performance.estimated[metric], &report.performance.realised[metric]);
            let near = (estimated.value - real.value).abs() < estimated.band.hypot(real.band) + 0.01;
            assert!(near, "{metric}: {estimated:?} {real:?}");
        }
    }
}

#[test]
fn labels_late_repeated_corrected_in_conflict_unknown_and_poisoned_are_counted() {
    let mut world = World::new(r#"{ "labels": { "maturity": "2h", "per_actor_per_hour": 1000 } }"#);
    world.serve(0, 400, Twist::default());
    give_labels(&world, Some("ana"));
    let start = World::start();
    let id = |row: usize| format!("{start}-{row}");
    let truth = |row: usize| world.truths[&id(row)];
    let at = |minutes: i64| rfc3339(start + minutes * 60_000_000);
    let mut lines = vec![
        serde_json::json!({ "request_id": id(0), "label": truth(0), "time": at(61) }),
        serde_json::json!({ "request_id": id(1), "label": 1.0 - truth(1), "time": at(70), "actor": "ben" }),
        serde_json::json!({ "request_id": id(2), "label": 1.0 - truth(2), "time": at(60), "actor": "ben" }),
        serde_json::json!({ "request_id": "nobody", "label": 1, "time": at(70) }),
        // Known only after the labels of the window were judged.
        serde_json::json!({ "request_id": id(3), "label": 1.0 - truth(3), "time": at(600) }),
        serde_json::json!({ "request_id": id(4), "label": "maybe", "time": at(70) }),
    ];
    // Somebody says the opposite of everything.
    let answers = rows(start, 400, 1, Twist::default()).0;
    let answers = answers.column_by_name("_probability").unwrap().clone();
    let answers = arrow::array::AsArray::as_primitive::<arrow::datatypes::Float64Type>(&answers).clone();
    for row in 100..160 {
        let opposite = f64::from(u8::from(answers.value(row) < 0.5));
        lines.push(serde_json::json!({ "request_id": id(row), "label": opposite, "time": at(75), "actor": "eve" }));
    }
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    append_feedback(&world.log(), &parse_feedback(&text, "x").unwrap(), start).unwrap();
    let (monitor, round) = world.replay();
    let counts = round.labels.unwrap();
    assert_eq!((counts.records, counts.conflicting, counts.unknown, counts.unusable), (466, 1, 1, 1));
    assert!(counts.repeated >= 1 && counts.corrected >= 2, "{counts:?}");
    let report = &monitor.windows(0, i64::MAX).unwrap()[0];
    assert!(
        report.findings.iter().any(|of| of.kind == Kind::SuspiciousLabels && of.summary.contains("eve")),
        "{:?}",
        report.findings
    );
    // 400, without the conflict and without those of Eve.
    assert_eq!(report.performance.labelled, 400 - 1 - 60);
}

#[test]
fn a_version_without_training_rows_learns_from_the_log() {
    struct Learn<'a>(&'a World);
    impl tidemill_monitor::Profiles for Learn<'_> {
        fn profile(
            &mut self,
            version: u64,
            _: &StateFolder,
        ) -> Result<Option<tidemill_monitor::Profile>, tidemill_monitor::MonitorError> {
            let log = tidemill_monitor::InferenceLog::new(&self.0.log(), "m");
            tidemill_monitor::learn(&self.0.file, &log, version)
        }
    }
    let mut world = World::new(r#"{ "reference": "learn" }"#);
    let mut monitor = world.open(StateFolder::in_memory());
    for hour in 0..12 {
        world.serve(hour, 400, Twist { shift: if hour >= 9 { 1.0 } else { 0.0 }, ..Twist::default() });
        let round = monitor.round(&mut Learn(&world), Some(World::start() + (hour + 1) * HOUR + 1)).unwrap();
        assert!(hour >= 2 || round.closed.is_empty(), "too few rows to learn from: nothing is judged yet");
    }
    let round = monitor.round(&mut Learn(&world), None).unwrap();
    assert!(!round.closed.is_empty());
    let windows = monitor.windows(0, i64::MAX).unwrap();
    let drifted: Vec<bool> = windows.iter().map(|of| of.findings.iter().any(|of| of.kind == Kind::Drift)).collect();
    assert_eq!(drifted, [&[false; 9][..], &[true; 3]].concat());
}

/// Rows of a model of numbers whose error grows with `size`.
fn numbers(count: usize, size: f64, seed: u64) -> (arrow::array::RecordBatch, Vec<f64>) {
    use arrow::array::{ArrayRef, Float64Array};
    use std::sync::Arc;
    let mut random = tidemill_core::SplitMix64::new(seed);
    let (mut sizes, mut answers, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..count {
        let of = random.unit() * 0.5 + size;
        let answer = 10.0 + random.unit();
        labels.push(answer + (random.unit() - 0.5) * 4.0 * of);
        sizes.push(of);
        answers.push(answer);
    }
    let column = |values: Vec<f64>| Arc::new(Float64Array::from(values)) as ArrayRef;
    let batch = arrow::array::RecordBatch::try_from_iter([("size", column(sizes)), ("_prediction", column(answers))]);
    (batch.unwrap(), labels)
}

#[test]
fn the_error_of_a_model_of_numbers_is_estimated_from_all_inputs() {
    use tidemill_monitor::{Reader, Task, WindowCounts, of_rows, realised};
    let world = World::new("{}");
    // Small and large ones.
    let parts = [numbers(3000, 0.0, 1), numbers(3000, 1.0, 2)];
    let mut labels = parts.iter().map(|(_, labels)| labels.iter().map(|label| Some(*label)).collect());
    let mut labels = |_: &arrow::array::RecordBatch| labels.next().unwrap();
    let open = || Ok(parts.iter().map(|(batch, _)| Ok(batch.clone())));
    let profile = of_rows(&world.file, 1, "numbers", open, Some((Task::Regression, &mut labels))).unwrap();
    let estimator = profile.estimator.as_ref().unwrap();
    for (size, seed) in [(0.0, 3), (1.0, 4)] {
        let (batch, labels) = numbers(2000, size, seed);
        let mut window = WindowCounts::new(&profile);
        window.update(&batch, &Reader::new(&profile, []));
        let estimated = window.estimate.as_ref().unwrap().measures(estimator);
        let answers = arrow::array::AsArray::as_primitive::<arrow::datatypes::Float64Type>(batch.column(1)).clone();
        let pairs: Vec<(f64, f64)> = answers.values().iter().copied().zip(labels).collect();
        let real = realised(Task::Regression, &pairs);
        for metric in ["mae", "rmse"] {
            let (estimated, real) = (estimated[metric], real[metric]);
            let near = (estimated.value - real.value).abs() < 0.06 * real.value + estimated.band.hypot(real.band);
            assert!(near, "size {size}, {metric}: {estimated:?} {real:?}");
        }
    }
}
