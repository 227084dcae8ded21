//! The inverse of Tukey's hh-transform.

/// Undoes x = location + scale · z · exp(h · z² / 2), where h is that of z's side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gaussian {
    pub(super) location: f64,
    pub(super) scale: f64,
    pub(super) h_left: f64,
    pub(super) h_right: f64,
}

impl Gaussian {
    /// The z that x was made of; NaN stays.
    pub(super) fn of(&self, x: f64) -> f64 {
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
