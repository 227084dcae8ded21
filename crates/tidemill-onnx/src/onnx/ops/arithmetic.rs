//! Element-wise operators on two or more numeric tensors.

use super::broadcast::{joint_shape, pairs};
use super::{Kernel, input};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor};

/// One operation for each type.
#[derive(Clone, Copy)]
struct Numeric {
    f32: fn(f32, f32) -> f32,
    f64: fn(f64, f64) -> f64,
    int: fn(i64, i64) -> Result<i64, &'static str>,
}

const ZERO: &str = "division by zero";

pub(super) fn compile(name: &str, attributes: Attributes<'_>) -> Option<Kernel> {
    let operation = match name {
        "Add" | "Sum" => Numeric { f32: |a, b| a + b, f64: |a, b| a + b, int: |a, b| Ok(a.wrapping_add(b)) },
        "Sub" => Numeric { f32: |a, b| a - b, f64: |a, b| a - b, int: |a, b| Ok(a.wrapping_sub(b)) },
        "Mul" => Numeric { f32: |a, b| a * b, f64: |a, b| a * b, int: |a, b| Ok(a.wrapping_mul(b)) },
        "Div" => Numeric {
            f32: |a, b| a / b,
            f64: |a, b| a / b,
            int: |a, b| if b == 0 { Err(ZERO) } else { Ok(a.wrapping_div(b)) },
        },
        "Pow" => return Some(Box::new(|inputs| power(input(inputs, 0)?, input(inputs, 1)?))),
        "Min" => Numeric { f32: least32, f64: least, int: |a, b| Ok(a.min(b)) },
        "Max" => Numeric { f32: greatest32, f64: greatest, int: |a, b| Ok(a.max(b)) },
        "Mod" if attributes.int("fmod", 0) != 0 => Numeric {
            f32: |a, b| a % b,
            f64: |a, b| a % b,
            int: |a, b| if b == 0 { Err(ZERO) } else { Ok(a.wrapping_rem(b)) },
        },
        // With the sign of the divisor, as in Python.
        "Mod" => Numeric {
            f32: |a, b| a - (a / b).floor() * b,
            f64: |a, b| a - (a / b).floor() * b,
            int: |a, b| {
                if b == 0 {
                    return Err(ZERO);
                }
                let rest = a.wrapping_rem(b);
                Ok(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
            },
        },
        "Mean" => {
            return Some(Box::new(|inputs| {
                let add = Numeric { f32: |a, b| a + b, f64: |a, b| a + b, int: |a, b| Ok(a.wrapping_add(b)) };
                let mut sum = fold(inputs, add)?;
                match &mut sum.data {
                    Data::F32(values) => values.iter_mut().for_each(|x| *x /= inputs.len() as f32),
                    Data::F64(values) => values.iter_mut().for_each(|x| *x /= inputs.len() as f64),
                    other => return Err(format!("the mean of {}", other.kind())),
                }
                Ok(vec![sum])
            }));
        }
        _ => return None,
    };
    Some(Box::new(move |inputs| Ok(vec![fold(inputs, operation)?])))
}

// The result is NaN if either side is, unlike with `f64::min`.
fn least(a: f64, b: f64) -> f64 {
    if a.is_nan() || a < b { a } else { b }
}

fn greatest(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

fn least32(a: f32, b: f32) -> f32 {
    if a.is_nan() || a < b { a } else { b }
}

fn greatest32(a: f32, b: f32) -> f32 {
    if a.is_nan() || a > b { a } else { b }
}

fn fold(inputs: &[Option<&Tensor>], operation: Numeric) -> Result<Tensor, String> {
    let mut result = input(inputs, 0)?.clone();
    for at in 1..inputs.len() {
        result = apply(&result, input(inputs, at)?, operation)?;
    }
    Ok(result)
}

fn apply(a: &Tensor, b: &Tensor, operation: Numeric) -> Result<Tensor, String> {
    let shape = joint_shape(&a.shape, &b.shape)?;
    let data = match (&a.data, &b.data) {
        (Data::F32(x), Data::F32(y)) => {
            Data::F32(pairs((x, &a.shape), (y, &b.shape), &shape, |a, b| (operation.f32)(*a, *b)))
        }
        (Data::F64(x), Data::F64(y)) => {
            Data::F64(pairs((x, &a.shape), (y, &b.shape), &shape, |a, b| (operation.f64)(*a, *b)))
        }
        (Data::Int(x), Data::Int(y)) => {
            let results = pairs((x, &a.shape), (y, &b.shape), &shape, |a, b| (operation.int)(*a, *b));
            Data::Int(results.into_iter().collect::<Result<_, _>>()?)
        }
        (x, y) => return Err(format!("{} and {} do not go together", x.kind(), y.kind())),
    };
    Tensor::new(shape, data)
}

/// The base decides the type of the result.
fn power(base: &Tensor, exponent: &Tensor) -> Result<Vec<Tensor>, String> {
    let shape = joint_shape(&base.shape, &exponent.shape)?;
    let exponents = exponent.floats()?;
    let exponents = (&exponents[..], &exponent.shape[..]);
    let data = match &base.data {
        Data::F32(x) => Data::F32(pairs((x, &base.shape), exponents, &shape, |a, b| a.powf(*b as f32))),
        Data::F64(x) => Data::F64(pairs((x, &base.shape), exponents, &shape, |a, b| a.powf(*b))),
        Data::Int(x) => Data::Int(pairs((x, &base.shape), exponents, &shape, |a, b| (*a as f64).powf(*b) as i64)),
        other => return Err(format!("a power of {}", other.kind())),
    };
    Ok(vec![Tensor::new(shape, data)?])
}
