//! A compiled graph.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::panic::AssertUnwindSafe;

use super::checks::undefined_name;
use super::generated::{GraphProto, ModelProto};
use super::ops::control::{self, Body, free_names, graphs};
use super::ops::{self, Kernel, ML};
use super::value::Tensor;

/// The newest supported version of the standard operators, and of those of classic machine learning.
const OPSET_MAX: i64 = 28;
const ML_OPSET_MAX: i64 = 5;
/// The newest supported version of the file format.
const IR_MAX: i64 = 14;
/// Memory budgets in bytes: for folding constants at load, for one row, and for a batch.
const LOAD_BYTES_MAX: usize = 1 << 30;
const RUN_BYTES_MAX: usize = 4 << 30;
/// More patterns are rejected: each is compiled.
const PATTERNS_MAX: usize = 1 << 12;
/// The maximum number of unsupported operators in a message.
const NAMED_MAX: usize = 10;

/// A graph with compiled nodes and names resolved to slots.
pub(crate) struct Program {
    steps: Vec<Step>,
    /// Constants, by slot.
    constants: Vec<Option<Tensor>>,
    /// The slots of the graph's inputs and outputs.
    inputs: Vec<usize>,
    outputs: Vec<usize>,
}

struct Step {
    /// `Gemm`, and the node's name if it has one: for errors.
    title: String,
    kernel: Kernel,
    inputs: Vec<Option<usize>>,
    outputs: Vec<Option<usize>>,
    /// The slots that no later step reads.
    done: Vec<usize>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.steps.iter().map(|step| &step.title)).finish()
    }
}

/// Why a graph could not be compiled.
pub(super) enum ProgramError {
    /// It is invalid, or exceeds a limit.
    Refused(String),
    /// A node has an unsupported form.
    Unsupported(String),
    /// Operators are missing.
    Unknown {
        /// Their names and domains, for a message.
        operators: String,
        /// The graph has standard operators only, none of those of classic machine learning.
        is_standard: bool,
    },
}

impl ProgramError {
    /// A message for people.
    pub(super) fn reason(self) -> String {
        match self {
            Self::Refused(reason) | Self::Unsupported(reason) => reason,
            Self::Unknown { operators, .. } => format!("operators that are not run: {operators}"),
        }
    }
}

impl From<String> for ProgramError {
    fn from(reason: String) -> Self {
        Self::Refused(reason)
    }
}

/// The versions of operators that a model declares.
pub(super) fn check_versions(model: &ModelProto) -> Result<(), String> {
    if model.ir_version > IR_MAX {
        return Err(format!(
            "the file is of ONNX's format {}, and this version of Tidemill reads up to {IR_MAX}",
            model.ir_version
        ));
    }
    for import in &model.opset_import {
        let most = match import.domain.as_str() {
            "" | "ai.onnx" => OPSET_MAX,
            ML => ML_OPSET_MAX,
            _ => continue,
        };
        if import.version > most {
            let domain = if import.domain.is_empty() { "ai.onnx" } else { &import.domain };
            return Err(format!(
                "it asks for operators of `{domain}` of version {}, and this version of Tidemill runs up to {most}",
                import.version
            ));
        }
    }
    Ok(())
}

/// Whether the domain is that of the standard operators.
pub(super) fn is_standard(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

/// The declared version of a domain.
pub(super) fn opset(model: &ModelProto, domain: &str) -> i64 {
    let is_it = |other: &str| other == domain || (domain.is_empty() && other == "ai.onnx");
    model.opset_import.iter().find(|import| is_it(&import.domain)).map_or(1, |import| import.version)
}

impl Program {
    pub(super) fn new(model: &ModelProto, graph: &GraphProto) -> Result<Self, ProgramError> {
        Self::within(model, graph, &[])
    }

    /// The program of a graph that also uses the values `around` it, which are given after its own inputs.
    fn within(model: &ModelProto, graph: &GraphProto, around: &[String]) -> Result<Self, ProgramError> {
        let mut unknown = BTreeSet::new();
        let mut all_standard = true;
        let (standard, ml) = (opset(model, ""), opset(model, ML));
        let mut kernels = Vec::with_capacity(graph.node.len());
        let patterns = graph.node.iter().filter(|node| node.op_type == "RegexFullMatch").count();
        if patterns > PATTERNS_MAX {
            return Err(ProgramError::Refused(format!("{patterns} patterns are more than {PATTERNS_MAX}")));
        }
        for node in &graph.node {
            let title = title(&node.op_type, &node.name);
            let version = if node.domain == ML { ml } else { standard };
            let mut captured: Vec<String> = Vec::new();
            let inner = graphs(node);
            let kernel = if inner.is_empty() {
                ops::compile(node, version)
            } else {
                match bodies(model, &inner, &mut captured) {
                    Ok(bodies) => control::compile(node, bodies, version),
                    Err(ProgramError::Unknown { operators, is_standard }) => {
                        all_standard &= is_standard;
                        unknown.insert(operators);
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            };
            match kernel.map_err(|reason| ProgramError::Unsupported(format!("{title}: {reason}")))? {
                Some(kernel) => kernels.push((title, kernel, captured)),
                None => {
                    let domain = if node.domain.is_empty() { "ai.onnx" } else { &node.domain };
                    unknown.insert(format!("`{}` of `{domain}`", node.op_type));
                }
            }
        }
        if !unknown.is_empty() {
            let is_standard = all_standard && graph.node.iter().all(|node| is_standard(&node.domain));
            let mut names: Vec<String> = unknown.into_iter().collect();
            names.truncate(NAMED_MAX);
            return Err(ProgramError::Unknown { operators: names.join(", "), is_standard });
        }
        let mut places = Places::default();
        for tensor in &graph.initializer {
            let value = Tensor::read(tensor)?;
            places.define(&tensor.name, Some(value))?;
        }
        let mut inputs = Vec::new();
        for input in &graph.input {
            // Old files list initializers among the inputs too.
            if !places.by_name.contains_key(&input.name) {
                inputs.push(places.define(&input.name, None)?);
            }
        }
        for name in around {
            inputs.push(places.define(name, None)?);
        }
        let mut steps: Vec<Step> = Vec::with_capacity(graph.node.len());
        let mut budget = Budget(LOAD_BYTES_MAX);
        for (node, (title, kernel, captured)) in graph.node.iter().zip(kernels) {
            let mut step = Step { title, kernel, inputs: Vec::new(), outputs: Vec::new(), done: Vec::new() };
            for name in node.input.iter().chain(&captured) {
                step.inputs.push(if name.is_empty() { None } else { Some(places.find(name, &step.title, graph)?) });
            }
            let known = step.inputs.iter().flatten().all(|place| places.constants[*place].is_some());
            if known {
                // Nodes that depend on no input are computed once.
                let given: Vec<Option<&Tensor>> =
                    step.inputs.iter().map(|place| place.and_then(|place| places.constants[place].as_ref())).collect();
                let mut made = step.run(&given, &mut budget)?.into_iter();
                for name in &node.output {
                    let value = made.next();
                    if !name.is_empty() && value.is_some() {
                        places.define(name, value)?;
                    }
                }
                continue;
            }
            for name in &node.output {
                step.outputs.push(if name.is_empty() { None } else { Some(places.define(name, None)?) });
            }
            steps.push(step);
        }
        let mut outputs = Vec::with_capacity(graph.output.len());
        for output in &graph.output {
            outputs.push(places.find(&output.name, "the graph", graph)?);
        }
        let mut seen: HashSet<usize> = outputs.iter().copied().collect();
        for step in steps.iter_mut().rev() {
            let used = step.inputs.iter().flatten().chain(step.outputs.iter().flatten());
            step.done = used.copied().filter(|place| seen.insert(*place)).collect();
        }
        Ok(Self { steps, constants: places.constants, inputs, outputs })
    }

    /// Returns the outputs for inputs in the order of the graph.
    pub(crate) fn run(&self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, String> {
        let is_one = inputs.iter().all(|input| input.shape.first() == Some(&1));
        if inputs.len() != self.inputs.len() {
            return Err(format!("{} inputs are given, and the graph takes {}", inputs.len(), self.inputs.len()));
        }
        let mut budget = Budget(if is_one { LOAD_BYTES_MAX } else { RUN_BYTES_MAX });
        let mut values: Vec<Option<Tensor>> = Vec::new();
        values.resize_with(self.constants.len(), || None);
        for (place, tensor) in self.inputs.iter().zip(inputs) {
            values[*place] = Some(tensor);
        }
        for step in &self.steps {
            let given: Vec<Option<&Tensor>> = step.inputs.iter().map(|place| self.get(&values, *place)).collect();
            let made = step.run(&given, &mut budget)?;
            for (place, tensor) in step.outputs.iter().zip(made) {
                if let Some(place) = place {
                    values[*place] = Some(tensor);
                }
            }
            for place in &step.done {
                if let Some(tensor) = values[*place].take() {
                    budget.0 = budget.0.saturating_add(tensor.data.bytes());
                }
            }
        }
        let output = |place: &usize| {
            let found = self.get(&values, Some(*place)).cloned();
            found.ok_or_else(|| "an output was not made".to_owned())
        };
        self.outputs.iter().map(output).collect()
    }

    fn get<'a>(&'a self, values: &'a [Option<Tensor>], place: Option<usize>) -> Option<&'a Tensor> {
        let place = place?;
        values[place].as_ref().or(self.constants[place].as_ref())
    }
}

/// The programs of the graphs of a node; the names that they use from around it are added to `captured`.
fn bodies(
    model: &ModelProto,
    inner: &[(&str, &GraphProto)],
    captured: &mut Vec<String>,
) -> Result<Vec<(String, Body)>, ProgramError> {
    let mut bodies = Vec::with_capacity(inner.len());
    for (attribute, graph) in inner {
        let around = free_names(graph);
        let program = Program::within(model, graph, &around)?;
        let mut place = |name: &String| {
            captured.iter().position(|other| other == name).unwrap_or_else(|| {
                captured.push(name.clone());
                captured.len() - 1
            })
        };
        bodies.push(((*attribute).to_owned(), Body { program, captures: around.iter().map(&mut place).collect() }));
    }
    Ok(bodies)
}

/// The remaining memory budget in bytes: a small file can demand any number of large tensors.
struct Budget(usize);

impl Step {
    fn run(&self, given: &[Option<&Tensor>], budget: &mut Budget) -> Result<Vec<Tensor>, String> {
        // A file from outside decides what is computed; no failure in it may end the process.
        let run = AssertUnwindSafe(|| (self.kernel)(given));
        let made = std::panic::catch_unwind(run).unwrap_or_else(|_| Err("it panicked".to_owned()));
        let made = made.map_err(|reason| format!("{}: {reason}", self.title))?;
        let bytes = made.iter().map(|tensor| tensor.data.bytes()).sum();
        match budget.0.checked_sub(bytes) {
            Some(rest) => budget.0 = rest,
            None => {
                return Err(format!("{}: the graph makes tensors without end; send fewer rows at once", self.title));
            }
        }
        Ok(made)
    }
}

/// Resolves names to slots; each name is defined once and before it is used.
#[derive(Default)]
struct Places {
    by_name: HashMap<String, usize>,
    constants: Vec<Option<Tensor>>,
}

impl Places {
    fn define(&mut self, name: &str, value: Option<Tensor>) -> Result<usize, String> {
        let place = self.constants.len();
        if self.by_name.insert(name.to_owned(), place).is_some() {
            return Err(format!("`{name}` is made twice"));
        }
        self.constants.push(value);
        Ok(place)
    }

    fn find(&self, name: &str, user: &str, graph: &GraphProto) -> Result<usize, String> {
        self.by_name.get(name).copied().ok_or_else(|| undefined_name(user, name, graph))
    }
}

/// A node's name in messages: its operator, and its name if it has one.
pub(super) fn title(operator: &str, name: &str) -> String {
    if name.is_empty() { format!("`{operator}`") } else { format!("`{operator}` (`{name}`)") }
}
