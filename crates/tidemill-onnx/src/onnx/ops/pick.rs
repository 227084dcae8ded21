//! Gathers and scatters elements by index.

use std::borrow::Cow;

use super::transform::strides;
use super::{Kernel, input, optional};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor, axis_of, datatype, elements};

/// How a scattered element meets the one that is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meet {
    Replace,
    Add,
    Multiply,
    Least,
    Largest,
}

impl Meet {
    fn of(attributes: Attributes<'_>) -> Result<Self, String> {
        Ok(match attributes.text("reduction", "none")?.as_str() {
            "none" => Self::Replace,
            "add" => Self::Add,
            "mul" => Self::Multiply,
            "min" => Self::Least,
            "max" => Self::Largest,
            other => return Err(format!("the reduction `{other}` is not run by this version")),
        })
    }

    fn combine<T: PartialOrd + Copy>(self, old: T, new: T, add: fn(T, T) -> T, multiply: fn(T, T) -> T) -> T {
        match self {
            Self::Replace => new,
            Self::Add => add(old, new),
            Self::Multiply => multiply(old, new),
            Self::Least => {
                if new < old {
                    new
                } else {
                    old
                }
            }
            Self::Largest => {
                if new > old {
                    new
                } else {
                    old
                }
            }
        }
    }
}

pub(super) fn compile(name: &str, attributes: Attributes<'_>, _: i64) -> Result<Option<Kernel>, String> {
    let axis = attributes.int("axis", 0);
    Ok(Some(match name {
        "GatherElements" => Box::new(move |inputs| {
            let (tensor, indices) = (input(inputs, 0)?, input(inputs, 1)?);
            let offsets = element_offsets(tensor, indices, axis)?;
            Ok(vec![tensor.taken(indices.shape.clone(), &offsets)?])
        }),
        "ScatterElements" | "Scatter" => {
            let meet = Meet::of(attributes)?;
            Box::new(move |inputs| {
                let (tensor, indices, updates) = (input(inputs, 0)?, input(inputs, 1)?, input(inputs, 2)?);
                let offsets = element_offsets(tensor, indices, axis)?;
                Ok(vec![scatter(tensor, &offsets, updates, meet)?])
            })
        }
        "GatherND" => {
            let batches = usize::try_from(attributes.int("batch_dims", 0)).map_err(|_| "`batch_dims` is below 0")?;
            Box::new(move |inputs| {
                let (tensor, indices) = (input(inputs, 0)?, input(inputs, 1)?);
                let (shape, offsets) = place_offsets(tensor, indices, batches)?;
                Ok(vec![tensor.taken(shape, &offsets)?])
            })
        }
        "ScatterND" => {
            let meet = Meet::of(attributes)?;
            Box::new(move |inputs| {
                let tensor = input(inputs, 0)?;
                let (_, offsets) = place_offsets(tensor, input(inputs, 1)?, 0)?;
                Ok(vec![scatter(tensor, &offsets, input(inputs, 2)?, meet)?])
            })
        }
        "TensorScatter" => {
            let (axis, mode) = (attributes.int("axis", -2), attributes.text("mode", "linear")?);
            if !matches!(mode.as_str(), "linear" | "circular") {
                return Err(format!("the mode `{mode}` is not run by this version"));
            }
            Box::new(move |inputs| write_at(inputs, axis, mode == "circular"))
        }
        "Compress" => {
            let axis = attributes.has("axis").then_some(axis);
            Box::new(move |inputs| compress(input(inputs, 0)?, input(inputs, 1)?, axis))
        }
        "NonZero" => Box::new(|inputs| {
            let tensor = input(inputs, 0)?;
            let values = tensor.floats()?;
            let found: Vec<usize> = (0..values.len()).filter(|at| values[*at] != 0.0).collect();
            let steps = strides(&tensor.shape);
            let place = |axis: usize, at: usize| (at / steps[axis] % tensor.shape[axis]) as i64;
            let places = (0..tensor.rank()).flat_map(|axis| found.iter().map(move |at| place(axis, *at))).collect();
            Ok(vec![Tensor::new(vec![tensor.rank(), found.len()], Data::Int(places))?])
        }),
        "Unique" => {
            let axis = attributes.has("axis").then_some(axis);
            let sorted = attributes.int("sorted", 1) != 0;
            Box::new(move |inputs| unique(input(inputs, 0)?, axis, sorted))
        }
        _ => return Ok(None),
    }))
}

/// The elements of `tensor` that `indices` name, each at its own place except along `axis`.
fn element_offsets(tensor: &Tensor, indices: &Tensor, axis: i64) -> Result<Vec<usize>, String> {
    let rank = tensor.rank();
    let axis = axis_of(axis, rank)?;
    let fits = indices.rank() == rank && (0..rank).all(|at| at == axis || indices.shape[at] <= tensor.shape[at]);
    if !fits {
        return Err(format!("indices of shape {:?} do not fit {:?}", indices.shape, tensor.shape));
    }
    let (steps, own) = (strides(&tensor.shape), strides(&indices.shape));
    let offset = |(at, index): (usize, &i64)| -> Result<usize, String> {
        let place = |of: usize| at / own[of] % indices.shape[of].max(1);
        let others = (0..rank).filter(|of| *of != axis).map(|of| place(of) * steps[of]).sum::<usize>();
        Ok(others + axis_of(*index, tensor.shape[axis])? * steps[axis])
    };
    indices.integers()?.iter().enumerate().map(offset).collect()
}

/// The elements at places that the last axis of `indices` holds, and the shape they form.
fn place_offsets(tensor: &Tensor, indices: &Tensor, batches: usize) -> Result<(Vec<usize>, Vec<usize>), String> {
    let depth = *indices.shape.last().ok_or("indices without axes")?;
    if batches + depth > tensor.rank() || batches >= indices.rank() {
        return Err(format!("indices of shape {:?} do not fit {:?}", indices.shape, tensor.shape));
    }
    if indices.shape[..batches] != tensor.shape[..batches] {
        return Err(format!("the batches of {:?} are not those of {:?}", indices.shape, tensor.shape));
    }
    let steps = strides(&tensor.shape);
    let inner: usize = tensor.shape[batches + depth..].iter().product();
    let mut shape = indices.shape[..indices.rank() - 1].to_vec();
    let places: usize = shape.iter().product();
    let batch_count: usize = shape[..batches].iter().product();
    let batch_step: usize = tensor.shape[batches..].iter().product();
    shape.extend_from_slice(&tensor.shape[batches + depth..]);
    let all = indices.integers()?;
    let mut offsets = Vec::with_capacity(elements(&shape)?);
    for at in 0..places {
        let place = &all[at * depth..(at + 1) * depth];
        let mut offset = at / (places / batch_count.max(1)).max(1) * batch_step;
        for (axis, index) in place.iter().enumerate() {
            offset += axis_of(*index, tensor.shape[batches + axis])? * steps[batches + axis];
        }
        offsets.extend(offset..offset + inner);
    }
    Ok((shape, offsets))
}

fn scatter(tensor: &Tensor, offsets: &[usize], updates: &Tensor, meet: Meet) -> Result<Tensor, String> {
    if offsets.len() != updates.data.len() {
        return Err(format!("{} updates for {} places", updates.data.len(), offsets.len()));
    }
    let mut data = tensor.data.clone();
    match (&mut data, &updates.data) {
        (Data::F32(to), Data::F32(from)) => {
            for (at, new) in offsets.iter().zip(from) {
                to[*at] = meet.combine(to[*at], *new, |a, b| a + b, |a, b| a * b);
            }
        }
        (Data::F64(to), Data::F64(from)) => {
            for (at, new) in offsets.iter().zip(from) {
                to[*at] = meet.combine(to[*at], *new, |a, b| a + b, |a, b| a * b);
            }
        }
        (Data::Int(to), Data::Int(from)) => {
            for (at, new) in offsets.iter().zip(from) {
                to[*at] = meet.combine(to[*at], *new, i64::wrapping_add, i64::wrapping_mul);
            }
        }
        (Data::Bool(to), Data::Bool(from)) => {
            for (at, new) in offsets.iter().zip(from) {
                to[*at] = meet.combine(to[*at], *new, |a, b| a | b, |a, b| a & b);
            }
        }
        (Data::Text(to), Data::Text(from)) if meet == Meet::Replace => {
            for (at, new) in offsets.iter().zip(from) {
                new.clone_into(&mut to[*at]);
            }
        }
        (to, from) => return Err(format!("{} and {} do not go together", to.kind(), from.kind())),
    }
    Tensor::new(tensor.shape.clone(), data)
}

/// Writes `updates` into a cache from an own place of each row on.
fn write_at(inputs: &[Option<&Tensor>], axis: i64, circular: bool) -> Result<Vec<Tensor>, String> {
    let (cache, updates) = (input(inputs, 0)?, input(inputs, 1)?);
    let axis = axis_of(axis, cache.rank())?;
    let rows = *cache.shape.first().ok_or("a cache without axes")?;
    let fits = axis > 0
        && updates.rank() == cache.rank()
        && (0..cache.rank()).all(|at| at == axis || updates.shape[at] == cache.shape[at]);
    if !fits {
        return Err(format!("updates of shape {:?} do not fit {:?}", updates.shape, cache.shape));
    }
    let starts = optional(inputs, 2).map_or(Ok(vec![0; rows]), super::shape::sizes)?;
    if starts.len() != rows {
        return Err(format!("{} places for {rows} rows", starts.len()));
    }
    let (steps, own) = (strides(&cache.shape), strides(&updates.shape));
    let size = cache.shape[axis];
    let mut offsets = Vec::with_capacity(updates.data.len());
    for at in 0..updates.data.len() {
        let place = |of: usize| at / own[of] % updates.shape[of].max(1);
        let moment = starts[place(0)] + place(axis);
        let moment = if circular { moment % size.max(1) } else { moment };
        if moment >= size {
            return Err(format!("a row is written at {moment} of {size}"));
        }
        let others: usize = (0..cache.rank()).filter(|of| *of != axis).map(|of| place(of) * steps[of]).sum();
        offsets.push(others + moment * steps[axis]);
    }
    Ok(vec![scatter(cache, &offsets, updates, Meet::Replace)?])
}

/// A tensor and the axis to work along: without one, all elements in a row.
fn along(tensor: &Tensor, axis: Option<i64>) -> Result<(Cow<'_, Tensor>, usize), String> {
    Ok(match axis {
        Some(axis) => (Cow::Borrowed(tensor), axis_of(axis, tensor.rank())?),
        None => (Cow::Owned(tensor.reshaped(vec![tensor.data.len()])?), 0),
    })
}

fn compress(tensor: &Tensor, condition: &Tensor, axis: Option<i64>) -> Result<Vec<Tensor>, String> {
    let Data::Bool(keeps) = &condition.data else { return Err("the condition is not of true and false".to_owned()) };
    let (source, axis) = along(tensor, axis)?;
    let size = source.shape[axis];
    let kept: Vec<Option<usize>> = (0..size).filter(|at| keeps.get(*at).copied().unwrap_or(false)).map(Some).collect();
    let mut lists: Vec<Vec<Option<usize>>> = source.shape.iter().map(|size| (0..*size).map(Some).collect()).collect();
    lists[axis] = kept;
    Ok(vec![super::arrange::picked(&source, &lists, 0.0)?])
}

/// The different slices along an axis, the first place of each, the one that each slice equals, and how often each is.
fn unique(tensor: &Tensor, axis: Option<i64>, sorted: bool) -> Result<Vec<Tensor>, String> {
    let (source, axis) = along(tensor, axis)?;
    let size = source.shape[axis];
    let inner: usize = source.shape[axis + 1..].iter().product();
    let outer: usize = source.shape[..axis].iter().product();
    let slice = |at: usize| -> Vec<usize> {
        (0..outer).flat_map(|block| (block * size + at) * inner..(block * size + at) * inner + inner).collect()
    };
    let compare = |a: usize, b: usize| {
        let pairs = slice(a).into_iter().zip(slice(b));
        let one = |(a, b): (usize, usize)| match &source.data {
            Data::Text(values) => values[a].cmp(&values[b]),
            Data::Int(values) => values[a].cmp(&values[b]),
            Data::Bool(values) => values[a].cmp(&values[b]),
            Data::F32(values) => values[a].partial_cmp(&values[b]).unwrap_or_else(|| values[a].total_cmp(&values[b])),
            Data::F64(values) => values[a].partial_cmp(&values[b]).unwrap_or_else(|| values[a].total_cmp(&values[b])),
            Data::List(_) | Data::Nothing => std::cmp::Ordering::Equal,
        };
        pairs.map(one).find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    };
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|a, b| compare(*a, *b).then(a.cmp(b)));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for at in order {
        match groups.last_mut().filter(|group| compare(group[0], at).is_eq()) {
            Some(group) => group.push(at),
            None => groups.push(vec![at]),
        }
    }
    if !sorted {
        groups.sort_by_key(|group| group[0]);
    }
    let mut equals = vec![0; size];
    for (place, group) in groups.iter().enumerate() {
        group.iter().for_each(|at| equals[*at] = place as i64);
    }
    let mut lists: Vec<Vec<Option<usize>>> = source.shape.iter().map(|size| (0..*size).map(Some).collect()).collect();
    lists[axis] = groups.iter().map(|group| Some(group[0])).collect();
    let whole = |values: Vec<i64>| Tensor::vector(Data::Int(values)).of_element(datatype::INT64);
    Ok(vec![
        super::arrange::picked(&source, &lists, 0.0)?,
        whole(groups.iter().map(|group| group[0] as i64).collect()),
        whole(equals),
        whole(groups.iter().map(|group| group.len() as i64).collect()),
    ])
}
