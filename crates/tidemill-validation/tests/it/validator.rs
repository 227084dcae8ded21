//! The validator beyond the rules of one dataset: a single record, and the data before or served.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use serde_json::{Value, json};
use tidemill_core::{
    AnomalyType, ArtifactType, CancelFlag, Component, ComponentError, DatasetStatistics, Digest, InputArtifact,
    NoProgress, Outcome, RunInfo, SplitStatistics, StepContext, Verdict,
};
use tidemill_validation::{
    DEFAULT_ENVIRONMENT, DatasetAccumulator, ExampleValidator, infer_schema, read_anomalies, read_distances,
    schema_yaml, validate,
};

fn statistics(columns: Vec<(&str, ArrayRef)>) -> DatasetStatistics {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut accumulator = DatasetAccumulator::new(&batch.schema());
    accumulator.update(&batch);
    accumulator.finish("data")
}

/// Two thousand fares around `mean`, in which nothing else changes.
fn fares(name: &str, mean: f64) -> DatasetStatistics {
    let fares: Vec<f64> = (0..2000).map(|row| mean + f64::from(row % 100) / 10.0).collect();
    DatasetStatistics {
        name: name.to_owned(),
        ..statistics(vec![("fare", Arc::new(Float64Array::from(fares)) as ArrayRef)])
    }
}

/// Runs the validator over splits `train` (and others) with inputs by key.
fn run(
    inputs: &[(&str, &[DatasetStatistics])],
    schema: &str,
    params: &Value,
) -> (Result<Outcome, ComponentError>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut artifacts = BTreeMap::new();
    let mut add = |key: &str, artifact_type, file: &str, text: String| {
        let path = dir.path().join(key);
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join(file), text).unwrap();
        let digest = Digest::from_bytes(&[0; 32]);
        artifacts
            .insert(key.to_owned(), InputArtifact { artifact_type, digest, path, properties: BTreeMap::default() });
    };
    for (key, datasets) in inputs {
        let splits = datasets.iter().map(|dataset| (dataset.name.clone(), dataset.clone())).collect();
        let all = SplitStatistics { version: 1, splits };
        add(key, ArtifactType::Statistics, "statistics.json", serde_json::to_string(&all).unwrap());
    }
    add("schema", ArtifactType::Schema, "schema.yaml", schema.to_owned());
    let output = dir.path().join("anomalies");
    std::fs::create_dir(&output).unwrap();
    assert_eq!(ExampleValidator::default().check(params), []);
    let outcome = ExampleValidator::default().run(&StepContext {
        params,
        project_dir: Path::new(""),
        inputs: &artifacts,
        outputs: &[("anomalies".to_owned(), output)].into(),
        progress: &NoProgress,
        cancel: &CancelFlag::default(),
        threads: 1,
        run: &RunInfo { pipeline: "p".to_owned(), run_id: "r".to_owned(), step: "validate".to_owned() },
        work: None,
    });
    (outcome, dir)
}

#[test]
fn data_that_moved_since_it_was_last_accepted_stops_the_run() {
    let monday = [fares("train", 10.0), fares("eval", 10.0)];
    let schema = schema_yaml(&infer_schema(&[&monday[0]]));
    let (outcome, dir) = run(&[("statistics", &monday), ("baseline", &monday)], &schema, &json!({}));
    let outcome = outcome.unwrap();
    assert_eq!(outcome.headline, "no anomalies, compared with the data before");
    // Distances are there although nothing is wrong.
    let distances = read_distances(&dir.path().join("anomalies")).unwrap();
    assert_eq!(distances.splits.len(), 2);
    let fare = &distances.splits["train"][0].features[0];
    assert_eq!((fare.distance.jensen_shannon, fare.measured.len()), (0.0, 1));

    let tuesday = [fares("train", 12.0), fares("eval", 10.0)];
    let inputs: [(&str, &[_]); 2] = [("statistics", &tuesday), ("baseline", &monday)];
    let (outcome, dir) = run(&inputs, &schema, &json!({}));
    let Verdict::Fail(reasons) = outcome.unwrap().verdict else { panic!("it passed") };
    assert!(
        reasons.len() == 1 && reasons[0].starts_with("train: `fare`: `jensen_shannon` to `train before` is 0."),
        "{reasons:?}"
    );
    let anomalies = read_anomalies(&dir.path().join("anomalies")).unwrap();
    assert_eq!(anomalies.splits["train"][0].anomaly_type, AnomalyType::ComparatorJensenShannonDivergenceHigh);
    assert_eq!(anomalies.splits["eval"], []);

    let (outcome, dir) = run(&inputs, &schema, &json!({ "drift": "off" }));
    assert!(outcome.unwrap().verdict.passed());
    assert!(read_distances(&dir.path().join("anomalies")).unwrap().splits.is_empty());
    let warn = json!({ "severity": { "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH": "WARNING" } });
    assert!(run(&inputs, &schema, &warn).0.unwrap().verdict.passed());
    let strict = json!({ "severity": warn["severity"], "on_anomaly": { "warning": "stop" } });
    assert!(!run(&inputs, &schema, &strict).0.unwrap().verdict.passed());
}

#[test]
fn defaults_judge_where_the_schema_has_no_comparator() {
    let (train, served) = ([fares("train", 10.0)], [fares("log", 12.0)]);
    let schema = "version: 1\nfeatures:\n  fare: { type: float }\n";
    let (outcome, _) = run(&[("statistics", &train), ("serving", &served)], schema, &json!({}));
    let Verdict::Fail(reasons) = outcome.unwrap().verdict else { panic!("skew passed") };
    assert!(reasons[0].contains("`log served`"), "{reasons:?}");
    let quiet = json!({ "skew": "schema" });
    assert!(run(&[("statistics", &train), ("serving", &served)], schema, &quiet).0.unwrap().verdict.passed());
    let drifted: [(&str, &[_]); 2] = [("statistics", &train), ("baseline", &[fares("train", 12.0)])];
    assert!(run(&drifted, schema, &json!({})).0.unwrap().verdict.passed());
    assert!(!run(&drifted, schema, &json!({ "drift": "defaults" })).0.unwrap().verdict.passed());
    let two = [fares("a", 1.0), fares("b", 1.0)];
    let error = run(&[("statistics", &train), ("serving", &two)], schema, &json!({})).0.unwrap_err();
    assert_eq!(error.message, "serving: there is no split `train`; there are `a`, `b`");
}

#[test]
fn a_policy_that_is_none_is_refused() {
    let issues = ExampleValidator::default().check(&json!({ "on_anomaly": "explode" }));
    assert!(issues[0].message.contains("expected `stop`, `warn` or a map"), "{issues:?}");
    assert!(!ExampleValidator::default().check(&json!({ "drift": "sometimes" })).is_empty());
}

mod one_record {
    //! A record judged alone and a dataset of that record alone come to the same anomalies.

    use proptest::prelude::*;
    use tidemill_core::{Domain, Feature, FeatureType, FeatureValue, RecordCheck, Schema};

    use super::*;

    fn judged(feature_type: FeatureType, domain: Option<Domain>, array: ArrayRef, value: FeatureValue<'_>) {
        let mut feature = Feature::new(feature_type);
        feature.domain = domain;
        let schema = Schema { version: 1, features: [("x".to_owned(), feature)].into(), ..Schema::default() };
        let whole = validate(&statistics(vec![("x", array)]), &schema, DEFAULT_ENVIRONMENT);
        let whole: Vec<_> = whole.iter().map(|anomaly| (anomaly.anomaly_type, anomaly.severity)).collect();
        let alone = RecordCheck::new(&schema, DEFAULT_ENVIRONMENT).check("x", value);
        let alone: Vec<_> = alone.iter().map(|finding| (finding.anomaly_type, finding.severity)).collect();
        assert_eq!(alone, whole, "{value:?} {schema:?}");
    }

    proptest! {
        #[test]
        fn text(text in "[a-c]|-?[0-9]{1,3}(\\.5)?|20[0-9]{2}-0[1-3]-[0-3][0-9]", which in 0..7usize) {
            let some = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
            let domain = [
                None,
                Some(Domain::Values(some(&["a", "b"]))),
                Some(Domain::Int { min: Some(0), max: Some(50) }),
                Some(Domain::Float { min: Some(-5.0), max: Some(50.0), disallow_nan: true, disallow_inf: true }),
                Some(Domain::Bool { true_value: Some("a".into()), false_value: Some("b".into()) }),
                Some(Domain::Time { format: Some("%Y-%m-%d".into()), unit: None }),
                None,
            ][which].clone();
            let array = Arc::new(StringArray::from(vec![text.as_str()]));
            judged(if which == 6 { FeatureType::Int } else { FeatureType::String }, domain, array, FeatureValue::Text(&text));
        }

        #[test]
        fn numbers(number in prop_oneof![-3i64..4, any::<i32>().prop_map(i64::from)], half in any::<bool>(), which in 0..5usize) {
            let float = Domain::Float { min: Some(0.0), max: Some(1e4), disallow_nan: false, disallow_inf: false };
            let bool = Domain::Bool { true_value: None, false_value: None };
            let real = number as f64 + if half { 0.5 } else { 0.0 };
            let floats = || Arc::new(Float64Array::from(vec![real])) as ArrayRef;
            let ints = || Arc::new(Int64Array::from(vec![number])) as ArrayRef;
            match which {
                0 => judged(FeatureType::Int, Some(Domain::Int { min: Some(0), max: Some(9) }), ints(), FeatureValue::Int(number)),
                1 => judged(FeatureType::Float, Some(float), floats(), FeatureValue::Float(real)),
                2 => judged(FeatureType::Float, Some(float), ints(), FeatureValue::Int(number)),
                3 => judged(FeatureType::Int, Some(bool), ints(), FeatureValue::Int(number)),
                _ => judged(FeatureType::Float, Some(bool), floats(), FeatureValue::Float(real)),
            }
        }
    }
}
