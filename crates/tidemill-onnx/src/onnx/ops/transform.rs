//! Selects, moves and joins elements.

use super::broadcast::{broadcast_indices, joint_shape, walk};
use super::shape::sizes;
use super::{Kernel, input, optional};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor, axis_of, elements};

pub(super) fn compile(
    name: &str,
    attributes: Attributes<'_>,
    opset: i64,
    outputs: usize,
) -> Result<Option<Kernel>, String> {
    let axis = attributes.int("axis", 0);
    Ok(Some(match name {
        "Transpose" => {
            let order = attributes.ints("perm").to_vec();
            Box::new(move |inputs| transpose(input(inputs, 0)?, &order))
        }
        "Gather" => Box::new(move |inputs| gather(input(inputs, 0)?, input(inputs, 1)?, axis)),
        "Slice" => {
            let fixed = (opset < 10).then(|| ["starts", "ends", "axes"].map(|name| attributes.ints(name).to_vec()));
            Box::new(move |inputs| slice(inputs, fixed.as_ref()))
        }
        "Expand" => Box::new(|inputs| {
            let tensor = input(inputs, 0)?;
            let shape = joint_shape(&tensor.shape, &sizes(input(inputs, 1)?)?)?;
            let data = broadcast_indices(&tensor.shape, &shape).map(|indices| tensor.data.take(&indices));
            Ok(vec![Tensor::new(shape, data.unwrap_or_else(|| tensor.data.clone()))?])
        }),
        "Split" => {
            let fixed = attributes.ints("split").to_vec();
            // Without any size, the parts are as many as the outputs.
            let parts = attributes.int("num_outputs", outputs as i64);
            Box::new(move |inputs| split(inputs, axis, &fixed, parts))
        }
        _ => return Ok(None),
    }))
}

/// The distance to the next element along each axis.
pub(super) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for at in (0..shape.len().saturating_sub(1)).rev() {
        strides[at] = strides[at + 1] * shape[at + 1];
    }
    strides
}

fn transpose(tensor: &Tensor, order: &[i64]) -> Result<Vec<Tensor>, String> {
    let rank = tensor.rank();
    let order: Vec<usize> = if order.is_empty() {
        (0..rank).rev().collect()
    } else {
        order.iter().map(|axis| axis_of(*axis, rank)).collect::<Result<_, _>>()?
    };
    let mut seen = vec![false; rank];
    if order.len() != rank || order.iter().any(|axis| std::mem::replace(&mut seen[*axis], true)) {
        return Err(format!("the axes {order:?} are no order of {rank}"));
    }
    let before = strides(&tensor.shape);
    let shape: Vec<usize> = order.iter().map(|axis| tensor.shape[*axis]).collect();
    let after: Vec<usize> = order.iter().map(|axis| before[*axis]).collect();
    let data = tensor.data.take(&walk(&shape, &after));
    Ok(vec![Tensor::new(shape, data)?])
}

fn gather(tensor: &Tensor, indices: &Tensor, axis: i64) -> Result<Vec<Tensor>, String> {
    let axis = axis_of(axis, tensor.rank())?;
    let size = tensor.shape[axis];
    let mut shape = tensor.shape[..axis].to_vec();
    shape.extend_from_slice(&indices.shape);
    shape.extend_from_slice(&tensor.shape[axis + 1..]);
    let inner: usize = tensor.shape[axis + 1..].iter().product();
    let outer: usize = tensor.shape[..axis].iter().product();
    let picks: Vec<usize> = indices.integers()?.iter().map(|at| axis_of(*at, size)).collect::<Result<_, _>>()?;
    let mut offsets = Vec::with_capacity(elements(&shape)?);
    for block in 0..outer {
        for pick in &picks {
            let first = (block * size + pick) * inner;
            offsets.extend(first..first + inner);
        }
    }
    Ok(vec![Tensor::new(shape, tensor.data.take(&offsets))?])
}

fn slice(inputs: &[Option<&Tensor>], fixed: Option<&[Vec<i64>; 3]>) -> Result<Vec<Tensor>, String> {
    let tensor = input(inputs, 0)?;
    let rank = tensor.rank();
    let (starts, ends, axes, steps) = match fixed {
        Some([starts, ends, axes]) => (starts.clone(), ends.clone(), axes.clone(), Vec::new()),
        None => {
            let list = |at| optional(inputs, at).map_or(Ok(Vec::new()), |list| list.integers().map(<[i64]>::to_vec));
            (list(1)?, list(2)?, list(3)?, list(4)?)
        }
    };
    let axes = if axes.is_empty() { (0..starts.len() as i64).collect() } else { axes };
    if ends.len() != starts.len() || axes.len() != starts.len() || (!steps.is_empty() && steps.len() != starts.len()) {
        return Err("starts, ends, axes and steps differ in length".to_owned());
    }
    let mut picks: Vec<Vec<usize>> = tensor.shape.iter().map(|size| (0..*size).collect()).collect();
    for (at, axis) in axes.iter().enumerate() {
        let axis = axis_of(*axis, rank)?;
        let size = tensor.shape[axis] as i64;
        let step = steps.get(at).copied().unwrap_or(1);
        let from_end = |place: i64| if place < 0 { place.saturating_add(size) } else { place };
        picks[axis] = match step {
            0 => return Err("a step of 0".to_owned()),
            1.. => {
                let (start, end) = (from_end(starts[at]).clamp(0, size), from_end(ends[at]).clamp(0, size));
                (start..end).step_by(step as usize).map(|x| x as usize).collect()
            }
            _ => {
                let (start, end) = (from_end(starts[at]).clamp(-1, size - 1), from_end(ends[at]).clamp(-1, size - 1));
                (end + 1..=start).rev().step_by(step.unsigned_abs() as usize).map(|x| x as usize).collect()
            }
        };
    }
    let shape: Vec<usize> = picks.iter().map(Vec::len).collect();
    let mut offsets = vec![0];
    for (pick, stride) in picks.iter().zip(strides(&tensor.shape)) {
        offsets = offsets.iter().flat_map(|offset| pick.iter().map(move |at| offset + at * stride)).collect();
    }
    Ok(vec![Tensor::new(shape, tensor.data.take(&offsets))?])
}

fn split(inputs: &[Option<&Tensor>], axis: i64, fixed: &[i64], parts: i64) -> Result<Vec<Tensor>, String> {
    let tensor = input(inputs, 0)?;
    let size = tensor.shape[axis_of(axis, tensor.rank())?];
    let lengths: Vec<usize> = match optional(inputs, 1) {
        Some(lengths) => sizes(lengths)?,
        None if !fixed.is_empty() => sizes(&Tensor::vector(Data::Int(fixed.to_vec())))?,
        None => {
            let parts =
                usize::try_from(parts).ok().filter(|parts| *parts > 0).ok_or("the number of parts is not given")?;
            let each = size.div_ceil(parts);
            (0..parts).map(|part| each.min(size.saturating_sub(part * each))).collect()
        }
    };
    if lengths.iter().sum::<usize>() != size {
        return Err(format!("parts of {lengths:?} do not make up {size}"));
    }
    let mut first = 0;
    let mut outputs = Vec::with_capacity(lengths.len());
    for length in lengths {
        let indices: Vec<i64> = (first..first + length).map(|at| at as i64).collect();
        outputs.extend(gather(tensor, &Tensor::vector(Data::Int(indices)), axis)?);
        first += length;
    }
    Ok(outputs)
}

/// Reorders the axes.
pub(super) fn reordered(tensor: &Tensor, order: &[usize]) -> Result<Tensor, String> {
    let order: Vec<i64> = order.iter().map(|axis| *axis as i64).collect();
    transpose(tensor, &order)?.pop().ok_or_else(|| "nothing is left".to_owned())
}
