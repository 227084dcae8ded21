//! Activations with their derivatives, in 32 bits and without calls, so that the compiler turns the loops into vector code.

use tidemill_model::Activation;

use crate::fast_exp::exp;

/// Powers above this say nothing more.
const POWER_MAX: f32 = 20.0;

/// Replaces each of `values` by the activation's value, and writes the derivatives.
pub(super) fn activate(activation: Activation, values: &mut [f32], derivatives: &mut [f32]) {
    let (scale, alpha) = (Activation::SELU_SCALE as f32, Activation::SELU_ALPHA as f32);
    let pairs = values.iter_mut().zip(derivatives);
    match activation {
        Activation::Relu => pairs.for_each(|(x, slope)| {
            *slope = if *x > 0.0 { 1.0 } else { 0.0 };
            *x *= *slope;
        }),
        Activation::Selu => pairs.for_each(|(x, slope)| {
            let power = alpha * exp(x.min(0.0));
            *slope = scale * if *x > 0.0 { 1.0 } else { power };
            *x = scale * if *x > 0.0 { *x } else { power - alpha };
        }),
        Activation::Mish => pairs.for_each(|(x, slope)| {
            let power = exp(x.min(POWER_MAX));
            let square = power * (power + 2.0);
            let share = square / (square + 2.0);
            *slope = share + *x * (1.0 - share * share) * power / (1.0 + power);
            *x *= share;
        }),
        Activation::Silu => pairs.for_each(|(x, slope)| {
            let share = 1.0 / (1.0 + exp(-*x));
            *slope = share * (1.0 + *x * (1.0 - share));
            *x *= share;
        }),
        Activation::Tanh => pairs.for_each(|(x, slope)| {
            let power = exp((2.0 * *x).clamp(-POWER_MAX, POWER_MAX));
            *x = (power - 1.0) / (power + 1.0);
            *slope = 1.0 - *x * *x;
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_model_and_derivatives_those_of_differences() {
        for activation in Activation::ALL {
            for at in -60..60 {
                let x = at as f32 / 7.0 + 0.01;
                let (mut value, mut slope) = ([x], [0.0]);
                activate(activation, &mut value, &mut slope);
                let at = |step: f64| activation.value(f64::from(x) + step);
                assert!((f64::from(value[0]) - at(0.0)).abs() < 2e-6 * at(0.0).abs().max(1.0), "{activation:?} {x}");
                let expected = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!((f64::from(slope[0]) - expected).abs() < 1e-5, "{activation:?} {x}: {} {expected}", slope[0]);
            }
        }
    }
}
