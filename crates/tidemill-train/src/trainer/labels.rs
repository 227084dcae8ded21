//! Labels of a split: read batch by batch, then checked as a whole.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{AsArray, RecordBatch};
use tidemill_model::{BoundLabel, LabelKind};

use super::error::TrainError;

/// Different texts at most: more are no classes.
const TEXTS_MAX: usize = 100_000;

/// The texts of a label by their numbers, the same in every split.
#[derive(Debug, Default)]
pub(super) struct Texts {
    numbers: HashMap<String, usize>,
    pub(super) names: Vec<String>,
}

impl Texts {
    fn number(&mut self, text: &str) -> usize {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        self.names.push(text.to_owned());
        self.numbers.insert(text.to_owned(), self.names.len() - 1);
        self.names.len() - 1
    }
}

/// The labels of one split: numbers, or numbers of texts.
#[derive(Debug)]
pub(super) struct Labels {
    pub(super) label: String,
    pub(super) split: String,
    pub(super) kind: LabelKind,
    pub(super) values: Vec<f64>,
    /// What the rows count for.
    pub(super) weights: Option<Vec<f64>>,
    /// The numbers of their queries, for a ranking.
    pub(super) groups: Option<Vec<u32>>,
    missing: u64,
    first_missing: Option<u64>,
}

impl Labels {
    pub(super) fn new(label: &str, split: &str, rows: usize) -> Self {
        Self {
            label: label.to_owned(),
            split: split.to_owned(),
            kind: LabelKind::Number,
            values: Vec::with_capacity(rows),
            weights: None,
            groups: None,
            missing: 0,
            first_missing: None,
        }
    }

    /// Takes the labels of the next rows.
    pub(super) fn push(
        &mut self,
        bound: &BoundLabel,
        batch: &RecordBatch,
        texts: &mut Texts,
    ) -> Result<(), TrainError> {
        self.kind = bound.kind();
        let values: Vec<Option<f64>> = if self.kind == LabelKind::Text {
            let array = bound.array(batch)?;
            let values = array.as_string::<i32>();
            let numbers = values.iter().map(|text| text.map(|text| texts.number(text) as f64)).collect();
            if texts.names.len() > TEXTS_MAX {
                return Err(TrainError::TooManyTexts { label: self.label.clone(), texts: TEXTS_MAX });
            }
            numbers
        } else {
            bound.optional_values(batch)?
        };
        for value in values {
            if value.is_none() {
                self.first_missing.get_or_insert(self.values.len() as u64);
                self.missing += 1;
            }
            self.values.push(value.unwrap_or(f64::NAN));
        }
        Ok(())
    }

    /// Refuses a split without rows, missing and infinite labels, and a label that never varies.
    pub(super) fn check(&self, texts: &Texts) -> Result<(), TrainError> {
        let (label, split) = (self.label.clone(), self.split.clone());
        if let Some(first_row) = self.first_missing {
            let rows = self.values.len() as u64;
            return Err(TrainError::LabelMissing { label, split, count: self.missing, rows, first_row });
        }
        self.require(f64::is_finite, || "a label must be a finite number".to_owned())?;
        if let Some(weights) = &self.weights
            && !weights.is_empty()
            && weights.iter().all(|weight| *weight == 0.0)
        {
            return Err(TrainError::WeightsZero { split });
        }
        match self.values.first() {
            None => Err(TrainError::SplitEmpty { split }),
            Some(&value) if self.values.iter().all(|other| *other == value) => {
                let value =
                    if self.kind == LabelKind::Text { texts.names[value as usize].clone() } else { value.to_string() };
                Err(TrainError::LabelConstant { label, split, value })
            }
            Some(_) => Ok(()),
        }
    }

    /// Takes out the rows that `chosen` says, in their order.
    pub(super) fn take(&mut self, chosen: &[bool], split: &str) -> Self {
        Self {
            label: self.label.clone(),
            split: split.to_owned(),
            kind: self.kind,
            values: taken(&mut self.values, chosen),
            weights: self.weights.as_mut().map(|weights| taken(weights, chosen)),
            groups: self.groups.as_mut().map(|groups| taken(groups, chosen)),
            missing: 0,
            first_missing: None,
        }
    }

    /// The labels of the rows that `chosen` says, which stay.
    pub(super) fn only(&self, chosen: &[bool], split: &str) -> Self {
        let of = |values: &Vec<f64>| {
            values.iter().zip(chosen).filter(|(_, chosen)| **chosen).map(|(value, _)| *value).collect()
        };
        Self {
            label: self.label.clone(),
            split: split.to_owned(),
            kind: self.kind,
            values: of(&self.values),
            weights: self.weights.as_ref().map(of),
            groups: self.groups.as_ref().map(|groups| {
                groups.iter().zip(chosen).filter(|(_, chosen)| **chosen).map(|(group, _)| *group).collect()
            }),
            missing: 0,
            first_missing: None,
        }
    }

    /// How many rows have each value, where there are no more than `values_max`. Values are in order.
    pub(super) fn counts(&self, values_max: usize) -> Option<Vec<(f64, u64)>> {
        let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
        for value in &self.values {
            // Adding 0 makes one value of −0 and 0.
            *counts.entry((value + 0.0).to_bits()).or_default() += 1;
            if counts.len() > values_max {
                return None;
            }
        }
        let mut counts: Vec<(f64, u64)> = counts.into_iter().map(|(bits, rows)| (f64::from_bits(bits), rows)).collect();
        counts.sort_by(|a, b| a.0.total_cmp(&b.0));
        Some(counts)
    }

    pub(super) fn mean(&self) -> f64 {
        let rows = self.values.len() as f64;
        self.values.iter().map(|value| value / rows).sum()
    }

    /// An error that names the first row whose value is not `fine`, with the rule it breaks.
    pub(super) fn require(&self, fine: impl Fn(f64) -> bool, rule: impl FnOnce() -> String) -> Result<(), TrainError> {
        match self.values.iter().position(|value| !fine(*value)) {
            None => Ok(()),
            Some(row) => Err(TrainError::LabelValue {
                label: self.label.clone(),
                split: self.split.clone(),
                row: row as u64,
                value: self.values[row],
                rule: rule(),
                hint: None,
            }),
        }
    }
}

/// The members of `of` that `chosen` says, which are taken out.
fn taken<T>(of: &mut Vec<T>, chosen: &[bool]) -> Vec<T> {
    let mut chosen = chosen.iter();
    of.extract_if(.., |_| chosen.next().copied().unwrap_or(false)).collect()
}
