//! Bytes as a model file of another program.

#[path = "../rows/mod.rs"]
mod rows;

use std::path::Path;

use tidemill_onnx::parse;

/// Parses the bytes as a file called `name` and, where that works, predicts.
pub fn run(bytes: &[u8], name: &str) {
    let Ok(model) = parse(bytes, Path::new(name)) else { return };
    if model.signature().inputs.len() > 10_000 {
        return;
    }
    for count in [1, 40] {
        if let Some(batch) = rows::batch(&model.signature().inputs, count)
            && let Ok(predicted) = model.predict(&batch)
        {
            assert_eq!(predicted.num_rows(), count, "rows in are rows out");
        }
    }
}
