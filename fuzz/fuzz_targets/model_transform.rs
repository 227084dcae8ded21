//! `transform.json`: what is read runs on any values, a row as in a batch, and what of it is written as ONNX can be read.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use tidemill_model::{FeatureBlock, Learner, Task, TransformGraph, TreeEnsemble};
use tidemill_onnx::{UnseenCategories, export_onnx, parse};

mod rows;

fuzz_target!(|data: &[u8]| {
    let Ok(graph) = serde_json::from_slice::<TransformGraph>(data) else { return };
    if graph.inputs().len() > 100 || graph.features().len() > 1000 {
        return;
    }
    let Some(batch) = rows::batch(graph.inputs(), 30) else { return };
    let bound = graph.bind(batch.schema_ref()).expect("the columns are there");
    let (mut all, mut alone) = (FeatureBlock::new(), FeatureBlock::new());
    bound.apply(&batch, &mut all).expect("the batch is of the schema bound");
    assert_eq!(all.columns.len(), graph.features().len());
    bound.apply(&batch.slice(7, 1), &mut alone).expect("a slice is of the schema bound");
    for (alone, all) in alone.columns.iter().zip(&all.columns) {
        assert!(alone[0].to_bits() == all[7].to_bits() || alone[0].is_nan() && all[7].is_nan());
    }
    let trees = TreeEnsemble::new(Task::Regression, graph.features().len(), 0.0, Vec::new()).expect("no trees");
    if let Ok(bytes) = export_onnx("fuzz", &graph, &Learner::Trees(trees), UnseenCategories::Missing) {
        parse(&bytes, Path::new("model.onnx")).expect("what is written can be read");
    }
});
