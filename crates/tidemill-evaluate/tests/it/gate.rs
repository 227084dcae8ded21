//! The gate: a table of cases, then what it says.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidemill_core::{Code, Coded, Component};
use tidemill_evaluate::slices::{KeyColumn, SliceSpec, SliceValue};
use tidemill_evaluate::{
    BlessingVerdict, CheckOutcome, EvaluateOptions, Evaluation, EvaluationTable, Evaluator, Metric, Metrics,
    SliceEvaluation, SliceThreshold, Thresholds, WrittenThreshold, check_thresholds, evaluate,
};
use tidemill_model::Task;

fn metrics(values: &[(Metric, f64)]) -> Metrics {
    let mut metrics = Metrics::default();
    for (metric, value) in values {
        metrics.set(*metric, Some(*value));
    }
    metrics
}

/// One metric and its value; `None` where it is undefined.
type Found = Option<(Metric, f64)>;

/// An evaluation whose numbers are set by hand.
fn evaluation(value: Found, baseline: Option<Found>) -> Evaluation {
    let mut table = EvaluationTable::new(Task::Binary, "eval", vec![0.0, 1.0], vec![0.3, 0.6]);
    table.columns = vec![KeyColumn {
        name: "pay".into(),
        values: vec![SliceValue::Text("Card".into()), SliceValue::Text("Cash".into())],
        codes: vec![0, 1],
    }];
    let options = EvaluateOptions { slices: vec![SliceSpec::over(["pay"])], ..EvaluateOptions::default() };
    let mut evaluation = evaluate(&table, &options).unwrap();
    let overall: &mut SliceEvaluation = &mut evaluation.slices[0];
    overall.metrics = metrics(value.as_slice());
    overall.baseline = baseline.map(|baseline| metrics(baseline.as_slice()));
    evaluation
}

fn thresholds(written: Value) -> Thresholds {
    let overall: BTreeMap<String, WrittenThreshold> = serde_json::from_value(written).unwrap();
    Thresholds::read(&overall, &[]).unwrap()
}

/// The meaning of the cases is that of TFMA's `metrics_validator_test.py`: bounds inclusive, several bounds must all
/// hold, a missing value or a baseline of 0 fails a relative bound, no baseline skips what compares with it.
#[test]
fn bounds_hold_or_do_not() {
    use BlessingVerdict::{Blessed, BlessedFirst, NotBlessed, Unchecked};
    use Metric::{Auc, Calibration, LogLoss};
    let cases: Vec<(Value, Found, Option<Found>, BlessingVerdict)> = vec![
        (json!({}), Some((Auc, 0.9)), None, Unchecked),
        (json!({}), Some((Auc, 0.9)), Some(Some((Auc, 0.95))), Unchecked),
        (json!({ "auc": { "at_least": 0.9 } }), Some((Auc, 0.9)), None, BlessedFirst),
        (json!({ "auc": { "at_least": 0.9 } }), Some((Auc, 0.9)), Some(Some((Auc, 0.95))), Blessed),
        (json!({ "auc": { "at_least": 0.9 } }), Some((Auc, 0.899_999)), None, NotBlessed),
        (json!({ "auc": { "at_least": 0.5, "at_most": 0.8 } }), Some((Auc, 0.9)), None, NotBlessed),
        (json!({ "auc": { "at_least": 0.5, "at_most": 0.9 } }), Some((Auc, 0.9)), None, BlessedFirst),
        (json!({ "log_loss": { "at_most": 0.2 } }), Some((LogLoss, 0.2)), None, BlessedFirst),
        (json!({ "log_loss": { "at_most": 0.2 } }), Some((LogLoss, 0.21)), None, NotBlessed),
        (json!({ "auc": { "at_least": 0.9 } }), None, None, NotBlessed),
        // Against the baseline, in the unit of the metric.
        (json!({ "auc": { "no_worse_than_baseline_by": 0.005 } }), Some((Auc, 0.895)), Some(Some((Auc, 0.9))), Blessed),
        (
            json!({ "auc": { "no_worse_than_baseline_by": 0.005 } }),
            Some((Auc, 0.894)),
            Some(Some((Auc, 0.9))),
            NotBlessed,
        ),
        (json!({ "auc": { "no_worse_than_baseline_by": 0.0 } }), Some((Auc, 0.9)), Some(Some((Auc, 0.9))), Blessed),
        (json!({ "auc": { "better_than_baseline_by": 0.0 } }), Some((Auc, 0.9)), Some(Some((Auc, 0.9))), Blessed),
        (json!({ "auc": { "better_than_baseline_by": 0.01 } }), Some((Auc, 0.9)), Some(Some((Auc, 0.9))), NotBlessed),
        (json!({ "auc": { "better_than_baseline_by": 0.01 } }), Some((Auc, 0.91)), Some(Some((Auc, 0.9))), Blessed),
        // Less log-loss is better.
        (
            json!({ "log_loss": { "no_worse_than_baseline_by": 0.01 } }),
            Some((LogLoss, 0.3)),
            Some(Some((LogLoss, 0.5))),
            Blessed,
        ),
        (
            json!({ "log_loss": { "no_worse_than_baseline_by": 0.01 } }),
            Some((LogLoss, 0.52)),
            Some(Some((LogLoss, 0.5))),
            NotBlessed,
        ),
        (
            json!({ "log_loss": { "better_than_baseline_by": 0.01 } }),
            Some((LogLoss, 0.48)),
            Some(Some((LogLoss, 0.5))),
            Blessed,
        ),
        // The nearer to its target the better: 1 for calibration.
        (
            json!({ "calibration": { "no_worse_than_baseline_by": 0.0 } }),
            Some((Calibration, 0.95)),
            Some(Some((Calibration, 1.1))),
            Blessed,
        ),
        (
            json!({ "calibration": { "no_worse_than_baseline_by": 0.01 } }),
            Some((Calibration, 1.1)),
            Some(Some((Calibration, 0.95))),
            NotBlessed,
        ),
        // In percent of the baseline.
        (
            json!({ "auc": { "no_worse_than_baseline_by_percent": 10.0 } }),
            Some((Auc, 0.81)),
            Some(Some((Auc, 0.9))),
            Blessed,
        ),
        (
            json!({ "auc": { "no_worse_than_baseline_by_percent": 10.0 } }),
            Some((Auc, 0.8)),
            Some(Some((Auc, 0.9))),
            NotBlessed,
        ),
        (
            json!({ "auc": { "no_worse_than_baseline_by_percent": 10.0 } }),
            Some((Auc, 0.8)),
            Some(Some((Auc, 0.0))),
            NotBlessed,
        ),
        // Absolute and relative must both hold.
        (
            json!({ "auc": { "no_worse_than_baseline_by": 0.2, "no_worse_than_baseline_by_percent": 1.0 } }),
            Some((Auc, 0.8)),
            Some(Some((Auc, 0.9))),
            NotBlessed,
        ),
        // No baseline at all; a baseline on which the metric is undefined.
        (json!({ "auc": { "at_least": 0.5, "better_than_baseline_by": 0.5 } }), Some((Auc, 0.6)), None, BlessedFirst),
        (json!({ "auc": { "at_least": 0.7, "better_than_baseline_by": 0.5 } }), Some((Auc, 0.6)), None, NotBlessed),
        (json!({ "auc": { "no_worse_than_baseline_by": 0.5 } }), Some((Auc, 0.6)), Some(None), NotBlessed),
    ];
    for (number, (written, value, baseline, expected)) in cases.into_iter().enumerate() {
        let blessing = check_thresholds(&evaluation(value, baseline), &thresholds(written.clone())).unwrap();
        assert_eq!(blessing.verdict, expected, "case {number}: {written} on {value:?} and {baseline:?}: {blessing:?}");
        assert_eq!(blessing.blessed, expected != NotBlessed);
        assert_eq!(blessing.reasons.is_empty(), blessing.blessed, "a no always has a reason");
    }
}

#[test]
fn reasons_name_metric_value_and_bound() {
    let against = |value, baseline, written| {
        check_thresholds(
            &evaluation(Some((Metric::Auc, value)), Some(Some((Metric::Auc, baseline)))),
            &thresholds(written),
        )
        .unwrap()
        .reasons
        .join("\n")
    };
    assert_eq!(against(0.8731, 0.9, json!({ "auc": { "at_least": 0.9 } })), "auc is 0.8731, below the bound 0.9");
    assert_eq!(
        against(0.94, 0.951, json!({ "auc": { "no_worse_than_baseline_by": 0.005 } })),
        "auc is 0.94 and the baseline's 0.951: worse by 0.011, and 0.005 is allowed"
    );
    assert_eq!(
        against(0.899_999_9, 0.9, json!({ "auc": { "at_least": 0.9 } })),
        "auc is 0.8999999, below the bound 0.9"
    );
    let undefined =
        check_thresholds(&evaluation(None, None), &thresholds(json!({ "auc": { "at_least": 0.9 } }))).unwrap();
    assert_eq!(undefined.reasons, ["auc is undefined on these rows"]);
}

#[test]
fn no_baseline_is_said() {
    let found = evaluation(Some((Metric::Auc, 0.95)), None);
    let blessing =
        check_thresholds(&found, &thresholds(json!({ "auc": { "no_worse_than_baseline_by": 0.005 } }))).unwrap();
    assert_eq!(blessing.verdict, BlessingVerdict::BlessedFirst);
    assert_eq!(blessing.checks[0].outcome, CheckOutcome::NotApplied);
    assert_eq!(blessing.notes, ["there is no baseline yet, so 1 bound against it did not apply"]);
}

#[test]
fn slices_are_held_to_their_own_bounds() {
    let written: Vec<SliceThreshold> = serde_json::from_value(json!([
        { "slice": { "pay": "Cash" }, "thresholds": { "log_loss": { "at_most": 0.6 } } },
        { "slice": ["pay"], "thresholds": { "accuracy": { "at_least": 1.0 } } },
        { "slice": { "pay": "Cheque" }, "thresholds": { "accuracy": { "at_least": 0.5 } } },
        { "slice": ["hour"], "thresholds": { "accuracy": { "at_least": 0.5 } } },
        { "slice": { "pay": "Cash" }, "thresholds": { "auc": { "at_least": 0.5 } } },
    ]))
    .unwrap();
    let thresholds = Thresholds::read(&BTreeMap::new(), &written).unwrap();
    let blessing = check_thresholds(&evaluation(Some((Metric::Auc, 0.9)), None), &thresholds).unwrap();
    let outcomes: Vec<(String, CheckOutcome)> =
        blessing.checks.iter().map(|check| (format!("{} {}", check.metric, check.slice), check.outcome)).collect();
    assert_eq!(
        outcomes,
        [
            ("log_loss pay=Cash".to_owned(), CheckOutcome::Passed),
            ("accuracy pay=Card".to_owned(), CheckOutcome::Passed),
            ("accuracy pay=Cash".to_owned(), CheckOutcome::Passed),
            ("accuracy pay=Cheque".to_owned(), CheckOutcome::Failed),
            ("accuracy hour=*".to_owned(), CheckOutcome::Failed),
            ("auc pay=Cash".to_owned(), CheckOutcome::Failed),
        ]
    );
    assert_eq!(
        blessing.reasons,
        [
            "slice pay=Cheque has no rows, or too few to be shown",
            "slice hour=* has no rows, or too few to be shown",
            "auc of slice pay=Cash is undefined on these rows",
        ]
    );
}

#[test]
fn a_metric_of_another_task_is_an_error() {
    let error =
        check_thresholds(&evaluation(None, None), &thresholds(json!({ "rmse": { "at_most": 2.0 } }))).unwrap_err();
    assert_eq!(error.code(), Code::ThresholdInvalid);
    assert_eq!(error.to_string(), "`rmse` is not a metric of a binary model");
}

/// Path, message and hint of every issue.
fn issues(params: &Value) -> Vec<String> {
    let found = Evaluator.check(params);
    found
        .into_iter()
        .map(|issue| format!("{}: {} ({})", issue.path.join("."), issue.message, issue.hint.unwrap_or_default()))
        .collect()
}

#[test]
fn parameters_that_cannot_be_meant_are_all_found_before_the_run() {
    let good = json!({
        "slices": [[], ["trip_start_hour"], { "columns": ["payment_type"], "values": { "payment_type": ["Cash"] } }],
        "find_slices": 5,
        "thresholds": { "auc": { "at_least": 0.9, "no_worse_than_baseline_by": 0.005 } },
        "slice_thresholds": [{ "slice": { "payment_type": "Cash" }, "thresholds": { "log_loss": { "at_most": 0.2 } } }],
        "confidence_intervals": { "method": "poisson_bootstrap", "replicas": 50, "level": 0.9 },
        "min_slice_size": 10,
    });
    assert_eq!(issues(&good), [] as [String; 0]);
    assert_eq!(
        issues(&json!({ "find_slices": { "top": 3, "columns": ["a"] }, "confidence_intervals": false })),
        [] as [String; 0]
    );
    assert_eq!(
        issues(&json!({
            "slices": [["a", "a"]],
            "min_slice_size": 0,
            "decision_threshold": 1.5,
            "confidence_intervals": { "level": 95 },
            "thresholds": {
                "logloss": { "at_most": 0.9 },
                "accuracy": { "at_least": 90 },
                "brier": {},
                "count": { "no_worse_than_baseline_by": 3 },
                "log_loss": { "at_least": 0.5, "at_most": 0.4 },
                "recall": { "no_worse_than_baseline_by": -0.1 },
            },
            "slice_thresholds": [{ "slice": [], "thresholds": { "auc": { "at_least": 0.5 } } }],
        })),
        [
            "slices.0: column `a` is named twice ()",
            "min_slice_size: a slice has 1 row at least ()",
            "decision_threshold: 1.5 is not between 0 and 1 ()",
            "confidence_intervals.level: 95 is not between 0 and 1 (95 % is written 0.95)",
            "thresholds.accuracy.at_least: `accuracy` is never more than 1 ()",
            "thresholds.brier: `brier` has no bound (add one: `at_least: 0.9`)",
            "thresholds.count.no_worse_than_baseline_by: no value of `count` is better than another (bound it with `at_least` and `at_most`)",
            "thresholds.log_loss: no value is at least 0.5 and at most 0.4 ()",
            "thresholds.logloss: `logloss` is not a metric (did you mean `log_loss`?)",
            "thresholds.recall.no_worse_than_baseline_by: -0.1 is negative (use `better_than_baseline_by`)",
            "slice_thresholds.0.slice: the slice names no column (bounds on all rows belong in `thresholds`)",
        ]
    );
    let misspelt = issues(&json!({ "thresholds": { "auc": { "atleast": 0.9 } } })).join("\n");
    assert!(misspelt.starts_with("thresholds.auc.atleast: "), "{misspelt}");
    assert!(misspelt.ends_with("(did you mean `at_least`?)"), "{misspelt}");
    assert_eq!(issues(&json!({ "slices": "payment_type" })).len(), 1);
    assert_eq!(issues(&json!({ "slicse": [] })).len(), 1);
}

/// A bound on the interval holds only if chance cannot explain it.
#[test]
fn a_bound_may_be_of_the_interval() {
    let labels: Vec<f64> = (0..200).map(|row| f64::from(u8::from(row % 2 == 0))).collect();
    let score = |good: u32| -> Vec<f64> {
        (0..200_u32).map(|row| if (row * 37 % 100 < good) == (row % 2 == 0) { 0.8 } else { 0.3 }).collect()
    };
    let mut table = EvaluationTable::new(Task::Binary, "eval", labels, score(80));
    table.baseline = Some(score(79));
    let evaluation = evaluate(&table, &EvaluateOptions::default()).unwrap();
    let accuracy = evaluation.overall().unwrap().metrics.get(Metric::Accuracy).unwrap();
    assert!((0.78..0.82).contains(&accuracy));
    let judge = |written: Value| check_thresholds(&evaluation, &thresholds(written)).unwrap();
    assert!(judge(json!({ "accuracy": ">= 0.75" })).blessed);
    let by_interval = judge(json!({ "accuracy": ">= 0.75 (interval)" }));
    assert!(!by_interval.blessed);
    assert!(by_interval.reasons[0].starts_with("accuracy has an interval that reaches down to 0.7"), "{by_interval:?}");
    assert!(by_interval.checks[0].interval_end.is_some_and(|end| end < 0.75));
    assert!(judge(json!({ "accuracy": { "at_least": 0.7, "interval": true } })).blessed);
    assert!(judge(json!({ "auc": { "better_than_baseline_by": 0.0 } })).blessed);
    let change = judge(json!({ "auc": { "better_than_baseline_by": 0.0, "interval": true } }));
    assert!(change.reasons[0].contains("by the interval of the change"), "{change:?}");
}
