//! Trains a network on the job in a folder, as `compare.py` writes it, and prints the loss after each epoch.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::path::Path;

use serde_json::{Value, json};
use tidemill_core::Task;
use tidemill_model::{Activation, FeatureBlock, FeatureKind, FeatureSpec};
use tidemill_train::mlp::{Mlp, NetworkRows, fit_network};

fn table(folder: &Path, name: &str, features: usize, rows: usize) -> (FeatureBlock, Vec<f64>) {
    let bytes = std::fs::read(folder.join(format!("{name}.f64"))).unwrap();
    let numbers: Vec<f64> = bytes.as_chunks::<8>().0.iter().map(|number| f64::from_le_bytes(*number)).collect();
    let mut columns: Vec<Vec<f64>> = numbers.chunks(rows).map(<[f64]>::to_vec).collect();
    let labels = columns.pop().unwrap();
    assert_eq!(columns.len(), features);
    (FeatureBlock { rows, columns }, labels)
}

fn main() {
    let folder = std::env::args().nth(1).unwrap();
    let folder = Path::new(&folder);
    let job: Value = serde_json::from_slice(&std::fs::read(folder.join("job.json")).unwrap()).unwrap();
    let number = |key: &str| job[key].as_u64().unwrap() as usize;
    let (block, labels) = table(folder, "train", number("features"), number("train_rows"));
    let (held, held_labels) = table(folder, "eval", number("features"), number("eval_rows"));
    let params = Mlp {
        hidden: serde_json::from_value(job["hidden"].clone()).unwrap(),
        activation: Some(Activation::Relu),
        batch_size: number("batch_size") as u32,
        epochs: Some(number("epochs") as u32),
        ..Mlp::default()
    };
    let spec = FeatureSpec { name: "x".to_owned(), kind: FeatureKind::Numeric };
    let features = vec![spec; number("features")];
    let train = NetworkRows { block: &block, labels: &labels };
    let held = NetworkRows { block: &held, labels: &held_labels };
    let fitted = fit_network(&params, &Task::Binary, &features, train, Some(held), 1).unwrap();
    println!("{}", json!({ "curve": fitted.curve }));
}
