//! Functions that make probabilities agree with how often things happen.

use super::bytes::{ByteReader, push_f64, push_u32};
use super::{Columns, logistic, softmax_columns};
use crate::trees::invalid;
use crate::{ModelError, Task};

/// A calibration of the probabilities of a model.
#[derive(Debug, Clone, PartialEq)]
pub enum Calibration {
    /// A curve for the one probability, or one for each class, whose results are divided by their sum.
    Curves(Vec<CalibrationCurve>),
    /// The softmax of the logarithms of the probabilities, each times this: 1 / the temperature.
    Temperature(f64),
}

/// A function from a probability to a probability. Probabilities are kept 2.2e-16 away from 0 and 1 before a logarithm.
#[derive(Debug, Clone, PartialEq)]
pub enum CalibrationCurve {
    /// The logistic function of `slope` times the log-odds plus `intercept` (Platt 1999, on the log-odds).
    Sigmoid {
        /// What log-odds are multiplied by.
        slope: f64,
        /// What is added.
        intercept: f64,
    },
    /// The logistic function of a ln p − b ln(1 − p) + c (Kull, Silva Filho and Flach 2017).
    Beta {
        /// The weight of ln p, from 0 on.
        a: f64,
        /// The weight of −ln(1 − p), from 0 on.
        b: f64,
        /// What is added.
        c: f64,
    },
    /// Steps that never fall, with lines between them: points by rising probability. Outside of them the nearest counts.
    Isotonic {
        /// Probabilities with what they become.
        points: Vec<[f64; 2]>,
    },
}

/// Away from 0 and 1, so that logarithms and quotients are finite.
fn inside(probability: f64) -> f64 {
    probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON)
}

impl CalibrationCurve {
    /// The calibrated probability.
    pub fn apply(&self, probability: f64) -> f64 {
        let logs = || (inside(probability).ln(), (1.0 - inside(probability)).ln());
        match self {
            Self::Sigmoid { slope, intercept } => {
                let (yes, no) = logs();
                logistic(slope * (yes - no) + intercept)
            }
            Self::Beta { a, b, c } => {
                let (yes, no) = logs();
                logistic(a * yes - b * no + c)
            }
            Self::Isotonic { points } => {
                let after = points.partition_point(|[at, _]| *at <= probability);
                match (after.checked_sub(1).and_then(|before| points.get(before)), points.get(after)) {
                    (Some([x0, y0]), Some([x1, y1])) => {
                        y0 + ((probability - x0) / (x1 - x0)).clamp(0.0, 1.0) * (y1 - y0)
                    }
                    (Some([_, only]), None) | (None, Some([_, only])) => *only,
                    (None, None) => probability,
                }
            }
        }
    }

    fn check(&self) -> Result<(), ModelError> {
        let fine = match self {
            Self::Sigmoid { slope, intercept } => slope.is_finite() && intercept.is_finite(),
            Self::Beta { a, b, c } => *a >= 0.0 && *b >= 0.0 && a.is_finite() && b.is_finite() && c.is_finite(),
            Self::Isotonic { points } => {
                let is_probability = |value: &f64| (0.0..=1.0).contains(value);
                let rises = |pair: &[[f64; 2]]| pair[0][0] < pair[1][0] && pair[0][1] <= pair[1][1];
                !points.is_empty() && points.iter().flatten().all(is_probability) && points.windows(2).all(rises)
            }
        };
        if fine { Ok(()) } else { Err(invalid("the numbers of a calibration curve do not make one")) }
    }
}

impl Calibration {
    /// Checks that it is one for `task`: there are curves for two classes and for several.
    pub(super) fn check(&self, task: &Task) -> Result<(), ModelError> {
        if !matches!(task, Task::Binary | Task::MultiClass { .. }) {
            return Err(invalid(format!("only probabilities of classes are calibrated, and the task is {task}")));
        }
        match self {
            Self::Temperature(inverse) if *inverse > 0.0 && inverse.is_finite() => Ok(()),
            Self::Temperature(inverse) => Err(invalid(format!("the inverse of a temperature is {inverse}"))),
            Self::Curves(curves) if curves.len() == task.columns() => {
                curves.iter().try_for_each(CalibrationCurve::check)
            }
            Self::Curves(curves) => {
                Err(invalid(format!("{} curves of calibration for {} probabilities", curves.len(), task.columns())))
            }
        }
    }

    /// Calibrates the predictions of rows: one column of probabilities, or one for each class.
    pub fn apply(&self, columns: &mut Columns) {
        match self {
            Self::Curves(curves) => {
                for (curve, column) in curves.iter().zip(columns.iter_mut()) {
                    column.iter_mut().for_each(|probability| *probability = curve.apply(*probability));
                }
                if columns.len() > 1 {
                    divide_by_sums(columns);
                }
            }
            Self::Temperature(inverse) if columns.len() == 1 => {
                let curve = CalibrationCurve::Sigmoid { slope: *inverse, intercept: 0.0 };
                columns[0].iter_mut().for_each(|probability| *probability = curve.apply(*probability));
            }
            Self::Temperature(inverse) => {
                let log = |probability: &mut f64| *probability = inverse * inside(*probability).ln();
                columns.iter_mut().flatten().for_each(log);
                softmax_columns(columns);
            }
        }
    }

    /// How log-odds change, where they change by a factor and a sum: those of one probability.
    pub(super) fn on_log_odds(&self) -> Option<(f64, f64)> {
        match self {
            Self::Temperature(inverse) => Some((*inverse, 0.0)),
            Self::Curves(curves) => match curves.as_slice() {
                [CalibrationCurve::Sigmoid { slope, intercept }] => Some((*slope, *intercept)),
                _ => None,
            },
        }
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        let Self::Curves(curves) = self else {
            if let Self::Temperature(inverse) = self {
                push_u32(bytes, 0);
                push_f64(bytes, *inverse);
            }
            return;
        };
        push_u32(bytes, curves.len() as u32);
        for curve in curves {
            let (kind, numbers): (u32, Vec<f64>) = match curve {
                CalibrationCurve::Sigmoid { slope, intercept } => (0, vec![*slope, *intercept]),
                CalibrationCurve::Beta { a, b, c } => (1, vec![*a, *b, *c]),
                CalibrationCurve::Isotonic { points } => (2, points.iter().flatten().copied().collect()),
            };
            push_u32(bytes, kind);
            push_u32(bytes, numbers.len() as u32);
            numbers.into_iter().for_each(|number| push_f64(bytes, number));
        }
    }

    pub(super) fn decode(reader: &mut ByteReader<'_>) -> Result<Self, ModelError> {
        let count = reader.count(8)?;
        if count == 0 {
            return Ok(Self::Temperature(reader.f64()?));
        }
        let curve = |_| {
            let kind = reader.u32()?;
            let count = reader.count(8)?;
            let numbers = (0..count).map(|_| reader.f64()).collect::<Result<Vec<f64>, _>>()?;
            match (kind, numbers.as_slice()) {
                (0, [slope, intercept]) => Ok(CalibrationCurve::Sigmoid { slope: *slope, intercept: *intercept }),
                (1, [a, b, c]) => Ok(CalibrationCurve::Beta { a: *a, b: *b, c: *c }),
                (2, numbers) if numbers.len().is_multiple_of(2) => Ok(CalibrationCurve::Isotonic {
                    points: numbers.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect(),
                }),
                _ => Err(invalid(format!("a calibration curve of the kind {kind} with {count} numbers"))),
            }
        };
        (0..count).map(curve).collect::<Result<_, _>>().map(Self::Curves)
    }
}

/// Divides the numbers of each row by their sum; where that is 0, all are equal.
fn divide_by_sums(columns: &mut Columns) {
    let equal = 1.0 / columns.len() as f64;
    for row in 0..columns.first().map_or(0, Vec::len) {
        let sum: f64 = columns.iter().map(|column| column[row]).sum();
        for column in columns.iter_mut() {
            column[row] = if sum > 0.0 { column[row] / sum } else { equal };
        }
    }
}
