//! Checking the label in every split.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use serde::Serialize;
use tidemill_model::{BoundLabel, LabelKind, LabelSpec};
use tidemill_validation::stored;

use crate::analyze::Merge;
use crate::error::TransformError;
use crate::leak::{Leak, LeakMeasure, LeakState};

/// What the label is like in one split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelSummary {
    /// The split.
    pub split: String,
    /// Its rows.
    pub rows: u64,
    /// Mean of the label; for a label of 0 and 1 the share of ones. NaN for a label of text.
    pub mean: f64,
    /// The label is 0 or 1 in every row.
    pub is_binary: bool,
}

/// How many standard deviations a difference of rates is beyond chance.
const DEVIATIONS: f64 = 5.0;
/// Differences of rates that are smaller are of no matter.
const RATE_MIN: f64 = 0.03;

/// For every split in which the share of positive labels differs from that of `train` by more than chance explains, a line.
pub(crate) fn differing_rates(labels: &[LabelSummary], name: &str, train: &str) -> Vec<String> {
    let binary = |summary: &&LabelSummary| summary.is_binary && summary.rows > 0;
    let Some(base) = labels.iter().find(|summary| summary.split == train).filter(binary) else { return Vec::new() };
    let others = labels.iter().filter(|summary| summary.split != train).filter(binary);
    let differing = others.filter(|other| {
        let (a, b) = (base.rows as f64, other.rows as f64);
        let pooled = (base.mean * a + other.mean * b) / (a + b);
        let chance = DEVIATIONS * (pooled * (1.0 - pooled) * (1.0 / a + 1.0 / b)).sqrt();
        (base.mean - other.mean).abs() > chance.max(RATE_MIN)
    });
    let line = |other: &LabelSummary| {
        format!(
            "label `{name}` is positive in {:.1} % of split `{train}` and {:.1} % of `{}`, more than chance explains",
            100.0 * base.mean,
            100.0 * other.mean,
            other.split
        )
    };
    differing.map(line).collect()
}

/// Looks at the label of every row of one split.
pub(crate) struct LabelCheck {
    name: String,
    split: String,
    bound: Option<BoundLabel>,
    spec: LabelSpec,
    seen: Seen,
    leaks: Option<LeakMeasure>,
}

/// What the labels of some rows are like.
#[derive(Debug, Clone)]
struct Seen {
    rows: u64,
    missing: u64,
    first_missing: u64,
    infinite: Option<(u64, f64)>,
    sum: f64,
    is_binary: bool,
    is_text: bool,
    range: Option<(f64, f64)>,
}

/// What a check saw of some rows.
#[derive(Debug, Clone)]
pub(crate) struct LabelState {
    seen: Seen,
    leaks: Vec<LeakState>,
}

stored!(Seen { rows, missing, first_missing, infinite, sum, is_binary, is_text, range });
stored!(LabelState { seen, leaks });

impl Seen {
    fn update(&mut self, value: Option<f64>) {
        match value {
            None => {
                if self.missing == 0 {
                    self.first_missing = self.rows;
                }
                self.missing += 1;
            }
            Some(value) if value.is_infinite() => self.infinite = self.infinite.or(Some((self.rows, value))),
            Some(value) => {
                self.sum += value;
                self.is_binary &= value == 0.0 || value == 1.0;
                self.range = Some(self.range.map_or((value, value), |(min, max)| (min.min(value), max.max(value))));
            }
        }
        self.rows += 1;
    }
}

impl Merge for Seen {
    fn merge(&mut self, other: Self) {
        if self.missing == 0 {
            self.first_missing = self.rows + other.first_missing;
        }
        self.infinite = self.infinite.or(other.infinite.map(|(row, value)| (self.rows + row, value)));
        self.rows += other.rows;
        self.missing += other.missing;
        self.sum += other.sum;
        self.is_binary &= other.is_binary;
        self.is_text |= other.is_text;
        self.range = match (self.range, other.range) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
    }
}

impl LabelCheck {
    pub(crate) fn new(spec: &LabelSpec, split: &str) -> Self {
        Self {
            name: spec.name.clone(),
            split: split.to_owned(),
            bound: None,
            spec: spec.clone(),
            seen: Seen {
                rows: 0,
                missing: 0,
                first_missing: 0,
                infinite: None,
                sum: 0.0,
                is_binary: true,
                is_text: false,
                range: None,
            },
            leaks: None,
        }
    }

    /// Measures columns against the label too.
    pub(crate) fn measuring(self, leaks: LeakMeasure) -> Self {
        Self { leaks: Some(leaks), ..self }
    }

    fn bound(&mut self, schema: &Schema) -> Result<&BoundLabel, TransformError> {
        Ok(match &mut self.bound {
            Some(bound) => bound,
            unbound => unbound.insert(self.spec.bind(schema)?),
        })
    }

    /// Takes in a batch.
    pub(crate) fn update(&mut self, batch: &RecordBatch) -> Result<(), TransformError> {
        let values = self.bound(batch.schema_ref())?.codes(batch)?;
        self.seen.is_text = self.bound(batch.schema_ref())?.kind() == LabelKind::Text;
        if let Some(leaks) = &mut self.leaks {
            leaks.update(batch, &values);
        }
        for value in values {
            self.seen.update(value);
        }
        Ok(())
    }

    /// What was seen, for [`absorb`](Self::absorb).
    pub(crate) fn state(&self) -> LabelState {
        let leaks = self.leaks.as_ref().map(LeakMeasure::state).unwrap_or_default();
        LabelState { seen: self.seen.clone(), leaks }
    }

    /// Takes in what another check of the same label saw of the rows that follow.
    pub(crate) fn absorb(&mut self, other: LabelState) {
        if let Some(measure) = &mut self.leaks {
            measure.absorb(other.leaks);
        }
        self.seen.merge(other.seen);
    }

    /// An error if the label is missing or infinite anywhere, or the same everywhere.
    pub(crate) fn check(&self) -> Result<(), TransformError> {
        let (label, split) = (self.name.clone(), self.split.clone());
        let Seen { rows, missing: count, first_missing: first_row, infinite, range, is_text, .. } = self.seen;
        if count > 0 {
            return Err(TransformError::LabelMissing { label, split, count, rows, first_row });
        }
        if let Some((row, value)) = infinite {
            return Err(TransformError::LabelValue { label, split, value, row });
        }
        if let Some((value, max)) = range
            && value == max
        {
            let value = if is_text { "the same text".to_owned() } else { value.to_string() };
            return Err(TransformError::LabelConstant { label, split, value, rows, values: Vec::new() });
        }
        Ok(())
    }

    /// What the label is like and how well columns predict it; an error as of [`check`](Self::check).
    pub(crate) fn finish(self) -> Result<(LabelSummary, Vec<Leak>), TransformError> {
        self.check()?;
        let Seen { rows, sum, is_binary, is_text, .. } = self.seen;
        let leaks = self.leaks.filter(|_| is_binary).map(LeakMeasure::finish).unwrap_or_default();
        let mean = if is_text { f64::NAN } else { sum / rows.max(1) as f64 };
        Ok((LabelSummary { split: self.split, rows, mean, is_binary }, leaks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_that_differ_by_chance_are_fine() {
        let of =
            |split: &str, rows: u64, mean: f64| LabelSummary { split: split.to_owned(), rows, mean, is_binary: true };
        let lines = |eval: LabelSummary| differing_rates(&[of("train", 3_000, 0.4), eval], "sick", "train");
        assert!(lines(of("eval", 1_000, 0.43)).is_empty());
        assert!(lines(of("eval", 20, 0.8)).is_empty());
        assert_eq!(
            lines(of("eval", 1_000, 0.1)),
            ["label `sick` is positive in 40.0 % of split `train` and 10.0 % of `eval`, more than chance explains"]
        );
    }
}
