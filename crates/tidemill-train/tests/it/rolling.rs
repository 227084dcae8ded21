//! Rolling-origin evaluation: a learner judged as it would have forecast.

use std::fmt::Write as _;

use serde_json::{Value, json};
use tidemill_core::{Code, Component, DataType, TensorSpec};
use tidemill_model::{Feature, LabelSpec, TransformGraph};
use tidemill_train::{Trainer, render_training_report};

use crate::support::{Project, Step, step};

const DAY: u64 = 86_400;

/// Two shops by day; `weekday` says what is sold, but for one more each day.
fn sales(noise: impl Fn(u64) -> f64) -> String {
    let mut csv = "id,shop,date,weekday,sales\n".to_owned();
    for row in 0..400_u64 {
        let (shop, day) = (row % 2, row / 2);
        let sales = 10.0 + 5.0 * (day % 7) as f64 + 40.0 * shop as f64 + noise(row);
        let _ =
            writeln!(csv, "{row},s{shop},{},{},{sales}", 1_700_000_000 / DAY * DAY + day * DAY, day % 7 + 10 * shop);
    }
    csv
}

/// All rows are learned from: `weekday` is the only feature, as a number.
fn project(noise: impl Fn(u64) -> f64, horizon_days: u64) -> Project {
    let project = Project::with_splits(&sales(noise), "sales", &json!({ "train": 1 }));
    let graph = TransformGraph::new(
        vec![TensorSpec::new("weekday", DataType::Int64, false)],
        Some(LabelSpec::new("sold", "sales").with_horizon(horizon_days * DAY)),
        vec![Feature::new("weekday", "weekday", vec![])],
    )
    .unwrap();
    graph.save(project.path("transform/transform.json")).unwrap();
    project
}

fn params(rolling: Value, learner: Value) -> Value {
    json!({ "learner": learner, "task": "regression", "rolling_origin": rolling })
}

fn facts(project: &Project, out: &str) -> Value {
    let manifest: Value = serde_json::from_slice(&project.files(out)["model.json"]).unwrap();
    let page = render_training_report(&manifest, None);
    assert!(page.contains("id=\"rolling\"") && page.contains("seasonal last value"), "{page}");
    manifest["training"]["rolling_origin"].clone()
}

#[test]
fn folds_are_learned_from_the_past_and_judged_beside_baselines() {
    // The noise repeats after a fortnight, so the same weekday is off by it.
    let project = project(|row| (row / 2 % 14) as f64 * 0.5, 7);
    let rolling = json!({ "time": "date", "folds": 4, "key": "shop", "season": "7d" });
    let learner = json!({ "gradient_boosting": { "rounds": 60, "min_data_in_leaf": 3, "learning_rate": 0.3 } });
    let asked = params(rolling, learner);
    let outcome = project.train("model", &step(asked.clone())).unwrap();
    let facts = facts(&project, "model");
    assert_eq!(facts["horizon"], "1w");
    let folds = facts["folds"].as_array().unwrap();
    assert_eq!(folds.len(), 4);
    // Folds follow one after the other, and each learns from more.
    for pair in folds.windows(2) {
        assert_eq!(pair[0]["until"], pair[1]["after"]);
        assert!(pair[0]["learned"].as_u64() < pair[1]["learned"].as_u64(), "{pair:?}");
    }
    let mean = |name: &str, error: &str| facts["mean"][name][error].as_f64().unwrap();
    assert!(mean("model", "mae") < mean("seasonal_last_value", "mae"), "{facts}");
    assert!(mean("seasonal_last_value", "mae") < mean("last_value", "mae"), "{facts}");
    // 3.5 is the change over a week, so the seasonal last value is off by one step.
    assert!((mean("seasonal_last_value", "mae") - 3.5).abs() < 1e-9, "{facts}");
    assert!((mean("seasonal_last_value", "mase") - 1.0).abs() < 1e-9, "{facts}");
    assert!(outcome.headline.contains(", rolling MAE ") && outcome.headline.contains("(seasonal last value 3.5000)"));
    let table = outcome.tables.last().unwrap();
    assert_eq!(table.title, "Rolling origin, means of 4 folds of 1w");
    assert_eq!(table.rows.len(), 3);
    project.train("again", &Step { threads: 1, ..step(asked) }).unwrap();
    assert_eq!(project.files("model"), project.files("again"));
}

#[test]
fn a_model_that_is_no_better_than_the_last_season_is_told() {
    let project = project(|row| (row / 2) as f64 * 0.01, 7);
    let rolling = json!({ "time": "date", "folds": 3, "key": ["shop"], "season": "7d", "horizon": "14d" });
    let outcome = project.train("model", &step(params(rolling, json!({ "linear": { "alpha": 1e9 } })))).unwrap();
    assert!(
        outcome.warnings[0].starts_with("the model forecasts no better than the seasonal last value"),
        "{:?}",
        outcome.warnings
    );
    assert_eq!(facts(&project, "model")["horizon"], "2w");
}

#[test]
fn what_cannot_be_folded_is_refused() {
    let project = project(|_| 0.0, 0);
    let told = |out: &str, rolling: Value| {
        let error = project.train(out, &step(params(rolling, json!("linear")))).unwrap_err();
        assert_eq!(error.code, Code::Params);
        format!("{}; {}", error.message, error.hint.unwrap_or_default())
    };
    let found = told("horizon", json!({ "time": "date" }));
    assert!(found.contains("nothing says how far ahead") && found.contains("`horizon: 7d`"), "{found}");
    let found = told("many", json!({ "time": "date", "horizon": "100d" }));
    assert!(found.contains("0 to learn from") || found.contains("rows to learn from"), "{found}");
    assert!(found.contains("use fewer `folds`"), "{found}");
    let found = told("text", json!({ "time": "shop", "horizon": "7d" }));
    assert!(found.starts_with("no row of split `train` has a time in `shop`"), "{found}");
    let issue = |rolling: Value| Trainer.check(&params(rolling, json!("linear"))).remove(0);
    let found = issue(json!({ "time": "date", "horizon": "soon" }));
    assert_eq!(found.path, ["rolling_origin", "horizon"]);
    let found = issue(json!({ "time": "date", "folds": 0 }));
    assert_eq!(found.path, ["rolling_origin", "folds"]);
    let classes = json!({ "learner": "linear", "task": "binary", "rolling_origin": { "time": "date" } });
    assert_eq!(Trainer.check(&classes)[0].path, ["rolling_origin"]);
}
