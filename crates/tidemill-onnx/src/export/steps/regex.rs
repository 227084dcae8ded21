//! `regex_replace` and `regex_extract`, which ONNX cannot express.

use tidemill_model::steps::{RegexExtract, RegexReplace};

use super::ExportStep;

impl ExportStep for RegexReplace {
    fn refusal(&self) -> Option<String> {
        Some("`regex_replace` takes parts out of a text by a pattern, which ONNX has no operator for".to_owned())
    }
}

impl ExportStep for RegexExtract {
    fn refusal(&self) -> Option<String> {
        Some("`regex_extract` takes parts out of a text by a pattern, which ONNX has no operator for".to_owned())
    }
}
