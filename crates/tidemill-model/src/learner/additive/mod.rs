//! A sum of functions of one feature, or of two.

mod encoding;
mod term;
mod trees;

pub use term::{AdditiveTerm, TermBins};

use super::bytes::check_task;
use super::{Columns, logistic, softmax_columns};
use crate::trees::{Contributions, invalid};
use crate::{FeatureBlock, ModelError, Task};

/// An additive model: each score is an intercept plus, for each term, the value of the bin that the row's feature (or its two
/// features) fall into. A probability is the logistic function of the score, those of several classes the softmax.
///
/// Nothing else is in the model, so drawing the values of a term shows all that it does.
#[derive(Debug, Clone, PartialEq)]
pub struct AdditiveModel {
    task: Task,
    features: usize,
    intercepts: Vec<f64>,
    terms: Vec<AdditiveTerm>,
}

impl AdditiveModel {
    /// The kind's name in a manifest.
    pub const KIND: &'static str = "additive";

    /// A model over rows of `features` features. An error if a number is not finite or the parts do not fit each other.
    pub fn new(
        task: Task,
        features: usize,
        intercepts: Vec<f64>,
        terms: Vec<AdditiveTerm>,
    ) -> Result<Self, ModelError> {
        check_task(&task, "an additive model")?;
        let scores = task.columns();
        if intercepts.len() != scores || intercepts.iter().any(|intercept| !intercept.is_finite()) {
            return Err(invalid("an intercept is not finite, or there are too many or too few"));
        }
        for term in &terms {
            term.check(features, scores)?;
        }
        Ok(Self { task, features, intercepts, terms })
    }

    /// Its task.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// The number of features of a row.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The intercept of each score.
    pub fn intercepts(&self) -> &[f64] {
        &self.intercepts
    }

    /// The terms, in the order of addition.
    pub fn terms(&self) -> &[AdditiveTerm] {
        &self.terms
    }

    /// Predicts every row, a column for each score.
    pub fn predict(&self, block: &FeatureBlock) -> Columns {
        let scores = self.intercepts.len();
        let mut columns: Columns = self.intercepts.iter().map(|intercept| vec![*intercept; block.rows]).collect();
        let value =
            |feature: u32, row: usize| block.columns.get(feature as usize).map_or(f64::NAN, |column| column[row]);
        for term in &self.terms {
            for row in 0..block.rows {
                let cell = term.cell(|feature| value(feature, row));
                for (column, value) in columns.iter_mut().zip(&term.values[cell * scores..]) {
                    column[row] += value;
                }
            }
        }
        match self.task {
            Task::Binary => columns.iter_mut().flatten().for_each(|score| *score = logistic(*score)),
            Task::MultiClass { .. } => softmax_columns(&mut columns),
            _ => {}
        }
        columns
    }

    /// The contribution of each feature to the score of `row`, relative to the rows of `background`; `None` for several scores.
    ///
    /// These are the Shapley values: a term of one feature is that feature's, and two features share what their term adds on both
    /// ways from the background's values to the row's.
    pub(super) fn contributions(&self, row: &[f64], background: &[Vec<f64>]) -> Option<Contributions> {
        let [intercept] = self.intercepts[..] else { return None };
        let rows = background.len().max(1) as f64;
        let mut features = vec![0.0; self.features];
        let mut base = intercept;
        let at = |row: &[f64], feature: u32| row.get(feature as usize).copied().unwrap_or(f64::NAN);
        for term in &self.terms {
            for other in background {
                let value = |mine: &dyn Fn(u32) -> bool| {
                    term.values[term.cell(|feature| at(if mine(feature) { row } else { other }, feature))]
                };
                let none = value(&|_| false);
                base += none / rows;
                match &term.features[..] {
                    [(only, _)] => features[*only as usize] += (value(&|_| true) - none) / rows,
                    [(first, _), (second, _)] => {
                        let both = value(&|_| true);
                        let alone = [value(&|feature| feature == *first), value(&|feature| feature == *second)];
                        let shares = [alone[0] - none + both - alone[1], alone[1] - none + both - alone[0]];
                        for (feature, share) in [first, second].into_iter().zip(shares) {
                            features[*feature as usize] += share / (2.0 * rows);
                        }
                    }
                    _ => {}
                }
            }
        }
        Some(Contributions { base, features })
    }
}

#[cfg(test)]
mod tests;
