//! What is learnt from reference rows with labels, to estimate performance without.

use serde::{Deserialize, Serialize};

use super::{Calibration, Measures, Task, realised};

/// Rows below which nothing is learnt.
const ROWS_MIN: usize = 100;
/// Bins of probabilities: the rows of a bin count as ties in the area under the ROC curve.
const PROBABILITY_BINS: usize = 200;
/// Bins of answers, each with its expected loss.
const LOSS_BINS: usize = 20;

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
    /// The loss that the reference had where the model answered about the same.
    Losses {
        /// Rising upper ends of the bins of answers.
        edges: Vec<f64>,
        /// By bin: mean absolute and squared error, and their variances.
        bins: Vec<[f64; 4]>,
        /// The metrics of the reference itself.
        reference: Measures,
        /// Its rows.
        rows: u64,
    },
}

impl Estimator {
    /// Learns from pairs of answer and label; `None` if they are too few.
    pub fn fit(task: Task, pairs: &[(f64, f64)]) -> Option<Self> {
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
                let edges = edges(pairs.iter().map(|(answer, _)| *answer).collect(), LOSS_BINS);
                let mut of_bins: Vec<Vec<f64>> = vec![Vec::new(); edges.len() + 1];
                for (answer, label) in pairs {
                    of_bins[edges.partition_point(|edge| edge < answer)].push((answer - label).abs());
                }
                // Above the last edge there is no row of the reference: the nearest bin speaks for it.
                if let [.., before, last] = of_bins.as_mut_slice()
                    && last.is_empty()
                {
                    last.clone_from(before);
                }
                let bins = of_bins.iter().map(|losses| {
                    let n = losses.len().max(1) as f64;
                    let mean = |power: i32| losses.iter().map(|loss| loss.powi(power)).sum::<f64>() / n;
                    let (first, second, fourth) = (mean(1), mean(2), mean(4));
                    [first, second, (second - first * first).max(0.0), (fourth - second * second).max(0.0)]
                });
                Self::Losses { bins: bins.collect(), edges, reference, rows }
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
