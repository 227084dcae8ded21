//! The parameters of additive models.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::ParamIssue;

use crate::gbdt::Direction;
use crate::learner::parse_learner;

/// What `interpret`, pyGAM and boosting libraries call parameters, and what to write here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("n_estimators", "write `rounds`"),
    ("max_interaction_bins", "write `interaction_bins`"),
    ("max_bins", "write `max_bin`"),
    ("max_leaves", "write `leaves`"),
    ("num_leaves", "write `leaves`"),
    ("inner_bags", "each bag is of its own rows; write `bags`"),
    ("n_splines", "write `max_bin`"),
    ("eta", "write `learning_rate`"),
    ("early_stopping_tolerance", "a round is better if its loss is lower"),
    ("validation_size", "write `validation_share`"),
    ("feature_types", "the kind of a feature is that of its last step: `vocabulary` makes categories"),
    ("monotone_constraints", "write `monotone`, by the names of features: `monotone: { fare: increasing }`"),
    ("random_state", "write `seed` next to `learner`"),
    ("seed", "write `seed` next to `learner`"),
    ("objective", "classes are learned by their log-loss, amounts by the squared error"),
    ("class_weight", "write `class_weights` next to `learner`"),
    ("n_jobs", "`tidemill run --threads N` limits the threads"),
];

/// An additive model (explainable boosting machine): each feature has a function of its own, pairs of features may have one too, and
/// their values are added. The training report draws the functions, and contributions to a prediction are exact.
///
/// Names and most defaults are those of `interpret`'s `ExplainableBoostingClassifier`, which are accepted as well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Additive {
    /// Rounds over all features at most.
    #[serde(alias = "max_rounds")]
    pub rounds: u32,
    /// By what each tree's values are multiplied.
    pub learning_rate: f64,
    /// Leaves of a tree over the bins of a feature.
    pub leaves: u32,
    /// Rows of a leaf at least.
    #[serde(alias = "min_samples_leaf")]
    pub min_leaf: u32,
    /// Rounds at the start whose trees are cut at random, which makes functions smoother; by default 75 for classes and 500 for
    /// amounts. Pairs have up to 100 of them.
    pub smoothing_rounds: Option<u32>,
    /// Models of different rows that are averaged.
    #[serde(alias = "outer_bags")]
    pub bags: u32,
    /// The share of the rows by which each bag decides when to stop.
    pub validation_share: f64,
    /// Stop after so many rounds in a row without a better loss on the bag's own validation rows, and keep the functions of the
    /// best round.
    #[serde(alias = "early_stopping_rounds")]
    pub early_stopping: u32,
    /// Pairs of features with a function of their own; by default 0.9 times the number of features, but
    /// one for every 200 rows at most, and 0 for several classes.
    pub interactions: Option<u32>,
    /// Bins of a feature at most, beside one for missing values.
    pub max_bin: u32,
    /// Bins of each feature of a pair at most.
    pub interaction_bins: u32,
    /// Features whose larger values must only raise predictions, or only lower them: `{ fare: increasing }`. They are in no pair.
    pub monotone: BTreeMap<String, Direction>,
}

impl Default for Additive {
    fn default() -> Self {
        Self {
            rounds: 5000,
            learning_rate: 0.02,
            leaves: 2,
            min_leaf: 4,
            smoothing_rounds: None,
            bags: 8,
            validation_share: 0.15,
            early_stopping: 50,
            interactions: None,
            max_bin: 255,
            interaction_bins: 32,
            monotone: BTreeMap::new(),
        }
    }
}

impl Additive {
    /// Reads and checks parameters; every issue names its parameter.
    pub(super) fn parse(params: &Value) -> Result<Self, Vec<ParamIssue>> {
        parse_learner(params, ELSEWHERE, Self::check)
    }

    /// Everything wrong with the values, each issue at the name of its parameter.
    pub fn check(&self) -> Vec<ParamIssue> {
        let inside = |value: f64| value > 0.0 && value < 1.0;
        let ranges = [
            ("rounds", self.rounds > 0, "1 or above"),
            ("learning_rate", self.learning_rate > 0.0 && self.learning_rate.is_finite(), "above 0"),
            ("leaves", (2..=64).contains(&self.leaves), "from 2 to 64"),
            ("min_leaf", self.min_leaf > 0, "1 or above"),
            ("bags", (1..=1000).contains(&self.bags), "from 1 to 1000"),
            ("validation_share", inside(self.validation_share), "above 0 and below 1"),
            ("early_stopping", self.early_stopping > 0, "1 or above"),
            ("max_bin", (2..=255).contains(&self.max_bin), "from 2 to 255"),
            ("interaction_bins", (2..=128).contains(&self.interaction_bins), "from 2 to 128"),
        ];
        let issue = |(name, _, range): (&str, bool, &str)| ParamIssue::new([name], format!("`{name}` must be {range}"));
        ranges.into_iter().filter(|(_, fine, _)| !fine).map(issue).collect()
    }
}
