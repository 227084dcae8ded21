//! A fitted learner of any kind.
//!
//! Each kind is a file of this folder and a line in [`Learner`] and its registry: it has a name in manifests, a byte
//! format, and predicts [`Task::columns`] numbers for each row.

mod additive;
mod bytes;
mod calibrated;
mod calibration;
mod class_trees;
mod ensemble;
mod forest;
mod imported;
mod linear;
mod neighbors;
mod network;
mod sampled;

use std::path::Path;

use smallvec::SmallVec;

pub use additive::{AdditiveModel, AdditiveTerm, TermBins};
pub use calibrated::Calibrated;
pub use calibration::{Calibration, CalibrationCurve};
pub use class_trees::{ClassTrees, SumRule};
pub use ensemble::{EnsembleMember, EnsembleModel};
pub use forest::ForestModel;
pub(crate) use imported::Facts;
pub use imported::ImportedLearner;
pub use linear::{LinearFeature, LinearModel};
pub use neighbors::{NeighborFeature, NeighborWeights, NeighborsModel, Power};
pub use network::{Activation, AmountScale, DenseLayer, NetworkInput, NetworkModel, NetworkParts, Periodic, WideTerm};

use crate::trees::Contributions;
use crate::{FeatureBlock, Importer, ModelError, Task, TreeEnsemble};

/// The predictions of a learner: a column for each number of a row.
pub type Columns = SmallVec<[Vec<f64>; 1]>;

/// A fitted learner: features in, predictions out.
#[derive(Debug, Clone, PartialEq)]
pub enum Learner {
    /// A sum of decision trees.
    Trees(TreeEnsemble),
    /// A sum of decision trees for each class, label or level.
    ClassTrees(ClassTrees),
    /// A weighted sum of the features.
    Linear(LinearModel),
    /// A feed-forward network.
    Network(NetworkModel),
    /// Trees that are averaged.
    Forest(ForestModel),
    /// A sum of functions of one feature, or of two.
    Additive(AdditiveModel),
    /// The nearest of stored rows.
    Neighbors(NeighborsModel),
    /// Several learners, averaged.
    Ensemble(EnsembleModel),
    /// A model that another program fitted, in its own format.
    Imported(ImportedLearner),
    /// Any of them with calibrated probabilities.
    Calibrated(Box<Calibrated>),
}

/// Reads the bytes of a learner that this crate executes.
type Decode = fn(&[u8]) -> Result<Learner, ModelError>;

/// The kinds that this crate executes itself, by their names in manifests.
const OWN_KINDS: [(&str, Decode); 9] = [
    (TreeEnsemble::KIND, |bytes| TreeEnsemble::decode(bytes).map(Learner::Trees)),
    (ClassTrees::KIND, |bytes| ClassTrees::decode(bytes).map(Learner::ClassTrees)),
    (LinearModel::KIND, |bytes| LinearModel::decode(bytes).map(Learner::Linear)),
    (NetworkModel::KIND, |bytes| NetworkModel::decode(bytes).map(Learner::Network)),
    (ForestModel::KIND, |bytes| ForestModel::decode(bytes).map(Learner::Forest)),
    (AdditiveModel::KIND, |bytes| AdditiveModel::decode(bytes).map(Learner::Additive)),
    (NeighborsModel::KIND, |bytes| NeighborsModel::decode(bytes).map(Learner::Neighbors)),
    (EnsembleModel::KIND, |bytes| EnsembleModel::decode(bytes, Learner::decode).map(Learner::Ensemble)),
    (Calibrated::KIND, |bytes| {
        Calibrated::decode(bytes, Learner::decode).map(|one| Learner::Calibrated(Box::new(one)))
    }),
];

impl Learner {
    /// The kind's name in a manifest: `trees`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Trees(_) => TreeEnsemble::KIND,
            Self::ClassTrees(_) => ClassTrees::KIND,
            Self::Linear(_) => LinearModel::KIND,
            Self::Network(_) => NetworkModel::KIND,
            Self::Forest(_) => ForestModel::KIND,
            Self::Additive(_) => AdditiveModel::KIND,
            Self::Neighbors(_) => NeighborsModel::KIND,
            Self::Ensemble(_) => EnsembleModel::KIND,
            Self::Imported(imported) => imported.kind(),
            Self::Calibrated(_) => Calibrated::KIND,
        }
    }

    /// The names of all kinds.
    pub fn kinds() -> impl Iterator<Item = &'static str> {
        OWN_KINDS.iter().map(|(name, _)| *name).chain(ImportedLearner::KINDS.iter().map(|(name, _)| *name))
    }

    /// The file of a package for a learner of the kind `kind`; `None` for a kind unknown to this version.
    pub(crate) fn file_name(kind: &str) -> Option<&'static str> {
        if OWN_KINDS.iter().any(|(name, _)| *name == kind) {
            return Some("learner.bin");
        }
        ImportedLearner::KINDS.iter().find(|(name, _)| *name == kind).map(|(_, file)| *file)
    }

    /// Its task.
    pub fn task(&self) -> &Task {
        match self {
            Self::Trees(trees) => trees.task(),
            Self::ClassTrees(trees) => trees.task(),
            Self::Linear(linear) => linear.task(),
            Self::Network(network) => network.task(),
            Self::Forest(forest) => forest.task(),
            Self::Additive(additive) => additive.task(),
            Self::Neighbors(neighbors) => neighbors.task(),
            Self::Ensemble(ensemble) => ensemble.task(),
            Self::Imported(imported) => imported.task(),
            Self::Calibrated(calibrated) => calibrated.task(),
        }
    }

    /// The number of its features.
    pub fn feature_count(&self) -> usize {
        match self {
            Self::Trees(trees) => trees.features(),
            Self::ClassTrees(trees) => trees.features(),
            Self::Linear(linear) => linear.features().len(),
            Self::Network(network) => network.parts().inputs.len(),
            Self::Forest(forest) => forest.features(),
            Self::Additive(additive) => additive.features(),
            Self::Neighbors(neighbors) => neighbors.features().len(),
            Self::Ensemble(ensemble) => ensemble.features(),
            Self::Imported(imported) => imported.feature_count(),
            Self::Calibrated(calibrated) => calibrated.learner().feature_count(),
        }
    }

    /// The bytes of the learner's file. The same learner gives the same bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Trees(trees) => trees.encode(),
            Self::ClassTrees(trees) => trees.encode(),
            Self::Linear(linear) => linear.encode(),
            Self::Network(network) => network.encode(),
            Self::Forest(forest) => forest.encode(),
            Self::Additive(additive) => additive.encode(),
            Self::Neighbors(neighbors) => neighbors.encode(),
            Self::Ensemble(ensemble) => ensemble.encode(),
            Self::Imported(imported) => imported.bytes().to_vec(),
            Self::Calibrated(calibrated) => calibrated.encode(),
        }
    }

    /// Reads [`encode`](Self::encode)'s bytes back, for a learner of the kind `kind` that this crate executes. Damaged
    /// or hostile bytes are an error, never a panic, and never reserve more memory than a small multiple of their
    /// length.
    pub fn decode(kind: &str, bytes: &[u8]) -> Result<Self, ModelError> {
        match OWN_KINDS.iter().find(|(name, _)| *name == kind) {
            Some((_, decode)) => decode(bytes),
            None => Err(ModelError::Learner { reason: unknown_kind(kind) }),
        }
    }

    /// As [`decode`](Self::decode), for any kind. `importer` parses a model of another program.
    pub(crate) fn read(
        kind: &str,
        bytes: &[u8],
        path: &Path,
        facts: &Facts<'_>,
        importer: Option<&dyn Importer>,
    ) -> Result<Self, ModelError> {
        if kind == Calibrated::KIND {
            let inner = |kind: &str, bytes: &[u8]| Self::read(kind, bytes, path, facts, importer);
            return Calibrated::decode(bytes, inner).map(|calibrated| Self::Calibrated(Box::new(calibrated)));
        }
        if kind == EnsembleModel::KIND {
            let inner = |kind: &str, bytes: &[u8]| Self::read(kind, bytes, path, facts, importer);
            return EnsembleModel::decode(bytes, inner).map(Self::Ensemble);
        }
        if !ImportedLearner::KINDS.iter().any(|(name, _)| *name == kind) {
            return Self::decode(kind, bytes);
        }
        let Some(importer) = importer else {
            let reason = format!("the learner is a model of the format `{kind}`, which nothing here can execute");
            return Err(ModelError::Learner { reason });
        };
        let model = importer.parse(bytes, path)?;
        let learner = ImportedLearner::new(kind, bytes, model, facts.task.clone(), facts.features);
        learner.map(Self::Imported).map_err(|reason| ModelError::Learner { reason })
    }

    /// The relative tolerance of a prediction against the recorded one. `None`: predictions must be identical to the
    /// bit, as this crate does the arithmetic.
    pub fn tolerance(&self) -> Option<f64> {
        match self {
            Self::Imported(_) => Some(ImportedLearner::TOLERANCE),
            Self::Calibrated(calibrated) => calibrated.learner().tolerance(),
            Self::Ensemble(ensemble) => ensemble.tolerance(),
            _ => None,
        }
    }

    /// For each number that is predicted, the contribution of each feature to its score for `row`, relative to the rows of
    /// `background`; `None` for a learner without explanations. See [`TreeEnsemble::contributions`].
    pub fn contributions(&self, row: &[f64], background: &[Vec<f64>]) -> Option<Vec<Contributions>> {
        match self {
            Self::Trees(trees) => Some(vec![trees.contributions(row, background)]),
            Self::Linear(linear) => Some(linear.contributions(row, background)),
            Self::ClassTrees(trees) => Some(trees.contributions(row, background)),
            Self::Network(network) => network.contributions(row, background).map(|one| vec![one]),
            Self::Forest(forest) => forest.contributions(row, background).map(|one| vec![one]),
            Self::Additive(additive) => additive.contributions(row, background).map(|one| vec![one]),
            Self::Neighbors(neighbors) => neighbors.contributions(row, background).map(|one| vec![one]),
            Self::Ensemble(ensemble) => ensemble.contributions(row, background).map(|one| vec![one]),
            Self::Calibrated(calibrated) => calibrated.contributions(row, background),
            Self::Imported(_) => None,
        }
    }

    /// The sums of trees that it consists of, one for each number that is predicted; none for another kind of learner.
    pub fn tree_sums(&self) -> &[TreeEnsemble] {
        match self {
            Self::Trees(trees) => std::slice::from_ref(trees),
            Self::ClassTrees(trees) => trees.sums(),
            Self::Calibrated(calibrated) => calibrated.learner().tree_sums(),
            _ => &[],
        }
    }

    /// Predicts every row of `block`: [`Task::columns`] columns, each a probability, a value or a score. A row gives the
    /// same bits alone and in any batch.
    ///
    /// `block` must have [`feature_count`](Self::feature_count) columns; a [`Model`](crate::Model) checks this when
    /// it is loaded.
    pub fn predict(&self, block: &FeatureBlock) -> Result<Columns, ModelError> {
        match self {
            Self::Trees(trees) => {
                let mut out = Vec::new();
                trees.predict(block, &mut out);
                Ok(SmallVec::from_buf([out]))
            }
            Self::ClassTrees(trees) => Ok(trees.predict(block)),
            Self::Linear(linear) => Ok(linear.predict(block)),
            Self::Network(network) => Ok(network.predict(block)),
            Self::Forest(forest) => Ok(forest.predict(block)),
            Self::Additive(additive) => Ok(additive.predict(block)),
            Self::Neighbors(neighbors) => Ok(neighbors.predict(block)),
            Self::Ensemble(ensemble) => ensemble.predict(block),
            Self::Imported(imported) => imported.predict(block),
            Self::Calibrated(calibrated) => calibrated.predict(block),
        }
    }
}

/// The message about a learner that is unknown to this version.
pub(crate) fn unknown_kind(kind: &str) -> String {
    let known: Vec<&str> = Learner::kinds().collect();
    format!("a learner of the kind `{kind}`, and this version of Tidemill has {}", known.join(", "))
}

/// The scores of each sum of trees, a column for each.
fn sum_columns(sums: &[TreeEnsemble], block: &FeatureBlock) -> Columns {
    let scores = |sum: &TreeEnsemble| {
        let mut out = Vec::new();
        sum.scores(block, &mut out);
        out
    };
    sums.iter().map(scores).collect()
}

/// `1 / (1 + e^-x)`.
pub(crate) fn logistic(score: f64) -> f64 {
    1.0 / (1.0 + (-score).exp())
}

/// Turns the scores of each class into probabilities, row by row; shifted by the largest score, so that nothing
/// overflows.
pub fn softmax_columns(columns: &mut [Vec<f64>]) {
    let rows = columns.first().map_or(0, Vec::len);
    for row in 0..rows {
        let largest = columns.iter().map(|column| column[row]).fold(f64::NEG_INFINITY, f64::max);
        let mut sum = 0.0;
        for column in &mut *columns {
            column[row] = (column[row] - largest).exp();
            sum += column[row];
        }
        for column in &mut *columns {
            column[row] /= sum;
        }
    }
}

/// The column with the largest value of each row; the first of equals.
pub fn largest_column(columns: &[Vec<f64>], row: usize) -> usize {
    let mut best = 0;
    for (at, column) in columns.iter().enumerate() {
        if column[row] > columns[best][row] {
            best = at;
        }
    }
    best
}
