//! Pairs of features, as the page's script reads them.

use serde::Serialize;
use tidemill_core::{CrossStatistics, shortened};

/// Correlations as a triangle, and lifts.
#[derive(Debug, Serialize)]
pub(super) struct PairsData<'a> {
    /// Features of the matrix.
    pub names: Vec<&'a str>,
    /// For each pair in lexicographic order: the correlation, and the examples that have both.
    pub r: Vec<(Option<f64>, u64)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lifts: Vec<LiftData<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct LiftData<'a> {
    pub feature: &'a str,
    pub label: &'a str,
    pub bits: f64,
    pub labels: Vec<(String, u64)>,
    /// Value, examples, and for each value of the label the lift.
    pub values: Vec<(String, u64, Vec<f64>)>,
}

impl<'a> PairsData<'a> {
    /// The pairs, if there are any.
    pub fn new(cross: &'a CrossStatistics) -> Option<Self> {
        if cross.numeric.is_empty() && cross.lift.is_empty() {
            return None;
        }
        let mut names: Vec<&str> = Vec::new();
        for pair in &cross.numeric {
            for name in [pair.x.as_str(), pair.y.as_str()] {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        let short = |x: f64| (x * 10_000.0).round() / 10_000.0;
        let mut lifts: Vec<LiftData<'a>> = cross
            .lift
            .iter()
            .map(|lift| LiftData {
                feature: &lift.feature,
                label: &lift.label,
                bits: short(lift.mutual_information),
                labels: lift.label_values.iter().map(|label| (shortened(&label.value), label.count)).collect(),
                values: lift
                    .values
                    .iter()
                    .map(|value| {
                        let lifts = value.lift.iter().map(|lift| short(*lift)).collect();
                        (shortened(&value.value), value.count, lifts)
                    })
                    .collect(),
            })
            .collect();
        lifts.sort_by(|a, b| b.bits.total_cmp(&a.bits));
        let r = cross.numeric.iter().map(|pair| (pair.correlation.map(short), pair.count)).collect();
        Some(Self { names, r, lifts })
    }
}
