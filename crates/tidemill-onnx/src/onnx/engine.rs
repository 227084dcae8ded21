//! The engines that run a graph, and the choice between them.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use super::checks::check;
use super::dense::TractNetwork;
use super::generated::{GraphProto, ModelProto, NodeProto};
use super::library_error::OnnxRuntimeError;
use super::options::{OnnxEngine, OnnxOptions};
use super::program::{Program, ProgramError, is_standard};
use super::runtime::{ADVICE, OnnxRuntime};
use super::signature::Input;
use super::value::{Data, Tensor, datatype};

/// An engine, ready to run the graph.
#[derive(Debug)]
pub(super) enum Engine {
    /// The interpreter, which has the operators of classic machine learning.
    Program(Program),
    /// tract, for networks.
    TractNetwork(TractNetwork),
    /// ONNX Runtime, whose library is loaded at run time.
    OnnxRuntime(OnnxRuntime),
}

/// Why no engine runs a graph.
#[derive(Debug)]
pub(crate) enum EngineError {
    /// The graph cannot be run.
    Graph(String),
    /// The library that should run it is not available.
    Library(OnnxRuntimeError),
}

impl From<String> for EngineError {
    fn from(reason: String) -> Self {
        Self::Graph(reason)
    }
}

impl From<OnnxRuntimeError> for EngineError {
    fn from(error: OnnxRuntimeError) -> Self {
        Self::Library(error)
    }
}

impl Engine {
    /// The engine that `options` select, ready to run the graph. One engine runs the whole graph: otherwise the split
    /// would depend on the order of nodes.
    pub(super) fn new(
        model: &ModelProto,
        graph: &GraphProto,
        inputs: &[Input],
        options: &OnnxOptions,
    ) -> Result<Self, EngineError> {
        let dense = || check(model).and_then(|()| TractNetwork::new(model, inputs)).map(Self::TractNetwork);
        let runtime = || {
            check(model)?;
            OnnxRuntime::new(model, inputs, options).map(Self::OnnxRuntime)
        };
        match options.engine {
            OnnxEngine::Native => {
                Ok(Self::Program(Program::new(model, graph).map_err(|reason| EngineError::Graph(reason.reason()))?))
            }
            OnnxEngine::Tract => Ok(dense().map_err(|reason| format!("tract does not run it: {reason}"))?),
            OnnxEngine::OnnxRuntime => runtime(),
            OnnxEngine::Auto => {
                let refused = match Program::new(model, graph) {
                    Ok(program) => {
                        let program = Self::Program(program);
                        return Ok(if is_network(graph) {
                            better(dense(), inputs).unwrap_or(program)
                        } else {
                            program
                        });
                    }
                    Err(ProgramError::Refused(reason)) => return Err(EngineError::Graph(reason)),
                    Err(refused) => refused,
                };
                let numbers_only = matches!(refused, ProgramError::Unknown { is_standard: true, .. });
                let mut reason = refused.reason();
                if numbers_only {
                    match dense() {
                        Ok(dense) => return Ok(dense),
                        Err(refused) => reason.push_str(&format!(" ({refused})")),
                    }
                }
                if options.library.is_none() {
                    reason.push_str(ADVICE);
                    return Err(EngineError::Graph(reason));
                }
                runtime().map_err(|error| match error {
                    EngineError::Graph(refused) => EngineError::Graph(format!("{reason}; {refused}")),
                    EngineError::Library(error) => EngineError::Library(error),
                })
            }
        }
    }

    /// Its name for people.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Program(_) => "tidemill".to_owned(),
            Self::TractNetwork(_) => "tract".to_owned(),
            Self::OnnxRuntime(runtime) => runtime.name(),
        }
    }

    /// Whether it accepts one row at a time.
    pub(super) fn is_single(&self) -> bool {
        match self {
            Self::Program(_) => false,
            Self::TractNetwork(dense) => dense.is_single(),
            Self::OnnxRuntime(runtime) => runtime.is_single(),
        }
    }

    /// Returns the outputs for inputs in the order of the graph.
    pub(super) fn run(&self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, String> {
        // A file from outside decides what is computed; no failure in it may end the process.
        let run = AssertUnwindSafe(|| match self {
            Self::Program(program) => program.run(inputs),
            Self::TractNetwork(dense) => dense.run(&inputs),
            Self::OnnxRuntime(runtime) => runtime.run(&inputs),
        });
        std::panic::catch_unwind(run).unwrap_or_else(|_| Err("running the graph panicked".to_owned()))
    }
}

/// The number of weights in matrix products from which tract is faster: at 4,096 a row takes it half the time, at
/// 65,536 a quarter (`bench/onnx`).
const WEIGHTS_MAX: usize = 1 << 12;

/// Whether a graph of standard operators spends most of its time on products of large matrices.
fn is_network(graph: &GraphProto) -> bool {
    let sizes: HashMap<&str, usize> = graph
        .initializer
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor.dims.iter().map(|size| *size as usize).product()))
        .collect();
    let weights = |node: &NodeProto| node.input.iter().filter_map(|name| sizes.get(name.as_str())).sum::<usize>();
    let products = graph.node.iter().filter(|node| matches!(node.op_type.as_str(), "MatMul" | "Gemm"));
    graph.node.iter().all(|node| is_standard(&node.domain)) && products.map(weights).sum::<usize>() > WEIGHTS_MAX
}

/// tract, if it accepts as many rows at once as the graph declares, and runs one.
fn better(dense: Result<Engine, String>, inputs: &[Input]) -> Option<Engine> {
    let dense = dense.ok()?;
    let fits = !dense.is_single() || inputs.iter().any(|input| input.single);
    (fits && dense.run(zeros(inputs, 1)).is_ok()).then_some(dense)
}

/// The shape of an input's tensor for this many rows.
pub(super) fn shape_of(input: &Input, rows: usize) -> Vec<usize> {
    let mut shape = vec![rows];
    shape.extend_from_slice(&input.sizes);
    shape
}

/// Rows of zeros, and of empty texts.
pub(super) fn zeros(inputs: &[Input], rows: usize) -> Vec<Tensor> {
    let one = |input: &Input| {
        let count = rows * input.width;
        let data = match input.element {
            datatype::FLOAT | datatype::FLOAT16 | datatype::BFLOAT16 => Data::F32(vec![0.0; count]),
            datatype::DOUBLE => Data::F64(vec![0.0; count]),
            datatype::STRING => Data::Text(vec![String::new(); count]),
            datatype::BOOL => Data::Bool(vec![false; count]),
            _ => Data::Int(vec![0; count]),
        };
        Tensor { shape: shape_of(input, rows), data }
    };
    inputs.iter().map(one).collect()
}
