//! `image`, which ONNX cannot express.

use tidemill_model::steps::Image;

use super::ExportStep;

impl ExportStep for Image {
    fn refusal(&self) -> Option<String> {
        Some("`image` decodes a picture, which ONNX has no operator for".to_owned())
    }
}
