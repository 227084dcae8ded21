//! Operators that run graphs of their own: `If`, `Loop`, `Scan` and `SequenceMap`.

use super::sequence::{list, stacked};
use super::{Kernel, input, optional};
use crate::onnx::attributes::Attributes;
use crate::onnx::generated::{GraphProto, NodeProto};
use crate::onnx::program::Program;
use crate::onnx::value::{Data, Tensor, axis_of};

/// A loop of more turns is rejected.
const TURNS_MAX: usize = 1 << 20;
/// What a loop collects may take as much memory.
const COLLECTED_BYTES_MAX: usize = 1 << 30;

/// A graph within a node. It takes its own inputs, and then values of the graphs around it.
pub(crate) struct Body {
    pub(crate) program: Program,
    /// Which of the values that the node takes from around it the graph uses.
    pub(crate) captures: Vec<usize>,
}

impl Body {
    fn run(&self, mut given: Vec<Tensor>, around: &[Option<&Tensor>]) -> Result<Vec<Tensor>, String> {
        for capture in &self.captures {
            given.push(input(around, *capture)?.clone());
        }
        self.program.run(given)
    }
}

/// The graphs in the attributes of a node, by the names of the attributes.
pub(crate) fn graphs(node: &NodeProto) -> Vec<(&str, &GraphProto)> {
    node.attribute.iter().filter_map(|attribute| Some((attribute.name.as_str(), attribute.g.as_ref()?))).collect()
}

/// Names that a graph uses and does not define.
pub(crate) fn free_names(graph: &GraphProto) -> Vec<String> {
    let mut known: std::collections::HashSet<&str> = graph.input.iter().map(|input| input.name.as_str()).collect();
    known.extend(graph.initializer.iter().map(|tensor| tensor.name.as_str()));
    let mut free: Vec<String> = Vec::new();
    let mut note = |name: &str, known: &std::collections::HashSet<&str>| {
        if !name.is_empty() && !known.contains(name) && !free.iter().any(|other| other == name) {
            free.push(name.to_owned());
        }
    };
    for node in &graph.node {
        node.input.iter().for_each(|name| note(name, &known));
        for (_, inner) in graphs(node) {
            free_names(inner).iter().for_each(|name| note(name, &known));
        }
        known.extend(node.output.iter().map(String::as_str));
    }
    graph.output.iter().for_each(|output| note(&output.name, &known));
    free
}

/// The kernel of a node with graphs; its inputs are those of the node, and then the captured values.
pub(crate) fn compile(node: &NodeProto, mut bodies: Vec<(String, Body)>, opset: i64) -> Result<Option<Kernel>, String> {
    if !matches!(node.domain.as_str(), "" | "ai.onnx") {
        return Ok(None);
    }
    super::check_attributes(node)?;
    let attributes = Attributes::of(node);
    let own = node.input.len();
    let mut body = |name: &str| {
        let at = bodies.iter().position(|(attribute, _)| attribute == name);
        at.map(|at| bodies.swap_remove(at).1).ok_or_else(|| format!("the graph `{name}` is missing"))
    };
    Ok(Some(match node.op_type.as_str() {
        "If" => {
            let (then, otherwise) = (body("then_branch")?, body("else_branch")?);
            Box::new(move |inputs| {
                let branch = if input(inputs, 0)?.number()? == 0.0 { &otherwise } else { &then };
                branch.run(Vec::new(), inputs.get(own..).unwrap_or_default())
            })
        }
        "Loop" => {
            let body = body("body")?;
            let scans = node.output.len();
            Box::new(move |inputs| repeat(&body, inputs, own, scans))
        }
        "Scan" if opset < 9 => {
            return Err(format!("the form of version {opset} of the operators is not run by this version"));
        }
        "Scan" => {
            let scan = Scan {
                body: body("body")?,
                own,
                scanned: usize::try_from(attributes.int("num_scan_inputs", 0)).map_err(|_| "`num_scan_inputs`")?,
                input_axes: attributes.ints("scan_input_axes").to_vec(),
                input_backwards: attributes.ints("scan_input_directions").to_vec(),
                output_axes: attributes.ints("scan_output_axes").to_vec(),
                output_backwards: attributes.ints("scan_output_directions").to_vec(),
            };
            Box::new(move |inputs| scan.run(inputs))
        }
        "SequenceMap" => {
            let body = body("body")?;
            let outputs = node.output.len();
            Box::new(move |inputs| map(&body, inputs, own, outputs))
        }
        _ => return Ok(None),
    }))
}

/// Collects the results of turns, within bounds.
#[derive(Default)]
struct Collected {
    lists: Vec<Vec<Tensor>>,
    bytes: usize,
}

impl Collected {
    fn push(&mut self, results: impl Iterator<Item = Tensor>) -> Result<(), String> {
        for (at, tensor) in results.enumerate() {
            self.bytes = self.bytes.saturating_add(tensor.data.bytes());
            if self.bytes > COLLECTED_BYTES_MAX {
                return Err("it collects tensors without end".to_owned());
            }
            if self.lists.len() <= at {
                self.lists.push(Vec::new());
            }
            self.lists[at].push(tensor);
        }
        Ok(())
    }
}

fn repeat(body: &Body, inputs: &[Option<&Tensor>], own: usize, outputs: usize) -> Result<Vec<Tensor>, String> {
    let around = inputs.get(own..).unwrap_or_default();
    let most = optional(inputs, 0).map(Tensor::number).transpose()?;
    let mut goes_on = optional(inputs, 1).map_or(Ok(1.0), Tensor::number)? != 0.0;
    let mut state: Vec<Tensor> = (2..own).map(|at| input(inputs, at).cloned()).collect::<Result<_, _>>()?;
    let carried = state.len();
    let mut collected = Collected::default();
    let mut turn = 0_usize;
    while goes_on && most.is_none_or(|most| (turn as f64) < most) {
        if turn == TURNS_MAX {
            return Err(format!("it takes more than {TURNS_MAX} turns"));
        }
        let mut given = vec![Tensor::scalar(Data::Int(vec![turn as i64])), Tensor::scalar(Data::Bool(vec![true]))];
        given.append(&mut state);
        let mut made = body.run(given, around)?.into_iter();
        goes_on = made.next().ok_or("the graph has no condition")?.number()? != 0.0;
        state = made.by_ref().take(carried).collect();
        collected.push(made)?;
        turn += 1;
    }
    let scans = outputs.saturating_sub(carried);
    collected.lists.resize_with(scans.max(collected.lists.len()), Vec::new);
    for list in collected.lists {
        // Without a turn, nothing tells the shape of what would have been collected.
        state.push(if list.is_empty() { Tensor::vector(Data::F32(Vec::new())) } else { stacked(&list, 0)? });
    }
    Ok(state)
}

struct Scan {
    body: Body,
    own: usize,
    scanned: usize,
    input_axes: Vec<i64>,
    input_backwards: Vec<i64>,
    output_axes: Vec<i64>,
    output_backwards: Vec<i64>,
}

impl Scan {
    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, String> {
        let around = inputs.get(self.own..).unwrap_or_default();
        let carried = self.own.checked_sub(self.scanned).ok_or("fewer inputs than are scanned")?;
        let mut state: Vec<Tensor> = (0..carried).map(|at| input(inputs, at).cloned()).collect::<Result<_, _>>()?;
        let mut turns = None;
        let mut axes = Vec::with_capacity(self.scanned);
        for at in 0..self.scanned {
            let tensor = input(inputs, carried + at)?;
            let axis = axis_of(self.input_axes.get(at).copied().unwrap_or(0), tensor.rank())?;
            if turns.is_some_and(|turns| turns != tensor.shape[axis]) {
                return Err("the scanned inputs differ in length".to_owned());
            }
            turns = Some(tensor.shape[axis]);
            axes.push(axis);
        }
        let turns = turns.unwrap_or(0);
        if turns > TURNS_MAX {
            return Err(format!("it takes more than {TURNS_MAX} turns"));
        }
        let mut collected = Collected::default();
        for turn in 0..turns {
            let mut given = std::mem::take(&mut state);
            for (at, axis) in axes.iter().enumerate() {
                let backwards = self.input_backwards.get(at).is_some_and(|way| *way != 0);
                let place = if backwards { turns - 1 - turn } else { turn };
                given.push(slice(input(inputs, carried + at)?, *axis, place)?);
            }
            let mut made = self.body.run(given, around)?.into_iter();
            state = made.by_ref().take(carried).collect();
            collected.push(made)?;
        }
        for (at, mut list) in collected.lists.into_iter().enumerate() {
            if self.output_backwards.get(at).is_some_and(|way| *way != 0) {
                list.reverse();
            }
            state.push(stacked(&list, self.output_axes.get(at).copied().unwrap_or(0))?);
        }
        Ok(state)
    }
}

/// The slice at `place` of an axis, without the axis.
fn slice(tensor: &Tensor, axis: usize, place: usize) -> Result<Tensor, String> {
    let mut lists: Vec<Vec<Option<usize>>> = tensor.shape.iter().map(|size| (0..*size).map(Some).collect()).collect();
    lists[axis] = vec![Some(place)];
    let mut made = super::arrange::picked(tensor, &lists, 0.0)?;
    made.shape.remove(axis);
    Ok(made)
}

fn map(body: &Body, inputs: &[Option<&Tensor>], own: usize, outputs: usize) -> Result<Vec<Tensor>, String> {
    let around = inputs.get(own..).unwrap_or_default();
    let first = list(input(inputs, 0)?)?;
    let mut lists = vec![Vec::with_capacity(first.len()); outputs];
    for (at, tensor) in first.iter().enumerate() {
        let mut given = vec![tensor.clone()];
        for other in 1..own {
            let other = input(inputs, other)?;
            given.push(match &other.data {
                Data::List(all) => all.get(at).ok_or("the sequences differ in length")?.clone(),
                _ => other.clone(),
            });
        }
        let made = body.run(given, around)?;
        lists.iter_mut().zip(made).for_each(|(list, tensor)| list.push(tensor));
    }
    Ok(lists.into_iter().map(Tensor::list).collect())
}
