//! Row expressions: whatever the text, parsing ends, and what is bound runs on any values.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidemill_core::{DataType, TensorSpec};
use tidemill_model::Expression;

mod rows;

fuzz_target!(|text: &str| {
    let Ok(expression) = Expression::parse(text) else { return };
    let types = [("x", DataType::Fp64), ("i", DataType::Int64), ("t", DataType::Bytes), ("b", DataType::Bool)];
    let inputs = types.map(|(name, datatype)| TensorSpec::new(name, datatype, true));
    let batch = rows::batch(&inputs, 20).expect("a batch");
    if let Ok(bound) = expression.bind(batch.schema_ref()) {
        let values = bound.evaluate(&batch).expect("the batch is of the schema bound");
        assert_eq!(values.len(), 20);
    }
});
