//! `EvalConfig` of TensorFlow Model Analysis. The cases are those of its `metrics_validator_test.py`, as data: what is configured,
//! what was measured, and whether it validates.

use std::path::Path;

use serde_json::json;
use tidemill_core::Coded;
use tidemill_evaluate::slices::{KeyColumn, SliceSpec, SliceValue};
use tidemill_evaluate::{
    CheckOutcome, ConvertedEvalConfig, EvaluateOptions, Evaluation, EvaluationTable, Metric, Metrics, check_thresholds,
    evaluate, read_eval_config,
};
use tidemill_model::{Task, TaskKind};

fn read(text: &str) -> ConvertedEvalConfig {
    read_eval_config(Path::new("eval_config.pbtxt"), text, &Task::Binary).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// Every slice has the same numbers: candidate and, if there is one, baseline.
fn measured(candidate: &[(Metric, f64)], baseline: Option<&[(Metric, f64)]>) -> Evaluation {
    let mut table = EvaluationTable::new(Task::Binary, "eval", vec![0.0, 1.0], vec![0.3, 0.6]);
    let column = |name: &str, value: &str| KeyColumn {
        name: name.into(),
        values: vec![SliceValue::Text(value.into())],
        codes: vec![0, 0],
    };
    table.columns = vec![column("feature1", "value1"), column("feature2", "value2")];
    let slices = [vec!["feature1"], vec!["feature2"]].map(SliceSpec::over);
    let options = EvaluateOptions { slices: slices.into(), ..EvaluateOptions::default() };
    let mut evaluation = evaluate(&table, &options).unwrap();
    let metrics = |values: &[(Metric, f64)]| {
        let mut metrics = Metrics::default();
        values.iter().for_each(|(metric, value)| metrics.set(*metric, Some(*value)));
        metrics
    };
    for slice in &mut evaluation.slices {
        slice.metrics = metrics(candidate);
        slice.baseline = baseline.map(metrics);
    }
    evaluation
}

fn validates(config: &str, candidate: &[(Metric, f64)], baseline: Option<&[(Metric, f64)]>) -> bool {
    let thresholds = read(config).params.read_thresholds().unwrap();
    check_thresholds(&measured(candidate, baseline), &thresholds).unwrap().blessed
}

/// A threshold, the class that it is of, what was measured of the candidate and of the baseline, and whether it validates.
type Case = (&'static str, &'static str, f64, Option<f64>, bool);

const VALUE: &str = "value_threshold";
const CHANGE: &str = "change_threshold";

const CASES: &[(&str, Case)] = &[
    // testValidateMetricsMetricTDistributionValueAndThreshold
    (VALUE, ("lower_bound { value: 0.9 }", "AUC", 0.8, None, false)),
    // testValidateMetricsMetricTDistributionChangeAndThreshold
    (CHANGE, ("direction: LOWER_IS_BETTER absolute { value: -1 }", "AUC", 0.7, Some(0.6), false)),
    // testValidateMetricsMetricValueAndThreshold, …ValueThresholdUpperBoundFail
    (VALUE, ("upper_bound { value: 1 }", "WeightedExampleCount", 1.5, None, false)),
    // …ValueThresholdLowerBoundFail
    (VALUE, ("lower_bound { value: 1 }", "WeightedExampleCount", 0.0, None, false)),
    // …ValueThresholdUpperBoundPass
    (VALUE, ("upper_bound { value: 1 }", "WeightedExampleCount", 0.0, None, true)),
    // …ValueThresholdLowerBoundPass
    (VALUE, ("lower_bound { value: 1 }", "WeightedExampleCount", 2.0, None, true)),
    // …ChangeThresholdAbsoluteFail
    (CHANGE, ("direction: LOWER_IS_BETTER absolute { value: -1 }", "MeanPrediction", 0.0, Some(0.333), false)),
    // …ChangeThresholdRelativeFail
    (CHANGE, ("direction: LOWER_IS_BETTER relative { value: -2 }", "MeanPrediction", 0.0, Some(0.333), false)),
    // …ChangeThresholdAbsolutePass
    (CHANGE, ("direction: LOWER_IS_BETTER absolute { value: 0 }", "MeanPrediction", 0.0, Some(0.333), true)),
    // …ChangeThresholdRelativePass
    (CHANGE, ("direction: LOWER_IS_BETTER relative { value: 0 }", "MeanPrediction", 0.0, Some(0.333), true)),
    // …ChangeThresholdHigherIsBetterPass
    (CHANGE, ("direction: HIGHER_IS_BETTER absolute { value: -1 }", "MeanPrediction", 0.0, Some(0.333), true)),
    // …ChangeThresholdHigherIsBetterFail
    (CHANGE, ("direction: HIGHER_IS_BETTER absolute { value: 0 }", "MeanPrediction", 0.0, Some(0.333), false)),
    // …ChangeThresholdEqualPass: bounds are inclusive, and absolute and relative must both hold
    (
        CHANGE,
        (
            "direction: LOWER_IS_BETTER absolute { value: -0.333 } relative { value: -0.333 }",
            "MeanPrediction",
            0.667,
            Some(1.0),
            true,
        ),
    ),
    (
        CHANGE,
        (
            "direction: HIGHER_IS_BETTER absolute { value: -0.333 } relative { value: -0.333 }",
            "MeanLabel",
            0.667,
            Some(1.0),
            true,
        ),
    ),
    (VALUE, ("lower_bound { value: 1 }", "ExampleCount", 1.0, None, true)),
    (VALUE, ("upper_bound { value: 1 }", "WeightedExampleCount", 1.0, None, true)),
    // testValidateMetricsDivByZero
    (CHANGE, ("direction: LOWER_IS_BETTER relative { value: 0.1 }", "MeanPrediction", 0.1, Some(0.0), false)),
    // No baseline: what compares with it does not apply (`rubber_stamp`).
    (CHANGE, ("direction: HIGHER_IS_BETTER absolute { value: 0 }", "AUC", 0.5, None, true)),
];

#[test]
fn the_validator_agrees_with_tfmas_in_every_case() {
    for (kind, (bounds, class, candidate, baseline, expected)) in CASES {
        let threshold = format!("threshold {{ {kind} {{ {bounds} }} }}");
        // `_NO_SLICE_TEST`, `_FEATURE_SLICE_TEST`, `_FEATURE_VALUE_SLICE_TEST`, `_MULTIPLE_SLICES_TEST`
        for place in [
            threshold.clone(),
            format!("per_slice_thresholds {{ slicing_specs {{ feature_keys: \"feature1\" }} {threshold} }}"),
            format!(
                "per_slice_thresholds {{ slicing_specs {{ feature_values {{ key: \"feature1\" value: \"value1\" }} }} {threshold} }}"
            ),
            format!(
                "per_slice_thresholds {{ slicing_specs {{ feature_values {{ key: \"feature1\" value: \"value1\" }} }}
                   slicing_specs {{ feature_values {{ key: \"feature2\" value: \"value2\" }} }} {threshold} }}"
            ),
        ] {
            let config = format!("metrics_specs {{ metrics {{ class_name: \"{class}\" {place} }} }}");
            let metric = match *class {
                "AUC" => Metric::Auc,
                "WeightedExampleCount" => Metric::WeightedCount,
                "ExampleCount" => Metric::Count,
                "MeanLabel" => Metric::LabelMean,
                _ => Metric::PredictionMean,
            };
            let of_baseline = baseline.map(|value| [(metric, value)]);
            let found = validates(&config, &[(metric, *candidate)], of_baseline.as_ref().map(<[_; 1]>::as_slice));
            assert_eq!(found, *expected, "{config}");
        }
    }
}

/// testGetMissingSlices, and a metric that is missing: both fail.
#[test]
fn a_missing_slice_or_metric_does_not_validate() {
    let per_slice = |slice: &str| {
        format!(
            "metrics_specs {{ metrics {{ class_name: \"ExampleCount\" per_slice_thresholds {{ slicing_specs {{ {slice} }}
               threshold {{ value_threshold {{ upper_bound {{ value: 9 }} }} }} }} }} }}"
        )
    };
    let one = [(Metric::Count, 1.0)];
    assert!(validates(&per_slice("feature_keys: \"feature1\""), &one, None));
    assert!(!validates(&per_slice("feature_keys: \"unmatched\""), &one, None));
    assert!(!validates(&per_slice("feature_values { key: \"feature1\" value: \"other\" }"), &one, None));
    let auc =
        "metrics_specs { metrics { class_name: \"AUC\" threshold { value_threshold { lower_bound { value: 0 } } } } }";
    assert!(!validates(auc, &one, None));
}

/// testValidateMetricsCrossSliceThreshold…: the value is that of the baseline slice minus that of the other.
#[test]
fn differences_between_slices_are_bounded() {
    let cross = |bound: &str, against: &str| {
        format!(
            "metrics_specs {{ metrics {{ class_name: \"WeightedExampleCount\" cross_slice_thresholds {{
               cross_slicing_specs {{ baseline_spec {{ {against} }} slicing_specs {{ feature_keys: \"feature2\" }} }}
               threshold {{ value_threshold {{ {bound} }} }} }} }} }}"
        )
    };
    let one = [(Metric::WeightedCount, 1.5)];
    for against in ["", "feature_keys: \"feature1\"", "feature_values { key: \"feature1\" value: \"value1\" }"] {
        assert!(validates(&cross("upper_bound { value: 1 }", against), &one, None));
        assert!(!validates(&cross("lower_bound { value: 1 }", against), &one, None));
    }
    let config = cross("lower_bound { value: 1 }", "");
    let blessing = check_thresholds(&measured(&one, None), &read(&config).params.read_thresholds().unwrap()).unwrap();
    assert_eq!(blessing.checks[0].outcome, CheckOutcome::Failed);
    assert_eq!(
        blessing.reasons,
        ["all rows against slice feature2=value2: weighted_count of slice feature2=value2 is 0, below the bound 1"]
    );
}

const TAXI: &str = r#"
model_specs { signature_name: "serving_default" label_key: "tips_xf" preprocessing_function_names: "transform_features" }
slicing_specs {}
slicing_specs { feature_keys: "trip_start_hour" }
metrics_specs {
  metrics {
    class_name: "BinaryAccuracy"
    threshold {
      value_threshold { lower_bound { value: 0.6 } }
      change_threshold { direction: HIGHER_IS_BETTER absolute { value: -1e-10 } }
    }
  }
}
"#;

const COMPLAINTS: &str = r#"
model_specs { label_key: "consumer_disputed" }
slicing_specs {}
slicing_specs { feature_keys: ["product"] }
metrics_specs {
  metrics { class_name: "BinaryAccuracy" threshold { value_threshold { lower_bound { value: 0.65 } }
    change_threshold { direction: HIGHER_IS_BETTER absolute { value: -1e-10 } } } }
  metrics { class_name: "Precision" }
  metrics { class_name: "Recall" config: '{"thresholds": [0.3, 0.7]}' }
  metrics { class_name: "ExampleCount" }
  metrics { class_name: "AUC" }
  metrics { class_name: "FairnessIndicators" config: '{"thresholds": [0.5]}' }
  metrics { class_name: "CalibrationPlot" }
}
options { min_slice_size { value: 20 } compute_confidence_intervals { value: true } }
"#;

#[test]
fn the_configurations_of_the_examples_are_read_as_they_are() {
    let taxi = read(TAXI);
    assert_eq!(taxi.label.as_deref(), Some("tips_xf"));
    assert_eq!(taxi.params.slices, [SliceSpec::default(), SliceSpec::over(["trip_start_hour"])]);
    let thresholds = taxi.params.read_thresholds().unwrap();
    let (metric, bounds) = thresholds.overall.iter().next().unwrap();
    assert_eq!((metric.name(), bounds.at_least, bounds.change_at_least), ("accuracy@0.5", Some(0.6), Some(-1e-10)));

    let complaints = read(COMPLAINTS);
    assert_eq!(complaints.params.min_slice_size, 20);
    assert!(complaints.params.confidence_intervals.options().is_some_and(|options| options.slices));
    let names: Vec<&str> = complaints.params.all_metrics(TaskKind::Binary).iter().map(|metric| metric.name()).collect();
    assert_eq!(names[..5], ["accuracy@0.5", "precision@0.5", "recall@0.3", "recall@0.7", "false_positive_rate@0.5"]);
    assert_eq!(complaints.notes, ["`CalibrationPlot` is part of every report"]);
}

/// What `json_format.MessageToJson` makes of the taxi configuration.
#[test]
fn json_says_the_same_as_text() {
    let json = json!({
        "modelSpecs": [{ "signatureName": "serving_default", "labelKey": "tips_xf", "preprocessingFunctionNames": ["transform_features"] }],
        "slicingSpecs": [{}, { "featureKeys": ["trip_start_hour"] }],
        "metricsSpecs": [{ "metrics": [{ "className": "BinaryAccuracy", "threshold": {
            "valueThreshold": { "lowerBound": 0.6 },
            "changeThreshold": { "absolute": -1e-10, "direction": "HIGHER_IS_BETTER" }
        } }] }]
    });
    let (text, json) = (read(TAXI), read(&json.to_string()));
    assert_eq!((text.params, text.label), (json.params, json.label));
    let maps = json!({
        "metrics_specs": [{
            "metrics": [{ "class_name": "AUC" }, { "class_name": "NDCG", "config": "{\"top_k_list\": [3]}" }],
            "thresholds": { "auc": { "value_threshold": { "lower_bound": { "value": 0.7 } } } },
            "per_slice_thresholds": { "auc": { "thresholds": [{
                "slicing_specs": [{ "feature_values": { "pay": "Ca\"sh" } }],
                "threshold": { "value_threshold": { "upper_bound": 0.9 } }
            }] } }
        }],
        "options": { "include_default_metrics": false }
    });
    let read = read(&maps.to_string());
    let thresholds = read.params.read_thresholds().unwrap();
    assert_eq!(thresholds.overall[&Metric::Auc].at_least, Some(0.7));
    assert_eq!(thresholds.slices[0].1[&Metric::Auc].at_most, Some(0.9));
}

#[test]
fn what_cannot_be_run_is_refused_by_name() {
    let says = |text: &str| {
        let error = read_eval_config(Path::new("e.pbtxt"), text, &Task::Binary).unwrap_err();
        (error.to_string(), error.hint().unwrap_or_default())
    };
    let (message, hint) = says("metrics_specs { metrics { class_name: \"BLEU\" } }");
    assert_eq!(message, "`e.pbtxt`: there is no metric for the class `BLEU`");
    assert!(hint.contains("the classes are ExampleCount, WeightedExampleCount, MeanLabel"), "{hint}");
    assert!(says("metric_specs {}").0.contains("did you mean `metrics_specs`?"));
    let unnamed = "metrics_specs { metrics { class_name: \"AUC\" } thresholds { key: \"auk\" value {} } }";
    assert_eq!(says(unnamed).0, "`e.pbtxt`: `thresholds` names `auk`, which is not a metric of its specification");
    let no_direction =
        "metrics_specs { metrics { class_name: \"AUC\" threshold { change_threshold { absolute { value: 0 } } } } }";
    assert!(says(no_direction).0.contains("has no `direction`"));
    assert!(says("slicing_specs { slice_keys_sql: \"SELECT 1\" }").0.contains("`slice_keys_sql` is not read"));
    assert!(says("{ \"metrics_specs\": 3 }").0.contains("metrics_specs"), "{:?}", says("{ \"metrics_specs\": 3 }"));
    let sixth = "metrics_specs { metrics { class_name: \"RecallAtPrecision\" } }";
    assert_eq!(says(sixth).0, "`e.pbtxt`: `RecallAtPrecision` has no `precision` in its `config`");
}
