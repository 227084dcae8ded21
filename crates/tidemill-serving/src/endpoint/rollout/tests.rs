use serde_json::json;
use tidemill_core::SplitMix64;

use super::*;

fn spec(more: &Value) -> RolloutSpec {
    let mut spec = json!({ "candidate": "b", "steps": [5, 50, 100], "every": "10m", "min_requests": 100 });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(spec).unwrap()
}

fn rollout(more: &Value) -> (Rollout, Instant) {
    let now = Instant::now();
    (Rollout::new(&spec(more), "b".to_owned(), Progress::Step { step: 0 }, now), now)
}

/// Requests of both sides, with these chances of errors.
fn send(rollout: &Rollout, requests: u64, errors: (f64, f64), scores: (f64, f64)) {
    let uniform = |number| (SplitMix64::nth(number) >> 11) as f64 / (1u64 << 53) as f64;
    for number in 0..requests {
        for (is_candidate, errors, score) in [(true, errors.0, scores.0), (false, errors.1, scores.1)] {
            let draw = uniform(number * 2 + u64::from(is_candidate));
            let took = Duration::from_millis(1);
            let scores = [score + draw / 10.0];
            rollout.record(&Outcome {
                is_candidate,
                rows: 1,
                failed: draw < errors,
                took,
                scores: &scores,
                units: &[],
            });
        }
    }
}

const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn steps_follow_each_other_in_time_and_with_enough_requests() {
    let (rollout, start) = rollout(&json!({ "guards": { "error_rate": { "at_most": 0.05, "no_worse_by": 0.02 } } }));
    assert_eq!(rollout.share(), 5.0);
    send(&rollout, 200, (0.01, 0.01), (0.5, 0.5));
    assert_eq!(rollout.tick(start + 9 * MINUTE), None);
    assert_eq!(rollout.tick(start + 10 * MINUTE), Some(Progress::Step { step: 1 }));
    assert_eq!(rollout.share(), 50.0);
    // Silence is not success: without requests it waits, for hours.
    assert_eq!(rollout.tick(start + 600 * MINUTE), None);
    let status = rollout.status(start + 600 * MINUTE);
    assert_eq!((&status["state"], &status["waits_for"]), (&json!("running"), &json!("rows: 0 of 100")));
    send(&rollout, 100, (0.0, 0.0), (0.5, 0.5));
    assert_eq!(rollout.tick(start + 601 * MINUTE), Some(Progress::Step { step: 2 }));
    send(&rollout, 100, (0.0, 0.0), (0.5, 0.5));
    assert_eq!(rollout.tick(start + 611 * MINUTE), Some(Progress::Done));
    assert_eq!((rollout.share(), rollout.tick(start + 700 * MINUTE)), (100.0, None));
}

#[test]
fn a_failing_candidate_is_rolled_back_at_once() {
    let (rollout, start) = rollout(&json!({ "guards": { "error_rate": { "at_most": 0.05 } } }));
    send(&rollout, 100, (0.4, 0.0), (0.5, 0.5));
    let Some(Progress::RolledBack { step: 0, reason }) = rollout.tick(start) else { panic!("it goes on") };
    assert!(reason.starts_with("error_rate: "), "{reason}");
    assert_eq!((rollout.share(), rollout.is_running()), (0.0, false));
}

#[test]
fn a_candidate_with_other_scores_is_held_if_the_file_says_so() {
    let (rollout, start) = rollout(&json!({ "guards": { "score_mean": { "within": 0.1 } }, "on_fail": "hold" }));
    send(&rollout, 300, (0.0, 0.0), (0.8, 0.5));
    let Some(Progress::Held { reason, .. }) = rollout.tick(start) else { panic!("it goes on") };
    assert!(reason.starts_with("score_mean"), "{reason}");
    assert_eq!(rollout.share(), 5.0);
    // A difference within the bound is none.
    let (rollout, start) = self::rollout(&json!({ "guards": { "score_mean": { "within": 0.1 } } }));
    send(&rollout, 3000, (0.0, 0.0), (0.55, 0.5));
    assert_eq!(rollout.tick(start), None);
}

#[test]
fn slow_answers_and_a_wrong_ratio_of_units_are_noticed() {
    let (slow, start) = rollout(&json!({ "guards": { "latency_p99_ms": { "at_most": 0.5 } } }));
    send(&slow, 50, (0.0, 0.0), (0.5, 0.5));
    assert!(matches!(slow.tick(start), Some(Progress::RolledBack { .. })));
    let (skewed, start) = rollout(&json!({}));
    let units: Vec<u64> = (0..4000).collect();
    let record = |is_candidate, units: &[u64]| {
        let rows = units.len();
        skewed.record(&Outcome { is_candidate, rows, failed: false, took: Duration::ZERO, scores: &[], units });
    };
    record(true, &units[..600]);
    record(false, &units[600..]);
    let Some(Progress::RolledBack { reason, .. }) = skewed.tick(start) else { panic!("it goes on") };
    assert!(reason.starts_with("sample ratio: 600 of 4000"), "{reason}");
}

#[test]
fn a_step_that_needs_approval_waits_for_it() {
    let spec_of =
        |approved: Value| json!({ "steps": [5, 100], "approve": [100], "approved": approved, "min_requests": 1 });
    let (rollout, start) = rollout(&spec_of(json!([])));
    send(&rollout, 10, (0.0, 0.0), (0.5, 0.5));
    assert_eq!(rollout.tick(start + 20 * MINUTE), None);
    assert_eq!(rollout.status(start + 20 * MINUTE)["waits_for"], json!("approval of 100 %"));
    let (rollout, start) = self::rollout(&spec_of(json!([100.0])));
    send(&rollout, 10, (0.0, 0.0), (0.5, 0.5));
    assert_eq!(rollout.tick(start + 20 * MINUTE), Some(Progress::Step { step: 1 }));
}

#[test]
fn the_position_is_kept_and_an_approval_does_not_begin_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = Progress::path(dir.path(), "rides");
    let first = spec(&json!({}));
    assert_eq!(Progress::load(&path, &first, "b"), Ok(Progress::Step { step: 0 }));
    Progress::Step { step: 2 }.save(&path, &first, "b").unwrap();
    assert_eq!(Progress::load(&path, &first, "b"), Ok(Progress::Step { step: 2 }));
    assert_eq!(Progress::load(&path, &spec(&json!({ "approved": [100] })), "b"), Ok(Progress::Step { step: 2 }));
    assert_eq!(Progress::load(&path, &spec(&json!({ "steps": [1, 2] })), "b"), Ok(Progress::Step { step: 0 }));
    // Another version of the candidate begins at the first step.
    assert_eq!(Progress::load(&path, &first, "b 2"), Ok(Progress::Step { step: 0 }));
    std::fs::write(&path, b"{}").unwrap();
    assert!(Progress::load(&path, &first, "b").unwrap_err().contains(".rollout.json"));
}
