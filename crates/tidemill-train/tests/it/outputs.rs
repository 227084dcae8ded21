//! Models of several numbers: quantiles, labels, classes against all others.

use std::fmt::Write as _;
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Float64Type;
use serde_json::{Value, json};
use tidemill_core::{Code, Component, LabelSet, Task};
use tidemill_data::Examples;
use tidemill_model::{Model, SumRule, TransformGraph};
use tidemill_train::Trainer;

use crate::support::{Draw, Project, Step, numbers, step};

const FEATURES: [&str; 3] = ["a", "b", "c"];

/// Rows with an amount whose spread grows with `a`, two labels, and a class.
fn project(label: &str) -> Project {
    project_with(&numbers(&FEATURES, label))
}

fn project_with(graph: &TransformGraph) -> Project {
    let mut draw = Draw(7);
    let head = "a,b,c,amount,late,damaged,kind\n".to_owned();
    let (mut train, mut eval) = (head.clone(), head);
    for row in 0..4000 {
        let [a, b, c] = std::array::from_fn(|_| draw.next());
        let amount = 10.0 * b + 8.0 * a * (draw.next() - 0.5);
        let late = u8::from(a + 0.2 * draw.next() > 0.6);
        let damaged = draw.next() < b * c;
        let kind = ["low", "middle", "high"][usize::from(a + b > 0.7) + usize::from(a + b > 1.3)];
        let csv = if row % 4 == 0 { &mut eval } else { &mut train };
        let _ = writeln!(csv, "{a},{b},{c},{amount},{late},{damaged},{kind}");
    }
    Project::split(&train, &eval, graph)
}

/// What the package predicts for the rows that nothing was learned from, a column for each number, and these rows.
fn predicted(project: &Project, out: &str) -> (Model, RecordBatch, Vec<Vec<f64>>) {
    let model = Model::load(project.path(out)).unwrap();
    assert_eq!(model.replay_sample().unwrap().rows, 32);
    let examples = Examples::open(&project.path("examples")).unwrap();
    let batch = examples.batches("eval", None).unwrap().next().unwrap().unwrap();
    let columns = model.predict_columns(&batch).unwrap().to_vec();
    // The ONNX model of the package says the same of the first rows.
    let onnx = tidemill_onnx::parse(&project.files(out)["model.onnx"], Path::new("model.onnx")).unwrap();
    let features = |row: usize| -> Value {
        let value = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Float64Type>().value(row);
        FEATURES.iter().map(|name| ((*name).to_owned(), json!(value(name)))).collect::<serde_json::Map<_, _>>().into()
    };
    let rows: Vec<Value> = (0..50).map(features).collect();
    let theirs = onnx.predict(&onnx.batch_from_rows(&rows).unwrap()).unwrap();
    let first = theirs.num_columns() - columns.len();
    for (at, column) in columns.iter().enumerate() {
        let theirs = theirs.column(first + at).as_primitive::<Float64Type>();
        for row in 0..50 {
            assert!((column[row] - theirs.value(row)).abs() < 1e-12, "{out}: output {at}, row {row}");
        }
    }
    (model, batch, columns)
}

#[test]
fn several_quantiles_are_outputs_that_never_cross() {
    let project = project("amount");
    let learner = json!({ "gradient_boosting": { "objective": { "quantile": [0.1, 0.5, 0.9] }, "rounds": 200, "leaves": 8, "min_data_in_leaf": 100 } });
    let outcome = project.train("model", &step(json!({ "learner": learner }))).unwrap();
    assert!(outcome.headline.contains("validation pinball loss "), "{}", outcome.headline);
    let (model, batch, columns) = predicted(&project, "model");
    assert_eq!(*model.task(), Task::Quantiles { levels: ["0.1", "0.5", "0.9"].map(str::to_owned).to_vec() });
    let names: Vec<&str> = model.signature().outputs.iter().map(|output| output.name.as_str()).collect();
    assert_eq!(names, ["quantiles[0.1]", "quantiles[0.5]", "quantiles[0.9]"]);
    let amounts = batch.column_by_name("amount").unwrap().as_primitive::<Float64Type>();
    for (level, column) in [0.1, 0.5, 0.9].into_iter().zip(&columns) {
        let below = (0..column.len()).filter(|row| amounts.value(*row) <= column[*row]).count() as f64;
        assert!((below / column.len() as f64 - level).abs() < 0.05, "{level}: {below} of {}", column.len());
    }
    assert!((0..columns[0].len()).all(|row| columns[0][row] <= columns[1][row] && columns[1][row] <= columns[2][row]));
    assert!(model.manifest().training["metrics"]["validation"]["pinball_loss"].as_f64().unwrap() < 1.0);
    // A prediction of several numbers is explained number by number.
    let explained = model.explain(&batch.slice(0, 5)).unwrap().unwrap();
    assert_eq!(explained.outputs, ["0.1", "0.5", "0.9"]);
    for (row, of_row) in explained.rows.iter().enumerate() {
        for (of_level, column) in of_row.iter().zip(&columns) {
            assert!((of_level.score() - column[row]).abs() < 1e-9);
        }
    }
    project.train("again", &Step { threads: 1, ..step(json!({ "learner": learner })) }).unwrap();
    assert_eq!(project.files("model"), project.files("again"));
}

#[test]
fn several_labels_are_learned_from_columns_and_conditions() {
    let project = project("late");
    let labels = json!({ "is_late": "late = 1", "damaged": "damaged" });
    let params = json!({ "learner": { "gradient_boosting": { "rounds": 60 } }, "task": { "multi_label": { "labels": labels } } });
    project.train("model", &step(params.clone())).unwrap();
    let (model, batch, columns) = predicted(&project, "model");
    assert_eq!(*model.task(), Task::MultiLabel { labels: ["damaged", "is_late"].map(str::to_owned).to_vec() });
    let names: Vec<&str> = model.signature().outputs.iter().map(|output| output.name.as_str()).collect();
    assert_eq!(names, ["probabilities[damaged]", "probabilities[is_late]"]);
    let truth = model.graph().bind_label(&batch.schema()).unwrap().values(&batch).unwrap();
    let right = |at: usize| {
        let rows =
            (0..truth.len()).filter(|row| LabelSet::from_value(truth[*row]).has(at) == (columns[at][*row] > 0.5));
        rows.count() as f64 / truth.len() as f64
    };
    assert!(right(0) > 0.7 && right(1) > 0.85, "{} {}", right(0), right(1));
    let training = &model.manifest().training;
    assert!(training["metrics"]["validation"]["auc"].as_f64().unwrap() > 0.8, "{training}");
    assert!(training["labels"]["train"]["damaged"].as_u64().unwrap() > 100);
    // Each label is learned as a model of its own would learn it, in the same rounds.
    let mut alone = params.clone();
    alone["task"] = json!({ "multi_label": { "labels": { "is_late": "late = 1" } } });
    alone["learner"] = json!({ "gradient_boosting": { "rounds": 10, "early_stopping": 0 } });
    project.train("alone", &step(alone.clone())).unwrap();
    alone["task"] = params["task"].clone();
    project.train("both", &step(alone)).unwrap();
    let [alone, both] = ["alone", "both"].map(|out| Model::load(project.path(out)).unwrap());
    assert_eq!(alone.learner().tree_sums()[0], both.learner().tree_sums()[1]);

    let refused = |out: &str, labels: Value| {
        let params = json!({ "learner": "gradient_boosting", "task": { "multi_label": { "labels": labels } } });
        let error = project.train(out, &step(params)).unwrap_err();
        format!("{}; {}", error.message, error.hint.unwrap_or_default())
    };
    let told = refused("amount", json!(["late", "amount"]));
    assert!(told.contains("amount") && told.contains("true or false, or 0 and 1"), "{told}");
    let told = refused("constant", json!({ "late": "late", "never": "late > 5" }));
    assert!(told.contains("`never` is false in every row"), "{told}");
    let issues = Trainer
        .check(&json!({ "learner": "gradient_boosting", "task": { "multi_label": { "labels": ["late", "late"] } } }));
    assert!(issues[0].message.contains("`late` is twice"), "{issues:?}");
    let issues = Trainer.check(&json!({ "learner": "linear", "task": { "multi_label": { "labels": ["late"] } } }));
    assert!(issues[0].message.contains("cannot learn the task `multi_label`"), "{issues:?}");
}

#[test]
fn classes_are_learned_against_all_others() {
    let project = project("kind");
    for (out, learner) in [
        ("ours", json!({ "gradient_boosting": { "objective": "one_vs_all", "rounds": 60 } })),
        ("theirs", json!({ "lightgbm": { "objective": "multiclassova" } })),
    ] {
        project.train(out, &step(json!({ "learner": learner }))).unwrap();
        let (model, batch, columns) = predicted(&project, out);
        assert_eq!(model.task().classes(), ["high", "low", "middle"]);
        let tidemill_model::Learner::ClassTrees(trees) = model.learner() else {
            panic!("{:?}", model.learner().kind())
        };
        assert_eq!(trees.rule(), SumRule::OneVsAll);
        let sum = |row: usize| columns.iter().map(|column| column[row]).sum::<f64>();
        assert!((0..batch.num_rows()).all(|row| (sum(row) - 1.0).abs() < 1e-12));
        let classes = model.predict(&batch).unwrap();
        let (found, truth) =
            (classes.column(0).as_string::<i32>(), batch.column_by_name("kind").unwrap().as_string::<i32>());
        let right = (0..batch.num_rows()).filter(|row| found.value(*row) == truth.value(*row)).count();
        assert!(right as f64 > 0.95 * batch.num_rows() as f64, "{right}");
    }
    let asked = json!({ "learner": { "gradient_boosting": { "objective": "one_vs_all" } }, "task": "regression" });
    assert!(Trainer.check(&asked)[0].message.contains("cannot learn the task `regression`"));
}

#[test]
fn a_label_among_the_features_is_refused() {
    let project = project_with(&numbers(&FEATURES, "amount"));
    let labels = json!({ "large": "a > 0.5", "late": "late = 1" });
    let params = json!({ "learner": "gradient_boosting", "task": { "multi_label": { "labels": labels } } });
    let error = project.train("model", &step(params)).unwrap_err();
    assert!(error.message.contains("`a`"), "{}", error.message);
    assert_ne!(error.code, Code::Internal);
}
