//! A sum of trees.

use super::compiled::Compiled;
use super::quantised::Quantised;
use super::tree::{FEATURES_MAX, Tree, invalid};
use crate::learner::logistic;
use crate::{FeatureBlock, ModelError, Task};

/// A sum of decision trees over `f64` features.
///
/// The score of a row is `base_score` plus the values of the leaves it reaches, added in the order of the trees; for
/// [`Task::Binary`] the prediction is its logistic function, for [`Task::Regression`] the score itself.
#[derive(Debug, Clone)]
pub struct TreeEnsemble {
    pub(crate) task: Task,
    pub(crate) features: usize,
    base_score: f64,
    trees: Vec<Tree>,
    compiled: Executor,
}

/// Trees in the layout that suits them.
#[derive(Debug, Clone)]
enum Executor {
    /// Shallow trees of numbers.
    Shallow(Quantised),
    /// Any trees.
    Any(Compiled),
}

impl PartialEq for TreeEnsemble {
    fn eq(&self, other: &Self) -> bool {
        self.task == other.task
            && self.features == other.features
            && self.base_score.to_bits() == other.base_score.to_bits()
            && self.trees == other.trees
    }
}

impl TreeEnsemble {
    /// The kind's name in a manifest.
    pub const KIND: &'static str = "trees";

    /// The sum of `base_score` and `trees` over rows of `features` features.
    ///
    /// # Errors
    /// `base_score` is not finite, or a tree uses a feature beyond `features`.
    pub fn new(task: Task, features: usize, base_score: f64, trees: Vec<Tree>) -> Result<Self, ModelError> {
        if !matches!(task, Task::Binary | Task::Regression) {
            return Err(invalid(format!("a sum of trees gives one number, and the task is {task}")));
        }
        if !base_score.is_finite() {
            return Err(invalid(format!("the base score is {base_score}")));
        }
        if features > FEATURES_MAX {
            return Err(invalid(format!("{features} features are more than {FEATURES_MAX}")));
        }
        if let Some(at) = trees.iter().position(|tree| tree.features_needed() > features) {
            return Err(invalid(format!("tree {at} asks a feature beyond the {features} there are")));
        }
        let compiled = match Quantised::new(&trees, features) {
            Some(shallow) => Executor::Shallow(shallow),
            None => Executor::Any(Compiled::new(&trees, features)?),
        };
        Ok(Self { task, features, base_score, trees, compiled })
    }

    /// The task of the sum.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// The number of features of a row.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The initial value of the sum.
    pub fn base_score(&self) -> f64 {
        self.base_score
    }

    /// The trees, in the order of addition.
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// Predicts every row of `block` into `out`, which is cleared first.
    ///
    /// A row gives the same bits alone and in any batch. A column that `block` lacks is missing in every row.
    pub fn predict(&self, block: &FeatureBlock, out: &mut Vec<f64>) {
        self.scores(block, out);
        if self.task == Task::Binary {
            for score in out {
                *score = logistic(*score);
            }
        }
    }

    /// As [`predict`](Self::predict), without the logistic function: log-odds for [`Task::Binary`].
    pub fn scores(&self, block: &FeatureBlock, out: &mut Vec<f64>) {
        out.clear();
        out.resize(block.rows, self.base_score);
        match &self.compiled {
            Executor::Shallow(trees) => trees.add_to(block, out),
            Executor::Any(trees) => trees.add_to(block, out),
        }
    }
}
