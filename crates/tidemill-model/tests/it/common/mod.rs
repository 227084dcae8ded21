//! A small model of taxi trips.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use serde_json::json;
use tidemill_core::{DataType, TensorSpec};
use tidemill_model::trees::{CategorySet, Node as TreeNode, Rule, Split, Tree};
use tidemill_model::{
    Feature, Keys, LabelSpec, Learner, Manifest, Mapper, PackageParts, Scalar, Task, TransformGraph, TreeEnsemble,
    steps, write_package_with,
};
use tidemill_onnx::OnnxExporter;

pub fn label() -> LabelSpec {
    LabelSpec::new("big_tip", "tips > fare * 0.2")
}

pub fn graph() -> TransformGraph {
    let input = |name: &str, datatype, optional| TensorSpec::new(name, datatype, optional);
    let feature = |name: &str, nodes| Feature::new(name, name, nodes);
    let payments = Keys::Strings(vec!["Cash".into(), "Credit Card".into()]);
    TransformGraph::new(
        vec![
            input("trip_miles", DataType::Fp64, false),
            input("trip_seconds", DataType::Int64, true),
            input("payment_type", DataType::Bytes, true),
        ],
        Some(label()),
        vec![
            feature("trip_miles", vec![Mapper::ZScore(steps::ZScore { mean: 2.75, std_dev: 4.5 })]),
            feature("trip_seconds", vec![Mapper::Impute(steps::Impute { value: Scalar::Float(540.5) }), Mapper::Log1p]),
            feature("payment_type", vec![Mapper::Vocabulary(steps::Vocabulary { values: payments, oov_buckets: 2 })]),
        ],
    )
    .unwrap()
}

pub fn learner() -> Learner {
    let split =
        |feature, rule, left, right| TreeNode::Split(Split { feature, rule, missing_left: feature == 2, left, right });
    let leaf = |value| TreeNode::Leaf { value };
    let card = Rule::OneOf([1u32].into_iter().collect::<CategorySet>());
    let trees = vec![
        Tree::new(vec![split(2, card, 1, 2), leaf(1.25), leaf(-2.0)]).unwrap(),
        Tree::new(vec![split(0, Rule::AtMost(0.1), 1, 2), leaf(-0.3), leaf(0.1)]).unwrap(),
        Tree::new(vec![split(1, Rule::AtMost(6.0), 1, 2), leaf(0.7), leaf(1.0 / 3.0)]).unwrap(),
    ];
    Learner::Trees(TreeEnsemble::new(Task::Binary, 3, -1.2, trees).unwrap())
}

pub fn batch() -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("payment_type", Arc::new(StringArray::from(vec![Some("Cash"), Some("Credit Card"), None, Some("Prcard")]))),
        ("tips", Arc::new(Float64Array::from(vec![0.0, 3.0, 0.0, 1.0]))),
        ("trip_seconds", Arc::new(Int64Array::from(vec![Some(0), Some(900), None, Some(60)]))),
        ("trip_miles", Arc::new(Float64Array::from(vec![Some(0.1), Some(4.2), Some(1e-7), None]))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

pub fn parts() -> PackageParts {
    PackageParts {
        name: "taxi-tips".into(),
        pipeline: "taxi-tips".into(),
        label: label(),
        task: Task::Binary,
        graph: graph(),
        learner: learner(),
        learner_params: json!({ "gradient_boosting": { "rounds": 3, "learning_rate": 0.1 } }),
        training: json!({
            "rows": { "train": 9981, "eval": 5021 },
            "label_mean": { "train": 0.225, "eval": 0.2214 },
            "metrics": { "train": { "auc": 0.97, "log_loss": 0.18 }, "eval": { "auc": 0.954, "log_loss": 0.21 } },
            "best_round": 3,
        }),
        decision_threshold: None,
        schema_digest: None,
        sample: batch(),
        card: String::new(),
    }
}

pub fn write(dir: &Path) -> Manifest {
    write_package_with(dir, &parts(), &[&OnnxExporter]).unwrap()
}
