//! Calibration of probabilities: curves fitted on rows that a model has not learned from.
//!
//! The formulas are those of scikit-learn's `CalibratedClassifierCV` (`sigmoid`, `isotonic`, `temperature`) and of Kull, Silva
//! Filho and Flach (2017) for `beta`. Several classes have a curve each, of the class against the rest.

mod isotonic;
mod logistic;
mod quality;
mod temperature;

use serde::{Deserialize, Serialize};
use tidemill_model::{Calibration, CalibrationCurve};

pub use quality::Quality;

use isotonic::isotonic;
use logistic::{beta, platt};
use temperature::temperature;

/// How probabilities are calibrated on the validation rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A logistic function of the log-odds (Platt): two numbers, for few rows.
    #[serde(alias = "sigmoid")]
    Platt,
    /// Steps that never fall, with lines between them: any shape, for 1,000 rows and more.
    Isotonic,
    /// A beta curve: three numbers, and the identity is among its shapes.
    Beta,
    /// One number that divides all scores: the order of the classes of a row stays the same.
    Temperature,
}

impl Method {
    /// The name in the pipeline file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Platt => "platt",
            Self::Isotonic => "isotonic",
            Self::Beta => "beta",
            Self::Temperature => "temperature",
        }
    }

    /// Fits the calibration of `columns`: one column of probabilities of the label 1, or one for each class of labels 0, 1, 2
    /// and so on. `weights` say what rows count for.
    pub fn fit(self, columns: &[Vec<f64>], labels: &[f64], weights: Option<&[f64]>) -> Calibration {
        if self == Self::Temperature {
            return Calibration::Temperature(temperature(columns, labels, weights));
        }
        let curve = |(class, column): (usize, &Vec<f64>)| {
            let positive = if columns.len() == 1 { 1.0 } else { class as f64 };
            let is_class: Vec<f64> = labels.iter().map(|label| f64::from(u8::from(*label == positive))).collect();
            let rows = Rows { probabilities: column, labels: &is_class, weights };
            match self {
                Self::Isotonic => CalibrationCurve::Isotonic { points: isotonic(&rows) },
                Self::Beta => beta(&rows),
                Self::Platt | Self::Temperature => platt(&rows),
            }
        };
        Calibration::Curves(columns.iter().enumerate().map(curve).collect())
    }
}

/// Probabilities, labels 0 and 1, and what rows count for.
struct Rows<'a> {
    probabilities: &'a [f64],
    labels: &'a [f64],
    weights: Option<&'a [f64]>,
}

impl Rows<'_> {
    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }
}

/// A probability that has a logarithm.
fn inside(probability: f64) -> f64 {
    probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON)
}

#[cfg(test)]
mod tests;
