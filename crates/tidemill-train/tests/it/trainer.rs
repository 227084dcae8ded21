//! The `Trainer` step, from a CSV file to a model package.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Float64Type;
use serde_json::{Value, json};
use tidemill_core::{CancelFlag, Code, Component, Progress};
use tidemill_data::Examples;
use tidemill_model::{Model, Task};
use tidemill_train::Trainer;

use crate::support::{LABEL, Project, Step, boosting, good_trips, step, trips};

#[test]
fn a_package_is_written_that_loads_and_predicts() {
    let project = Project::new(&good_trips(), LABEL);
    let params = json!({
        "learner": { "gradient_boosting": { "rounds": 200, "early_stopping": 10 } },
        "owner": "the pricing team",
    });
    let outcome = project.train("model", &step(params)).unwrap();

    let model = Model::load(project.path("model")).unwrap();
    let manifest = model.manifest();
    assert_eq!((manifest.name.as_str(), &manifest.task), ("taxi-tips", &Task::Binary));
    assert_eq!(model.replay_sample().unwrap().rows, 32);
    let training = &manifest.training;
    let auc = training["metrics"]["validation"]["auc"].as_f64().unwrap();
    assert!(auc > 0.9, "{auc}");
    let [learned, aside] = ["train", "validation"].map(|part| training["rows"][part].as_u64().unwrap());
    let examples = Examples::open(&project.path("examples")).unwrap();
    assert_eq!(learned + aside, examples.splits()[0].rows);
    assert!(aside.abs_diff(learned / 4) <= 1, "{learned} {aside}");
    let important: Vec<&str> =
        training["importance"].as_array().unwrap().iter().map(|one| one["feature"].as_str().unwrap()).collect();
    assert_eq!(important.len(), 2, "{important:?}");
    assert_eq!(manifest.learner.params["gradient_boosting"]["leaves"], 31);

    let properties = &outcome.properties["model"];
    assert_eq!(properties["validation_auc"], training["metrics"]["validation"]["auc"]);
    assert_eq!(properties["best_iteration"], training["best_round"]);
    let trees = properties["trees"].as_u64().unwrap();
    assert!(outcome.headline.starts_with(&format!("{trees} trees, validation log-loss 0.")), "{}", outcome.headline);
    assert!(outcome.headline.contains(&format!("best round {trees} of {}", trees + 10)), "{}", outcome.headline);
    assert_eq!(outcome.warnings, ["features that never vary and are not used: `year`"]);
    assert_eq!(outcome.tables[0].rows.len(), 2);

    let card = String::from_utf8(project.files("model")["CARD.md"].clone()).unwrap();
    assert!(card.contains("owner: the pricing team") && card.contains("## Importance\n"), "{card}");

    // The package predicts rows that training never saw.
    let (mut right, mut rows) = (0, 0);
    for batch in examples.batches("eval", None).unwrap() {
        let batch = batch.unwrap();
        let labels = model.graph().bind_label(&batch.schema()).unwrap().values(&batch).unwrap();
        for (predicted, label) in model.predict_values(&batch).unwrap().iter().zip(labels) {
            right += u32::from((*predicted > 0.5) == (label == 1.0));
            rows += 1;
        }
    }
    assert!(f64::from(right) / f64::from(rows) > 0.9);
}

#[test]
fn the_same_training_gives_the_same_bytes_at_any_number_of_threads() {
    let project = Project::new(&good_trips(), LABEL);
    let params = boosting(&json!({ "rounds": 15, "bagging_fraction": 0.7 }));
    project.train("one", &Step { threads: 1, ..step(params.clone()) }).unwrap();
    project.train("four", &Step { threads: 4, ..step(params.clone()) }).unwrap();
    assert_eq!(project.files("one"), project.files("four"));
    let seed = json!({ "learner": params["learner"], "seed": 7 });
    project.train("seed", &step(seed)).unwrap();
    assert_ne!(project.files("one")["learner.bin"], project.files("seed")["learner.bin"]);
    let written = project.files("one").into_values().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(written.into_iter().all(|text| !text.contains("a-run-id")));
}

#[test]
fn a_number_is_a_regression() {
    let csv = trips(2000, |_, miles| format!("{:.2}", miles * 2.0));
    let project = Project::new(&csv, "tips");
    let outcome = project.train("model", &step(boosting(&json!({ "rounds": 60 })))).unwrap();
    assert!(outcome.headline.contains(" trees, validation RMSE "), "{}", outcome.headline);
    let model = Model::load(project.path("model")).unwrap();
    assert_eq!(model.manifest().task, Task::Regression);
    let rows = [json!({ "miles": 8.0, "payment": "red", "year": 2016 })];
    let predicted = model.predict_values(&model.batch_from_rows(&rows).unwrap()).unwrap();
    assert!((predicted[0] - 16.0).abs() < 1.0, "{predicted:?}");
}

#[test]
fn labels_that_cannot_be_learned_are_refused_with_the_split() {
    let refused = |csv: String, label: &str, task: Option<&str>| {
        let project = Project::new(&csv, label);
        let error = project.train("model", &step(json!({ "learner": { "gradient_boosting": {} }, "task": task })));
        let error = error.unwrap_err();
        assert_eq!(project.files("model"), BTreeMap::new());
        (error.code, error.message)
    };
    let (code, message) = refused(trips(300, |_, _| "0.0".to_owned()), LABEL, None);
    assert_eq!(code, Code::LabelConstant);
    assert_eq!(message, "label `big_tip` is 0 in every row of split `train`");

    let one_missing = |hash: u32, _: f64| if hash.is_multiple_of(50) { String::new() } else { (hash % 5).to_string() };
    let (code, message) = refused(trips(300, one_missing), LABEL, None);
    assert_eq!(code, Code::LabelMissing);
    assert!(message.contains("rows of split `train`, first in row "), "{message}");

    let (code, message) = refused(trips(300, |hash, _| (hash % 3).to_string()), "tips", Some("binary"));
    assert_eq!(code, Code::LabelValues);
    assert!(message.starts_with("label `big_tip` is 2 in row ") && message.contains("`train`"), "{message}");
}

#[test]
fn an_unknown_split_is_refused_with_those_there_are() {
    let project = Project::new(&good_trips(), LABEL);
    let params = json!({ "learner": { "gradient_boosting": {} }, "splits": { "train": "test" } });
    let error = project.train("model", &step(params)).unwrap_err();
    let text = format!("{} {:?}", error.message, error.hint);
    assert!(text.contains("`test`") && text.contains("eval"), "{text}");
}

#[test]
fn bad_parameters_are_refused_without_data() {
    let issues = Trainer.check(&boosting(&json!({ "learning_rate": -0.1 })));
    assert_eq!(issues[0].path, ["learner", "gradient_boosting", "learning_rate"]);
    let schema = serde_json::to_string(&Trainer.params_schema()).unwrap();
    assert!(schema.contains("gradient_boosting") && schema.contains("early_stopping"));
}

/// Remembers phases, and cancels at the third round.
struct Watch {
    phases: Mutex<Vec<String>>,
    cancel: CancelFlag,
}

impl Progress for Watch {
    fn total_rows(&self, _rows: u64) {}
    fn advance(&self, _rows: u64) {}
    fn phase(&self, text: &str) {
        self.phases.lock().unwrap().push(text.to_owned());
        if text.starts_with("round 3 of") {
            self.cancel.cancel();
        }
    }
}

#[test]
fn rounds_are_told_and_a_cancelled_training_writes_nothing() {
    let project = Project::new(&good_trips(), LABEL);
    let watch = Watch { phases: Mutex::new(Vec::new()), cancel: CancelFlag::default() };
    let params = boosting(&json!({ "rounds": 300 }));
    let cancelled = project.train("model", &Step { progress: &watch, cancel: watch.cancel.clone(), ..step(params) });
    assert_eq!(cancelled.unwrap_err().code, Code::Canceled);
    assert_eq!(project.files("model"), BTreeMap::new());
    let phases = watch.phases.into_inner().unwrap();
    assert_eq!(phases.len(), 5);
    assert!(phases[4].starts_with("round 3 of 300 · validation log-loss 0."), "{phases:?}");
}

/// A label of as many values as `names`, told by the miles and the payment.
fn classes(names: &'static [&'static str]) -> String {
    trips(3000, move |hash, miles| {
        let green = (hash >> 8) % 4 == 2;
        let place = if green { 2 } else { usize::from(miles > 5.0) };
        names[place % names.len()].to_owned()
    })
}

#[test]
fn text_of_three_values_is_learned_as_classes() {
    let project = Project::new(&classes(&["cash", "card", "app"]), "tips");
    for (out, learner) in [("boosted", "gradient_boosting"), ("linear", "linear")] {
        let outcome = project.train(out, &step(json!({ "learner": learner }))).unwrap();
        let model = Model::load(project.path(out)).unwrap();
        assert_eq!(model.task().classes(), ["app", "card", "cash"]);
        let names: Vec<&str> = model.signature().outputs.iter().map(|output| output.name.as_str()).collect();
        assert_eq!(names, ["class", "probabilities[app]", "probabilities[card]", "probabilities[cash]"]);
        assert_eq!(model.replay_sample().unwrap().rows, 32);
        // Boosting stops by rows that it keeps aside; a linear model learns from all.
        let part = if out == "boosted" { "validation" } else { "train" };
        assert!(outcome.headline.contains(&format!("{part} log-loss 0.")), "{}", outcome.headline);
        let metrics = &model.manifest().training["metrics"][part];
        assert!(metrics["accuracy"].as_f64().unwrap() > 0.8, "{out}: {metrics}");
        let counts = model.manifest().training["classes"]["train"].as_object().unwrap();
        assert_eq!(counts.keys().collect::<Vec<_>>(), ["app", "card", "cash"]);
        let rows = [json!({ "miles": 8.0, "payment": "green", "year": 2016 })];
        let predictions = model.predict(&model.batch_from_rows(&rows).unwrap()).unwrap();
        assert_eq!(predictions.column(0).as_string::<i32>().value(0), "app");
        // The ONNX model beside it says the same.
        let files = project.files(out);
        let onnx = tidemill_onnx::parse(&files["model.onnx"], Path::new("model.onnx")).unwrap();
        let batch = onnx.batch_from_rows(&rows).unwrap();
        let other = onnx.predict(&batch).unwrap();
        assert_eq!(other.column(0).as_string::<i32>().value(0), "app");
        for column in 1..4 {
            let value = |batch: &RecordBatch| batch.column(column).as_primitive::<Float64Type>().value(0);
            assert!((value(&predictions) - value(&other)).abs() < 1e-12);
        }
    }
}

#[test]
fn whole_numbers_of_few_values_are_classes_and_the_guess_is_said() {
    let project = Project::new(&classes(&["3", "4", "5"]), "tips");
    let outcome = project.train("model", &step(boosting(&json!({ "rounds": 20 })))).unwrap();
    let model = Model::load(project.path("model")).unwrap();
    assert_eq!(model.task().classes(), ["3", "4", "5"]);
    let guess = &outcome.warnings[0];
    assert!(
        guess.starts_with("label `big_tip` has 3 whole numbers, 3 (") && guess.contains("`task: regression`"),
        "{guess}"
    );
    let asked = json!({ "learner": "gradient_boosting", "task": "regression" });
    let outcome = project.train("regression", &step(asked)).unwrap();
    assert_eq!(*Model::load(project.path("regression")).unwrap().task(), Task::Regression);
    assert!(outcome.warnings.iter().all(|warning| !warning.contains("big_tip")), "{:?}", outcome.warnings);
}

#[test]
fn two_values_of_any_spelling_become_a_condition() {
    for (names, expression) in [(&["no", "yes"], "tips = 'yes'"), (&["1", "2"], "tips = 2")] {
        let project = Project::new(&classes(names), "tips");
        let outcome = project.train("model", &step(boosting(&json!({ "rounds": 20 })))).unwrap();
        let model = Model::load(project.path("model")).unwrap();
        assert_eq!((model.task(), model.manifest().label.expression.as_str()), (&Task::Binary, expression));
        assert_eq!(model.graph().label().unwrap().expression, expression);
        assert!(outcome.warnings[0].contains("has two values"), "{:?}", outcome.warnings);
        assert!(model.manifest().training["metrics"]["validation"]["auc"].as_f64().unwrap() > 0.9);
    }
}

#[test]
fn a_label_that_contradicts_the_task_is_shown_with_its_values_and_the_line_to_write() {
    let refused = |csv: String, task: &str| {
        let project = Project::new(&csv, "tips");
        let error = project.train("model", &step(json!({ "learner": "linear", "task": task }))).unwrap_err();
        assert_eq!((error.code, project.files("model")), (Code::LabelValues, BTreeMap::new()));
        (error.message, error.hint.unwrap())
    };
    let three: &[&str] = &["a", "b", "c"];
    let (message, hint) = refused(classes(three), "regression");
    assert!(
        message.starts_with(
            "label `big_tip` is text, and a regression learns numbers; its values in split `train` are a ("
        ),
        "{message}"
    );
    assert_eq!(hint, "write `task: multi_class`");
    let (message, hint) = refused(classes(three), "binary");
    assert!(message.contains("more than two values") && message.contains("c ("), "{message}");
    assert_eq!(hint, "write `task: multi_class`");
    let (message, hint) = refused(classes(&["0", "1", "2"]), "binary");
    assert!(message.contains("it has 0 (") && hint.contains("`task: multi_class`"), "{message}; {hint}");
    let (message, hint) = refused(classes(&["0.5", "1", "2"]), "multi_class");
    assert!(message.contains("is 0.5 in some rows") && hint == "write `task: regression`", "{message}; {hint}");
}

#[test]
fn a_linear_model_is_trained_packaged_and_exported() {
    let project = Project::new(&good_trips(), LABEL);
    let outcome = project.train("model", &step(json!({ "learner": { "linear": { "l2": 0.1 } } }))).unwrap();
    let model = Model::load(project.path("model")).unwrap();
    assert_eq!((model.manifest().learner.kind.as_str(), model.task()), ("linear", &Task::Binary));
    assert_eq!(model.replay_sample().unwrap().rows, 32);
    let training = &model.manifest().training;
    assert!(training["converged"].as_bool().unwrap() && training["metrics"]["train"]["auc"].as_f64().unwrap() > 0.8);
    assert_eq!(training["rows"].as_object().unwrap().keys().collect::<Vec<_>>(), ["train"]);
    assert!(outcome.headline.contains("weights, train log-loss 0."), "{}", outcome.headline);
    assert!(project.files("model").contains_key("model.onnx"));
    project.train("again", &Step { threads: 1, ..step(json!({ "learner": { "linear": { "l2": 0.1 } } })) }).unwrap();
    assert_eq!(project.files("model"), project.files("again"));
}

/// Which rows of the training split are kept aside, and how.
#[test]
fn validation_rows_are_kept_aside_as_the_splits_were_made() {
    let rows = |project: &Project, out: &str, params: &Value| {
        project.train(out, &step(params.clone())).unwrap();
        let model = Model::load(project.path(out)).unwrap();
        let rows = &model.manifest().training["rows"];
        (rows["train"].as_u64().unwrap(), rows["validation"].as_u64())
    };
    let project = Project::new(&good_trips(), LABEL);
    let split = Examples::open(&project.path("examples")).unwrap().splits()[0].rows;
    let boosting = |more: Value| {
        let mut params = json!({ "learner": { "gradient_boosting": { "rounds": 5 } } });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    };
    let (learned, aside) = rows(&project, "half", &boosting(json!({ "validation": 0.5 })));
    assert_eq!(learned + aside.unwrap(), split);
    assert!(learned.abs_diff(split / 2) <= 1);
    // Groups stay whole: payments come in four kinds.
    let by = json!({ "validation": { "share": 0.25, "by": ["payment"] } });
    let (learned, aside) = rows(&project, "groups", &boosting(by));
    assert!(
        learned + aside.unwrap() == split && aside.unwrap().abs_diff(split / 4) < split / 20,
        "{learned} {aside:?}"
    );
    // A split of its own is taken whole, and nothing without early stopping.
    assert_eq!(rows(&project, "own", &boosting(json!({ "validation": "eval" }))), (split, Some(3000 - split)));
    let all = json!({ "learner": { "gradient_boosting": { "rounds": 5, "early_stopping": 0 } } });
    assert_eq!(rows(&project, "all", &all), (split, None));
    // One time and one group leave nothing to keep aside, which is said.
    let one = boosting(json!({ "validation": { "by_time": "year" } }));
    let outcome = project.train("one", &step(one)).unwrap();
    assert!(outcome.warnings[0].starts_with("no rows could be kept aside"), "{:?}", outcome.warnings);
    let unknown = boosting(json!({ "validation": { "by": ["paymnt"] } }));
    let error = project.train("unknown", &step(unknown)).unwrap_err();
    assert!(error.message.contains("paymnt") && error.hint.unwrap().contains("`payment`"), "{}", error.message);
}

#[test]
fn weights_say_how_much_rows_count() {
    let project = Project::new(&good_trips(), LABEL);
    let mean = |out: &str, params: Value| {
        let out = format!("{out}-{}", params["learner"].as_str().unwrap());
        project.train(&out, &step(params)).unwrap();
        let model = Model::load(project.path(&out)).unwrap();
        let examples = Examples::open(&project.path("examples")).unwrap();
        let (mut sum, mut rows) = (0.0, 0);
        for batch in examples.batches("eval", None).unwrap() {
            let predicted = model.predict_values(&batch.unwrap()).unwrap();
            sum += predicted.iter().sum::<f64>();
            rows += predicted.len();
        }
        sum / rows as f64
    };
    for learner in ["gradient_boosting", "linear"] {
        let plain = mean("plain", json!({ "learner": learner }));
        let raised = mean("raised", json!({ "learner": learner, "class_weights": { "true": 8 } }));
        let lowered = mean("lowered", json!({ "learner": learner, "class_weights": { "1": 0.1 } }));
        assert!(lowered < plain - 0.02 && raised > plain + 0.02, "{learner}: {lowered} {plain} {raised}");
        // A column of ones changes nothing but the arithmetic.
        let ones = mean("ones", json!({ "learner": learner, "weight": "year" }));
        assert!((ones - plain).abs() < 0.02, "{learner}: {ones} {plain}");
        mean("balanced", json!({ "learner": learner, "class_weights": "balanced" }));
    }
    let refused = |out: &str, params: Value| {
        let error = project.train(out, &step(params)).unwrap_err();
        format!("{}; {}", error.message, error.hint.unwrap())
    };
    let told = refused("text", json!({ "learner": "linear", "weight": "payment" }));
    assert!(told.contains("weight `payment` holds no numbers"), "{told}");
    let told = refused("missing", json!({ "learner": "linear", "weight": "miles" }));
    assert!(told.contains("`miles` has no value") && told.contains("of split `train`"), "{told}");
    let told = refused("class", json!({ "learner": "linear", "class_weights": { "yes": 2 } }));
    assert!(told.contains("names `yes`") && told.contains("there are 0, false, 1, true"), "{told}");
}
