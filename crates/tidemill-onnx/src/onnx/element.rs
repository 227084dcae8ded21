//! Element types: their widths, how the narrow ones are rounded, and their bytes.

use half::{bf16, f16};

use super::value::{Data, Tensor, datatype as t};

/// The type that elements have by the way they are stored.
pub(crate) fn natural(data: &Data) -> i32 {
    match data {
        Data::F32(_) => t::FLOAT,
        Data::F64(_) => t::DOUBLE,
        Data::Int(_) => t::INT64,
        Data::Bool(_) => t::BOOL,
        Data::Text(_) => t::STRING,
        Data::List(list) => list.first().map_or(0, Tensor::element),
        Data::Nothing => 0,
    }
}

/// The width of a numeric element in bits.
pub(crate) fn bits(element: i32) -> Option<usize> {
    Some(match element {
        t::DOUBLE | t::INT64 | t::UINT64 => 64,
        t::FLOAT | t::INT32 | t::UINT32 => 32,
        t::FLOAT16 | t::BFLOAT16 | t::INT16 | t::UINT16 => 16,
        t::INT8 | t::UINT8 | t::BOOL => 8,
        t::FLOAT8E4M3FN | t::FLOAT8E4M3FNUZ | t::FLOAT8E5M2 | t::FLOAT8E5M2FNUZ | t::FLOAT8E8M0 => 8,
        t::INT4 | t::UINT4 | t::FLOAT4E2M1 => 4,
        t::INT2 | t::UINT2 => 2,
        _ => return None,
    })
}

/// Whether the elements are floating-point numbers.
pub(crate) fn is_float(element: i32) -> bool {
    matches!(element, t::FLOAT | t::DOUBLE | t::FLOAT16 | t::BFLOAT16) || minifloat(element).is_some()
}

/// Whether the elements are whole numbers.
pub(crate) fn is_integer(element: i32) -> bool {
    matches!(element, t::UINT8..=t::INT64 | t::UINT32 | t::UINT64 | t::INT4 | t::UINT4 | t::INT2 | t::UINT2)
}

/// A whole number cut to the width of `element`, as a cast in C does.
pub(crate) fn wrap(x: i64, element: i32) -> i64 {
    match element {
        t::INT32 => i64::from(x as i32),
        t::UINT32 => i64::from(x as u32),
        t::INT16 => i64::from(x as i16),
        t::UINT16 => i64::from(x as u16),
        t::INT8 => i64::from(x as i8),
        t::UINT8 => i64::from(x as u8),
        t::INT4 => (x & 15 ^ 8) - 8,
        t::UINT4 => x & 15,
        t::INT2 => (x & 3 ^ 2) - 2,
        t::UINT2 => x & 3,
        _ => x,
    }
}

/// The least and the largest whole number of a type of up to 32 bits.
pub(crate) fn range(element: i32) -> Option<(i64, i64)> {
    let width = bits(element).filter(|width| is_integer(element) && *width <= 32)?;
    let unsigned = matches!(element, t::UINT8 | t::UINT16 | t::UINT32 | t::UINT4 | t::UINT2);
    Some(if unsigned { (0, (1 << width) - 1) } else { (-(1 << (width - 1)), (1 << (width - 1)) - 1) })
}

/// The elements in another type that is stored the same way; else they are returned unchanged as the error.
pub(super) fn narrowed(data: Data, element: i32) -> Result<Data, Data> {
    Ok(match data {
        Data::Int(mut values) if is_integer(element) => {
            if !matches!(element, t::INT64 | t::UINT64) {
                values.iter_mut().for_each(|x| *x = wrap(*x, element));
            }
            Data::Int(values)
        }
        Data::F32(mut values) if is_float(element) && element != t::DOUBLE => {
            values.iter_mut().for_each(|x| *x = round(*x, element, true));
            Data::F32(values)
        }
        data => return Err(data),
    })
}

/// A floating-point format of 4 or 8 bits.
struct Mini {
    exponent: u32,
    mantissa: u32,
    bias: i32,
    /// The largest finite number.
    largest: f32,
    /// An infinity exists.
    infinite: bool,
    /// There is one zero, and its negative is the only NaN.
    single_zero: bool,
}

fn minifloat(element: i32) -> Option<Mini> {
    let mini = |exponent, mantissa, bias, largest, infinite, single_zero| {
        Some(Mini { exponent, mantissa, bias, largest, infinite, single_zero })
    };
    match element {
        t::FLOAT8E4M3FN => mini(4, 3, 7, 448.0, false, false),
        t::FLOAT8E4M3FNUZ => mini(4, 3, 8, 240.0, false, true),
        t::FLOAT8E5M2 => mini(5, 2, 15, 57344.0, true, false),
        t::FLOAT8E5M2FNUZ => mini(5, 2, 16, 57344.0, false, true),
        t::FLOAT4E2M1 => mini(2, 1, 1, 6.0, false, false),
        t::FLOAT8E8M0 => mini(8, 0, 127, 1.701_411_8e38, false, false),
        _ => None,
    }
}

/// The nearest number of a type of up to 32 bits, ties to even; one that is too large becomes the largest if
/// `saturates`, else infinity or NaN.
pub(crate) fn round(x: f32, element: i32, saturates: bool) -> f32 {
    match element {
        t::FLOAT16 => f16::from_f32(x).to_f32(),
        t::BFLOAT16 => bf16::from_f32(x).to_f32(),
        t::FLOAT8E8M0 => round_to_power(x, "nearest", saturates),
        // It has no NaN.
        t::FLOAT4E2M1 if x.is_nan() => -0.0,
        _ => match minifloat(element) {
            Some(mini) => mini.round(x, saturates || element == t::FLOAT4E2M1),
            None => x,
        },
    }
}

/// The power of two for a number of type `float8e8m0`: the next one above, the one below, or the nearest.
pub(crate) fn round_to_power(x: f32, mode: &str, saturates: bool) -> f32 {
    if x.is_nan() || (x.is_infinite() && !saturates) {
        return f32::NAN;
    }
    let magnitude = f64::from(x.abs()).clamp(2.0_f64.powi(-127), f64::from(f32::MAX));
    let below = magnitude.log2().floor();
    let exact = below.exp2() == magnitude;
    let ratio = magnitude / below.exp2();
    let up = match mode {
        "up" => !exact,
        "down" => false,
        _ => ratio >= 1.5,
    };
    let power = (if up { below + 1.0 } else { below }) as i32;
    if power > 127 { if saturates { 2.0_f32.powi(127) } else { f32::NAN } } else { 2.0_f64.powi(power) as f32 }
}

impl Mini {
    fn round(&self, x: f32, saturates: bool) -> f32 {
        let over = if self.infinite { f32::INFINITY.copysign(x) } else { f32::NAN };
        if x.is_nan() {
            return x;
        }
        if x.is_infinite() {
            return if saturates { self.largest.copysign(x) } else { over };
        }
        if x == 0.0 {
            return if self.single_zero { 0.0 } else { x };
        }
        let exponent = (f64::from(x.abs()).log2().floor() as i32).max(1 - self.bias);
        let quantum = 2.0_f64.powi(exponent - self.mantissa as i32);
        let rounded = ((f64::from(x) / quantum).round_ties_even() * quantum) as f32;
        if rounded.abs() > self.largest {
            return if saturates { self.largest.copysign(x) } else { over };
        }
        if rounded == 0.0 && self.single_zero { 0.0 } else { rounded }
    }

    fn decode(&self, byte: u32) -> f32 {
        let width = self.exponent + self.mantissa;
        let (sign, rest) = (byte >> width & 1, byte & ((1 << width) - 1));
        if self.single_zero && sign == 1 && rest == 0 {
            return f32::NAN;
        }
        let (exponent, fraction) = ((rest >> self.mantissa) as i32, f64::from(rest & ((1 << self.mantissa) - 1)));
        let scale = f64::from(1 << self.mantissa);
        let magnitude = match exponent {
            0 => fraction / scale * 2.0_f64.powi(1 - self.bias),
            _ => (1.0 + fraction / scale) * 2.0_f64.powi(exponent - self.bias),
        };
        let last = (1 << self.exponent) - 1;
        let value = if self.infinite && exponent == last {
            if fraction == 0.0 { f32::INFINITY } else { f32::NAN }
        } else if magnitude as f32 > self.largest {
            f32::NAN
        } else {
            magnitude as f32
        };
        if sign == 1 { -value } else { value }
    }

    fn encode(&self, x: f32) -> u32 {
        let width = self.exponent + self.mantissa;
        let all = 0..1_u32 << (width + 1);
        let same = |code: &u32| {
            let value = self.decode(*code);
            (value.is_nan() && x.is_nan()) || (value == x && value.is_sign_negative() == x.is_sign_negative())
        };
        all.into_iter().find(same).unwrap_or(0)
    }
}

/// The number with these bits, of a type of up to 16.
pub(crate) fn decode(bits: u32, element: i32) -> f32 {
    match element {
        t::FLOAT16 => f16::from_bits(bits as u16).to_f32(),
        t::BFLOAT16 => bf16::from_bits(bits as u16).to_f32(),
        t::FLOAT8E8M0 => {
            if bits == 255 {
                f32::NAN
            } else {
                2.0_f64.powi(bits as i32 - 127) as f32
            }
        }
        _ => minifloat(element).map_or(f32::NAN, |mini| mini.decode(bits)),
    }
}

/// The elements of a type of up to 8 bits that are packed into bytes, the first in the lowest bits.
pub(crate) fn unpack(bytes: &[u8], element: i32, count: usize) -> Data {
    let width = bits(element).unwrap_or(8).min(8);
    let mask = (1_u32 << width) - 1;
    let codes = bytes.iter().flat_map(|byte| (0..8 / width).map(move |at| u32::from(*byte) >> (at * width) & mask));
    if is_integer(element) {
        Data::Int(codes.take(count).map(|code| wrap(i64::from(code), element)).collect())
    } else {
        Data::F32(codes.take(count).map(|code| decode(code, element)).collect())
    }
}

/// The elements as bytes, little-endian; `None` for texts, sequences and what takes less than a byte.
pub(crate) fn to_bytes(tensor: &Tensor) -> Option<Vec<u8>> {
    let element = tensor.element();
    Some(match &tensor.data {
        Data::F32(values) => match element {
            t::FLOAT => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            t::FLOAT16 => values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect(),
            t::BFLOAT16 => values.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect(),
            t::FLOAT8E8M0 => {
                values.iter().map(|x| if x.is_nan() { 255 } else { (x.log2() as i32 + 127) as u8 }).collect()
            }
            t::FLOAT4E2M1 => return None,
            _ => {
                let mini = minifloat(element)?;
                values.iter().map(|x| mini.encode(*x) as u8).collect()
            }
        },
        Data::F64(values) => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Data::Int(values) => {
            let width = bits(element).filter(|width| *width >= 8)? / 8;
            values.iter().flat_map(|x| x.to_le_bytes().into_iter().take(width)).collect()
        }
        Data::Bool(values) => values.iter().map(|x| u8::from(*x)).collect(),
        Data::Text(_) | Data::List(_) | Data::Nothing => return None,
    })
}

/// The elements that these bytes are, little-endian.
pub(crate) fn from_bytes(bytes: &[u8], element: i32) -> Option<Data> {
    let width = bits(element).filter(|width| *width >= 8)? / 8;
    if !bytes.len().is_multiple_of(width) {
        return None;
    }
    let whole = |chunk: &[u8]| {
        let mut all = [0; 8];
        all[..width].copy_from_slice(chunk);
        i64::from_le_bytes(all)
    };
    let chunks = bytes.chunks(width);
    Some(match element {
        t::FLOAT => Data::F32(chunks.map(|chunk| f32::from_bits(whole(chunk) as u32)).collect()),
        t::DOUBLE => Data::F64(chunks.map(|chunk| f64::from_bits(whole(chunk) as u64)).collect()),
        t::BOOL => Data::Bool(bytes.iter().map(|byte| *byte != 0).collect()),
        _ if is_integer(element) => Data::Int(chunks.map(|chunk| wrap(whole(chunk), element)).collect()),
        _ => Data::F32(chunks.map(|chunk| decode(whole(chunk) as u32, element)).collect()),
    })
}
