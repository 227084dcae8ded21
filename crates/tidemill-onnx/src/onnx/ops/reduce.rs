//! Reductions along axes, and operators built from them.

use super::shape::axes_of;
use super::{Kernel, input, optional};
use crate::foreign::softmax;
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor, axis_of};

pub(super) fn compile(name: &str, attributes: Attributes<'_>, opset: i64) -> Option<Kernel> {
    let fold: fn(&[f64]) -> f64 = match name {
        "ReduceSum" => |row| row.iter().sum(),
        "ReduceMean" => |row| row.iter().sum::<f64>() / row.len() as f64,
        "ReduceMax" => |row| row.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        "ReduceMin" => |row| row.iter().copied().fold(f64::INFINITY, f64::min),
        "ReduceProd" => |row| row.iter().product(),
        "ReduceL1" => |row| row.iter().map(|x| x.abs()).sum(),
        "ReduceL2" => |row| row.iter().map(|x| x * x).sum::<f64>().sqrt(),
        "ReduceLogSum" => |row| row.iter().sum::<f64>().ln(),
        "ReduceSumSquare" => |row| row.iter().map(|x| x * x).sum(),
        "ReduceLogSumExp" => |row| {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            largest + row.iter().map(|x| (x - largest).exp()).sum::<f64>().ln()
        },
        "Softmax" | "LogSoftmax" => {
            let axis = attributes.int("axis", if opset < 13 { 1 } else { -1 });
            let is_log = name == "LogSoftmax";
            return Some(Box::new(move |inputs| {
                along(input(inputs, 0)?, axis, opset < 13, |row| if is_log { log_softmax(row) } else { softmax(row) })
            }));
        }
        "Hardmax" => {
            let axis = attributes.int("axis", if opset < 13 { 1 } else { -1 });
            return Some(Box::new(move |inputs| {
                along(input(inputs, 0)?, axis, opset < 13, |row| {
                    let best = super::linear::largest(row);
                    row.iter_mut().enumerate().for_each(|(at, x)| *x = f64::from(u8::from(at == best)));
                })
            }));
        }
        "ArgMax" | "ArgMin" => {
            let (axis, keeps) = (attributes.int("axis", 0), attributes.int("keepdims", 1) != 0);
            let last = attributes.int("select_last_index", 0) != 0;
            let sign = if name == "ArgMax" { 1.0 } else { -1.0 };
            return Some(Box::new(move |inputs| {
                let best = |row: &[f64]| {
                    let better = |a: f64, b: f64| if last { a * sign >= b * sign } else { a * sign > b * sign };
                    (1..row.len()).fold(0, |best, at| if better(row[at], row[best]) { at } else { best }) as f64
                };
                let tensor = input(inputs, 0)?;
                // Places are numbers of their own type, whatever is compared.
                let wide = Tensor::new(tensor.shape.clone(), Data::F64(tensor.floats()?.into_owned()))?;
                let folded = reduce(&wide, &[axis], keeps, &best)?;
                let whole = folded.floats()?.iter().map(|x| *x as i64).collect();
                Ok(vec![Tensor::new(folded.shape.clone(), Data::Int(whole))?])
            }));
        }
        _ => return None,
    };
    let (axes, keeps) = (attributes.ints("axes").to_vec(), attributes.int("keepdims", 1) != 0);
    let none_is_identity = attributes.int("noop_with_empty_axes", 0) != 0;
    Some(Box::new(move |inputs| {
        let axes = axes_of(optional(inputs, 1), &axes)?;
        if axes.is_empty() && none_is_identity {
            return Ok(vec![input(inputs, 0)?.clone()]);
        }
        Ok(vec![reduce(input(inputs, 0)?, &axes, keeps, &fold)?])
    }))
}

/// Folds the elements along `axes`, or all elements if it is empty.
fn reduce(tensor: &Tensor, axes: &[i64], keeps: bool, fold: &dyn Fn(&[f64]) -> f64) -> Result<Tensor, String> {
    let rank = tensor.rank();
    let mut folded = vec![axes.is_empty(); rank];
    for axis in axes {
        folded[axis_of(*axis, rank)?] = true;
    }
    // The axis is last in most models; anything else is moved there.
    let order: Vec<usize> = (0..rank).filter(|at| !folded[*at]).chain((0..rank).filter(|at| folded[*at])).collect();
    let moved;
    let source = if order.is_sorted() {
        tensor
    } else {
        moved = super::transform::reordered(tensor, &order)?;
        &moved
    };
    let width: usize = (0..rank).filter(|at| folded[*at]).map(|at| tensor.shape[at]).product();
    let size = |at: usize| match (folded[at], keeps) {
        (false, _) => Some(tensor.shape[at]),
        (true, true) => Some(1),
        (true, false) => None,
    };
    let shape: Vec<usize> = (0..rank).filter_map(size).collect();
    let values = source.floats()?;
    let results: Vec<f64> =
        if width == 0 { vec![fold(&[]); shape.iter().product()] } else { values.chunks(width).map(fold).collect() };
    if let Data::Bool(_) = tensor.data {
        return Tensor::new(shape, Data::Bool(results.into_iter().map(|x| x > 0.0).collect()));
    }
    tensor.like(shape, results)
}

/// The logarithm of the softmax, without leaving the range of numbers in between.
pub(super) fn log_softmax(row: &mut [f64]) {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum = row.iter().map(|x| (x - largest).exp()).sum::<f64>().ln();
    row.iter_mut().for_each(|x| *x -= largest + sum);
}

/// Changes every line of elements along `axis`. Until version 13, all axes from this one on form one line (`flattens`).
pub(super) fn along(
    tensor: &Tensor,
    axis: i64,
    flattens: bool,
    change: impl Fn(&mut [f64]),
) -> Result<Vec<Tensor>, String> {
    let rank = tensor.rank();
    if rank == 0 || (flattens && axis == rank as i64) {
        let mut values = tensor.floats()?.into_owned();
        values.iter_mut().for_each(|x| change(std::slice::from_mut(x)));
        return Ok(vec![tensor.like(tensor.shape.clone(), values)?]);
    }
    let axis = axis_of(axis, rank)?;
    let width: usize = if flattens { tensor.shape[axis..].iter().product() } else { tensor.shape[axis] };
    // The axis is moved to the end and back.
    let order: Vec<usize> = (0..rank).filter(|at| *at != axis).chain([axis]).collect();
    let is_last = flattens || axis + 1 == rank;
    let moved;
    let source = if is_last {
        tensor
    } else {
        moved = super::transform::reordered(tensor, &order)?;
        &moved
    };
    let mut values = source.floats()?.into_owned();
    values.chunks_mut(width.max(1)).for_each(change);
    let made = tensor.like(source.shape.clone(), values)?;
    if is_last {
        return Ok(vec![made]);
    }
    let mut back = vec![0; rank];
    order.iter().enumerate().for_each(|(to, from)| back[*from] = to);
    Ok(vec![super::transform::reordered(&made, &back)?.of_element(tensor.element())])
}
