//! Rankings, several quantiles and several labels, from a pipeline file to a judged and pushed model.

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::Sandbox;

/// Rows of 120 queries: an amount whose spread grows with `a`, two labels, a relevance.
fn rows() -> String {
    let mut state = 5_u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut csv = "query,a,b,amount,late,damaged,relevance\n".to_owned();
    for row in 0..2400 {
        let (a, b) = (draw(), draw());
        let amount = 10.0 * b + 6.0 * a * (draw() - 0.5);
        let late = u8::from(a + 0.3 * draw() > 0.7);
        let damaged = u8::from(draw() < b);
        let relevance = [0.8, 1.3, 1.7].iter().filter(|limit| a + b + 0.4 * draw() > **limit).count();
        writeln!(csv, "q{},{a},{b},{amount},{late},{damaged},{relevance}", row % 120).expect("text can be written");
    }
    csv
}

/// Runs a pipeline with this label, trainer and thresholds; returns the properties of the pushed model.
fn pushed(sandbox: &Sandbox, label: &str, trainer: &str, thresholds: &str) -> Value {
    let pipeline = format!(
        "\
version: 1
pipeline: outputs
steps:
  examples:
    component: ExampleGen
    source: {{ csv: rows.csv }}
    splits: {{ train: 3, eval: 1 }}
    split_by: [query]
  transform:
    component: Transform
    label: {label}
    features: {{ a: numeric, b: numeric }}
  train:
    component: Trainer
    {trainer}
  evaluate:
    component: Evaluator
    thresholds: {thresholds}
  push: {{ component: Pusher, model: outputs }}
"
    );
    sandbox.write("pipeline.yaml", pipeline);
    let run = sandbox.tidemill(&["run"]);
    assert_eq!(run.code, 0, "{run}");
    let models = sandbox.tidemill(&["models", "outputs", "-o", "json"]);
    let models: Value = serde_json::from_str(&models.stdout).expect("models in JSON");
    models["model"]["versions"][0]["properties"].clone()
}

#[test]
fn a_ranking_is_judged_by_query() {
    let sandbox = Sandbox::empty();
    sandbox.write("rows.csv", rows());
    let trainer = "task: { ranking: { group: query } }\n    learner: { gradient_boosting: { rounds: 100 } }";
    let thresholds = "{ ndcg: { at_least: 0.8 }, ndcg@5: '>= 0.6', mrr: '>= 0.5' }";
    let properties = pushed(&sandbox, "{ column: relevance }", trainer, thresholds);
    assert!(properties["ndcg@5"].as_f64().expect("the NDCG is measured") > 0.6, "{properties}");
    let wrong = "{ auc: '>= 0.6' }";
    let text = std::fs::read_to_string(sandbox.path("pipeline.yaml")).expect("the pipeline was written");
    sandbox.write("pipeline.yaml", text.replace(thresholds, wrong));
    let check = sandbox.tidemill(&["check"]);
    assert!(check.code != 0 && check.stderr.contains("`auc` is a metric of"), "{check}");
    // The trees are written for XGBoost too.
    let export = sandbox.tidemill(&["model", "export", "outputs", "--format", "xgboost"]);
    assert!(export.code == 0 && sandbox.path("model.json").exists(), "{export}");
}

#[test]
fn quantiles_and_labels_are_judged() {
    let sandbox = Sandbox::empty();
    sandbox.write("rows.csv", rows());
    let trainer = "learner: { gradient_boosting: { rounds: 100, objective: { quantile: [0.1, 0.5, 0.9] } } }";
    let properties = pushed(&sandbox, "{ column: amount }", trainer, "{ pinball_loss: '<= 0.6', mae: '<= 1.5' }");
    assert!((properties["coverage"].as_f64().expect("measured") - 0.8).abs() < 0.15, "{properties}");

    let sandbox = Sandbox::empty();
    sandbox.write("rows.csv", rows());
    let trainer =
        "task: { multi_label: { labels: [late, damaged] } }\n    learner: { gradient_boosting: { rounds: 60 } }";
    let label = "{ name: trouble, expression: late + damaged, target: [late, damaged] }";
    let properties = pushed(&sandbox, label, trainer, "{ auc: '>= 0.75', hamming_loss: '<= 0.35' }");
    assert!(properties["subset_accuracy"].as_f64().expect("measured") > 0.5, "{properties}");
}
