//! A sum of trees for each class.

use super::bytes::{ByteReader, head, push_text, push_u32};
use super::{Columns, softmax_columns};
use crate::trees::{Link, invalid};
use crate::{FeatureBlock, ModelError, Task, TreeEnsemble};

const MAGIC: [u8; 8] = *b"TMCLASS\0";
const VERSION: u32 = 1;

/// A sum of decision trees for each class; the probabilities are the softmax of the sums.
///
/// # Layout of `learner.bin`, format 1
///
/// Little-endian: `"TMCLASS\0"`, version (u32), classes (u32), then for each class the length of its name (u32), the name,
/// the length of its trees (u32) and the trees as [`TreeEnsemble::encode`] writes them.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassTrees {
    task: Task,
    sums: Vec<TreeEnsemble>,
}

impl ClassTrees {
    /// The kind's name in a manifest.
    pub const KIND: &'static str = "class_trees";

    /// The tree sums of `classes`, in their order. Each is a [`Task::Regression`] ensemble over the same features.
    pub fn new(classes: Vec<String>, sums: Vec<TreeEnsemble>) -> Result<Self, ModelError> {
        let task = Task::MultiClass { classes };
        task.check().map_err(invalid)?;
        if sums.len() != task.columns() {
            return Err(invalid(format!("{} sums of trees for {} classes", sums.len(), task.columns())));
        }
        if sums.iter().any(|sum| sum.link() != Link::Identity || sum.features() != sums[0].features()) {
            return Err(invalid("the sums of trees do not fit each other"));
        }
        Ok(Self { task, sums })
    }

    /// The classes.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// The number of features of a row.
    pub fn features(&self) -> usize {
        self.sums.first().map_or(0, TreeEnsemble::features)
    }

    /// The tree sums, one per class.
    pub fn sums(&self) -> &[TreeEnsemble] {
        &self.sums
    }

    /// The probabilities of every row, one column per class.
    pub fn predict(&self, block: &FeatureBlock) -> Columns {
        let mut columns: Columns = self
            .sums
            .iter()
            .map(|sum| {
                let mut out = Vec::new();
                sum.scores(block, &mut out);
                out
            })
            .collect();
        softmax_columns(&mut columns);
        columns
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = head(MAGIC, VERSION);
        push_u32(&mut bytes, self.sums.len() as u32);
        for (name, sum) in self.task.names().iter().zip(&self.sums) {
            let trees = sum.encode();
            push_text(&mut bytes, name);
            push_u32(&mut bytes, trees.len() as u32);
            bytes.extend_from_slice(&trees);
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, ModelError> {
        let mut reader = ByteReader::new(bytes, MAGIC, VERSION, "trees of several classes")?;
        let count = reader.count(8)?;
        let (mut classes, mut sums) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for _ in 0..count {
            classes.push(reader.text()?);
            let length = reader.count(1)?;
            sums.push(TreeEnsemble::decode(reader.take(length)?)?);
        }
        reader.finish()?;
        Self::new(classes, sums)
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

    fn three() -> ClassTrees {
        let sum = |base, tree| TreeEnsemble::new(Task::Regression, 1, base, vec![tree]).unwrap();
        let sums =
            vec![sum(0.0, stump(1.0, 2.0, 0.0)), sum(0.1, stump(2.0, 0.0, 1.0)), sum(-1.0, stump(0.0, 0.0, 3.0))];
        ClassTrees::new(["a", "b", "c"].map(str::to_owned).to_vec(), sums).unwrap()
    }

    #[test]
    fn probabilities_are_the_softmax_of_the_sums() {
        let columns = three().predict(&FeatureBlock { rows: 2, columns: vec![vec![0.5, 3.0]] });
        // exp of 2, 0.1, 2 and of 0, 1.1, 2, each divided by its sum
        for (row, scores) in [[2.0_f64, 0.1, 2.0], [0.0, 1.1, 2.0]].iter().enumerate() {
            let sum: f64 = scores.iter().map(|score| score.exp()).sum();
            for (column, score) in columns.iter().zip(scores) {
                assert!((column[row] - score.exp() / sum).abs() < 1e-15);
            }
        }
    }

    #[test]
    fn bytes_are_read_back_and_damage_is_refused() {
        let bytes = three().encode();
        assert_eq!(Learner::decode(ClassTrees::KIND, &bytes).unwrap(), Learner::ClassTrees(three()));
        for end in 0..bytes.len() {
            assert!(ClassTrees::decode(&bytes[..end]).is_err(), "{end}");
        }
        let mut many = bytes;
        many[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(ClassTrees::decode(&many).unwrap_err().to_string().contains("more than the bytes hold"));
    }
}
