//! The page of an evaluation: offline, escaped, bounded, complete.

use crate::common::{evaluation, table};
use tidemill_core::markup::About;
use tidemill_evaluate::slices::{KeyColumn, SliceSpec, SliceValue};
use tidemill_evaluate::{
    EvaluateOptions, EvaluationTable, Metric, Thresholds, check_thresholds, evaluate, render_evaluation_report,
};
use tidemill_model::Task;

/// What the page would load: nothing but the name of the SVG language may look like an address.
fn addresses(page: &str) -> usize {
    let page = page.replace("http://www.w3.org/2000/svg", "");
    ["http://", "https://", "src=", "@import", "url(", "<link"].iter().filter(|sign| page.contains(**sign)).count()
}

/// The page's data, as its script reads it.
fn data(page: &str) -> serde_json::Value {
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn the_page_needs_no_network_and_is_the_same_every_time() {
    for task in [Task::Binary, Task::Regression] {
        let evaluation = evaluation(task, 2_000);
        let page = render_evaluation_report(&evaluation, None, None);
        assert_eq!(addresses(&page), 0);
        assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
        assert!(!page.contains("{{"), "every place is filled");
        assert_eq!(page, render_evaluation_report(&evaluation, None, None));
        assert_eq!(data(&page)["slices"].as_array().map(Vec::len), Some(3));
    }
}

#[test]
fn the_threshold_starts_where_the_model_was_judged() {
    for decision_threshold in [0.5, 0.3, 0.987_654_321] {
        let options = EvaluateOptions { decision_threshold, ..EvaluateOptions::default() };
        let evaluation = evaluate(&table(Task::Binary, 2_000), &options).unwrap();
        let metrics = &evaluation.overall().unwrap().metrics;
        let data = data(&render_evaluation_report(&evaluation, None, None));
        assert_eq!(data["decision"], decision_threshold);
        let same = [
            ("tpr", Metric::Recall),
            ("fpr", Metric::FalsePositiveRate),
            ("precision", Metric::Precision),
            ("f1", Metric::F1),
            ("accuracy", Metric::Accuracy),
            ("positive_rate", Metric::PositiveRate),
        ];
        for (key, metric) in same {
            assert_eq!(data["judged"][key].as_f64(), metrics.get(metric), "{key} at {decision_threshold}");
        }
    }
    let regression = render_evaluation_report(&evaluation(Task::Regression, 2_000), None, None);
    assert!(data(&regression).get("judged").is_none());
}

#[test]
fn the_heading_says_what_the_evaluation_is_of() {
    let about = About { title: "taxi, run 12ab".into(), ..About::default() }.with("Model", "<tips> version 3");
    let page = render_evaluation_report(&evaluation(Task::Binary, 500), None, Some(&about));
    assert!(page.contains("<dt>Model</dt><dd>&lt;tips&gt; version 3</dd>"));
    assert!(page.contains(" – taxi, run 12ab</title>"));
}

#[test]
fn a_value_of_the_data_cannot_become_part_of_the_page() {
    let evil = "</script><script>alert(1)</script><img onerror='x' \"&";
    let mut table = table(Task::Binary, 2_000);
    table.label = evil.into();
    table.columns[0].values[0] = SliceValue::Text(evil.into());
    let options = EvaluateOptions { slices: vec![SliceSpec::over(["group"])], ..EvaluateOptions::default() };
    let evaluation = evaluate(&table, &options).unwrap();
    let thresholds = Thresholds::parse(["auc>=0.9999"]).unwrap();
    let blessing = check_thresholds(&evaluation, &thresholds).unwrap();
    let page = render_evaluation_report(&evaluation, Some(&blessing), None);
    assert!(!page.contains("<script>alert") && !page.contains("<img"), "markup went through");
    assert_eq!(page.matches("<script").count(), 2);
    // And yet it is shown as it is.
    let name = data(&page)["slices"][0]["n"].as_str().unwrap().to_owned();
    assert_eq!(name, format!("group={evil}"));
}

#[test]
fn the_verdict_comes_with_its_reasons_and_bounds_that_fail_go_first() {
    let evaluation = evaluation(Task::Binary, 2_000);
    let of = |lines: &[&str]| check_thresholds(&evaluation, &Thresholds::parse(lines).unwrap()).unwrap();
    let page = render_evaluation_report(&evaluation, Some(&of(&["auc>=0.1", "log_loss<=0.01"])), None);
    assert!(page.contains("Not blessed") && page.contains("log_loss is "), "the reason is given");
    let bounds = page.split("id=\"bounds\"").nth(1).unwrap();
    assert!(bounds.find("≤ 0.01").unwrap() < bounds.find("≥ 0.1").unwrap());
    let page = render_evaluation_report(&evaluation, Some(&of(&["auc>=0.1"])), None);
    assert!(page.contains("<b>Blessed</b>") && !page.contains("Not blessed"));
    let page = render_evaluation_report(&evaluation, Some(&of(&[])), None);
    assert!(page.contains("Unchecked") && !page.contains("id=\"bounds\""));
}

#[test]
fn a_change_has_a_colour_only_where_it_is_clear() {
    let mut same = table(Task::Binary, 2_000);
    same.baseline = Some(same.predictions.clone());
    let page = render_evaluation_report(&evaluate(&same, &EvaluateOptions::default()).unwrap(), None, None);
    assert!(!page.contains("class=\"hot\"") && !page.contains("class=\"good\""));
    let mut worse = table(Task::Binary, 2_000);
    worse.baseline = Some(worse.labels.iter().map(|label| 0.1 + 0.8 * label).collect());
    let page = render_evaluation_report(&evaluate(&worse, &EvaluateOptions::default()).unwrap(), None, None);
    assert!(page.contains("class=\"hot\""));
}

#[test]
fn the_size_is_bounded_however_many_slices_there_are() {
    let rows = 40_000;
    let mut table = EvaluationTable { columns: Vec::new(), ..table(Task::Binary, rows) };
    let values: Vec<SliceValue> = (0..5_000).map(|value| SliceValue::Text(format!("{value:0>300}"))).collect();
    let codes = (0..rows as u32).map(|row| row % 5_000).collect();
    table.columns = vec![KeyColumn { name: "id".into(), values, codes }];
    let options = EvaluateOptions { slices: vec![SliceSpec::over(["id"])], ..EvaluateOptions::default() };
    let page = render_evaluation_report(&evaluate(&table, &options).unwrap(), None, None);
    assert_eq!(data(&page)["slices"].as_array().map(Vec::len), Some(1_000));
    assert!(page.contains("Of 5,000 slices the largest 1,000 are shown"));
    assert!(page.len() < 400_000, "{} bytes", page.len());
}

/// Names of tests, columns, values and metrics come from files: whatever is in them is text on the page.
#[test]
fn what_was_found_by_trying_the_model_is_on_the_page() {
    use tidemill_evaluate::metrics::OwnMetric;
    let evil = "<img src=x onerror=alert(1)>";
    let own = OwnMetric {
        name: "profit".into(),
        mean: Some("predicted * label".into()),
        unit: Some(evil.into()),
        about: Some(evil.into()),
        ..OwnMetric::default()
    };
    let metrics = vec![Metric::own(&own), Metric::Kappa, "recall@0.3".parse().unwrap()];
    let mut evaluation =
        evaluate(&table(Task::Binary, 2_000), &EvaluateOptions { metrics, ..EvaluateOptions::default() }).unwrap();
    evaluation.behaviour = serde_json::from_value(serde_json::json!([
        { "test": { "name": evil, "change": { "fare": "fare * 2" }, "expect": "same" }, "rows": 1000, "passed": 990, "holds": false,
          "failures": [{ "row": 1017, "before": "0.31", "after": "0.28", "changed": [format!("fare {evil} → 2")] }] },
        { "test": { "name": "cheap trips", "at_least": 0.5 }, "rows": 50, "passed": 50, "holds": true, "failures": [] },
    ]))
    .unwrap();
    evaluation.effects = serde_json::from_value(serde_json::json!({
        "metric": "auc", "value": 0.8, "rows": 2000, "inputs": [
            { "column": evil, "importance": 0.1, "deviation": 0.01,
              "curve": { "values": [evil, "2"], "partial": [0.2, 0.6], "accumulated": [-0.2, 0.2], "individual": [[0.1, 0.7]] } },
            { "column": "hour", "importance": -0.001, "deviation": 0.002 },
        ]
    }))
    .unwrap();
    evaluation.suspicions = serde_json::from_value(serde_json::json!({
        "shared": [{ "split": "train", "looked_for": 1000, "found": 200 }],
        "telling": [{ "column": evil, "measure": "auc", "value": 0.999 }], "shifted": []
    }))
    .unwrap();
    let page = render_evaluation_report(&evaluation, None, None);
    assert!(!page.contains("<img") && !page.contains("{{"), "values are text");
    for part in [
        "Figures of your own",
        "Cohen&#39;s kappa",
        "recall@0.3",
        "row 1,017: 0.31 → 0.28",
        "does not hold",
        "AUC lost without it",
        "class=\"mean\" d=\"M4.0,",
        "20.0 % of the rows of",
        "200 of 1,000 judged rows are in train too",
    ] {
        assert!(page.contains(part) || page.contains(&part.replace("&#39;", "'")), "`{part}` is not on the page");
    }
    assert_eq!(page, render_evaluation_report(&evaluation, None, None));
}
