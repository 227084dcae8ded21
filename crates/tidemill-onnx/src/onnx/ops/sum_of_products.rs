//! `Einsum`: sums of products over named axes.

use std::collections::BTreeMap;

use super::transform::strides;
use crate::onnx::value::{Tensor, elements};

/// More multiplications are rejected.
const WORK_MAX: usize = 1 << 34;

/// A name of an axis: a letter, or a place of the dots counted from the end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Axis {
    Dots(usize),
    Letter(char),
}

/// The names of the axes of one term, of a tensor of `rank` axes if it is known.
fn axes(term: &str, rank: Option<usize>, dots: usize) -> Result<Vec<Axis>, String> {
    let term: String = term.chars().filter(|x| !x.is_whitespace()).collect();
    let (before, after) = term.split_once("...").map_or((term.as_str(), None), |(before, after)| (before, Some(after)));
    let letters = |text: &str| -> Result<Vec<Axis>, String> {
        let letter =
            |x: char| if x.is_alphabetic() { Ok(Axis::Letter(x)) } else { Err(format!("the equation has `{x}`")) };
        text.chars().map(letter).collect()
    };
    let mut names = letters(before)?;
    if let Some(after) = after {
        let after = letters(after)?;
        let width = rank.map_or(Some(dots), |rank| rank.checked_sub(names.len() + after.len()));
        let width = width.ok_or("a term of the equation has more letters than axes")?;
        names.extend((0..width).rev().map(Axis::Dots));
        names.extend(after);
    }
    if rank.is_some_and(|rank| rank != names.len()) {
        return Err(format!("the term `{term}` does not fit a tensor of {} axes", rank.unwrap_or_default()));
    }
    Ok(names)
}

pub(super) fn einsum(equation: &str, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, String> {
    let (left, right) = equation.split_once("->").map_or((equation, None), |(left, right)| (left, Some(right)));
    let terms: Vec<&str> = left.split(',').collect();
    if terms.len() != inputs.len() {
        return Err(format!("the equation `{equation}` is of {} tensors, and there are {}", terms.len(), inputs.len()));
    }
    let tensors: Vec<&Tensor> = (0..inputs.len()).map(|at| super::input(inputs, at)).collect::<Result<_, _>>()?;
    let mut sizes: BTreeMap<Axis, usize> = BTreeMap::new();
    let mut counts: BTreeMap<Axis, usize> = BTreeMap::new();
    let mut names = Vec::with_capacity(terms.len());
    for (term, tensor) in terms.iter().zip(&tensors) {
        let own = axes(term, Some(tensor.rank()), 0)?;
        for (axis, size) in own.iter().zip(&tensor.shape) {
            *counts.entry(*axis).or_default() += 1;
            let known = sizes.entry(*axis).or_insert(*size);
            if *known == 1 {
                *known = *size;
            } else if *size != *known && *size != 1 {
                return Err(format!("an axis of `{equation}` has the sizes {known} and {size}"));
            }
        }
        names.push(own);
    }
    let dots = sizes.keys().filter(|axis| matches!(axis, Axis::Dots(_))).count();
    let kept: Vec<Axis> = match right {
        Some(right) => axes(right, None, dots)?,
        // The dots, and then the letters that occur once, sorted.
        None => {
            let once = counts.iter().filter(|(axis, count)| matches!(axis, Axis::Letter(_)) && **count == 1);
            (0..dots).rev().map(Axis::Dots).chain(once.map(|(axis, _)| *axis)).collect()
        }
    };
    let summed: Vec<Axis> = sizes.keys().filter(|axis| !kept.contains(axis)).copied().collect();
    let size =
        |axis: &Axis| sizes.get(axis).copied().ok_or_else(|| format!("an axis of the result of `{equation}` is new"));
    let shape: Vec<usize> = kept.iter().map(size).collect::<Result<_, _>>()?;
    let inner: Vec<usize> = summed.iter().map(size).collect::<Result<_, _>>()?;
    let (outer_count, inner_count) = (elements(&shape)?, elements(&inner)?);
    if outer_count.saturating_mul(inner_count).saturating_mul(tensors.len()) > WORK_MAX {
        return Err(format!("the sums of `{equation}` are too large"));
    }
    // For each tensor, the distance of a step along each axis of the result and of the sums.
    let steps = |order: &[Axis], at: usize| -> Vec<usize> {
        let own = strides(&tensors[at].shape);
        let along = |axis: &Axis| {
            let places =
                names[at].iter().enumerate().filter(|(place, name)| *name == axis && tensors[at].shape[*place] != 1);
            places.map(|(place, _)| own[place]).sum()
        };
        order.iter().map(along).collect()
    };
    let walks = |order: &[Axis], sizes: &[usize]| -> Vec<Vec<usize>> {
        (0..tensors.len()).map(|at| super::broadcast::walk(sizes, &steps(order, at))).collect()
    };
    let (outer, inside) = (walks(&kept, &shape), walks(&summed, &inner));
    let values: Vec<_> = tensors.iter().map(|tensor| tensor.floats()).collect::<Result<_, _>>()?;
    let mut sums = Vec::with_capacity(outer_count);
    for place in 0..outer_count {
        let mut sum = 0.0;
        for within in 0..inner_count {
            let factors = values.iter().enumerate().map(|(at, values)| values[outer[at][place] + inside[at][within]]);
            sum += factors.product::<f64>();
        }
        sums.push(sum);
    }
    let first = tensors.first().ok_or("nothing to multiply")?;
    Ok(vec![first.like(shape, sums)?])
}
