//! `window`, which ONNX cannot express.

use tidemill_model::steps::Window;

use super::ExportStep;

impl ExportStep for Window {
    fn refusal(&self) -> Option<String> {
        Some("`window` reads a history, a list of any length in each row".to_owned())
    }
}
