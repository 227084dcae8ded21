//! A sum of trees.

use super::compiled::Compiled;
use super::quantised::Quantised;
use super::tree::{FEATURES_MAX, Node, Tree, invalid};
use crate::learner::logistic;
use crate::{FeatureBlock, ModelError, Task};

/// What a prediction is of the score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Link {
    /// The score itself.
    Identity,
    /// Its logistic function: the score is a log-odds.
    Logistic,
    /// Its exponential: the score is a logarithm.
    Exp,
}

impl Link {
    /// The prediction of a score.
    pub fn prediction(self, score: f64) -> f64 {
        match self {
            Self::Identity => score,
            Self::Logistic => logistic(score),
            Self::Exp => score.exp(),
        }
    }
}

/// A sum of decision trees over `f64` features.
///
/// The score of a row is `base_score` plus the values of the leaves it reaches, added in the order of the trees; the
/// prediction is what its [`Link`] makes of it: the logistic function for [`Task::Binary`], for [`Task::Regression`]
/// the score itself, or its exponential where the logarithm was learned, and for [`Task::Ranking`] the score itself.
///
/// An ensemble with an [`offset`](Self::offset) starts the sum of a row at `base_score` plus the row's value of that feature.
#[derive(Debug, Clone)]
pub struct TreeEnsemble {
    pub(crate) task: Task,
    link: Link,
    pub(crate) features: usize,
    base_score: f64,
    offset: Option<usize>,
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
            && self.link == other.link
            && self.features == other.features
            && self.base_score.to_bits() == other.base_score.to_bits()
            && self.offset == other.offset
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
        if !matches!(task, Task::Binary | Task::Regression | Task::Ranking { .. }) {
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
        let link = if task == Task::Binary { Link::Logistic } else { Link::Identity };
        Ok(Self { task, link, features, base_score, offset: None, trees, compiled })
    }

    /// The same sum with the prediction `link` makes of it, which must fit the task: [`Link::Logistic`] is for
    /// [`Task::Binary`] and for nothing else, and a ranking has its scores.
    pub fn with_link(self, link: Link) -> Result<Self, ModelError> {
        let fits = match (&self.task, link) {
            (Task::Binary, link) => link == Link::Logistic,
            (Task::Ranking { .. }, link) => link == Link::Identity,
            (_, link) => link != Link::Logistic,
        };
        if !fits {
            return Err(invalid(format!("{link:?} of a sum of trees is no prediction for the task {}", self.task)));
        }
        Ok(Self { link, ..self })
    }

    /// The same sum for another task whose predictions are its scores.
    pub fn for_task(self, task: Task) -> Result<Self, ModelError> {
        let offset = self.offset;
        Self::new(task, self.features, self.base_score, self.trees)?.with_link(self.link)?.with_offset(offset)
    }

    /// The same sum to which the value of the feature `offset` is added, which no tree asks. A missing value adds 0.
    pub fn with_offset(self, offset: Option<usize>) -> Result<Self, ModelError> {
        let Some(feature) = offset else { return Ok(Self { offset, ..self }) };
        let asks = |node: &Node| matches!(node, Node::Split(split) if split.feature as usize == feature);
        if feature >= self.features {
            return Err(invalid(format!("the offset is feature {feature} of {}", self.features)));
        }
        if self.trees.iter().flat_map(Tree::nodes).any(asks) {
            return Err(invalid(format!("a tree asks the feature {feature}, which is the offset")));
        }
        Ok(Self { offset, ..self })
    }

    /// The feature whose value is added to the sum, where there is one.
    pub fn offset(&self) -> Option<usize> {
        self.offset
    }

    /// What the offset adds to the sum of `row`.
    pub(super) fn offset_of(&self, row: &[f64]) -> f64 {
        let value = self.offset.and_then(|feature| row.get(feature)).copied().unwrap_or(0.0);
        if value.is_nan() { 0.0 } else { value }
    }

    /// What a prediction is of the score.
    pub fn link(&self) -> Link {
        self.link
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
        if self.link != Link::Identity {
            out.iter_mut().for_each(|score| *score = self.link.prediction(*score));
        }
    }

    /// As [`predict`](Self::predict), the scores that [`link`](Self::link) takes: log-odds for [`Task::Binary`].
    pub fn scores(&self, block: &FeatureBlock, out: &mut Vec<f64>) {
        out.clear();
        out.resize(block.rows, self.base_score);
        if let Some(column) = self.offset.and_then(|feature| block.columns.get(feature)) {
            for (score, value) in out.iter_mut().zip(column).filter(|(_, value)| !value.is_nan()) {
                *score += value;
            }
        }
        match &self.compiled {
            Executor::Shallow(trees) => trees.add_to(block, out),
            Executor::Any(trees) => trees.add_to(block, out),
        }
    }
}
