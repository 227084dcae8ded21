//! Runs graphs on ONNX Runtime, whose library is loaded at run time.
//!
//! The library receives messages that were checked before, with all tensors inside. It uses its own memory, which is
//! not bounded here, and a fault in it ends the process: it runs only models that its user trusts.

mod library;
mod sessions;
mod values;

use std::path::Path;

use ort::session::SessionInputValue;
use prost::Message as _;
use tidemill_model::{Dimension, TensorInfo};

use self::library::Library;
use self::sessions::Sessions;
use super::engine::EngineError;
use super::generated::type_proto::{Tensor as TensorType, Value};
use super::generated::{ModelProto, TypeProto};
use super::library_error::OnnxRuntimeError;
use super::ops::ML;
use super::options::OnnxOptions;
use super::ports::number_of;
use super::samples::{Fill, sample};
use super::value::{Tensor, datatype};

/// The reason in the message if nothing else can run a model.
pub(super) const ADVICE: &str = "; ONNX Runtime may run it: name its library with `--onnxruntime`";
/// The size limit of a message in the library.
const BYTES_MAX: usize = i32::MAX as usize;

/// Loads the library.
pub(super) fn check(named: Option<&Path>) -> Result<(), OnnxRuntimeError> {
    Library::load(named).map(drop)
}

/// A graph on ONNX Runtime.
#[derive(Debug)]
pub(super) struct OnnxRuntime {
    sessions: Sessions,
    /// The name and the element type of every input.
    inputs: Vec<(String, i32)>,
    /// The graph accepts one row at a time.
    single: bool,
}

impl OnnxRuntime {
    /// Compiles the graph, for any number of rows or, if its operators fix it, for one.
    pub(super) fn new(model: &ModelProto, inputs: &[TensorInfo], options: &OnnxOptions) -> Result<Self, EngineError> {
        let library = Library::load(options.library.as_deref())?;
        let refuse = |reason: String| format!("ONNX Runtime does not run it: {reason}");
        let sessions = Sessions::new(library, encoded(model)?, options.threads).map_err(refuse)?;
        let named = inputs.iter().map(|input| (input.name.clone(), number_of(input.element))).collect();
        let mut runtime = Self { sessions, inputs: named, single: false };
        let zeros = |rows| sample(inputs, rows, 1, Fill::Zeros);
        let one = zeros(1).and_then(|zeros| runtime.run(&zeros)).map_err(refuse)?;
        let is_double =
            |(one, two): (&Tensor, &Tensor)| two.shape.first() == Some(&2) && two.data.len() == 2 * one.data.len();
        let is_fixed = |input: &TensorInfo| matches!(input.shape.iter().flatten().next(), Some(Dimension::Fixed(_)));
        runtime.single = inputs.iter().any(is_fixed)
            || !zeros(2).and_then(|zeros| runtime.run(&zeros)).is_ok_and(|two| one.iter().zip(&two).all(is_double));
        Ok(runtime)
    }

    pub(super) fn name(&self) -> String {
        self.sessions.library().name()
    }

    pub(super) fn is_single(&self) -> bool {
        self.single
    }

    pub(super) fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
        let mut given: Vec<(&str, SessionInputValue<'_>)> = Vec::with_capacity(inputs.len());
        for ((name, element), tensor) in self.inputs.iter().zip(inputs) {
            let value = values::given(tensor, *element).map_err(|reason| format!("the input `{name}`: {reason}"))?;
            given.push((name, value));
        }
        self.sessions.with(|session| {
            let made = session.run(given).map_err(|error| error.to_string())?;
            let read = made
                .iter()
                .map(|(name, value)| values::made(&value).map_err(|reason| format!("the output `{name}`: {reason}")));
            read.collect()
        })
    }
}

/// The bytes for the library. `ZipMap` becomes the identity, as in the interpreter: a map for each row would only be
/// taken apart again.
fn encoded(model: &ModelProto) -> Result<Vec<u8>, String> {
    let is_map = |operator: &str, domain: &str| operator == "ZipMap" && domain == ML;
    let nodes = model.graph.iter().flat_map(|graph| &graph.node);
    let mut changed;
    let mut model = model;
    if nodes.into_iter().any(|node| is_map(&node.op_type, &node.domain)) {
        changed = model.clone();
        if let Some(graph) = &mut changed.graph {
            let mut maps = Vec::new();
            for node in graph.node.iter_mut().filter(|node| is_map(&node.op_type, &node.domain)) {
                "Identity".clone_into(&mut node.op_type);
                node.domain.clear();
                node.attribute.clear();
                maps.extend(node.output.iter().cloned());
            }
            let tensor = TensorType { elem_type: datatype::FLOAT, shape: None };
            for output in graph.output.iter_mut().filter(|output| maps.contains(&output.name)) {
                output.r#type = Some(TypeProto { value: Some(Value::TensorType(tensor.clone())) });
            }
        }
        if !changed.opset_import.iter().any(|import| matches!(import.domain.as_str(), "" | "ai.onnx")) {
            changed.opset_import.push(super::generated::OperatorSetIdProto { domain: String::new(), version: 13 });
        }
        model = &changed;
    }
    match model.encoded_len() {
        length if length > BYTES_MAX => {
            Err(format!("the graph takes {length} bytes, and ONNX Runtime reads {BYTES_MAX}"))
        }
        _ => Ok(model.encode_to_vec()),
    }
}
