//! One column of numbers into several.

use super::op::each;

/// One column of numbers into several.
#[derive(Debug)]
pub(super) enum Spread {
    /// A column for each code from `first`.
    OneHot {
        first: u32,
    },
    Cyclic {
        period: f64,
    },
}

impl Spread {
    /// `main` turns into the first column of what it is spread over.
    pub(super) fn run(&self, main: &mut [f64], others: &mut [Vec<f64>]) {
        match *self {
            Self::OneHot { first } => {
                for (at, other) in others.iter_mut().enumerate() {
                    let code = f64::from(first) + (at + 1) as f64;
                    for (other, value) in other.iter_mut().zip(&*main) {
                        *other = f64::from(u8::from(*value == code));
                    }
                }
                each(main, |x| f64::from(u8::from(x == f64::from(first))));
            }
            Self::Cyclic { period } => {
                let angle = |x: f64| x / period * std::f64::consts::TAU;
                if let Some(cosine) = others.first_mut() {
                    for (cosine, value) in cosine.iter_mut().zip(&*main) {
                        *cosine = angle(*value).cos();
                    }
                }
                each(main, |x| angle(x).sin());
            }
        }
    }
}
