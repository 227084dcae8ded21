//! Which values of a column get a code of their own.

use schemars::JsonSchema;
use serde::Deserialize;
use tidemill_core::ParamIssue;
use tidemill_model::{Keys, Scalar};

use crate::analyze::{Keyed, LabelSums, select_texts, select_wholes};
use crate::analyzer::Analyzer;
use crate::error::TransformError;
use crate::issues::issue_at;
use crate::step::{Fitting, Values};

/// Which values of a column get a code of their own, and in which order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Choice {
    /// At most so many, the first in the order.
    pub top_k: Option<u64>,
    /// Only values that occur at least so often.
    pub frequency_threshold: Option<u64>,
    /// Buckets for all others.
    pub oov_buckets: u32,
    /// Only as many, the first in the order, as hold this share of the sum of all.
    pub coverage: Option<f64>,
    /// A column whose values are summed up in place of counting rows.
    pub weight: Option<String>,
    /// What decides the order.
    pub by: Order,
    /// Values that come first whether they occur or not.
    pub reserved: Vec<Scalar>,
}

/// What decides the order of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// How often a value occurs, or the sum of its weights.
    #[default]
    Frequency,
    /// How much knowing whether a row has the value says about the label.
    MutualInformation,
}

/// Which values get a code of their own.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VocabularyParams {
    /// These, in the order of their codes, whatever the data has: text, or whole numbers.
    pub(super) values: Option<Vec<Scalar>>,
    /// At most so many, the most frequent.
    pub(super) top_k: Option<u64>,
    /// Only those that occur at least so often.
    pub(super) frequency_threshold: Option<u64>,
    /// Buckets for all other values; without any they are missing.
    #[serde(default)]
    pub(super) oov_buckets: u32,
    /// Only as many, the most frequent, as this share of the rows has: 0.95.
    pub(super) coverage: Option<f64>,
    /// A column of numbers that are summed up in place of counting rows.
    pub(super) weight: Option<String>,
    /// What decides the order: how often a value occurs, or how much it says about the label.
    #[serde(default)]
    pub(super) by: Order,
    /// Values that get the first codes whether they occur or not.
    #[serde(default)]
    pub(super) reserved: Vec<Scalar>,
}

impl TryFrom<VocabularyParams> for Choice {
    type Error = Vec<ParamIssue>;

    fn try_from(params: VocabularyParams) -> Result<Self, Vec<ParamIssue>> {
        let VocabularyParams { values, top_k, frequency_threshold, oov_buckets, coverage, weight, by, reserved } =
            params;
        if values.is_some() {
            let issue = ParamIssue::new(["values"], "values are given to `vocabulary`, which `one_hot` may follow");
            return Err(vec![issue.with_hint("write `[ { vocabulary: { values: [ … ] } }, one_hot ]`")]);
        }
        if top_k == Some(0) {
            return issue_at("top_k", "`top_k` is at least 1");
        }
        if coverage.is_some_and(|coverage| !(coverage > 0.0 && coverage <= 1.0)) {
            return issue_at("coverage", "`coverage` is a share above 0, at most 1");
        }
        if by == Order::MutualInformation && weight.is_some() {
            return issue_at("weight", "`weight` has no meaning with `by: mutual_information`");
        }
        Ok(Self { top_k, frequency_threshold, oov_buckets, coverage, weight, by, reserved })
    }
}

impl Choice {
    /// Whether every value is meant, in no order of importance.
    pub(crate) fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// What a scan collects to choose values.
    pub(super) fn analyzer(&self, values: &Values) -> Analyzer {
        if self.by == Order::MutualInformation {
            Analyzer::Labels(LabelSums::new(values.are_text(), 1))
        } else if self.weight.is_some() {
            Analyzer::Weights(Keyed::new(values.are_text(), (0, 0.0)))
        } else {
            values.counts()
        }
    }

    /// The chosen values by what a scan has collected.
    pub(super) fn choose(&self, found: Analyzer, fit: &Fitting<'_>) -> Result<Keys, TransformError> {
        let chosen = match found {
            Analyzer::Labels(sums) if sums.is_binary() => {
                let (keys, rows) = sums.information();
                self.select(keys, rows)
            }
            Analyzer::Labels(_) => Err("mutual information is with a label of 0 and 1, and this one is not".to_owned()),
            Analyzer::Weights(weights) => {
                let (keys, rows) = weights.sorted();
                self.select(keys, rows.into_iter().copied())
            }
            Analyzer::Counts(counts) => counts.vocabulary(self),
            _ => Ok(Keys::Integers(Vec::new())),
        };
        chosen.map_err(|reason| fit.does_not_apply(reason))
    }

    fn select(&self, keys: Keys, rows: impl IntoIterator<Item = (u64, f64)>) -> Result<Keys, String> {
        let rows = rows.into_iter();
        match keys {
            Keys::Strings(keys) => {
                select_texts(keys.into_iter().zip(rows).map(|(key, (n, score))| (key, n, score)).collect(), self)
            }
            Keys::Integers(keys) => {
                select_wholes(keys.into_iter().zip(rows).map(|(key, (n, score))| (key, n, score)).collect(), self)
            }
        }
    }
}
