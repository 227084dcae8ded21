//! Converts tensors to and from ONNX Runtime's.

use half::{bf16, f16};
use ort::session::SessionInputValue;
use ort::value::{DynValue, PrimitiveTensorElementType, TensorElementType, TensorRef, ValueType};

use crate::onnx::value::{Data, Tensor, datatype, elements, type_name};

/// The tensor as an input of type `element`; numbers of the same width are not copied.
pub(super) fn given(tensor: &Tensor, element: i32) -> Result<SessionInputValue<'_>, String> {
    let shape = tensor.shape.as_slice();
    match &tensor.data {
        Data::F32(numbers) => match element {
            datatype::FLOAT16 => owned(shape, numbers.iter().map(|number| f16::from_f32(*number)).collect()),
            datatype::BFLOAT16 => owned(shape, numbers.iter().map(|number| bf16::from_f32(*number)).collect()),
            _ => borrowed(shape, numbers),
        },
        Data::F64(numbers) => borrowed(shape, numbers),
        Data::Int(numbers) => match element {
            datatype::INT8 => owned(shape, narrowed::<i8>(numbers, element)?),
            datatype::INT16 => owned(shape, narrowed::<i16>(numbers, element)?),
            datatype::INT32 => owned(shape, narrowed::<i32>(numbers, element)?),
            datatype::UINT8 => owned(shape, narrowed::<u8>(numbers, element)?),
            datatype::UINT16 => owned(shape, narrowed::<u16>(numbers, element)?),
            datatype::UINT32 => owned(shape, narrowed::<u32>(numbers, element)?),
            datatype::UINT64 => owned(shape, narrowed::<u64>(numbers, element)?),
            _ => borrowed(shape, numbers),
        },
        Data::Bool(values) => borrowed(shape, values),
        Data::Text(texts) => {
            let value = ort::value::Tensor::from_string_array((shape, texts.as_slice()));
            value.map(Into::into).map_err(|error| error.to_string())
        }
        Data::List(_) | Data::Nothing => Err("sequences are not given to ONNX Runtime".to_owned()),
    }
}

fn borrowed<'a, T: PrimitiveTensorElementType + std::fmt::Debug + Clone + 'static>(
    shape: &'a [usize],
    values: &'a [T],
) -> Result<SessionInputValue<'a>, String> {
    TensorRef::from_array_view((shape, values)).map(Into::into).map_err(|error| error.to_string())
}

fn owned<T: PrimitiveTensorElementType + std::fmt::Debug + Clone + 'static>(
    shape: &[usize],
    values: Vec<T>,
) -> Result<SessionInputValue<'static>, String> {
    ort::value::Tensor::from_array((shape, values)).map(Into::into).map_err(|error| error.to_string())
}

fn narrowed<T: TryFrom<i64>>(numbers: &[i64], element: i32) -> Result<Vec<T>, String> {
    let narrow =
        |number: &i64| T::try_from(*number).map_err(|_| format!("{number} is not a valid {}", type_name(element)));
    numbers.iter().map(narrow).collect()
}

/// An output as a tensor.
pub(super) fn made(value: &DynValue) -> Result<Tensor, String> {
    let ValueType::Tensor { ty, shape, .. } = value.dtype() else {
        return Err(format!("it is {}, not a tensor", value.dtype()));
    };
    let size = |size: &i64| usize::try_from(*size).map_err(|_| format!("it has the size {size}"));
    let shape: Vec<usize> = shape.iter().map(size).collect::<Result<_, _>>()?;
    elements(&shape)?;
    let element = match ty {
        TensorElementType::Float16 => datatype::FLOAT16,
        TensorElementType::Bfloat16 => datatype::BFLOAT16,
        TensorElementType::Int8 => datatype::INT8,
        TensorElementType::Int16 => datatype::INT16,
        TensorElementType::Int32 => datatype::INT32,
        TensorElementType::Uint8 => datatype::UINT8,
        TensorElementType::Uint16 => datatype::UINT16,
        TensorElementType::Uint32 => datatype::UINT32,
        TensorElementType::Uint64 => datatype::UINT64,
        _ => 0,
    };
    let data = match ty {
        TensorElementType::Float32 => Data::F32(taken(value, |x: f32| x)?),
        TensorElementType::Float64 => Data::F64(taken(value, |x: f64| x)?),
        TensorElementType::Float16 => Data::F32(taken(value, f16::to_f32)?),
        TensorElementType::Bfloat16 => Data::F32(taken(value, bf16::to_f32)?),
        TensorElementType::Int8 => Data::Int(taken(value, |x: i8| i64::from(x))?),
        TensorElementType::Int16 => Data::Int(taken(value, |x: i16| i64::from(x))?),
        TensorElementType::Int32 => Data::Int(taken(value, |x: i32| i64::from(x))?),
        TensorElementType::Int64 => Data::Int(taken(value, |x: i64| x)?),
        TensorElementType::Uint8 => Data::Int(taken(value, |x: u8| i64::from(x))?),
        TensorElementType::Uint16 => Data::Int(taken(value, |x: u16| i64::from(x))?),
        TensorElementType::Uint32 => Data::Int(taken(value, |x: u32| i64::from(x))?),
        // As in the interpreter, whose whole numbers are signed 64-bit.
        TensorElementType::Uint64 => Data::Int(taken(value, |x: u64| x as i64)?),
        TensorElementType::Bool => Data::Bool(taken(value, |x: bool| x)?),
        TensorElementType::String => Data::Text(value.try_extract_strings().map_err(|error| error.to_string())?.1),
        other => return Err(format!("elements of {other} are not read")),
    };
    let made = Tensor::new(shape, data)?;
    Ok(if element == 0 { made } else { made.of_element(element) })
}

fn taken<T: PrimitiveTensorElementType + Copy, U>(value: &DynValue, read: impl Fn(T) -> U) -> Result<Vec<U>, String> {
    let (_, values) = value.try_extract_tensor::<T>().map_err(|error| error.to_string())?;
    Ok(values.iter().copied().map(read).collect())
}
