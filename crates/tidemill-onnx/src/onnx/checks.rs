//! Checks a graph before third-party code parses it.
//!
//! The interpreter finds these errors as it runs; tract and ONNX Runtime receive the graph whole.

use std::collections::{HashMap, HashSet};

use super::generated::{GraphProto, ModelProto, TensorProto};
use super::value::{Data, Tensor, elements};

/// Rejects a graph with cycles or nodes out of order, with tensors that claim more than their data or are in other
/// files, with nested graphs, and with sizes that only cost memory.
pub(super) fn check(model: &ModelProto) -> Result<(), String> {
    let Some(graph) = &model.graph else { return Err("it has no graph".to_owned()) };
    let tensors = graph.node.iter().flat_map(|node| &node.attribute);
    let tensors = tensors.flat_map(|attribute| attribute.t.iter().chain(&attribute.tensors));
    for tensor in graph.initializer.iter().chain(tensors) {
        check_tensor(tensor)?;
    }
    check_order(graph)?;
    check_sizes(graph)
}

/// Bytes of data a tensor must have for its elements; 4-bit elements share a byte.
fn check_tensor(tensor: &TensorProto) -> Result<(), String> {
    let name = &tensor.name;
    Tensor::check_inside(tensor)?;
    let count = tensor.dims.iter().try_fold(1_usize, |count, size| count.checked_mul(usize::try_from(*size).ok()?));
    let packed = [
        tensor.raw_data.len().saturating_mul(2),
        tensor.float_data.len(),
        tensor.int32_data.len().saturating_mul(2),
        tensor.string_data.len(),
        tensor.int64_data.len(),
        tensor.double_data.len(),
        tensor.uint64_data.len(),
    ];
    let most = packed.into_iter().max().unwrap_or_default();
    match count {
        Some(count) if count <= most => Ok(()),
        _ => Err(format!("the tensor `{name}` of shape {:?} is too large for its data", tensor.dims)),
    }
}

/// Checks that each name is defined once, and before it is used.
fn check_order(graph: &GraphProto) -> Result<(), String> {
    let mut made = HashSet::new();
    // Old files list initializers among the inputs too.
    for names in [names(&graph.initializer, |tensor| &tensor.name)?, names(&graph.input, |input| &input.name)?] {
        made.extend(names);
    }
    for node in &graph.node {
        if let Some(name) = node.input.iter().find(|name| !name.is_empty() && !made.contains(name.as_str())) {
            return Err(undefined_name(&super::program::title(&node.op_type, &node.name), name, graph));
        }
        for name in node.output.iter().filter(|name| !name.is_empty()) {
            if !made.insert(name) {
                return Err(format!("`{name}` is made twice"));
            }
        }
    }
    match graph.output.iter().find(|output| !made.contains(output.name.as_str())) {
        Some(output) => Err(undefined_name("the graph", &output.name, graph)),
        None => Ok(()),
    }
}

/// Names that are defined twice in one list.
fn names<T>(list: &[T], name: impl Fn(&T) -> &String) -> Result<HashSet<&str>, String> {
    let mut names = HashSet::new();
    match list.iter().map(|entry| name(entry).as_str()).find(|name| !names.insert(*name)) {
        Some(name) => Err(format!("`{name}` is made twice")),
        None => Ok(names),
    }
}

/// The error for a name that is used before it is defined.
pub(super) fn undefined_name(user: &str, name: &str, graph: &GraphProto) -> String {
    let later = graph.node.iter().any(|node| node.output.iter().any(|output| output == name));
    if later {
        format!("{user} uses `{name}` before it is made: the nodes go in a circle or are out of order")
    } else {
        format!("{user} uses `{name}`, which nothing makes")
    }
}

/// Rejects numbers in attributes and small constants that would only demand absurd sizes: constants are folded when a
/// graph is loaded, so the memory would be allocated.
fn check_sizes(graph: &GraphProto) -> Result<(), String> {
    let constants: HashMap<&str, &TensorProto> = graph
        .initializer
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor))
        .chain(graph.node.iter().filter(|node| node.op_type == "Constant").filter_map(|node| {
            Some((node.output.first()?.as_str(), node.attribute.iter().find_map(|attribute| attribute.t.as_ref())?))
        }))
        .collect();
    for node in &graph.node {
        let refuse = || format!("`{}` asks for a tensor that is too large", node.op_type);
        for attribute in &node.attribute {
            if attribute.g.is_some() {
                return Err(format!("`{}` holds a graph of its own, which is not run", node.op_type));
            }
            if SIZES.contains(&attribute.name.as_str()) && !bounded(&attribute.ints) {
                return Err(refuse());
            }
        }
        if !SIZED.contains(&node.op_type.as_str()) {
            continue;
        }
        for name in &node.input {
            let Some(tensor) = constants.get(name.as_str()) else { continue };
            if let Ok(Tensor { data: Data::Int(sizes), .. }) = Tensor::read(tensor)
                && (sizes.len() > RANK_MAX || !bounded(&sizes))
            {
                return Err(refuse());
            }
        }
    }
    Ok(())
}

/// Operators whose inputs are sizes.
const SIZED: [&str; 9] =
    ["ConstantOfShape", "Expand", "Tile", "Pad", "Resize", "Upsample", "Range", "OneHot", "Reshape"];
/// Attributes that are sizes.
const SIZES: [&str; 8] =
    ["kernel_shape", "pads", "strides", "dilations", "shape", "output_shape", "output_padding", "repeats"];
/// The maximum number of dimensions.
const RANK_MAX: usize = 64;

/// Whether a tensor of these sizes fits in memory.
fn bounded(sizes: &[i64]) -> bool {
    let sizes: Vec<usize> = sizes.iter().map(|size| (size.unsigned_abs() as usize).max(1)).collect();
    elements(&sizes).is_ok()
}
