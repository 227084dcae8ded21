//! Several sums of trees: one for each class, label or level.

use super::bytes::{ByteReader, head, push_text, push_u32};
use super::{Columns, logistic, softmax_columns, sum_columns};
use crate::trees::{Contributions, Link, invalid};
use crate::{FeatureBlock, ModelError, Task, TreeEnsemble};

const MAGIC: [u8; 8] = *b"TMCLASS\0";
/// The format of softmax, which has no number of a rule.
const SOFTMAX_VERSION: u32 = 1;
const VERSION: u32 = 2;
const WHAT: &str = "trees of several sums";

/// What the predictions of a row are of its sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SumRule {
    /// Probabilities of classes: the softmax of the sums.
    Softmax,
    /// Probabilities of classes, each of which was learned against the rest: the logistic functions of the sums, divided by
    /// their sum.
    OneVsAll,
    /// Probabilities of labels: the logistic function of each sum.
    Each,
    /// Quantiles: the sums in ascending order, so that no quantile is above one of a higher level (Chernozhukov,
    /// Fernández-Val and Galichon, "Quantile and probability curves without crossing", Econometrica 78, 2010).
    Ascending,
}

impl SumRule {
    /// Every rule, by its number in stored bytes.
    const ALL: [Self; 4] = [Self::Softmax, Self::OneVsAll, Self::Each, Self::Ascending];

    /// The task of a rule, where `names` are its classes, labels or levels.
    fn task(self, names: Vec<String>) -> Task {
        match self {
            Self::Softmax | Self::OneVsAll => Task::MultiClass { classes: names },
            Self::Each => Task::MultiLabel { labels: names },
            Self::Ascending => Task::Quantiles { levels: names },
        }
    }

    /// Turns the sums of each row, a column each, into its predictions.
    fn apply(self, columns: &mut [Vec<f64>]) {
        match self {
            Self::Softmax => softmax_columns(columns),
            Self::Each => columns.iter_mut().flatten().for_each(|score| *score = logistic(*score)),
            Self::OneVsAll => {
                columns.iter_mut().flatten().for_each(|score| *score = logistic(*score));
                each_row(columns, |row| {
                    let sum = row.iter().sum::<f64>().max(f64::MIN_POSITIVE);
                    row.iter_mut().for_each(|share| *share /= sum);
                });
            }
            Self::Ascending => each_row(columns, |row| row.sort_unstable_by(f64::total_cmp)),
        }
    }
}

/// Changes the values of each row.
fn each_row(columns: &mut [Vec<f64>], change: impl Fn(&mut [f64])) {
    let mut values = vec![0.0; columns.len()];
    for row in 0..columns.first().map_or(0, Vec::len) {
        values.iter_mut().zip(&*columns).for_each(|(value, column)| *value = column[row]);
        change(&mut values);
        columns.iter_mut().zip(&values).for_each(|(column, value)| column[row] = *value);
    }
}

/// A sum of decision trees for each class, label or level; a [`SumRule`] makes predictions of the sums.
///
/// # Layout of `learner.bin`, formats 1 and 2
///
/// Little-endian: `"TMCLASS\0"`, version (u32), in format 2 the number of the rule (u32: 1 one against all, 2 each, 3
/// ascending; format 1 is softmax), sums (u32), then for each sum the length of its name (u32), the name, the length of its
/// trees (u32) and the trees as [`TreeEnsemble::encode`] writes them.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassTrees {
    task: Task,
    rule: SumRule,
    sums: Vec<TreeEnsemble>,
}

impl ClassTrees {
    /// The kind's name in a manifest.
    pub const KIND: &'static str = "class_trees";

    /// The tree sums of `classes`, in their order, whose softmax is predicted. Each is a [`Task::Regression`] ensemble over the
    /// same features.
    pub fn new(classes: Vec<String>, sums: Vec<TreeEnsemble>) -> Result<Self, ModelError> {
        Self::with_rule(SumRule::Softmax, classes, sums)
    }

    /// As [`new`](Self::new), with any rule; `names` are classes, labels or levels.
    pub fn with_rule(rule: SumRule, names: Vec<String>, sums: Vec<TreeEnsemble>) -> Result<Self, ModelError> {
        let task = rule.task(names);
        task.check().map_err(invalid)?;
        if sums.len() != task.names().len() {
            return Err(invalid(format!("{} sums of trees for {} names", sums.len(), task.names().len())));
        }
        let fits = |sum: &TreeEnsemble| {
            *sum.task() == Task::Regression && sum.link() == Link::Identity && sum.offset().is_none()
        };
        if sums.iter().any(|sum| !fits(sum) || sum.features() != sums[0].features()) {
            return Err(invalid("the sums of trees do not fit each other"));
        }
        Ok(Self { task, rule, sums })
    }

    /// The task, with the names of the sums.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// What the predictions are of the sums.
    pub fn rule(&self) -> SumRule {
        self.rule
    }

    /// The number of features of a row.
    pub fn features(&self) -> usize {
        self.sums.first().map_or(0, TreeEnsemble::features)
    }

    /// The tree sums, one for each name.
    pub fn sums(&self) -> &[TreeEnsemble] {
        &self.sums
    }

    /// The predictions of every row, one column for each name.
    pub fn predict(&self, block: &FeatureBlock) -> Columns {
        let mut columns = sum_columns(&self.sums, block);
        self.rule.apply(&mut columns);
        columns
    }

    /// The contributions of each sum, see [`TreeEnsemble::contributions`], in the order of the predictions: of quantiles, those
    /// of the sum that a row's quantile is.
    pub fn contributions(&self, row: &[f64], background: &[Vec<f64>]) -> Vec<Contributions> {
        let mut each: Vec<Contributions> = self.sums.iter().map(|sum| sum.contributions(row, background)).collect();
        if self.rule == SumRule::Ascending {
            each.sort_by(|a, b| a.score().total_cmp(&b.score()));
        }
        each
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = if self.rule == SumRule::Softmax {
            head(MAGIC, SOFTMAX_VERSION)
        } else {
            let mut bytes = head(MAGIC, VERSION);
            let number = SumRule::ALL.iter().position(|rule| *rule == self.rule).unwrap_or_default();
            push_u32(&mut bytes, number as u32);
            bytes
        };
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
        let is_newer = bytes.get(8..12).is_some_and(|version| *version == VERSION.to_le_bytes());
        let (mut reader, rule) = if is_newer {
            let mut reader = ByteReader::new(bytes, MAGIC, VERSION, WHAT)?;
            let number = reader.u32()? as usize;
            let rule = SumRule::ALL.get(number).filter(|rule| **rule != SumRule::Softmax);
            (reader, *rule.ok_or_else(|| invalid(format!("the rule of the sums has the number {number}")))?)
        } else {
            (ByteReader::new(bytes, MAGIC, SOFTMAX_VERSION, WHAT)?, SumRule::Softmax)
        };
        let count = reader.count(8)?;
        let (mut names, mut sums) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for _ in 0..count {
            names.push(reader.text()?);
            let length = reader.count(1)?;
            sums.push(TreeEnsemble::decode(reader.take(length)?)?);
        }
        reader.finish()?;
        Self::with_rule(rule, names, sums)
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
    fn rules_make_probabilities_and_quantiles_of_the_sums() {
        let block = FeatureBlock { rows: 2, columns: vec![vec![0.5, 3.0]] };
        let scores = [[2.0_f64, 0.1, 2.0], [0.0, 1.1, 2.0]];
        let of = |rule, names: [&str; 3]| {
            ClassTrees::with_rule(rule, names.map(str::to_owned).to_vec(), three().sums).unwrap().predict(&block)
        };
        let each = of(SumRule::Each, ["a", "b", "c"]);
        let shares = of(SumRule::OneVsAll, ["a", "b", "c"]);
        let quantiles = of(SumRule::Ascending, ["0.1", "0.5", "0.9"]);
        for (row, scores) in scores.iter().enumerate() {
            let mut sorted = *scores;
            sorted.sort_by(f64::total_cmp);
            let sum: f64 = scores.iter().map(|score| logistic(*score)).sum();
            for at in 0..3 {
                assert!((each[at][row] - logistic(scores[at])).abs() < 1e-15);
                assert!((shares[at][row] - logistic(scores[at]) / sum).abs() < 1e-15);
                assert!((quantiles[at][row] - sorted[at]).abs() < 1e-15);
            }
        }
        // Far from all classes, probabilities stay numbers.
        let sum = |base| TreeEnsemble::new(Task::Regression, 1, base, Vec::new()).unwrap();
        let far = ClassTrees::with_rule(SumRule::OneVsAll, vec!["a".into(), "b".into()], vec![sum(-1e4), sum(-1e4)]);
        assert!(far.unwrap().predict(&block).iter().flatten().all(|share| share.is_finite()));
    }

    #[test]
    fn contributions_of_each_sum_add_up_to_its_score() {
        let background = [vec![0.0], vec![1.5], vec![5.0]];
        let explained = three().contributions(&[0.5], &background);
        for (of_class, expected) in explained.iter().zip([2.0, 0.1, 2.0]) {
            assert!((of_class.score() - expected).abs() < 1e-12, "{explained:?}");
        }
        let names = ["0.1", "0.5", "0.9"].map(str::to_owned).to_vec();
        let quantiles = ClassTrees::with_rule(SumRule::Ascending, names, three().sums).unwrap();
        let scores: Vec<f64> = quantiles.contributions(&[3.0], &background).iter().map(Contributions::score).collect();
        assert!(scores.is_sorted() && (scores[0]).abs() < 1e-12, "{scores:?}");
    }

    #[test]
    fn bytes_are_read_back_and_damage_is_refused() {
        for (rule, names) in [
            (SumRule::Softmax, ["a", "b", "c"]),
            (SumRule::OneVsAll, ["a", "b", "c"]),
            (SumRule::Each, ["a", "b", "c"]),
            (SumRule::Ascending, ["0.1", "0.5", "0.9"]),
        ] {
            let trees = ClassTrees::with_rule(rule, names.map(str::to_owned).to_vec(), three().sums).unwrap();
            let bytes = trees.encode();
            assert_eq!(Learner::decode(ClassTrees::KIND, &bytes).unwrap(), Learner::ClassTrees(trees));
            for end in 0..bytes.len() {
                assert!(ClassTrees::decode(&bytes[..end]).is_err(), "{end}");
            }
        }
        let mut many = three().encode();
        many[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(ClassTrees::decode(&many).unwrap_err().to_string().contains("more than the bytes hold"));
    }
}
