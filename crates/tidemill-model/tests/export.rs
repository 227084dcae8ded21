//! A package written as ONNX says what the package says: on the own interpreter, on ONNX Runtime as recorded, and on
//! ONNX Runtime now, where Python has it.
//!
//! `TIDEMILL_UPDATE_ONNX=1` with a `TIDEMILL_PYTHON` that has onnxruntime writes `export/model.onnx` and
//! `export/recorded.json` anew.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType as ArrowType, Float64Type, Int64Type};
use serde_json::{Value, json};
use tidemill_core::{DataType, TensorSpec};
use tidemill_model::trees::{Node as TreeNode, Rule, Split, Tree};
use tidemill_model::{
    DatePart, Feature, FeatureBlock, ForeignModel, Keys, Learner, Node, Scalar, Source, Task, TransformGraph,
    TreeEnsemble, Unseen, export_onnx,
};

/// Sums and logarithms are made in another order or by another library.
const TOLERANCE: f64 = 1e-11;

fn input(name: &str, datatype: DataType, optional: bool) -> TensorSpec {
    TensorSpec { name: name.to_owned(), datatype, optional }
}

fn texts(values: &[&str]) -> Keys {
    Keys::Strings(values.iter().map(|value| (*value).to_owned()).collect())
}

/// Every step that ONNX can say.
fn transform() -> TransformGraph {
    let inputs = vec![
        input("x", DataType::Fp64, true),
        input("count", DataType::Int64, true),
        input("size", DataType::Int64, false),
        input("city", DataType::Bytes, true),
        input("kind", DataType::Bytes, false),
        input("flag", DataType::Bool, true),
        input("on", DataType::Bool, false),
        input("at", DataType::Int64, true),
    ];
    let cities = || texts(&["Bern", "Zürich", "Basel"]);
    let mut features = vec![
        Feature::new("plain", "x", vec![]),
        Feature::new("z", "x", vec![Node::ZScore { mean: 0.3, std_dev: 1.7 }]),
        Feature::new("shift", "x", vec![Node::ZScore { mean: 0.3, std_dev: 0.0 }]),
        Feature::new("unit", "x", vec![Node::MinMax { min: -2.0, max: 3.0, output_min: 0.0, output_max: 1.0 }]),
        Feature::new("curve", "x", vec![Node::MinMax { min: 1.0, max: 1.0, output_min: -1.0, output_max: 1.0 }]),
        Feature::new("bucket", "x", vec![Node::Bucketize { boundaries: vec![-1.0, 0.0, 0.5, 2.0] }]),
        Feature::new("log", "x", vec![Node::Log]),
        Feature::new("log1p", "x", vec![Node::Log1p]),
        Feature::new("clip", "x", vec![Node::Clip { min: Some(-1.0), max: Some(1.5) }]),
        Feature::new("root", "x", vec![Node::Sqrt]),
        Feature::new("power", "x", vec![Node::Power { exponent: -0.5 }]),
        Feature::new("square", "x", vec![Node::Power { exponent: 2.0 }]),
        Feature::new("circle", "x", vec![Node::Cyclic { period: 7.0 }]),
        Feature::new("filled", "x", vec![Node::MissingIndicator, Node::Impute { value: Scalar::Float(0.25) }]),
        Feature::new(
            "hot",
            "x",
            vec![Node::Bucketize { boundaries: vec![0.0, 1.0] }, Node::Categorical { values: None }, Node::OneHot],
        ),
        Feature::new(
            "count",
            "count",
            vec![Node::Categorical { values: Some(Keys::Integers(vec![3, -5, 17_031_839_100])) }],
        ),
        Feature::new("size", "size", vec![Node::Vocabulary { values: Keys::Integers(vec![1, 2, 3]), oov_buckets: 1 }]),
        Feature::new("city", "city", vec![Node::Vocabulary { values: cities(), oov_buckets: 0 }]),
        Feature::new(
            "city_filled",
            "city",
            vec![
                Node::MissingIndicator,
                Node::Impute { value: Scalar::Text("Basel".into()) },
                Node::Vocabulary { values: cities(), oov_buckets: 1 },
                Node::OneHot,
            ],
        ),
        Feature::new("kind", "kind", vec![Node::Categorical { values: Some(texts(&["a", "b"])) }]),
        Feature::new("flag", "flag", vec![Node::Categorical { values: None }]),
        Feature::new("on", "on", vec![]),
    ];
    for part in DatePart::ALL {
        features.push(Feature::new(part.name(), "at", vec![Node::DatePart { part }]));
    }
    features.push(Feature {
        name: "cross".into(),
        source: Source::Cross(vec!["kind".into(), "count".into(), "flag".into()]),
        nodes: vec![Node::Categorical {
            values: Some(texts(&["a × 3 × true", "b × -5 × false", "a × 3 × false"]))
        }],
    });
    TransformGraph::new(inputs, None, features).unwrap()
}

/// Repeatable numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn pick<T: Clone>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())].clone()
    }
}

/// Rows with what a runtime could get wrong: missing, unseen, extreme values, values on thresholds.
fn rows() -> RecordBatch {
    let mut random = Random(11);
    let numbers = [
        0.0,
        -0.0,
        1e-300,
        -1e-300,
        1e-20,
        0.5,
        0.1,
        -1.0,
        1.0,
        1.5,
        2.0,
        3.0,
        6.9,
        -7.0,
        1e17,
        1e300,
        -1e300,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        0.300_000_000_000_000_04,
        f64::from(0.1_f32),
        123.456,
        -0.999_999,
    ];
    let counts = [3, -5, 17_031_839_100, 0, 4, i64::from(i32::MIN), -17_031_839_100];
    let cities = ["Bern", "Zürich", "Basel", "bern", "unseen", "Zu\u{308}rich"];
    let times =
        [0, -1, 86_399, 951_782_400, 1_709_209_805, -62_135_596_800, 253_402_300_799, 253_402_300_800, -6_857_222_400];
    let count = 240;
    let some = |random: &mut Random| random.below(6) > 0;
    let x: Float64Array = (0..count)
        .map(|at| {
            some(&mut random).then(|| {
                if at < 24 { numbers[at] } else { random.pick(&numbers) * if random.below(2) == 0 { 1.0 } else { 0.7 } }
            })
        })
        .collect();
    let whole: Int64Array = (0..count).map(|_| some(&mut random).then(|| random.pick(&counts))).collect();
    let size: Int64Array = (0..count).map(|_| Some(random.below(6) as i64)).collect();
    let city: StringArray = (0..count).map(|_| some(&mut random).then(|| random.pick(&cities))).collect();
    let kind: StringArray = (0..count).map(|_| Some(random.pick(&["a", "b", "c"]))).collect();
    let flag: BooleanArray = (0..count).map(|_| some(&mut random).then(|| random.below(2) == 0)).collect();
    let on: BooleanArray = (0..count).map(|_| Some(random.below(2) == 0)).collect();
    let at: Int64Array = (0..count)
        .map(|_| {
            some(&mut random).then(|| {
                let time = random.pick(&times);
                if random.below(2) == 0 { time } else { time / 3 + random.below(1_000_000) as i64 }
            })
        })
        .collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("x", Arc::new(x)),
        ("count", Arc::new(whole)),
        ("size", Arc::new(size)),
        ("city", Arc::new(city)),
        ("kind", Arc::new(kind)),
        ("flag", Arc::new(flag)),
        ("on", Arc::new(on)),
        ("at", Arc::new(at)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Trees whose thresholds are values that occur, so that each comparison matters.
fn learner(graph: &TransformGraph, batch: &RecordBatch, task: Task) -> Learner {
    let mut block = FeatureBlock::new();
    graph.bind(batch.schema_ref()).unwrap().apply(batch, &mut block).unwrap();
    let mut random = Random(5);
    let features = graph.features();
    let mut trees = vec![Tree::new(vec![TreeNode::Leaf { value: 0.125 }]).unwrap()];
    for tree in 0..120 {
        let mut nodes = vec![TreeNode::Leaf { value: 0.0 }];
        for step in 0..7 {
            let leaves: Vec<usize> =
                (0..nodes.len()).filter(|at| matches!(nodes[*at], TreeNode::Leaf { .. })).collect();
            let at = random.pick(&leaves);
            let feature = if step == 0 { tree % features.len() } else { random.below(features.len()) };
            let rule = match features[feature].kind {
                tidemill_model::FeatureKind::Categorical { cardinality } => {
                    Rule::OneOf((0..cardinality).filter(|_| random.below(2) == 0).collect())
                }
                tidemill_model::FeatureKind::Numeric => {
                    let values: Vec<f64> = block.columns[feature].iter().copied().filter(|x| !x.is_nan()).collect();
                    let value = random.pick(&values);
                    // Libraries differ in the last bit of these functions, and a threshold on it would show nothing.
                    let rounded = ["curve", "log", "log1p", "power", "square", "circle.sin", "circle.cos"];
                    let is_rounded = rounded.contains(&features[feature].name.as_str());
                    Rule::AtMost(if is_rounded { value + value.abs() * 1e-9 + 1e-12 } else { value })
                }
            };
            let (left, right) = (nodes.len() as u32, nodes.len() as u32 + 1);
            let missing_left = random.below(2) == 0;
            nodes[at] = TreeNode::Split(Split { feature: feature as u32, rule, missing_left, left, right });
            for _ in 0..2 {
                nodes.push(TreeNode::Leaf { value: (random.below(2001) as f64 - 1000.0) / 7000.0 });
            }
        }
        trees.push(Tree::new(nodes).unwrap());
    }
    Learner::Trees(TreeEnsemble::new(task, features.len(), -0.2, trees).unwrap())
}

fn native(graph: &TransformGraph, learner: &Learner, batch: &RecordBatch) -> Vec<f64> {
    let mut block = FeatureBlock::new();
    graph.bind(batch.schema_ref()).unwrap().apply(batch, &mut block).unwrap();
    let mut out = Vec::new();
    learner.predict(&block, &mut out);
    out
}

fn assert_near(got: &[f64], expected: &[f64], what: &str) {
    assert_eq!(got.len(), expected.len());
    for (row, (got, expected)) in got.iter().zip(expected).enumerate() {
        let near = (got - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
        assert!(near, "{what}, row {row}: {got:?}, natively {expected:?}");
    }
}

/// The same rows with the types that the ONNX model takes: what may be missing is a number.
fn as_numbers(batch: &RecordBatch) -> RecordBatch {
    let column = |column: &ArrayRef| -> ArrayRef {
        match column.data_type() {
            ArrowType::Int64 if column.null_count() > 0 => Arc::new(
                column.as_primitive::<Int64Type>().iter().map(|x| x.map(|x| x as f64)).collect::<Float64Array>(),
            ),
            ArrowType::Boolean if column.null_count() > 0 => Arc::new(
                column.as_boolean().iter().map(|x| x.map(|x| f64::from(u8::from(x)))).collect::<Float64Array>(),
            ),
            _ => Arc::clone(column),
        }
    };
    let schema = batch.schema();
    RecordBatch::try_from_iter(schema.fields().iter().map(|f| f.name()).zip(batch.columns().iter().map(column)))
        .unwrap()
}

fn exported(task: Task) -> (Vec<u8>, Vec<f64>, RecordBatch) {
    let (graph, batch) = (transform(), rows());
    let learner = learner(&graph, &batch, task);
    let bytes = export_onnx("every-step", &graph, &learner, Unseen::Refused).unwrap();
    assert_eq!(bytes, export_onnx("every-step", &graph, &learner, Unseen::Refused).unwrap());
    let native = native(&graph, &learner, &batch);
    (bytes, native, as_numbers(&batch))
}

#[test]
fn the_written_model_says_the_same_on_the_own_interpreter() {
    for task in [Task::Binary, Task::Regression] {
        let (bytes, native, batch) = exported(task);
        let model = ForeignModel::parse(&bytes, Path::new("model.onnx")).unwrap();
        assert_eq!(model.task(), Some(task));
        let optional: Vec<bool> = model.signature().inputs.iter().map(|input| input.optional).collect();
        assert_eq!(optional, [true, true, false, true, false, true, false, true]);
        let predicted = model.predict(&batch).unwrap();
        assert_near(predicted.column(0).as_primitive::<Float64Type>().values(), &native, "own interpreter");
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/export")
}

fn columns(batch: &RecordBatch) -> Value {
    let cell = |column: &ArrayRef, row: usize| match column.data_type() {
        _ if column.is_null(row) => Value::Null,
        ArrowType::Float64 => {
            let value = column.as_primitive::<Float64Type>().value(row);
            if value.is_finite() { json!(value) } else { json!(value.to_string().to_lowercase()) }
        }
        ArrowType::Int64 => json!(column.as_primitive::<Int64Type>().value(row)),
        ArrowType::Boolean => json!(column.as_boolean().value(row)),
        _ => json!(column.as_string::<i32>().value(row)),
    };
    let schema = batch.schema();
    let all = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
        let cells: Vec<Value> = (0..batch.num_rows()).map(|row| cell(column, row)).collect();
        (field.name().clone(), Value::Array(cells))
    });
    Value::Object(all.collect())
}

#[test]
fn the_written_model_says_the_same_on_onnx_runtime() {
    let (bytes, native, batch) = exported(Task::Binary);
    let recorded = folder().join("recorded.json");
    let python = std::env::var("TIDEMILL_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("model.onnx"), &bytes).unwrap();
    std::fs::write(dir.path().join("rows.json"), columns(&batch).to_string()).unwrap();
    match Command::new(&python).arg(folder().join("check.py")).arg(dir.path()).output() {
        Ok(output) if output.status.success() => {
            let now: Vec<f64> = serde_json::from_slice(&output.stdout).unwrap();
            assert_near(&now, &native, "ONNX Runtime");
            if std::env::var_os("TIDEMILL_UPDATE_ONNX").is_some() {
                std::fs::write(folder().join("model.onnx"), &bytes).unwrap();
                std::fs::write(&recorded, &output.stdout).unwrap();
            }
        }
        Ok(output) if output.status.code() == Some(3) => {
            eprintln!("not compared with ONNX Runtime now: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => eprintln!("not compared with ONNX Runtime now: `{python}`: {error}"),
    }
    // What ONNX Runtime said of the same bytes when they were recorded.
    let before: Vec<f64> = serde_json::from_slice(&std::fs::read(&recorded).unwrap()).unwrap();
    assert_near(&before, &native, "ONNX Runtime, recorded");
    assert!(std::fs::read(folder().join("model.onnx")).unwrap() == bytes, "the model changed: record it anew");
}

#[test]
fn what_onnx_cannot_say_is_named() {
    let text = || vec![input("company", DataType::Bytes, true)];
    let vocabulary = Node::Vocabulary { values: texts(&["a"]), oov_buckets: 10 };
    let date = Node::DatePart { part: DatePart::Hour };
    let expression = Feature { name: "f".into(), source: Source::Expression("length(company)".into()), nodes: vec![] };
    for (feature, expected) in [
        (Feature::new("company", "company", vec![vocabulary.clone()]), "feature `company`: `vocabulary` hashes"),
        (Feature::new("h", "company", vec![Node::HashBuckets { buckets: 8 }]), "feature `h`: `hash_buckets`"),
        (Feature::new("d", "company", vec![date]), "feature `d`: a time in text"),
        (expression, "feature `f`: the expression `length(company)`"),
    ] {
        let graph = TransformGraph::new(text(), None, vec![feature]).unwrap();
        let ensemble = TreeEnsemble::new(Task::Regression, 1, 0.0, vec![]).unwrap();
        let error = export_onnx("m", &graph, &Learner::Trees(ensemble), Unseen::Refused).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // Unless the difference is asked for.
    let graph = TransformGraph::new(text(), None, vec![Feature::new("company", "company", vec![vocabulary])]).unwrap();
    let leaf = |value| TreeNode::Leaf { value };
    let rule = Rule::OneOf([0].into_iter().collect());
    let split = TreeNode::Split(Split { feature: 0, rule, missing_left: true, left: 1, right: 2 });
    let tree = Tree::new(vec![split, leaf(1.0), leaf(2.0)]).unwrap();
    let learner = Learner::Trees(TreeEnsemble::new(Task::Regression, 1, 0.0, vec![tree]).unwrap());
    let bytes = export_onnx("m", &graph, &learner, Unseen::Missing).unwrap();
    let model = ForeignModel::parse(&bytes, Path::new("m.onnx")).unwrap();
    let batch = model.batch_from_rows(&[json!({"company": "a"}), json!({"company": "other"}), json!({})]).unwrap();
    assert_eq!(model.predict(&batch).unwrap().column(0).as_primitive::<Float64Type>().values(), &[1.0, 1.0, 1.0]);
}
