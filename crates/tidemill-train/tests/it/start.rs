//! Trainings that start from something: an offset of each row, or a model.

use std::fmt::Write as _;
use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::Float64Type;
use serde_json::{Value, json};
use tidemill_core::{ArtifactType, Code, Component};
use tidemill_data::Examples;
use tidemill_model::{Learner, Model};
use tidemill_onnx::export_lightgbm;
use tidemill_train::Trainer;

use crate::support::{Draw, Project, numbers, step};

const FEATURES: [&str; 3] = ["a", "b", "c"];

/// Counts whose mean is the exposure times a rate that depends on the features; a class, an amount and a query beside them.
fn project(label: &str) -> Project {
    let mut draw = Draw(11);
    let head = "a,b,c,exposure,claims,kind,amount,query,grade\n".to_owned();
    let (mut train, mut eval) = (head.clone(), head);
    for row in 0..3000 {
        let [a, b, c] = std::array::from_fn(|_| draw.next());
        let exposure = 0.1 + 4.0 * draw.next();
        let mean = exposure * (2.0 * a - b).exp() * 0.4;
        // A Poisson number by inversion.
        let (mut claims, mut chance, uniform) = (0, (-mean).exp(), draw.next());
        let mut sum = chance;
        while uniform > sum && claims < 50 {
            claims += 1;
            chance *= mean / f64::from(claims);
            sum += chance;
        }
        let kind = ["x", "y", "z"][usize::from(a > b) + usize::from(c > 0.5)];
        let amount = 3.0 * a + b + 0.3 * draw.next();
        let csv = if row % 4 == 0 { &mut eval } else { &mut train };
        let grade = (amount * 1.2) as u32;
        let _ = writeln!(csv, "{a},{b},{c},{exposure},{claims},{kind},{amount},{},{grade}", row % 150);
    }
    Project::split(&train, &eval, &numbers(&FEATURES, label))
}

fn row(exposure: f64) -> Value {
    json!({ "a": 0.7, "b": 0.2, "c": 0.4, "exposure": exposure })
}

#[test]
fn an_exposure_is_an_input_that_predictions_are_proportional_to() {
    let project = project("claims");
    let params = json!({
        "learner": { "gradient_boosting": { "objective": "poisson", "rounds": 200 } },
        "task": "regression",
        "offset": "ln(exposure)",
    });
    project.train("model", &step(params.clone())).unwrap();
    let model = Model::load(project.path("model")).unwrap();
    assert_eq!(model.replay_sample().unwrap().rows, 32);
    let input = model.signature().inputs.iter().find(|input| input.name == "exposure").unwrap();
    assert!(!input.optional);
    let of = |exposure| model.predict_values(&model.batch_from_rows(&[row(exposure)]).unwrap()).unwrap()[0];
    assert!((of(3.0) / of(1.0) - 3.0).abs() < 1e-9, "{} {}", of(3.0), of(1.0));
    // The rate of the row is 0.4 e^1.2.
    assert!((of(1.0) / (0.4 * 1.2_f64.exp()) - 1.0).abs() < 0.25, "{}", of(1.0));
    let error = model.batch_from_rows(&[json!({ "a": 0.7, "b": 0.2, "c": 0.4 })]).unwrap_err();
    assert!(error.to_string().contains("exposure"), "{error}");

    let (mut predicted, mut counted) = (0.0, 0.0);
    for batch in Examples::open(&project.path("examples")).unwrap().batches("eval", None).unwrap() {
        let batch = batch.unwrap();
        predicted += model.predict_values(&batch).unwrap().iter().sum::<f64>();
        counted += model.graph().bind_label(&batch.schema()).unwrap().values(&batch).unwrap().iter().sum::<f64>();
    }
    assert!((predicted / counted - 1.0).abs() < 0.1, "{predicted} {counted}");

    let onnx = tidemill_onnx::parse(&project.files("model")["model.onnx"], Path::new("model.onnx")).unwrap();
    let theirs = onnx.predict(&onnx.batch_from_rows(&[row(2.5)]).unwrap()).unwrap();
    assert!((theirs.column(0).as_primitive::<Float64Type>().value(0) - of(2.5)).abs() < 1e-11);
    let explained = model.explain(&model.batch_from_rows(&[row(2.5)]).unwrap()).unwrap().unwrap();
    assert_eq!(explained.features, ["a", "b", "c", "offset"]);
    assert!((explained.rows[0][0].score() - of(2.5).ln()).abs() < 1e-9);
    let error = export_lightgbm(model.graph().features(), model.learner()).unwrap_err();
    assert!(error.to_string().contains("offset"), "{error}");

    let refused = |out: &str, key: &str, value: Value| {
        let mut params = params.clone();
        params[key] = value;
        let error = project.train(out, &step(params)).unwrap_err();
        (error.code, format!("{}; {}", error.message, error.hint.unwrap_or_default()))
    };
    let (code, told) = refused("typo", "offset", json!("ln(exposur)"));
    assert!(code == Code::Params && told.contains("names `exposur`, which is no column"), "{told}");
    let (code, told) = refused("infinite", "offset", json!("ln(exposure - exposure)"));
    assert!(code == Code::LabelValues && told.contains("no finite value in row 1"), "{told}");
    let issue = &Trainer.check(&json!({ "learner": "linear", "offset": "exposure" }))[0];
    assert!(issue.path == ["offset"] && issue.message.contains("has no `offset`"), "{issue:?}");
    assert_eq!(Trainer.check(&json!({ "learner": "gradient_boosting", "offset": "ln(" }))[0].path, ["offset"]);
}

#[test]
fn training_goes_on_as_if_it_had_never_stopped() {
    for (label, task, learner) in [
        ("kind", json!("multi_class"), json!({ "leaves": 7 })),
        ("amount", json!("regression"), json!({ "objective": "absolute_error", "leaves": 7 })),
        ("amount", json!("regression"), json!({ "objective": { "quantile": [0.2, 0.8] }, "leaves": 7 })),
        ("claims > 1", json!("binary"), json!({ "bagging_fraction": 0.7, "feature_fraction": 0.7 })),
        ("grade", json!({ "ranking": { "group": "query" } }), json!({ "leaves": 7 })),
    ] {
        let project = project(label);
        let params = |rounds: u32| {
            let mut learner = learner.clone();
            learner["rounds"] = rounds.into();
            learner["early_stopping"] = 0.into();
            json!({ "learner": { "gradient_boosting": learner }, "task": task })
        };
        project.train("whole", &step(params(20))).unwrap();
        project.train("first", &step(params(12))).unwrap();
        let mut rest = params(8);
        rest["warm_start"] = "first".into();
        project.train("rest", &step(rest)).unwrap();
        assert_eq!(project.files("whole")["learner.bin"], project.files("rest")["learner.bin"], "{label} {learner}");
        // The model of a step is an input.
        project.train_with("input", &step(params(8)), &[("base_model", "first", ArtifactType::Model)]).unwrap();
        assert_eq!(project.files("whole")["learner.bin"], project.files("input")["learner.bin"]);
    }
}

#[test]
fn classes_of_a_softmax_are_not_continued_one_against_all() {
    let project = project("kind");
    let params = |more: Value| {
        let mut learner = json!({ "rounds": 3, "early_stopping": 0 });
        learner.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "learner": { "gradient_boosting": learner } })
    };
    project.train("first", &step(params(json!({})))).unwrap();
    let mut other = params(json!({ "objective": "one_vs_all" }));
    other["warm_start"] = "first".into();
    let error = project.train("other", &step(other)).unwrap_err();
    assert!(error.message.contains("other classes or scores") && error.code == Code::Params, "{}", error.message);
}

#[test]
fn a_model_of_lightgbm_is_continued_and_what_does_not_fit_is_refused() {
    let project = project("claims > 1");
    let boosting = |more: Value| {
        let mut params = json!({ "learner": { "gradient_boosting": { "rounds": 10, "early_stopping": 0 } } });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    };
    project.train("first", &step(boosting(json!({})))).unwrap();
    let first = Model::load(project.path("first")).unwrap();
    let text = export_lightgbm(first.graph().features(), first.learner()).unwrap();
    std::fs::write(project.path("first.txt"), text).unwrap();
    project.train("more", &step(boosting(json!({ "warm_start": "first.txt" })))).unwrap();
    project.train("same", &step(boosting(json!({ "warm_start": "first" })))).unwrap();
    let [more, same] = ["more", "same"].map(|out| Model::load(project.path(out)).unwrap());
    let Learner::Trees(trees) = more.learner() else { panic!("{:?}", more.learner().kind()) };
    assert_eq!(trees.trees().len(), 20);
    let rows = [row(1.0)].map(|mut row| {
        row.as_object_mut().unwrap().remove("exposure");
        row
    });
    let of = |model: &Model| model.predict_values(&model.batch_from_rows(&rows).unwrap()).unwrap()[0];
    assert!((of(&more) - of(&same)).abs() < 1e-9, "{} {}", of(&more), of(&same));

    let refused = |out: &str, more: Value| {
        let error = project.train(out, &step(boosting(more))).unwrap_err();
        format!("{}; {}", error.message, error.hint.unwrap_or_default())
    };
    let told = refused("absent", json!({ "warm_start": "nowhere" }));
    assert!(told.contains("nowhere"), "{told}");
    std::fs::write(project.path("broken.txt"), "tree\nversion=v4\n").unwrap();
    let told = refused("broken", json!({ "warm_start": "broken.txt" }));
    assert!(told.contains("broken.txt"), "{told}");
    let told = refused("offset", json!({ "warm_start": "first", "offset": "exposure" }));
    assert!(told.contains("an offset, and the other has none"), "{told}");
    let forest = json!({ "gradient_boosting": { "boosting": "random_forest", "bagging_fraction": 0.5 } });
    let issues = Trainer.check(&json!({ "learner": forest, "warm_start": "first" }));
    assert!(issues[0].message.contains("has no `warm_start` as it is set here"), "{issues:?}");
    // A change of the model makes the step run again.
    let digest = || {
        Trainer.external_inputs(&boosting(json!({ "warm_start": "first.txt" })), project.folder.path()).unwrap()[0]
            .digest
            .clone()
    };
    let before = digest();
    std::fs::write(project.path("first.txt"), "tree\n").unwrap();
    assert_ne!(before, digest());
}
