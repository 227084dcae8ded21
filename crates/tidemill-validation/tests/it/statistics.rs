//! Statistics against numbers recorded from `NumPy` and pandas, and the laws that merging keeps.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use proptest::prelude::*;
use tidemill_core::{CancelFlag, DatasetStatistics, FeatureStatistics, NoProgress, NumericStatistics};
use tidemill_data::BatchReader;
use tidemill_validation::{Computation, DatasetAccumulator, StatisticsOptions, compute_statistics};

/// 15,000 rows from the generator that the recording script used:
///
/// ```python
/// x = 42
/// for i in range(15000):
///     x = (x * 6364136223846793005 + 1442695040888963407) % 2**64
///     h = x >> 33
///     fare = (h % 500) * (h // 500 % 500) / 100
///     miles = None if h % 7 == 0 else (h % 97) * (h // 97 % 13) / 8
///     company = None if h % 11 == 0 else "company %d" % ((h % 59) * (h % 3))
/// ```
fn trips() -> RecordBatch {
    let mut x = 42u64;
    let (mut fare, mut miles, mut company) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..15_000 {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let h = x >> 33;
        fare.push(((h % 500) * (h / 500 % 500)) as f64 / 100.0);
        miles.push((!h.is_multiple_of(7)).then(|| ((h % 97) * (h / 97 % 13)) as f64 / 8.0));
        company.push((!h.is_multiple_of(11)).then(|| format!("company {}", (h % 59) * (h % 3))));
    }
    RecordBatch::try_from_iter([
        ("fare", Arc::new(Float64Array::from(fare)) as ArrayRef),
        ("miles", Arc::new(Float64Array::from(miles)) as ArrayRef),
        ("company", Arc::new(StringArray::from(company)) as ArrayRef),
    ])
    .unwrap()
}

fn slices(batch: &RecordBatch, rows: usize) -> Vec<RecordBatch> {
    (0..batch.num_rows()).step_by(rows).map(|at| batch.slice(at, rows.min(batch.num_rows() - at))).collect()
}

fn of(batch: &RecordBatch, rows: usize, threads: usize) -> DatasetStatistics {
    let batches = slices(batch, rows);
    let reader = BatchReader::new(batch.schema(), batches.into_iter().map(Ok));
    compute_statistics(reader, "trips", &NoProgress, threads).unwrap()
}

fn numbers<'a>(statistics: &'a DatasetStatistics, name: &str) -> &'a NumericStatistics {
    statistics.feature(name).unwrap().numeric.as_ref().unwrap()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * b.abs().max(1.0)
}

fn counts(numbers: &NumericStatistics) -> Vec<f64> {
    numbers.histogram.buckets.iter().map(|bucket| bucket.count).collect()
}

#[test]
fn few_distinct_numbers_are_what_numpy_says() {
    // numpy 2, pandas 2: v = miles.dropna(); v.mean(), v.std(), (v == 0).sum(), np.median(v), np.histogram(v, 10)[0]
    let statistics = of(&trips(), 4096, 2);
    let miles = numbers(&statistics, "miles");
    assert_eq!(statistics.feature("miles").unwrap().common.num_missing, 15_000 - 12_846);
    assert!(close(miles.mean, 36.178_937_023_197_88) && close(miles.std_dev, 33.335_990_168_631_92));
    assert_eq!((miles.num_zeros, miles.median, miles.min, miles.max), (1106, 26.25, 0.0, 144.0));
    assert_eq!((miles.distinct, miles.rank_error), (Some(559), 0.0));
    assert_eq!(counts(miles), [4439.0, 2305.0, 1699.0, 1293.0, 1027.0, 769.0, 540.0, 389.0, 275.0, 110.0]);
    let quantiles: Vec<f64> = miles.quantiles.buckets.iter().map(|bucket| bucket.high).collect();
    // np.quantile(v, [0.1, 0.2 to 1.0], method="inverted_cdf")
    assert_eq!(quantiles, [1.0, 6.0, 11.25, 18.5, 26.25, 36.25, 48.75, 64.625, 87.5, 144.0]);
}

#[test]
fn many_distinct_numbers_are_within_the_stated_error() {
    let statistics = of(&trips(), 4096, 2);
    let fare = numbers(&statistics, "fare");
    assert!(close(fare.mean, 620.164_705_333_333_4) && close(fare.std_dev, 546.625_373_167_979_8));
    assert_eq!((fare.num_zeros, fare.min, fare.max, fare.distinct), (65, 0.0, 2440.35, None));
    assert!(fare.rank_error > 0.0 && fare.rank_error < 0.005, "{}", fare.rank_error);
    // Counts are exact between the edges given, which lie within 1/400 of a bucket of numpy's.
    let batch = trips();
    let values = batch.column(0).as_any().downcast_ref::<Float64Array>().unwrap().values().to_vec();
    for (i, bucket) in fare.histogram.buckets.iter().enumerate() {
        assert!((bucket.low - 244.035 * i as f64).abs() <= 244.035 / 400.0);
        let last = i + 1 == fare.histogram.buckets.len();
        let inside = values.iter().filter(|v| **v >= bucket.low && (**v < bucket.high || last)).count();
        assert_eq!(bucket.count, inside as f64);
    }
    // The median's rank, and that of every quantile edge.
    let rank = |x: f64| values.iter().filter(|v| **v < x).count() as f64 / values.len() as f64;
    assert!((rank(fare.median) - 0.5).abs() <= fare.rank_error + 1e-4);
    for (i, bucket) in fare.quantiles.buckets.iter().enumerate().skip(1) {
        assert!((rank(bucket.low) - i as f64 / 10.0).abs() <= fare.rank_error + 1e-3, "{i}");
    }
}

#[test]
fn text_is_what_pandas_says() {
    let statistics = of(&trips(), 65_536, 1);
    let company = statistics.feature("company").unwrap();
    let text = company.string.as_ref().unwrap();
    assert_eq!((company.common.num_missing, text.unique, text.num_singletons), (1375, 88, 0));
    assert!(close(text.avg_length, 9.637_944_954_128_441));
    assert_eq!((text.min_length, text.max_length), (9, 11));
    let top: Vec<_> = text.top_values.iter().take(3).map(|v| (v.value.as_str(), v.frequency)).collect();
    assert_eq!(top, [("company 0", 4642), ("company 32", 178), ("company 54", 176)]);
    assert_eq!(text.top_values.len(), 20);
    assert_eq!(text.values.as_ref().unwrap().iter().last(), Some(("company 9", 64)));
    let ranks = text.rank_histogram(10);
    assert_eq!(ranks.iter().map(|bucket| bucket.count).sum::<f64>(), 13_625.0);
    assert_eq!((ranks[0].low_rank, ranks[9].high_rank), (0, 87));
}

#[test]
fn the_number_of_threads_changes_nothing_and_json_reads_back() {
    let batch = trips();
    let one = of(&batch, 1000, 1);
    assert_eq!(one, of(&batch, 1000, 5));
    let text = serde_json::to_string_pretty(&one).unwrap();
    assert_eq!(serde_json::from_str::<DatasetStatistics>(&text).unwrap(), one);
}

#[test]
fn ties_are_in_reverse_lexicographic_order() {
    let batch =
        RecordBatch::try_from_iter([("t", Arc::new(StringArray::from(vec!["a", "c", "b", "b", "é"])) as ArrayRef)]);
    let statistics = of(&batch.unwrap(), 10, 1);
    let text = statistics.features[0].string.as_ref().unwrap();
    let top: Vec<&str> = text.top_values.iter().map(|v| v.value.as_str()).collect();
    assert_eq!(top, ["b", "é", "c", "a"]);
    assert_eq!((text.min_length, text.max_length), (1, 1));
}

#[test]
fn nan_and_infinities_stand_apart_and_nothing_is_still_statistics() {
    let floats =
        Float64Array::from(vec![Some(1.0), Some(f64::NAN), Some(f64::INFINITY), Some(f64::NEG_INFINITY), None]);
    let empty = Float64Array::from(vec![None::<f64>; 5]);
    let flags = BooleanArray::from(vec![Some(true), Some(false), Some(true), None, None]);
    let batch = RecordBatch::try_from_iter([
        ("x", Arc::new(floats) as ArrayRef),
        ("nothing", Arc::new(empty) as ArrayRef),
        ("flag", Arc::new(flags) as ArrayRef),
    ]);
    let statistics = of(&batch.unwrap(), 2, 1);
    let x = numbers(&statistics, "x");
    assert_eq!((x.num_nan, x.num_inf, x.mean, x.min, x.max), (1, 2, 1.0, 1.0, 1.0));
    assert_eq!(statistics.features[0].common.num_non_missing, 4);
    assert_eq!(numbers(&statistics, "nothing").histogram.buckets.len(), 0);
    let flag = statistics.feature("flag").unwrap().boolean.unwrap();
    assert_eq!((flag.num_true, flag.num_false), (2, 1));
    let text = serde_json::to_string(&statistics).unwrap();
    assert_eq!(serde_json::from_str::<DatasetStatistics>(&text).unwrap(), statistics);
}

#[test]
fn more_distinct_text_than_is_counted_is_estimated_with_its_error() {
    // 30,000 values that occur once and one that makes up a quarter.
    let values: Vec<String> =
        (0..40_000).map(|i| if i % 4 == 0 { "often".to_owned() } else { format!("id {i}") }).collect();
    let batch = RecordBatch::try_from_iter([("id", Arc::new(StringArray::from(values)) as ArrayRef)]).unwrap();
    let statistics = of(&batch, 8192, 2);
    let text = statistics.features[0].string.as_ref().unwrap();
    assert!(text.unique_is_estimate && text.values.is_none());
    assert!((text.unique as f64 / 30_001.0 - 1.0).abs() < 0.05, "{}", text.unique);
    assert_eq!(text.top_values[0].value, "often");
    let frequency = text.top_values[0].frequency;
    assert!(frequency <= 10_000 && frequency + text.frequency_error >= 10_000);
}

/// What must not depend on how rows are divided: everything exact.
fn exact(feature: &FeatureStatistics) -> impl PartialEq + std::fmt::Debug {
    let numbers = feature.numeric.clone().map(|n| {
        (n.num_zeros, n.num_negative, n.num_nan, n.num_inf, n.min.to_bits(), n.max.to_bits(), n.distinct, n.histogram)
    });
    let text = feature.string.clone().map(|t| (t.unique, t.avg_length.to_bits(), t.min_length, t.max_length, t.values));
    (feature.name.clone(), feature.common, numbers, text, feature.boolean)
}

fn accumulate(batch: &RecordBatch) -> DatasetAccumulator {
    let mut accumulator = DatasetAccumulator::new(&batch.schema());
    accumulator.update(batch);
    accumulator
}

fn part() -> impl Strategy<Value = RecordBatch> {
    let row = (
        prop::option::weighted(0.9, prop_oneof![-50.0..50.0f64, Just(0.0), Just(f64::NAN), Just(f64::INFINITY)]),
        prop::option::weighted(0.9, -9i64..9),
        prop::option::weighted(0.8, "[a-cé]{0,3}"),
        prop::option::of(any::<bool>()),
    );
    prop::collection::vec(row, 0..60).prop_map(|rows| {
        RecordBatch::try_from_iter_with_nullable([
            ("f", Arc::new(rows.iter().map(|r| r.0).collect::<Float64Array>()) as ArrayRef, true),
            ("i", Arc::new(rows.iter().map(|r| r.1).collect::<Int64Array>()) as ArrayRef, true),
            ("s", Arc::new(rows.iter().map(|r| r.2.clone()).collect::<StringArray>()) as ArrayRef, true),
            ("b", Arc::new(rows.iter().map(|r| r.3).collect::<BooleanArray>()) as ArrayRef, true),
        ])
        .unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn merging_is_associative_commutative_has_an_identity_and_equals_one_pass(a in part(), b in part(), c in part()) {
        let [x, y, z] = [&a, &b, &c].map(accumulate);
        let whole = accumulate(&arrow::compute::concat_batches(&a.schema(), [&a, &b, &c]).unwrap()).finish("all");
        let merged = |parts: &[&DatasetAccumulator]| {
            let mut all = DatasetAccumulator::new(&a.schema());
            for part in parts {
                all.merge(part);
            }
            all
        };
        let yz = merged(&[&y, &z]);
        for candidate in [merged(&[&x, &y, &z]), merged(&[&x, &yz]), merged(&[&z, &y, &x])] {
            let candidate = candidate.finish("all");
            prop_assert_eq!(candidate.num_examples, whole.num_examples);
            for (got, expected) in candidate.features.iter().zip(&whole.features) {
                prop_assert_eq!(format!("{:?}", exact(got)), format!("{:?}", exact(expected)));
                if let (Some(got), Some(expected)) = (&got.numeric, &expected.numeric) {
                    prop_assert!(close(got.mean, expected.mean) && close(got.std_dev, expected.std_dev));
                    prop_assert_eq!(got.median, expected.median);
                    prop_assert_eq!(&got.quantiles, &expected.quantiles);
                }
            }
        }
    }
}

#[test]
fn merging_sketches_stays_within_the_error_they_state() {
    let batch = trips();
    let mut merged = DatasetAccumulator::new(&batch.schema());
    for part in slices(&batch, 5500) {
        merged.merge(&accumulate(&part));
    }
    let (merged, whole) = (merged.finish("trips"), of(&batch, 65_536, 1));
    let (got, expected) = (numbers(&merged, "fare"), numbers(&whole, "fare"));
    assert_eq!(got.histogram, expected.histogram);
    assert!(got.rank_error < 0.01);
    let values = batch.column(0).as_any().downcast_ref::<Float64Array>().unwrap().values().to_vec();
    let rank = values.iter().filter(|v| **v < got.median).count() as f64 / values.len() as f64;
    assert!((rank - 0.5).abs() <= got.rank_error + 1e-4);
}

#[test]
fn a_sample_is_within_binomial_bounds_and_the_same_for_any_batches() {
    let batch = trips();
    let sampled = |rows: usize, slices: Vec<Vec<String>>| {
        let options = StatisticsOptions { sample_rate: Some(0.1), slices, ..StatisticsOptions::default() };
        let computation =
            Computation { options: &options, progress: &NoProgress, threads: 2, cancel: &CancelFlag::default() };
        let open = |_: Option<&[String]>| {
            Ok(BatchReader::new(batch.schema(), super::statistics::slices(&batch, rows).into_iter().map(Ok)))
        };
        computation.run(&open, "trips").unwrap()
    };
    let one = sampled(15_000, Vec::new());
    // 15,000 draws with a chance of a tenth: 1,500 with a deviation of 36.7.
    assert!(one.num_examples.abs_diff(1500) < 150, "{}", one.num_examples);
    assert_eq!(one.sample_rate, Some(0.1));
    assert!((numbers(&one, "fare").mean / numbers(&of(&batch, 15_000, 1), "fare").mean - 1.0).abs() < 0.1);
    assert_eq!(sampled(700, Vec::new()), one);
    let sliced = sampled(700, vec![vec!["company".to_owned()]]);
    let rows: u64 = sliced.slices[0].slices.iter().map(|slice| slice.statistics.num_examples).sum();
    assert!(rows <= one.num_examples && rows > one.num_examples / 4, "slices are of the rows drawn: {rows}");
}
