//! The signature of an ONNX model, as columns.

use std::collections::{HashMap, HashSet};

use tidemill_core::{DataType, Signature, TensorGroup, TensorSpec};

use super::generated::type_proto::Value as Type;
use super::generated::{ModelProto, NodeProto, ValueInfoProto, tensor_shape_proto::dimension::Value as Size};
use super::value::{Data, Tensor, datatype, elements, type_name};

/// The maximum number of columns of a row.
const COLUMNS_MAX: usize = 1 << 20;
/// The metadata key with the optional inputs, as a JSON list.
pub(crate) const OPTIONAL_KEY: &str = "tidemill.optional";

/// One input of a graph.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) name: String,
    /// The element type that the graph expects.
    pub(crate) element: i32,
    /// The sizes after the row dimension.
    pub(crate) sizes: Vec<usize>,
    /// Its number of columns.
    pub(crate) width: usize,
    pub(crate) optional: bool,
    /// The graph accepts one row at a time.
    pub(crate) single: bool,
}

/// One output of a graph.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) name: String,
    /// The names of classes, for probabilities by class.
    pub(crate) classes: Vec<String>,
}

/// The inputs of a graph without an initializer.
pub(crate) fn inputs(model: &ModelProto) -> Result<Vec<Input>, String> {
    let Some(graph) = &model.graph else { return Err("it has no graph".to_owned()) };
    let optional = model.metadata_props.iter().find(|entry| entry.key == OPTIONAL_KEY);
    let optional: Option<Vec<String>> = optional.and_then(|entry| serde_json::from_str(&entry.value).ok());
    let given: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let mut inputs = Vec::new();
    let mut columns = 0;
    for info in graph.input.iter().filter(|info| !given.contains(info.name.as_str())) {
        let input = input(info, optional.as_deref())?;
        columns += input.width;
        if columns > COLUMNS_MAX {
            return Err(format!("its inputs have more than {COLUMNS_MAX} columns"));
        }
        inputs.push(input);
    }
    Ok(inputs)
}

fn input(info: &ValueInfoProto, optional: Option<&[String]>) -> Result<Input, String> {
    let name = info.name.clone();
    let refuse = |reason: String| format!("the input `{name}` {reason}");
    let Some(Type::TensorType(tensor)) = info.r#type.as_ref().and_then(|kind| kind.value.as_ref()) else {
        return Err(refuse("is not a tensor".to_owned()));
    };
    let Some(shape) = &tensor.shape else { return Err(refuse("has no shape".to_owned())) };
    let size = |at: usize| match shape.dim.get(at).and_then(|dim| dim.value.as_ref()) {
        Some(Size::DimValue(size)) => usize::try_from(*size).ok(),
        _ => None,
    };
    let rank = shape.dim.len();
    let single = match size(0) {
        None | Some(0) => false,
        Some(1) => true,
        Some(rows) => return Err(refuse(format!("takes {rows} rows at a time, and one or any number can be served"))),
    };
    if rank == 0 {
        return Err(refuse("has no rows: its shape is []".to_owned()));
    }
    let mut sizes = Vec::with_capacity(rank);
    for at in 1..rank {
        sizes.push(size(at).filter(|size| *size > 0).ok_or_else(|| {
            refuse(format!("has no fixed width: size {at} of its shape is open; export the model with a fixed size"))
        })?);
    }
    let width = elements(&sizes).ok().filter(|width| *width <= COLUMNS_MAX);
    let width = width.ok_or_else(|| refuse(format!("has the shape {sizes:?}, which is too large")))?;
    let element = tensor.elem_type;
    let is_float = matches!(element, datatype::FLOAT | datatype::DOUBLE | datatype::FLOAT16 | datatype::BFLOAT16);
    column_type(element).map_err(refuse)?;
    let optional = optional.map_or(is_float, |names| names.contains(&name));
    Ok(Input { name, element, sizes, width, optional, single })
}

/// The column type for such elements.
fn column_type(element: i32) -> Result<DataType, String> {
    Ok(match element {
        datatype::FLOAT | datatype::DOUBLE | datatype::FLOAT16 | datatype::BFLOAT16 => DataType::Fp64,
        datatype::INT8..=datatype::INT64 | datatype::UINT8 | datatype::UINT32 | datatype::UINT64 => DataType::Int64,
        datatype::STRING => DataType::Bytes,
        datatype::BOOL => DataType::Bool,
        other => return Err(format!("is of {}, which is not taken", type_name(other))),
    })
}

/// The outputs of a graph, with the classes that a `ZipMap` names.
pub(crate) fn outputs(model: &ModelProto) -> Vec<Output> {
    let Some(graph) = &model.graph else { return Vec::new() };
    let maps: HashMap<&str, &NodeProto> = graph
        .node
        .iter()
        .filter(|node| node.op_type == "ZipMap")
        .flat_map(|node| node.output.iter().map(move |output| (output.as_str(), node)))
        .collect();
    let classes = |name: &str| {
        let node = maps.get(name)?;
        let attribute = node.attribute.iter().find(|attribute| attribute.name.starts_with("classlabels_"))?;
        let texts = attribute.strings.iter().map(|text| String::from_utf8_lossy(text).into_owned());
        Some(texts.chain(attribute.ints.iter().map(i64::to_string)).collect())
    };
    let output =
        |info: &ValueInfoProto| Output { name: info.name.clone(), classes: classes(&info.name).unwrap_or_default() };
    graph.output.iter().map(output).collect()
}

/// The signature of a graph that gives `results` for one row.
pub(crate) fn signature(inputs: &[Input], outputs: &[Output], results: &[Tensor]) -> Result<Signature, String> {
    let mut signature = Signature::default();
    for input in inputs {
        let datatype = column_type(input.element)?;
        let first = signature.inputs.len();
        let spec = |name: String| TensorSpec::new(name, datatype, input.optional);
        if input.width == 1 {
            signature.inputs.push(spec(input.name.clone()));
        } else {
            signature.inputs.extend((0..input.width).map(|at| spec(format!("{}[{at}]", input.name))));
            signature.input_groups.push(TensorGroup { name: input.name.clone(), first, count: input.width });
        }
    }
    for (output, result) in outputs.iter().zip(results) {
        let width = result.data.len();
        let datatype = match &result.data {
            Data::F32(_) | Data::F64(_) => DataType::Fp64,
            Data::Int(_) => DataType::Int64,
            Data::Bool(_) => DataType::Bool,
            Data::Text(_) => DataType::Bytes,
        };
        if width == 0 || width > COLUMNS_MAX {
            return Err(format!("the output `{}` has {width} values a row", output.name));
        }
        let first = signature.outputs.len();
        let spec = |name: String| TensorSpec::new(name, datatype, false);
        if width == 1 {
            signature.outputs.push(spec(output.name.clone()));
            continue;
        }
        let column = |at: usize| match output.classes.get(at) {
            Some(class) if output.classes.len() == width => format!("{}[{class}]", output.name),
            _ => format!("{}[{at}]", output.name),
        };
        signature.outputs.extend((0..width).map(|at| spec(column(at))));
        signature.output_groups.push(TensorGroup { name: output.name.clone(), first, count: width });
    }
    let mut names = std::collections::HashSet::new();
    let columns = signature.inputs.iter().map(|spec| &spec.name);
    if let Some(twice) = columns.into_iter().find(|name| !names.insert(name.as_str())) {
        return Err(format!("two inputs are called `{twice}`"));
    }
    Ok(signature)
}
