//! Comparisons and choices.

use super::broadcast::{broadcast_indices, joint_shape, pairs};
use super::{Kernel, input};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor, datatype};

/// The kind of comparison.
#[derive(Clone, Copy)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

pub(super) fn compile(name: &str, attributes: Attributes<'_>) -> Option<Kernel> {
    let order = match name {
        "Equal" => Order::Equal,
        "Less" => Order::Less,
        "LessOrEqual" => Order::LessOrEqual,
        "Greater" => Order::Greater,
        "GreaterOrEqual" => Order::GreaterOrEqual,
        "And" => return Some(Box::new(|inputs| both(inputs, |a, b| *a && *b))),
        "Or" => return Some(Box::new(|inputs| both(inputs, |a, b| *a || *b))),
        "Xor" => return Some(Box::new(|inputs| both(inputs, |a, b| a != b))),
        "Not" => {
            return Some(Box::new(|inputs| {
                let tensor = input(inputs, 0)?;
                let negated = bools(tensor)?.iter().map(|x| !x).collect();
                Ok(vec![Tensor::new(tensor.shape.clone(), Data::Bool(negated))?])
            }));
        }
        "Where" => return Some(Box::new(choose)),
        "IsNaN" => return Some(Box::new(|inputs| about_floats(input(inputs, 0)?, f64::is_nan))),
        "IsInf" => {
            let positive = attributes.int("detect_positive", 1) != 0;
            let negative = attributes.int("detect_negative", 1) != 0;
            return Some(Box::new(move |inputs| {
                about_floats(input(inputs, 0)?, |x| x.is_infinite() && if x > 0.0 { positive } else { negative })
            }));
        }
        _ => return None,
    };
    Some(Box::new(move |inputs| compare(input(inputs, 0)?, input(inputs, 1)?, order)))
}

impl Order {
    fn holds<T: PartialOrd>(self, a: &T, b: &T) -> bool {
        match self {
            Self::Equal => a == b,
            Self::Less => a < b,
            Self::LessOrEqual => a <= b,
            Self::Greater => a > b,
            Self::GreaterOrEqual => a >= b,
        }
    }
}

fn compare(a: &Tensor, b: &Tensor, order: Order) -> Result<Vec<Tensor>, String> {
    let shape = joint_shape(&a.shape, &b.shape)?;
    let (left, right) = (&a.shape[..], &b.shape[..]);
    let found = match (&a.data, &b.data) {
        (Data::F32(x), Data::F32(y)) => pairs((x, left), (y, right), &shape, |a, b| order.holds(a, b)),
        (Data::F64(x), Data::F64(y)) => pairs((x, left), (y, right), &shape, |a, b| order.holds(a, b)),
        (Data::Int(x), Data::Int(y)) if a.element() == datatype::UINT64 => {
            pairs((x, left), (y, right), &shape, |a, b| order.holds(&(*a as u64), &(*b as u64)))
        }
        (Data::Int(x), Data::Int(y)) => pairs((x, left), (y, right), &shape, |a, b| order.holds(a, b)),
        (Data::Bool(x), Data::Bool(y)) => pairs((x, left), (y, right), &shape, |a, b| order.holds(a, b)),
        (Data::Text(x), Data::Text(y)) => pairs((x, left), (y, right), &shape, |a, b| order.holds(a, b)),
        (x, y) => return Err(format!("{} and {} cannot be compared", x.kind(), y.kind())),
    };
    Ok(vec![Tensor::new(shape, Data::Bool(found))?])
}

fn bools(tensor: &Tensor) -> Result<&[bool], String> {
    match &tensor.data {
        Data::Bool(values) => Ok(values),
        other => Err(format!("true and false are expected, and these are of type {}", other.kind())),
    }
}

fn both(inputs: &[Option<&Tensor>], combine: fn(&bool, &bool) -> bool) -> Result<Vec<Tensor>, String> {
    let (a, b) = (input(inputs, 0)?, input(inputs, 1)?);
    let shape = joint_shape(&a.shape, &b.shape)?;
    let found = pairs((bools(a)?, &a.shape), (bools(b)?, &b.shape), &shape, combine);
    Ok(vec![Tensor::new(shape, Data::Bool(found))?])
}

fn about_floats(tensor: &Tensor, holds: impl Fn(f64) -> bool) -> Result<Vec<Tensor>, String> {
    let found = tensor.floats()?.iter().map(|x| holds(*x)).collect();
    Ok(vec![Tensor::new(tensor.shape.clone(), Data::Bool(found))?])
}

fn choose(inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, String> {
    fn rows<T: Clone>(chosen: &[bool], maps: [Option<Vec<usize>>; 3], count: usize, (yes, no): (&[T], &[T])) -> Vec<T> {
        let pick = |map: &Option<Vec<usize>>, at: usize| map.as_ref().map_or(at, |map| map[at]);
        let [condition, left, right] = &maps;
        let one = |at| if chosen[pick(condition, at)] { &yes[pick(left, at)] } else { &no[pick(right, at)] };
        (0..count).map(|at| one(at).clone()).collect()
    }
    let (condition, yes, no) = (input(inputs, 0)?, input(inputs, 1)?, input(inputs, 2)?);
    let shape = joint_shape(&joint_shape(&condition.shape, &yes.shape)?, &no.shape)?;
    let maps = [&condition.shape, &yes.shape, &no.shape].map(|from| broadcast_indices(from, &shape));
    let (chosen, count) = (bools(condition)?, shape.iter().product());
    let data = match (&yes.data, &no.data) {
        (Data::F32(a), Data::F32(b)) => Data::F32(rows(chosen, maps, count, (a, b))),
        (Data::F64(a), Data::F64(b)) => Data::F64(rows(chosen, maps, count, (a, b))),
        (Data::Int(a), Data::Int(b)) => Data::Int(rows(chosen, maps, count, (a, b))),
        (Data::Bool(a), Data::Bool(b)) => Data::Bool(rows(chosen, maps, count, (a, b))),
        (Data::Text(a), Data::Text(b)) => Data::Text(rows(chosen, maps, count, (a, b))),
        (a, b) => return Err(format!("{} and {} do not go together", a.kind(), b.kind())),
    };
    Ok(vec![Tensor::new(shape, data)?.of_element(yes.element())])
}
