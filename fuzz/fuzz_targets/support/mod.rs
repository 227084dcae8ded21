//! A model with an input of each type, loaded once.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use serde_json::json;
use tidemill_core::{DataType, TensorSpec};
use tidemill_model::trees::{Node, Rule, Split, Tree};
use tidemill_model::{Feature, Keys, LabelSpec, Learner, PackageParts, Task, TransformGraph, TreeEnsemble};
use tidemill_serving::fuzzing::Target;

pub fn target() -> &'static Target {
    static TARGET: OnceLock<Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path());
        Target::load(folder.path()).expect("a package that loads")
    })
}

pub fn write(folder: &Path) {
    let spec = |name: &str, datatype, optional| TensorSpec::new(name, datatype, optional);
    let inputs = vec![
        spec("fare", DataType::Fp64, false),
        spec("seconds", DataType::Int64, true),
        spec("company", DataType::Bytes, true),
        spec("shared", DataType::Bool, true),
    ];
    let vocabulary =
        tidemill_model::steps::Vocabulary { values: Keys::Strings(vec!["Flash".to_owned()]), oov_buckets: 1 }.into();
    let features = vec![
        Feature::new("fare", "fare", Vec::new()),
        Feature::new("seconds", "seconds", vec![tidemill_model::Mapper::Log1p]),
        Feature::new("company", "company", vec![vocabulary]),
        Feature::new("shared", "shared", vec![tidemill_model::steps::Categorical { values: None }.into()]),
    ];
    let split = Split { feature: 0, rule: Rule::AtMost(1.0), missing_left: true, left: 1, right: 2 };
    let tree = Tree::new(vec![Node::Split(split), Node::Leaf { value: 0.5 }, Node::Leaf { value: -0.5 }]);
    let trees = TreeEnsemble::new(Task::Binary, 4, 0.0, vec![tree.expect("a tree")]).expect("trees");
    let columns: [(&str, ArrayRef); 4] = [
        ("fare", Arc::new(Float64Array::from(vec![1.5]))),
        ("seconds", Arc::new(Int64Array::from(vec![60]))),
        ("company", Arc::new(StringArray::from(vec!["Flash"]))),
        ("shared", Arc::new(BooleanArray::from(vec![true]))),
    ];
    let parts = PackageParts {
        name: "fuzz".to_owned(),
        pipeline: "fuzz".to_owned(),
        label: LabelSpec::new("y", "y"),
        task: Task::Binary,
        graph: TransformGraph::new(inputs, None, features).expect("a graph"),
        learner: Learner::Trees(trees),
        learner_params: json!({}),
        training: json!({}),
        schema_digest: None,
        decision_threshold: None,
        sample: RecordBatch::try_from_iter(columns).expect("a batch"),
        card: String::new(),
    };
    tidemill_model::write_package(folder, &parts).expect("a package");
}
