//! Trees that are averaged.

use super::bytes::{ByteReader, check_task, head, push_task, push_u32};
use super::{Columns, sum_columns};
use crate::trees::{Contributions, Link, invalid};
use crate::{FeatureBlock, ModelError, Task, TreeEnsemble};

const MAGIC: [u8; 8] = *b"TMFOREST";
const VERSION: u32 = 1;

/// A random forest: the mean of what its trees say. For classes each tree says the shares of the classes in the leaf that a row
/// reaches, so the means are probabilities; for an amount it says the mean of the leaf.
///
/// # Layout of `learner.bin`, format 1
///
/// Little-endian: `"TMFOREST"`, version (u32), task (u32: 0 binary, 1 regression, 2 classes, then their count and names), then
/// for each class, or once, the length of its trees (u32) and the trees as [`TreeEnsemble::encode`] writes them.
#[derive(Debug, Clone, PartialEq)]
pub struct ForestModel {
    task: Task,
    sums: Vec<TreeEnsemble>,
}

impl ForestModel {
    /// The kind's name in a manifest.
    pub const KIND: &'static str = "forest";

    /// A forest whose means are `sums`: for several classes one for each, in their order. Each is a [`Task::Regression`]
    /// ensemble over the same features, whose leaves have been divided by the number of trees.
    pub fn new(task: Task, sums: Vec<TreeEnsemble>) -> Result<Self, ModelError> {
        check_task(&task, "a forest")?;
        if sums.len() != task.columns() {
            return Err(invalid(format!("{} sums of trees for {} numbers", sums.len(), task.columns())));
        }
        let fits = |sum: &TreeEnsemble| {
            *sum.task() == Task::Regression
                && sum.link() == Link::Identity
                && sum.features() == sums[0].features()
                && sum.trees().len() == sums[0].trees().len()
        };
        if !sums.iter().all(fits) {
            return Err(invalid("the sums of trees do not fit each other"));
        }
        Ok(Self { task, sums })
    }

    /// The task.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// The number of features of a row.
    pub fn features(&self) -> usize {
        self.sums.first().map_or(0, TreeEnsemble::features)
    }

    /// The sums of trees, one for each number of a prediction.
    pub fn sums(&self) -> &[TreeEnsemble] {
        &self.sums
    }

    /// Predicts every row.
    pub fn predict(&self, block: &FeatureBlock) -> Columns {
        let mut columns = sum_columns(&self.sums, block);
        if self.task != Task::Regression {
            // Sums of shares may leave the probabilities by the last bit.
            columns.iter_mut().flatten().for_each(|share| *share = share.clamp(0.0, 1.0));
        }
        columns
    }

    /// The contribution of each feature to the probability or the amount; `None` for several classes.
    pub(super) fn contributions(&self, row: &[f64], background: &[Vec<f64>]) -> Option<Contributions> {
        let [sum] = &self.sums[..] else { return None };
        Some(sum.contributions(row, background))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = head(MAGIC, VERSION);
        push_task(&mut bytes, &self.task);
        for sum in &self.sums {
            let trees = sum.encode();
            push_u32(&mut bytes, trees.len() as u32);
            bytes.extend_from_slice(&trees);
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, ModelError> {
        let mut reader = ByteReader::new(bytes, MAGIC, VERSION, "a forest")?;
        let task = reader.task()?;
        let mut sums = Vec::new();
        for _ in 0..task.columns() {
            let length = reader.count(1)?;
            sums.push(TreeEnsemble::decode(reader.take(length)?)?);
        }
        reader.finish()?;
        Self::new(task, sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Learner;
    use crate::trees::{Node, Rule, Split, Tree};

    fn stump(threshold: f64, low: f64, high: f64) -> Tree {
        let split = Split { feature: 0, rule: Rule::AtMost(threshold), missing_left: true, left: 1, right: 2 };
        Tree::new(vec![Node::Split(split), Node::Leaf { value: low }, Node::Leaf { value: high }]).unwrap()
    }

    fn forest() -> ForestModel {
        let sum = |low, high| {
            let trees = vec![stump(1.0, low / 2.0, high / 2.0), stump(2.0, low / 2.0, high / 2.0)];
            TreeEnsemble::new(Task::Regression, 1, 0.0, trees).unwrap()
        };
        let classes = Task::MultiClass { classes: ["a", "b", "c"].map(str::to_owned).to_vec() };
        ForestModel::new(classes, vec![sum(0.5, 0.0), sum(0.5, 0.25), sum(0.0, 0.75)]).unwrap()
    }

    #[test]
    fn probabilities_are_means_of_shares() {
        let columns = forest().predict(&FeatureBlock { rows: 2, columns: vec![vec![1.5, 3.0]] });
        let expected = [[0.25, 0.0], [0.375, 0.25], [0.375, 0.75]];
        for (column, expected) in columns.iter().zip(expected) {
            assert_eq!(column, &expected);
        }
    }

    #[test]
    fn bytes_are_read_back_and_damage_is_refused() {
        let bytes = forest().encode();
        assert_eq!(Learner::decode(ForestModel::KIND, &bytes).unwrap(), Learner::Forest(forest()));
        for end in 0..bytes.len() {
            assert!(ForestModel::decode(&bytes[..end]).is_err(), "{end}");
        }
    }
}
