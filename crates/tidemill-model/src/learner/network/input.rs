//! How a feature enters a network.

use super::periodic::Periodic;
use crate::trees::invalid;
use crate::{FeatureKind, ModelError};

/// How a feature becomes inputs of the first layer.
#[derive(Debug, Clone, PartialEq)]
pub enum NetworkInput {
    /// z / √(1 + (z / 3)²), where z is the number less `centre`, times `factor`. A missing number counts as the centre.
    Number {
        /// The median of the training rows.
        centre: f64,
        /// 1 over the distance of the quartiles.
        factor: f64,
        /// Learned waves of the number, after it.
        periodic: Option<Periodic>,
        /// A last input is 1 where the number is missing.
        indicator: bool,
    },
    /// An input for each category, 1 for the row's and 0 for the others; all 0 for a missing or unknown one.
    OneHot {
        /// How many categories there are.
        categories: u32,
    },
    /// A vector for each category, and a last one for missing and unknown ones.
    Embedding {
        /// The length of each vector.
        width: u32,
        /// The vectors, one after the other.
        table: Vec<f32>,
    },
}

/// The category of a value among `count`; `None` for a missing or unknown one.
#[inline]
pub(super) fn category(value: f64, count: u32) -> Option<u32> {
    let code = value as u32;
    (f64::from(code) == value && code < count).then_some(code)
}

impl NetworkInput {
    /// Standardised numbers are cut off here before they are squared; the smooth clip is flat long before.
    pub const NUMBER_MAX: f64 = 1e9;
    /// Where the smooth clip levels off.
    pub const CLIP: f64 = 3.0;

    /// How many inputs the feature becomes.
    pub fn width(&self) -> usize {
        match self {
            Self::Number { periodic, indicator, .. } => {
                1 + periodic.as_ref().map_or(0, Periodic::width) + usize::from(*indicator)
            }
            Self::OneHot { categories } => *categories as usize,
            Self::Embedding { width, .. } => *width as usize,
        }
    }

    /// The standardised and smoothly clipped number; 0 for a missing one.
    #[inline]
    pub fn number(centre: f64, factor: f64, value: f64) -> f64 {
        if value.is_nan() {
            return 0.0;
        }
        let z = ((value - centre) * factor).clamp(-Self::NUMBER_MAX, Self::NUMBER_MAX);
        let share = z / Self::CLIP;
        z / (1.0 + share * share).sqrt()
    }

    /// Writes the inputs for `value` to `out`, which is [`width`](Self::width) long.
    pub(super) fn write(&self, value: f64, out: &mut [f64]) {
        match self {
            Self::Number { centre, factor, periodic, indicator } => {
                out[0] = Self::number(*centre, *factor, value);
                if let Some(periodic) = periodic {
                    let z = out[0];
                    periodic.write(z, &mut out[1..=periodic.width()]);
                }
                if let Some(out) = out.last_mut().filter(|_| *indicator) {
                    *out = f64::from(u8::from(value.is_nan()));
                }
            }
            Self::OneHot { categories } => {
                out.fill(0.0);
                if let Some(code) = category(value, *categories) {
                    out[code as usize] = 1.0;
                }
            }
            Self::Embedding { width, table } => {
                let width = *width as usize;
                let others = (table.len() / width.max(1)).saturating_sub(1);
                let code = category(value, others as u32).map_or(others, |code| code as usize);
                for (out, weight) in out.iter_mut().zip(&table[code * width..]) {
                    *out = f64::from(*weight);
                }
            }
        }
    }

    /// An error if the parts do not match.
    pub(super) fn check(&self) -> Result<(), ModelError> {
        let fine = match self {
            Self::Number { centre, factor, periodic, .. } => {
                periodic.as_ref().map_or(Ok(()), Periodic::check)?;
                centre.is_finite() && factor.is_finite()
            }
            Self::OneHot { categories } => *categories > 0,
            Self::Embedding { width, table } => {
                let rows = table.len() / (*width).max(1) as usize;
                *width > 0
                    && rows > 0
                    && rows * *width as usize == table.len()
                    && table.iter().all(|weight| weight.is_finite())
            }
        };
        if fine { Ok(()) } else { Err(invalid("an input of the network does not fit")) }
    }

    /// Whether a feature of this kind can enter so.
    pub fn fits(&self, kind: FeatureKind) -> bool {
        matches!((self, kind), (Self::Number { .. }, FeatureKind::Numeric))
            || matches!((self, kind), (Self::OneHot { .. } | Self::Embedding { .. }, FeatureKind::Categorical { .. }))
    }
}
