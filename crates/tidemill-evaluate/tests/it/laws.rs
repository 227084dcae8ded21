//! Laws that metrics and slices obey on any rows.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tidemill_evaluate::metrics::{
    Accumulator, BinarySums, MetricPlan, Ordered, RegressionSums, Row, metrics_of, metrics_with,
};
use tidemill_evaluate::slices::{KeyColumn, SliceSpec, SliceValue};
use tidemill_evaluate::{EvaluateOptions, EvaluationTable, Metric, Metrics, evaluate};
use tidemill_model::Task;

/// Rows with scores on a coarse grid, so that many tie.
fn binary_rows() -> impl Strategy<Value = Vec<(f64, f64)>> {
    prop::collection::vec((0_u8..=20, prop::bool::ANY), 1..200)
        .prop_map(|rows| rows.into_iter().map(|(s, l)| (f64::from(s) / 20.0, f64::from(u8::from(l)))).collect())
}

fn value_rows() -> impl Strategy<Value = Vec<(f64, f64)>> {
    prop::collection::vec((-1e6..1e6_f64, -1e6..1e6_f64), 1..200)
}

fn metrics(task: Task, rows: &[(f64, f64)]) -> Metrics {
    let (scores, labels): (Vec<f64>, Vec<f64>) = rows.iter().copied().unzip();
    metrics_of(task, &Ordered::new(&scores, &labels, None), 0.5)
}

fn sum<A: Accumulator>(mut empty: A, rows: &[(f64, f64)]) -> A {
    for &(score, label) in rows {
        empty.add(Row { score, label, weight: 1.0 });
    }
    empty
}

fn assert_close(a: &Metrics, b: &Metrics) {
    for (metric, value) in a.iter() {
        match (value, b.get(metric)) {
            (Some(x), Some(y)) => {
                assert!((x - y).abs() <= 1e-9 * x.abs().max(y.abs()).max(1.0), "{metric}: {x} and {y}");
            }
            (x, y) => assert_eq!(x, y, "{metric}"),
        }
    }
}

/// AUC by its definition: every pair of a positive and a negative row.
fn auc_by_pairs(rows: &[(f64, f64)]) -> Option<f64> {
    let (mut won, mut pairs) = (0.0, 0.0);
    for positive in rows.iter().filter(|row| row.1 == 1.0) {
        for negative in rows.iter().filter(|row| row.1 == 0.0) {
            pairs += 1.0;
            won += if positive.0 > negative.0 {
                1.0
            } else if positive.0 == negative.0 {
                0.5
            } else {
                0.0
            };
        }
    }
    (pairs > 0.0).then(|| won / pairs)
}

proptest! {
    #[test]
    fn the_order_of_rows_does_not_change_a_bit(
        (rows, shuffled) in binary_rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
    ) {
        prop_assert_eq!(metrics(Task::Binary, &rows), metrics(Task::Binary, &shuffled));
    }

    #[test]
    fn nor_for_values(
        (rows, shuffled) in value_rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
    ) {
        prop_assert_eq!(metrics(Task::Regression, &rows), metrics(Task::Regression, &shuffled));
    }

    #[test]
    fn auc_is_the_share_of_pairs_in_order(rows in binary_rows()) {
        let auc = metrics(Task::Binary, &rows).get(Metric::Auc);
        match (auc, auc_by_pairs(&rows)) {
            (Some(auc), Some(expected)) => prop_assert!((auc - expected).abs() < 1e-12, "{} {}", auc, expected),
            (auc, expected) => prop_assert_eq!(auc, expected),
        }
    }

    #[test]
    fn auc_turns_over_with_labels_or_scores(rows in binary_rows()) {
        let auc = |rows: &[(f64, f64)]| metrics(Task::Binary, rows).get(Metric::Auc);
        let labels: Vec<_> = rows.iter().map(|(score, label)| (*score, 1.0 - label)).collect();
        let scores: Vec<_> = rows.iter().map(|(score, label)| ((20.0 - (score * 20.0).round()) / 20.0, *label)).collect();
        match (auc(&rows), auc(&labels), auc(&scores)) {
            (Some(auc), Some(labels), Some(scores)) => {
                prop_assert!((auc + labels - 1.0).abs() < 1e-12);
                prop_assert!((auc + scores - 1.0).abs() < 1e-12);
            }
            (auc, labels, scores) => prop_assert!(auc.is_none() && labels.is_none() && scores.is_none()),
        }
    }

    #[test]
    fn sums_of_parts_merge_to_the_whole(rows in binary_rows(), at in 0.0..1.0_f64) {
        let (left, right) = rows.split_at((at * rows.len() as f64) as usize);
        let mut merged = sum(BinarySums::new(0.5), left);
        merged.merge(sum(BinarySums::new(0.5), right));
        let (mut a, mut b) = (Metrics::default(), Metrics::default());
        sum(BinarySums::new(0.5), &rows).write(&mut a);
        merged.write(&mut b);
        assert_close(&a, &b);
    }

    #[test]
    fn sums_of_values_merge_to_the_whole(rows in value_rows(), at in 0.0..1.0_f64) {
        let (left, right) = rows.split_at((at * rows.len() as f64) as usize);
        let mut merged = sum(RegressionSums::default(), left);
        merged.merge(sum(RegressionSums::default(), right));
        let (mut a, mut b) = (Metrics::default(), Metrics::default());
        sum(RegressionSums::default(), &rows).write(&mut a);
        merged.write(&mut b);
        assert_close(&a, &b);
    }

    #[test]
    fn a_weight_of_two_is_a_row_twice(rows in binary_rows(), doubled in prop::collection::vec(prop::bool::ANY, 200)) {
        let (scores, labels): (Vec<f64>, Vec<f64>) = rows.iter().copied().unzip();
        let weights: Vec<f64> = doubled.iter().take(rows.len()).map(|d| if *d { 2.0 } else { 1.0 }).collect();
        let weighted = metrics_of(Task::Binary, &Ordered::new(&scores, &labels, Some(&weights)), 0.5);
        let repeated: Vec<(f64, f64)> =
            rows.iter().zip(&doubled).flat_map(|(row, d)| std::iter::repeat_n(*row, if *d { 2 } else { 1 })).collect();
        let mut expected = metrics(Task::Binary, &repeated);
        expected.set(Metric::Count, Some(rows.len() as f64));
        assert_close(&weighted, &expected);
    }

    #[test]
    fn slices_of_a_family_hold_every_row_once(
        rows in prop::collection::vec((0_u8..=20, prop::bool::ANY, 0_u32..5, 0_u32..4), 2..300)
    ) {
        let label: Vec<f64> = rows.iter().map(|row| f64::from(u8::from(row.1))).collect();
        prop_assume!(label.contains(&0.0) && label.contains(&1.0));
        let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0) / 20.0).collect();
        let column = |name: &str, width: i64, codes: Vec<u32>| KeyColumn {
            name: name.into(),
            values: (0..width).map(SliceValue::Int).collect(),
            codes,
        };
        let mut table = EvaluationTable::new(Task::Binary, "eval", label.clone(), scores.clone());
        table.baseline = Some(scores.iter().map(|score| 1.0 - score).collect());
        table.columns = vec![
            column("a", 5, rows.iter().map(|row| row.2).collect()),
            column("b", 4, rows.iter().map(|row| row.3).collect()),
        ];
        let options = EvaluateOptions {
            slices: vec![SliceSpec::default(), SliceSpec::over(["a"]), SliceSpec::over(["a", "b"])],
            confidence_intervals: None,
            ..EvaluateOptions::default()
        };
        let evaluation = evaluate(&table, &options).unwrap();
        let mut counts: BTreeMap<usize, u64> = BTreeMap::new();
        for slice in &evaluation.slices {
            *counts.entry(slice.slice.terms().len()).or_default() += slice.rows;
            // Each slice has the metrics of its rows, taken out of the table one by one.
            let members: Vec<(f64, f64)> = (0..rows.len())
                .filter(|row| slice.slice.terms().iter().all(|term| {
                    let code = if term.column == "a" { rows[*row].2 } else { rows[*row].3 };
                    term.value == SliceValue::Int(i64::from(code))
                }))
                .map(|row| (scores[row], label[row]))
                .collect();
            prop_assert_eq!(&slice.metrics, &metrics(Task::Binary, &members));
            let flipped: Vec<(f64, f64)> = members.iter().map(|(score, label)| (1.0 - score, *label)).collect();
            prop_assert_eq!(slice.baseline.as_ref(), Some(&metrics(Task::Binary, &flipped)));
        }
        prop_assert!(counts.values().all(|count| *count == rows.len() as u64), "{:?}", counts);
        // A floor hides the small ones and says how many.
        let floor = evaluate(&table, &EvaluateOptions { min_slice_size: 10, ..options }).unwrap();
        prop_assert_eq!(
            floor.slices.len() as u64 + floor.dropped.slices,
            evaluation.slices.len() as u64
        );
        prop_assert!(floor.slices.iter().all(|slice| slice.slice.is_overall() || slice.rows >= 10));
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let mut state = 7_u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let scores: Vec<f64> = (0..200_000).map(|_| draw()).collect();
    let labels: Vec<f64> = scores.iter().map(|score| f64::from(u8::from(draw() < *score))).collect();
    let mut table = EvaluationTable::new(Task::Binary, "eval", labels, scores);
    let codes = (0..200_000).map(|_| (draw() * 24.0) as u32).collect();
    table.columns = vec![KeyColumn { name: "hour".into(), values: (0..24).map(SliceValue::Int).collect(), codes }];
    let options = EvaluateOptions {
        slices: vec![SliceSpec::over(["hour"])],
        confidence_intervals: Some(tidemill_evaluate::IntervalOptions { replicas: 3, ..Default::default() }),
        ..EvaluateOptions::default()
    };
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        serde_json::to_string(&pool.install(|| evaluate(&table, &options)).unwrap()).unwrap()
    };
    assert_eq!(on(1), on(4));
}

#[test]
fn one_class_leaves_rank_metrics_undefined_and_never_nan() {
    let found = metrics(Task::Binary, &[(0.2, 1.0), (0.9, 1.0)]);
    assert_eq!(found.get(Metric::Auc), None);
    assert_eq!(found.get(Metric::PrAuc), None);
    assert_eq!(found.get(Metric::FalsePositiveRate), None);
    assert_eq!(found.get(Metric::Recall), Some(0.5));
    assert_eq!(found.get(Metric::Mcc), None);
    let none_positive = metrics(Task::Binary, &[(0.2, 0.0), (0.3, 0.0)]);
    assert_eq!(none_positive.get(Metric::Precision), None);
    assert_eq!(none_positive.get(Metric::F1), None);
    assert_eq!(none_positive.get(Metric::Calibration), None);
    assert!(serde_json::to_string(&none_positive).unwrap().contains(r#""auc":null"#));
    let constant = metrics(Task::Regression, &[(0.5, 3.0), (1.0, 3.0)]);
    assert_eq!(constant.get(Metric::R2), None);
}

#[test]
fn matthews_correlation_is_one_where_all_calls_are_right_and_turns_over_with_the_labels() {
    let right = [(0.9, 1.0), (0.8, 1.0), (0.1, 0.0)];
    let wrong = right.map(|(score, label)| (score, 1.0 - label));
    for (rows, expected) in [(right, 1.0), (wrong, -1.0)] {
        let found = metrics(Task::Binary, &rows).get(Metric::Mcc).unwrap();
        assert!((found - expected).abs() < 1e-15, "{found}");
    }
}

#[test]
fn every_metric_of_a_task_is_computed() {
    let columns = [vec![0.7, 0.2], vec![0.3, 0.8]];
    let classes = Task::MultiClass { classes: ["a", "b"].map(str::to_owned).to_vec() };
    let rows = Ordered::new(&[0.9, 0.1], &[1.0, 0.0], None);
    let of_classes = Ordered::for_classes(&columns, &[0.0, 1.0], None);
    let of_labels = Ordered::for_labels(&columns, &[3.0, 1.0], None);
    let labels = Task::MultiLabel { labels: ["a", "b"].map(str::to_owned).to_vec() };
    let levels = Task::Quantiles { levels: ["0.1", "0.9"].map(str::to_owned).to_vec() };
    let of_levels = Ordered::for_quantiles(&columns, &[0.1, 0.9], &[0.4, 0.1], None);
    let of_queries = rows.clone().with_groups(&[0, 0]);
    let ranking = Task::Ranking { group: "query".to_owned() };
    // Only several quantiles have a loss for each, and what lies between them.
    let of_several = [Metric::PinballLoss, Metric::Coverage, Metric::IntervalWidth];
    for (task, rows) in [
        (Task::Binary, &rows),
        (Task::Regression, &rows),
        (classes, &of_classes),
        (labels, &of_labels),
        (levels, &of_levels),
        (ranking, &of_queries),
    ] {
        let computed: Vec<Metric> = metrics_of(&task, rows, 0.5).iter().map(|(metric, _)| metric).collect();
        let is_plain = task == Task::Regression;
        let expected: Vec<Metric> =
            Metric::of(&task).filter(|metric| !(is_plain && of_several.contains(metric))).collect();
        let always: Vec<Metric> = expected.iter().copied().filter(|metric| !metric.is_on_request()).collect();
        assert_eq!(computed, always);
        // The scaled error needs a series.
        let on_request = Metric::of(&task).filter(|metric| metric.is_on_request() && *metric != Metric::Mase);
        let plan = MetricPlan::at(0.5).with(&task, on_request);
        let computed: Vec<Metric> = metrics_with(&task, rows, &plan).iter().map(|(metric, _)| metric).collect();
        assert_eq!(computed, expected.into_iter().filter(|metric| *metric != Metric::Mase).collect::<Vec<_>>());
    }
}

#[test]
fn the_reference_defines_every_metric() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let page = std::fs::read_to_string(page).unwrap();
    let defined: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next()).collect();
    for metric in Metric::ALL {
        let name = format!("`{metric}`");
        assert!(
            defined.iter().any(|names| format!("`{names}").contains(&name)),
            "docs/metrics.md does not define {name}"
        );
    }
}

/// Three queries, tied scores among them; the order of the rows and the numbers of the queries leave no trace.
#[test]
fn the_order_of_the_rows_of_queries_changes_no_bit() {
    let rows: Vec<(f64, f64, u32)> =
        (0..60).map(|row: u32| (f64::from(row * 7 % 11) / 10.0, f64::from(row * 5 % 4), row % 7)).collect();
    let of = |rows: &[(f64, f64, u32)], rename: &dyn Fn(u32) -> u32| {
        let scores: Vec<f64> = rows.iter().map(|row| row.0).collect();
        let labels: Vec<f64> = rows.iter().map(|row| row.1).collect();
        let groups: Vec<u32> = rows.iter().map(|row| rename(row.2)).collect();
        metrics_of(tidemill_model::TaskKind::Ranking, &Ordered::new(&scores, &labels, None).with_groups(&groups), 0.5)
    };
    let mut turned = rows.clone();
    turned.reverse();
    assert_eq!(of(&rows, &|group| group), of(&turned, &|group| 6 - group));
}
