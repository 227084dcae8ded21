//! What is minimised, and from where.

use tidemill_core::{Code, ComponentError, Task};

use super::{Absolute, Design, Linear, LinearLoss, Minimum, RowLoss, minimise, minimise_absolute};

/// A linear model to be fitted: the rows, what they lose, and the unit that labels are learned in.
pub(super) struct Problem<'a> {
    pub(super) params: &'a Linear,
    pub(super) loss: RowLoss,
    design: &'a Design,
    labels: Vec<f64>,
    weights: Option<&'a [f64]>,
    scaling: Scaling,
}

/// The unit of labels. An amount with a squared error is learned in its own standard deviations: the optimiser's steps and
/// tolerance mean the same whatever its unit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scaling {
    pub(super) centre: f64,
    pub(super) unit: f64,
}

impl Scaling {
    fn new(loss: RowLoss, labels: &[f64]) -> Self {
        if loss != RowLoss::Squared {
            return Self { centre: 0.0, unit: 1.0 };
        }
        let (centre, unit) = centre_and_unit(labels);
        Self { centre, unit }
    }

    fn scaled(self, labels: &[f64]) -> Vec<f64> {
        labels.iter().map(|label| (label - self.centre) / self.unit).collect()
    }
}

impl<'a> Problem<'a> {
    pub(super) fn new(
        params: &'a Linear,
        loss: RowLoss,
        design: &'a Design,
        labels: &[f64],
        weights: Option<&'a [f64]>,
    ) -> Self {
        let scaling = Scaling::new(loss, labels);
        Self { params, loss, design, labels: scaling.scaled(labels), weights, scaling }
    }

    /// The same problem on other rows, which are in the same unit.
    pub(super) fn on(&self, design: &'a Design, labels: &[f64], weights: Option<&'a [f64]>) -> Self {
        let (params, loss, scaling) = (self.params, self.loss, self.scaling);
        Self { params, loss, design, labels: scaling.scaled(labels), weights, scaling }
    }

    pub(super) fn scaling(&self) -> Scaling {
        self.scaling
    }

    /// The loss of the rows, with this weight of the squares.
    pub(super) fn rows(&self, l2: f64) -> LinearLoss<'_> {
        LinearLoss { loss: self.loss, design: self.design, labels: &self.labels, weights: self.weights, l2 }
    }

    /// The mean loss in words of a user: the root mean squared error in units of the label, and for other losses their mean.
    pub(super) fn metric(&self, point: &[f64]) -> f64 {
        let mean = self.rows(0.0).mean(point);
        if self.loss == RowLoss::Squared { (2.0 * mean).sqrt() * self.scaling.unit } else { mean }
    }

    /// What [`metric`](Self::metric) is called.
    pub(super) fn metric_name(&self) -> &'static str {
        match self.loss {
            RowLoss::Squared => "RMSE",
            RowLoss::Logistic | RowLoss::Softmax(_) => "log-loss",
            RowLoss::Poisson => "Poisson loss",
            RowLoss::Gamma => "gamma loss",
            RowLoss::Tweedie(_) => "Tweedie loss",
        }
    }

    /// The weighted mean of the labels in the unit that they are learned in.
    fn mean_label(&self) -> f64 {
        let total = self.rows(0.0).total();
        let weight = |row: usize| self.weights.map_or(1.0, |weights| weights[row]);
        self.labels.iter().enumerate().map(|(row, label)| weight(row) * (label / total)).sum()
    }

    /// The point of the intercepts alone, nearly: the weights are 0.
    pub(super) fn start(&self) -> Vec<f64> {
        let rows = self.rows(0.0);
        let total = rows.total();
        let weight = |row: usize| self.weights.map_or(1.0, |weights| weights[row]);
        let mean = self.mean_label();
        let mut point = vec![0.0; rows.dimensions()];
        match self.loss {
            RowLoss::Squared => point[0] = mean,
            RowLoss::Logistic => {
                let share = mean.clamp(1e-9, 1.0 - 1e-9);
                point[0] = (share / (1.0 - share)).ln();
            }
            RowLoss::Softmax(classes) => {
                let mut shares = vec![0.0; classes];
                for (row, class) in self.labels.iter().enumerate() {
                    shares[*class as usize] += weight(row) / total;
                }
                let logs: Vec<f64> = shares.into_iter().map(|share: f64| share.max(1e-9).ln()).collect();
                let centre = logs.iter().sum::<f64>() / classes as f64;
                // Only differences of intercepts count; their sum is 0.
                point.iter_mut().step_by(rows.stride()).zip(logs).for_each(|(own, log)| *own = log - centre);
            }
            RowLoss::Poisson | RowLoss::Gamma | RowLoss::Tweedie(_) => point[0] = mean.max(1e-300).ln(),
        }
        point
    }

    /// Minimises the loss with this weight of the penalty, from `start`.
    pub(super) fn solve(
        &self,
        alpha: f64,
        start: Vec<f64>,
        watch: &mut dyn FnMut(u32, f64) -> Result<(), ComponentError>,
    ) -> Result<Minimum, ComponentError> {
        let share = self.params.share_of_l1();
        let rows = self.rows(alpha * (1.0 - share));
        let total = rows.total();
        let (most, tolerance) = (self.params.max_iterations, self.tolerance());
        let function = |point: &[f64], gradient: &mut [f64]| rows.value(point, gradient);
        let watch = |step: u32, value: f64| watch(step, value / total);
        let mut minimum = if share > 0.0 && alpha > 0.0 {
            let penalty = Absolute { weight: alpha * share / self.scaling.unit, stride: rows.stride() };
            minimise_absolute(start, penalty, most, tolerance, function, watch)?
        } else {
            minimise(start, most, tolerance, function, watch)?
        };
        if let RowLoss::Softmax(classes) = self.loss {
            // Only differences of intercepts count; their sum is 0.
            let intercepts = || minimum.point.iter().step_by(rows.stride());
            let centre = intercepts().sum::<f64>() / classes as f64;
            minimum.point.iter_mut().step_by(rows.stride()).for_each(|intercept| *intercept -= centre);
        }
        Ok(minimum)
    }

    /// The largest derivative at which the optimiser ends. It sees the sum of losses, while the parameter is about their
    /// mean; derivatives of losses of a logarithm grow with the labels.
    pub(super) fn tolerance(&self) -> f64 {
        let size = match self.loss {
            RowLoss::Poisson => self.mean_label(),
            RowLoss::Tweedie(power) => self.mean_label().powf(2.0 - power),
            _ => 1.0,
        };
        self.params.tolerance * self.rows(0.0).total() * if size > 0.0 { size } else { 1.0 }
    }

    /// The largest absolute derivative by a weight at `point`, in units of the penalty.
    pub(super) fn largest_slope(&self, point: &[f64]) -> f64 {
        let rows = self.rows(0.0);
        let mut gradient = vec![0.0; point.len()];
        rows.value(point, &mut gradient);
        let weights = gradient.chunks(rows.stride()).flat_map(|own| &own[1..]);
        weights.fold(0.0_f64, |most, slope| most.max(slope.abs())) * self.scaling.unit
    }
}

/// Mean and standard deviation; 1 in place of the latter where nothing varies.
pub(crate) fn centre_and_unit(labels: &[f64]) -> (f64, f64) {
    let rows = labels.len().max(1) as f64;
    let mean: f64 = labels.iter().map(|label| label / rows).sum();
    let deviation = labels.iter().map(|label| (label - mean) * ((label - mean) / rows)).sum::<f64>().sqrt();
    (mean, if deviation > 0.0 && deviation.is_finite() { deviation } else { 1.0 })
}

/// Refuses labels that the loss cannot learn.
pub(super) fn check_labels(loss: RowLoss, task: &Task, labels: &[f64]) -> Result<(), ComponentError> {
    let (name, rule, is_fine): (_, _, fn(f64) -> bool) = match loss {
        RowLoss::Poisson => ("poisson", "0 or above", |label| label >= 0.0),
        RowLoss::Tweedie(_) => ("tweedie", "0 or above", |label| label >= 0.0),
        RowLoss::Gamma => ("gamma", "above 0", |label| label > 0.0),
        _ => return Ok(()),
    };
    match labels.iter().find(|label| !is_fine(**label)) {
        Some(label) => {
            let message =
                format!("`loss: {name}` learns labels of {rule} for the task `{}`, and one is {label}", task.kind());
            Err(ComponentError::new(Code::LabelValues, message)
                .with_hint("choose another `loss`, or leave such rows out with `where` at the source"))
        }
        None => Ok(()),
    }
}
