//! `cyclic`: sine and cosine over a period.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::mapper::MapStep;
use super::super::run::{Expander, each};
use super::super::{Mapper, Stage};

/// The sine and the cosine of 2π · x / period. A missing value and ±∞ are missing in both columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cyclic {
    /// How long it takes to start over; above 0.
    pub period: f64,
}

impl MapStep for Cyclic {
    fn name(&self) -> &'static str {
        "cyclic"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        self.finite("period", self.period)?;
        if self.period <= 0.0 {
            return Err("`period` of `cyclic` is not above 0".to_owned());
        }
        self.of_numbers(stage).map(|_| Stage::Columns)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " of {}", self.period)
    }

    fn columns(&self, feature: &str, _: &[Mapper], _: Stage) -> Option<Vec<String>> {
        Some(vec![format!("{feature}.sin"), format!("{feature}.cos")])
    }

    fn expander(&self, _: &[Mapper]) -> Option<Box<dyn Expander>> {
        Some(Box::new(self.clone()))
    }
}

impl Expander for Cyclic {
    fn run(&self, main: &mut [f64], others: &mut [Vec<f64>]) {
        let angle = |x: f64| x / self.period * std::f64::consts::TAU;
        if let Some(cosine) = others.first_mut() {
            for (cosine, value) in cosine.iter_mut().zip(&*main) {
                *cosine = angle(*value).cos();
            }
        }
        each(main, |x| angle(x).sin());
    }
}
