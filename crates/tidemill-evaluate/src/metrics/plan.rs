//! Which metrics to compute, and what they need of the rows.

use std::collections::BTreeSet;

use tidemill_core::TaskKind;
use tidemill_model::Task;

use super::names::Kind;
use super::own::Aggregate;
use super::{Metric, Metrics};

/// A number of each row, besides score, label and weight, that some metric needs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RowColumn {
    /// An expression, of the metric of this name.
    Expression { metric: &'static str, text: String },
    /// What the outcome of the row costs.
    Costs(Metric),
    /// The number of the row's value in a column of slices.
    Group(String),
    /// The error of the naive forecast.
    Naive,
}

/// A metric that was asked for, with the places of its row columns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Asked {
    pub metric: Metric,
    pub columns: [usize; 2],
}

/// The metrics to compute.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetricPlan {
    /// A row is called positive if its score is above this.
    pub decision_threshold: f64,
    /// Names of the classes or labels.
    pub(super) names: Vec<String>,
    /// Metrics of the catalogue that are computed only on request.
    requested: BTreeSet<Metric>,
    /// Metrics with a parameter or a definition; formulas last.
    pub(super) asked: Vec<Asked>,
    columns: Vec<RowColumn>,
}

impl MetricPlan {
    /// Computes what is always computed, at a decision threshold.
    pub fn at(decision_threshold: f64) -> Self {
        Self { decision_threshold, ..Self::default() }
    }

    /// Computes `metrics` too, and what they are made of. Those that models of `task` do not have are left out.
    pub fn with(mut self, task: &Task, metrics: impl IntoIterator<Item = Metric>) -> Self {
        self.names = task.names().to_vec();
        let task = task.kind();
        let mut formulas = Vec::new();
        for metric in metrics.into_iter().filter(|metric| metric.applies_to(task)) {
            self.add(task, metric, &mut formulas);
        }
        for formula in formulas {
            if !self.asks(formula) {
                self.asked.push(Asked { metric: formula, columns: [0; 2] });
            }
        }
        self
    }

    fn add(&mut self, task: TaskKind, metric: Metric, formulas: &mut Vec<Metric>) {
        let Metric::Written(written) = metric else {
            if metric == Metric::Mase {
                self.column(RowColumn::Naive);
            }
            self.requested.insert(metric);
            return;
        };
        if self.asks(metric) {
            return;
        }
        let mut columns = [0; 2];
        match written.kind() {
            Kind::Spread { column, base, .. } => {
                columns[0] = self.column(RowColumn::Group(column.clone()));
                if base.is_on_request() {
                    self.add(task, *base, formulas);
                }
            }
            Kind::Own(own) => {
                let expression = |text: &str| RowColumn::Expression { metric: metric.name(), text: text.to_owned() };
                match own.aggregate() {
                    Some(Aggregate::Mean(text) | Aggregate::Sum(text)) => columns[0] = self.column(expression(text)),
                    Some(Aggregate::Ratio(sum, over)) => {
                        columns = [self.column(expression(sum)), self.column(expression(over))];
                    }
                    Some(Aggregate::Costs) => columns[0] = self.column(RowColumn::Costs(metric)),
                    Some(Aggregate::Formula(_)) => {
                        for term in own.terms() {
                            if let Ok(term) = term.parse::<Metric>()
                                && term.applies_to(task)
                            {
                                self.add(task, term, formulas);
                            }
                        }
                        formulas.push(metric);
                        return;
                    }
                    None => return,
                }
            }
            _ => {}
        }
        self.asked.push(Asked { metric, columns });
    }

    fn column(&mut self, wanted: RowColumn) -> usize {
        self.columns.iter().position(|known| *known == wanted).unwrap_or_else(|| {
            self.columns.push(wanted);
            self.columns.len() - 1
        })
    }

    /// The same without what compares groups: for the rows of one group.
    pub(super) fn of_group(&self) -> Self {
        let is_spread = |asked: &Asked| matches!(asked.metric, Metric::Written(written) if matches!(written.kind(), Kind::Spread { .. }));
        let mut plan = self.clone();
        plan.asked.retain(|asked| !is_spread(asked));
        plan
    }

    /// Whether a metric is computed on request.
    pub(super) fn asks(&self, metric: Metric) -> bool {
        self.requested.contains(&metric) || self.asked.iter().any(|asked| asked.metric == metric)
    }

    /// What the metrics need of each row.
    pub(crate) fn columns(&self) -> &[RowColumn] {
        &self.columns
    }

    pub(super) fn place(&self, wanted: &RowColumn) -> Option<usize> {
        self.columns.iter().position(|known| known == wanted)
    }

    /// Leaves out what was computed on the way.
    pub(super) fn keep_asked(&self, metrics: &mut Metrics) {
        metrics.retain(|metric| !metric.is_on_request() || self.asks(metric));
    }
}
