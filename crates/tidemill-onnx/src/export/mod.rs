//! Writes transform graph and learner as one ONNX model.

mod builder;
mod calibration;
mod codes;
mod expression;
mod features;
mod learner;
mod lightgbm;
mod linear;
mod neighbors;
mod network;
mod pattern;
mod source;
mod steps;
mod trees;
mod xgboost;

pub use lightgbm::export_lightgbm;
use prost::Message as _;
pub use xgboost::export_xgboost;

use crate::onnx::generated::tensor_shape_proto::Dimension;
use crate::onnx::generated::tensor_shape_proto::dimension::Value as Size;
use crate::onnx::generated::type_proto::{Tensor as TensorType, Value as Type};
use crate::onnx::generated::{
    GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto, TensorShapeProto, TypeProto, ValueInfoProto,
};
use crate::onnx::ops::ML;
use crate::onnx::ports::OPTIONAL_KEY;
use builder::{Builder, COUNT};
use learner::Output;
use tidemill_model::{Exporter, Learner, ModelError, TransformGraph};

/// Versions of the file format and of the operators that are written.
const IR: i64 = 10;
const OPSET: i64 = 20;
const ML_OPSET: i64 = 5;
/// The name of the row dimension of every input.
const ROWS: &str = "rows";

/// What to do with values that a vocabulary hashes into several buckets, which ONNX cannot express.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnseenCategories {
    /// The export fails.
    #[default]
    Refused,
    /// These values become missing: the ONNX model gives different predictions for them.
    Missing,
}

/// Writes `model.onnx` into a package, if ONNX can express the model exactly.
#[derive(Debug, Clone, Copy, Default)]
pub struct OnnxExporter;

impl Exporter for OnnxExporter {
    fn file_name(&self) -> &'static str {
        "model.onnx"
    }

    fn export(&self, name: &str, graph: &TransformGraph, learner: &Learner) -> Result<Vec<u8>, ModelError> {
        export_onnx(name, graph, learner, UnseenCategories::Refused)
    }
}

/// Returns the bytes of an ONNX model from raw features to the prediction: transform graph and learner in one, with
/// standard operators and those of `ai.onnx.ml` only. The same parts give the same bytes.
///
/// Inputs have the names of the raw columns and the shape `[rows]`. A number that may be missing is a `double`, NaN if
/// missing; a missing text is empty, and so an empty text is missing. Arithmetic and thresholds are in 64 bits, so
/// predictions agree with the native ones to about 1e-12.
///
/// # Errors
/// An error names the feature and the step that ONNX cannot express.
pub fn export_onnx(
    name: &str,
    transform: &TransformGraph,
    learner: &Learner,
    unseen: UnseenCategories,
) -> Result<Vec<u8>, ModelError> {
    let refuse = |reason: String| ModelError::NotExpressible { format: "ONNX", reason };
    let mut graph = Builder::default();
    let matrix = features::matrix(&mut graph, transform, unseen).map_err(refuse)?;
    let outputs = learner::outputs(&mut graph, &matrix, learner).map_err(refuse)?;
    let inputs = transform.inputs();
    if let Some(clash) = inputs.iter().find(|input| is_taken(&input.name, &outputs)) {
        return Err(refuse(format!("the column `{}` has the name of a tensor of the graph", clash.name)));
    }
    let optional: Vec<&str> = inputs.iter().filter(|i| i.optional).map(|i| i.name.as_str()).collect();
    let entry = |key: &str, value: String| StringStringEntryProto { key: key.to_owned(), value };
    let mut metadata = vec![
        entry(OPTIONAL_KEY, serde_json::json!(optional).to_string()),
        entry("tidemill.missing", "NaN in numbers, the empty text in texts".to_owned()),
    ];
    if unseen == UnseenCategories::Missing {
        metadata.push(entry("tidemill.unseen", "values that a vocabulary hashes are missing here".to_owned()));
    }
    let model = ModelProto {
        ir_version: IR,
        producer_name: "tidemill".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(GraphProto {
            node: graph.nodes,
            name: name.to_owned(),
            initializer: graph.constants,
            input: inputs.iter().map(|input| info(&input.name, source::element_type(input))).collect(),
            output: outputs.iter().map(output_info).collect(),
            ..GraphProto::default()
        }),
        opset_import: vec![
            OperatorSetIdProto { domain: String::new(), version: OPSET },
            OperatorSetIdProto { domain: ML.to_owned(), version: ML_OPSET },
        ],
        metadata_props: metadata,
        ..ModelProto::default()
    };
    Ok(model.encode_to_vec())
}

/// Whether the graph uses `name` for something else.
fn is_taken(name: &str, outputs: &[Output]) -> bool {
    let name = name.strip_suffix(COUNT).unwrap_or(name);
    let number = |prefix| name.strip_prefix(prefix).is_some_and(|rest: &str| rest.parse::<u32>().is_ok());
    outputs.iter().any(|output| output.name == name) || number('t') || number('c')
}

fn output_info(output: &Output) -> ValueInfoProto {
    shaped(output.name, output.element, output.width)
}

fn info(name: &str, elem_type: i32) -> ValueInfoProto {
    shaped(name, elem_type, None)
}

/// A tensor with a row for each row, of `width` values each if that is a second dimension.
fn shaped(name: &str, elem_type: i32, width: Option<usize>) -> ValueInfoProto {
    let rows = Dimension { value: Some(Size::DimParam(ROWS.to_owned())) };
    let width = width.map(|width| Dimension { value: Some(Size::DimValue(width as i64)) });
    let dim = [rows].into_iter().chain(width).collect();
    let tensor = TensorType { elem_type, shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto { name: name.to_owned(), r#type: Some(TypeProto { value: Some(Type::TensorType(tensor)) }) }
}
