//! Weights, slices, correlations and lift: what is computed when it is asked for.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use proptest::prelude::*;
use tidemill_core::{CancelFlag, Coded, DatasetStatistics, NoProgress};
use tidemill_data::BatchReader;
use tidemill_validation::{Computation, DatasetAccumulator, StatisticsError, StatisticsOptions, compute_statistics};

/// Rows from the generator that the recording script used:
///
/// ```python
/// x = 7
/// for i in range(n):
///     x = (x * 6364136223846793005 + 1442695040888963407) % 2**64
///     h = x >> 33
///     miles = None if h % 7 == 0 else (h % 97) / 8
///     fare = 3.25 + (h % 97) * 0.35 + (h // 97 % 41) / 10
///     payment = ["Cash", "Credit Card", "Mobile"][h // 3 % 7 % 3]
///     tip = payment != "Cash" and !h.is_multiple_of(5)
///     weight = (h // 11 % 9) / 2
/// ```
fn trips(rows: usize) -> RecordBatch {
    let mut x = 7u64;
    let (mut miles, mut fare, mut payment, mut tip, mut weight) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..rows {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let h = x >> 33;
        miles.push((!h.is_multiple_of(7)).then(|| (h % 97) as f64 / 8.0));
        fare.push(3.25 + (h % 97) as f64 * 0.35 + (h / 97 % 41) as f64 / 10.0);
        let paid = ["Cash", "Credit Card", "Mobile"][(h / 3 % 7 % 3) as usize];
        payment.push(paid);
        tip.push(paid != "Cash" && !h.is_multiple_of(5));
        weight.push((h / 11 % 9) as f64 / 2.0);
    }
    RecordBatch::try_from_iter([
        ("miles", Arc::new(Float64Array::from(miles)) as ArrayRef),
        ("fare", Arc::new(Float64Array::from(fare)) as ArrayRef),
        ("payment", Arc::new(StringArray::from(payment)) as ArrayRef),
        ("tip", Arc::new(BooleanArray::from(tip)) as ArrayRef),
        ("weight", Arc::new(Float64Array::from(weight)) as ArrayRef),
    ])
    .unwrap()
}

fn run(batch: &RecordBatch, options: &StatisticsOptions) -> Result<DatasetStatistics, StatisticsError> {
    run_on(batch, options, 2)
}

fn run_on(
    batch: &RecordBatch,
    options: &StatisticsOptions,
    threads: usize,
) -> Result<DatasetStatistics, StatisticsError> {
    let open = |columns: Option<&[String]>| {
        let batch = match columns {
            None => batch.clone(),
            Some(columns) => {
                let indices: Vec<usize> = columns.iter().map(|name| batch.schema().index_of(name).unwrap()).collect();
                batch.project(&indices).unwrap()
            }
        };
        let parts: Vec<_> =
            (0..batch.num_rows()).step_by(700).map(|at| Ok(batch.slice(at, 700.min(batch.num_rows() - at)))).collect();
        Ok(BatchReader::new(batch.schema(), parts.into_iter()))
    };
    Computation { options, progress: &NoProgress, threads, cancel: &CancelFlag::default() }.run(&open, "trips")
}

fn weighted(column: &str) -> StatisticsOptions {
    StatisticsOptions { weight: Some(column.to_owned()), ..StatisticsOptions::default() }
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * b.abs().max(1.0)
}

#[test]
fn weighted_numbers_are_what_numpy_says() {
    let statistics = run(&trips(5000), &weighted("weight")).unwrap();
    // numpy 2: w.sum(); np.average(v, weights=w); np.sqrt(np.average((v - mean)**2, weights=w));
    // np.quantile(v, 0.5, weights=w, method="inverted_cdf"); w[miles is None].sum(); w[payment == "Cash"].sum()
    let expected = NUMPY;
    let fare = statistics.feature("fare").unwrap().weighted.clone().unwrap();
    assert_eq!(statistics.weight.as_ref().unwrap().num_examples, expected[0]);
    let numbers = fare.numeric.unwrap();
    assert!(close(numbers.mean, expected[1]) && close(numbers.std_dev, expected[2]), "{numbers:?}");
    assert_eq!((numbers.median, numbers.rank_error), (expected[3], 0.0));
    assert!(close(numbers.histogram.buckets.iter().map(|bucket| bucket.count).sum(), expected[0]));
    let miles = statistics.feature("miles").unwrap().weighted.clone().unwrap();
    assert_eq!(miles.num_missing, expected[4]);
    assert!(close(miles.numeric.unwrap().mean, expected[5]));
    let text = statistics.feature("payment").unwrap().weighted.clone().unwrap().string.unwrap();
    let cash = text.top_values.iter().find(|top| top.value == "Cash").unwrap();
    assert_eq!((cash.weight, text.weight_error), (expected[6], 0.0));
}

const NUMPY: [f64; 7] = [
    9951.0,
    22.497_128_429_303_586,
    9.844_971_069_063_899,
    22.849_999_999_999_998,
    1402.5,
    6.137_524_127_039_832,
    4161.5,
];

#[test]
fn a_constant_weight_changes_nothing_but_the_counts() {
    let batch = trips(2000);
    let two = Arc::new(Int64Array::from(vec![2; 2000])) as ArrayRef;
    let mut columns: Vec<(&str, ArrayRef)> = vec![("two", two)];
    columns.extend(["miles", "fare", "payment", "tip"].map(|name| (name, batch.column_by_name(name).unwrap().clone())));
    let statistics = run(&RecordBatch::try_from_iter(columns).unwrap(), &weighted("two")).unwrap();
    assert_eq!(statistics.weight.as_ref().unwrap().num_examples, 4000.0);
    for feature in &statistics.features {
        let weighted = feature.weighted.as_ref().unwrap();
        assert_eq!(weighted.num_missing, 2.0 * feature.common.num_missing as f64);
        assert_eq!(weighted.avg_num_values, feature.common.avg_num_values);
        if let (Some(plain), Some(twin)) = (&feature.numeric, &weighted.numeric) {
            assert!(close(plain.mean, twin.mean) && close(plain.std_dev, twin.std_dev) && plain.median == twin.median);
            for (plain, twin) in plain.quantiles.buckets.iter().zip(&twin.quantiles.buckets) {
                assert_eq!((plain.low, plain.high, 2.0 * plain.count), (twin.low, twin.high, twin.count));
            }
        }
        if let (Some(plain), Some(twin)) = (feature.boolean, weighted.boolean) {
            assert_eq!(2.0 * plain.num_true as f64, twin.num_true);
        }
    }
}

#[test]
fn a_weight_that_is_none_is_an_error_that_says_where() {
    let batch = |weights: Vec<Option<f64>>| {
        RecordBatch::try_from_iter_with_nullable([("w", Arc::new(Float64Array::from(weights)) as ArrayRef, true)])
            .unwrap()
    };
    let failed = |batch: &RecordBatch, column: &str| run(batch, &weighted(column)).unwrap_err();
    assert_eq!(
        failed(&batch(vec![Some(1.0), Some(-2.0)]), "w").to_string(),
        "row 2 has the weight -2 in `w`; a weight is a number, not below zero"
    );
    assert!(failed(&batch(vec![None]), "w").to_string().starts_with("row 1 has the weight nothing"));
    let unknown = failed(&trips(10), "wieght");
    assert_eq!(
        (unknown.to_string().as_str(), unknown.hint().as_deref()),
        ("there is no column `wieght`", Some("did you mean `weight`?"))
    );
    assert_eq!(failed(&trips(10), "payment").to_string(), "the weight column `payment` holds Utf8, not numbers");
}

#[test]
fn slices_have_the_statistics_of_their_rows_and_add_up() {
    let batch = trips(5000);
    let slices = vec![vec!["payment".to_owned()], vec!["payment".to_owned(), "tip".to_owned()]];
    let options = StatisticsOptions { slices, ..weighted("weight") };
    let statistics = run(&batch, &options).unwrap();
    assert_eq!(statistics, run_on(&batch, &options, 1).unwrap());
    let family = &statistics.slices[0];
    assert_eq!((family.num_slices, family.num_examples_not_shown, family.slices.len()), (3, 0, 3));
    assert_eq!(family.slices.iter().map(|slice| slice.statistics.num_examples).sum::<u64>(), 5000);
    let names: Vec<_> = statistics.slices[1].slices.iter().map(|slice| slice.statistics.name.as_str()).collect();
    assert!(names.contains(&"payment=Credit Card, tip=true"), "{names:?}");
    // The same rows alone.
    let payment = batch.column_by_name("payment").unwrap().as_any().downcast_ref::<StringArray>().unwrap();
    let mask: BooleanArray = payment.iter().map(|paid| Some(paid == Some("Mobile"))).collect();
    let alone = arrow::compute::filter_record_batch(&batch, &mask).unwrap();
    let mobile = family.slices.iter().find(|slice| slice.values == [Some("Mobile".to_owned())]).unwrap();
    let reader = BatchReader::new(alone.schema(), std::iter::once(Ok(alone)));
    let expected = compute_statistics(reader, "x", &NoProgress, 1).unwrap();
    for (got, expected) in mobile.statistics.features.iter().zip(&expected.features) {
        assert_eq!(got.common, expected.common);
        assert_eq!((&got.string, &got.boolean), (&expected.string, &expected.boolean));
        assert_eq!(got.numeric.as_ref().map(|n| &n.quantiles), expected.numeric.as_ref().map(|n| &n.quantiles));
    }
}

#[test]
fn of_many_slices_the_largest_are_kept_and_the_rest_is_counted() {
    let company: Vec<Option<String>> =
        (0..4000).map(|i| (i % 7 > 0).then(|| format!("c{}", i % (1 + i % 300)))).collect();
    let batch =
        RecordBatch::try_from_iter_with_nullable([("company", Arc::new(StringArray::from(company)) as ArrayRef, true)])
            .unwrap();
    let options = StatisticsOptions { slices: vec![vec!["company".to_owned()]], ..StatisticsOptions::default() };
    let family = run(&batch, &options).unwrap().slices.remove(0);
    assert_eq!(family.slices.len(), 20);
    assert_eq!(family.slices[0].values, [None], "rows without a company are a slice too");
    assert_eq!(family.slices[0].statistics.name, "company=missing");
    let shown: u64 = family.slices.iter().map(|slice| slice.statistics.num_examples).sum();
    assert_eq!(shown + family.num_examples_not_shown, 4000);
    assert!(family.num_slices > 20);
}

#[test]
fn correlation_is_what_numpy_says() {
    let options = StatisticsOptions { correlations: true, ..StatisticsOptions::default() };
    let cross = run(&trips(5000), &options).unwrap().cross;
    let pair = cross.numeric.iter().find(|pair| (pair.x.as_str(), pair.y.as_str()) == ("miles", "fare")).unwrap();
    // np.corrcoef(miles[m], fare[m])[0, 1], np.cov(miles[m], fare[m], bias=True)[0, 1], m.sum() with m = ~np.isnan(miles)
    let (r, covariance, count) = CORRELATION;
    assert!(close(pair.correlation.unwrap(), r) && close(pair.covariance, covariance), "{pair:?}");
    assert_eq!((pair.count, cross.numeric.len()), (count, 3));
}

const CORRELATION: (f64, f64, u64) = (0.992_774_732_740_416_8, 33.764_628_348_562_205, 4294);

#[test]
fn lift_tells_what_goes_with_the_label() {
    let options = StatisticsOptions { label: Some("tip".to_owned()), ..StatisticsOptions::default() };
    let cross = run(&trips(5000), &options).unwrap().cross;
    let payment = cross.lift.iter().find(|lift| lift.feature == "payment").unwrap();
    assert_eq!(payment.label_values.iter().map(|label| label.value.as_str()).collect::<Vec<_>>(), ["false", "true"]);
    let cash = payment.values.iter().find(|value| value.value == "Cash").unwrap();
    assert_eq!((cash.counts[1], cash.lift[1]), (0, 0.0), "cash has no tips");
    let all = payment.count as f64;
    assert!(close(cash.lift[0], all / payment.label_values[0].count as f64));
    assert!(payment.mutual_information > 0.3 && payment.mutual_information < 1.0);
    let ranges = StatisticsOptions {
        label: Some("fare".to_owned()),
        label_boundaries: vec![10.0, 20.0],
        ..StatisticsOptions::default()
    };
    let cross = run(&trips(5000), &ranges).unwrap().cross;
    let labels: Vec<_> = cross.lift[0].label_values.iter().map(|label| label.value.as_str()).collect();
    assert_eq!(labels, ["below 10", "10 to 20", "20 and more"]);
    let none = StatisticsOptions { label: Some("fare".to_owned()), ..StatisticsOptions::default() };
    assert_eq!(
        run(&trips(10), &none).unwrap_err().to_string(),
        "`fare` holds Float64: as a label it needs boundaries that divide it"
    );
}

fn everything() -> StatisticsOptions {
    StatisticsOptions { correlations: true, label: Some("tip".to_owned()), ..weighted("weight") }
}

/// Whether two JSON values are the same up to rounding.
fn same(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => close(x.as_f64().unwrap(), y.as_f64().unwrap()),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y)),
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(key, x)| y.get(key).is_some_and(|y| same(x, y)))
        }
        _ => a == b,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn merging_is_associative_commutative_has_an_identity_and_equals_one_pass(
        cuts in (0usize..300, 0usize..300, 1usize..300)
    ) {
        let batch = trips(cuts.0 + cuts.1 + cuts.2);
        let parts = [batch.slice(0, cuts.0), batch.slice(cuts.0, cuts.1), batch.slice(cuts.0 + cuts.1, cuts.2)];
        let of = |batch: &RecordBatch| {
            let mut accumulator = DatasetAccumulator::with_options(&batch.schema(), &everything()).unwrap();
            accumulator.update(batch);
            accumulator
        };
        let merged = |parts: &[&DatasetAccumulator]| {
            let mut all = DatasetAccumulator::with_options(&batch.schema(), &everything()).unwrap();
            for part in parts {
                all.merge(part);
            }
            all
        };
        let [x, y, z] = [&parts[0], &parts[1], &parts[2]].map(of);
        let json = |accumulator: &DatasetAccumulator| {
            let mut value = serde_json::to_value(accumulator.finish("all")).unwrap();
            // Nothing but rounding is left of a correlation of very few rows.
            if batch.num_rows() < 5 {
                value["cross"] = serde_json::Value::Null;
            }
            value
        };
        let whole = json(&of(&batch));
        let yz = merged(&[&y, &z]);
        for candidate in [merged(&[&x, &y, &z]), merged(&[&x, &yz]), merged(&[&z, &y, &x])] {
            let candidate = json(&candidate);
            prop_assert!(same(&candidate, &whole), "{candidate}\n{whole}");
        }
    }
}
