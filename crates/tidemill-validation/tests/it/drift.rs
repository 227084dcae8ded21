//! Drift: distances against other tools' numbers, comparators, and the day after with an inferred schema.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Float64Type;
use proptest::prelude::*;
use tidemill_core::{AnomalyType, DatasetStatistics, Schema, Severity, SplitMix64};
use tidemill_data::{Plant, TaxiOptions, generate_taxi};
use tidemill_validation::{
    Comparison, DEFAULT_ENVIRONMENT, DatasetAccumulator, DriftReport, FeatureDistance, compare, distances,
    infer_schema, movement, parse_schema, render_drift_report, validate,
};

fn noise(i: u64) -> u64 {
    SplitMix64::nth(i.wrapping_sub(1))
}

fn unit(i: u64) -> f64 {
    SplitMix64::to_unit(noise(i))
}

fn named(name: &str, columns: Vec<(&str, ArrayRef)>) -> DatasetStatistics {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut accumulator = DatasetAccumulator::new(&batch.schema());
    accumulator.update(&batch);
    accumulator.finish(name)
}

fn floats(values: impl IntoIterator<Item = f64>) -> DatasetStatistics {
    let values: Float64Array = values.into_iter().map(Some).collect();
    named("data", vec![("x", Arc::new(values) as ArrayRef)])
}

fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> DatasetStatistics {
    let values: StringArray = values.into_iter().map(Some).collect();
    named("data", vec![("x", Arc::new(values) as ArrayRef)])
}

fn one(a: &DatasetStatistics, b: &DatasetStatistics) -> FeatureDistance {
    distances(a, b).remove(0)
}

fn schema(features: &str) -> Schema {
    parse_schema(&format!("version: 1\n{features}\n"), Path::new("schema.yaml")).unwrap()
}

fn drift(a: &DatasetStatistics, b: &DatasetStatistics, schema: &Schema) -> DriftReport {
    compare(a, b, schema, DEFAULT_ENVIRONMENT, Comparison::Drift)
}

fn types(report: &DriftReport) -> Vec<AnomalyType> {
    report.anomalies.iter().map(|anomaly| anomaly.anomaly_type).collect()
}

fn near(value: f64, expected: f64, tolerance: f64) {
    assert!((value - expected).abs() <= tolerance, "{value} is not {expected} within {tolerance}");
}

/// Recorded from the same values with `SciPy` 1.17 and `NumPy` 2.4: `ks_2samp`, `wasserstein_distance`, and
/// `jensenshannon(…, base=2) ** 2` and PSI (shares of at least 0.0001) of the raw values counted in the bins of `percentile(x, 0..=100 step 10, "inverted_cdf")`.
#[test]
fn distances_of_numbers_are_near_those_of_scipy_on_the_raw_values() {
    let column =
        |rows: u64, seed: u64, scale: f64| floats((0..rows).map(|i| (3.0 + 40.0 * unit(seed + i).powi(3)) * scale));
    let (a, b) = (column(20_000, 1, 1.0), column(12_000, 1_000_003, 1.18));
    let found = one(&a, &b);
    near(found.kolmogorov_smirnov.unwrap(), 0.2401, 0.01);
    near(found.wasserstein.unwrap(), 2.54142, 0.02);
    near(found.jensen_shannon, 0.19135, 0.01);
    near(found.population_stability_index, 1.49526, 0.02);
    let hours = |rows: u64, seed: u64, of: u64| floats((0..rows).map(|i| (noise(seed + i) % of % 24) as f64));
    let found = one(&hours(20_000, 1, 24), &hours(12_000, 1_000_003, 30));
    near(found.kolmogorov_smirnov.unwrap(), 0.15277, 0.02);
    near(found.wasserstein.unwrap(), 1.88865, 0.1);
}

#[test]
fn equal_width_bins_are_blind_to_what_quantile_bins_see_beside_one_outlier() {
    let bell = |seed: u64, shift: f64| {
        let values = (0..5000).map(move |i| (0..6).map(|k| unit(seed + i * 6 + k)).sum::<f64>() - 3.0 + shift);
        floats(values.chain([1e6]))
    };
    let (before, same, moved) = (bell(0, 0.0), bell(1_000_000, 0.0), bell(2_000_000, 0.7));
    let with = |bins: &str, now: &DatasetStatistics| {
        let schema = schema(&format!("features:\n  x: {{ type: float, drift: {{ jensen_shannon: 0.05{bins} }} }}"));
        let report = drift(&before, now, &schema);
        (report.features[0].distance.jensen_shannon, types(&report))
    };
    let high = AnomalyType::ComparatorJensenShannonDivergenceHigh;
    assert!(with("", &same).0 < 0.01 && with("", &same).1.is_empty());
    assert!(with("", &moved).0 > 0.15, "{:?}", with("", &moved));
    assert_eq!(with("", &moved).1, [high]);
    // One value a million away puts all others into the first of ten equal bins.
    assert!(with(", bins: equal_width", &moved).0 < 1e-4);
    assert!(with(", bins: equal_width", &moved).1.is_empty());
}

#[test]
fn a_value_that_fills_about_a_tenth_is_no_drift_when_it_fills_a_little_less() {
    let zeros = |share: u64| floats((0..10_000).map(|i| if i % 1000 < share { 0.0 } else { unit(i) * 50.0 }));
    let found = one(&zeros(101), &zeros(99));
    assert!(found.jensen_shannon < 0.002, "{}", found.jensen_shannon);
}

#[test]
fn nan_and_infinities_stand_apart_and_missing_values_beside() {
    let clean = floats((0..1000).map(f64::from));
    let odd = floats((0..1000).map(|i| if i % 5 == 0 { f64::NAN } else { f64::from(i) }));
    assert!(one(&clean, &odd).jensen_shannon > 0.09);
    assert_eq!(one(&odd, &odd).jensen_shannon, 0.0);
    let empty = named("data", vec![("x", Arc::new(Float64Array::from(vec![None::<f64>; 5])) as ArrayRef)]);
    let gone = one(&clean, &empty);
    assert_eq!((gone.jensen_shannon, gone.kolmogorov_smirnov, gone.missing_difference), (1.0, None, 1.0));
}

#[test]
fn texts_with_too_many_values_to_list_are_as_far_apart_as_they_are() {
    let ids = |from: u64| {
        let values: Vec<String> = (from..from + 30_000).map(|i| format!("{:016x}", noise(i))).collect();
        texts(values.iter().map(String::as_str))
    };
    let found = one(&ids(0), &ids(30_000));
    assert!(found.l_infinity.unwrap() < 0.001 && found.population_stability_index > 1.0, "{found:?}");
    near(found.jensen_shannon, 1.0, 1e-9);
    near(one(&ids(0), &ids(0)).jensen_shannon, 0.0, 1e-9);
    // A value that takes over is seen all the same.
    let taken: Vec<String> = (0..30_000).map(|i| if i % 3 == 0 { "x".into() } else { format!("{i}") }).collect();
    let found = one(&ids(0), &texts(taken.iter().map(String::as_str)));
    near(found.l_infinity.unwrap(), 1.0 / 3.0, 0.01);
}

/// The divergence of two lists of values, from the counts of all of them.
fn exact_divergence(a: &[String], b: &[String]) -> f64 {
    let mut counts: std::collections::BTreeMap<&str, (f64, f64)> = std::collections::BTreeMap::new();
    a.iter().for_each(|value| counts.entry(value).or_default().0 += 1.0 / a.len() as f64);
    b.iter().for_each(|value| counts.entry(value).or_default().1 += 1.0 / b.len() as f64);
    let part = |p: f64, m: f64| if p > 0.0 { p * (p / m).log2() } else { 0.0 };
    let half = |(p, q): &(f64, f64)| part(*p, f64::midpoint(*p, *q)) + part(*q, f64::midpoint(*p, *q));
    counts.values().map(half).sum::<f64>() / 2.0
}

#[test]
fn the_divergence_of_tens_of_thousands_of_values_is_estimated_from_a_sample_of_them() {
    // Values whose frequency falls with their number: about 40,000 of them are rare.
    let draw = |seed: u64, rows: u64, shift: f64| -> Vec<String> {
        (0..rows).map(|row| format!("shop {}", (unit(seed + row).powi(2) * 60_000.0 + shift) as u64)).collect()
    };
    for (shift, expected) in [(0.0, 0.15..0.40), (9_000.0, 0.35..0.8), (90_000.0, 1.0..1.0 + 1e-9)] {
        let (a, b) = (draw(1, 90_000, 0.0), draw(1_000_003, 70_000, shift));
        let exact = exact_divergence(&a, &b);
        assert!(expected.contains(&exact), "{shift}: {exact}");
        let (left, right) = (texts(a.iter().map(String::as_str)), texts(b.iter().map(String::as_str)));
        assert!(left.features[0].string.as_ref().unwrap().values.is_none());
        near(one(&left, &right).jensen_shannon, exact, 0.05 * exact);
        // One side may be small enough to list every value.
        let few = &b[..8_000];
        near(one(&left, &texts(few.iter().map(String::as_str))).jensen_shannon, exact_divergence(&a, few), 0.05);
    }
}

#[test]
fn rare_values_that_differ_by_chance_are_too_few_rows_to_say_and_new_ones_are_drift() {
    let day = |seed: u64, shift: u64| {
        let values: Vec<String> =
            (0..60_000).map(|row| format!("rider {}", noise(seed + row) % 40_000 + shift)).collect();
        texts(values.iter().map(String::as_str))
    };
    let schema = schema("features: { x: { type: string, drift: { jensen_shannon: 0.1 } } }");
    let calm = drift(&day(1, 0), &day(2_000_003, 0), &schema);
    assert!(calm.anomalies.iter().all(|anomaly| anomaly.severity == Severity::Warning), "{:?}", calm.anomalies);
    let moved = drift(&day(1, 0), &day(2_000_003, 30_000), &schema);
    assert_eq!(types(&moved), [AnomalyType::ComparatorJensenShannonDivergenceHigh]);
    assert_eq!(moved.anomalies[0].severity, Severity::Error);
}

#[test]
fn comparators_fire_above_their_threshold_and_distances_are_reported_below_it() {
    use AnomalyType as T;
    let a = texts(["a"; 60].into_iter().chain(["b"; 40]));
    let b = texts(["a"; 50].into_iter().chain(["b"; 50]).chain(["c"; 100]));
    let x = |comparators: &str| schema(&format!("features:\n  x: {{ type: string, drift: {{ {comparators} }} }}"));
    let above = |comparators: &str| types(&drift(&a, &b, &x(comparators)));
    assert_eq!(above("l_infinity: 0.49"), [T::ComparatorLInftyHigh]);
    assert_eq!(above("l_infinity: 0.51"), []);
    // The largest difference of counts is 100 of 300.
    assert_eq!(above("normalized_absolute_difference: 0.33"), [T::ComparatorNormalizedAbsoluteDifferenceHigh]);
    assert_eq!(above("normalized_absolute_difference: 0.34"), []);
    assert_eq!(above("jensen_shannon: 0.2"), [T::ComparatorJensenShannonDivergenceHigh]);
    assert_eq!(above("population_stability_index: 0.2"), [T::CustomValidation]);
    assert_eq!(
        above("l_infinity: 0.1, jensen_shannon: 0.1"),
        [T::ComparatorLInftyHigh, T::ComparatorJensenShannonDivergenceHigh]
    );
    let quiet = drift(&a, &b, &schema("features:\n  x: { type: string }"));
    assert_eq!((quiet.anomalies.len(), quiet.features[0].distance.l_infinity), (0, Some(0.5)));
    let measured = drift(&a, &b, &x("l_infinity: 0.6")).features[0].measured[0];
    assert_eq!((measured.value, measured.threshold, measured.exceeded), (0.5, 0.6, false));
    // Skew has comparators of its own; an environment the feature is not in has none.
    assert_eq!(types(&compare(&a, &b, &x("l_infinity: 0.1"), DEFAULT_ENVIRONMENT, Comparison::Skew)), []);
    let skew = schema("features:\n  x: { type: string, skew: { l_infinity: 0.1 }, not_in_environment: [SERVING] }");
    assert_eq!(types(&compare(&a, &b, &skew, DEFAULT_ENVIRONMENT, Comparison::Skew)), [T::ComparatorLInftyHigh]);
    assert_eq!(types(&compare(&a, &b, &skew, "SERVING", Comparison::Skew)), []);
}

#[test]
fn what_cannot_be_compared_is_said() {
    use AnomalyType as T;
    let (words, numbers) = (texts(["a", "b"]), floats([1.0, 2.0]));
    let other = named("data", vec![("y", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef)]);
    let with = schema("features:\n  x: { type: float, drift: { kolmogorov_smirnov: 0.1 } }");
    assert_eq!(types(&drift(&other, &numbers, &with)), [T::ComparatorControlDataMissing]);
    assert_eq!(types(&drift(&words, &numbers, &with)), [T::UnexpectedDataType]);
    assert_eq!(types(&drift(&floats([f64::NAN; 3]), &numbers, &with)), [T::StatsNotAvailable]);
    let without = schema("features:\n  x: { type: float }");
    assert!([&other, &words].iter().all(|before| drift(before, &numbers, &without).anomalies.is_empty()));
}

#[test]
fn the_number_of_examples_is_held_to_its_bounds_and_severities_can_be_changed() {
    use AnomalyType as T;
    let (few, many) = (floats((0..50).map(f64::from)), floats((0..100).map(f64::from)));
    let with = |dataset: &str| schema(&format!("dataset: {{ {dataset} }}\nfeatures:\n  x: {{ type: float }}"));
    let half = with("num_examples_drift: { min_fraction: 0.7, max_fraction: 1.5 }");
    assert_eq!(types(&drift(&many, &few, &half)), [T::ComparatorLowNumExamples]);
    assert_eq!(types(&drift(&few, &many, &half)), [T::ComparatorHighNumExamples]);
    assert_eq!(types(&drift(&many, &many, &half)), []);
    let valid = |data: &DatasetStatistics, schema: &Schema| -> Vec<(T, Severity)> {
        validate(data, schema, DEFAULT_ENVIRONMENT).iter().map(|a| (a.anomaly_type, a.severity)).collect()
    };
    let sized = with("min_examples: 60, max_examples: 90");
    assert_eq!(valid(&few, &sized), [(T::DatasetLowNumExamples, Severity::Error)]);
    assert_eq!(valid(&many, &sized), [(T::DatasetHighNumExamples, Severity::Error)]);
    let mild = schema(
        "dataset: { min_examples: 60 }\nseverity: { DATASET_LOW_NUM_EXAMPLES: WARNING }\nfeatures:\n  x: { type: float }",
    );
    assert_eq!(valid(&few, &mild), [(T::DatasetLowNumExamples, Severity::Warning)]);
    let words = texts(["a", "b", "b"]);
    let unique =
        |bounds: &str| valid(&words, &schema(&format!("features:\n  x: {{ type: string, unique: {{ {bounds} }} }}")));
    assert_eq!(unique("min: 2, max: 2"), []);
    assert_eq!(unique("min: 3"), [(T::FeatureTypeLowUnique, Severity::Error)]);
    assert_eq!(unique("max: 1"), [(T::FeatureTypeHighUnique, Severity::Error)]);
}

#[test]
fn a_comparator_that_cannot_apply_is_a_mistake_with_its_place() {
    let text = "\
version: 1
dataset: { min_examples: 5, max_examples: 4, num_examples_drift: { min_fraction: -1 } }
severity: { SCHEMA_NEW_COLUMN: WARNNG }
features: {}
";
    insta::assert_snapshot!(parse_schema(text, Path::new("schema.yaml")).unwrap_err().to_string());
    let text = "\
version: 1
dataset: { min_examples: 5, max_examples: 4, num_examples_drift: { min_fraction: -1 } }
features:
  fare: { type: float, drift: { l_infinity: 0.1 } }
  miles:
    type: float
    skew:
      jensen_shannon: 1.5
  company: { type: string, drift: { kolmogorov_smirnov: 0.1, bins: equal_width } }
  paid: { type: bool, drift: {} , unique: { min: 2 } }
";
    insta::assert_snapshot!(parse_schema(text, Path::new("schema.yaml")).unwrap_err().to_string());
    let text = "version: 1\nfeatures:\n  fare: { type: float, drift: { jensen_shanon: 0.1 } }\n";
    insta::assert_snapshot!(parse_schema(text, Path::new("schema.yaml")).unwrap_err().to_string());
}

/// Trips of a day, changed cell by cell.
fn trips(rows: u64, span: u32, seed: u64, change: impl Fn(u64, &RecordBatch) -> RecordBatch) -> DatasetStatistics {
    let options = TaxiOptions { rows, seed, span, plant: Vec::<Plant>::new() };
    let mut accumulator: Option<DatasetAccumulator> = None;
    let mut row = 0;
    for batch in generate_taxi(&options) {
        let changed = change(row, &batch);
        row += batch.num_rows() as u64;
        accumulator.get_or_insert_with(|| DatasetAccumulator::new(&batch.schema())).update(&changed);
    }
    accumulator.unwrap().finish(&format!("day {}", span + 1))
}

fn honest(_: u64, batch: &RecordBatch) -> RecordBatch {
    batch.clone()
}

/// Fares 18 % up, 0.2 % of them negative, 1 % of trips by an unseen company, 15 % of companies gone.
fn day_two(first: u64, batch: &RecordBatch) -> RecordBatch {
    let replaced = |name: &str, column: ArrayRef| {
        let mut columns = batch.columns().to_vec();
        columns[batch.schema().index_of(name).unwrap()] = column;
        RecordBatch::try_new(batch.schema(), columns).unwrap()
    };
    let fare = batch.column_by_name("fare").unwrap().as_primitive::<Float64Type>();
    let sign = |row: usize| if noise(first + row as u64).is_multiple_of(500) { -1.18 } else { 1.18 };
    let fares: Float64Array = (0..fare.len()).map(|row| Some(fare.value(row) * sign(row))).collect();
    let company = batch.column_by_name("company").unwrap().as_string::<i32>();
    let companies: StringArray = (0..company.len())
        .map(|row| match noise(first + row as u64 + 7_000_000) % 100 {
            0 => Some("Prairie Wind Cab Cooperative"),
            1..=15 => None,
            _ => company.is_valid(row).then(|| company.value(row)),
        })
        .collect();
    let batch_with_fares = replaced("fare", Arc::new(fares));
    let mut columns = batch_with_fares.columns().to_vec();
    columns[batch.schema().index_of("company").unwrap()] = Arc::new(companies);
    RecordBatch::try_new(batch.schema(), columns).unwrap()
}

#[test]
fn the_day_after_is_found_completely_with_an_inferred_schema_and_honest_days_are_clean() {
    use AnomalyType as T;
    for rows in [5_000, 30_000] {
        let first = trips(rows, 0, 7, honest);
        let schema = infer_schema(&[&first]);
        for (rows, span, seed) in [(rows, 1, 7), (rows, 2, 7), (rows / 2, 1, 8), (rows * 2, 3, 9)] {
            let next = trips(rows, span, seed, honest);
            let report = drift(&first, &next, &schema);
            assert!(report.anomalies.is_empty(), "{rows} {span}: {:#?}", report.anomalies);
            let judged = report.features.iter().filter(|feature| !feature.measured.is_empty());
            let widest = judged.map(|feature| feature.distance.jensen_shannon).fold(0.0, f64::max);
            assert!(widest < 0.006, "{rows} {span}: {widest}");
            let errors: Vec<_> = validate(&next, &schema, DEFAULT_ENVIRONMENT);
            assert!(errors.iter().all(|anomaly| anomaly.severity == Severity::Warning), "{rows} {span}: {errors:#?}");
        }
        let next = trips(rows, 1, 7, day_two);
        let found = validate(&next, &schema, DEFAULT_ENVIRONMENT);
        let found: Vec<(&str, T)> = found
            .iter()
            .filter(|anomaly| anomaly.severity == Severity::Error)
            .map(|anomaly| (anomaly.feature.as_str(), anomaly.anomaly_type))
            .collect();
        assert_eq!(
            found,
            [
                ("company", T::EnumTypeUnexpectedStringValues),
                ("company", T::FeatureTypeLowFractionPresent),
                ("fare", T::FloatTypeSmallFloat)
            ]
        );
        let report = drift(&first, &next, &schema);
        let apart: Vec<&str> = report.anomalies.iter().map(|anomaly| anomaly.feature.as_str()).collect();
        assert_eq!(apart, ["fare"], "{:#?}", report.features);
        assert!(report.features[0].distance.feature == "fare" && report.features[0].exceeded());
        let page = render_drift_report(&first, &next, &report, None);
        assert!(page.contains("day 2 against day 1") && page.contains("COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH"));
        let moved = page.split("id=\"moved\"").nth(1).unwrap().split("</section>").next().unwrap();
        assert!(moved.contains("mean ") && moved.contains("threshold 0.01"), "{moved}");
        assert!(moved.contains("0 means the same, 1 means that they have no value in common"));
    }
}

#[test]
fn how_a_feature_moved_is_said_in_its_own_terms() {
    let said = |a: &DatasetStatistics, b: &DatasetStatistics| movement(&a.features[0], &b.features[0], false);
    let (a, b) = (floats([1.0, 2.0, 6.0]), floats([2.0, 4.0, 12.0]));
    assert_eq!(said(&a, &b), "mean 3 → 6, median 2 → 4");
    assert_eq!(said(&a, &a), "");
    let (a, b) = (texts(["x", "x", "x", "y"]), texts(["x", "y", "z", "z"]));
    assert_eq!(said(&a, &b), "`x` 75 % → 25 %, `z` 0 % → 50 %");
    assert_eq!(said(&a, &texts(std::iter::empty())), "");
}

fn numbers() -> impl Strategy<Value = Vec<f64>> {
    let value =
        prop_oneof![Just(0.0), (-50i32..50).prop_map(f64::from), -1e3..1e3, proptest::num::f64::NORMAL, Just(f64::NAN)];
    prop::collection::vec(value, 1..200)
}

proptest! {
    #[test]
    fn distances_of_numbers_keep_their_laws(a in numbers(), b in numbers()) {
        let (a, b) = (floats(a), floats(b));
        let (there, back) = (one(&a, &b), one(&b, &a));
        prop_assert!((there.jensen_shannon - back.jensen_shannon).abs() < 1e-9);
        prop_assert!((0.0..=1.0).contains(&there.jensen_shannon));
        prop_assert!(there.population_stability_index >= 0.0 && there.population_stability_index.is_finite());
        prop_assert_eq!(there.kolmogorov_smirnov.is_some(), back.kolmogorov_smirnov.is_some());
        if let (Some(ks), Some(other)) = (there.kolmogorov_smirnov, back.kolmogorov_smirnov) {
            prop_assert!((ks - other).abs() < 1e-9 && (0.0..=1.0).contains(&ks));
            let (w, other) = (there.wasserstein.unwrap(), back.wasserstein.unwrap());
            prop_assert!(w >= 0.0 && w.is_finite() && (w - other).abs() <= 1e-9 * w.max(1.0), "{w} {other}");
        }
        let own = one(&a, &a);
        prop_assert_eq!((own.jensen_shannon, own.population_stability_index), (0.0, 0.0));
        prop_assert!(own.kolmogorov_smirnov.unwrap_or(0.0) == 0.0 && own.wasserstein.unwrap_or(0.0) == 0.0);
    }

    #[test]
    fn distances_of_text_keep_their_laws(a in prop::collection::vec("[a-d]", 1..60), b in prop::collection::vec("[a-f]", 1..60)) {
        let (a, b) = (texts(a.iter().map(String::as_str)), texts(b.iter().map(String::as_str)));
        let (there, back) = (one(&a, &b), one(&b, &a));
        prop_assert!((there.jensen_shannon - back.jensen_shannon).abs() < 1e-12);
        prop_assert_eq!(there.l_infinity, back.l_infinity);
        prop_assert_eq!(there.normalized_absolute_difference, back.normalized_absolute_difference);
        prop_assert!((there.population_stability_index - back.population_stability_index).abs() < 1e-9);
        prop_assert!(there.l_infinity.unwrap() <= 1.0 && there.jensen_shannon <= 1.0);
        prop_assert!(one(&a, &a).jensen_shannon == 0.0 && one(&a, &a).l_infinity == Some(0.0));
    }
}
