//! Confidence intervals of metrics, and of their differences between two models.
//!
//! Where an exact method exists it is used: `DeLong`'s for the area under the ROC curve, Wilson's for shares of rows. All other
//! metrics, weighted rows and rows that belong together take the Poisson bootstrap.

mod bootstrap;
mod delong;
mod wilson;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_core::TaskKind;

pub(crate) use bootstrap::draw;

use crate::metrics::{Metric, MetricPlan, Metrics, Rows};

/// How intervals are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IntervalMethod {
    /// `DeLong`'s method for the AUC of a binary model and its change, Wilson's for shares of rows, such as accuracy and recall,
    /// and the Poisson bootstrap for the rest. Weighted rows and rows in groups always take the bootstrap.
    #[default]
    Auto,
    /// Each replica counts every row a Poisson(1) number of times.
    PoissonBootstrap,
}

impl IntervalMethod {
    /// The method of files that name none.
    fn of_old_files() -> Self {
        Self::PoissonBootstrap
    }
}

/// Options of confidence intervals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct IntervalOptions {
    /// How they are made.
    #[serde(default = "IntervalMethod::of_old_files")]
    pub method: IntervalMethod,
    /// Replicas of the bootstrap, at least 2.
    pub replicas: u32,
    /// Share of such intervals that contain the true value: 0.95.
    pub level: f64,
    /// Intervals for every slice, not only for all rows.
    pub slices: bool,
}

impl Default for IntervalOptions {
    fn default() -> Self {
        Self { method: IntervalMethod::Auto, replicas: 20, level: 0.95, slices: false }
    }
}

/// Where an interval comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntervalSource {
    /// The Poisson bootstrap.
    #[default]
    Bootstrap,
    /// `DeLong`, `DeLong` and Clarke-Pearson (1988).
    Delong,
    /// Wilson (1927).
    Wilson,
}

impl IntervalSource {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_bootstrap(&self) -> bool {
        *self == Self::Bootstrap
    }
}

/// A confidence interval of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// How it was made.
    #[serde(default, skip_serializing_if = "IntervalSource::is_bootstrap")]
    pub source: IntervalSource,
}

/// Intervals by metric; a metric without one (undefined, or a count) is absent.
pub type Intervals = BTreeMap<Metric, Interval>;

/// The rows of one model, its metrics on them and the plan that they follow.
pub(crate) struct Measured<'a, R> {
    pub rows: &'a R,
    pub plan: &'a MetricPlan,
    pub metrics: &'a Metrics,
}

/// Intervals of a candidate's metrics, and of their changes against a baseline. `alike`: every row counts the same and for
/// itself, so that exact methods apply.
pub(crate) fn around<R: Rows>(
    task: TaskKind,
    candidate: &Measured<'_, R>,
    baseline: Option<&Measured<'_, R>>,
    options: IntervalOptions,
    alike: bool,
) -> (Intervals, Option<Intervals>) {
    let replicas = |of: &Measured<'_, R>| bootstrap::replicas(task, of.rows, of.plan, options.replicas);
    let drawn = replicas(candidate);
    let mut around = bootstrap::intervals(candidate.metrics, &drawn, options.level);
    let mut around_change = baseline.map(|baseline| {
        let of_baseline = replicas(baseline);
        bootstrap::change_intervals([candidate.metrics, baseline.metrics], [&drawn, &of_baseline], options.level)
    });
    if alike && options.method == IntervalMethod::Auto {
        around.extend(wilson::intervals(task, candidate, options.level));
        if task == TaskKind::Binary {
            around.extend(delong::interval(candidate, options.level).map(|found| (Metric::Auc, found)));
            if let (Some(baseline), Some(around_change)) = (baseline, &mut around_change) {
                let change = delong::change_interval(candidate, baseline, options.level);
                around_change.extend(change.map(|found| (Metric::Auc, found)));
            }
        }
    }
    (around, around_change)
}
