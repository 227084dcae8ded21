//! Matrix products, and related operators of networks.

use std::borrow::Cow;

use super::broadcast::{broadcast_indices, joint_shape};
use super::{Kernel, input, optional};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor, elements};

pub(super) fn compile(name: &str, attributes: Attributes<'_>) -> Option<Kernel> {
    Some(match name {
        "MatMul" => Box::new(|inputs| Ok(vec![product(input(inputs, 0)?, input(inputs, 1)?, 1.0)?])),
        "Gemm" => {
            let (alpha, beta) = (f64::from(attributes.float("alpha", 1.0)), f64::from(attributes.float("beta", 1.0)));
            let (turn_a, turn_b) = (attributes.int("transA", 0) != 0, attributes.int("transB", 0) != 0);
            Box::new(move |inputs| {
                let (a, b) =
                    (maybe_transposed(input(inputs, 0)?, turn_a)?, maybe_transposed(input(inputs, 1)?, turn_b)?);
                let product = product(&a, &b, alpha)?;
                Ok(vec![match optional(inputs, 2) {
                    Some(shift) => add_scaled(&product, shift, beta)?,
                    None => product,
                }])
            })
        }
        "BatchNormalization" => {
            let epsilon = f64::from(attributes.float("epsilon", 1e-5));
            Box::new(move |inputs| normalise(inputs, epsilon))
        }
        _ => return None,
    })
}

/// The matrix, or its transpose.
fn maybe_transposed(matrix: &Tensor, turn: bool) -> Result<Cow<'_, Tensor>, String> {
    Ok(if turn { Cow::Owned(super::transform::reordered(matrix, &[1, 0])?) } else { Cow::Borrowed(matrix) })
}

/// More multiplications per row are rejected.
const WORK_MAX: usize = 1 << 36;

/// The product of two matrices; the left one may have more axes, which are rows too.
fn product(a: &Tensor, b: &Tensor, scale: f64) -> Result<Tensor, String> {
    let (inner, columns) = match *b.shape {
        [inner, columns] => (inner, columns),
        [inner] => (inner, 1),
        _ => return products(a, b),
    };
    if a.shape.last() != Some(&inner) {
        return Err(format!("matrices of shapes {:?} and {:?} have no product", a.shape, b.shape));
    }
    let mut shape = a.shape[..a.rank() - 1].to_vec();
    if b.rank() == 2 {
        shape.push(columns);
    }
    let (left, right) = (a.floats()?, b.floats()?);
    let rows = left.len().checked_div(inner).unwrap_or(0);
    elements(&[rows, columns])?;
    if rows.saturating_mul(columns).saturating_mul(inner) > WORK_MAX {
        return Err(format!("a product of shapes {:?} and {:?} is too large", a.shape, b.shape));
    }
    let mut sums = vec![0.0; rows * columns];
    // Row by row of the right matrix, so that memory is read in order.
    for (row, out) in left.chunks(inner.max(1)).zip(sums.chunks_mut(columns.max(1))) {
        for (x, weights) in row.iter().zip(right.chunks(columns.max(1))) {
            for (sum, weight) in out.iter_mut().zip(weights) {
                *sum += x * weight;
            }
        }
    }
    if scale != 1.0 {
        for sum in &mut sums {
            *sum *= scale;
        }
    }
    let data = match (&a.data, &b.data) {
        (Data::F64(_), Data::F64(_)) => Data::F64(sums),
        (Data::F32(_), Data::F32(_)) => Data::F32(sums.into_iter().map(|x| x as f32).collect()),
        (Data::Int(_), Data::Int(_)) => Data::Int(sums.into_iter().map(|x| x as i64).collect()),
        (a, b) => return Err(format!("a product of {} and {}", a.kind(), b.kind())),
    };
    Tensor::new(shape, data)
}

/// The products of many matrices, one by one; the axes before the last two are broadcast.
fn products(a: &Tensor, b: &Tensor) -> Result<Tensor, String> {
    let ([outer_a @ .., rows, inner], [outer_b @ .., below, columns]) = (&a.shape[..], &b.shape[..]) else {
        return Err(format!("matrices of shapes {:?} and {:?} have no product", a.shape, b.shape));
    };
    let (rows, inner, columns) = (*rows, *inner, *columns);
    if inner != *below {
        return Err(format!("matrices of shapes {:?} and {:?} have no product", a.shape, b.shape));
    }
    let mut shape = joint_shape(outer_a, outer_b)?;
    let maps = [broadcast_indices(outer_a, &shape), broadcast_indices(outer_b, &shape)];
    let count: usize = shape.iter().product();
    shape.extend([rows, columns]);
    elements(&shape)?;
    let mut parts = Vec::with_capacity(count);
    for at in 0..count {
        let [left, right] = [(a, rows * inner, &maps[0], rows, inner), (b, inner * columns, &maps[1], inner, columns)]
            .map(|(tensor, size, map, height, width)| {
                let first = map.as_ref().map_or(at, |map| map[at]) * size;
                let picked: Vec<usize> = (first..first + size).collect();
                Tensor::new(vec![height, width], tensor.data.take(&picked))
            });
        parts.push(product(&left?, &right?, 1.0)?);
    }
    let Some(first) = parts.first() else {
        return Tensor::new(shape, a.data.take(&[]));
    };
    debug_assert_eq!(first.shape, [rows, columns]);
    let joined = Tensor::concat(&parts.iter().collect::<Vec<_>>(), 0)?;
    Tensor::new(shape, joined.data)
}

fn add_scaled(product: &Tensor, shift: &Tensor, scale: f64) -> Result<Tensor, String> {
    let values = product.floats()?;
    let shifts = shift.floats()?;
    let indices = broadcast_indices(&shift.shape, &product.shape);
    if joint_shape(&shift.shape, &product.shape)? != product.shape {
        return Err(format!("a shift of shape {:?} does not fit {:?}", shift.shape, product.shape));
    }
    let at = |at: usize| shifts[indices.as_ref().map_or(at, |map| map[at])] * scale;
    let sums: Vec<f64> = values.iter().enumerate().map(|(place, x)| x + at(place)).collect();
    let data = match &product.data {
        Data::F32(_) => Data::F32(sums.into_iter().map(|x| x as f32).collect()),
        _ => Data::F64(sums),
    };
    Tensor::new(product.shape.clone(), data)
}

fn normalise(inputs: &[Option<&Tensor>], epsilon: f64) -> Result<Vec<Tensor>, String> {
    let tensor = input(inputs, 0)?;
    let channels = *tensor.shape.get(1).ok_or("batch normalization of a tensor without channels")?;
    let mut parameters = Vec::with_capacity(4);
    for at in 1..5 {
        let values = input(inputs, at)?.floats()?.into_owned();
        if values.len() != channels {
            return Err(format!("input {at} has {} values for {channels} channels", values.len()));
        }
        parameters.push(values);
    }
    let inner: usize = tensor.shape[2..].iter().product();
    let values = tensor.floats()?;
    let one = |(at, x): (usize, &f64)| {
        let channel = at / inner.max(1) % channels.max(1);
        let [scale, shift, mean, variance] = [0, 1, 2, 3].map(|parameter: usize| parameters[parameter][channel]);
        (x - mean) / (variance + epsilon).sqrt() * scale + shift
    };
    let results: Vec<f64> = values.iter().enumerate().map(one).collect();
    let data = match &tensor.data {
        Data::F64(_) => Data::F64(results),
        _ => Data::F32(results.into_iter().map(|x| x as f32).collect()),
    };
    Ok(vec![Tensor::new(tensor.shape.clone(), data)?])
}
