//! Matrix products, and related operators of networks.

use std::borrow::Cow;

use super::broadcast::{broadcast_indices, joint_shape};
use super::{Kernel, input, optional};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor, elements};

pub(super) fn compile(
    name: &str,
    attributes: Attributes<'_>,
    opset: i64,
    outputs: usize,
) -> Result<Option<Kernel>, String> {
    Ok(Some(match name {
        "MatMul" => Box::new(|inputs| Ok(vec![product(input(inputs, 0)?, input(inputs, 1)?, 1.0)?])),
        "Gemm" => {
            let (alpha, beta) = (f64::from(attributes.float("alpha", 1.0)), f64::from(attributes.float("beta", 1.0)));
            let (turn_a, turn_b) = (attributes.int("transA", 0) != 0, attributes.int("transB", 0) != 0);
            Box::new(move |inputs| {
                let (a, b) =
                    (maybe_transposed(input(inputs, 0)?, turn_a)?, maybe_transposed(input(inputs, 1)?, turn_b)?);
                let product = product(&a, &b, alpha)?;
                let product =
                    if alpha == 1.0 || product.integers().is_err() { product } else { scaled_whole(&product, alpha)? };
                Ok(vec![match optional(inputs, 2) {
                    Some(shift) => add_scaled(&product, shift, beta)?,
                    None => product,
                }])
            })
        }
        "BatchNormalization" => {
            let epsilon = f64::from(attributes.float("epsilon", 1e-5));
            if attributes.int("spatial", 1) == 0 {
                return Err("normalizing each place by itself (`spatial` 0) is not run".to_owned());
            }
            let trains =
                if opset < 7 { attributes.int("is_test", 0) == 0 } else { attributes.int("training_mode", 0) != 0 };
            let momentum = f64::from(attributes.float("momentum", 0.9));
            Box::new(move |inputs| {
                if trains {
                    return train(inputs, epsilon, momentum, outputs);
                }
                normalise(inputs, epsilon)
            })
        }
        _ => return Ok(None),
    }))
}

/// The matrix, or its transpose.
fn maybe_transposed(matrix: &Tensor, turn: bool) -> Result<Cow<'_, Tensor>, String> {
    Ok(if turn { Cow::Owned(super::transform::reordered(matrix, &[1, 0])?) } else { Cow::Borrowed(matrix) })
}

/// More multiplications per row are rejected.
const WORK_MAX: usize = 1 << 36;

/// The product of two matrices; the left one may have more axes, which are rows too.
pub(super) fn product(a: &Tensor, b: &Tensor, scale: f64) -> Result<Tensor, String> {
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
    if let (Data::Int(left), Data::Int(right)) = (&a.data, &b.data) {
        return whole_product((left, right), inner, columns, shape);
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
        (a, b) => return Err(format!("a product of {} and {}", a.kind(), b.kind())),
    };
    Tensor::new(shape, data)
}

/// The product of two matrices of whole numbers, exact in 64 bits.
fn whole_product(
    (left, right): (&[i64], &[i64]),
    inner: usize,
    columns: usize,
    shape: Vec<usize>,
) -> Result<Tensor, String> {
    let count = elements(&shape)?;
    if count.saturating_mul(inner) > WORK_MAX {
        return Err("the product is too large".to_owned());
    }
    let mut sums = vec![0_i64; count];
    for (row, out) in left.chunks(inner.max(1)).zip(sums.chunks_mut(columns.max(1))) {
        for (x, weights) in row.iter().zip(right.chunks(columns.max(1))) {
            for (sum, weight) in out.iter_mut().zip(weights) {
                *sum = sum.wrapping_add(x.wrapping_mul(*weight));
            }
        }
    }
    Tensor::new(shape, Data::Int(sums))
}

/// The products of many matrices, one by one; the axes before the last two are broadcast.
fn products(a: &Tensor, b: &Tensor) -> Result<Tensor, String> {
    // One row of numbers is a matrix of one row, without an axis for it in the result.
    if a.rank() == 1 && b.rank() > 2 {
        let mut made = products(&a.reshaped(vec![1, a.shape[0]])?, b)?;
        made.shape.remove(made.shape.len() - 2);
        return Ok(made);
    }
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

fn scaled_whole(product: &Tensor, scale: f64) -> Result<Tensor, String> {
    product.like(product.shape.clone(), product.floats()?.iter().map(|x| x * scale).collect())
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
    product.like(product.shape.clone(), sums)
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
    Ok(vec![tensor.like(tensor.shape.clone(), results)?])
}

/// Normalizes by the rows of this very batch, as in training, and returns the running mean and variance too.
fn train(inputs: &[Option<&Tensor>], epsilon: f64, momentum: f64, outputs: usize) -> Result<Vec<Tensor>, String> {
    let tensor = input(inputs, 0)?;
    let channels = *tensor.shape.get(1).ok_or("batch normalization of a tensor without channels")?;
    let inner: usize = tensor.shape[2..].iter().product();
    let (mut sums, mut squares) = (vec![0.0; channels], vec![0.0; channels]);
    let values = tensor.floats()?;
    let channel = |at: usize| at / inner.max(1) % channels.max(1);
    let count = (values.len() / channels.max(1)).max(1) as f64;
    for (at, x) in values.iter().enumerate() {
        sums[channel(at)] += x / count;
    }
    for (at, x) in values.iter().enumerate() {
        squares[channel(at)] += (x - sums[channel(at)]).powi(2) / count;
    }
    let own = |values: &[f64]| Tensor::new(vec![channels], Data::F64(values.to_vec()));
    let (mean, variance) = (own(&sums)?, own(&squares)?);
    let mut made = normalise(&[Some(tensor), inputs[1], inputs[2], Some(&mean), Some(&variance)], epsilon)?;
    for (at, now) in [(3, sums), (4, squares)] {
        let before = input(inputs, at)?;
        let blended =
            before.floats()?.iter().zip(now).map(|(old, now)| old * momentum + now * (1.0 - momentum)).collect();
        made.push(before.like(before.shape.clone(), blended)?);
    }
    made.truncate(outputs.max(1));
    Ok(made)
}
