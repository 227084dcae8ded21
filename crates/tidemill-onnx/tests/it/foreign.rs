//! Models of LightGBM and XGBoost say here what they say there. How the numbers were made: `foreign/make.py`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::datatypes::{DataType as ArrowType, Field, Float64Type, Schema};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use tidemill_core::{DataType, TensorSpec};
use tidemill_model::{
    Feature, FeatureKind, FeatureSpec, ImportedLearner, ImportedModel, LabelSpec, Learner, LoadedModel, Model,
    PackageParts, Source, Task, TransformGraph, write_package_with,
};
use tidemill_onnx::{OnnxExporter, load_model, load_package, parse};

#[derive(Deserialize)]
struct Expected {
    rows: Vec<Vec<Value>>,
    predictions: Value,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign")
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Null => f64::NAN,
        Value::String(text) => text.parse().unwrap(),
        value => value.as_f64().unwrap(),
    }
}

fn batch(model: &LoadedModel, rows: &[Vec<Value>]) -> RecordBatch {
    let columns = model.signature().inputs.iter().enumerate().map(|(at, input)| {
        let values: Float64Array = rows.iter().map(|row| number(&row[at])).collect();
        (input.name.as_str(), Arc::new(values) as ArrayRef)
    });
    RecordBatch::try_from_iter(columns).unwrap()
}

fn rows_of(batch: &RecordBatch) -> Vec<Vec<f64>> {
    let columns: Vec<_> = batch.columns().iter().map(AsArray::as_primitive::<Float64Type>).collect();
    (0..batch.num_rows()).map(|row| columns.iter().map(|column| column.value(row)).collect()).collect()
}

#[test]
fn predictions_are_those_of_the_library_that_wrote_the_model() {
    let expected = std::fs::read(folder().join("expected.json")).unwrap();
    let expected: BTreeMap<String, Expected> = serde_json::from_slice(&expected).unwrap();
    let mut wrong = Vec::new();
    for (name, Expected { rows, predictions }) in &expected {
        let model = load_model(folder().join(name)).unwrap();
        let predicted = rows_of(&model.predict(&batch(&model, rows)).unwrap());
        assert_eq!(predicted.len(), rows.len());
        // LightGBM adds in 64 bits as we do, XGBoost in 32.
        let tolerance = if name.ends_with("txt") { 1e-14 } else { 2e-6 };
        for (at, (got, expected)) in predicted.iter().zip(predictions.as_array().unwrap()).enumerate() {
            let expected: Vec<f64> = match expected {
                Value::Array(several) => several.iter().map(number).collect(),
                one => vec![number(one)],
            };
            assert_eq!(got.len(), expected.len(), "{name}");
            let far = |(got, expected): (&f64, &f64)| (got - expected).abs() > tolerance * expected.abs().max(1.0);
            if got.iter().zip(&expected).any(far) {
                wrong.push(format!("{name} row {at} {:?}: {got:?}, expected {expected:?}", rows[at]));
            }
        }
        // A row alone gives the same bits.
        let first = model.predict(&batch(&model, &rows[..1])).unwrap();
        assert_eq!(rows_of(&first)[0], predicted[0], "{name}");
    }
    assert!(wrong.is_empty(), "{}\n{} in all", wrong[..wrong.len().min(20)].join("\n"), wrong.len());
    assert_eq!(expected.len(), 25);
}

#[test]
fn what_a_client_sees_is_what_the_file_says() {
    let load = |name: &str| load_model(folder().join(name)).unwrap();
    let model = load("binary.txt");
    let names: Vec<&str> = model.signature().inputs.iter().map(|input| input.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "d", "kind"]);
    assert_eq!((model.task(), model.signature().outputs[0].name.as_str()), (Some(&Task::Binary), "probability"));
    assert_eq!(load("squared.json").task(), Some(&Task::Regression));
    let model = load("multiclass.txt");
    let tensors = model.signature().output_tensors();
    assert_eq!((tensors.len(), tensors[0].name, tensors[0].width), (1, "probabilities", Some(3)));
    let LoadedModel::Imported(model) = load("dart.json") else { panic!("no package") };
    assert_eq!(model.format(), "XGBoost JSON");
    assert!(model.facts().contains(&("objective", "binary:logistic".to_owned())), "{:?}", model.facts());
}

#[test]
fn a_folder_with_one_model_file_is_that_model() {
    let dir = tempfile::tempdir().unwrap();
    assert!(load_model(dir.path()).unwrap_err().to_string().contains("model.json"));
    // As XGBoost's users call it.
    std::fs::copy(folder().join("squared.json"), dir.path().join("model.json")).unwrap();
    assert!(matches!(load_model(dir.path()).unwrap(), LoadedModel::Imported(_)));
    std::fs::rename(dir.path().join("model.json"), dir.path().join("a.json")).unwrap();
    assert!(matches!(load_model(dir.path()).unwrap(), LoadedModel::Imported(_)));
    std::fs::copy(folder().join("binary.txt"), dir.path().join("b.txt")).unwrap();
    let error = load_model(dir.path()).unwrap_err().to_string();
    assert!(error.contains("`a.json`, `b.txt`"), "{error}");
}

fn refusal(name: &str, change: impl Fn(String) -> String) -> String {
    let text = std::fs::read_to_string(folder().join(name)).unwrap();
    let changed = change(text.clone());
    assert_ne!(changed, text);
    parse(changed.as_bytes(), Path::new(name)).unwrap_err().to_string()
}

#[test]
fn what_cannot_be_run_is_refused_by_name() {
    let swap = |from: &'static str, to: &'static str| move |text: String| text.replace(from, to);
    for (name, from, to, expected) in [
        ("regression.txt", "objective=regression", "objective=huber sqrt", "`huber sqrt`"),
        ("regression.txt", "objective=regression", "objective=magic", "`magic`"),
        ("regression.txt", "is_linear=0", "is_linear=1", "linear leaves"),
        ("regression.txt", "version=v4", "version=v9", "its format is v9"),
        ("regression.txt", "left_child=1", "left_child=x", "`left_child` holds `x`"),
        ("regression.txt", "num_leaves=8", "num_leaves=80000000", "where 80000000 are expected"),
        ("regression.txt", "max_feature_idx=4", "max_feature_idx=18446744073709551615", "5 names"),
        ("regression.txt", "end of trees", "", "cut short"),
        ("regression.txt", "Tree=1", "Tree=7", "tree 7 where tree 1 is expected"),
        ("squared.json", "reg:squarederror", "reg:magic", "`reg:magic`"),
        ("squared.json", "gbtree\"}", "gblinear\"}", "`weights` has 0 values"),
        ("squared.json", "gbtree\"}", "gbnet\"}", "the booster `gbnet` is not run"),
        ("squared.json", "\"num_feature\":\"5\"", "\"num_feature\":\"4000000000\"", "4000000000"),
        ("squared.json", "\"size_leaf_vector\":\"1\"", "\"size_leaf_vector\":\"3\"", "vector in each leaf"),
        ("squared.json", "\"left_children\":[1", "\"left_children\":[0", "tree 0: "),
        ("squared.json", "\"left_children\":[1", "\"left_children\":[999", "tree 0: there is no node 999"),
    ] {
        let error = refusal(name, swap(from, to));
        assert!(error.contains(name) && error.contains(expected), "{error}");
    }
    for (bytes, expected) in [
        (&b""[..], "empty"),
        (b"hello", "neither ONNX, LightGBM's text nor XGBoost's JSON"),
        (b"{L\0\0\0\0\0\0\0\x07learner", "cut short"),
        (b"{L\0\0\0\0\0\0\0\x07learner{$Z#L\x7f\0\0\0\0\0\0\0", "cut short"),
        (b"{\"a\": 1}", "not a model of XGBoost"),
        (b"\x1c\0\0\0TFL3", "TFLite"),
        (b"{\"learner\": 1}", "line 1"),
    ] {
        let error = parse(bytes, Path::new("m")).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

proptest! {
    #[test]
    fn damaged_files_never_panic(
        pick in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let names = ["categories.json", "dart.json", "multiclass.txt", "zero_missing.txt"];
        let mut bytes = std::fs::read(folder().join(pick.get(&names))).unwrap();
        prop_assert!(parse(&bytes[..cut.index(bytes.len() / 2)], Path::new("m")).is_err());
        for (at, value) in damage {
            let at = at.index(bytes.len());
            // Digits for digits reach further than letters.
            bytes[at] = if bytes[at].is_ascii_digit() { b'0' + value % 10 } else { value };
        }
        if let Ok(model) = parse(&bytes, Path::new("m")) {
            let nulls = model.batch_from_rows(&[serde_json::json!({})]).unwrap();
            let _ = model.predict(&nulls);
        }
    }
}

/// A package whose learner is the model of LightGBM or XGBoost in `name`, behind a transform graph.
fn imported(name: &str, kind: &str, task: Task) -> (tempfile::TempDir, ImportedModel) {
    let path = folder().join(name);
    let bytes = std::fs::read(&path).unwrap();
    let inputs = parse(&bytes, &path).unwrap().signature().inputs.clone();
    // Columns of other names, doubled and halved again: the graph is really in between.
    let raw = |at: usize| format!("raw_{at}");
    let specs = (0..inputs.len()).map(|at| TensorSpec::new(raw(at), DataType::Fp64, true)).collect();
    let features = inputs
        .iter()
        .enumerate()
        .map(|(at, input)| Feature {
            name: input.name.clone(),
            source: Source::Expression(format!("raw_{at} * 2.0 / 2.0")),
            mappers: Vec::new(),
        })
        .collect();
    let label = LabelSpec::new("y", "y");
    let graph = TransformGraph::new(specs, Some(label.clone()), features).unwrap();
    let model = parse(&bytes, &path).unwrap();
    let learner = ImportedLearner::new(kind, &bytes, model, task.clone(), graph.features()).unwrap();
    let columns: Vec<ArrayRef> = (0..inputs.len())
        .map(|at| {
            Arc::new(Float64Array::from_iter_values((0..8).map(|row| f64::from(row * 3 + at as i32 % 5) / 7.0)))
                as ArrayRef
        })
        .collect();
    let fields: Vec<Field> = (0..inputs.len()).map(|at| Field::new(raw(at), ArrowType::Float64, true)).collect();
    let parts = PackageParts {
        name: "imported".into(),
        pipeline: "p".into(),
        label,
        task,
        graph,
        learner: Learner::Imported(learner),
        learner_params: json!({}),
        training: json!({}),
        decision_threshold: None,
        schema_digest: None,
        sample: RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap(),
        card: String::new(),
    };
    let dir = tempfile::tempdir().unwrap();
    write_package_with(dir.path(), &parts, &[&OnnxExporter]).unwrap();
    (dir, parse(&bytes, &path).unwrap())
}

#[test]
fn a_package_may_hold_the_model_of_another_program() {
    let classes = Task::MultiClass { classes: ["a", "b", "c"].map(str::to_owned).to_vec() };
    for (name, kind, task) in [
        ("binary.txt", "lightgbm", Task::Binary),
        ("multiclass.txt", "lightgbm", classes.clone()),
        ("squared.json", "xgboost", Task::Regression),
        ("softprob.json", "xgboost", classes),
    ] {
        let (dir, alone) = imported(name, kind, task.clone());
        let model = load_package(dir.path()).unwrap();
        assert_eq!((model.task(), model.manifest().learner.kind.as_str()), (&task, kind));
        assert_eq!(model.manifest().learner.tolerance, Some(ImportedLearner::TOLERANCE));
        assert_eq!(model.replay_sample().unwrap().rows, 8, "{name}");
        // What the model says alone of the same numbers.
        let sample = &model.sample_rows()[3];
        let values: serde_json::Map<String, Value> = alone
            .signature()
            .inputs
            .iter()
            .enumerate()
            .map(|(at, input)| (input.name.clone(), sample.row[format!("raw_{at}")].clone()))
            .collect();
        let said = alone.predict(&alone.batch_from_rows(&[Value::Object(values)]).unwrap()).unwrap();
        for (column, recorded) in sample.prediction.iter().enumerate() {
            let said = said.column(column).as_primitive::<Float64Type>().value(0);
            assert!((said - recorded).abs() < 1e-9, "{name}: {said} {recorded}");
        }
        // Without a reader of such models, and with a kind that nobody knows.
        let error = Model::load(dir.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("`{kind}`")), "{error}");
        let path = dir.path().join("model.json");
        let manifest =
            std::fs::read_to_string(&path).unwrap().replace(&format!("\"kind\": \"{kind}\""), "\"kind\": \"oracle\"");
        std::fs::write(&path, manifest).unwrap();
        let error = load_package(dir.path()).unwrap_err().to_string();
        assert!(
            error.contains(
                "a learner of the kind `oracle`, and this version of Tidemill has trees, class_trees, linear, network"
            ),
            "{error}"
        );
    }
}

#[test]
fn a_model_whose_numbers_do_not_fit_the_task_is_refused() {
    let path = folder().join("multiclass.txt");
    let bytes = std::fs::read(&path).unwrap();
    let model = || parse(&bytes, &path).unwrap();
    let features: Vec<FeatureSpec> = model()
        .signature()
        .inputs
        .iter()
        .map(|input| FeatureSpec { name: input.name.clone(), kind: FeatureKind::Numeric })
        .collect();
    let error = ImportedLearner::new("lightgbm", &bytes, model(), Task::Binary, &features).unwrap_err();
    assert!(error.contains("needs one output of 1 numbers a row, and none"), "{error}");
    let error = ImportedLearner::new("lightgbm", &bytes, model(), Task::Binary, &features[1..]).unwrap_err();
    assert!(error.contains(&format!("none of them is called `{}`", features[0].name)), "{error}");
}
