//! Metrics on request against scikit-learn, fairlearn and `SciPy` on the rows of `scikit_learn.rs`. `tests/record/metrics.py`
//! makes the numbers.

use tidemill_evaluate::metrics::{MetricPlan, Ordered, metrics_with};
use tidemill_evaluate::slices::{KeyColumn, SliceValue};
use tidemill_evaluate::{EvaluateOptions, Evaluation, EvaluationTable, IntervalSource, Metric, evaluate};
use tidemill_model::{LabelSet, Task};

use crate::recorded::{
    BINARY_REQUESTED, BINARY_REQUESTED_WEIGHTED, CALIBRATION, CLASSES_REQUESTED, CLASSES_REQUESTED_WEIGHTED, DELONG,
    FAIRNESS, FAIRNESS_WEIGHTED, LABELS_REQUESTED, LABELS_REQUESTED_WEIGHTED, POSITIVE_REQUESTED,
    POSITIVE_REQUESTED_WEIGHTED, QUANTILES_REQUESTED, RANKING_REQUESTED, REGRESSION_REQUESTED,
    REGRESSION_REQUESTED_WEIGHTED,
};
use crate::scikit_learn::{data, lcg, three_classes};

fn agree(task: &Task, rows: &Ordered, expected: &[(&str, f64)]) {
    let asked = expected.iter().map(|(name, _)| name.parse::<Metric>().unwrap());
    let metrics = metrics_with(task, rows, &MetricPlan::at(0.5).with(task, asked));
    for (name, expected) in expected {
        let got = metrics.get(name.parse().unwrap()).unwrap_or(f64::NAN);
        assert!((got - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{name} is {got}, not {expected}");
    }
}

#[test]
fn binary_labels() {
    let data = data();
    agree(&Task::Binary, &Ordered::new(&data.distinct, &data.label, None), BINARY_REQUESTED);
    agree(&Task::Binary, &Ordered::new(&data.distinct, &data.label, None), CALIBRATION);
    let weighted = Ordered::new(&data.tied, &data.label, Some(&data.weight));
    agree(&Task::Binary, &weighted, BINARY_REQUESTED_WEIGHTED);
}

#[test]
fn several_classes() {
    let (columns, labels, weights) = three_classes();
    let task = Task::MultiClass { classes: ["a", "b", "c"].map(str::to_owned).to_vec() };
    agree(&task, &Ordered::for_classes(&columns, &labels, None), CLASSES_REQUESTED);
    agree(&task, &Ordered::for_classes(&columns, &labels, Some(&weights)), CLASSES_REQUESTED_WEIGHTED);
}

#[test]
fn several_labels() {
    let [a, b, c, d, e] = [lcg(1), lcg(2), lcg(3), lcg(5), lcg(6)];
    let set = |row: usize| -> LabelSet {
        [d[row] < a[row], e[row] < b[row], d[row].midpoint(e[row]) < c[row]].into_iter().collect()
    };
    let labels: Vec<f64> = (0..1_000).map(|row| set(row).value()).collect();
    let task = Task::MultiLabel { labels: ["a", "b", "c"].map(str::to_owned).to_vec() };
    let columns = [a, b, c];
    agree(&task, &Ordered::for_labels(&columns, &labels, None), LABELS_REQUESTED);
    agree(&task, &Ordered::for_labels(&columns, &labels, Some(&lcg(4))), LABELS_REQUESTED_WEIGHTED);
}

#[test]
fn values() {
    let data = data();
    let moved = |values: &[f64]| values.iter().map(|value| value + 25.0).collect::<Vec<_>>();
    let (label, predicted) = (moved(&data.value), moved(&data.predicted_value));
    for (weights, any, positive) in [
        (None, REGRESSION_REQUESTED, POSITIVE_REQUESTED),
        (Some(data.weight.as_slice()), REGRESSION_REQUESTED_WEIGHTED, POSITIVE_REQUESTED_WEIGHTED),
    ] {
        agree(&Task::Regression, &Ordered::new(&data.predicted_value, &data.value, weights), any);
        agree(&Task::Regression, &Ordered::new(&predicted, &label, weights), positive);
    }
    let plan = MetricPlan::at(0.5).with(&Task::Regression, [Metric::PoissonDeviance, Metric::Msle]);
    let negative = metrics_with(Task::Regression, &Ordered::new(&[1.0, 2.0], &[-3.0, 1.0], None), &plan);
    assert_eq!((negative.get(Metric::PoissonDeviance), negative.get(Metric::Msle)), (None, None));
}

#[test]
fn quantiles() {
    let [a, b, c] = [lcg(1), lcg(2), lcg(3)];
    let labels: Vec<f64> = a.iter().zip(&b).map(|(a, b)| 100.0 * a + 10.0 * b - 20.0).collect();
    let mut columns = vec![Vec::new(); 3];
    for (a, c) in a.iter().zip(&c) {
        let mut row = [95.0 * a - 8.0, 95.0 * a + 5.0 * c - 12.0 + 3.0, 95.0 * a + 10.0];
        row.sort_by(f64::total_cmp);
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    let task = Task::Quantiles { levels: ["0.1", "0.5", "0.9"].map(str::to_owned).to_vec() };
    agree(&task, &Ordered::for_quantiles(&columns, &[0.1, 0.5, 0.9], &labels, None), QUANTILES_REQUESTED);
}

#[test]
fn rankings() {
    let [a, d, e] = [lcg(1), lcg(5), lcg(6)];
    let relevance: Vec<f64> = d.iter().map(|d| (4.0 * d * d * 1.2).floor().clamp(0.0, 3.0)).collect();
    let scores: Vec<f64> = (0..1_000).map(|row| 0.6 * a[row] + 0.1 * relevance[row] / 3.0 + 0.05 * e[row]).collect();
    let queries: Vec<u32> = (0..1_000).map(|row| row % 100).collect();
    let rows = Ordered::new(&scores, &relevance, None).with_groups(&queries);
    agree(&Task::Ranking { group: "query".to_owned() }, &rows, RANKING_REQUESTED);
}

/// The rows in three groups, by their number.
fn in_groups(scores: &[f64], weights: Option<Vec<f64>>, metrics: Vec<Metric>) -> Evaluation {
    let data = data();
    let mut table = EvaluationTable::new(Task::Binary, "eval", data.label, scores.to_vec());
    table.weights = weights.map(|weights| ("w".to_owned(), weights));
    table.columns = vec![KeyColumn {
        name: "g".into(),
        values: (0..3).map(SliceValue::Int).collect(),
        codes: (0..1_000).map(|row| row % 3).collect(),
    }];
    evaluate(&table, &EvaluateOptions { metrics, ..EvaluateOptions::default() }).unwrap()
}

#[test]
fn gaps_between_groups() {
    let data = data();
    for (scores, weights, expected) in
        [(&data.distinct, None, FAIRNESS), (&data.tied, Some(data.weight.clone()), FAIRNESS_WEIGHTED)]
    {
        let asked: Vec<Metric> = expected.iter().map(|(name, _)| name.parse().unwrap()).collect();
        let evaluation = in_groups(scores, weights, asked.clone());
        let overall = evaluation.overall().unwrap();
        for ((name, expected), metric) in expected.iter().zip(asked) {
            let got = overall.metrics.get(metric).unwrap();
            assert!((got - expected).abs() < 1e-9, "{name} is {got}, not {expected}");
            let interval = overall.intervals.as_ref().unwrap()[&metric];
            assert!(interval.low <= got && got <= interval.high, "{name}: {interval:?}");
        }
    }
}

#[test]
fn the_interval_of_an_area_is_delongs() {
    let data = data();
    let mut table = EvaluationTable::new(Task::Binary, "eval", data.label, data.distinct);
    table.baseline = Some(data.tied);
    let evaluation = evaluate(&table, &EvaluateOptions::default()).unwrap();
    let overall = evaluation.overall().unwrap();
    let (own, change) = (overall.intervals.as_ref().unwrap(), overall.change_intervals.as_ref().unwrap());
    let (own, change) = (own[&Metric::Auc], change[&Metric::Auc]);
    for (got, expected) in [own.low, own.high, change.low, change.high].into_iter().zip(DELONG) {
        assert!((got - expected).abs() < 1e-9, "{got}, not {expected}");
    }
    assert_eq!((own.source, change.source), (IntervalSource::Delong, IntervalSource::Delong));
    let accuracy = overall.intervals.as_ref().unwrap()[&Metric::Accuracy];
    assert_eq!(accuracy.source, IntervalSource::Wilson);
}
