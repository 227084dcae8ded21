//! Performance where labels are known.

use tidemill_core::RocArea;

use super::values::{Confusion, area, inside, mean};
use super::{Measure, Measures, Task};

/// The metrics of pairs of answer and label; empty without pairs.
pub fn realised(task: Task, pairs: &[(f64, f64)]) -> Measures {
    let mut out = Measures::new();
    let rows = pairs.len() as f64;
    if pairs.is_empty() {
        return out;
    }
    match task {
        Task::Binary { threshold } => {
            let mut sums = Confusion { rows, ..Confusion::default() };
            for (p, label) in pairs {
                match (*p >= threshold, *label > 0.5) {
                    (true, true) => sums.true_positives += 1.0,
                    (true, false) => sums.false_positives += 1.0,
                    (false, true) => sums.false_negatives += 1.0,
                    (false, false) => {}
                }
            }
            // Sampling errors of binomial counts among the rows that are called positive, and among the others.
            let called = sums.true_positives + sums.false_positives;
            let binomial = |hits: f64, of: f64| if of > 0.0 { hits * (of - hits) / of } else { 0.0 };
            sums.variances = [binomial(sums.true_positives, called), binomial(sums.false_negatives, rows - called)];
            sums.measures(&mut out);
            let scores: Vec<f64> = pairs.iter().map(|(p, _)| *p).collect();
            let positives = pairs.iter().filter(|(_, label)| *label > 0.5).count() as f64;
            if let Some(value) = RocArea::of(&scores, |row| pairs[row].1 > 0.5) {
                out.insert("roc_auc".to_owned(), area(value, positives, rows - positives));
            }
            let brier = pairs.iter().map(|(p, label)| (p - label).powi(2));
            out.insert("brier".to_owned(), of_losses(brier));
            let log =
                pairs.iter().map(|(p, label)| if *label > 0.5 { -inside(*p).ln() } else { -(1.0 - inside(*p)).ln() });
            out.insert("log_loss".to_owned(), of_losses(log));
        }
        Task::Regression => {
            out.insert("mae".to_owned(), of_losses(pairs.iter().map(|(p, label)| (p - label).abs())));
            let Measure { value, band } = of_losses(pairs.iter().map(|(p, label)| (p - label).powi(2)));
            let root = value.sqrt();
            out.insert(
                "rmse".to_owned(),
                Measure { value: root, band: if root > 0.0 { band / (2.0 * root) } else { 0.0 } },
            );
        }
    }
    out
}

/// The mean of losses with three standard errors.
fn of_losses(losses: impl Iterator<Item = f64> + Clone) -> Measure {
    let rows = losses.clone().count() as f64;
    let sum: f64 = losses.clone().sum();
    let spread: f64 = losses.map(|loss| (loss - sum / rows).powi(2)).sum();
    mean(sum, spread, rows)
}
