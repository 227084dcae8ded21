//! Schemas as files: TensorFlow Metadata's text form, differences, edits in place, offers.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use proptest::prelude::*;
use tidemill_core::{AnomalyType, DatasetStatistics, Domain, FeatureType, Lifecycle, Schema, Semantic};
use tidemill_validation::{
    Comparison, DEFAULT_ENVIRONMENT, DatasetAccumulator, compare, infer_schema, inferred_yaml, parse_schema,
    schema_diff, schema_from_pbtxt, schema_to_pbtxt, schema_yaml, semantic_offers, update_schema, validate,
};

/// Made with pip `tensorflow-metadata` 1.21.0 and `protobuf` 7.36.2: a schema with a feature of each kind, printed by
/// `text_format.MessageToString`.
const RECORDED: &str = include_str!("../fixtures/tensorflow_metadata.pbtxt");

fn statistics(columns: Vec<(&str, ArrayRef)>) -> DatasetStatistics {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut accumulator = DatasetAccumulator::new(&batch.schema());
    accumulator.update(&batch);
    accumulator.finish("data")
}

fn read(text: &str) -> (Schema, Vec<String>) {
    schema_from_pbtxt(text, Path::new("schema.pbtxt")).unwrap()
}

#[test]
fn a_schema_of_tensorflow_metadata_is_read_whole() {
    let (schema, notes) = read(RECORDED);
    insta::assert_snapshot!(schema_yaml(&schema));
    assert_eq!(notes, ["`tensor_representation_group` has no counterpart and is left out"]);
    assert_eq!(schema.features["rider.age"].feature_type, FeatureType::Int);
    assert_eq!(schema.features["paid"].feature_type, FeatureType::Bool);
    assert_eq!(schema.features["logged"].lifecycle, Some(Lifecycle::Deprecated));
    // What was written comes back the same, in YAML and in the text form.
    let yaml = parse_schema(&schema_yaml(&schema), Path::new("s.yaml")).unwrap();
    assert_eq!(yaml, schema);
    let (text, notes) = schema_to_pbtxt(&schema);
    assert_eq!((read(&text).0, notes.len()), (schema, 0), "{text}");
}

#[test]
fn what_tensorflow_metadata_has_no_word_for_is_told() {
    let yaml = "version: 1\nseverity: { SCHEMA_NEW_COLUMN: ERROR }\nfeatures:\n  id: { type: string, semantic: identifier }\n  tip: { type: float, mean: { max: 3 }, drift: { wasserstein: 2, jensen_shannon: 0.1 } }\n";
    let (text, notes) = schema_to_pbtxt(&parse_schema(yaml, Path::new("s.yaml")).unwrap());
    let left_out: Vec<&str> = notes.iter().map(|note| note.split("` has no").next().unwrap()).collect();
    assert_eq!(left_out, ["`id`: `semantic: identifier", "`tip`: `mean", "`tip`: `drift: wasserstein", "`severity"]);
    assert!(text.contains("QUANTILES") && !text.contains("wasserstein"), "{text}");
}

#[test]
fn mistakes_in_the_text_form_have_a_place() {
    let error = |text: &str| schema_from_pbtxt(text, Path::new("s.pbtxt")).unwrap_err().to_string();
    for (text, expected) in [
        ("feature {\n  name: \"a\"\n  typ: INT\n}\n", "`s.pbtxt` line 3 column 3: "),
        ("feature {\n  name: \"a\"\n  type: INT\n", "`s.pbtxt` line "),
        ("feature { type: INT }", "a feature has no name"),
        ("feature { name: 'a' type: INT }\nfeature { name: 'a' type: INT }", "two features have this name"),
    ] {
        let message = error(text);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn an_entry_that_cannot_hold_refuses_no_schema_and_is_an_anomaly() {
    let data = statistics(vec![("a", Arc::new(Int64Array::from(vec![3; 40])) as ArrayRef)]);
    for (text, expected, anomaly) in [
        (
            "feature {\n  name: \"a\"\n}\n",
            "line 2 column 3: `a`: the feature has no type; the entry is left out",
            AnomalyType::FeatureMissingType,
        ),
        (
            "feature {\n  name: \"a\"\n  type: INT\n  drift_comparator { infinity_norm { threshold: 0.1 } }\n}\n",
            "line 2 column 3: `a`: `l_infinity` does not apply to the type `int`; the entry is left out",
            AnomalyType::InvalidSchemaSpecification,
        ),
        (
            "feature { name: 'a' type: BYTES domain: 'none' }",
            "line 1 column 11: `a`: there is no domain `none` under `domains`; the entry is left out",
            AnomalyType::InvalidDomainSpecification,
        ),
    ] {
        let (schema, notes) = read(text);
        assert_eq!(notes, [expected]);
        let found: Vec<_> = validate(&data, &schema, DEFAULT_ENVIRONMENT).iter().map(|a| a.anomaly_type).collect();
        assert_eq!(found, [anomaly]);
        // It is kept with the schema.
        assert_eq!(parse_schema(&schema_yaml(&schema), Path::new("s.yaml")).unwrap(), schema);
    }
}

#[test]
fn differences_are_named_by_their_path() {
    let read = |text: &str| parse_schema(text, Path::new("s.yaml")).unwrap();
    let before = read(
        "version: 1\nfeatures:\n  a: { type: int, presence: { min_fraction: 0.5 } }\n  b: { type: string, domain: { values: [p, q] } }\n  c: { type: int }\n",
    );
    let after = read(
        "version: 1\nfeatures:\n  a: { type: float, presence: { min_fraction: 0.4, min_count: 1 } }\n  b: { type: string, domain: { values: [q, r] } }\n  d: { type: int }\n",
    );
    let changes: Vec<String> = schema_diff(&before, &after)
        .iter()
        .map(|change| {
            let side = |value: &Option<serde_json::Value>| value.as_ref().map_or("-".to_owned(), ToString::to_string);
            format!("{} {} {}", change.path.join("."), side(&change.before), side(&change.after))
        })
        .collect();
    assert_eq!(
        changes,
        [
            "features.a.presence.min_count - 1",
            "features.a.presence.min_fraction 0.5 0.4",
            "features.a.type \"int\" \"float\"",
            "features.b.domain.values \"p\" -",
            "features.b.domain.values - \"r\"",
            "features.c {\"type\":\"int\"} -",
            "features.d - {\"type\":\"int\"}",
        ]
    );
    assert_eq!(schema_diff(&after, &after), []);
}

const CURATED: &str = "\
# Ours.
version: 1
features:
  company:             # ask Ann
    type: string
    domain:
      values: [ a, b ] # the big ones
  # Never below zero, or so they said.
  fare: { type: float, presence: { min_fraction: 1 }, domain: { float: { min: 0 } }, drift: { jensen_shannon: 0.01 } }
  gone: { type: int, presence: { min_count: 1 } }
  hour: { type: int }
";

#[test]
fn accepted_anomalies_are_gone_and_the_file_looks_the_same() {
    let fares = |shift: f64, hole: u32| -> ArrayRef {
        let fares = (0..400).map(move |row| (row != hole).then(|| f64::from(row % 40) + shift));
        Arc::new(fares.collect::<Float64Array>())
    };
    let company = |names: &[&str]| -> ArrayRef {
        Arc::new((0..400).map(|row| Some(names[row % names.len()])).collect::<StringArray>())
    };
    let before = statistics(vec![
        ("company", company(&["a", "b"])),
        ("fare", fares(0.0, 1000)),
        ("hour", Arc::new(Int64Array::from(vec![3; 400]))),
    ]);
    let data = statistics(vec![
        ("company", company(&["a", "b", "c: d"])),
        ("fare", fares(-4.5, 7)),
        ("hour", company(&["1", "x"])),
        ("new", Arc::new(Int64Array::from((0..400).collect::<Vec<i64>>()))),
    ]);
    let schema = parse_schema(CURATED, Path::new("schema.yaml")).unwrap();
    let drift = compare(&before, &data, &schema, DEFAULT_ENVIRONMENT, Comparison::Drift);
    let mut anomalies = validate(&data, &schema, DEFAULT_ENVIRONMENT);
    anomalies.extend(drift.anomalies.iter().cloned());
    let types: Vec<(&str, AnomalyType)> = anomalies.iter().map(|a| (a.feature.as_str(), a.anomaly_type)).collect();
    assert!(types.contains(&("fare", AnomalyType::ComparatorJensenShannonDivergenceHigh)), "{types:?}");

    let update = update_schema(CURATED, Path::new("schema.yaml"), &anomalies, &data, Some(&drift)).unwrap();
    assert_eq!(update.refused, []);
    insta::assert_snapshot!(update.text);
    assert_eq!(validate(&data, &update.schema, DEFAULT_ENVIRONMENT), []);
    assert_eq!(compare(&before, &data, &update.schema, DEFAULT_ENVIRONMENT, Comparison::Drift).anomalies, []);
    // One alone changes one line.
    let one: Vec<_> =
        anomalies.iter().filter(|a| a.anomaly_type == AnomalyType::FloatTypeSmallFloat).cloned().collect();
    let update = update_schema(CURATED, Path::new("schema.yaml"), &one, &data, None).unwrap();
    assert_eq!(update.text, CURATED.replace("min: 0 }", "min: -4.5 }"));
}

#[test]
fn what_values_seem_to_be_is_offered_in_a_comment() {
    let texts = |text: fn(usize) -> String| -> ArrayRef {
        Arc::new((0..200).map(|row| Some(text(row))).collect::<StringArray>())
    };
    let data = statistics(vec![
        ("contact", texts(|row| format!("user{}@example.com", row % 50))),
        ("page", texts(|row| format!("https://example.com/{}", row % 50))),
        ("id", texts(|row| format!("{:08x}", row * 7919))),
        ("order", Arc::new(Int64Array::from((0..200).collect::<Vec<i64>>()))),
        ("remark", texts(|row| format!("the driver of ride number {row} was friendly and quick"))),
        ("company", texts(|row| format!("company {}", row % 7))),
        ("fare", Arc::new(Float64Array::from((0..200).map(|row| f64::from(row) * 1.01).collect::<Vec<f64>>()))),
    ]);
    let offers = semantic_offers(&[&data]);
    let offered: Vec<(&str, Semantic)> = offers.iter().map(|(name, offer)| (name.as_str(), offer.semantic)).collect();
    assert_eq!(
        offered,
        [
            ("contact", Semantic::Email),
            ("id", Semantic::Identifier),
            ("order", Semantic::Identifier),
            ("page", Semantic::Url),
            ("remark", Semantic::FreeText),
        ]
    );
    let schema = infer_schema(&[&data]);
    assert!(schema.features.values().all(|feature| feature.semantic.is_none()), "nothing is imposed");
    let yaml = inferred_yaml(&schema, &offers);
    assert!(yaml.contains("  # offered: semantic: email (100 % of the values have the form)\n  contact:"), "{yaml}");
    assert_eq!(parse_schema(&yaml, Path::new("s.yaml")).unwrap(), schema);
    // Asked for by its name, it is an anomaly.
    let asked = yaml.replace("version: 1\n", "version: 1\nseverity: { SEMANTIC_DOMAIN_UPDATE: WARNING }\n");
    let asked = parse_schema(&asked, Path::new("s.yaml")).unwrap();
    let found = validate(&data, &asked, DEFAULT_ENVIRONMENT);
    assert!(found.iter().all(|anomaly| anomaly.anomaly_type == AnomalyType::SemanticDomainUpdate), "{found:?}");
    assert_eq!(found.len(), 3, "those with a domain say what they are: {found:?}");
}

/// The recorded text with a piece of it cut out, doubled or replaced.
fn mutated() -> impl Strategy<Value = String> {
    let length = RECORDED.len();
    (0..length, 0..40usize, "[a-z{}\"<>:,#\\n 0-9-]{0,6}").prop_map(|(start, cut, put)| {
        let floor = |at: usize| (0..=at.min(RECORDED.len())).rev().find(|at| RECORDED.is_char_boundary(*at)).unwrap();
        let (start, end) = (floor(start), floor(start + cut));
        format!("{}{put}{}", &RECORDED[..start], &RECORDED[end..])
    })
}

proptest! {
    #[test]
    fn no_mutation_of_a_schema_makes_the_reader_panic(text in mutated()) {
        if let Ok((mut schema, _)) = schema_from_pbtxt(&text, Path::new("s.pbtxt")) {
            // Entries that cannot hold are left out of what is written.
            schema.invalid.clear();
            let (text, _) = schema_to_pbtxt(&schema);
            prop_assert_eq!(schema_from_pbtxt(&text, Path::new("s.pbtxt")).unwrap().0, schema);
        }
    }

    #[test]
    fn edits_of_odd_yaml_are_schemas_or_refused(
        indent in 1..5usize, flow in any::<bool>(), comment in any::<bool>(), value in "[a-c:#' \"-]{1,6}",
    ) {
        let pad = " ".repeat(indent);
        let remark = if comment { " # why" } else { "" };
        let text = if flow {
            format!("version: 1\nfeatures: {{ s: {{ type: string, domain: {{ values: [q] }} }} }}{remark}\n")
        } else {
            format!("version: 1\nfeatures:{remark}\n{pad}s:{remark}\n{pad}{pad}type: string\n{pad}{pad}domain:\n{pad}{pad}{pad}values:{remark}\n{pad}{pad}{pad}- q{remark}")
        };
        let data = statistics(vec![("s", Arc::new(StringArray::from(vec!["q", value.as_str()])) as ArrayRef)]);
        let schema = parse_schema(&text, Path::new("s.yaml")).unwrap();
        let anomalies = validate(&data, &schema, DEFAULT_ENVIRONMENT);
        let update = update_schema(&text, Path::new("s.yaml"), &anomalies, &data, None).unwrap();
        prop_assert!(update.refused.is_empty(), "{:?}\n{}", update.refused, text);
        prop_assert_eq!(validate(&data, &update.schema, DEFAULT_ENVIRONMENT), vec![]);
        let Some(Domain::Values(values)) = &update.schema.features["s"].domain else { panic!("no domain") };
        prop_assert!(values.contains(&value));
        prop_assert_eq!(update.text.matches("# why").count(), text.matches("# why").count());
    }
}
