//! Inputs that a model is tried with when it is loaded.

use tidemill_core::SplitMix64;
use tidemill_model::{Dimension, TensorInfo};

use super::element::is_float;
use super::ports::number_of;
use super::value::{Data, Tensor, datatype};

/// What the elements of a sample are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    /// Zeros, and empty texts.
    Zeros,
    /// Ones, and a text.
    Ones,
    /// Small numbers, of both signs where they are not indices.
    Small(u64),
    /// Numbers far from those, by a factor of a thousand; indices of up to 2.
    Extreme(u64),
}

/// The shape of an input for so many rows; sizes that are open are `open`.
pub(super) fn shape_of(info: &TensorInfo, rows: usize, open: usize) -> Vec<usize> {
    let size = |(at, dimension): (usize, &Dimension)| match dimension {
        Dimension::Fixed(size) => *size,
        _ if at == 0 => rows,
        _ => open,
    };
    info.shape.iter().flatten().enumerate().map(size).collect()
}

/// A tensor for each input.
pub(super) fn sample(inputs: &[TensorInfo], rows: usize, open: usize, fill: Fill) -> Result<Vec<Tensor>, String> {
    inputs.iter().enumerate().map(|(at, info)| one(info, at as u64, rows, open, fill)).collect()
}

fn one(info: &TensorInfo, at: u64, rows: usize, open: usize, fill: Fill) -> Result<Tensor, String> {
    if info.sequence {
        let element = TensorInfo { sequence: false, ..info.clone() };
        return Ok(Tensor::list(vec![one(&element, at, rows, open, fill)?]));
    }
    let shape = shape_of(info, rows, open);
    let count = super::value::elements(&shape)?;
    let element = number_of(info.element);
    let (seed, scale) = match fill {
        Fill::Zeros | Fill::Ones => (0, 0.0),
        Fill::Small(seed) => (seed, 1.0),
        Fill::Extreme(seed) => (seed, 1000.0),
    };
    if fill == Fill::Ones {
        let data = match element {
            datatype::STRING => Data::Text(vec!["a".to_owned(); count]),
            datatype::BOOL => Data::Bool(vec![true; count]),
            datatype::DOUBLE => Data::F64(vec![1.0; count]),
            _ if is_float(element) => Data::F32(vec![1.0; count]),
            _ => Data::Int(vec![1; count]),
        };
        return Ok(Tensor::new(shape, data)?.of_element(element));
    }
    let mut random = SplitMix64::new(seed.wrapping_mul(0x9e37_79b9) ^ at);
    let mut unit = || random.unit();
    let data = match element {
        datatype::STRING => {
            const WORDS: [&str; 6] = ["", "a", "red", "0", "the quick brown fox", "Ω"];
            let word = |x: f64| if scale == 0.0 { "" } else { WORDS[(x * 6.0) as usize % 6] };
            Data::Text((0..count).map(|_| word(unit()).to_owned()).collect())
        }
        datatype::BOOL => Data::Bool((0..count).map(|_| scale != 0.0 && unit() < 0.5).collect()),
        datatype::DOUBLE => Data::F64((0..count).map(|_| (unit() * 4.0 - 2.0) * scale).collect()),
        _ if is_float(element) => Data::F32((0..count).map(|_| ((unit() * 4.0 - 2.0) * scale) as f32).collect()),
        // Whole numbers are often indices, which must be in range.
        _ => {
            let range = if scale > 1.0 { 3.0 } else { 2.0 };
            Data::Int((0..count).map(|_| if scale == 0.0 { 0 } else { (unit() * range) as i64 }).collect())
        }
    };
    Ok(Tensor::new(shape, data)?.of_element(element))
}

/// A sample that a model runs on, and the size that its open dimensions have in it.
pub(super) fn fitting<T>(
    inputs: &[TensorInfo],
    rows: usize,
    fill: Fill,
    run: impl Fn(Vec<Tensor>) -> Result<T, String>,
) -> Result<(usize, T), String> {
    let is_open = |info: &TensorInfo| {
        info.shape.iter().flatten().skip(1).any(|dimension| !matches!(dimension, Dimension::Fixed(_)))
    };
    let sizes: &[usize] = if inputs.iter().any(is_open) { &[4, 1, 32, 128] } else { &[1] };
    let mut first = None;
    for size in sizes {
        match sample(inputs, rows, *size, fill).and_then(&run) {
            Ok(made) => return Ok((*size, made)),
            Err(reason) => first = first.or(Some(reason)),
        }
    }
    Err(first.unwrap_or_default())
}
