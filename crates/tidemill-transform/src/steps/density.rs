//! `density`: the density of a histogram.

use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params};
use tidemill_model::{Mapper, steps};

use super::Step;
use super::parse::schema;
use super::per_key::{NumberStep, fit_numbers};
use super::quantiles::check_buckets;
use crate::analyzer::Summary;
use crate::step::{Argument, StepEntry};

pub(super) const DENSITY: StepEntry = StepEntry {
    name: "density",
    about: "The density of a histogram of so many buckets.",
    argument: Argument::Optional(schema::<u32>),
    parse,
};

/// The density of a histogram.
#[derive(Debug, Clone, PartialEq)]
pub struct Density {
    /// How many buckets of equal width.
    pub buckets: u32,
}

fn parse(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    let buckets = if argument.is_null() { 100 } else { parse_params(argument)? };
    check_buckets(buckets)?;
    Ok(vec![Density { buckets }.into()])
}

impl NumberStep for Density {
    fn summary(&self) -> Summary {
        Summary::quantiles()
    }

    fn mapper(&self, summary: Summary) -> Option<(Mapper, bool)> {
        let Summary::Quantiles(quantiles) = summary else { return None };
        let sorted = quantiles.finish();
        let (min, max) = (sorted.at(0.0)?, sorted.at(1.0)?);
        let sample = sorted.sample();
        let buckets = f64::from(self.buckets);
        let (min, width) = if max > min { (min, (max - min) / buckets) } else { (min - 0.5, 1.0 / buckets) };
        let mut boundaries: Vec<f64> = (0..=self.buckets).map(|i| min + f64::from(i) * width).collect();
        boundaries.dedup();
        if boundaries.len() < 2 || !boundaries.is_sorted_by(|a, b| a < b) {
            return None;
        }
        let mut counts = vec![0_u64; boundaries.len() - 1];
        let last = counts.len() - 1;
        for value in &sample {
            let bucket = boundaries.partition_point(|boundary| boundary <= value).saturating_sub(1).min(last);
            counts[bucket] += 1;
        }
        let share =
            |(at, count): (usize, &u64)| *count as f64 / sample.len() as f64 / (boundaries[at + 1] - boundaries[at]);
        let densities = counts.iter().enumerate().map(share).collect();
        Some((steps::Density { boundaries, densities }.into(), false))
    }

    fn empty(&self) -> Mapper {
        steps::Density { boundaries: vec![0.0, 1.0], densities: vec![0.0] }.into()
    }
}

fit_numbers!(Density);
