//! The rows nearest to a row.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Columns;
use super::bytes::{ByteReader, check_task, head, push_f64s, push_task, push_u32};
use super::sampled::sampled_contributions;
use crate::trees::{Contributions, invalid};
use crate::{FeatureBlock, ModelError, Task};

const MAGIC: [u8; 8] = *b"TMNEIGHB";
const VERSION: u32 = 1;
/// Rows whose distances are computed together: they stay in the first-level cache from feature to feature.
const RUN_ROWS: usize = 2048;

/// How much a neighbour counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NeighborWeights {
    /// All the same.
    Uniform,
    /// 1 over the distance; where some are at no distance, only those count.
    Distance,
}

/// The power that differences have in a distance, times two: 2 (Manhattan), 3 or 4 (Euclidean).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// Σ |d|.
    One,
    /// (Σ |d|^1.5)^(2/3).
    OneAndHalf,
    /// √Σ d².
    Two,
}

impl Power {
    const ALL: [Self; 3] = [Self::One, Self::OneAndHalf, Self::Two];

    /// The power that `p` is.
    pub fn new(p: f64) -> Option<Self> {
        [(1.0, Self::One), (1.5, Self::OneAndHalf), (2.0, Self::Two)]
            .into_iter()
            .find(|(of, _)| *of == p)
            .map(|(_, power)| power)
    }

    /// The distance of a sum of powers.
    fn root(self, sum: f64) -> f64 {
        match self {
            Self::One => sum,
            Self::OneAndHalf => sum.powf(1.0 / 1.5),
            Self::Two => sum.sqrt(),
        }
    }
}

/// A feature of the stored rows.
#[derive(Debug, Clone, PartialEq)]
pub struct NeighborFeature {
    /// What a number is less by and divided by; `None` for categories.
    pub number: Option<(f64, f64)>,
    /// By row: the standardised number, 0 where it is missing; or the category, −1 where it is missing.
    pub values: Vec<f64>,
}

impl NeighborFeature {
    /// A value as it is stored.
    pub fn stored(number: Option<(f64, f64)>, value: f64) -> f64 {
        match number {
            Some(_) if value.is_nan() => 0.0,
            // Infinite numbers are far from all others, and from each other only if their signs differ.
            Some((centre, unit)) => ((value - centre) / unit).clamp(-1e100, 1e100),
            None if value.is_nan() => -1.0,
            None => value,
        }
    }
}

/// The k nearest of stored rows: classes by their share, an amount by its mean.
///
/// The distance is that of standardised numbers; a category that differs counts 1. Of rows at the same distance, those that were
/// earlier in the training rows are nearer.
///
/// # Layout of `learner.bin`, format 1
///
/// Little-endian: `"TMNEIGHB"`, version (u32), task (u32: 0 binary, 1 regression, 2 classes, then their count and names),
/// neighbours k, weights (0 uniform, 1 by distance), power (0, 1 or 2 for 1, 1.5 and 2), rows, features (u32 each), then for each
/// feature whether it is a number (u32) and what numbers are less by and divided by (f64 each; 0 and 1 for categories), and a value
/// for each row (f64), then a label for each row (f64), and what each counts (f64).
#[derive(Debug, Clone, PartialEq)]
pub struct NeighborsModel {
    task: Task,
    k: usize,
    weights: NeighborWeights,
    power: Power,
    features: Vec<NeighborFeature>,
    labels: Vec<f64>,
    counts: Vec<f64>,
}

/// Distances so far and the rows, nearest first.
type Nearest = Vec<(f64, usize)>;

impl NeighborsModel {
    /// The kind's name in a manifest.
    pub const KIND: &'static str = "neighbors";

    /// A model of rows with `labels` that count as `counts` says, which is above 0 for each.
    pub fn new(
        task: Task,
        k: usize,
        weights: NeighborWeights,
        power: Power,
        features: Vec<NeighborFeature>,
        labels: Vec<f64>,
        counts: Vec<f64>,
    ) -> Result<Self, ModelError> {
        check_task(&task, "a model of neighbours")?;
        if k == 0 || k > labels.len() {
            return Err(invalid(format!("{k} neighbours of {} rows", labels.len())));
        }
        let fits = |feature: &NeighborFeature| {
            feature.values.len() == labels.len()
                && feature.values.iter().all(|value| value.is_finite())
                && feature.number.is_none_or(|(centre, unit)| centre.is_finite() && unit.is_finite() && unit != 0.0)
        };
        let is_label = |label: &f64| match task {
            Task::Regression => label.is_finite(),
            Task::Binary => *label == 0.0 || *label == 1.0,
            _ => label.fract() == 0.0 && (0.0..task.columns() as f64).contains(label),
        };
        let counts_fit = counts.len() == labels.len() && counts.iter().all(|count| *count > 0.0 && count.is_finite());
        if !features.iter().all(fits) || !labels.iter().all(is_label) || !counts_fit {
            return Err(invalid("the rows of the model of neighbours do not fit"));
        }
        Ok(Self { task, k, weights, power, features, labels, counts })
    }

    /// Its task.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// How many neighbours count.
    pub fn k(&self) -> usize {
        self.k
    }

    /// How much each counts.
    pub fn weights(&self) -> NeighborWeights {
        self.weights
    }

    /// The power of differences.
    pub fn power(&self) -> Power {
        self.power
    }

    /// The features of the rows.
    pub fn features(&self) -> &[NeighborFeature] {
        &self.features
    }

    /// The labels of the rows.
    pub fn labels(&self) -> &[f64] {
        &self.labels
    }

    /// What the rows count.
    pub fn counts(&self) -> &[f64] {
        &self.counts
    }

    /// Predicts every row.
    pub fn predict(&self, block: &FeatureBlock) -> Columns {
        self.predict_without(block, |_| None)
    }

    /// As [`predict`](Self::predict), where each row is not a neighbour of the stored row whose number `own` gives.
    pub fn predict_without(&self, block: &FeatureBlock, own: impl Fn(usize) -> Option<usize>) -> Columns {
        let mut columns: Columns = (0..self.task.columns()).map(|_| Vec::with_capacity(block.rows)).collect();
        let mut shares = vec![0.0; columns.len()];
        let mut stored = vec![0.0; self.features.len()];
        for row in 0..block.rows {
            for (at, (stored, feature)) in stored.iter_mut().zip(&self.features).enumerate() {
                let value = block.columns.get(at).map_or(f64::NAN, |column| column[row]);
                *stored = NeighborFeature::stored(feature.number, value);
            }
            self.share_out(&self.nearest(&stored, own(row)), &mut shares);
            columns.iter_mut().zip(&shares).for_each(|(column, share)| column.push(*share));
        }
        columns
    }

    /// The nearest rows of a row as it would be stored, without the row `skipped`.
    fn nearest(&self, row: &[f64], skipped: Option<usize>) -> Nearest {
        let mut found: Nearest = Vec::with_capacity(self.k + 1);
        let mut sums = vec![0.0; RUN_ROWS.min(self.labels.len())];
        for from in (0..self.labels.len()).step_by(RUN_ROWS) {
            let to = (from + RUN_ROWS).min(self.labels.len());
            let sums = &mut sums[..to - from];
            sums.fill(0.0);
            for (feature, value) in self.features.iter().zip(row) {
                let stored = sums.iter_mut().zip(&feature.values[from..to]);
                match (feature.number, self.power) {
                    (None, _) => stored.for_each(|(sum, other)| *sum += if other == value { 0.0 } else { 1.0 }),
                    (_, Power::One) => stored.for_each(|(sum, other)| *sum += (value - other).abs()),
                    (_, Power::Two) => stored.for_each(|(sum, other)| *sum += (value - other) * (value - other)),
                    (_, Power::OneAndHalf) => stored.for_each(|(sum, other)| {
                        let apart = (value - other).abs();
                        *sum += apart * apart.sqrt();
                    }),
                }
            }
            for (at, sum) in sums.iter().enumerate() {
                // A later row at the same distance is not nearer.
                if found.len() == self.k && found[self.k - 1].0 <= *sum || skipped == Some(from + at) {
                    continue;
                }
                let place = found.partition_point(|(other, _)| other <= sum);
                found.insert(place, (*sum, from + at));
                found.truncate(self.k);
            }
        }
        found
    }

    /// The shares of classes among the neighbours, or their mean, in the order of their distance.
    fn share_out(&self, nearest: &Nearest, shares: &mut [f64]) {
        shares.fill(0.0);
        let is_there = nearest.first().is_some_and(|(sum, _)| *sum == 0.0);
        let mut total = 0.0;
        for (sum, row) in nearest {
            let weight = match self.weights {
                NeighborWeights::Uniform => 1.0,
                NeighborWeights::Distance if is_there => f64::from(u8::from(*sum == 0.0)),
                NeighborWeights::Distance => 1.0 / self.power.root(*sum),
            };
            let (weight, label) = (weight * self.counts[*row], self.labels[*row]);
            total += weight;
            match self.task {
                Task::MultiClass { .. } => shares[label as usize] += weight,
                _ => shares[0] += weight * label,
            }
        }
        shares.iter_mut().for_each(|share| *share /= total);
    }

    /// The contribution of each feature to the probability or the amount, estimated: see [`sampled_contributions`]; `None` for
    /// several classes.
    pub(super) fn contributions(&self, row: &[f64], background: &[Vec<f64>]) -> Option<Contributions> {
        let scores = |block: &FeatureBlock| self.predict(block).swap_remove(0);
        (self.task.columns() == 1).then(|| sampled_contributions(row, background, &scores))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = head(MAGIC, VERSION);
        push_task(&mut bytes, &self.task);
        push_u32(&mut bytes, self.k as u32);
        push_u32(&mut bytes, u32::from(self.weights == NeighborWeights::Distance));
        push_u32(&mut bytes, Power::ALL.iter().position(|power| *power == self.power).unwrap_or_default() as u32);
        push_u32(&mut bytes, self.labels.len() as u32);
        push_u32(&mut bytes, self.features.len() as u32);
        for feature in &self.features {
            let (centre, unit) = feature.number.unwrap_or((0.0, 1.0));
            push_u32(&mut bytes, u32::from(feature.number.is_some()));
            push_f64s(&mut bytes, &[centre, unit]);
            push_f64s(&mut bytes, &feature.values);
        }
        push_f64s(&mut bytes, &self.labels);
        push_f64s(&mut bytes, &self.counts);
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, ModelError> {
        let mut reader = ByteReader::new(bytes, MAGIC, VERSION, "a model of neighbours")?;
        let task = reader.task()?;
        let k = reader.u32()? as usize;
        let weights = match reader.u32()? {
            0 => NeighborWeights::Uniform,
            1 => NeighborWeights::Distance,
            other => return Err(invalid(format!("the weights have the number {other}"))),
        };
        let number = reader.u32()?;
        let power =
            *Power::ALL.get(number as usize).ok_or_else(|| invalid(format!("the power has the number {number}")))?;
        let rows = reader.count(8)?;
        let count = reader.count(20)?;
        let features = (0..count)
            .map(|_| {
                let is_number = reader.u32()? != 0;
                let number = (reader.f64()?, reader.f64()?);
                Ok(NeighborFeature { number: is_number.then_some(number), values: reader.f64s(rows)? })
            })
            .collect::<Result<_, ModelError>>()?;
        let (labels, counts) = (reader.f64s(rows)?, reader.f64s(rows)?);
        reader.finish()?;
        Self::new(task, k, weights, power, features, labels, counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Learner;

    fn model(task: Task, k: usize, weights: NeighborWeights, power: Power) -> NeighborsModel {
        let number = NeighborFeature { number: Some((10.0, 2.0)), values: vec![-1.0, 0.0, 0.0, 1.0, 3.0] };
        let category = NeighborFeature { number: None, values: vec![0.0, 1.0, 0.0, 0.0, -1.0] };
        let labels = match task {
            Task::MultiClass { .. } => vec![0.0, 1.0, 2.0, 2.0, 0.0],
            Task::Binary => vec![0.0, 1.0, 1.0, 0.0, 0.0],
            _ => vec![1.0, 2.0, 3.0, 4.0, 5.0],
        };
        NeighborsModel::new(task, k, weights, power, vec![number, category], labels, vec![1.0; 5]).unwrap()
    }

    fn at(model: &NeighborsModel, number: f64, category: f64) -> Vec<f64> {
        let block = FeatureBlock { rows: 1, columns: vec![vec![number], vec![category]] };
        model.predict(&block).iter().map(|column| column[0]).collect()
    }

    #[test]
    fn neighbours_are_found_and_ties_go_to_the_earlier_row() {
        let uniform = |k| model(Task::Regression, k, NeighborWeights::Uniform, Power::Two);
        // 10 is 0: rows 1 and 2 are at 0 by number, and row 1 differs by category.
        assert_eq!(at(&uniform(1), 10.0, 0.0), [3.0]);
        // Rows 0, 1 and 3 are all at distance 1.
        assert_eq!(at(&uniform(2), 10.0, 0.0), [2.0]);
        assert_eq!(at(&uniform(3), 10.0, 0.0), [2.0]);
        // A missing number is the mean, a missing category one of its own.
        assert_eq!(at(&uniform(1), f64::NAN, 1.0), [2.0]);
        assert_eq!(at(&uniform(1), 16.0, f64::NAN), [5.0]);
        assert_eq!(at(&uniform(5), f64::INFINITY, 7.0), [3.0]);
    }

    #[test]
    fn nearer_rows_count_more_and_rows_at_no_distance_alone() {
        let by_distance = |power| model(Task::Regression, 3, NeighborWeights::Distance, power);
        assert_eq!(at(&by_distance(Power::Two), 10.0, 0.0), [3.0]);
        // 11 is 0.5: row 2 at 0.5, row 3 at 0.5, row 1 at √1.25.
        let far = 1.0 / 1.25_f64.sqrt();
        let expected = (2.0 * 3.0 + 2.0 * 4.0 + far * 2.0) / (4.0 + far);
        assert!((at(&by_distance(Power::Two), 11.0, 0.0)[0] - expected).abs() < 1e-12);
        let far = 1.0 / (0.5_f64.powf(1.5) + 1.0).powf(2.0 / 3.0);
        let expected = (2.0 * 3.0 + 2.0 * 4.0 + far * 2.0) / (4.0 + far);
        assert!((at(&by_distance(Power::OneAndHalf), 11.0, 0.0)[0] - expected).abs() < 1e-12);
    }

    #[test]
    fn shares_of_classes_are_probabilities() {
        let classes = Task::MultiClass { classes: ["a", "b", "c"].map(str::to_owned).to_vec() };
        let model = model(classes, 4, NeighborWeights::Uniform, Power::One);
        assert_eq!(at(&model, 10.0, 0.0), [0.25, 0.25, 0.5]);
    }

    #[test]
    fn bytes_are_read_back_and_damage_is_refused() {
        let classes = Task::MultiClass { classes: ["a", "b", "c"].map(str::to_owned).to_vec() };
        for (task, power) in [(Task::Binary, Power::One), (classes, Power::OneAndHalf)] {
            let model = model(task, 2, NeighborWeights::Distance, power);
            let bytes = model.encode();
            assert_eq!(Learner::decode(NeighborsModel::KIND, &bytes).unwrap(), Learner::Neighbors(model));
            for end in 0..bytes.len() {
                assert!(NeighborsModel::decode(&bytes[..end]).is_err(), "{end}");
            }
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 0x81;
                let _ = NeighborsModel::decode(&damaged);
            }
        }
    }
}
