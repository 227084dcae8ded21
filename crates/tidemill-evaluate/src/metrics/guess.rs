//! What guessing is worth: the floor under every model.

use tidemill_core::TaskKind;

use super::{Direction, Metric, Metrics, Row, Rows};
use crate::evaluation::Evaluation;

/// What guessing is worth by the metrics whose best constant does not follow from other metrics: the median for the mean
/// absolute error, and for the relative one the median by weights of 1 / |label|. `None` if the task has no such metrics.
pub(crate) fn floors<R: Rows>(task: TaskKind, rows: &R) -> Option<Metrics> {
    if task != TaskKind::Regression {
        return None;
    }
    let all = || (0..rows.len()).map(|position| rows.row(position)).filter(|row| row.weight > 0.0);
    let mut metrics = Metrics::default();
    metrics.set(Metric::Mae, least_absolute_error(all().collect()));
    let relative = |row: Row| Row { weight: row.weight / row.label.abs(), ..row };
    let with_label: Vec<Row> = all().filter(|row| row.label != 0.0).collect();
    let weight: f64 = with_label.iter().map(|row| row.weight).sum();
    let sum: f64 = with_label.iter().map(|row| row.weight / row.label.abs()).sum();
    let least = least_absolute_error(with_label.into_iter().map(relative).collect());
    // The mean by these weights, as a mean by those of the rows.
    metrics.set(Metric::Mape, least.map(|least| least * sum / weight));
    Some(metrics)
}

/// The mean absolute difference of the labels from their weighted median.
fn least_absolute_error(mut rows: Vec<Row>) -> Option<f64> {
    rows.sort_by(|a, b| a.label.total_cmp(&b.label).then(a.weight.total_cmp(&b.weight)));
    let total: f64 = rows.iter().map(|row| row.weight).sum();
    let mut below = 0.0;
    let median = rows.iter().find(|row| {
        below += row.weight;
        below >= total / 2.0
    })?;
    Some(rows.iter().map(|row| row.weight * (row.label - median.label).abs()).sum::<f64>() / total)
}

/// The value of `metric` on all rows for the best prediction that is the same for every row: the share of positives, the
/// shares of the classes, the mean, the median. `None` where it has none, or where what it needs is not known.
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
        Metric::Mae | Metric::Mape => evaluation.floors.as_ref()?.get(metric),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Ordered;

    #[test]
    fn no_constant_has_a_smaller_absolute_error() {
        let labels = [1.0, 2.0, 4.0, 8.0, 100.0, 0.0, -3.0];
        let weights = [1.0, 0.5, 2.0, 1.0, 3.0, 1.0, 0.0];
        for weights in [None, Some(weights.as_slice())] {
            let rows = Ordered::new(&[0.0; 7], &labels, weights);
            let floors = floors(TaskKind::Regression, &rows).unwrap();
            for (metric, is_relative) in [(Metric::Mae, false), (Metric::Mape, true)] {
                let floor = floors.get(metric).unwrap();
                let error = |guess: f64| {
                    let (mut sum, mut total) = (0.0, 0.0);
                    for (at, label) in labels.iter().enumerate().filter(|(_, label)| !is_relative || **label != 0.0) {
                        let weight = weights.map_or(1.0, |weights| weights[at]);
                        sum += weight * (guess - label).abs() / if is_relative { label.abs() } else { 1.0 };
                        total += weight;
                    }
                    sum / total
                };
                let least = (-400..4000).map(|step| error(f64::from(step) / 40.0)).fold(f64::INFINITY, f64::min);
                assert!((least - floor).abs() < 1e-12, "{metric}: {least} {floor}");
            }
        }
        assert!(floors(TaskKind::Binary, &Ordered::new(&[0.5], &[1.0], None)).is_none());
    }
}
