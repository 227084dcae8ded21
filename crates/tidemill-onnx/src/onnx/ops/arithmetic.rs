//! Element-wise operators on two or more numeric tensors.

use super::broadcast::{joint_shape, pairs};
use super::{Kernel, input};
use crate::onnx::attributes::Attributes;
use crate::onnx::element;
use crate::onnx::value::{Data, Tensor, datatype};

/// One operation for each type.
#[derive(Clone, Copy)]
struct Numeric {
    f32: fn(f32, f32) -> f32,
    f64: fn(f64, f64) -> f64,
    int: fn(i64, i64) -> Result<i64, &'static str>,
    /// It depends on the sign of whole numbers.
    ordered: bool,
}

const ZERO: &str = "division by zero";

pub(super) fn compile(name: &str, attributes: Attributes<'_>, opset: i64) -> Result<Option<Kernel>, String> {
    if opset < 7 && attributes.int("broadcast", 0) != 0 && matches!(name, "Add" | "Sub" | "Mul" | "Div" | "Pow") {
        return Err(format!(
            "broadcasting as before version 7 of the operators is not run; this model asks for {opset}"
        ));
    }
    Ok(numeric(name, attributes)?.or_else(|| bitwise(name)))
}

/// Operators on the bits of whole numbers.
fn bitwise(name: &str) -> Option<Kernel> {
    let combine: fn(i64, i64) -> i64 = match name {
        "BitwiseAnd" => |a, b| a & b,
        "BitwiseOr" => |a, b| a | b,
        "BitwiseXor" => |a, b| a ^ b,
        _ => return None,
    };
    Some(Box::new(move |inputs| Ok(vec![whole(inputs, combine)?])))
}

fn whole(inputs: &[Option<&Tensor>], combine: impl Fn(i64, i64) -> i64) -> Result<Tensor, String> {
    let (a, b) = (input(inputs, 0)?, input(inputs, 1)?);
    let shape = joint_shape(&a.shape, &b.shape)?;
    let values = pairs((a.integers()?, &a.shape), (b.integers()?, &b.shape), &shape, |a, b| combine(*a, *b));
    Tensor::new(shape, Data::Int(values))
}

/// Shifts by up to the width of a number; a shift beyond it, or by less than 0, leaves only the sign.
fn shift(left: bool) -> Kernel {
    Box::new(move |inputs| {
        let width = element::bits(input(inputs, 0)?.element()).unwrap_or(64);
        let unsigned = input(inputs, 0)?.element() == datatype::UINT64;
        let shifted = |a: i64, b: i64| match usize::try_from(b).ok().filter(|b| *b < width) {
            Some(b) if left => a << b,
            Some(b) if unsigned => ((a as u64) >> b) as i64,
            Some(b) => a >> b,
            None if left || unsigned => 0,
            None => a >> 63,
        };
        Ok(vec![whole(inputs, shifted)?])
    })
}

/// The slope of what is below 0 is broadcast in one direction.
fn sloped(inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, String> {
    let (x, slope) = (input(inputs, 0)?, input(inputs, 1)?);
    let shape = joint_shape(&x.shape, &slope.shape)?;
    let (values, slopes) = (x.floats()?, slope.floats()?);
    let made =
        pairs((&values, &x.shape), (&slopes, &slope.shape), &shape, |x, slope| if *x < 0.0 { x * slope } else { *x });
    Ok(vec![x.like(shape, made)?])
}

fn numeric(name: &str, attributes: Attributes<'_>) -> Result<Option<Kernel>, String> {
    let operation = match name {
        "Add" | "Sum" => {
            Numeric { f32: |a, b| a + b, f64: |a, b| a + b, int: |a, b| Ok(a.wrapping_add(b)), ordered: false }
        }
        "Sub" => Numeric { f32: |a, b| a - b, f64: |a, b| a - b, int: |a, b| Ok(a.wrapping_sub(b)), ordered: false },
        "Mul" => Numeric { f32: |a, b| a * b, f64: |a, b| a * b, int: |a, b| Ok(a.wrapping_mul(b)), ordered: false },
        "Div" => Numeric {
            f32: |a, b| a / b,
            f64: |a, b| a / b,
            int: |a, b| if b == 0 { Err(ZERO) } else { Ok(a.wrapping_div(b)) },
            ordered: true,
        },
        "Pow" => return Ok(Some(Box::new(|inputs| power(input(inputs, 0)?, input(inputs, 1)?)))),
        "PRelu" => return Ok(Some(Box::new(sloped))),
        "BitShift" => return Ok(Some(shift(attributes.text("direction", "")? == "LEFT"))),
        "Min" => Numeric { f32: least32, f64: least, int: |a, b| Ok(a.min(b)), ordered: true },
        "Max" => Numeric { f32: greatest32, f64: greatest, int: |a, b| Ok(a.max(b)), ordered: true },
        "Mod" if attributes.int("fmod", 0) != 0 => Numeric {
            f32: |a, b| a % b,
            f64: |a, b| a % b,
            int: |a, b| if b == 0 { Err(ZERO) } else { Ok(a.wrapping_rem(b)) },
            ordered: true,
        },
        // With the sign of the divisor, as in Python.
        "Mod" => Numeric {
            f32: |a, b| {
                let rest = a % b;
                if rest == 0.0 {
                    0.0_f32.copysign(b)
                } else if (rest < 0.0) != (b < 0.0) {
                    rest + b
                } else {
                    rest
                }
            },
            f64: |a, b| {
                let rest = a % b;
                if rest == 0.0 {
                    0.0_f64.copysign(b)
                } else if (rest < 0.0) != (b < 0.0) {
                    rest + b
                } else {
                    rest
                }
            },
            int: |a, b| {
                if b == 0 {
                    return Err(ZERO);
                }
                let rest = a.wrapping_rem(b);
                Ok(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
            },
            ordered: true,
        },
        "Mean" => {
            return Ok(Some(Box::new(|inputs| {
                let add =
                    Numeric { f32: |a, b| a + b, f64: |a, b| a + b, int: |a, b| Ok(a.wrapping_add(b)), ordered: false };
                let mut sum = fold(inputs, add)?;
                match &mut sum.data {
                    Data::F32(values) => values.iter_mut().for_each(|x| *x /= inputs.len() as f32),
                    Data::F64(values) => values.iter_mut().for_each(|x| *x /= inputs.len() as f64),
                    other => return Err(format!("the mean of {}", other.kind())),
                }
                Ok(vec![sum])
            })));
        }
        _ => return Ok(None),
    };
    Ok(Some(Box::new(move |inputs| Ok(vec![fold(inputs, operation)?]))))
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
    if operation.ordered && a.element() == datatype::UINT64 {
        let huge = |tensor: &Tensor| tensor.integers().is_ok_and(|values| values.iter().any(|x| *x < 0));
        if huge(a) || huge(b) {
            return Err("numbers of `uint64` from 2^63 on are not run by this version".to_owned());
        }
    }
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
