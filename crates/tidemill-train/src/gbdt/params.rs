//! The parameters of gradient boosting.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::{ParamIssue, add_issues, advise, parse_params_partly};

/// What LightGBM, XGBoost, `CatBoost` and scikit-learn call parameters, and what to write here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("n_estimators", "write `rounds`"),
    ("num_boost_round", "write `rounds`"),
    ("n_iter", "write `rounds`"),
    ("max_iter", "write `rounds`"),
    ("iterations", "write `rounds`"),
    ("num_trees", "write `rounds`"),
    ("trees", "write `rounds`"),
    ("eta", "write `learning_rate`"),
    ("shrinkage_rate", "write `learning_rate`"),
    ("early_stopping_round", "write `early_stopping`"),
    ("n_iter_no_change", "write `early_stopping`"),
    ("max_leaves", "write `leaves`"),
    ("max_leaf_nodes", "write `leaves`"),
    ("depth", "write `max_depth`"),
    ("min_child_samples", "write `min_data_in_leaf`"),
    ("min_samples_leaf", "write `min_data_in_leaf`"),
    ("min_data", "write `min_data_in_leaf`"),
    ("min_samples_split", "write `min_data_in_leaf`, the fewest rows of a leaf"),
    ("min_child_weight", "write `min_sum_hessian`"),
    ("reg_alpha", "write `lambda_l1`"),
    ("alpha", "write `lambda_l1`"),
    ("reg_lambda", "write `lambda_l2`"),
    ("lambda", "write `lambda_l2`"),
    ("l2_leaf_reg", "write `lambda_l2`"),
    ("l2_regularization", "write `lambda_l2`"),
    ("gamma", "write `min_gain`"),
    ("min_split_loss", "write `min_gain`"),
    ("min_split_gain", "write `min_gain`"),
    ("max_bins", "write `max_bin`"),
    ("border_count", "write `max_bin`"),
    ("subsample", "write `bagging_fraction`, the share of rows that a tree is grown on"),
    ("bagging", "write `bagging_fraction`"),
    ("subsample_freq", "write `bagging_freq`"),
    ("colsample_bytree", "write `feature_fraction`, the share of features that a tree may use"),
    ("max_features", "write `feature_fraction`, the share of features that a tree may use"),
    ("rsm", "write `feature_fraction`, the share of features that a tree may use"),
    ("seed", "write `seed` next to `learner`"),
    ("random_state", "write `seed` next to `learner`"),
    ("random_seed", "write `seed` next to `learner`"),
    ("objective", "it follows from the label; `task` next to `learner` sets the kind of task"),
    ("loss", "it follows from the label; `task` next to `learner` sets the kind of task"),
    ("n_jobs", "`tidemill run --threads N` limits the threads"),
    ("num_threads", "`tidemill run --threads N` limits the threads"),
    ("nthread", "`tidemill run --threads N` limits the threads"),
];

/// Most leaves a tree may have.
const LEAVES_MAX: u32 = 1 << 16;

/// Histogram gradient boosting: trees grown leaf by leaf, each on the gradients the ones before it leave.
///
/// Names and defaults are LightGBM's, apart from `leaves`, `rounds`, `min_gain`, `min_sum_hessian` and
/// `early_stopping`, for which its longer names are accepted too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GradientBoosting {
    /// Trees at most.
    #[serde(alias = "num_iterations")]
    pub rounds: u32,
    /// By what each tree's values are multiplied.
    pub learning_rate: f64,
    /// Stop after so many rounds in a row without a better loss on the eval split, and keep the trees up to the best.
    #[serde(alias = "early_stopping_rounds")]
    pub early_stopping: Option<u32>,
    /// Leaves of a tree at most.
    #[serde(alias = "num_leaves")]
    pub leaves: u32,
    /// Splits on the way to a leaf at most; unlimited when absent.
    pub max_depth: Option<u32>,
    /// Rows of a leaf at least.
    pub min_data_in_leaf: u32,
    /// Sum of second derivatives of a leaf at least.
    #[serde(alias = "min_sum_hessian_in_leaf")]
    pub min_sum_hessian: f64,
    /// L1 penalty on leaf values.
    pub lambda_l1: f64,
    /// L2 penalty on leaf values.
    pub lambda_l2: f64,
    /// By how much a split must at least lower the loss.
    #[serde(alias = "min_gain_to_split")]
    pub min_gain: f64,
    /// Bins of a feature at most, beside one for missing values.
    pub max_bin: u32,
    /// Share of the rows that a tree is grown on.
    pub bagging_fraction: f64,
    /// Draw the rows anew every so many rounds.
    pub bagging_freq: u32,
    /// Share of the features that a tree may use.
    pub feature_fraction: f64,
    /// Pulls the gradients of rare categories towards zero when categories are sorted; rarer ones are not sorted.
    pub cat_smooth: f64,
    /// L2 penalty on the values of leaves beneath a split on sorted categories, on top of `lambda_l2`.
    pub cat_l2: f64,
    /// Categories on one side of a split at most.
    pub max_cat_threshold: u32,
    /// Up to so many categories, each is tried alone against the rest.
    pub max_cat_to_onehot: u32,
    /// Rows by which sorted categories are taken together at least.
    pub min_data_per_group: u32,
}

impl Default for GradientBoosting {
    fn default() -> Self {
        Self {
            rounds: 100,
            learning_rate: 0.1,
            early_stopping: None,
            leaves: 31,
            max_depth: None,
            min_data_in_leaf: 20,
            min_sum_hessian: 1e-3,
            lambda_l1: 0.0,
            lambda_l2: 0.0,
            min_gain: 0.0,
            max_bin: 255,
            bagging_fraction: 1.0,
            bagging_freq: 1,
            feature_fraction: 1.0,
            cat_smooth: 10.0,
            cat_l2: 10.0,
            max_cat_threshold: 32,
            max_cat_to_onehot: 4,
            min_data_per_group: 100,
        }
    }
}

impl GradientBoosting {
    /// Reads and checks parameters; every issue names its parameter.
    pub(super) fn parse(params: &Value) -> Result<Self, Vec<ParamIssue>> {
        let (parsed, mut issues) = parse_params_partly::<Self>(params);
        advise(&mut issues, ELSEWHERE);
        add_issues(&mut issues, parsed.iter().flat_map(Self::check).collect());
        parsed.filter(|_| issues.is_empty()).ok_or(issues)
    }

    /// Everything wrong with the values, each issue at the name of its parameter.
    pub fn check(&self) -> Vec<ParamIssue> {
        let positive = |name: &'static str, value: f64| (name, value > 0.0 && value.is_finite(), "above 0".to_owned());
        let share =
            |name: &'static str, value: f64| (name, value > 0.0 && value <= 1.0, "above 0 and not above 1".to_owned());
        let not_negative =
            |name: &'static str, value: f64| (name, value >= 0.0 && value.is_finite(), "0 or above".to_owned());
        let whole = |name: &'static str, value: Option<u32>, low: u32, high: u32| {
            let range = if high == u32::MAX { format!("{low} or above") } else { format!("from {low} to {high}") };
            (name, value.is_none_or(|value| (low..=high).contains(&value)), range)
        };
        [
            whole("rounds", Some(self.rounds), 1, u32::MAX),
            positive("learning_rate", self.learning_rate),
            whole("early_stopping", self.early_stopping, 1, u32::MAX),
            whole("leaves", Some(self.leaves), 2, LEAVES_MAX),
            whole("max_depth", self.max_depth, 1, u32::MAX),
            whole("min_data_in_leaf", Some(self.min_data_in_leaf), 1, u32::MAX),
            not_negative("min_sum_hessian", self.min_sum_hessian),
            not_negative("lambda_l1", self.lambda_l1),
            not_negative("lambda_l2", self.lambda_l2),
            not_negative("min_gain", self.min_gain),
            whole("max_bin", Some(self.max_bin), 2, super::bins::BINS_MAX as u32),
            share("bagging_fraction", self.bagging_fraction),
            whole("bagging_freq", Some(self.bagging_freq), 1, u32::MAX),
            share("feature_fraction", self.feature_fraction),
            not_negative("cat_smooth", self.cat_smooth),
            not_negative("cat_l2", self.cat_l2),
            whole("max_cat_threshold", Some(self.max_cat_threshold), 1, u32::MAX),
            whole("max_cat_to_onehot", Some(self.max_cat_to_onehot), 1, u32::MAX),
            whole("min_data_per_group", Some(self.min_data_per_group), 1, u32::MAX),
        ]
        .into_iter()
        .filter(|(_, fine, _)| !fine)
        .map(|(name, _, range)| ParamIssue::new([name], format!("`{name}` must be {range}")))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_fine_and_every_bad_value_is_named() {
        assert_eq!(GradientBoosting::default().check(), []);
        let bad = GradientBoosting {
            rounds: 0,
            learning_rate: f64::NAN,
            leaves: 1,
            max_bin: 256,
            bagging_fraction: 1.5,
            ..GradientBoosting::default()
        };
        let named: Vec<String> = bad.check().into_iter().map(|issue| issue.path.join(".")).collect();
        assert_eq!(named, ["rounds", "learning_rate", "leaves", "max_bin", "bagging_fraction"]);
        assert_eq!(bad.check()[3].message, "`max_bin` must be from 2 to 255");
    }
}
