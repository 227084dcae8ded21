//! The inputs and outputs of a graph, as the graph declares them.

use std::collections::{HashMap, HashSet};

use tidemill_core::ElementType;
use tidemill_model::{Dimension, TensorInfo};

use super::generated::type_proto::Value as Type;
use super::generated::{
    ModelProto, NodeProto, TypeProto, ValueInfoProto, tensor_shape_proto::dimension::Value as Size,
};
use super::value::{datatype as t, type_name};

/// The metadata key with the optional inputs, as a JSON list.
pub(crate) const OPTIONAL_KEY: &str = "tidemill.optional";
/// More dimensions are rejected.
const RANK_MAX: usize = 64;

const ELEMENTS: [(i32, ElementType); 24] = [
    (t::FLOAT, ElementType::Fp32),
    (t::UINT8, ElementType::Uint8),
    (t::INT8, ElementType::Int8),
    (t::UINT16, ElementType::Uint16),
    (t::INT16, ElementType::Int16),
    (t::INT32, ElementType::Int32),
    (t::INT64, ElementType::Int64),
    (t::STRING, ElementType::Bytes),
    (t::BOOL, ElementType::Bool),
    (t::FLOAT16, ElementType::Fp16),
    (t::DOUBLE, ElementType::Fp64),
    (t::UINT32, ElementType::Uint32),
    (t::UINT64, ElementType::Uint64),
    (t::BFLOAT16, ElementType::Bf16),
    (t::FLOAT8E4M3FN, ElementType::Fp8E4m3fn),
    (t::FLOAT8E4M3FNUZ, ElementType::Fp8E4m3fnuz),
    (t::FLOAT8E5M2, ElementType::Fp8E5m2),
    (t::FLOAT8E5M2FNUZ, ElementType::Fp8E5m2fnuz),
    (t::UINT4, ElementType::Uint4),
    (t::INT4, ElementType::Int4),
    (t::FLOAT4E2M1, ElementType::Fp4E2m1),
    (t::FLOAT8E8M0, ElementType::Fp8E8m0),
    (t::UINT2, ElementType::Uint2),
    (t::INT2, ElementType::Int2),
];

/// The element type of ONNX's number.
pub(crate) fn element_type(number: i32) -> Option<ElementType> {
    ELEMENTS.iter().find(|(other, _)| *other == number).map(|(_, element)| *element)
}

/// ONNX's number of an element type.
pub(crate) fn number_of(element: ElementType) -> i32 {
    ELEMENTS.iter().find(|(_, other)| *other == element).map_or(0, |(number, _)| *number)
}

/// The inputs of a graph without an initializer.
pub(crate) fn inputs(model: &ModelProto) -> Result<Vec<TensorInfo>, String> {
    let Some(graph) = &model.graph else { return Err("it has no graph".to_owned()) };
    let optional = model.metadata_props.iter().find(|entry| entry.key == OPTIONAL_KEY);
    let optional: Vec<String> = optional.and_then(|entry| serde_json::from_str(&entry.value).ok()).unwrap_or_default();
    let given: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let mut inputs = Vec::new();
    for info in graph.input.iter().filter(|info| !given.contains(info.name.as_str())) {
        let mut input = port(info)
            .map_err(|reason| format!("the input `{}` {reason}", info.name))?
            .ok_or_else(|| format!("the input `{}` is not a tensor", info.name))?;
        input.optional |= optional.contains(&input.name);
        inputs.push(input);
    }
    Ok(inputs)
}

/// The outputs of a graph, with the classes that a `ZipMap` names; `None` if the graph does not declare a tensor.
pub(crate) fn outputs(model: &ModelProto) -> Result<Vec<(String, Option<TensorInfo>)>, String> {
    let Some(graph) = &model.graph else { return Ok(Vec::new()) };
    let maps: HashMap<&str, &NodeProto> = graph
        .node
        .iter()
        .filter(|node| node.op_type == "ZipMap")
        .flat_map(|node| node.output.iter().map(move |output| (output.as_str(), node)))
        .collect();
    let mut outputs = Vec::with_capacity(graph.output.len());
    for info in &graph.output {
        let mut output = port(info).map_err(|reason| format!("the output `{}` {reason}", info.name))?;
        if let Some(map) = maps.get(info.name.as_str()) {
            let labels = classes(map);
            let shape = Some(vec![Dimension::Open, Dimension::Fixed(labels.len())]);
            let name = info.name.clone();
            output =
                Some(TensorInfo { name, element: ElementType::Fp32, shape, optional: false, sequence: false, labels });
        }
        outputs.push((info.name.clone(), output));
    }
    Ok(outputs)
}

fn classes(node: &NodeProto) -> Vec<String> {
    let attribute = node.attribute.iter().find(|attribute| attribute.name.starts_with("classlabels_"));
    let Some(attribute) = attribute else { return Vec::new() };
    let texts = attribute.strings.iter().map(|text| String::from_utf8_lossy(text).into_owned());
    texts.chain(attribute.ints.iter().map(i64::to_string)).collect()
}

/// The tensor, or the sequence of tensors, that a graph declares.
fn port(info: &ValueInfoProto) -> Result<Option<TensorInfo>, String> {
    let Some(kind) = info.r#type.as_ref() else { return Ok(None) };
    described(&info.name, kind)
}

fn described(name: &str, kind: &TypeProto) -> Result<Option<TensorInfo>, String> {
    match &kind.value {
        Some(Type::TensorType(tensor)) => {
            let element = element_type(tensor.elem_type)
                .ok_or_else(|| format!("is of {}, which is not taken", type_name(tensor.elem_type)))?;
            let shape = match &tensor.shape {
                Some(shape) if shape.dim.len() > RANK_MAX => {
                    return Err(format!("has {} dimensions", shape.dim.len()));
                }
                Some(shape) => {
                    Some(shape.dim.iter().map(|dim| dimension(dim.value.as_ref())).collect::<Result<_, _>>()?)
                }
                None => None,
            };
            Ok(Some(TensorInfo {
                name: name.to_owned(),
                element,
                shape,
                optional: false,
                sequence: false,
                labels: Vec::new(),
            }))
        }
        Some(Type::SequenceType(sequence)) => {
            let Some(inner) = sequence.elem_type.as_ref() else { return Ok(None) };
            Ok(described(name, inner)?.map(|info| TensorInfo { sequence: true, ..info }))
        }
        Some(Type::OptionalType(optional)) => {
            let Some(inner) = optional.elem_type.as_ref() else { return Ok(None) };
            Ok(described(name, inner)?.map(|info| TensorInfo { optional: true, ..info }))
        }
        Some(Type::MapType(_)) | None => Ok(None),
    }
}

fn dimension(size: Option<&Size>) -> Result<Dimension, String> {
    Ok(match size {
        // Some exporters write 0 or −1 for a size that is open.
        Some(Size::DimValue(0 | -1)) | None => Dimension::Open,
        Some(Size::DimValue(size)) => {
            Dimension::Fixed(usize::try_from(*size).map_err(|_| format!("has the size {size}"))?)
        }
        Some(Size::DimParam(name)) if name.is_empty() => Dimension::Open,
        Some(Size::DimParam(name)) => Dimension::Named(name.clone()),
    })
}
