//! Validation, drift and inference where examples have weights, by the conditions of TensorFlow Data Validation: its validator
//! takes the weighted counts for presence, the mass of a domain, the number of examples and every distance, where the
//! statistics it is given have weights, and the plain ones for extremes, valency and distinct values.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray};
use tidemill_core::{Anomaly, AnomalyType, DatasetStatistics, Severity};
use tidemill_data::BatchReader;
use tidemill_validation::{
    Comparison, DatasetAccumulator, StatisticsOptions, compare, distances, infer_schema, look_at_rows, parse_schema,
    validate,
};

/// Rows of fare, company, paid and weight.
type Row = (Option<f64>, Option<&'static str>, bool, f64);

fn batch(rows: &[Row]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([
        ("fare", Arc::new(rows.iter().map(|row| row.0).collect::<Float64Array>()) as ArrayRef, true),
        ("company", Arc::new(rows.iter().map(|row| row.1).collect::<StringArray>()) as ArrayRef, true),
        ("paid", Arc::new(rows.iter().map(|row| Some(row.2)).collect::<BooleanArray>()) as ArrayRef, true),
        ("weight", Arc::new(rows.iter().map(|row| Some(row.3)).collect::<Float64Array>()) as ArrayRef, true),
    ])
    .unwrap()
}

fn of(batch: &RecordBatch, weight: Option<&str>) -> DatasetStatistics {
    let options = StatisticsOptions { weight: weight.map(str::to_owned), ..StatisticsOptions::default() };
    let mut accumulator = DatasetAccumulator::with_options(&batch.schema(), &options).unwrap();
    accumulator.update(batch);
    accumulator.finish("day")
}

fn judged(statistics: &DatasetStatistics, features: &str) -> Vec<Anomaly> {
    let text = format!("version: 1\n{features}\n");
    validate(statistics, &parse_schema(&text, Path::new("schema.yaml")).unwrap(), "TRAINING")
}

fn said(found: &[Anomaly], kind: AnomalyType) -> Option<&str> {
    found.iter().find(|anomaly| anomaly.anomaly_type == kind).map(|anomaly| anomaly.description.as_str())
}

const REST: &str = "  paid: { type: bool }\n  weight: { type: float }";

#[test]
fn presence_is_that_of_the_weight() {
    // One row in four lacks the fare; it has 1 of 10 of the weight.
    let rows = [
        (Some(1.0), Some("Blue"), true, 3.0),
        (Some(2.0), Some("Blue"), true, 3.0),
        (Some(3.0), Some("Red"), false, 3.0),
        (None, Some("Red"), false, 1.0),
    ];
    let batch = batch(&rows);
    let (plain, weighted) = (of(&batch, None), of(&batch, Some("weight")));
    let floor = |floor: f64| {
        format!(
            "features:\n  fare: {{ type: float, presence: {{ min_fraction: {floor} }} }}\n  company: {{ type: string }}\n{REST}"
        )
    };
    let low = AnomalyType::FeatureTypeLowFractionPresent;
    assert!(said(&judged(&plain, &floor(0.8)), low).is_some());
    assert!(said(&judged(&weighted, &floor(0.8)), low).is_none());
    assert_eq!(
        said(&judged(&weighted, &floor(0.95)), low),
        Some("`fare`: 1 of 4 examples (10 % of the weight) lack a value, at most 5 % may")
    );
    let count = "features:\n  fare: { type: float, presence: { min_count: 4 } }\n  company: { type: string }";
    let few = AnomalyType::FeatureTypeLowNumberPresent;
    assert!(said(&judged(&plain, &format!("{count}\n{REST}")), few).is_some());
    assert!(said(&judged(&weighted, &format!("{count}\n{REST}")), few).is_none());
    let more = count.replace('4', "10");
    assert_eq!(
        said(&judged(&weighted, &format!("{more}\n{REST}")), few),
        Some("`fare`: a weight of 9 has a value, at least 10 must")
    );
}

#[test]
fn what_weighs_nothing_is_not_there() {
    let rows = [
        (None, Some("Blue"), true, 2.0),
        (Some(9.0), Some("Odd"), true, 0.0),
        (None, Some("Blue"), false, 2.0),
        (None, None, false, 0.0),
    ];
    let batch = batch(&rows);
    let features = format!(
        "features:\n  fare: {{ type: float, presence: {{ min_count: 1 }} }}\n  company: {{ type: string, domain: {{ values: [Blue] }}, presence: {{ min_fraction: 1 }} }}\n{REST}"
    );
    let weighted = judged(&of(&batch, Some("weight")), &features);
    assert_eq!(
        said(&weighted, AnomalyType::FeatureTypeNotPresent),
        Some("`fare`: all of 4 examples that have a weight lack a value")
    );
    // The value outside the domain, and the row without one, weigh nothing.
    assert_eq!(weighted.len(), 1, "{weighted:?}");
    let plain = judged(&of(&batch, None), &features);
    assert!(said(&plain, AnomalyType::EnumTypeUnexpectedStringValues).is_some());
    assert!(said(&plain, AnomalyType::FeatureTypeNotPresent).is_none());
}

#[test]
fn domains_balance_and_size_go_by_weight() {
    let mut rows: Vec<Row> = vec![(Some(1.0), Some("Blue"), true, 1.0); 9];
    rows.push((Some(11.0), Some("Odd"), false, 11.0));
    let batch = batch(&rows);
    let (plain, weighted) = (of(&batch, None), of(&batch, Some("weight")));
    let features = "dataset: { max_examples: 15 }\nfeatures:\n  fare: { type: float, mean: { max: 5 } }\n  company: { type: string, domain: { values: [Blue] }, min_domain_mass: 0.8, shares: { Blue: { min: 0.5 } } }\n  paid: { type: bool, mean: { min: 0.5 } }\n  weight: { type: float }";
    let quiet = judged(&plain, features);
    assert!(quiet.iter().all(|anomaly| anomaly.severity == Severity::Warning), "{quiet:?}");
    let found = judged(&weighted, features);
    let outside = said(&found, AnomalyType::EnumTypeUnexpectedStringValues).unwrap();
    assert!(
        outside
            .starts_with("`company`: 1 of 10 values (55 % of the weight) are not in the domain, at most 20 % may be")
    );
    assert_eq!(
        said(&found, AnomalyType::DatasetHighNumExamples),
        Some("the examples have a weight of 20, at most 15 is expected")
    );
    let balance: Vec<&str> = found
        .iter()
        .filter(|anomaly| anomaly.anomaly_type == AnomalyType::CustomValidation)
        .map(|anomaly| anomaly.description.as_str())
        .collect();
    assert_eq!(balance.len(), 3, "{balance:?}");
    assert_eq!(balance[0], "`company`: the weighted share of `Blue` is 0.4500, at least 0.5 is expected");
    assert!(balance[1].starts_with("`fare`: the weighted mean is 6.5"), "{balance:?}");
    assert_eq!(balance[2], "`paid`: the weighted mean is 0.45, at least 0.5 is expected");
    // Extremes are those of the rows.
    let least = format!(
        "features:\n  fare: {{ type: float, domain: {{ float: {{ max: 10 }} }} }}\n  company: {{ type: string }}\n{REST}"
    );
    assert!(said(&judged(&weighted, &least), AnomalyType::FloatTypeBigFloat).is_some());
}

#[test]
fn values_too_many_to_count_are_weighed_row_by_row() {
    let mut rows: Vec<Row> = vec![(Some(1.0), Some("known"), true, 4.0); 3_000];
    let names: Vec<&'static str> = (0..12_000).map(|i| &*Box::leak(format!("new {i}").into_boxed_str())).collect();
    rows.extend(names.iter().map(|name| (Some(1.0), Some(*name), true, 1.0)));
    let batch = batch(&rows);
    let statistics = of(&batch, Some("weight"));
    let text = format!(
        "version: 1\nfeatures:\n  fare: {{ type: float }}\n  company: {{ type: string, domain: {{ values: [known] }}, min_domain_mass: 0.4 }}\n{REST}\n"
    );
    let schema = parse_schema(&text, Path::new("schema.yaml")).unwrap();
    let mut found = validate(&statistics, &schema, "TRAINING");
    let known: Vec<String> = statistics.features.iter().map(|feature| feature.name.clone()).collect();
    let read = |columns: &[&str]| {
        let places: Vec<usize> = columns.iter().map(|name| batch.schema().index_of(name).unwrap()).collect();
        let part = batch.project(&places).unwrap();
        Ok(BatchReader::new(part.schema(), std::iter::once(Ok(part))))
    };
    look_at_rows(&mut found, &schema, "day", &known, statistics.weight_column(), 0, read).unwrap();
    // 12,000 of 24,000 of the weight, which is tolerated; of the values it would be 80 %.
    let outside = &found[0];
    assert_eq!(
        (outside.anomaly_type, outside.severity),
        (AnomalyType::EnumTypeUnexpectedStringValues, Severity::Warning)
    );
    assert!(outside.description.contains("12,000 of 15,000 values (50 % of the weight)"), "{outside:?}");
}

#[test]
fn distances_are_of_the_weight_where_both_have_weights() {
    let even: Vec<Row> = (0..400)
        .map(|i| (Some(f64::from(i)), Some(if i % 2 == 0 { "Blue" } else { "Red" }), i % 4 == 0, 1.0))
        .collect();
    // The same weight for each value, from other numbers of rows.
    let mut doubled: Vec<Row> = Vec::new();
    for row in &even {
        if row.1 == Some("Blue") {
            doubled.extend([(row.0, row.1, row.2, 0.5), (row.0, row.1, row.2, 0.5)]);
        } else {
            doubled.push(*row);
        }
    }
    let (a, b) = (batch(&even), batch(&doubled));
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    let by_weight = distances(&of(&a, Some("weight")), &of(&b, Some("weight")));
    let company = |all: &[tidemill_validation::FeatureDistance]| {
        all.iter().find(|distance| distance.feature == "company").cloned().unwrap()
    };
    near(company(&by_weight).l_infinity.unwrap(), 0.0);
    near(company(&by_weight).jensen_shannon, 0.0);
    near(by_weight[0].jensen_shannon, 0.0);
    assert!(by_weight[0].kolmogorov_smirnov.unwrap() < 0.02, "{by_weight:?}");
    // By rows Blue is 400 of 600: 2/3 against 1/2.
    for (a, b) in [(of(&a, None), of(&b, None)), (of(&a, Some("weight")), of(&b, None))] {
        near(company(&distances(&a, &b)).l_infinity.unwrap(), 2.0 / 3.0 - 0.5);
    }
    let schema = "version: 1\ndataset: { num_examples_drift: { max_fraction: 1.2 } }\nfeatures:\n  company: { type: string, drift: { l_infinity: 0.1 } }\n";
    let schema = parse_schema(schema, Path::new("schema.yaml")).unwrap();
    let (before, now) = (of(&a, Some("weight")), of(&b, Some("weight")));
    let report = compare(&before, &now, &schema, "TRAINING", Comparison::Drift);
    assert!(report.by_weight && report.anomalies.is_empty(), "{:?}", report.anomalies);
    let report = compare(&of(&a, None), &of(&b, None), &schema, "TRAINING", Comparison::Drift);
    assert!(!report.by_weight);
    assert!(said(&report.anomalies, AnomalyType::ComparatorHighNumExamples).is_some());
    assert!(said(&report.anomalies, AnomalyType::ComparatorLInftyHigh).is_some());
}

#[test]
fn a_column_that_lacks_only_weightless_rows_is_inferred_as_required() {
    let mut rows: Vec<Row> = (0..40).map(|i| (Some(f64::from(i)), Some("Blue"), true, 1.0)).collect();
    rows.push((None, Some("Blue"), true, 0.0));
    let batch = batch(&rows);
    let floor = |statistics: &DatasetStatistics| infer_schema(&[statistics]).features["fare"].presence.min_fraction;
    assert_eq!(floor(&of(&batch, Some("weight"))), Some(1.0));
    assert!(floor(&of(&batch, None)).unwrap() < 1.0);
}
