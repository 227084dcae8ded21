//! Schemas: what is inferred, how the file reads, and what its mistakes say.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use proptest::prelude::*;
use tidemill_core::{
    AnomalyType, Bins, Coded, Comparators, DatasetConstraints, Domain, Feature, FeatureType, FractionBounds, Lifecycle,
    Presence, Schema, Severity, UniqueCount, ValueCount,
};
use tidemill_validation::{DatasetAccumulator, infer_schema, parse_schema, schema_yaml};

fn inferred(columns: Vec<(&str, ArrayRef)>) -> Schema {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut accumulator = DatasetAccumulator::new(&batch.schema());
    accumulator.update(&batch);
    infer_schema(&[&accumulator.finish("train")])
}

#[test]
fn what_training_shows_is_what_is_asked_for() {
    let rows = 1000i64;
    let schema = inferred(vec![
        ("fare", Arc::new((0..rows).map(|i| Some((i % 50) as f64 * (i % 7) as f64)).collect::<Float64Array>())),
        ("longitude", Arc::new((0..rows).map(|i| Some(-87.6 - (i % 10) as f64 / 50.0)).collect::<Float64Array>())),
        ("balance", Arc::new((0..rows).map(|i| Some(i % 21 - 10)).collect::<Int64Array>())),
        ("luck", Arc::new((0..rows).map(|i| Some(3.0 + ((i % 11) as f64 - 5.0) / 2.0)).collect::<Float64Array>())),
        ("company", Arc::new((0..rows).map(|i| (i % 4 != 0).then(|| format!("c{}", i % 5))).collect::<StringArray>())),
        ("id", Arc::new((0..rows).map(|i| Some(format!("id {i}"))).collect::<StringArray>())),
        ("rare", Arc::new((0..rows).map(|i| (i == 3).then_some(1)).collect::<Int64Array>())),
    ]);
    insta::assert_snapshot!(schema_yaml(&schema));
}

#[test]
fn text_that_another_reader_could_take_for_something_else_is_quoted() {
    let values =
        ["yes", "No", "1", "1.5", "~", "", " a", "a: b", "a #b", "é", "plain text", "[x]", "null", "tab\t", "\"q\""];
    let mut schema = Schema { version: 1, ..Schema::default() };
    let mut feature = plain(FeatureType::String);
    feature.domain = Some(Domain::Values(values.map(str::to_owned).to_vec()));
    schema.features.insert("off".to_owned(), feature);
    let text = schema_yaml(&schema);
    assert_eq!(parse_schema(&text, Path::new("schema.yaml")).unwrap(), schema, "{text}");
    assert!(text.contains("\"off\"") && text.contains("plain text") && !text.contains("\"plain text\""));
}

#[test]
fn every_mistake_is_named_with_its_place() {
    let text = "\
version: 1
features:
  fare: { type: float, domain: { float: { min: 5, max: 1 } } }
  company:
    type: string
    presense: { min_fraction: 1 }
  day: { type: integer }
  hour:
    type: int
    presence: { min_fraction: much }
  zip: { type: string, domain: { values: [60629] } }
";
    let error = parse_schema(text, Path::new("schema.yaml")).unwrap_err();
    assert_eq!(error.code().id(), "TM3001");
    insta::assert_snapshot!(error.to_string());
    assert_eq!(error.hint().as_deref(), Some("did you mean `presence`?"));
}

#[test]
fn contradictions_are_named_with_their_place() {
    let text = "\
version: 1
environments: [TRAINING, SERVING]
features:
  fare: { type: float, domain: { float: { min: 5, max: 1 } } }
  company: { type: string, domain: { shared: companys } }
  tips: { type: float, not_in_environment: [SERVNG], presence: { min_fraction: 2 } }
  hour: { type: int, domain: { values: [a, a] } }
domains:
  companies: [a, b]
";
    let error = parse_schema(text, Path::new("schema.yaml")).unwrap_err();
    insta::assert_snapshot!(error.to_string());
}

#[test]
fn what_is_not_yaml_or_no_map_says_so() {
    for (text, expected) in [
        ("version: 1\nfeatures:\n  a: { type: int\n", "line"),
        ("- a\n", "a schema is a map"),
        ("", "a schema is a map"),
        ("version: 2\nfeatures: {}\n", "version 2 is not known"),
        ("features: {}\n", "missing field `version`"),
        ("version: 1\nfeature: {}\n", "unknown field `feature`"),
    ] {
        let message = parse_schema(text, Path::new("s.yaml")).unwrap_err().to_string();
        assert!(message.contains(expected) && message.starts_with("`s.yaml` line "), "{message}");
    }
}

fn plain(feature_type: FeatureType) -> Feature {
    Feature::new(feature_type)
}

fn feature() -> impl Strategy<Value = Feature> {
    let number = || prop::option::of(prop_oneof![Just(0.0), Just(-1e300), Just(1e-9), -1e6..1e6f64]);
    let text = prop::collection::btree_set(".{0,12}", 1..20);
    let domain = prop_oneof![
        text.prop_map(|values| (FeatureType::String, Domain::Values(values.into_iter().collect()))),
        Just((FeatureType::String, Domain::Shared("shared".to_owned()))),
        (any::<Option<i32>>()).prop_map(|min| (FeatureType::Int, Domain::Int { min: min.map(i64::from), max: None })),
        (number(), any::<bool>()).prop_map(|(max, disallow_nan)| {
            (FeatureType::Float, Domain::Float { min: None, max, disallow_nan, disallow_inf: !disallow_nan })
        }),
    ];
    (domain, prop::option::of(0.0..=1.0f64), prop::option::of(0u64..9), any::<bool>(), any::<bool>()).prop_map(
        |((feature_type, domain), min_fraction, min_count, more, environment)| Feature {
            presence: Presence { min_fraction, min_count, tolerance: more.then_some(0.02) },
            value_count: more.then_some(ValueCount { min: Some(1), max: None }),
            min_domain_mass: (more && feature_type == FeatureType::String).then_some(0.99),
            unique: (more && feature_type == FeatureType::String).then_some(UniqueCount { min: Some(2), max: Some(9) }),
            drift: Some(Comparators { jensen_shannon: Some(0.1), ..Comparators::default() }),
            skew: (feature_type != FeatureType::String).then_some(Comparators {
                kolmogorov_smirnov: Some(1e-7),
                wasserstein: Some(3.5),
                bins: if more { Bins::EqualWidth } else { Bins::Quantile },
                ..Comparators::default()
            }),
            lifecycle: more.then_some(Lifecycle::DebugOnly),
            in_environment: if environment { vec!["TRAINING".to_owned()] } else { Vec::new() },
            domain: Some(domain),
            ..plain(feature_type)
        },
    )
}

proptest! {
    #[test]
    fn printing_and_reading_are_inverse_and_stable(features in prop::collection::btree_map(".{1,16}", feature(), 0..6)) {
        let domains = [("shared".to_owned(), vec!["x".to_owned(), "on".to_owned()])].into();
        let environments = vec!["TRAINING".to_owned(), "SERVING".to_owned()];
        let bounds = FractionBounds { min_fraction: Some(0.7), max_fraction: None };
        let dataset = Some(DatasetConstraints { min_examples: Some(10), max_examples: None, num_examples_drift: Some(bounds), num_examples_version: Some(bounds) });
        let severity = [(AnomalyType::SchemaNewColumn, Severity::Error)].into();
        let schema = Schema { version: 1, features, domains, environments, dataset, severity, ..Schema::default() };
        let text = schema_yaml(&schema);
        let read = parse_schema(&text, Path::new("schema.yaml"));
        prop_assert!(read.is_ok(), "{}\n{text}", read.unwrap_err());
        let read = read.unwrap();
        prop_assert_eq!(&read, &schema);
        prop_assert_eq!(schema_yaml(&read), text);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "([a-z:{}\\[\\],&*!|>'\"%@ \\n-]|version: 1\\n|features:\\n){0,40}") {
        let _ = parse_schema(&text, Path::new("schema.yaml"));
    }
}
