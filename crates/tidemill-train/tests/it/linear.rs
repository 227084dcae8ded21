//! Linear models, calibrations and thresholds, from a CSV file to a package.

use std::fmt::Write as _;
use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::Float64Type;
use serde_json::{Value, json};
use tidemill_core::{Code, Component};
use tidemill_data::Examples;
use tidemill_model::{Learner, Model};
use tidemill_train::{Trainer, render_training_report};

use crate::support::{LABEL, Project, Step, good_trips, step, trips};

/// Predictions of the eval split, those of `model.onnx` beside them: a list for each output column.
fn predictions(project: &Project, out: &str) -> Vec<[Vec<f64>; 2]> {
    let model = Model::load(project.path(out)).unwrap();
    model.replay_sample().unwrap();
    let files = project.files(out);
    let onnx = tidemill_onnx::parse(&files["model.onnx"], Path::new("model.onnx")).unwrap();
    let examples = Examples::open(&project.path("examples")).unwrap();
    let columns = model.task().columns();
    let mut found = vec![[Vec::new(), Vec::new()]; columns];
    for batch in examples.batches("eval", None).unwrap() {
        let batch = batch.unwrap();
        let other = onnx.predict(&batch).unwrap();
        let first = other.num_columns() - columns;
        for (at, ours) in model.predict_columns(&batch).unwrap().into_iter().enumerate() {
            found[at][0].extend(ours);
            found[at][1].extend(other.column(first + at).as_primitive::<Float64Type>().values());
        }
    }
    found
}

/// The ONNX model beside a package predicts the same.
pub(crate) fn agrees_with_onnx(project: &Project, out: &str) {
    for [ours, onnx] in predictions(project, out) {
        assert!(ours.iter().all(|value| value.is_finite()));
        assert!(ours.iter().zip(onnx).all(|(ours, onnx)| (ours - onnx).abs() < 1e-9 * ours.abs().max(1.0)), "{out}");
    }
}

fn manifest(project: &Project, out: &str) -> Value {
    serde_json::from_slice(&project.files(out)["model.json"]).unwrap()
}

#[test]
fn a_lasso_leaves_weights_out_and_says_which_stay() {
    let project = Project::new(&good_trips(), LABEL);
    let params = |alpha: Value| json!({ "learner": { "linear": { "penalty": "l1", "alpha": alpha } } });
    let outcome = project.train("model", &step(params(json!(40)))).unwrap();
    let training = &manifest(&project, "model")["training"];
    assert!(training["weights_not_zero"].as_u64() < training["weights"].as_u64(), "{training}");
    assert!(outcome.headline.starts_with("6 weights, 2 not 0, train log-loss"), "{}", outcome.headline);
    // What does not matter is exactly 0; a category has the name of its value.
    let weights = training["coefficients"]["weights"].as_array().unwrap();
    let names: Vec<&str> = weights.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"miles") && names.contains(&"payment=green") && !names.contains(&"year"), "{names:?}");
    agrees_with_onnx(&project, "model");
    // A penalty that outweighs everything leaves the share of positives.
    project.train("none", &step(params(json!(1e6)))).unwrap();
    assert_eq!(manifest(&project, "none")["training"]["weights_not_zero"], 0);
}

#[test]
fn the_weight_of_the_penalty_is_chosen_on_validation_rows() {
    let project = Project::new(&good_trips(), LABEL);
    for (out, penalty) in [("l1", "l1"), ("l2", "l2"), ("both", "elastic_net")] {
        let params = json!({ "learner": { "linear": { "penalty": penalty, "alpha": "auto" } } });
        let outcome = project.train(out, &step(params.clone())).unwrap();
        project.train(&format!("{out}-again"), &Step { threads: 1, ..step(params) }).unwrap();
        assert_eq!(project.files(out), project.files(&format!("{out}-again")));
        let manifest = manifest(&project, out);
        let path = &manifest["training"]["path"];
        let losses: Vec<f64> =
            path["validation"].as_array().unwrap().iter().map(|loss| loss.as_f64().unwrap()).collect();
        let chosen = path["chosen"].as_u64().unwrap() as usize;
        assert!(losses.iter().all(|loss| *loss >= losses[chosen]) && losses.len() > 5, "{out}: {losses:?}");
        assert_eq!(manifest["training"]["alpha"], path["alpha"][chosen]);
        let validation = manifest["training"]["metrics"]["validation"]["log_loss"].as_f64().unwrap();
        assert!((validation - losses[chosen]).abs() < 1e-9, "{validation} {losses:?}");
        // The path of L1 begins where every weight is 0.
        if penalty == "l1" {
            assert_eq!(path["weights_not_zero"][0], 0);
            assert!(path["weights_not_zero"][1].as_u64().unwrap() > 0, "{path}");
        }
        let said = format!("is the best of {} by validation log-loss", losses.len());
        assert!(outcome.headline.contains(&said), "{}", outcome.headline);
        let page = render_training_report(&manifest, None);
        assert!(
            page.contains("Regularisation path") && page.contains("· chosen</b>") && page.contains("id=\"weights\"")
        );
        agrees_with_onnx(&project, out);
    }
}

#[test]
fn counts_and_amounts_are_learned_by_their_logarithm() {
    let csv = trips(3000, |hash, miles| (miles * 0.8 + f64::from(hash % 3)).round().to_string());
    let project = Project::new(&csv, "tips");
    for loss in ["poisson", "tweedie"] {
        let params = json!({ "learner": { "linear": { "loss": loss } }, "task": "regression" });
        project.train(loss, &step(params)).unwrap();
        let model = Model::load(project.path(loss)).unwrap();
        let Learner::Linear(linear) = model.learner() else { panic!("{:?}", model.learner().kind()) };
        assert_eq!(linear.link(), tidemill_model::trees::Link::Exp);
        let found = predictions(&project, loss);
        assert!(found[0][0].iter().all(|value| *value > 0.0));
        let metrics = &model.manifest().training["metrics"]["train"];
        assert!(metrics["rmse"].as_f64().unwrap() < 2.0, "{metrics}");
        agrees_with_onnx(&project, loss);
    }
    let refused = |out: &str, params: Value| {
        let error = project.train(out, &step(params)).unwrap_err();
        (error.code, error.message)
    };
    let (code, message) =
        refused("gamma", json!({ "learner": { "linear": { "loss": "gamma" } }, "task": "regression" }));
    assert_eq!(code, Code::LabelValues);
    assert_eq!(message, "`loss: gamma` learns labels of above 0 for the task `regression`, and one is 0");
    let (code, message) =
        refused("classes", json!({ "learner": { "linear": { "loss": "poisson" } }, "task": "multi_class" }));
    assert!(code == Code::Params && message.contains("the task is `multi_class`"), "{message}");
}

#[test]
fn parameters_of_other_libraries_are_answered_with_ours() {
    let issue = |params: Value| {
        let issue = Trainer.check(&json!({ "learner": { "linear": params } })).remove(0);
        format!("{}: {}; {}", issue.path.join("."), issue.message, issue.hint.unwrap_or_default())
    };
    for (params, expected) in [
        (json!({ "C": 2 }), "write `alpha`: it is 1 / `C`"),
        (json!({ "alpha": "best" }), "a number from 0 on, or `auto`"),
        (json!({ "alpha": -1 }), "`alpha` must be 0 or above, or `auto`"),
        (json!({ "penalty": "l1", "l2": 3 }), "`l2` stands for `penalty: l2`"),
        (json!({ "penalty": "none", "alpha": "auto" }), "has no weight to choose"),
        (json!({ "l1_ratio": 2 }), "`l1_ratio` must be between 0 and 1"),
        (json!({ "loss": "tweedie", "tweedie_power": 2 }), "above 1 and below 2"),
    ] {
        let told = issue(params.clone());
        assert!(told.contains(expected), "{params}: {told}");
    }
    let lasso = Trainer.check(&json!({ "learner": "Lasso" })).remove(0);
    assert!(lasso.hint.unwrap().contains("`linear: { penalty: l1 }`"));
}

/// A column of many categories, one weight each.
#[test]
fn a_category_of_many_values_is_learned_and_exported() {
    let mut csv = "id,miles,payment,year,fare,tips\n".to_owned();
    for row in 0..4000_u32 {
        let payment = row.wrapping_mul(2_654_435_761) >> 22;
        let _ = writeln!(csv, "{row},1,p{payment},2016,10,{}", payment % 7);
    }
    let project = Project::new(&csv, "tips");
    let graph = many_categories();
    graph.save(project.path("transform/transform.json")).unwrap();
    let params = json!({ "learner": { "linear": { "alpha": 0.01 } }, "task": "regression" });
    project.train("model", &step(params)).unwrap();
    let manifest = manifest(&project, "model");
    assert_eq!(manifest["training"]["weights"], 1025);
    assert!(manifest["training"]["metrics"]["train"]["rmse"].as_f64().unwrap() < 0.1);
    assert!(manifest["training"]["coefficients"]["not_listed"].as_u64().unwrap() > 500);
    agrees_with_onnx(&project, "model");
}

fn many_categories() -> tidemill_model::TransformGraph {
    use tidemill_model::{Feature, Keys, LabelSpec, Mapper, TransformGraph, steps};
    let values = Keys::Strings((0..1024).map(|number| format!("p{number}")).collect());
    TransformGraph::new(
        vec![tidemill_core::TensorSpec::new("payment", tidemill_core::DataType::Bytes, false)],
        Some(LabelSpec::new("tip", "tips")),
        vec![Feature::new(
            "payment",
            "payment",
            vec![Mapper::Vocabulary(steps::Vocabulary { values, oov_buckets: 1 })],
        )],
    )
    .unwrap()
}
