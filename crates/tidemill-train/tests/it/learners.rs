//! What every learner must be true to, from a CSV file to a package: the same bytes at any number of threads, recorded rows that
//! replay, the same predictions from `model.onnx`, explanations that sum to the score.

use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Float64Type;
use serde_json::{Value, json};
use tidemill_core::{Component as _, Outcome};
use tidemill_model::{Model, Task};
use tidemill_train::Trainer;

use crate::support::{LABEL, Project, Step, good_trips, step, trips};

/// How far numbers of `model.onnx` may be off, relative to their size.
const ONNX_TOLERANCE: f64 = 1e-9;

fn binary() -> (Project, &'static str) {
    (Project::new(&good_trips(), LABEL), "binary")
}

/// Three classes, told by the miles and the payment.
fn classes() -> (Project, &'static str) {
    let csv = trips(3000, |hash, miles| {
        let green = (hash >> 8) % 4 == 2;
        ["cash", "card", "app"][if green { 2 } else { usize::from(miles > 5.0) }].to_owned()
    });
    (Project::new(&csv, "tips"), "multi_class")
}

fn amounts() -> (Project, &'static str) {
    let csv = trips(3000, |hash, miles| {
        format!("{:.2}", miles * 2.0 + if (hash >> 8) % 4 == 2 { 10.0 } else { 0.0 } + f64::from(hash % 7) / 7.0)
    });
    (Project::new(&csv, "tips"), "regression")
}

/// The numbers of every row, in the order of the outputs.
fn numbers(batch: &RecordBatch) -> Vec<Vec<f64>> {
    let of = |column: &dyn Array| column.as_primitive_opt::<Float64Type>().map(|column| column.values().to_vec());
    batch.columns().iter().filter_map(|column| of(column)).collect()
}

/// The ONNX model of a package gives the recorded predictions.
fn onnx_agrees(project: &Project, out: &str, model: &Model) {
    let files = project.files(out);
    let onnx = files.get("model.onnx").unwrap_or_else(|| {
        panic!("no model.onnx: {}", String::from_utf8_lossy(&files["CARD.md"]));
    });
    let onnx = tidemill_onnx::parse(onnx, Path::new("model.onnx")).unwrap();
    let rows: Vec<Value> = model.sample_rows().iter().map(|sample| sample.row.clone()).collect();
    let found = numbers(&onnx.predict(&onnx.batch_from_rows(&rows).unwrap()).unwrap());
    for (row, sample) in model.sample_rows().iter().enumerate() {
        for (found, expected) in found.iter().zip(&sample.prediction) {
            let near = ONNX_TOLERANCE * expected.abs().max(1.0);
            assert!((found[row] - expected).abs() < near, "{out}, row {row}: {} {expected}", found[row]);
        }
    }
}

/// The explanations of recorded rows sum to their scores, and none is not a number.
fn explanations_sum(model: &Model, score: impl Fn(f64) -> f64) {
    let rows: Vec<Value> = model.sample_rows().iter().take(5).map(|sample| sample.row.clone()).collect();
    let explained = model.explain(&model.batch_from_rows(&rows).unwrap()).unwrap().expect("an explanation");
    for (row, sample) in explained.rows.iter().zip(model.sample_rows()) {
        let row = &row[0];
        let sum = row.base + row.features.iter().sum::<f64>();
        let expected = score(sample.prediction[0]);
        assert!((sum - expected).abs() < 1e-6 * expected.abs().max(1.0), "{sum} {expected}");
    }
}

/// Trains `learner` on each task and checks what holds for all. Returns the outcome and the model of each.
fn trained(learner: &Value, log_odds: bool) -> Vec<(Outcome, Model)> {
    let projects = [binary(), classes(), amounts()];
    let train = |(project, task): (Project, &'static str)| {
        let params = json!({ "learner": learner });
        let outcome = project.train(task, &Step { threads: 1, ..step(params.clone()) }).unwrap();
        project.train("again", &Step { threads: 4, ..step(params) }).unwrap();
        assert_eq!(project.files(task), project.files("again"), "{task}: other bytes at other threads");
        let model = Model::load(project.path(task)).unwrap();
        assert_eq!(model.replay_sample().unwrap().rows, 32);
        onnx_agrees(&project, task, &model);
        match model.task() {
            Task::Binary if log_odds => explanations_sum(&model, |p| (p / (1.0 - p)).ln()),
            Task::Binary | Task::Regression => explanations_sum(&model, |value| value),
            _ => {}
        }
        (outcome, model)
    };
    projects.into_iter().map(train).collect()
}

/// A metric of the training.
fn metric(model: &Model, part: &str, name: &str) -> f64 {
    let metrics = &model.manifest().training["metrics"];
    metrics[part][name].as_f64().unwrap_or_else(|| panic!("no {part} {name}: {metrics}"))
}

#[test]
fn networks_are_trained_packaged_exported_and_explained() {
    let learner = json!({ "mlp": { "hidden": [32, 32], "epochs": 24, "one_hot_max": 3, "number_embedding": 4 } });
    let models = trained(&learner, true);
    assert!(metric(&models[0].1, "validation", "auc") > 0.88);
    assert!(metric(&models[1].1, "validation", "accuracy") > 0.85);
    assert!(metric(&models[2].1, "validation", "rmse") < 3.0);
    for (outcome, model) in &models {
        let training = &model.manifest().training;
        assert_eq!(training["curve"]["unit"], "epoch");
        assert_eq!(training["curve"]["validation"].as_array().unwrap().len(), 24);
        let best = training["best_round"].as_u64().unwrap();
        assert!(outcome.headline.contains(&format!("best epoch {best} of 24")), "{}", outcome.headline);
        let important = training["importance"].as_array().unwrap();
        assert!(important[0]["permutation"].as_f64().unwrap() > 0.05, "{important:?}");
    }
}

#[test]
fn wide_and_deep_networks_are_trained_packaged_exported_and_explained() {
    let learner = json!({ "wide_and_deep": { "hidden": [16], "epochs": 12, "one_hot_max": 3 } });
    let models = trained(&learner, true);
    assert!(metric(&models[0].1, "validation", "auc") > 0.85);
    let (project, _) = binary();
    let refused = |crosses: Value| {
        let learner = json!({ "wide_and_deep": { "crosses": crosses } });
        let error = project.train(&crosses.to_string().replace('"', ""), &step(json!({ "learner": learner })));
        let error = error.unwrap_err();
        format!("{}; {}", error.message, error.hint.unwrap())
    };
    let told = refused(json!([["payment", "paymnt"]]));
    assert!(told.contains("names `paymnt`") && told.contains("did you mean `payment`?"), "{told}");
    let told = refused(json!([["payment", "miles"]]));
    assert!(told.contains("`miles`, which is a number") && told.contains("`bucketize`"), "{told}");
}

#[test]
fn forests_are_trained_packaged_exported_and_explained() {
    for learner in
        [json!({ "random_forest": { "trees": 24 } }), json!({ "random_forest": { "trees": 24, "extra_trees": true } })]
    {
        let models = trained(&learner, false);
        let is_bagged = learner["random_forest"]["extra_trees"].is_null();
        for (outcome, model) in &models {
            let training = &model.manifest().training;
            assert_eq!((training["trees"].as_u64(), training["out_of_bag"].is_object()), (Some(24), is_bagged));
            let part = if is_bagged { "out-of-bag" } else { "train" };
            assert!(outcome.headline.starts_with(&format!("24 trees, {part} ")), "{}", outcome.headline);
            assert_eq!(outcome.warnings.last().unwrap(), "features that never vary and are not used: `year`");
        }
        if is_bagged {
            assert!(models[0].1.manifest().training["out_of_bag"]["auc"].as_f64().unwrap() > 0.8);
            assert!(models[1].1.manifest().training["out_of_bag"]["accuracy"].as_f64().unwrap() > 0.8);
            assert!(models[2].1.manifest().training["out_of_bag"]["rmse"].as_f64().unwrap() < 4.0);
        }
    }
}

#[test]
fn additive_models_are_trained_packaged_exported_explained_and_drawn() {
    let learner = json!({ "additive": { "rounds": 300, "learning_rate": 0.05, "bags": 3, "interactions": 1 } });
    // Several classes have no pairs unless they are asked for.
    let models = trained(&learner, true);
    assert!(metric(&models[0].1, "train", "auc") > 0.88);
    assert!(metric(&models[1].1, "train", "accuracy") > 0.85);
    assert!(metric(&models[2].1, "train", "rmse") < 3.0);
    for (outcome, model) in &models {
        assert!(outcome.headline.starts_with("functions of 2 features and 1 pairs, train "), "{}", outcome.headline);
        let manifest = serde_json::to_value(model.manifest()).unwrap();
        let page = tidemill_train::render_training_report(&manifest, None);
        for part in ["function of miles", "function of payment", "miles × payment", "Learning curve"] {
            assert!(page.contains(part), "{part}");
        }
    }
    let (project, _) = amounts();
    let refused = |monotone: Value, out: &str| {
        let learner = json!({ "additive": { "monotone": monotone } });
        let error = project.train(out, &step(json!({ "learner": learner }))).unwrap_err();
        format!("{}; {}", error.message, error.hint.unwrap())
    };
    let told = refused(json!({ "milse": "increasing" }), "typo");
    assert!(told.contains("names `milse`") && told.contains("did you mean `miles`?"), "{told}");
    let told = refused(json!({ "payment": "increasing" }), "category");
    assert!(told.contains("is a category"), "{told}");
    // With a direction, predictions never fall with the miles.
    let learner = json!({ "additive": { "rounds": 200, "bags": 2, "monotone": { "miles": "increasing" } } });
    project.train("monotone", &step(json!({ "learner": learner }))).unwrap();
    let model = Model::load(project.path("monotone")).unwrap();
    let rows: Vec<Value> =
        (0..60).map(|at| json!({ "miles": f64::from(at) / 5.0, "payment": "red", "year": 2016 })).collect();
    let predicted = model.predict_values(&model.batch_from_rows(&rows).unwrap()).unwrap();
    assert!(predicted.windows(2).all(|pair| pair[0] <= pair[1]), "{predicted:?}");
}

#[test]
fn neighbours_are_packaged_exported_and_explained() {
    for learner in [json!({ "neighbors": {} }), json!({ "neighbors": { "k": 9, "weights": "distance", "p": 1.5 } })] {
        let models = trained(&learner, false);
        assert!(metric(&models[0].1, "train", "auc") > 0.8);
        assert!(metric(&models[1].1, "train", "accuracy") > 0.8);
        assert!(metric(&models[2].1, "train", "rmse") < 4.0);
        assert!(models[0].0.headline.contains(" rows, leave-one-out log-loss "), "{}", models[0].0.headline);
    }
    let (project, _) = amounts();
    let error = project.train("few", &step(json!({ "learner": { "neighbors": { "k": 9000 } } }))).unwrap_err();
    assert!(error.message.starts_with("`k` is 9000, and there are "), "{}", error.message);
    let validated = json!({ "learner": "neighbors", "validation": 0.2 });
    let outcome = project.train("validated", &step(validated)).unwrap();
    assert!(outcome.headline.contains(", validation RMSE "), "{}", outcome.headline);
}

#[test]
fn ensembles_are_trained_packaged_exported_and_explained() {
    let members = json!([
        { "learner": { "gradient_boosting": { "rounds": 30 } }, "weight": 3 },
        { "learner": { "linear": { "alpha": 1 } }, "weight": 1 },
        { "learner": { "random_forest": { "trees": 12 } } },
    ]);
    let models = trained(&json!({ "ensemble": { "members": members } }), true);
    assert!(metric(&models[0].1, "validation", "auc") > 0.85);
    assert!(metric(&models[1].1, "validation", "accuracy") > 0.8);
    for (outcome, model) in &models {
        let training = &model.manifest().training;
        assert_eq!(training["members"][0]["share"], 0.6, "{training}");
        assert!(outcome.headline.starts_with("3 members, validation "), "{}", outcome.headline);
        assert_eq!(outcome.warnings, ["features that never vary and are not used: `year`"]);
        assert!(training["importance"][0]["importance"].as_f64().unwrap() > 0.1, "{training}");
    }
    let place = |members: Value| {
        let issues = Trainer.check(&json!({ "learner": { "ensemble": { "members": members } } }));
        issues.iter().map(|issue| format!("{}: {}", issue.path.join("."), issue.message)).collect::<Vec<_>>().join("; ")
    };
    assert!(place(json!([])).contains("learner.ensemble.members: an ensemble has from 1 to 25 members, not 0"));
    let told = place(json!([{ "learner": { "linear": { "alpha": -1 } } }, { "learner": "linear", "weight": 0 }]));
    assert!(told.contains("members.1.weight: `weight` must be above 0"), "{told}");
    let told = place(json!([{ "learner": { "linear": { "alpha": -1 } } }]));
    assert!(told.contains("members.0.learner.linear.alpha"), "{told}");
    let told = place(json!([{ "learner": { "ensemble": { "members": [{ "learner": "linear" }] } } }]));
    assert!(told.contains("cannot be the learner `ensemble`"), "{told}");
}
