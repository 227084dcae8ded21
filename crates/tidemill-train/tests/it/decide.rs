//! What a `Trainer` decides on the validation rows beside the learner: calibrations and thresholds.

use serde_json::{Value, json};
use tidemill_core::{Code, Component, TaskKind};
use tidemill_model::Model;
use tidemill_train::{Trainer, render_training_report};

use crate::linear::agrees_with_onnx;
use crate::support::{LABEL, Project, Step, good_trips, step, trips};

const METHODS: [&str; 4] = ["platt", "isotonic", "beta", "temperature"];

fn manifest(project: &Project, out: &str) -> Value {
    serde_json::from_slice(&project.files(out)["model.json"]).unwrap()
}

#[test]
fn every_learner_of_classes_is_calibrated() {
    let three = trips(3000, |hash, miles| {
        let noisy = if hash % 5 == 0 { hash >> 3 } else { u32::from(miles > 5.0) + u32::from(hash % 4 == 2) };
        ["a", "b", "c"][noisy as usize % 3].to_owned()
    });
    let projects = [("two", Project::new(&good_trips(), LABEL)), ("three", Project::new(&three, "tips"))];
    for (name, project) in &projects {
        // Without a bound on the leaves, probabilities are too extreme.
        for (learner, params) in [
            ("gradient_boosting", json!({ "rounds": 60, "early_stopping": 0, "min_data_in_leaf": 2, "leaves": 63 })),
            ("linear", json!({ "alpha": 0.01 })),
        ] {
            for method in METHODS {
                let out = format!("{name}-{learner}-{method}");
                let params = json!({ "learner": { learner: params }, "calibration": method });
                let outcome = project.train(&out, &step(params.clone())).unwrap();
                assert!(outcome.headline.ends_with(&format!(" by {method}")), "{}", outcome.headline);
                let manifest = manifest(project, &out);
                assert_eq!(manifest["learner"]["kind"], "calibrated");
                let facts = &manifest["training"]["calibration"];
                let figure = |part: &str, name: &str| facts[part][name].as_f64().unwrap();
                assert!(figure("after", "log_loss") <= figure("before", "log_loss") + 1e-3, "{out}: {facts}");
                if learner == "gradient_boosting" {
                    assert!(figure("after", "log_loss") < figure("before", "log_loss"), "{out}: {facts}");
                }
                // The metrics of the package are those of the calibrated model.
                let judged = manifest["training"]["metrics"]["validation"]["log_loss"].as_f64().unwrap();
                assert!((judged - figure("after", "log_loss")).abs() < 1e-9, "{out}");
                agrees_with_onnx(project, &out);
                let page = render_training_report(&manifest, None);
                assert!(page.contains("id=\"calibration\"") && page.contains(&format!("<code>{method}</code>")));
            }
        }
    }
    let again = json!({ "learner": { "linear": { "alpha": 0.01 } }, "calibration": "isotonic" });
    projects[0].1.train("again", &Step { threads: 1, ..step(again) }).unwrap();
    assert_eq!(projects[0].1.files("two-linear-isotonic"), projects[0].1.files("again"));
}

#[test]
fn a_threshold_is_kept_in_the_package() {
    let project = Project::new(&good_trips(), LABEL);
    let train = |out: &str, threshold: Value| {
        let params = json!({ "learner": "linear", "threshold": threshold });
        let outcome = project.train(out, &step(params)).unwrap();
        let model = Model::load(project.path(out)).unwrap();
        let value = model.manifest().decision_threshold.unwrap();
        assert_eq!(outcome.properties["model"]["decision_threshold"], value);
        (value, model.manifest().training["threshold"].clone(), outcome.headline)
    };
    let (f1, facts, headline) = train("f1", json!({ "maximize": "f1" }));
    assert!(f1 > 0.1 && f1 < 0.9 && facts["f1"].as_f64().unwrap() > 0.8, "{f1} {facts}");
    assert!(headline.ends_with(&format!(", threshold {f1:.4} (maximize f1)")), "{headline}");
    let (careful, facts, _) = train("careful", json!({ "precision_at_least": 0.95 }));
    assert!(facts["precision"].as_f64().unwrap() >= 0.95, "{facts}");
    let (eager, facts, _) = train("eager", json!({ "cost": { "false_positive": 1, "false_negative": 20 } }));
    assert!(eager < f1 && f1 <= careful && facts["recall"].as_f64().unwrap() > 0.9, "{eager} {f1} {careful}");
    // A given number needs no validation rows.
    let (given, facts, _) = train("given", json!(0.3));
    assert!(given == 0.3 && facts.get("f1").is_none());
    assert_eq!(manifest(&project, "given")["training"]["rows"].as_object().unwrap().len(), 1);
    let card = String::from_utf8(project.files("given")["CARD.md"].clone()).unwrap();
    assert!(card.contains("A row is called positive if its probability is above 0.3."), "{card}");
}

#[test]
fn what_does_not_go_with_the_task_is_refused() {
    let told = |params: Value| {
        let issue = Trainer.check(&params).remove(0);
        (issue.path, issue.message)
    };
    let (path, message) = told(json!({ "learner": "linear", "task": "regression", "calibration": "platt" }));
    assert_eq!(path, ["calibration"]);
    assert_eq!(message, "`calibration` is for probabilities of classes, and the task is `regression`");
    let (path, _) = told(json!({ "learner": "linear", "task": "multi_class", "threshold": 0.4 }));
    assert_eq!(path, ["threshold"]);
    let (path, _) = told(json!({ "learner": "linear", "threshold": { "recall_at_least": 7 } }));
    assert_eq!(path, ["threshold", "recall_at_least"]);
    let csv = trips(2000, |_, miles| format!("{:.2}", miles * 2.0));
    let project = Project::new(&csv, "tips");
    let error = project.train("model", &step(json!({ "learner": "linear", "calibration": "beta" }))).unwrap_err();
    assert!(error.code == Code::Params && error.message.contains(TaskKind::Regression.name()), "{}", error.message);
}
