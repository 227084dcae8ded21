//! Several learners, averaged.

use super::bytes::{ByteReader, check_task, head, push_f64, push_text, push_u32};
use super::sampled::sampled_contributions;
use super::{Calibrated, Columns, Learner};
use crate::trees::{Contributions, invalid};
use crate::{FeatureBlock, ModelError, Task};

const MAGIC: [u8; 8] = *b"TMENSEM\0";
const VERSION: u32 = 1;
/// Probabilities are this far from 0 and 1 at least when an explanation takes their log-odds.
const PROBABILITY_MIN: f64 = 1e-12;

/// A learner of an ensemble.
#[derive(Debug, Clone, PartialEq)]
pub struct EnsembleMember {
    /// What its prediction counts, above 0.
    pub weight: f64,
    /// The learner.
    pub learner: Learner,
}

/// Learners of one task over the same features: the weighted mean of their probabilities, or of their amounts.
///
/// # Layout of `learner.bin`, format 1
///
/// Little-endian: `"TMENSEM\0"`, version (u32), members (u32), then for each its weight (f64), its kind (length u32, UTF-8), the
/// length of its bytes (u32), and its bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct EnsembleModel {
    members: Vec<EnsembleMember>,
}

impl EnsembleModel {
    /// The kind's name in a manifest.
    pub const KIND: &'static str = "ensemble";

    /// An ensemble of `members`, of which there is at least one. They are neither ensembles nor calibrated: an ensemble is
    /// calibrated as a whole.
    pub fn new(members: Vec<EnsembleMember>) -> Result<Self, ModelError> {
        let Some(first) = members.first() else { return Err(invalid("an ensemble has no members")) };
        check_task(first.learner.task(), "an ensemble")?;
        for member in &members {
            let learner = &member.learner;
            if !(member.weight > 0.0 && member.weight.is_finite()) {
                return Err(invalid(format!("a member of an ensemble has the weight {}", member.weight)));
            }
            if [Self::KIND, Calibrated::KIND].contains(&learner.kind()) {
                return Err(invalid(format!("a member of an ensemble is of the kind `{}`", learner.kind())));
            }
            if learner.task() != first.learner.task() || learner.feature_count() != first.learner.feature_count() {
                return Err(invalid("the members of an ensemble have several tasks or features"));
            }
        }
        Ok(Self { members })
    }

    /// Its members.
    pub fn members(&self) -> &[EnsembleMember] {
        &self.members
    }

    /// What each member counts as a share of 1.
    pub fn shares(&self) -> impl Iterator<Item = f64> {
        let total: f64 = self.members.iter().map(|member| member.weight).sum();
        self.members.iter().map(move |member| member.weight / total)
    }

    /// Its task.
    pub fn task(&self) -> &Task {
        self.members[0].learner.task()
    }

    /// The number of its features.
    pub fn features(&self) -> usize {
        self.members[0].learner.feature_count()
    }

    pub(super) fn tolerance(&self) -> Option<f64> {
        self.members.iter().filter_map(|member| member.learner.tolerance()).reduce(f64::max)
    }

    pub(super) fn predict(&self, block: &FeatureBlock) -> Result<Columns, ModelError> {
        let mut sums = Columns::new();
        for (member, share) in self.members.iter().zip(self.shares()) {
            let columns = member.learner.predict(block)?;
            if sums.is_empty() {
                sums = columns.iter().map(|column| vec![0.0; column.len()]).collect();
            }
            for (sum, column) in sums.iter_mut().zip(&columns) {
                sum.iter_mut().zip(column).for_each(|(sum, value)| *sum += share * value);
            }
        }
        if *self.task() != Task::Regression {
            // Sums of shares may leave the probabilities by the last bit.
            sums.iter_mut().flatten().for_each(|share| *share = share.clamp(0.0, 1.0));
        }
        Ok(sums)
    }

    /// The contributions to the log-odds or the amount; `None` for several classes.
    pub(super) fn contributions(&self, row: &[f64], background: &[Vec<f64>]) -> Option<Contributions> {
        let is_binary = match self.task() {
            Task::Binary => true,
            Task::Regression => false,
            _ => return None,
        };
        let log_odds = |value: f64| {
            let probability = value.clamp(PROBABILITY_MIN, 1.0 - PROBABILITY_MIN);
            (probability / (1.0 - probability)).ln()
        };
        let scores = |block: &FeatureBlock| -> Vec<f64> {
            let Ok(mut columns) = self.predict(block) else { return vec![f64::NAN; block.rows] };
            let values = columns.swap_remove(0);
            if is_binary { values.into_iter().map(log_odds).collect() } else { values }
        };
        Some(sampled_contributions(row, background, &scores))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = head(MAGIC, VERSION);
        push_u32(&mut bytes, self.members.len() as u32);
        for member in &self.members {
            push_f64(&mut bytes, member.weight);
            push_text(&mut bytes, member.learner.kind());
            let of_learner = member.learner.encode();
            push_u32(&mut bytes, of_learner.len() as u32);
            bytes.extend(of_learner);
        }
        bytes
    }

    /// Reads the bytes; `read` reads those of a member, of the kind that it is given.
    pub(super) fn decode(
        bytes: &[u8],
        read: impl Fn(&str, &[u8]) -> Result<Learner, ModelError>,
    ) -> Result<Self, ModelError> {
        let mut reader = ByteReader::new(bytes, MAGIC, VERSION, "an ensemble")?;
        // A weight, two lengths and a kind of one letter.
        let count = reader.count(17)?;
        let mut members = Vec::with_capacity(count);
        for _ in 0..count {
            let weight = reader.f64()?;
            let kind = reader.text()?;
            if [Self::KIND, Calibrated::KIND].contains(&kind.as_str()) {
                return Err(invalid(format!("a member of an ensemble is of the kind `{kind}`")));
            }
            let length = reader.count(1)?;
            members.push(EnsembleMember { weight, learner: read(&kind, reader.take(length)?)? });
        }
        reader.finish()?;
        Self::new(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Calibration, LinearFeature, LinearModel};

    fn linear(task: Task, slope: f64) -> Learner {
        let scores = task.columns();
        let weights = (0..scores).map(|score| slope + score as f64).collect();
        let feature = LinearFeature::Number { missing: 0.0, weights };
        Learner::Linear(LinearModel::new(task, vec![0.5; scores], vec![feature]).unwrap())
    }

    fn ensemble(task: &Task) -> EnsembleModel {
        let member = |weight, slope| EnsembleMember { weight, learner: linear(task.clone(), slope) };
        EnsembleModel::new(vec![member(3.0, 1.0), member(1.0, -2.0)]).unwrap()
    }

    fn tasks() -> [Task; 3] {
        [Task::Binary, Task::Regression, Task::MultiClass { classes: ["a", "b", "c"].map(str::to_owned).to_vec() }]
    }

    fn block() -> FeatureBlock {
        FeatureBlock { rows: 4, columns: vec![vec![-3.0, 0.0, 0.2, 40.0]] }
    }

    #[test]
    fn predictions_are_weighted_means_and_a_row_alone_gives_the_same_bits() {
        for task in tasks() {
            let all = ensemble(&task).predict(&block()).unwrap();
            let [one, other] = [1.0, -2.0].map(|slope| linear(task.clone(), slope).predict(&block()).unwrap());
            for (column, all) in all.iter().enumerate() {
                for (row, value) in all.iter().enumerate() {
                    let mean = 0.75 * one[column][row] + 0.25 * other[column][row];
                    assert!((value - mean).abs() < 1e-12, "{task}");
                    let alone = FeatureBlock { rows: 1, columns: vec![vec![block().columns[0][row]]] };
                    assert_eq!(ensemble(&task).predict(&alone).unwrap()[column][0].to_bits(), value.to_bits());
                }
            }
        }
    }

    #[test]
    fn contributions_sum_to_the_log_odds() {
        let explained = ensemble(&Task::Binary).contributions(&[0.4], &[vec![1.0], vec![-2.0]]).unwrap();
        let one = FeatureBlock { rows: 1, columns: vec![vec![0.4]] };
        let probability = ensemble(&Task::Binary).predict(&one).unwrap()[0][0];
        let score = explained.base + explained.features.iter().sum::<f64>();
        assert!((score - (probability / (1.0 - probability)).ln()).abs() < 1e-12);
        assert!(ensemble(&tasks()[2]).contributions(&[0.4], &[vec![1.0]]).is_none());
    }

    #[test]
    fn bytes_are_read_back_and_damage_is_refused() {
        for task in tasks() {
            let learner = Learner::Ensemble(ensemble(&task));
            let bytes = learner.encode();
            assert_eq!(Learner::decode(EnsembleModel::KIND, &bytes).unwrap(), learner);
            for end in 0..bytes.len() {
                assert!(Learner::decode(EnsembleModel::KIND, &bytes[..end]).is_err(), "{end}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let member = |weight, learner| EnsembleMember { weight, learner };
        let binary = || linear(Task::Binary, 1.0);
        let calibrated =
            Learner::Calibrated(Box::new(Calibrated::new(binary(), Calibration::Temperature(1.0)).unwrap()));
        for members in [
            vec![],
            vec![member(0.0, binary())],
            vec![member(f64::INFINITY, binary())],
            vec![member(1.0, binary()), member(1.0, linear(Task::Regression, 1.0))],
            vec![member(1.0, Learner::Ensemble(ensemble(&Task::Binary)))],
            vec![member(1.0, calibrated)],
        ] {
            assert!(EnsembleModel::new(members).is_err());
        }
    }
}
