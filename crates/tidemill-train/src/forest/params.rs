//! The parameters of random forests.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::ParamIssue;

use crate::learner::parse_learner;

/// What scikit-learn, LightGBM and ranger call parameters, and what to write here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("rounds", "write `trees`"),
    ("num_trees", "write `trees`"),
    ("ntree", "write `trees`"),
    ("iterations", "write `trees`"),
    ("num_iterations", "write `trees`"),
    ("leaves", "write `max_depth` or `min_leaf`: they limit the leaves of a tree"),
    ("max_leaf_nodes", "write `max_depth` or `min_leaf`: they limit the leaves of a tree"),
    ("min_data_in_leaf", "write `min_leaf`"),
    ("min_node_size", "write `min_split`"),
    ("mtry", "write `features_per_split`"),
    ("feature_fraction", "write `features_per_split`, the share of features that a split tries"),
    ("colsample_bynode", "write `features_per_split`, the share of features that a split tries"),
    ("bagging_fraction", "write `sample_share`"),
    ("sample_fraction", "write `sample_share`"),
    ("subsample", "write `sample_share`"),
    ("replace", "write `bootstrap`"),
    ("criterion", "trees split by the Gini impurity or the squared error"),
    ("splitter", "write `extra_trees: true` for random thresholds"),
    ("oob_score", "the loss on rows out of the bag is reported anyway"),
    ("class_weight", "write `class_weights` next to `learner`"),
    ("random_state", "write `seed` next to `learner`"),
    ("seed", "write `seed` next to `learner`"),
    ("early_stopping", "all trees count the same, so no number of them is the best; leave it out"),
    ("learning_rate", "trees are averaged; leave it out"),
    ("n_jobs", "`tidemill run --threads N` limits the threads"),
];

const TREES_MAX: u32 = 100_000;

/// How many features a split tries.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum PerSplit {
    /// By name.
    Named(Named),
    /// This share of the features, above 0 and not above 1.
    Share(f64),
}

/// Numbers of features with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Named {
    /// The square root of their number.
    Sqrt,
    /// The binary logarithm of their number.
    Log2,
    /// A third of them.
    Third,
    /// All.
    All,
}

/// A random forest: deep trees, each grown on rows drawn with replacement and with few features tried at each split; their
/// predictions are averaged.
///
/// scikit-learn's names are accepted: `n_estimators`, `max_features`, `min_samples_leaf`, `min_samples_split`, `max_samples`.
/// Defaults are those of its classifier; splits for amounts try a third of the features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RandomForest {
    /// How many trees are averaged.
    #[serde(alias = "n_estimators")]
    pub trees: u32,
    /// Splits on the way to a leaf at most; unlimited when absent.
    pub max_depth: Option<u32>,
    /// Rows of a leaf at least.
    #[serde(alias = "min_samples_leaf")]
    pub min_leaf: u32,
    /// Rows of a node that may be split at least.
    #[serde(alias = "min_samples_split")]
    pub min_split: u32,
    /// How many features a split tries: `sqrt` (the default for classes), `third` (for amounts), `log2`, `all`, or a share.
    #[serde(alias = "max_features")]
    pub features_per_split: Option<PerSplit>,
    /// Draw the rows of each tree with replacement; otherwise without. By default true, and false with `extra_trees`.
    pub bootstrap: Option<bool>,
    /// How many rows are drawn for a tree, as a share of all.
    #[serde(alias = "max_samples")]
    pub sample_share: f64,
    /// Try one random threshold of each feature instead of all.
    pub extra_trees: bool,
    /// Bins of a feature at most, beside one for missing values.
    pub max_bin: u32,
}

impl Default for RandomForest {
    fn default() -> Self {
        Self {
            trees: 100,
            max_depth: None,
            min_leaf: 1,
            min_split: 2,
            features_per_split: None,
            bootstrap: None,
            sample_share: 1.0,
            extra_trees: false,
            max_bin: 255,
        }
    }
}

impl RandomForest {
    /// Reads and checks parameters; every issue names its parameter.
    pub(super) fn parse(params: &Value) -> Result<Self, Vec<ParamIssue>> {
        parse_learner(params, ELSEWHERE, Self::check)
    }

    /// Everything wrong with the values, each issue at the name of its parameter.
    pub fn check(&self) -> Vec<ParamIssue> {
        let share = |value: f64| value > 0.0 && value <= 1.0;
        let per_split = match self.features_per_split {
            Some(PerSplit::Share(value)) => share(value),
            _ => true,
        };
        let ranges = [
            ("trees", (1..=TREES_MAX).contains(&self.trees), "from 1 to 100000"),
            ("max_depth", self.max_depth != Some(0), "1 or above"),
            ("min_leaf", self.min_leaf > 0, "1 or above"),
            ("min_split", self.min_split > 1, "2 or above"),
            ("features_per_split", per_split, "`sqrt`, `third`, `log2`, `all`, or a share above 0 and not above 1"),
            ("sample_share", share(self.sample_share), "above 0 and not above 1"),
            ("max_bin", (2..=255).contains(&self.max_bin), "from 2 to 255"),
        ];
        let issue = |(name, _, range): (&str, bool, &str)| ParamIssue::new([name], format!("`{name}` must be {range}"));
        ranges.into_iter().filter(|(_, fine, _)| !fine).map(issue).collect()
    }

    /// Whether rows are drawn with replacement.
    pub(super) fn replaces(&self) -> bool {
        self.bootstrap.unwrap_or(!self.extra_trees)
    }

    /// How many of `features` a split tries.
    pub(super) fn tried(&self, features: usize, is_amount: bool) -> usize {
        let default = if is_amount { Named::Third } else { Named::Sqrt };
        let count = features as f64;
        let tried = match self.features_per_split.unwrap_or(PerSplit::Named(default)) {
            PerSplit::Named(Named::Sqrt) => count.sqrt(),
            PerSplit::Named(Named::Log2) => count.log2(),
            PerSplit::Named(Named::Third) => count / 3.0,
            PerSplit::Named(Named::All) => count,
            PerSplit::Share(share) => count * share,
        };
        (tried as usize).clamp(1, features.max(1))
    }
}
