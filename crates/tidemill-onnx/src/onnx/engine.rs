//! The engines that run a graph, and the choice between them.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use tidemill_model::{Dimension, TensorInfo};

use super::checks::check;
use super::dense::TractNetwork;
use super::generated::{GraphProto, ModelProto, NodeProto};
use super::library_error::OnnxRuntimeError;
use super::options::{OnnxEngine, OnnxOptions};
use super::program::{Program, ProgramError, is_standard};
use super::runtime::{ADVICE, OnnxRuntime};
use super::samples::{Fill, fitting, sample};
use super::value::{Data, Tensor};

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
    ///
    /// The interpreter has the last word: tract runs a network only if both give the same outputs for samples of its
    /// inputs, so that what tract does not honour of a graph costs time and not correctness.
    pub(super) fn new(
        model: &ModelProto,
        graph: &GraphProto,
        inputs: &[TensorInfo],
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
            OnnxEngine::Tract => {
                let dense = dense().map_err(|reason| format!("tract does not run it: {reason}"))?;
                if let Ok(program) = Program::new(model, graph)
                    && let Err(reason) = agree(&Self::Program(program), &dense, graph, inputs)
                {
                    return Err(format!("tract does not run it: {reason}").into());
                }
                Ok(dense)
            }
            OnnxEngine::OnnxRuntime => runtime(),
            OnnxEngine::Auto => {
                let refused = match Program::new(model, graph) {
                    Ok(program) => {
                        let program = Self::Program(program);
                        let better = if is_network(graph) { dense().ok() } else { None };
                        return Ok(match better {
                            Some(dense)
                                if accepts_rows(&dense, inputs) && agree(&program, &dense, graph, inputs).is_ok() =>
                            {
                                dense
                            }
                            _ => program,
                        });
                    }
                    Err(ProgramError::Refused(reason)) => return Err(EngineError::Graph(reason)),
                    Err(refused) => refused,
                };
                let mut reason = refused.reason();
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

/// Whether a graph of standard operators spends most of its time on products of large matrices, convolutions or
/// recurrent layers.
fn is_network(graph: &GraphProto) -> bool {
    let sizes: HashMap<&str, usize> = graph
        .initializer
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor.dims.iter().map(|size| *size as usize).product()))
        .collect();
    let weights = |node: &NodeProto| node.input.iter().filter_map(|name| sizes.get(name.as_str())).sum::<usize>();
    let products = graph.node.iter().filter(|node| matches!(node.op_type.as_str(), "MatMul" | "Gemm"));
    let is_heavy =
        |node: &NodeProto| matches!(node.op_type.as_str(), "Conv" | "ConvTranspose" | "LSTM" | "GRU" | "RNN");
    let is_large = graph.node.iter().any(is_heavy) || products.map(weights).sum::<usize>() > WEIGHTS_MAX;
    is_large && graph.node.iter().all(|node| is_standard(&node.domain))
}

/// Whether an engine accepts as many rows at once as the graph declares.
fn accepts_rows(engine: &Engine, inputs: &[TensorInfo]) -> bool {
    let declares_one =
        |info: &TensorInfo| matches!(info.shape.as_ref().and_then(|shape| shape.first()), Some(Dimension::Fixed(_)));
    !engine.is_single() || inputs.iter().all(declares_one)
}

/// Relative difference up to which two engines say the same.
const AGREEMENT: f64 = 1e-3;

/// A large network is compared on fewer samples.
const COMPARED_FOR: Duration = Duration::from_secs(2);

/// Compares two engines on samples of the inputs.
fn agree(right: &Engine, other: &Engine, graph: &GraphProto, inputs: &[TensorInfo]) -> Result<(), String> {
    let mut compared = 0;
    let started = Instant::now();
    for fill in [Fill::Small(1), Fill::Zeros, Fill::Small(2)] {
        if compared > 0 && started.elapsed() > COMPARED_FOR {
            break;
        }
        // A sample that the interpreter cannot run tells nothing.
        let Ok((open, expected)) = fitting(inputs, 1, fill, |sample| right.run(sample)) else { continue };
        let found = sample(inputs, 1, open, fill).and_then(|sample| other.run(sample))?;
        compared += 1;
        for (at, (expected, found)) in expected.iter().zip(&found).enumerate() {
            let name = graph.output.get(at).map_or("", |output| output.name.as_str());
            if let Some(difference) = difference(expected, found, AGREEMENT) {
                return Err(format!("its output `{name}` is not that of the interpreter: {difference}"));
            }
        }
    }
    if compared == 0 { Err("no sample of its inputs can be run".to_owned()) } else { Ok(()) }
}

/// How two tensors differ, if they do by more than `tolerance` of the larger number (or of 1).
pub(super) fn difference(expected: &Tensor, found: &Tensor, tolerance: f64) -> Option<String> {
    if expected.shape != found.shape {
        return Some(format!("its shape is {:?}, and {:?} is expected", found.shape, expected.shape));
    }
    match (&expected.data, &found.data) {
        (Data::Text(a), Data::Text(b)) => {
            a.iter().zip(b).find(|(a, b)| a != b).map(|(a, b)| format!("`{b}`, not `{a}`"))
        }
        (Data::List(a), Data::List(b)) => a.iter().zip(b).find_map(|(a, b)| difference(a, b, tolerance)),
        _ => {
            let (Ok(a), Ok(b)) = (expected.floats(), found.floats()) else {
                return Some("its type differs".to_owned());
            };
            let far = |a: f64, b: f64| {
                !(a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * a.abs().max(b.abs()).max(1.0))
            };
            a.iter().zip(b.iter()).find(|(a, b)| far(**a, **b)).map(|(a, b)| format!("{b}, not {a}"))
        }
    }
}
