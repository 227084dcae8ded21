//! Element-wise operators on one numeric tensor.

use super::{Kernel, input, optional};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor};

/// The kernel of an operator on each number.
pub(super) fn compile(name: &str, attributes: Attributes<'_>, opset: i64) -> Option<Kernel> {
    let alpha = |default: f32| f64::from(attributes.float("alpha", default));
    let simple: fn(f64) -> f64 = match name {
        "Exp" => f64::exp,
        "Log" => f64::ln,
        "Sqrt" => f64::sqrt,
        "Floor" => f64::floor,
        "Ceil" => f64::ceil,
        "Round" => f64::round_ties_even,
        "Sigmoid" => |x| 1.0 / (1.0 + (-x).exp()),
        "Tanh" => f64::tanh,
        "Sin" => f64::sin,
        "Cos" => f64::cos,
        "Tan" => f64::tan,
        "Atan" => f64::atan,
        "Asin" => f64::asin,
        "Acos" => f64::acos,
        "Sinh" => f64::sinh,
        "Cosh" => f64::cosh,
        "Asinh" => f64::asinh,
        "Acosh" => f64::acosh,
        "Atanh" => f64::atanh,
        "Mish" => |x| x * softplus(x).tanh(),
        "HardSwish" => |x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
        "Reciprocal" => |x| 1.0 / x,
        "Erf" => erf,
        "Softplus" => softplus,
        "Softsign" => |x| x / (1.0 + x.abs()),
        "Abs" => return Some(whole(f64::abs, i64::wrapping_abs)),
        "Neg" => return Some(whole(|x| -x, i64::wrapping_neg)),
        "Sign" => return Some(whole(|x| if x == 0.0 || x.is_nan() { x } else { x.signum() }, i64::signum)),
        "Relu" => return Some(whole(|x| if x < 0.0 { 0.0 } else { x }, |x| x.max(0))),
        "LeakyRelu" => {
            let slope = alpha(0.01);
            return Some(each(move |x| if x < 0.0 { slope * x } else { x }));
        }
        "Elu" => {
            let scale = alpha(1.0);
            return Some(each(move |x| if x < 0.0 { scale * x.exp_m1() } else { x }));
        }
        "HardSigmoid" => {
            let (slope, shift) = (alpha(0.2), f64::from(attributes.float("beta", 0.5)));
            return Some(each(move |x| (slope * x + shift).clamp(0.0, 1.0)));
        }
        "Selu" => {
            let (a, gamma) = (alpha(1.673_263_2), f64::from(attributes.float("gamma", 1.050_701)));
            return Some(each(move |x| gamma * if x > 0.0 { x } else { a * x.exp_m1() }));
        }
        "Gelu" if attributes.text("approximate", "none").is_ok_and(|kind| kind == "tanh") => {
            let scale = (2.0 / std::f64::consts::PI).sqrt();
            return Some(each(move |x| 0.5 * x * (1.0 + (scale * (x + 0.044_715 * x * x * x)).tanh())));
        }
        "Gelu" => return Some(each(|x| 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2)))),
        "Celu" => {
            let scale = alpha(1.0);
            return Some(each(move |x| x.max(0.0) + (scale * (x / scale).exp_m1()).min(0.0)));
        }
        "Swish" => {
            let slope = alpha(1.0);
            return Some(each(move |x| x / (1.0 + (-slope * x).exp())));
        }
        "ThresholdedRelu" => {
            let threshold = alpha(1.0);
            return Some(each(move |x| if x > threshold { x } else { 0.0 }));
        }
        "Shrink" => {
            let (bias, edge) = (f64::from(attributes.float("bias", 0.0)), f64::from(attributes.float("lambd", 0.5)));
            let shrunk = move |x: f64| match x {
                x if x < -edge => x + bias,
                x if x > edge => x - bias,
                _ => 0.0,
            };
            return Some(Box::new(move |inputs| {
                let tensor = input(inputs, 0)?;
                let values = tensor.floats()?.iter().map(|x| shrunk(*x)).collect();
                Ok(vec![tensor.like(tensor.shape.clone(), values)?])
            }));
        }
        "BitwiseNot" => {
            return Some(Box::new(|inputs| {
                let tensor = input(inputs, 0)?;
                let values = tensor.integers()?.iter().map(|x| !x).collect();
                Ok(vec![Tensor::new(tensor.shape.clone(), Data::Int(values))?])
            }));
        }
        "Identity" => return Some(Box::new(|inputs| Ok(vec![input(inputs, 0)?.clone()]))),
        "Dropout" => return Some(Box::new(dropout)),
        "Clip" => {
            let bound = |name: &str| attributes.has(name).then(|| f64::from(attributes.float(name, 0.0)));
            let fixed = if opset < 11 { (bound("min"), bound("max")) } else { (None, None) };
            return Some(Box::new(move |inputs| clip(inputs, fixed)));
        }
        _ => return None,
    };
    Some(each(simple))
}

fn softplus(x: f64) -> f64 {
    if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

/// Does nothing when a model is served; the second output says that every element is kept.
fn dropout(inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, String> {
    let tensor = input(inputs, 0)?;
    let ratio = optional(inputs, 1).map_or(Ok(0.5), Tensor::number)?;
    if let Some(training) = optional(inputs, 2)
        && training.number()? != 0.0
        && ratio != 0.0
    {
        return Err("dropping elements at random, as in training, is not run".to_owned());
    }
    let kept = Tensor::new(tensor.shape.clone(), Data::Bool(vec![true; tensor.data.len()]))?;
    Ok(vec![tensor.clone(), kept])
}

fn each(map: impl Fn(f64) -> f64 + Send + Sync + 'static) -> Kernel {
    Box::new(move |inputs| Ok(vec![mapped(input(inputs, 0)?, &map, None)?]))
}

fn whole(map: fn(f64) -> f64, int: fn(i64) -> i64) -> Kernel {
    Box::new(move |inputs| Ok(vec![mapped(input(inputs, 0)?, &map, Some(int))?]))
}

fn mapped(tensor: &Tensor, map: &dyn Fn(f64) -> f64, int: Option<fn(i64) -> i64>) -> Result<Tensor, String> {
    let data = match (&tensor.data, int) {
        (Data::F32(values), _) => Data::F32(values.iter().map(|x| map(f64::from(*x)) as f32).collect()),
        (Data::F64(values), _) => Data::F64(values.iter().map(|x| map(*x)).collect()),
        (Data::Int(values), Some(int)) => Data::Int(values.iter().map(|x| int(*x)).collect()),
        (other, _) => return Err(format!("it does not apply to {}", other.kind())),
    };
    Tensor::new(tensor.shape.clone(), data)
}

fn clip(inputs: &[Option<&Tensor>], fixed: (Option<f64>, Option<f64>)) -> Result<Vec<Tensor>, String> {
    let bound = |index: usize, fixed: Option<f64>| match optional(inputs, index) {
        Some(tensor) => Ok::<_, String>(tensor.floats()?.first().copied()),
        None => Ok(fixed),
    };
    let low = bound(1, fixed.0)?.unwrap_or(f64::NEG_INFINITY);
    let high = bound(2, fixed.1)?.unwrap_or(f64::INFINITY);
    let map = |x: f64| {
        let raised = if x < low { low } else { x };
        if raised > high { high } else { raised }
    };
    let tensor = input(inputs, 0)?;
    let data = match &tensor.data {
        Data::Int(values) => {
            let whole = |index: usize, else_: i64| match optional(inputs, index) {
                Some(bound) => Ok::<_, String>(bound.integers()?.first().copied().unwrap_or(else_)),
                None => Ok(else_),
            };
            let (low, high) = (whole(1, i64::MIN)?, whole(2, i64::MAX)?);
            Data::Int(values.iter().map(|x| (*x).max(low).min(high)).collect())
        }
        _ => return Ok(vec![mapped(tensor, &map, None)?]),
    };
    Ok(vec![Tensor::new(tensor.shape.clone(), data)?])
}

/// The error function, by its series near 0 and its continued fraction elsewhere; to about 1e-15.
pub(super) fn erf(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    let magnitude = x.abs();
    let value = if magnitude < 2.5 {
        let (mut term, mut sum, mut n) = (magnitude, magnitude, 0.0);
        while term.abs() > 1e-17 * sum.abs() && n < 200.0 {
            n += 1.0;
            term *= -magnitude * magnitude / n;
            sum += term / (2.0 * n + 1.0);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    } else if magnitude < 6.0 {
        let mut fraction = 0.0;
        for n in (1..=60).rev() {
            fraction = f64::from(n) / 2.0 / (magnitude + fraction);
        }
        1.0 - (-magnitude * magnitude).exp() / (magnitude + fraction) * std::f64::consts::FRAC_2_SQRT_PI / 2.0
    } else {
        1.0
    };
    value.copysign(x)
}
