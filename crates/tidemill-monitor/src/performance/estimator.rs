//! What is learnt from reference rows with labels, to estimate performance without.

use serde::{Deserialize, Serialize};

use super::{Calibration, LossModel, Measures, Task, realised};

/// Rows below which nothing is learnt.
const ROWS_MIN: usize = 100;
/// Bins of probabilities: the rows of a bin count as ties in the area under the ROC curve.
const PROBABILITY_BINS: usize = 200;

/// How the performance of rows without labels is estimated.
///
/// It is right as long as the label depends on the inputs as it did in the reference. It cannot see that this changes
/// (concept drift): only labels can.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Estimator {
    /// Calibrated probabilities.
    Classes {
        /// The least probability that is called positive.
        threshold: f64,
        /// The calibration, where the model needs one.
        calibration: Option<Calibration>,
        /// Rising upper ends of the bins of calibrated probabilities.
        edges: Vec<f64>,
        /// The metrics of the reference itself.
        reference: Measures,
        /// Its rows.
        rows: u64,
    },
    /// A model of the error.
    Losses {
        /// It.
        model: LossModel,
        /// The metrics of the reference itself.
        reference: Measures,
        /// Its rows.
        rows: u64,
    },
}

impl Estimator {
    /// Learns from pairs of answer and label, and by column the cell that each row is in, of `counts` cells. `None` if the
    /// rows are too few.
    pub fn fit(task: Task, pairs: &[(f64, f64)], cells: &[Vec<u16>], counts: &[usize]) -> Option<Self> {
        if pairs.len() < ROWS_MIN {
            return None;
        }
        let (reference, rows) = (realised(task, pairs), pairs.len() as u64);
        Some(match task {
            Task::Binary { threshold } => {
                let calibration = Calibration::if_needed(pairs);
                let apply = |p: f64| calibration.as_ref().map_or(p, |curve| curve.apply(p));
                let edges = edges(pairs.iter().map(|(p, _)| apply(*p)).collect(), PROBABILITY_BINS);
                Self::Classes { threshold, calibration, edges, reference, rows }
            }
            Task::Regression => {
                let losses: Vec<f64> = pairs.iter().map(|(answer, label)| (answer - label).abs()).collect();
                Self::Losses { model: LossModel::fit(cells, counts, &losses), reference, rows }
            }
        })
    }

    /// The metrics of the reference.
    pub const fn reference(&self) -> &Measures {
        match self {
            Self::Classes { reference, .. } | Self::Losses { reference, .. } => reference,
        }
    }

    /// The task.
    pub const fn task(&self) -> Task {
        match self {
            Self::Classes { threshold, .. } => Task::Binary { threshold: *threshold },
            Self::Losses { .. } => Task::Regression,
        }
    }
}

/// Upper ends of bins with about as many of these values each.
fn edges(mut values: Vec<f64>, bins: usize) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let mut edges: Vec<f64> =
        (1..=bins).filter_map(|bin| values.get((values.len() * bin / bins).max(1) - 1).copied()).collect();
    edges.dedup();
    edges
}
