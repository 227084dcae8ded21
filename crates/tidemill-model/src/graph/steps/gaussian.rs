//! `gaussian`: the inverse of Tukey's hh-transform.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill_core::TensorSpec;

use super::super::Stage;
use super::super::mapper::MapStep;
use super::super::run::{NumberOp, each_number};

/// The standard normal variable that a Tukey hh-distribution made x of (Headrick and Pant 2012): with
/// u = (x − location) / scale, sign(u) · √(W(h · u²) / h), where W is Lambert's function and h that of u's side; u itself
/// where h is 0. It undoes x = location + scale · z · exp(h · z² / 2).
///
/// Where the scale is 0 (a constant column) it is x − location; ±∞ stay.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gaussian {
    /// Where the distribution is centred.
    pub location: f64,
    /// How wide it is.
    pub scale: f64,
    /// How heavy its left tail is, from 0 to below 1.
    pub h_left: f64,
    /// How heavy its right tail is.
    pub h_right: f64,
}

impl MapStep for Gaussian {
    fn name(&self) -> &'static str {
        "gaussian"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        self.finite("location", self.location)?;
        self.finite("scale", self.scale)?;
        if self.scale < 0.0 {
            return Err("`scale` of `gaussian` is negative".to_owned());
        }
        if ![self.h_left, self.h_right].iter().all(|h| (0.0..1.0).contains(h)) {
            return Err("the tails of `gaussian` are not from 0 to below 1".to_owned());
        }
        self.of_numbers(stage)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { location, scale, h_left, h_right } = self;
        write!(f, " (location {location:.6}, scale {scale:.6}, tails {h_left:.4} and {h_right:.4})")
    }

    fn number_op(&self, _: &[TensorSpec]) -> Option<Box<dyn NumberOp>> {
        let gaussian = *self;
        each_number(move |x| gaussian.of(x))
    }
}

impl Gaussian {
    /// The z that x was made of; NaN stays.
    fn of(&self, x: f64) -> f64 {
        if self.scale == 0.0 {
            return x - self.location;
        }
        let u = (x - self.location) / self.scale;
        let h = if u < 0.0 { self.h_left } else { self.h_right };
        if h == 0.0 || u == 0.0 || !u.is_finite() {
            return u;
        }
        // z² · exp(h · z²) = u², so h · z² = W(h · u²).
        let squared = lambert_w(h * u * u) / h;
        if squared.is_finite() { squared.sqrt().copysign(u) } else { u }
    }
}

/// Lambert's W of y ≥ 0: the w with w · eʷ = y, by Halley's method (Corless et al. 1996, section 4).
///
/// The number of steps is fixed, so that the same y gives the same bits everywhere.
fn lambert_w(y: f64) -> f64 {
    // The start is below 0.6 off for any y; each step triples the correct digits.
    let mut w = y.ln_1p();
    if w > 1.0 {
        w -= w.ln() * (1.0 - 1.0 / (1.0 + w));
    }
    for _ in 0..6 {
        // Both sides divided by eʷ, which would overflow.
        let error = w - y * (-w).exp();
        w -= error / (w + 1.0 - (w + 2.0) * error / (2.0 * w + 2.0));
    }
    w
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_w_of_lambert_solves_its_equation() {
        // W(1) is the omega constant, W(e) is 1 (Corless et al. 1996).
        assert!((lambert_w(1.0) - 0.567_143_290_409_783_8).abs() < 1e-15);
        assert!((lambert_w(std::f64::consts::E) - 1.0).abs() < 1e-15);
        for exponent in -300..=300 {
            let y = 10f64.powi(exponent);
            let w = lambert_w(y);
            // In logarithms, for the product would overflow.
            assert!((w.ln() + w - y.ln()).abs() < 1e-12 * y.ln().abs().max(1.0), "{y}: {w}");
        }
        assert_eq!(lambert_w(0.0), 0.0);
    }

    #[test]
    fn it_undoes_the_transform() {
        let gaussian = Gaussian { location: 3.0, scale: 2.0, h_left: 0.1, h_right: 0.4 };
        for step in -40..=40 {
            let z = f64::from(step) / 10.0;
            let h = if z < 0.0 { 0.1 } else { 0.4 };
            let x = 3.0 + 2.0 * z * (h * z * z / 2.0).exp();
            assert!((gaussian.of(x) - z).abs() < 1e-12, "{z}");
        }
        assert!(gaussian.of(f64::NAN).is_nan());
        assert_eq!(gaussian.of(f64::INFINITY), f64::INFINITY);
        assert_eq!(Gaussian { scale: 0.0, ..gaussian }.of(4.0), 1.0);
    }
}
