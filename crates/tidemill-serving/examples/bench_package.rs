//! Writes a model package for measuring the server: 500 trees of depth 6 on 30 numbers.
//!
//! `cargo run --release --example bench_package -- BASE` writes `BASE/1` and prints a request body. Then
//! `tidemill serve --model_name bench --model_base_path BASE` serves it. With `checked` behind BASE the package carries a
//! schema, against which the server holds inputs.

use std::process::ExitCode;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use serde_json::json;
use tidemill_core::{DataType, Domain, Feature as SchemaFeature, FeatureType, Schema, SplitMix64, TensorSpec};
use tidemill_model::trees::{Node, Rule, Split, Tree};
use tidemill_model::{Feature, LabelSpec, Learner, ModelError, PackageParts, Task, TransformGraph, TreeEnsemble};

const TREES: u64 = 500;
const DEPTH: u32 = 6;
const FEATURES: u64 = 30;

fn main() -> ExitCode {
    let Some(base) = std::env::args().nth(1) else {
        eprintln!("usage: bench_package BASE [checked]");
        return ExitCode::from(2);
    };
    let folder = std::path::Path::new(&base).join("1");
    let checked = std::env::args().nth(2).is_some_and(|word| word == "checked");
    let written = std::fs::create_dir_all(&folder).map_err(Into::into).and_then(|()| write(&folder, checked));
    if let Err(error) = written {
        eprintln!("error: {error}");
        return ExitCode::from(3);
    }
    let row: serde_json::Map<_, _> = (0..FEATURES).map(|feature| (name(feature), json!(uniform(feature)))).collect();
    println!("{}", json!({ "instances": [row] }));
    ExitCode::SUCCESS
}

fn name(feature: u64) -> String {
    format!("feature_{feature:02}")
}

/// A number in [0, 1) for each `index`, the same each time.
fn uniform(index: u64) -> f64 {
    SplitMix64::to_unit(SplitMix64::nth(index))
}

fn tree(index: u64) -> Result<Tree, ModelError> {
    let splits = (1u32 << DEPTH) - 1;
    let node = |at: u32| {
        let chance = uniform(index * 1000 + u64::from(at));
        if at >= splits {
            return Node::Leaf { value: (chance - 0.5) / 10.0 };
        }
        let feature = (chance * FEATURES as f64) as u32;
        let rule = Rule::AtMost(uniform(index * 1000 + 500 + u64::from(at)));
        Node::Split(Split { feature, rule, missing_left: at.is_multiple_of(2), left: 2 * at + 1, right: 2 * at + 2 })
    };
    Tree::new((0..=2 * splits).map(node).collect())
}

/// Every feature lies between 0 and 1.
fn schema() -> Schema {
    let feature = |index| {
        let mut feature = SchemaFeature::new(FeatureType::Float);
        feature.domain =
            Some(Domain::Float { min: Some(0.0), max: Some(1.0), disallow_nan: false, disallow_inf: false });
        (name(index), feature)
    };
    Schema { version: 1, features: (0..FEATURES).map(feature).collect(), ..Schema::default() }
}

fn write(folder: &std::path::Path, checked: bool) -> Result<(), Box<dyn std::error::Error>> {
    let spec = |feature| TensorSpec::new(name(feature), DataType::Fp64, true);
    let feature = |feature| Feature::new(name(feature), name(feature), Vec::new());
    let graph = TransformGraph::new((0..FEATURES).map(spec).collect(), None, (0..FEATURES).map(feature).collect())?;
    let trees = (0..TREES).map(tree).collect::<Result<_, _>>()?;
    let column = |feature: u64| -> (String, ArrayRef) {
        let values = (0..32).map(|row| uniform(row * FEATURES + feature));
        (name(feature), Arc::new(Float64Array::from_iter_values(values)))
    };
    let parts = PackageParts {
        name: "bench".to_owned(),
        pipeline: "bench".to_owned(),
        label: LabelSpec::new("y", "y"),
        task: Task::Binary,
        graph,
        learner: Learner::Trees(TreeEnsemble::new(Task::Binary, FEATURES as usize, 0.0, trees)?),
        learner_params: json!({}),
        training: json!({}),
        decision_threshold: None,
        schema_digest: None,
        sample: RecordBatch::try_from_iter((0..FEATURES).map(column))?,
        card: String::new(),
    };
    tidemill_model::write_package(folder, &parts)?;
    if checked {
        tidemill_model::add_schema(folder, &schema())?;
    }
    Ok(())
}
