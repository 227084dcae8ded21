//! TensorFlow's tensors: into columns, and from columns of predictions.

use bytes::Bytes;
use tidemill_core::{DataType, ElementType};
use tidemill_model::{TensorData, TensorInfo, TensorValue};

use super::message::Tensor;
use crate::inference::request_error::RequestError;
use crate::protocol::graph::TensorBuilder;
use crate::protocol::graph::wire::fill as fill_tensor;
use crate::protocol::grpc::proto::tensorflow::tensor_shape_proto::Dim;
use crate::protocol::grpc::proto::tensorflow::{DataType as TfType, TensorProto, TensorShapeProto};
use crate::protocol::grpc::tensor_wire::{TensorContents, read_shape};
use crate::protocol::tensor::{ColumnWriter, Datatype, Elements, ExpectedElements, Output, TypedSlice};

/// A single value stands for at most this many rows.
const REPEATED_MAX: usize = 65_536;

/// The sizes of a tensor's dimensions.
pub(super) fn shape(tensor: &Tensor<'_>, shape: &mut Vec<u64>) -> Result<(), RequestError> {
    let unknown = || RequestError::invalid("the shape of a tensor must be known");
    read_shape(tensor.shape.as_ref().ok_or_else(unknown)?, shape)
}

/// Pushes the elements of a tensor.
pub(super) fn fill(
    place: &mut ColumnWriter<'_>,
    tensor: &Tensor<'_>,
    expected: ExpectedElements,
) -> Result<(), RequestError> {
    let datatype = datatype(tensor.dtype)?;
    let elements = expected.elements;
    if !tensor.content.is_empty() {
        if datatype == Datatype::Bytes {
            return Err(RequestError::invalid("texts must be in `string_val`, not in `tensor_content`"));
        }
        return Elements::Binary(tensor.content).put(datatype, elements, place);
    }
    let (field, list) = list(&tensor.lists, datatype);
    let given = list.len();
    // TensorFlow writes constants this way.
    let repeated = given == 1 && elements <= REPEATED_MAX;
    if given != elements && !repeated {
        let message = format!("the shape asks for {elements} elements, and `{field}` has {given}");
        return Err(RequestError::invalid(message));
    }
    if repeated {
        let cell = list.cell(0, datatype)?;
        return (0..elements).try_for_each(|at| place.push(at, &cell));
    }
    Elements::List(list).put(datatype, elements, place)
}

/// The tensor of an input of a model of tensors.
pub(super) fn tensor_value(info: &TensorInfo, tensor: &Tensor<'_>) -> Result<TensorValue, RequestError> {
    let mut sizes = Vec::new();
    shape(tensor, &mut sizes)?;
    let sizes: Vec<usize> = sizes.iter().map(|size| usize::try_from(*size).unwrap_or(usize::MAX)).collect();
    let count = sizes.iter().try_fold(1_usize, |count, size| count.checked_mul(*size));
    let count = count.ok_or_else(|| RequestError::invalid(format!("the shape {sizes:?} is too large")))?;
    info.check_shape(&sizes).map_err(RequestError::invalid)?;
    let datatype = datatype(tensor.dtype)?;
    let mut builder = TensorBuilder::new(info);
    if !tensor.content.is_empty() {
        if datatype == Datatype::Bytes {
            return Err(RequestError::invalid("texts must be in `string_val`, not in `tensor_content`"));
        }
        fill_tensor(&mut builder, Elements::Binary(tensor.content), datatype, count)?;
        return builder.finish(sizes).map_err(RequestError::invalid);
    }
    let (field, list) = list(&tensor.lists, datatype);
    let repeated = list.len() == 1 && count <= REPEATED_MAX;
    if list.len() != count && !repeated {
        let message = format!("the shape asks for {count} elements, and `{field}` has {}", list.len());
        return Err(RequestError::invalid(message));
    }
    if repeated {
        let cell = list.cell(0, datatype)?;
        (0..count).try_for_each(|_| builder.push(&cell)).map_err(RequestError::invalid)?;
    } else {
        fill_tensor(&mut builder, Elements::List(list), datatype, count)?;
    }
    builder.finish(sizes).map_err(RequestError::invalid)
}

/// A tensor of a model of tensors, with typed values.
pub(super) fn tensor_of(value: &TensorValue) -> TensorProto {
    let dim = value.shape.iter().map(|size| Dim { size: *size as i64, name: String::new() }).collect();
    let mut tensor =
        TensorProto { tensor_shape: Some(TensorShapeProto { dim, unknown_rank: false }), ..TensorProto::default() };
    tensor.dtype = i32::from(tf_element(value.element));
    match &value.data {
        TensorData::F32(values) => match value.element {
            ElementType::Fp16 => {
                tensor.half_val = values.iter().map(|x| i32::from(half::f16::from_f32(*x).to_bits())).collect();
            }
            ElementType::Bf16 => {
                tensor.half_val = values.iter().map(|x| i32::from(half::bf16::from_f32(*x).to_bits())).collect();
            }
            _ => tensor.float_val.clone_from(values),
        },
        TensorData::F64(values) => tensor.double_val.clone_from(values),
        TensorData::Bool(values) => tensor.bool_val.clone_from(values),
        TensorData::Text(values) => {
            tensor.string_val = values.iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect();
        }
        TensorData::Int(values) => match value.element {
            ElementType::Int64 => tensor.int64_val.clone_from(values),
            ElementType::Uint64 => tensor.uint64_val = values.iter().map(|x| *x as u64).collect(),
            ElementType::Uint32 => tensor.uint32_val = values.iter().map(|x| *x as u32).collect(),
            _ => tensor.int_val = values.iter().map(|x| *x as i32).collect(),
        },
        TensorData::List(_) | TensorData::Absent => {}
    }
    tensor
}

/// TensorFlow's type for an element type.
pub(super) fn tf_element(element: ElementType) -> TfType {
    TfType::from_str_name(element.tf_name()).unwrap_or(TfType::DtInvalid)
}

fn datatype(dtype: i32) -> Result<Datatype, RequestError> {
    Ok(match TfType::try_from(dtype) {
        Ok(TfType::DtFloat) => Datatype::Fp32,
        Ok(TfType::DtDouble) => Datatype::Fp64,
        Ok(TfType::DtHalf) => Datatype::Fp16,
        Ok(TfType::DtBfloat16) => Datatype::Bf16,
        Ok(TfType::DtInt8) => Datatype::Int8,
        Ok(TfType::DtInt16) => Datatype::Int16,
        Ok(TfType::DtInt32) => Datatype::Int32,
        Ok(TfType::DtInt64) => Datatype::Int64,
        Ok(TfType::DtUint8) => Datatype::Uint8,
        Ok(TfType::DtUint16) => Datatype::Uint16,
        Ok(TfType::DtUint32) => Datatype::Uint32,
        Ok(TfType::DtUint64) => Datatype::Uint64,
        Ok(TfType::DtBool) => Datatype::Bool,
        Ok(TfType::DtString) => Datatype::Bytes,
        Ok(other) => {
            return Err(RequestError::invalid(format!("tensors of type {} are not taken", other.as_str_name())));
        }
        Err(_) => return Err(RequestError::invalid(format!("tensors of type {dtype} are not taken"))),
    })
}

/// The list for the elements of a type, and its name.
fn list<'a>(lists: &'a TensorContents<'_>, datatype: Datatype) -> (&'static str, TypedSlice<'a>) {
    match datatype {
        Datatype::Fp32 => ("float_val", TypedSlice::Floats(&lists.singles)),
        Datatype::Fp64 => ("double_val", TypedSlice::Doubles(&lists.doubles)),
        Datatype::Fp16 | Datatype::Bf16 => ("half_val", TypedSlice::Halves(&lists.halves)),
        Datatype::Int8 | Datatype::Int16 | Datatype::Int32 | Datatype::Uint8 | Datatype::Uint16 => {
            ("int_val", TypedSlice::Int32s(&lists.ints))
        }
        Datatype::Int64 => ("int64_val", TypedSlice::Int64s(&lists.int64s)),
        Datatype::Uint32 => ("uint32_val", TypedSlice::Uint32s(&lists.uints)),
        Datatype::Uint64 => ("uint64_val", TypedSlice::Uint64s(&lists.uint64s)),
        Datatype::Bool => ("bool_val", TypedSlice::Bools(&lists.bools)),
        Datatype::Bytes => ("string_val", TypedSlice::Slices(&lists.texts)),
    }
}

/// A column of predictions as a tensor with typed values, as TF Serving answers.
pub(super) fn tensor(output: Output<'_>, shape: impl Iterator<Item = usize>) -> TensorProto {
    let dim = shape.map(|size| Dim { size: size as i64, name: String::new() }).collect();
    let mut tensor =
        TensorProto { tensor_shape: Some(TensorShapeProto { dim, unknown_rank: false }), ..TensorProto::default() };
    tensor.dtype = i32::from(match output {
        Output::Floats(values) => {
            tensor.double_val = values.to_vec();
            TfType::DtDouble
        }
        Output::Integers(values) => {
            tensor.int64_val = values.to_vec();
            TfType::DtInt64
        }
        Output::Booleans(values) => {
            tensor.bool_val = values.values().iter().collect();
            TfType::DtBool
        }
        Output::Texts(values) => {
            let bytes = |text: Option<&str>| Bytes::copy_from_slice(text.unwrap_or_default().as_bytes());
            tensor.string_val = values.iter().map(bytes).collect();
            TfType::DtString
        }
    });
    tensor
}

/// TensorFlow's type for one of ours.
pub(super) fn tf_type(datatype: DataType) -> TfType {
    match datatype {
        DataType::Bool => TfType::DtBool,
        DataType::Int64 => TfType::DtInt64,
        DataType::Fp64 => TfType::DtDouble,
        DataType::Bytes => TfType::DtString,
    }
}
