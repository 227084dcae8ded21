//! What is being minimised.

mod classes;
mod ranking;
mod regression;

use tidemill_model::trees::Link;

use super::StopMetric;

pub use classes::{LogLoss, OneVsAll, Softmax};
pub use ranking::{LambdaOptions, LambdaRank, XeNdcg};
pub(crate) use regression::quantile;
pub use regression::{
    AbsoluteError, Fair, Gamma, Huber, PercentageError, Poisson, Quantile, Quantiles, SquaredError, Tweedie,
};

/// First and second derivative of the loss with respect to a score, for one row.
pub type Gradient = [f32; 2];

/// Leaf values for a loss whose second derivatives say nothing: a quantile of the residuals of a leaf's rows.
#[derive(Debug, Clone, Copy)]
pub struct Renewal {
    /// Which quantile.
    pub level: f64,
    /// What a row counts for, by its label.
    pub weight: fn(f64) -> f64,
}

/// A rule for labels, and the same in words.
pub type LabelRule = (fn(f64) -> bool, &'static str);

/// A loss that trees can be fitted to, of one score a row or of several.
///
/// Methods get columns of consecutive rows: one of `scores` and one of `out` for each score, all as long as `labels`.
pub trait Objective: Send + Sync {
    /// What a prediction is of a score.
    fn link(&self) -> Link {
        Link::Identity
    }

    /// What [`metric`](Self::metric) is called: `log-loss`.
    fn metric_name(&self) -> &'static str;

    /// What labels must be, beside finite.
    fn label_rule(&self) -> Option<LabelRule> {
        None
    }

    /// The constant scores with the smallest loss over the labels, whose weights are all 1 where there are none.
    fn base_scores(&self, labels: &[f64], weights: Option<&[f64]>) -> Vec<f64>;

    /// The derivatives at `scores`. A loss of [lists](Self::list) has none of single rows.
    fn gradients(&self, _scores: &[&[f64]], _labels: &[f64], _out: &mut [&mut [Gradient]]) {}

    /// The loss of one row. A loss of [lists](Self::list) has none.
    fn loss(&self, _scores: &[f64], _label: f64) -> f64 {
        f64::NAN
    }

    /// The loss of lists of rows, where the derivatives of a row depend on others. It has one score, and a
    /// [`stop_metric`](Self::stop_metric) in place of the mean loss.
    fn list(&self) -> Option<&dyn ListLoss> {
        None
    }

    /// The metric that rounds are judged by unless the parameters name one, where it is not the mean loss.
    fn stop_metric(&self) -> Option<StopMetric> {
        None
    }

    /// The figure reported for a mean loss; grows with it.
    fn metric(&self, mean_loss: f64) -> f64 {
        mean_loss
    }

    /// The largest value of a leaf before the learning rate, where steps by derivatives overshoot. A step from a probability near
    /// 0 is one over it, and far longer than the way to the best value of a leaf in which few rows are of the class: without
    /// a limit, rare classes make training diverge.
    fn leaf_limit(&self) -> Option<f64> {
        None
    }

    /// How leaf values of the trees of a score are found, where not by derivatives.
    fn renewal(&self, _score: usize) -> Option<Renewal> {
        None
    }
}

/// A loss of lists of rows.
pub trait ListLoss {
    /// The derivatives of all rows at `scores`. `draw` is another number in every round, for what is drawn.
    fn list_gradients(&self, scores: &[f64], labels: &[f64], draw: u64, out: &mut [Gradient]);
}

/// The weighted mean of labels.
fn mean(labels: &[f64], weights: Option<&[f64]>) -> f64 {
    // Values are scaled down first: a sum of large labels must not overflow.
    let total = weights.map_or(labels.len() as f64, |weights| weights.iter().sum());
    let weight = |at: usize| weights.map_or(1.0, |weights| weights[at]);
    labels.iter().enumerate().map(|(at, label)| label * (weight(at) / total)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The derivatives must be those of the loss, by central differences; second ones times `factor`.
    fn check(objective: &dyn Objective, others: &[f64], label: f64, factor: f64) {
        for score in [-8.0, -1.0, 0.0, 0.3, 5.0] {
            let step = 1e-4;
            let row = |score: f64| [&[score], others].concat();
            let at = |score| objective.loss(&row(score), label);
            let first = (at(score + step) - at(score - step)) / (2.0 * step);
            let second = factor * (at(score + step) - 2.0 * at(score) + at(score - step)) / (step * step);
            let (scores, mut out) = (row(score), vec![[[0.0; 2]; 1]; 1 + others.len()]);
            let columns: Vec<&[f64]> = scores.iter().map(std::slice::from_ref).collect();
            let mut outs: Vec<&mut [Gradient]> = out.iter_mut().map(|out| &mut out[..]).collect();
            objective.gradients(&columns, &[label], &mut outs);
            assert!((f64::from(out[0][0][0]) - first).abs() < 1e-6 * first.abs().max(1.0), "{score}: {out:?} {first}");
            assert!(
                (f64::from(out[0][0][1]) - second).abs() < 1e-4 * second.abs().max(1.0),
                "{score}: {out:?} {second}"
            );
        }
    }

    #[test]
    fn gradients_are_derivatives_of_the_loss() {
        check(&LogLoss, &[], 0.0, 1.0);
        check(&LogLoss, &[], 1.0, 1.0);
        check(&SquaredError, &[], 2.5, 1.0);
        for label in [0.0, 1.0, 2.0] {
            check(&Softmax::new(3), &[0.5, -1.0], label, 1.5);
        }
    }

    #[test]
    fn gradients_of_amounts_are_derivatives_too() {
        for label in [0.0, 2.5] {
            check(&Huber { delta: 100.0 }, &[], label, 1.0);
            check(&Fair { c: 2.0 }, &[], label, 1.0);
            check(&Tweedie { variance_power: 1.5 }, &[], label, 1.0);
            check(&Poisson { max_delta_step: 0.0 }, &[], label, 1.0);
        }
        check(&Gamma, &[], 2.5, 1.0);
        // Of these only the first derivative is one; the leaf values come from residuals.
        let first = |objective: &dyn Objective, score: f64, label: f64| {
            let mut out = [[0.0; 2]];
            objective.gradients(&[&[score]], &[label], &mut [&mut out]);
            f64::from(out[0][0])
        };
        for (objective, score, label) in [
            (&AbsoluteError as &dyn Objective, 3.0, 1.0),
            (&Quantile { level: 0.25 }, 3.0, 1.0),
            (&Quantile { level: 0.25 }, -3.0, 1.0),
            (&PercentageError, 3.0, 10.0),
        ] {
            let slope = (objective.loss(&[score + 1e-4], label) - objective.loss(&[score - 1e-4], label)) / 2e-4;
            assert!((first(objective, score, label) - slope).abs() < 1e-6, "{score} {label}");
        }
    }

    #[test]
    fn gradients_of_each_score_are_derivatives_of_its_loss() {
        // The labels {0, 2} of three; the mean over three labels has a third of each derivative.
        let objective = OneVsAll::of_labels(3);
        let (scores, label) = ([0.3, -1.2, 2.0], 5.0);
        let mut out = vec![[[0.0; 2]; 1]; 3];
        let columns: Vec<&[f64]> = scores.iter().map(std::slice::from_ref).collect();
        let mut outs: Vec<&mut [Gradient]> = out.iter_mut().map(|out| &mut out[..]).collect();
        objective.gradients(&columns, &[label], &mut outs);
        for at in 0..3 {
            let loss = |step: f64| {
                let mut moved = scores;
                moved[at] += step;
                3.0 * objective.loss(&moved, label)
            };
            let slope = (loss(1e-4) - loss(-1e-4)) / 2e-4;
            assert!((f64::from(out[at][0][0]) - slope).abs() < 1e-6, "{at}: {out:?} {slope}");
        }
        assert_eq!(OneVsAll::of_classes(2).base_scores(&[0.0, 1.0, 1.0, 1.0], None)[1], 3.0_f64.ln());
        // Two classes with opposite log-odds are the softmax of half of them.
        let both = OneVsAll::of_classes(2).loss(&[0.8, -0.8], 0.0);
        assert!((both - LogLoss.loss(&[0.8], 1.0)).abs() < 1e-12);
        let quantiles = Quantiles::new(&[0.1, 0.9]);
        assert_eq!(quantiles.loss(&[5.0, 1.0], 2.0), quantiles.loss(&[1.0, 5.0], 2.0));
    }

    #[test]
    fn log_loss_does_not_overflow() {
        assert_eq!(LogLoss.loss(&[1000.0], 0.0), 1000.0);
        assert_eq!(LogLoss.loss(&[-1000.0], 0.0), 0.0);
        assert!((LogLoss.loss(&LogLoss.base_scores(&[0.0, 0.0, 1.0, 0.0], None), 1.0) - 4.0_f64.ln()).abs() < 1e-12);
        assert_eq!(Softmax::new(3).loss(&[1000.0, 0.0, 0.0], 1.0), 1000.0);
    }

    #[test]
    fn base_scores_are_the_logarithms_of_the_shares() {
        let scores = Softmax::new(3).base_scores(&[0.0, 1.0, 1.0, 2.0], None);
        assert_eq!(scores, [0.25_f64.ln(), 0.5_f64.ln(), 0.25_f64.ln()]);
        assert_eq!(Softmax::new(2).base_scores(&[0.0, 1.0], Some(&[3.0, 1.0])), [0.75_f64.ln(), 0.25_f64.ln()]);
    }
}
