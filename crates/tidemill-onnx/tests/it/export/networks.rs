//! Networks of every activation, with vectors of categories and with combinations that have a weight of their own or share one.

use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::Float64Type;
use serde_json::{Value, json};
use tidemill_core::DataType;
use tidemill_model::{
    Activation, AmountScale, DenseLayer, Feature, FeatureBlock, Learner, Mapper, NetworkInput, NetworkModel,
    NetworkParts, Periodic, Task, TransformGraph, WideTerm, steps,
};
use tidemill_onnx::{UnseenCategories, export_onnx, parse};

use super::support::{Random, TOLERANCE, input, texts};

const COMPANIES: [&str; 4] = ["blue", "green", "red", "white"];
const PAYMENTS: [&str; 3] = ["app", "card", "cash"];

fn graph() -> TransformGraph {
    let vocabulary = |values: &[&str]| Mapper::Vocabulary(steps::Vocabulary { values: texts(values), oov_buckets: 0 });
    TransformGraph::new(
        vec![
            input("fare", DataType::Fp64, true),
            input("company", DataType::Bytes, true),
            input("payment", DataType::Bytes, true),
        ],
        None,
        vec![
            Feature::new("fare", "fare", vec![]),
            Feature::new("company", "company", vec![vocabulary(&COMPANIES)]),
            Feature::new("payment", "payment", vec![vocabulary(&PAYMENTS)]),
        ],
    )
    .unwrap()
}

fn network(activation: Activation, task: Task, buckets: u32) -> NetworkModel {
    let mut random = Random(9);
    let mut drawn = |count: usize| (0..count).map(|_| random.below(2001) as f32 / 800.0 - 1.25).collect::<Vec<f32>>();
    let scores = task.columns();
    let mut term = WideTerm::new(vec![1, 2], vec![4, 3], buckets, scores);
    term.weights = drawn(term.weights.len());
    let periodic = Periodic { frequencies: drawn(4), phases: drawn(4), weights: drawn(8), biases: drawn(2) };
    let parts = NetworkParts {
        inputs: vec![
            NetworkInput::Number { centre: 3.5, factor: 0.4, periodic: Some(periodic), indicator: true },
            NetworkInput::Embedding { width: 3, table: drawn(15) },
            NetworkInput::OneHot { categories: 3 },
        ],
        activation,
        layers: vec![
            DenseLayer { inputs: 10, weights: drawn(50), biases: drawn(5) },
            DenseLayer { inputs: 5, weights: drawn(5 * scores), biases: drawn(scores) },
        ],
        wide: vec![term],
        amount: AmountScale { centre: 20.0, unit: 7.0, low: 5.0, high: 31.0 },
        task,
    };
    NetworkModel::new(parts).unwrap()
}

fn rows() -> Vec<Value> {
    let fares = [json!(null), json!(-40.0), json!(0.5), json!(3.5), json!(9.25), json!(1e12)];
    let text = |value: Option<&&str>| value.map_or_else(|| json!("unknown"), |value| json!(value));
    let mut rows = Vec::new();
    for fare in &fares {
        for company in 0..5 {
            for payment in 0..4 {
                rows.push(json!({
                    "fare": fare, "company": text(COMPANIES.get(company)), "payment": text(PAYMENTS.get(payment)),
                }));
            }
        }
    }
    rows
}

#[test]
fn networks_say_the_same() {
    let classes = Task::MultiClass { classes: ["a", "b", "c"].map(str::to_owned).to_vec() };
    for activation in Activation::ALL {
        for (task, buckets) in [(Task::Binary, 64), (Task::Regression, 5), (classes.clone(), 7)] {
            let (graph, network) = (graph(), network(activation, task.clone(), buckets));
            let bytes =
                export_onnx("m", &graph, &Learner::Network(network.clone()), UnseenCategories::Missing).unwrap();
            let model = parse(&bytes, Path::new("m.onnx")).unwrap();
            let batch = model.batch_from_rows(&rows()).unwrap();
            let mut block = FeatureBlock::new();
            graph.bind(batch.schema_ref()).unwrap().apply(&batch, &mut block).unwrap();
            let found = model.predict(&batch).unwrap();
            let first = usize::from(task.columns() > 1);
            for (at, expected) in network.predict(&block).iter().enumerate() {
                let found = found.column(first + at).as_primitive::<Float64Type>().values();
                for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
                    let near = TOLERANCE * expected.abs().max(1.0);
                    assert!((found - expected).abs() < near, "{activation:?} {task} {row}: {found} {expected}");
                }
            }
        }
    }
}
