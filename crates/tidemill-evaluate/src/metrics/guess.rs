//! What guessing is worth: the floor under every model.

use tidemill_core::TaskKind;

use crate::evaluation::Evaluation;

use super::{Direction, Metric};

/// The value of `metric` on all rows for the best prediction that is the same for every row: the share of positives, the
/// shares of the classes, the mean. `None` where it has none, or where what it needs is not known.
pub fn guess(evaluation: &Evaluation, metric: Metric) -> Option<f64> {
    let overall = &evaluation.overall()?.metrics;
    if matches!(evaluation.task.kind(), TaskKind::MultiLabel | TaskKind::Ranking) {
        // A constant orders nothing; of a ranking, what that is worth depends on the queries.
        return matches!(metric, Metric::Auc | Metric::AucMicro).then_some(0.5);
    }
    if let Some(classes) = &evaluation.classes {
        let total: f64 = classes.iter().map(|class| class.rows).sum();
        let shares = || classes.iter().map(|class| class.rows / total).filter(|share| *share > 0.0);
        return match metric {
            Metric::Auc => Some(0.5),
            Metric::Accuracy => shares().reduce(f64::max),
            Metric::BalancedAccuracy => Some(1.0 / classes.len() as f64),
            Metric::LogLoss => Some(-shares().map(|share| share * share.ln()).sum::<f64>()),
            _ => None,
        };
    }
    let share = overall.get(Metric::LabelMean);
    match metric {
        Metric::Auc => Some(0.5),
        Metric::PrAuc => share,
        Metric::Accuracy => share.map(|share| share.max(1.0 - share)),
        Metric::LogLoss => share.map(|share| {
            let term = |share: f64| if share > 0.0 { -share * share.ln() } else { 0.0 };
            term(share) + term(1.0 - share)
        }),
        Metric::Brier => share.map(|share| share * (1.0 - share)),
        Metric::Mcc | Metric::R2 => Some(0.0),
        // What is left of the variance is known from the share that is explained.
        Metric::Mse => Some(overall.get(Metric::Mse)? / (1.0 - overall.get(Metric::R2).filter(|r2| *r2 < 1.0)?)),
        Metric::Rmse => guess(evaluation, Metric::Mse).map(f64::sqrt),
        _ => None,
    }
}

/// Whether a model is not better than guessing by the metric of its headline, with both values.
pub fn no_better_than_guessing(evaluation: &Evaluation) -> Option<(Metric, f64, f64)> {
    let metric = Metric::headline(evaluation.task.kind());
    let value = evaluation.overall()?.metrics.get(metric)?;
    let guess = guess(evaluation, metric)?;
    let is_better = match metric.direction() {
        Direction::Higher => value > guess,
        Direction::Lower => value < guess,
        _ => true,
    };
    (!is_better).then_some((metric, value, guess))
}
