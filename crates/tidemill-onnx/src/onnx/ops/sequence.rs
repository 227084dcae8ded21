//! Sequences of tensors, and values that may be absent.

use super::{Kernel, input, optional};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor, axis_of, datatype};

pub(super) fn compile(name: &str, attributes: Attributes<'_>) -> Result<Option<Kernel>, String> {
    let axis = attributes.int("axis", 0);
    Ok(Some(match name {
        "SequenceEmpty" => Box::new(|_| Ok(vec![Tensor::list(Vec::new())])),
        "SequenceConstruct" => Box::new(|inputs| {
            let tensors: Vec<Tensor> =
                (0..inputs.len()).map(|at| input(inputs, at).cloned()).collect::<Result<_, _>>()?;
            Ok(vec![Tensor::list(tensors)])
        }),
        "SequenceLength" => {
            Box::new(|inputs| Ok(vec![Tensor::scalar(Data::Int(vec![list(input(inputs, 0)?)?.len() as i64]))]))
        }
        "SequenceAt" => Box::new(|inputs| {
            let all = list(input(inputs, 0)?)?;
            Ok(vec![all[place(input(inputs, 1)?, all.len())?].clone()])
        }),
        "SequenceErase" => Box::new(|inputs| {
            let mut all = list(input(inputs, 0)?)?.to_vec();
            let at = optional(inputs, 1).map_or(Ok(all.len().wrapping_sub(1)), |at| place(at, all.len()))?;
            if at >= all.len() {
                return Err("an empty sequence has nothing to remove".to_owned());
            }
            all.remove(at);
            Ok(vec![Tensor::list(all)])
        }),
        "SequenceInsert" => Box::new(|inputs| {
            let mut all = list(input(inputs, 0)?)?.to_vec();
            let tensor = input(inputs, 1)?.clone();
            let at = match optional(inputs, 2) {
                // One place more than there are: the end.
                Some(at) if at.number()? == all.len() as f64 => all.len(),
                Some(at) => place(at, all.len())?,
                None => all.len(),
            };
            all.insert(at, tensor);
            Ok(vec![Tensor::list(all)])
        }),
        "ConcatFromSequence" => {
            let stacks = attributes.int("new_axis", 0) != 0;
            Box::new(move |inputs| {
                let all = list(input(inputs, 0)?)?;
                if !stacks {
                    return Ok(vec![Tensor::concat(&all.iter().collect::<Vec<_>>(), axis)?]);
                }
                Ok(vec![stacked(all, axis)?])
            })
        }
        "SplitToSequence" => {
            let keeps = attributes.int("keepdims", 1) != 0;
            Box::new(move |inputs| split(inputs, axis, keeps))
        }
        "Optional" => {
            Box::new(|inputs| Ok(vec![optional(inputs, 0).cloned().unwrap_or_else(|| Tensor::vector(Data::Nothing))]))
        }
        "OptionalHasElement" => Box::new(|inputs| {
            let there = optional(inputs, 0).is_some_and(|tensor| !matches!(tensor.data, Data::Nothing));
            Ok(vec![Tensor::scalar(Data::Bool(vec![there])).of_element(datatype::BOOL)])
        }),
        "OptionalGetElement" => Box::new(|inputs| match input(inputs, 0)? {
            tensor if matches!(tensor.data, Data::Nothing) => Err("the optional value is absent".to_owned()),
            tensor => Ok(vec![tensor.clone()]),
        }),
        _ => return Ok(None),
    }))
}

/// The tensors of a sequence.
pub(super) fn list(tensor: &Tensor) -> Result<&[Tensor], String> {
    match &tensor.data {
        Data::List(tensors) => Ok(tensors),
        other => Err(format!("a sequence is expected, and this is of type {}", other.kind())),
    }
}

fn place(at: &Tensor, count: usize) -> Result<usize, String> {
    axis_of(at.number()? as i64, count)
        .map_err(|_| format!("no tensor is at place {} of {count}", at.number().unwrap_or(0.0)))
}

/// The tensors along a new axis.
pub(super) fn stacked(all: &[Tensor], axis: i64) -> Result<Tensor, String> {
    let first = all.first().ok_or("nothing to join")?;
    let axis = axis_of(axis, first.rank() + 1)?;
    let widen = |tensor: &Tensor| {
        let mut shape = tensor.shape.clone();
        shape.insert(axis.min(shape.len()), 1);
        tensor.reshaped(shape)
    };
    let wide: Vec<Tensor> = all.iter().map(widen).collect::<Result<_, _>>()?;
    Tensor::concat(&wide.iter().collect::<Vec<_>>(), axis as i64)
}

fn split(inputs: &[Option<&Tensor>], axis: i64, keeps: bool) -> Result<Vec<Tensor>, String> {
    let tensor = input(inputs, 0)?;
    let axis = axis_of(axis, tensor.rank())?;
    let size = tensor.shape[axis];
    let lengths: Vec<usize> = match optional(inputs, 1) {
        None => vec![1; size],
        Some(length) if length.rank() == 0 => {
            let each = length.number()? as usize;
            if each == 0 {
                return Err("parts of 0".to_owned());
            }
            (0..size).step_by(each).map(|first| each.min(size - first)).collect()
        }
        Some(lengths) => super::shape::sizes(lengths)?,
    };
    if lengths.iter().sum::<usize>() != size {
        return Err(format!("parts of {lengths:?} do not make up {size}"));
    }
    let squeezes = optional(inputs, 1).is_none() && !keeps;
    let (mut first, mut parts) = (0, Vec::with_capacity(lengths.len()));
    for length in lengths {
        let mut lists: Vec<Vec<Option<usize>>> =
            tensor.shape.iter().map(|size| (0..*size).map(Some).collect()).collect();
        lists[axis] = (first..first + length).map(Some).collect();
        let mut part = super::arrange::picked(tensor, &lists, 0.0)?;
        if squeezes {
            part.shape.remove(axis);
        }
        parts.push(part);
        first += length;
    }
    Ok(vec![Tensor::list(parts)])
}
