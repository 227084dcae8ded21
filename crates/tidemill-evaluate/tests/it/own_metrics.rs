//! Metrics that a file defines, computed by hand beside them, and what they are told if they cannot be.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use serde_json::{Value, json};
use tidemill_core::{Coded, Component};
use tidemill_evaluate::metrics::OwnMetric;
use tidemill_evaluate::slices::SliceSpec;
use tidemill_evaluate::{
    EvaluateError, EvaluateOptions, Evaluation, EvaluationTable, Evaluator, Metric, PredictionColumns, Series,
    TableColumns, evaluate, needs,
};

const LABEL: [f64; 6] = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0];
const SCORE: [f64; 6] = [0.9, 0.8, 0.4, 0.1, 0.7, 0.2];
const FARE: [f64; 6] = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0];

fn own(definitions: &Value) -> Vec<Metric> {
    let definitions: Vec<OwnMetric> = serde_json::from_value(definitions.clone()).unwrap();
    definitions.iter().map(Metric::own).collect()
}

fn judge(metrics: Vec<Metric>, series: Option<Series>, label: &[f64]) -> Result<Evaluation, EvaluateError> {
    let column = |values: &[f64]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
    let batch = RecordBatch::try_from_iter([
        ("label", column(label)),
        ("score", column(&SCORE)),
        ("fare", column(&FARE)),
        ("shop", Arc::new(StringArray::from(vec!["a", "b", "a", "b", "a", "b"])) as ArrayRef),
        ("day", Arc::new(StringArray::from(vec!["03", "01", "01", "02", "02", "03"])) as ArrayRef),
    ])
    .unwrap();
    let (kept, mut slices) = needs(&metrics, series.as_ref());
    if !slices.contains(&"shop".to_owned()) {
        slices.push("shop".to_owned());
    }
    let columns = PredictionColumns {
        label: "label".into(),
        prediction: "score".into(),
        keep: TableColumns { kept, slices, ..TableColumns::default() },
        ..PredictionColumns::default()
    };
    let table = EvaluationTable::from_batches("p.csv", &batch.schema(), [Ok(batch)], &columns)?;
    let slices = vec![SliceSpec::over(["shop"])];
    evaluate(&table, &EvaluateOptions { metrics, series, slices, ..EvaluateOptions::default() })
}

fn value(evaluation: &Evaluation, name: &str) -> Option<f64> {
    let found = evaluation.overall().unwrap().metrics.iter().find(|(metric, _)| metric.name() == name);
    found.unwrap_or_else(|| panic!("`{name}` was not computed")).1
}

#[test]
fn sums_costs_and_formulas_are_those_computed_by_hand() {
    let metrics = own(&json!([
        { "name": "profit", "mean": "case when predicted = 1 then label * fare - 5 else 0 end" },
        { "name": "lost", "sum": "case when predicted = 0 and label = 1 then fare end" },
        { "name": "found", "sum": "predicted * label * fare", "over": "label * fare" },
        { "name": "cost", "costs": { "false_positive": 2, "false_negative": 9, "true_positive": -1 } },
        { "name": "balance", "formula": "2 * recall - \"recall@0.3\" + found" },
    ]));
    let evaluation = judge(metrics.clone(), None, &LABEL).unwrap();
    // Called positive: rows 1, 2 and 5.
    let close = |name: &str, expected: f64| {
        let got = value(&evaluation, name).unwrap();
        assert!((got - expected).abs() < 1e-12, "{name} is {got}, not {expected}");
    };
    close("profit", (5.0 - 5.0 + 45.0) / 6.0);
    close("lost", 30.0);
    close("found", 60.0 / 90.0);
    close("cost", (-1.0 + 2.0 + 9.0 - 1.0) / 6.0);
    close("balance", 2.0 * 2.0 / 3.0 - 1.0 + 60.0 / 90.0);
    let shop_b = &evaluation.slices[2];
    assert_eq!(shop_b.metrics.get(metrics[3]), Some(2.0 / 3.0));
    assert!(evaluation.overall().unwrap().intervals.as_ref().unwrap().contains_key(&metrics[0]));

    // The definitions travel with the file.
    let dir = tempfile::tempdir().unwrap();
    evaluation.write(dir.path()).unwrap();
    let read = Evaluation::read(dir.path()).unwrap();
    assert_eq!(read, evaluation);
    let (metric, _) = read.overall().unwrap().metrics.iter().find(|(metric, _)| metric.name() == "cost").unwrap();
    assert_eq!(metric.about(), "Mean cost of a row.");
}

/// The naive forecast of a row is the label of the day before in the same shop.
#[test]
fn a_scaled_error_is_beside_that_of_the_naive_forecast() {
    let series =
        |by: &[&str]| Series { time: "day".into(), by: by.iter().map(|&name| name.to_owned()).collect(), season: 1 };
    let label = [10.0, 20.0, 30.0, 25.0, 50.0, 60.0];
    let evaluation = judge(vec![Metric::Mase], Some(series(&["shop"])), &label).unwrap();
    // Shop a by day: 30, 50, 10; shop b: 20, 25, 60. Rows with a naive forecast: 5, 1, 4, 6.
    let naive = 20.0 + 40.0 + 5.0 + 35.0;
    let error = (0.7 - 50.0_f64).abs() + (0.9 - 10.0_f64).abs() + (0.1 - 25.0_f64).abs() + (0.2 - 60.0_f64).abs();
    let got = value(&evaluation, "mase").unwrap();
    assert!((got - error / naive).abs() < 1e-12, "{got}");
    let error = judge(vec![Metric::Mase], None, &label).unwrap_err();
    assert!(error.to_string().contains("needs `series`"), "{error}");
}

#[test]
fn what_cannot_be_computed_says_why() {
    let says = |definition: Value| judge(own(&json!([definition])), None, &LABEL).unwrap_err().to_string();
    assert_eq!(
        says(json!({ "name": "x", "mean": "shop" })),
        "metric `x` is of type Utf8, and a metric adds up numbers; write `case when … then 1 else 0 end`"
    );
    assert_eq!(
        says(json!({ "name": "x", "mean": "fair * 2" })),
        "`metrics` names the column `fair`, which does not exist"
    );
    assert!(
        says(json!({ "name": "x", "costs": { "a": { "b": 1 } } })).contains("`x` is not a metric of a binary model")
    );
    let unknown = judge(vec!["recall[a]".parse().unwrap()], None, &LABEL).unwrap_err();
    assert!(unknown.to_string().contains("`recall[a]` is not a metric of a binary model"), "{unknown}");
    assert!(unknown.hint().unwrap().contains("auc, "));
}

#[test]
fn parameters_are_checked_before_a_run() {
    let issues = |params: Value| -> Vec<String> {
        let found = Evaluator.check(&params).into_iter();
        found.map(|issue| format!("{}: {}", issue.path.join("."), issue.message)).collect()
    };
    assert_eq!(
        issues(
            json!({ "metrics": ["recall@0.3", "all", { "name": "profit", "mean": "fare" }], "thresholds": { "profit": ">= 1" } })
        ),
        [""; 0]
    );
    assert_eq!(
        issues(json!({ "metrics": ["recal@0.3", { "name": "profit" }], "thresholds": { "gain": ">= 1" } })),
        [
            "metrics.0: `recal@0.3`: `recal` is not a metric",
            "metrics.1: it is not said how it is computed, or in several ways",
            "thresholds.gain: `gain` is not a metric"
        ]
    );
    assert_eq!(
        issues(
            json!({ "confidence_intervals": false, "thresholds": { "auc": { "at_least": 0.8, "interval": true } } })
        ),
        ["confidence_intervals: a threshold asks for the interval, and there are none"]
    );
    assert_eq!(
        issues(json!({ "series": { "time": "day", "season": 0 } })),
        ["series.season: a season has 1 row at least"]
    );
}
