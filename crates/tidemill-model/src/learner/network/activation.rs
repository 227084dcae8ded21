//! What happens between the layers of a network.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The function between two layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// λ x above 0, λ α (eˣ − 1) below.
    Selu,
    /// x · tanh(ln(1 + eˣ)).
    Mish,
    /// x / (1 + e⁻ˣ).
    #[serde(alias = "swish")]
    Silu,
    /// tanh(x).
    Tanh,
}

impl Activation {
    /// λ of SELU (Klambauer et al., "Self-normalizing neural networks", 2017).
    pub const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
    /// α of SELU.
    pub const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
    /// Above this, Mish and Silu are the identity to the last of 64 bits; no power up to it leaves the finite numbers.
    pub const LARGE: f64 = 40.0;

    /// Every activation, in the order of their numbers in stored bytes.
    pub const ALL: [Self; 5] = [Self::Relu, Self::Selu, Self::Mish, Self::Silu, Self::Tanh];

    /// The value at `x`.
    #[inline]
    pub fn value(self, x: f64) -> f64 {
        match self {
            Self::Relu => x.max(0.0),
            Self::Selu => Self::SELU_SCALE * if x > 0.0 { x } else { Self::SELU_ALPHA * (x.exp() - 1.0) },
            Self::Mish => {
                // tanh(ln(1 + e)) = ((1 + e)² − 1) / ((1 + e)² + 1), of which one exponential is enough.
                let power = x.min(Self::LARGE).exp();
                let square = power * (power + 2.0);
                x * (square / (square + 2.0))
            }
            Self::Silu => x / (1.0 + (-x).exp()),
            Self::Tanh => x.tanh(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_formulas() {
        for x in [-800.0_f64, -3.0, -0.5, 0.0, 0.25, 2.0, 39.0, 700.0] {
            let mish = x * x.exp().ln_1p().tanh();
            if x.exp().is_finite() {
                assert!((Activation::Mish.value(x) - mish).abs() < 1e-12, "{x}");
            }
            let silu = x / (1.0 + (-x).exp());
            assert!((Activation::Silu.value(x) - silu).abs() < 1e-12, "{x}");
            assert!(Activation::ALL.into_iter().all(|activation| activation.value(x).is_finite()), "{x}");
        }
        assert!(
            (Activation::Selu.value(-1.0) - 1.050_700_987_355_480_5 * 1.673_263_242_354_377_2 * (-1_f64).exp_m1())
                .abs()
                < 1e-15
        );
        assert_eq!(Activation::Selu.value(2.0), 2.0 * Activation::SELU_SCALE);
    }
}
