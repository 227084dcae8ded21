//! What the cases share: inputs, repeatable numbers, trees that notice differences, runs natively and elsewhere.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::datatypes::{DataType as ArrowType, Float64Type, Int64Type};
use serde_json::{Value, json};
use tidemill_core::{DataType, TensorSpec};
use tidemill_model::trees::{Node as TreeNode, Rule, Split, Tree};
use tidemill_model::{FeatureBlock, Keys, Learner, Task, TransformGraph, TreeEnsemble};
use tidemill_onnx::{UnseenCategories, export_onnx, parse};

/// Sums and logarithms are made in another order or by another library.
pub const TOLERANCE: f64 = 1e-11;

pub fn input(name: &str, datatype: DataType, optional: bool) -> TensorSpec {
    TensorSpec::new(name, datatype, optional)
}

pub fn texts(values: &[&str]) -> Keys {
    Keys::Strings(values.iter().map(|value| (*value).to_owned()).collect())
}

/// Repeatable numbers.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    pub fn pick<T: Clone>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())].clone()
    }
}

/// Trees whose thresholds are values that occur, so that each comparison matters.
fn learner(graph: &TransformGraph, batch: &RecordBatch, task: Task, rounded: &[&str]) -> Learner {
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
                    let is_rounded = rounded.iter().any(|name| features[feature].name.starts_with(name));
                    Rule::AtMost(if is_rounded && value.is_finite() {
                        value + value.abs() * 1e-9 + 1e-12
                    } else {
                        value
                    })
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
    learner.predict(&block).unwrap().swap_remove(0)
}

fn is_near(got: f64, expected: f64) -> bool {
    (got - expected).abs() <= TOLERANCE * expected.abs().max(1.0)
}

fn assert_near(got: &[f64], expected: &[f64], what: &str) {
    assert_eq!(got.len(), expected.len());
    for (row, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!(is_near(*got, *expected), "{what}, row {row}: {got:?}, natively {expected:?}");
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

/// A graph and rows for it, compared under a name.
pub struct Case {
    pub name: &'static str,
    pub graph: TransformGraph,
    pub batch: RecordBatch,
    /// How names of features begin that libraries round differently.
    pub rounded: &'static [&'static str],
}

impl Case {
    /// The model, what it says natively, and the rows as it takes them.
    fn exported(&self, task: Task) -> (Vec<u8>, Vec<f64>, RecordBatch) {
        let learner = learner(&self.graph, &self.batch, task, self.rounded);
        let export = || export_onnx(self.name, &self.graph, &learner, UnseenCategories::Refused).unwrap();
        let bytes = export();
        assert_eq!(bytes, export());
        (bytes, native(&self.graph, &learner, &self.batch), as_numbers(&self.batch))
    }

    pub fn check_own_interpreter(&self) {
        for task in [Task::Binary, Task::Regression] {
            let (bytes, native, batch) = self.exported(task.clone());
            let model = parse(&bytes, Path::new("model.onnx")).unwrap();
            assert_eq!(model.task(), Some(&task));
            let optional = |inputs: &[TensorSpec]| inputs.iter().map(|input| input.optional).collect::<Vec<_>>();
            assert_eq!(optional(&model.signature().inputs), optional(self.graph.inputs()));
            let predicted = model.predict(&batch).unwrap();
            assert_near(predicted.column(0).as_primitive::<Float64Type>().values(), &native, "own interpreter");
        }
    }

    /// Each feature alone, so that one that differs is named.
    pub fn check_each_feature(&self) {
        let mut wrong = Vec::new();
        for feature in self.graph.definitions() {
            let graph = TransformGraph::new(self.graph.inputs().to_vec(), None, vec![feature.clone()]).unwrap();
            let case = Self { graph, batch: self.batch.clone(), ..*self };
            let (bytes, native, batch) = case.exported(Task::Regression);
            let model = parse(&bytes, Path::new("model.onnx")).unwrap();
            let predicted = model.predict(&batch).unwrap();
            let predicted = predicted.column(0).as_primitive::<Float64Type>().values();
            if let Some(row) = (0..native.len()).find(|row| !is_near(predicted[*row], native[*row])) {
                wrong.push(format!("{}, row {row}: {}, natively {}", feature.name, predicted[row], native[row]));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    pub fn check_onnx_runtime(&self) {
        let (bytes, native, batch) = self.exported(Task::Binary);
        let (kept, recorded) =
            (folder().join(format!("{}.onnx", self.name)), folder().join(format!("{}.json", self.name)));
        let python = std::env::var("TIDEMILL_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("model.onnx"), &bytes).unwrap();
        std::fs::write(dir.path().join("rows.json"), columns(&batch).to_string()).unwrap();
        match Command::new(&python).arg(folder().join("check.py")).arg(dir.path()).output() {
            Ok(output) if output.status.success() => {
                let now: Vec<f64> = serde_json::from_slice(&output.stdout).unwrap();
                assert_near(&now, &native, "ONNX Runtime");
                if std::env::var_os("TIDEMILL_UPDATE_ONNX").is_some() {
                    std::fs::write(&kept, &bytes).unwrap();
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
        assert!(std::fs::read(&kept).unwrap() == bytes, "the model changed: record it anew");
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/export")
}
