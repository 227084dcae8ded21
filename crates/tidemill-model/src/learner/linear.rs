//! A weighted sum of the features.

use super::bytes::{ByteReader, head, push_f64, push_text, push_u32};
use super::{Columns, softmax_columns};
use crate::trees::{Contributions, Link, invalid};
use crate::{FeatureBlock, ModelError, Task};

const MAGIC: [u8; 8] = *b"TMLINEAR";
const VERSION: u32 = 1;

/// Linear and logistic regression: each score is an intercept plus a weighted sum of the features. A probability is the
/// logistic function of the score, those of several classes the softmax of their scores. An amount is the score, or its
/// exponential where the logarithm was learned.
///
/// # Layout of `learner.bin`, format 1
///
/// Little-endian: `"TMLINEAR"`, version (u32), task (u32: 0 binary, 1 regression, 2 classes, 3 regression whose score is a
/// logarithm), scores K (u32), for classes K names (length u32, UTF-8), K intercepts (f64), features (u32), and for each
/// feature its categories C (u32, 0 for a number), then for a number what stands for a missing value (f64) and K weights, for
/// categories C × K weights.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearModel {
    task: Task,
    link: Link,
    intercepts: Vec<f64>,
    features: Vec<LinearFeature>,
}

/// The contribution of a feature to the scores.
#[derive(Debug, Clone, PartialEq)]
pub enum LinearFeature {
    /// A number times a weight for each score.
    Number {
        /// The replacement for a missing value.
        missing: f64,
        /// A weight for each score.
        weights: Vec<f64>,
    },
    /// The weights of a category; a missing or unknown category adds nothing.
    Categories {
        /// By category: a weight for each score.
        weights: Vec<Vec<f64>>,
    },
}

impl LinearFeature {
    /// The contribution of the value to the score number `score`.
    #[inline]
    fn adds(&self, value: f64, score: usize) -> f64 {
        match self {
            Self::Number { missing, weights } => weights[score] * if value.is_nan() { *missing } else { value },
            Self::Categories { weights } => {
                let code = value as usize;
                if code as f64 == value { weights.get(code).map_or(0.0, |weights| weights[score]) } else { 0.0 }
            }
        }
    }

    fn all_weights(&self) -> Vec<&[f64]> {
        match self {
            Self::Number { weights, .. } => vec![weights],
            Self::Categories { weights } => weights.iter().map(Vec::as_slice).collect(),
        }
    }
}

impl LinearModel {
    /// The kind's name in a manifest.
    pub const KIND: &'static str = "linear";

    /// A model with an intercept for each score and the contribution of each feature. An error if a number is not
    /// finite or the parts do not match.
    pub fn new(task: Task, intercepts: Vec<f64>, features: Vec<LinearFeature>) -> Result<Self, ModelError> {
        if !matches!(task, Task::Binary | Task::Regression | Task::MultiClass { .. }) {
            return Err(invalid(format!("a linear model does not predict the task {task}")));
        }
        task.check().map_err(invalid)?;
        let scores = task.columns();
        let fits = |weights: &[f64]| weights.len() == scores && weights.iter().all(|weight| weight.is_finite());
        let missing_fits = |feature: &LinearFeature| match feature {
            LinearFeature::Number { missing, .. } => missing.is_finite(),
            LinearFeature::Categories { .. } => true,
        };
        if !fits(&intercepts) || !features.iter().all(|f| missing_fits(f) && f.all_weights().into_iter().all(fits)) {
            return Err(invalid("a weight is not finite, or there are too many or too few"));
        }
        let link = if task == Task::Binary { Link::Logistic } else { Link::Identity };
        Ok(Self { task, link, intercepts, features })
    }

    /// The same model with the prediction `link` makes of a score: [`Link::Exp`] is for [`Task::Regression`].
    pub fn with_link(self, link: Link) -> Result<Self, ModelError> {
        if link != self.link && !(self.task == Task::Regression && link == Link::Exp) {
            return Err(invalid(format!("{link:?} of a linear model is not a prediction for the task {}", self.task)));
        }
        Ok(Self { link, ..self })
    }

    /// What a prediction is of a score, but for several classes.
    pub fn link(&self) -> Link {
        self.link
    }

    /// Its task.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// The intercept of each score.
    pub fn intercepts(&self) -> &[f64] {
        &self.intercepts
    }

    /// The contribution of each feature.
    pub fn features(&self) -> &[LinearFeature] {
        &self.features
    }

    /// Predicts every row, a column for each score.
    pub fn predict(&self, block: &FeatureBlock) -> Columns {
        let mut columns: Columns = (0..self.intercepts.len()).map(|score| self.scores(block, score)).collect();
        if matches!(self.task, Task::MultiClass { .. }) {
            softmax_columns(&mut columns);
        } else if self.link != Link::Identity {
            columns.iter_mut().flatten().for_each(|score| *score = self.link.prediction(*score));
        }
        columns
    }

    /// One score of every row, features added in their order.
    fn scores(&self, block: &FeatureBlock, score: usize) -> Vec<f64> {
        let mut out = vec![self.intercepts[score]; block.rows];
        for (feature, column) in self.features.iter().zip(&block.columns) {
            for (out, value) in out.iter_mut().zip(column) {
                *out += feature.adds(*value, score);
            }
        }
        out
    }

    /// The contribution of each feature to each score of `row`, relative to the mean of `background`.
    pub(super) fn contributions(&self, row: &[f64], background: &[Vec<f64>]) -> Vec<Contributions> {
        let rows = background.len().max(1) as f64;
        let of_score = |(score, intercept): (usize, &f64)| {
            let mut base = *intercept;
            let mut features = Vec::with_capacity(self.features.len());
            for (at, feature) in self.features.iter().enumerate() {
                let adds = |row: &[f64]| feature.adds(row.get(at).copied().unwrap_or(f64::NAN), score);
                let mean = background.iter().map(|other| adds(other)).sum::<f64>() / rows;
                base += mean;
                features.push(adds(row) - mean);
            }
            Contributions { base, features }
        };
        self.intercepts.iter().enumerate().map(of_score).collect()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = head(MAGIC, VERSION);
        let task = match (&self.task, self.link) {
            (Task::Binary, _) => 0,
            (Task::MultiClass { .. }, _) => 2,
            (_, Link::Exp) => 3,
            _ => 1,
        };
        push_u32(&mut bytes, task);
        push_u32(&mut bytes, self.intercepts.len() as u32);
        self.task.names().iter().for_each(|name| push_text(&mut bytes, name));
        self.intercepts.iter().for_each(|weight| push_f64(&mut bytes, *weight));
        push_u32(&mut bytes, self.features.len() as u32);
        for feature in &self.features {
            match feature {
                LinearFeature::Number { missing, .. } => {
                    push_u32(&mut bytes, 0);
                    push_f64(&mut bytes, *missing);
                }
                LinearFeature::Categories { weights } => push_u32(&mut bytes, weights.len() as u32),
            }
            feature.all_weights().into_iter().flatten().for_each(|weight| push_f64(&mut bytes, *weight));
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, ModelError> {
        let mut reader = ByteReader::new(bytes, MAGIC, VERSION, "a linear model")?;
        let number = reader.u32()?;
        let scores = reader.count(8)?;
        let task = match number {
            0 => Task::Binary,
            1 | 3 => Task::Regression,
            2 => Task::MultiClass { classes: (0..scores).map(|_| reader.text()).collect::<Result<_, _>>()? },
            other => return Err(invalid(format!("the task has the number {other}"))),
        };
        let intercepts = (0..scores).map(|_| reader.f64()).collect::<Result<_, _>>()?;
        let count = reader.count(4)?;
        let mut features = Vec::with_capacity(count);
        for _ in 0..count {
            let categories = reader.count(8 * scores)?;
            let mut weights = || (0..scores).map(|_| reader.f64()).collect::<Result<Vec<f64>, ModelError>>();
            features.push(if categories == 0 {
                let missing = reader.f64()?;
                LinearFeature::Number { missing, weights: (0..scores).map(|_| reader.f64()).collect::<Result<_, _>>()? }
            } else {
                LinearFeature::Categories { weights: (0..categories).map(|_| weights()).collect::<Result<_, _>>()? }
            });
        }
        reader.finish()?;
        let model = Self::new(task, intercepts, features)?;
        if number == 3 { model.with_link(Link::Exp) } else { Ok(model) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Learner;

    fn model() -> LinearModel {
        let features = vec![
            LinearFeature::Number { missing: 2.0, weights: vec![0.5] },
            LinearFeature::Categories { weights: vec![vec![1.0], vec![-1.0]] },
        ];
        LinearModel::new(Task::Binary, vec![0.25], features).unwrap()
    }

    #[test]
    fn features_are_weighted_and_what_is_missing_has_its_value() {
        let (numbers, codes) = (vec![1.0, f64::NAN, 0.0], vec![0.0, 1.0, 7.0]);
        let block = FeatureBlock { rows: 3, columns: vec![numbers, codes] };
        let expected = [0.25 + 0.5 + 1.0, 0.25 + 1.0 - 1.0, 0.25].map(|score| 1.0 / (1.0 + f64::exp(-score)));
        assert_eq!(model().predict(&block)[0], expected);
        let background = [vec![1.0, 0.0], vec![0.0, 1.0]];
        let score = model().contributions(&[3.0, 1.0], &background)[0].score();
        assert!((score - (0.25 + 1.5 - 1.0)).abs() < 1e-12);
    }

    #[test]
    fn bytes_are_read_back_and_damage_is_refused() {
        let classes = Task::MultiClass { classes: vec!["a".into(), "b".into(), "c".into()] };
        let feature = LinearFeature::Number { missing: 0.0, weights: vec![1.0, 2.0, 3.0] };
        let several = LinearModel::new(classes, vec![0.0, 0.1, 0.2], vec![feature]).unwrap();
        let number = LinearFeature::Number { missing: 0.0, weights: vec![0.5] };
        let counts = LinearModel::new(Task::Regression, vec![1.0], vec![number]).unwrap().with_link(Link::Exp).unwrap();
        assert_eq!(counts.predict(&FeatureBlock { rows: 1, columns: vec![vec![2.0]] })[0], [f64::exp(2.0)]);
        assert!(model().with_link(Link::Exp).is_err());
        for model in [model(), several, counts] {
            let bytes = model.encode();
            assert_eq!(Learner::decode(LinearModel::KIND, &bytes).unwrap(), Learner::Linear(model));
            for end in 0..bytes.len() {
                assert!(LinearModel::decode(&bytes[..end]).is_err(), "{end}");
            }
        }
        let nan = LinearFeature::Number { missing: f64::NAN, weights: vec![1.0] };
        assert!(LinearModel::new(Task::Regression, vec![0.0], vec![nan]).is_err());
    }
}
