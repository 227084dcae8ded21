//! What chance may do: a fresh sample of the same data breaks no inferred rule, and small samples are no drift.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder, UInt64Array,
};
use arrow::compute::{concat_batches, take_record_batch};
use tidemill_core::{AnomalyType, DatasetStatistics, Domain, Schema, Severity, SplitMix64};
use tidemill_data::{ReadOptions, open_table};
use tidemill_validation::{
    Comparison, DEFAULT_ENVIRONMENT, DatasetAccumulator, compare, infer_schema, parse_schema, validate,
};

/// Numbers between 0 and 1, one after another.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 += 1;
        SplitMix64::to_unit(SplitMix64::nth(self.0))
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// A rank of a distribution with a heavy tail.
    fn zipf(&mut self, ranks: f64) -> u64 {
        ranks.powf(self.unit()) as u64
    }
}

fn statistics(batch: &RecordBatch) -> DatasetStatistics {
    let mut accumulator = DatasetAccumulator::new(&batch.schema());
    accumulator.update(batch);
    accumulator.finish("data")
}

/// Columns of many kinds.
fn sample(rows: usize, seed: u64) -> RecordBatch {
    let mut random = Random(seed.wrapping_mul(1 << 32));
    let mut texts = |pick: &mut dyn FnMut(&mut Random) -> Option<String>| -> ArrayRef {
        Arc::new((0..rows).map(|_| pick(&mut random)).collect::<StringArray>())
    };
    let rarely = 1.0 / rows as f64;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("weekday", texts(&mut |r| Some(format!("d{}", (r.unit() * 7.0) as u64)))),
        ("city", texts(&mut |r| Some(format!("city {}", r.zipf(60.0))))),
        ("brand", texts(&mut |r| Some(format!("brand {}", r.zipf(1000.0))))),
        ("status", texts(&mut |r| Some(if r.unit() < rarely { "failed" } else { "ok" }.to_owned()))),
        ("grade", texts(&mut |r| Some(if r.unit() < 3.0 * rarely { "F" } else { "A" }.to_owned()))),
        (
            "day",
            texts(&mut |r| Some(format!("2024-0{}-{:02}", 1 + (r.unit() * 9.0) as u64, 1 + (r.unit() * 28.0) as u64))),
        ),
        (
            "month",
            texts(&mut |r| Some(format!("{}-{:02}", 2000 + (r.unit() * 8.0) as u64, 1 + (r.unit() * 12.0) as u64))),
        ),
        ("code", texts(&mut |r| Some(format!("{:x}", (r.unit() * 1e15) as u64)))),
        ("nearly_always", texts(&mut |r| (r.unit() > rarely).then(|| "x".to_owned()))),
        ("seldom_missing", texts(&mut |r| (r.unit() > 3.0 * rarely).then(|| "x".to_owned()))),
        ("often_missing", texts(&mut |r| (r.unit() > 0.3).then(|| "x".to_owned()))),
        ("mostly_missing", texts(&mut |r| (r.unit() > 0.98).then(|| "x".to_owned()))),
    ];
    let mut numbers = |pick: &mut dyn FnMut(&mut Random) -> f64| -> ArrayRef {
        Arc::new((0..rows).map(|_| Some(pick(&mut random))).collect::<Float64Array>())
    };
    let mut all = columns;
    all.extend([
        ("celsius", numbers(&mut |r| 9.0 + 3.0 * r.normal())),
        ("profit", numbers(&mut |r| if r.unit() < rarely { -1.0 } else { r.normal().exp() })),
        ("fare", numbers(&mut |r| r.normal().exp())),
        ("tail", numbers(&mut |r| 1.0 / (r.unit() + 1e-9))),
        ("zeros", numbers(&mut |r| if r.unit() < 0.6 { 0.0 } else { r.unit() })),
        ("hours", numbers(&mut |r| (r.unit() * 24.0).floor())),
    ]);
    let counts: Int64Array = (0..rows).map(|_| Some(random.zipf(300.0) as i64)).collect();
    let flags: BooleanArray = (0..rows).map(|_| Some(random.unit() < 2.0 * rarely)).collect();
    let mut lists = ListBuilder::new(StringBuilder::new());
    for _ in 0..rows {
        for _ in 0..=(random.unit() * 3.0) as usize {
            lists.values().append_value(format!("tag {}", random.zipf(20.0)));
        }
        lists.append(true);
    }
    all.push(("counts", Arc::new(counts)));
    all.push(("flag", Arc::new(flags)));
    all.push(("tags", Arc::new(lists.finish())));
    RecordBatch::try_from_iter_with_nullable(all.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

/// Errors of validation and drift by feature and type, added to `broken`.
fn judge(seen: &RecordBatch, fresh: &RecordBatch, broken: &mut BTreeMap<(String, AnomalyType), u64>) {
    let (seen, fresh) = (statistics(seen), statistics(fresh));
    let schema = infer_schema(&[&seen]);
    let drift = compare(&seen, &fresh, &schema, DEFAULT_ENVIRONMENT, Comparison::Drift).anomalies;
    let found = validate(&fresh, &schema, DEFAULT_ENVIRONMENT).into_iter().chain(drift);
    for anomaly in found.filter(|anomaly| anomaly.severity == Severity::Error) {
        *broken.entry((anomaly.feature, anomaly.anomaly_type)).or_default() += 1;
    }
}

#[test]
fn a_fresh_sample_breaks_no_inferred_rule_in_more_than_one_of_a_hundred_cases() {
    const TRIALS: u64 = 200;
    for (rows, fresh_rows) in [(40, 40), (150, 40), (400, 400), (1000, 250), (400, 1600)] {
        let mut broken = BTreeMap::new();
        for trial in 0..TRIALS {
            judge(&sample(rows, trial * 2 + 1), &sample_like(rows, fresh_rows, trial * 2 + 2), &mut broken);
        }
        let often: Vec<_> = broken.iter().filter(|(_, count)| **count > TRIALS / 100).collect();
        assert!(often.is_empty(), "{rows} and {fresh_rows} rows, of {TRIALS} trials: {often:?}");
    }
}

/// A sample of `fresh` rows from what [`sample`] draws `rows` from: how rare its rare values are goes by `rows`.
fn sample_like(rows: usize, fresh: usize, seed: u64) -> RecordBatch {
    let mut parts = Vec::new();
    for part in 0..fresh.div_ceil(rows) as u64 {
        parts.push(sample(rows, seed + 1_000_000 * (part + 1)));
    }
    concat_batches(&parts[0].schema(), &parts).unwrap().slice(0, fresh)
}

#[test]
fn halves_of_real_tables_do_not_break_what_is_inferred_of_the_other_half() {
    const TRIALS: u64 = 100;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tables");
    for name in ["penguins", "seattle_weather", "gbsg2", "rossi", "lung", "planes", "airports"] {
        let reader = open_table(&folder.join(format!("{name}.csv")), &ReadOptions::default()).unwrap();
        let schema = reader.schema();
        let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
        let table = concat_batches(&schema, &batches).unwrap();
        let mut broken = BTreeMap::new();
        for trial in 0..TRIALS {
            let mut order: Vec<u64> = (0..table.num_rows() as u64).collect();
            order.sort_by_key(|row| SplitMix64::nth(trial * 1_000_003 + row));
            let half = order.len() / 2;
            let rows = |order: &[u64]| take_record_batch(&table, &UInt64Array::from(order.to_vec())).unwrap();
            let seen = rows(&order[..half]);
            judge(&seen, &rows(&order[half..]), &mut broken);
            judge(&seen, &rows(&order[half..half + half / 2]), &mut broken);
        }
        let often: Vec<_> = broken.iter().filter(|(_, count)| **count > 2 * TRIALS / 100).collect();
        assert!(often.is_empty(), "{name}, of {} trials: {often:?}", 2 * TRIALS);
    }
}

fn floats(values: impl IntoIterator<Item = f64>) -> DatasetStatistics {
    let values: Float64Array = values.into_iter().map(Some).collect();
    statistics(&RecordBatch::try_from_iter([("x", Arc::new(values) as ArrayRef)]).unwrap())
}

fn texts(values: impl IntoIterator<Item = String>) -> DatasetStatistics {
    let values: StringArray = values.into_iter().map(Some).collect();
    statistics(&RecordBatch::try_from_iter([("x", Arc::new(values) as ArrayRef)]).unwrap())
}

fn drift(before: &DatasetStatistics, now: &DatasetStatistics, schema: &Schema) -> tidemill_validation::DriftReport {
    compare(before, now, schema, DEFAULT_ENVIRONMENT, Comparison::Drift)
}

#[test]
fn a_small_batch_of_the_same_distribution_is_too_small_to_say_and_a_shifted_one_is_drift() {
    let mut random = Random(7);
    let before = floats((0..1000).map(|_| random.normal()));
    let schema = infer_schema(&[&before]);
    for rows in [10, 30, 100, 300] {
        for _ in 0..12 {
            let report = drift(&before, &floats((0..rows).map(|_| random.normal())), &schema);
            let feature = &report.features[0];
            assert!(!feature.exceeded(), "{rows}: {feature:?}");
            assert!(feature.distance.jensen_shannon < 0.5, "{rows}: {feature:?}");
            assert!(report.anomalies.iter().all(|anomaly| anomaly.severity == Severity::Warning));
            let shifted = drift(&before, &floats((0..rows).map(|_| random.normal() + 4.0)), &schema);
            assert!(shifted.features[0].exceeded(), "{rows}: {:?}", shifted.features[0]);
        }
    }
    let few = drift(&before, &floats((0..10).map(|_| random.normal())), &schema);
    let text = few.anomalies.first().map_or(String::new(), |anomaly| anomaly.description.clone());
    assert!(few.anomalies.is_empty() || text.contains("10 values against 1,000 are too few to say"), "{text}");
}

#[test]
fn a_constant_that_became_another_is_as_far_as_can_be() {
    let (fives, sixes) = (floats([5.0; 200]), floats([6.0; 200]));
    let schema = "version: 1\nfeatures:\n  x: { type: float, drift: { population_stability_index: 0.2 } }\n";
    let report = drift(&fives, &sixes, &parse_schema(schema, Path::new("schema.yaml")).unwrap());
    let distance = &report.features[0].distance;
    // Two bins, shares of at least 0.0001: 2 (1 − 0.0001) ln(10000).
    assert!((distance.population_stability_index - 18.418_8).abs() < 1e-3, "{distance:?}");
    assert_eq!(distance.jensen_shannon, 1.0);
    assert!(report.features[0].exceeded());
}

#[test]
fn no_column_of_either_side_is_left_out_without_a_word() {
    let batch = |columns: Vec<(&str, ArrayRef)>| statistics(&RecordBatch::try_from_iter(columns).unwrap());
    let numbers = || Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef;
    let words = || Arc::new(StringArray::from(vec!["a", "b", "c"])) as ArrayRef;
    let bytes = || Arc::new(arrow::array::BinaryArray::from(vec![&b"\xff"[..], b"\xfe", b"\xfd"])) as ArrayRef;
    let before = batch(vec![("both", numbers()), ("gone", numbers()), ("kind", numbers()), ("raw", bytes())]);
    let now = batch(vec![("both", numbers()), ("kind", words()), ("new", words()), ("raw", bytes())]);
    let report = drift(&before, &now, &Schema::default());
    let left_out: Vec<&str> = report.not_compared.iter().map(|column| column.feature.as_str()).collect();
    assert_eq!(report.features.len(), 1);
    assert_eq!(left_out, ["kind", "new", "raw", "gone"]);
}

#[test]
fn calendars_go_on() {
    let days = |month: u64| texts((0..600).map(move |i| format!("2024-{month:02}-{:02}", 1 + i % 28)));
    let (january, february) = (days(1), days(2));
    let schema = infer_schema(&[&january]);
    assert_eq!(schema.features["x"].domain, None);
    assert_eq!(validate(&february, &schema, DEFAULT_ENVIRONMENT), []);
    assert_eq!(drift(&january, &february, &schema).anomalies, []);
    // Days of the week come back.
    let week = texts((0..600).map(|i| ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][i % 7].to_owned()));
    assert!(matches!(&infer_schema(&[&week]).features["x"].domain, Some(Domain::Values(values)) if values.len() == 7));
}

#[test]
fn one_missing_value_is_a_warning_and_a_burst_is_an_error() {
    let with = |rows: usize, missing: usize| {
        let values: Float64Array = (0..rows).map(|row| (row >= missing).then_some(row as f64)).collect();
        statistics(&RecordBatch::try_from_iter_with_nullable([("x", Arc::new(values) as ArrayRef, true)]).unwrap())
    };
    let schema = infer_schema(&[&with(1500, 0)]);
    assert_eq!(schema.features["x"].presence.min_fraction, Some(1.0), "a value is asked for in requests");
    let severity = |missing| validate(&with(700, missing), &schema, DEFAULT_ENVIRONMENT)[0].severity;
    assert_eq!(severity(1), Severity::Warning);
    assert_eq!(severity(3), Severity::Warning);
    assert_eq!(severity(35), Severity::Error);
}

#[test]
fn a_summer_has_no_least_temperature_and_an_amount_has() {
    let positive = |name: &str| {
        let values: Float64Array = (0..500).map(|i| Some(f64::from(i % 25))).collect();
        infer_schema(&[&statistics(&RecordBatch::try_from_iter([(name, Arc::new(values) as ArrayRef)]).unwrap())])
            .features
            .remove(name)
            .unwrap()
            .domain
    };
    assert_eq!(positive("celsius"), None);
    let least = Domain::Float { min: Some(0.0), max: None, disallow_nan: false, disallow_inf: false };
    assert_eq!(positive("fare"), Some(least));
}
