//! The signature of an ONNX model, as columns.

use tidemill_core::{DataType, Signature, TensorGroup, TensorSpec};
use tidemill_model::{Dimension, TensorInfo};

use super::element::is_float;
use super::ports::number_of;
use super::value::{Data, Tensor, datatype, elements, type_name};

/// The maximum number of columns of a row.
const COLUMNS_MAX: usize = 1 << 20;
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

/// The inputs as columns, or the reason why they cannot be.
pub(crate) fn inputs(ports: &[TensorInfo], lists_optional: bool) -> Result<Vec<Input>, String> {
    let mut inputs = Vec::new();
    let mut columns = 0;
    for port in ports {
        let input = input(port, lists_optional).map_err(|reason| format!("the input `{}` {reason}", port.name))?;
        columns += input.width;
        if columns > COLUMNS_MAX {
            return Err(format!("its inputs have more than {COLUMNS_MAX} columns"));
        }
        inputs.push(input);
    }
    Ok(inputs)
}

/// `lists_optional`: the model lists its optional inputs; otherwise each number may be missing.
fn input(port: &TensorInfo, lists_optional: bool) -> Result<Input, String> {
    let Some(shape) = port.shape.as_ref().filter(|_| !port.sequence) else {
        return Err("has no shape, or is a sequence".to_owned());
    };
    let fixed = |dimension: &Dimension| match dimension {
        Dimension::Fixed(size) => Some(*size),
        Dimension::Named(_) | Dimension::Open => None,
    };
    let Some(first) = shape.first() else { return Err("has no rows: its shape is []".to_owned()) };
    let single = match fixed(first) {
        None => false,
        Some(1) => true,
        Some(rows) => return Err(format!("takes {rows} rows at a time, and one or any number can be columns")),
    };
    let mut sizes = Vec::with_capacity(shape.len());
    for (at, dimension) in shape.iter().enumerate().skip(1) {
        sizes.push(fixed(dimension).filter(|size| *size > 0).ok_or_else(|| {
            format!("has no fixed width: size {at} of its shape is open; export the model with a fixed size")
        })?);
    }
    let width = elements(&sizes).ok().filter(|width| *width <= COLUMNS_MAX);
    let width = width.ok_or_else(|| format!("has the shape {sizes:?}, which is too large"))?;
    let element = number_of(port.element);
    column_type(element)?;
    let optional = port.optional || (!lists_optional && is_float(element));
    Ok(Input { name: port.name.clone(), element, sizes, width, optional, single })
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

/// The signature of a graph that gives `results` for one row.
pub(crate) fn signature(inputs: &[Input], outputs: &[TensorInfo], results: &[Tensor]) -> Result<Signature, String> {
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
            Data::List(_) | Data::Nothing => return Err(format!("the output `{}` is a sequence", output.name)),
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
        let column = |at: usize| match output.labels.get(at) {
            Some(class) if output.labels.len() == width => format!("{}[{class}]", output.name),
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
