//! Tensors of the interpreter.

use std::borrow::Cow;

use super::element::{self, narrowed};
use super::generated::TensorProto;

/// Larger tensors are rejected: serving rows needs none, and a hostile shape may ask for one.
const ELEMENTS_MAX: usize = 1 << 26;

/// A dense tensor, row-major. Integers of every width are stored in 64 bits (those of `UINT64` as their bits), and
/// floating-point numbers of 4 to 16 bits in 32. A sequence is a tensor of tensors.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Data,
    /// ONNX's number of the element type, if an operator decided it; see [`Tensor::element`].
    decided: i32,
}

/// The elements of a tensor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    F32(Vec<f32>),
    F64(Vec<f64>),
    Int(Vec<i64>),
    Bool(Vec<bool>),
    Text(Vec<String>),
    /// The tensors of a sequence; its shape is their number.
    List(Vec<Tensor>),
    /// An optional value that is absent; its shape is `[0]`.
    Nothing,
}

/// ONNX's number for an element type.
pub(crate) mod datatype {
    pub(crate) const FLOAT: i32 = 1;
    pub(crate) const UINT8: i32 = 2;
    pub(crate) const INT8: i32 = 3;
    pub(crate) const UINT16: i32 = 4;
    pub(crate) const INT16: i32 = 5;
    pub(crate) const INT32: i32 = 6;
    pub(crate) const INT64: i32 = 7;
    pub(crate) const STRING: i32 = 8;
    pub(crate) const BOOL: i32 = 9;
    pub(crate) const FLOAT16: i32 = 10;
    pub(crate) const DOUBLE: i32 = 11;
    pub(crate) const UINT32: i32 = 12;
    pub(crate) const UINT64: i32 = 13;
    pub(crate) const BFLOAT16: i32 = 16;
    pub(crate) const FLOAT8E4M3FN: i32 = 17;
    pub(crate) const FLOAT8E4M3FNUZ: i32 = 18;
    pub(crate) const FLOAT8E5M2: i32 = 19;
    pub(crate) const FLOAT8E5M2FNUZ: i32 = 20;
    pub(crate) const UINT4: i32 = 21;
    pub(crate) const INT4: i32 = 22;
    pub(crate) const FLOAT4E2M1: i32 = 23;
    pub(crate) const FLOAT8E8M0: i32 = 24;
    pub(crate) const UINT2: i32 = 25;
    pub(crate) const INT2: i32 = 26;
}

/// An element type's name, for messages.
pub(crate) fn type_name(datatype: i32) -> Cow<'static, str> {
    use datatype::{
        BFLOAT16, BOOL, DOUBLE, FLOAT, FLOAT4E2M1, FLOAT8E4M3FN, FLOAT8E4M3FNUZ, FLOAT8E5M2, FLOAT8E5M2FNUZ,
        FLOAT8E8M0, FLOAT16, INT2, INT4, INT8, INT16, INT32, INT64, STRING, UINT2, UINT4, UINT8, UINT16, UINT32,
        UINT64,
    };
    Cow::Borrowed(match datatype {
        FLOAT => "float",
        UINT8 => "uint8",
        INT8 => "int8",
        UINT16 => "uint16",
        INT16 => "int16",
        INT32 => "int32",
        INT64 => "int64",
        STRING => "string",
        BOOL => "bool",
        FLOAT16 => "float16",
        DOUBLE => "double",
        UINT32 => "uint32",
        UINT64 => "uint64",
        BFLOAT16 => "bfloat16",
        FLOAT8E4M3FN => "float8e4m3fn",
        FLOAT8E4M3FNUZ => "float8e4m3fnuz",
        FLOAT8E5M2 => "float8e5m2",
        FLOAT8E5M2FNUZ => "float8e5m2fnuz",
        FLOAT8E8M0 => "float8e8m0",
        FLOAT4E2M1 => "float4e2m1",
        UINT4 => "uint4",
        INT4 => "int4",
        UINT2 => "uint2",
        INT2 => "int2",
        other => return Cow::Owned(format!("type {other}")),
    })
}

/// The product of a shape's sizes, if it is within the limit.
pub(crate) fn elements(shape: &[usize]) -> Result<usize, String> {
    let count = shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
    count.filter(|count| *count <= ELEMENTS_MAX).ok_or_else(|| format!("a tensor of shape {shape:?} is too large"))
}

impl Data {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::Text(values) => values.len(),
            Self::List(values) => values.len(),
            Self::Nothing => 0,
        }
    }

    /// Approximate memory of the elements.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::F32(values) => values.len() * 4,
            Self::F64(values) => values.len() * 8,
            Self::Int(values) => values.len() * 8,
            Self::Bool(values) => values.len(),
            Self::Text(values) => values.iter().map(|text| text.len() + size_of::<String>()).sum(),
            Self::List(values) => values.iter().map(|tensor| tensor.data.bytes() + size_of::<Tensor>()).sum(),
            Self::Nothing => 0,
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::F32(_) => "float",
            Self::F64(_) => "double",
            Self::Int(_) => "int64",
            Self::Bool(_) => "bool",
            Self::Text(_) => "string",
            Self::List(_) => "sequence",
            Self::Nothing => "absent",
        }
    }

    /// The elements at `indices`, which must be in range.
    pub(crate) fn take(&self, indices: &[usize]) -> Self {
        fn pick<T: Clone>(values: &[T], indices: &[usize]) -> Vec<T> {
            indices.iter().map(|at| values[*at].clone()).collect()
        }
        match self {
            Self::F32(values) => Self::F32(pick(values, indices)),
            Self::F64(values) => Self::F64(pick(values, indices)),
            Self::Int(values) => Self::Int(pick(values, indices)),
            Self::Bool(values) => Self::Bool(pick(values, indices)),
            Self::Text(values) => Self::Text(pick(values, indices)),
            Self::List(values) => Self::List(pick(values, indices)),
            Self::Nothing => Self::Nothing,
        }
    }

    /// An empty list for elements of the same type.
    fn empty(&self, capacity: usize) -> Self {
        match self {
            Self::F32(_) => Self::F32(Vec::with_capacity(capacity)),
            Self::F64(_) => Self::F64(Vec::with_capacity(capacity)),
            Self::Int(_) => Self::Int(Vec::with_capacity(capacity)),
            Self::Bool(_) => Self::Bool(Vec::with_capacity(capacity)),
            Self::Text(_) => Self::Text(Vec::with_capacity(capacity)),
            Self::List(_) => Self::List(Vec::with_capacity(capacity)),
            Self::Nothing => Self::Nothing,
        }
    }

    /// Appends a range of `other`; returns `false` if its type differs.
    fn extend(&mut self, other: &Self, range: std::ops::Range<usize>) -> bool {
        match (self, other) {
            (Self::F32(to), Self::F32(from)) => to.extend_from_slice(&from[range]),
            (Self::F64(to), Self::F64(from)) => to.extend_from_slice(&from[range]),
            (Self::Int(to), Self::Int(from)) => to.extend_from_slice(&from[range]),
            (Self::Bool(to), Self::Bool(from)) => to.extend_from_slice(&from[range]),
            (Self::Text(to), Self::Text(from)) => to.extend_from_slice(&from[range]),
            _ => return false,
        }
        true
    }
}

impl Tensor {
    pub(crate) fn new(shape: Vec<usize>, data: Data) -> Result<Self, String> {
        let count = elements(&shape)?;
        if count != data.len() {
            return Err(format!("{} elements cannot have the shape {shape:?}", data.len()));
        }
        Ok(Self { shape, data, decided: 0 })
    }

    /// A tensor of one dimension.
    pub(crate) fn vector(data: Data) -> Self {
        Self { shape: vec![data.len()], data, decided: 0 }
    }

    /// A tensor without dimensions.
    pub(crate) fn scalar(data: Data) -> Self {
        Self { shape: Vec::new(), data, decided: 0 }
    }

    /// A sequence of tensors.
    pub(crate) fn list(tensors: Vec<Self>) -> Self {
        Self::vector(Data::List(tensors))
    }

    /// ONNX's number of the element type.
    pub(crate) fn element(&self) -> i32 {
        if self.decided != 0 { self.decided } else { element::natural(&self.data) }
    }

    /// Whether its element type is the one that its elements are stored in.
    pub(crate) fn is_natural(&self) -> bool {
        self.decided == 0 || self.decided == element::natural(&self.data)
    }

    /// Whether the element type is only the one that its elements are stored in, because no operator decided it.
    pub(crate) fn is_undecided(&self) -> bool {
        self.decided == 0
    }

    /// The same elements as those of another type, with numbers cut or rounded to its width. A type that cannot be
    /// stored like these elements changes nothing.
    #[must_use]
    pub(crate) fn of_element(self, element: i32) -> Self {
        let natural = element::natural(&self.data);
        if element == natural {
            return Self { decided: element, ..self };
        }
        match narrowed(self.data, element) {
            Ok(data) => Self { shape: self.shape, data, decided: element },
            Err(data) => Self { shape: self.shape, data, decided: 0 },
        }
    }

    /// The same elements in another shape of as many.
    pub(crate) fn reshaped(&self, shape: Vec<usize>) -> Result<Self, String> {
        Ok(Self { decided: self.decided, ..Self::new(shape, self.data.clone())? })
    }

    /// Numbers in a shape, stored as those of this tensor are, and of its element type.
    pub(crate) fn like(&self, shape: Vec<usize>, numbers: Vec<f64>) -> Result<Self, String> {
        let data = match &self.data {
            Data::F64(_) => Data::F64(numbers),
            Data::Int(_) => Data::Int(numbers.into_iter().map(|x| x as i64).collect()),
            Data::Bool(_) => Data::Bool(numbers.into_iter().map(|x| x != 0.0).collect()),
            _ => Data::F32(numbers.into_iter().map(|x| x as f32).collect()),
        };
        Ok(Self::new(shape, data)?.of_element(self.element()))
    }

    /// The elements at `indices`, which must be in range, in a shape of as many.
    pub(crate) fn taken(&self, shape: Vec<usize>, indices: &[usize]) -> Result<Self, String> {
        Ok(Self { decided: self.decided, ..Self::new(shape, self.data.take(indices))? })
    }

    /// The one number of a tensor of one element.
    pub(crate) fn number(&self) -> Result<f64, String> {
        match *self.floats()? {
            [number] => Ok(number),
            ref other => Err(format!("one number is expected, and there are {}", other.len())),
        }
    }

    /// Rejects a tensor whose data is in another file.
    pub(crate) fn check_inside(proto: &TensorProto) -> Result<(), String> {
        if proto.data_location != 1 && proto.external_data.is_empty() {
            return Ok(());
        }
        let place = proto.external_data.iter().find(|entry| entry.key == "location");
        let place = place.map_or("another file", |entry| entry.value.as_str());
        let (name, place) = (&proto.name, place.escape_debug());
        Err(format!("the tensor `{name}` lies in `{place}`, outside of the model; save the model in one file"))
    }

    /// The tensor of an initializer or an attribute. Data in another file is rejected.
    pub(crate) fn read(proto: &TensorProto) -> Result<Self, String> {
        let name = &proto.name;
        Self::check_inside(proto)?;
        let size = |dim: &i64| usize::try_from(*dim).map_err(|_| format!("the tensor `{name}` has the size {dim}"));
        let shape: Vec<usize> = proto.dims.iter().map(size).collect::<Result<_, _>>()?;
        let count = elements(&shape)?;
        let data = read_data(proto, count).map_err(|reason| format!("the tensor `{name}`: {reason}"))?;
        if data.len() != count {
            return Err(format!("the tensor `{name}` of shape {shape:?} has {} elements", data.len()));
        }
        Ok(Self { shape, data, decided: 0 }.of_element(proto.data_type))
    }

    pub(crate) fn rank(&self) -> usize {
        self.shape.len()
    }

    /// Rows and columns; a tensor of one dimension is one row or, with one value per row, a column.
    pub(crate) fn matrix(&self) -> Result<(usize, usize), String> {
        match *self.shape {
            [columns] => Ok((1, columns)),
            [rows, columns] => Ok((rows, columns)),
            _ => Err(format!("a matrix is expected, and the shape is {:?}", self.shape)),
        }
    }

    /// The numbers in 64 bits.
    pub(crate) fn floats(&self) -> Result<Cow<'_, [f64]>, String> {
        Ok(match &self.data {
            Data::F64(values) => Cow::Borrowed(values),
            Data::F32(values) => Cow::Owned(values.iter().map(|x| f64::from(*x)).collect()),
            Data::Int(values) if self.decided == datatype::UINT64 => {
                Cow::Owned(values.iter().map(|x| *x as u64 as f64).collect())
            }
            Data::Int(values) => Cow::Owned(values.iter().map(|x| *x as f64).collect()),
            Data::Bool(values) => Cow::Owned(values.iter().map(|x| f64::from(u8::from(*x))).collect()),
            other => return Err(format!("numbers are expected, and these are of type {}", other.kind())),
        })
    }

    /// The numbers in 32 bits.
    pub(crate) fn floats32(&self) -> Result<Cow<'_, [f32]>, String> {
        match &self.data {
            Data::F32(values) => Ok(Cow::Borrowed(values)),
            _ => Ok(Cow::Owned(self.floats()?.iter().map(|x| *x as f32).collect())),
        }
    }

    pub(crate) fn integers(&self) -> Result<&[i64], String> {
        match &self.data {
            Data::Int(values) => Ok(values),
            other => Err(format!("whole numbers are expected, and these are of type {}", other.kind())),
        }
    }

    /// Joins tensors along `axis`.
    pub(crate) fn concat(tensors: &[&Self], axis: i64) -> Result<Self, String> {
        let first = tensors.first().ok_or("nothing to join")?;
        let axis = axis_of(axis, first.rank())?;
        let mut shape = first.shape.clone();
        shape[axis] = 0;
        for tensor in tensors {
            let fits = tensor.rank() == first.rank()
                && (0..first.rank()).all(|at| at == axis || tensor.shape[at] == first.shape[at]);
            if !fits {
                return Err(format!("shapes {:?} and {:?} cannot be joined", first.shape, tensor.shape));
            }
            shape[axis] += tensor.shape[axis];
        }
        let count = elements(&shape)?;
        let outer: usize = shape[..axis].iter().product();
        let mut data = first.data.empty(count);
        for at in 0..outer {
            for tensor in tensors {
                let inner: usize = tensor.shape[axis..].iter().product();
                if !data.extend(&tensor.data, at * inner..(at + 1) * inner) {
                    return Err(format!("{} and {} cannot be joined", first.data.kind(), tensor.data.kind()));
                }
            }
        }
        Ok(Self { decided: first.decided, ..Self::new(shape, data)? })
    }
}

/// An axis counted from the front or, if negative, from the end.
pub(crate) fn axis_of(axis: i64, rank: usize) -> Result<usize, String> {
    let from_front = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
    usize::try_from(from_front)
        .ok()
        .filter(|axis| *axis < rank)
        .ok_or_else(|| format!("the axis {axis} is not one of {rank}"))
}

/// The layout of a type's elements in `raw_data`, as a function from a chunk of its size.
fn raw<const N: usize, T>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Result<Vec<T>, String> {
    let (chunks, rest) = bytes.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(format!("{} bytes are no whole number of elements", bytes.len()));
    }
    Ok(chunks.iter().map(|chunk| read(*chunk)).collect())
}

fn read_data(proto: &TensorProto, count: usize) -> Result<Data, String> {
    let bytes = &proto.raw_data[..];
    let is_raw = !bytes.is_empty();
    let small = |narrow: fn(i32) -> i64| Data::Int(proto.int32_data.iter().map(|x| narrow(*x)).collect());
    Ok(match proto.data_type {
        datatype::FLOAT if is_raw => Data::F32(raw(bytes, f32::from_le_bytes)?),
        datatype::FLOAT => Data::F32(proto.float_data.clone()),
        datatype::DOUBLE if is_raw => Data::F64(raw(bytes, f64::from_le_bytes)?),
        datatype::DOUBLE => Data::F64(proto.double_data.clone()),
        datatype::INT64 if is_raw => Data::Int(raw(bytes, i64::from_le_bytes)?),
        datatype::INT64 => Data::Int(proto.int64_data.clone()),
        datatype::INT32 if is_raw => Data::Int(raw(bytes, |b| i64::from(i32::from_le_bytes(b)))?),
        datatype::INT16 if is_raw => Data::Int(raw(bytes, |b| i64::from(i16::from_le_bytes(b)))?),
        datatype::UINT16 if is_raw => Data::Int(raw(bytes, |b| i64::from(u16::from_le_bytes(b)))?),
        datatype::INT8 if is_raw => Data::Int(raw(bytes, |b| i64::from(i8::from_le_bytes(b)))?),
        datatype::UINT8 if is_raw => Data::Int(raw(bytes, |b| i64::from(u8::from_le_bytes(b)))?),
        datatype::UINT32 if is_raw => Data::Int(raw(bytes, |b| i64::from(u32::from_le_bytes(b)))?),
        datatype::INT32 | datatype::INT16 | datatype::UINT16 | datatype::INT8 | datatype::UINT8 => small(i64::from),
        datatype::UINT64 if is_raw => Data::Int(raw(bytes, i64::from_le_bytes)?),
        datatype::UINT32 | datatype::UINT64 => Data::Int(proto.uint64_data.iter().map(|x| *x as i64).collect()),
        datatype::BOOL if is_raw => Data::Bool(bytes.iter().map(|b| *b != 0).collect()),
        datatype::BOOL => Data::Bool(proto.int32_data.iter().map(|x| *x != 0).collect()),
        datatype::FLOAT16 | datatype::BFLOAT16 if is_raw => {
            let numbers = raw(bytes, u16::from_le_bytes)?;
            Data::F32(numbers.into_iter().map(|bits| element::decode(u32::from(bits), proto.data_type)).collect())
        }
        datatype::FLOAT16 | datatype::BFLOAT16 => {
            Data::F32(proto.int32_data.iter().map(|bits| element::decode(*bits as u32, proto.data_type)).collect())
        }
        small if element::bits(small).is_some_and(|bits| bits <= 8) => {
            let packed: Vec<u8> =
                if is_raw { bytes.to_vec() } else { proto.int32_data.iter().map(|byte| *byte as u8).collect() };
            element::unpack(&packed, small, count)
        }
        datatype::STRING => {
            let mut texts = Vec::with_capacity(count.min(proto.string_data.len()));
            for text in &proto.string_data {
                texts.push(String::from_utf8(text.clone()).map_err(|_| "a text is not UTF-8".to_owned())?);
            }
            Data::Text(texts)
        }
        other => return Err(format!("elements of {} are not read by this version", type_name(other))),
    })
}
