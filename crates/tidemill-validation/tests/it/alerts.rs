//! Alerts: each kind where it belongs, with its figure, and silence about plain data.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use tidemill_core::{DatasetStatistics, NumericCross};
use tidemill_validation::{Alert, AlertKind, DatasetAccumulator, alerts};

const ROWS: usize = 1000;

fn floats(of: impl Fn(usize) -> Option<f64>) -> ArrayRef {
    Arc::new((0..ROWS).map(of).collect::<Float64Array>())
}

fn ints(of: impl Fn(usize) -> i64) -> ArrayRef {
    Arc::new((0..ROWS).map(|i| Some(of(i))).collect::<Int64Array>())
}

fn texts(of: impl Fn(usize) -> Option<String>) -> ArrayRef {
    Arc::new((0..ROWS).map(of).collect::<StringArray>())
}

fn statistics(columns: Vec<(&str, ArrayRef)>) -> DatasetStatistics {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut accumulator = DatasetAccumulator::new(&batch.schema());
    accumulator.update(&batch);
    accumulator.finish("d")
}

fn of(columns: Vec<(&str, ArrayRef)>) -> Vec<(String, AlertKind, String)> {
    alerts(&statistics(columns)).into_iter().map(|Alert { feature, kind, message }| (feature, kind, message)).collect()
}

fn only(column: ArrayRef) -> Option<(AlertKind, String)> {
    let mut found = of(vec![("column", column)]);
    assert!(found.len() <= 1, "{found:?}");
    found.pop().map(|(_, kind, message)| (kind, message))
}

/// Spread without a pattern that a rule could take for something else.
fn noise(i: usize) -> f64 {
    ((i * 7919 + 13) % 997) as f64 / 10.0
}

#[test]
fn each_kind_states_its_figure() {
    let cases: Vec<(ArrayRef, AlertKind, &str)> = vec![
        (floats(|_| None), AlertKind::Empty, "none of the 1,000 rows has a value"),
        (floats(|_| Some(5.0)), AlertKind::Constant, "all 1,000 values are 5"),
        (texts(|_| Some("x".into())), AlertKind::Constant, "all 1,000 values are `x`"),
        (Arc::new(BooleanArray::from(vec![true; ROWS])), AlertKind::Constant, "all 1,000 values are true"),
        (
            floats(|i| (i % 5 < 2).then(|| noise(i))),
            AlertKind::MostlyMissing,
            "60 % of the values are missing: 400 of 1,000 rows have one",
        ),
        (
            floats(|i| {
                Some(if i < 3 {
                    f64::NAN
                } else if i < 5 {
                    f64::INFINITY
                } else {
                    noise(i)
                })
            }),
            AlertKind::NotFinite,
            "3 NaN and 2 infinite of 1,000 values",
        ),
        (ints(|i| i as i64 * 31 + 7), AlertKind::Identifier, "1,000 of 1,000 values are different"),
        (texts(|i| Some(format!("order-{i}"))), AlertKind::Identifier, "1,000 of 1,000 values are different"),
        (
            texts(|i| Some(if i % 20 == 0 { "b" } else { "a" }.to_owned())),
            AlertKind::Imbalanced,
            "95 % of the values are `a`",
        ),
        (ints(|i| i64::from(i % 50 == 0)), AlertKind::Imbalanced, "98 % of the values are 0"),
        (
            texts(|i| Some(format!("shop {}", i % 250))),
            AlertKind::HighCardinality,
            "250 different values in 1,000 rows",
        ),
        (
            floats(|i| Some(if i == 0 { 100_000.0 } else { noise(i) })),
            AlertKind::Skewed,
            "the largest value 100,000 is 32 standard deviations above the mean 149.8 (median 49.95)",
        ),
        (floats(|i| Some(if i % 10 < 7 { 0.0 } else { noise(i) })), AlertKind::ManyZeros, "70 % of the values are 0"),
    ];
    for (column, kind, message) in cases {
        assert_eq!(only(column), Some((kind, message.to_owned())));
    }
}

#[test]
fn plain_features_have_no_alert() {
    assert_eq!(only(floats(|i| Some(noise(i)))), None);
    assert_eq!(only(ints(|i| (i % 3 == 0).into())), None, "zeros are usual where there are two values");
    assert_eq!(only(ints(|i| i64::from(i % 10 < 7) - 1)), None, "also where they are not 0 and 1");
    assert_eq!(only(texts(|i| Some(format!("{}", i % 7)))), None);
    assert_eq!(only(floats(|i| (i % 10 > 0).then(|| noise(i)))), None, "a few missing values are usual");
    let day = |i: usize| format!("20{:02}-{:02}-{:02}", i / 336 + 10, i / 28 % 12 + 1, i % 28 + 1);
    assert_eq!(only(texts(|i| Some(day(i)))), None, "dates are no identifiers");
    assert_eq!(of(vec![("trip_start_timestamp", ints(|i| 1_700_000_000 + i as i64 * 977))]), []);
    assert_eq!(of(vec![("x", Arc::new(Float64Array::from(vec![1.0])))]), [], "one row says nothing");
    assert_eq!(alerts(&DatasetStatistics::default()), []);
}

#[test]
fn row_numbers_are_recognised_beyond_the_values_that_are_counted() {
    let rows = 50_000;
    let counter: ArrayRef = Arc::new((0..rows).collect::<Int64Array>());
    let spread: ArrayRef = Arc::new((0..rows).map(|i| i * i % 49_999).collect::<Int64Array>());
    let found = of(vec![("row", counter), ("spread", spread)]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].1, AlertKind::Identifier);
    assert_eq!(found[0].2, "50,000 values evenly spread from 0 to 49,999, like row numbers");
}

#[test]
fn a_feature_that_repeats_others_names_the_nearest() {
    let mut data = statistics(vec![
        ("a", floats(|i| Some(noise(i)))),
        ("b", floats(|i| Some(noise(i * 3)))),
        ("c", floats(|i| Some(noise(i * 5)))),
    ]);
    let pair =
        |x: &str, y: &str, r| NumericCross { x: x.into(), y: y.into(), count: 9, correlation: r, covariance: 0.0 };
    data.cross.numeric = vec![pair("a", "b", Some(-0.97)), pair("a", "c", Some(0.96)), pair("b", "c", Some(-0.999))];
    let found: Vec<(String, String)> = alerts(&data).into_iter().map(|a| (a.feature, a.message)).collect();
    let told = [("c", "correlation -0.999 with `b` and 1 other feature"), ("b", "correlation -0.970 with `a`")];
    assert_eq!(found, told.map(|(feature, message)| (feature.to_owned(), message.to_owned())));
    data.cross.numeric = vec![pair("a", "b", Some(0.94)), pair("a", "c", None)];
    assert_eq!(alerts(&data), []);
}

#[test]
fn the_worst_come_first() {
    let found = of(vec![
        ("zeros", floats(|i| Some(if i % 10 < 7 { 0.0 } else { noise(i) }))),
        ("many", texts(|i| Some(format!("shop {}", i % 250)))),
        ("more", texts(|i| Some(format!("shop {}", i % 450)))),
        ("fixed", ints(|_| 1)),
        ("gone", floats(|_| None)),
    ]);
    let names: Vec<&str> = found.iter().map(|alert| alert.0.as_str()).collect();
    assert_eq!(names, ["gone", "fixed", "more", "many", "zeros"]);
}
