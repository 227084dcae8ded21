//! A fitted learner of any kind.

use crate::trees::Contributions;
use crate::{FeatureBlock, ModelError, Task, TreeEnsemble};

/// A fitted learner: features in, predictions out. Stored as `learner.bin`.
#[derive(Debug, Clone, PartialEq)]
pub enum Learner {
    /// A sum of decision trees.
    Trees(TreeEnsemble),
}

impl Learner {
    /// The kind's name in a manifest: `trees`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Trees(_) => "trees",
        }
    }

    /// What it predicts.
    pub fn task(&self) -> Task {
        match self {
            Self::Trees(trees) => trees.task(),
        }
    }

    /// How many features it takes.
    pub fn feature_count(&self) -> usize {
        match self {
            Self::Trees(trees) => trees.features(),
        }
    }

    /// The bytes of `learner.bin`. The same learner gives the same bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Trees(trees) => trees.encode(),
        }
    }

    /// Reads [`encode`](Self::encode)'s bytes back. Damaged or hostile bytes are an error, never a panic, and never
    /// make it reserve more memory than a small multiple of their length.
    pub fn decode(bytes: &[u8]) -> Result<Self, ModelError> {
        TreeEnsemble::decode(bytes).map(Self::Trees)
    }

    /// What each feature adds to the score of `row`, against the rows of `background`; `None` for a learner that cannot
    /// say. See [`TreeEnsemble::contributions`].
    pub fn contributions(&self, row: &[f64], background: &[Vec<f64>]) -> Option<Contributions> {
        match self {
            Self::Trees(trees) => Some(trees.contributions(row, background)),
        }
    }

    /// Predicts every row of `block` into `out`, which is cleared first: the probability of the positive class, or
    /// the value. A row gives the same bits alone and in any batch.
    ///
    /// `block` must have [`feature_count`](Self::feature_count) columns; a [`Model`](crate::Model) checks this when
    /// it is loaded.
    pub fn predict(&self, block: &FeatureBlock, out: &mut Vec<f64>) {
        match self {
            Self::Trees(trees) => trees.predict(block, out),
        }
    }
}
