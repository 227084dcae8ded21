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
        "Reciprocal" => |x| 1.0 / x,
        "Erf" => erf,
        "Softplus" => |x| if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() },
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
        "Gelu" => return Some(each(|x| 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2)))),
        // Dropout does nothing when a model is served.
        "Identity" | "Dropout" => return Some(Box::new(|inputs| Ok(vec![input(inputs, 0)?.clone()]))),
        "Clip" => {
            let bound = |name: &str| attributes.has(name).then(|| f64::from(attributes.float(name, 0.0)));
            let fixed = if opset < 11 { (bound("min"), bound("max")) } else { (None, None) };
            return Some(Box::new(move |inputs| clip(inputs, fixed)));
        }
        _ => return None,
    };
    Some(each(simple))
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
        Data::Int(values) => Data::Int(values.iter().map(|x| map(*x as f64) as i64).collect()),
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
