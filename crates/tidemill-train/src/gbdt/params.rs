//! The parameters of gradient boosting.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::{ParamIssue, rank_gain};

use super::choices::{Combination, Direction, Growth, Loss, MonotoneMethod, Sampling};
use super::levels::{Levels, objective_schema, spelt_out};
use super::metric::StopMetric;
use crate::learner::parse_learner;

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
    ("loss", "write `objective`; the kind of task is `task` next to `learner`"),
    ("colsample_bynode", "write `feature_fraction_by_node`"),
    ("feature_fraction_bynode", "write `feature_fraction_by_node`"),
    ("monotone_constraints", "write `monotone`, by the names of features: `monotone: { fare: increasing }`"),
    ("monotone_constraints_method", "write `monotone_method`"),
    ("interaction_constraints", "write `interactions`, lists of names of features"),
    ("grow_policy", "write `grow: depth_wise`"),
    ("data_sample_strategy", "write `sample: goss`"),
    ("boosting_type", "write `boosting`"),
    ("booster", "write `boosting`"),
    ("rate_drop", "write `drop_rate`"),
    ("eval_metric", "write `metric`"),
    ("quantile_alpha", "write `quantile_level`"),
    ("fair_constant", "write `fair_c`"),
    ("tweedie_variance_power", "write `tweedie_power`"),
    ("scale_pos_weight", "write `class_weights` next to `learner`"),
    ("is_unbalance", "write `class_weights: balanced` next to `learner`"),
    ("class_weight", "write `class_weights` next to `learner`"),
    ("n_jobs", "`tidemill run --threads N` limits the threads"),
    ("num_threads", "`tidemill run --threads N` limits the threads"),
    ("nthread", "`tidemill run --threads N` limits the threads"),
];

/// Rounds without a better metric after which training stops by default.
const EARLY_STOPPING: u32 = 50;

/// The largest label that has a gain by default.
const LABEL_MAX: u32 = 30;
/// Most leaves a tree may have.
const LEAVES_MAX: u32 = 1 << 16;

/// Histogram gradient boosting: trees grown leaf by leaf, each on the gradients the ones before it leave.
///
/// Names and defaults are LightGBM's, apart from `leaves`, `rounds`, `min_gain`, `min_sum_hessian` and
/// `early_stopping`, for which its longer names are accepted too, and 1,000 rounds that stop early.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GradientBoosting {
    /// Trees at most.
    #[serde(alias = "num_iterations")]
    pub rounds: u32,
    /// By what each tree's values are multiplied.
    pub learning_rate: f64,
    /// Stop after so many rounds in a row without a better metric on the validation rows, and keep the trees up to the best.
    /// By default 50; 0 keeps all trees.
    /// `dart` and `random_forest` do without, as their earlier trees change or count as much as later ones.
    #[serde(alias = "early_stopping_rounds")]
    pub early_stopping: Option<u32>,
    /// What is best by which metric on the validation rows; by default the loss that is minimised.
    pub metric: Option<StopMetric>,
    /// What is minimised: by default the squared error of an amount, the log-loss of classes, and `lambdarank` for a ranking.
    /// `{ quantile: [0.1, 0.5, 0.9] }` is short for `quantile` with these levels.
    #[schemars(schema_with = "objective_schema")]
    pub objective: Loss,
    /// The quantile of `objective: quantile`, or a list of several, ascending: one output for each.
    pub quantile_level: Levels,
    /// The error up to which `objective: huber` is quadratic.
    pub huber_delta: f64,
    /// The error from which on `objective: fair` is nearly linear.
    pub fair_c: f64,
    /// The power of `objective: tweedie`: nearer to 1 for amounts that are often 0, nearer to 2 for amounts with a long tail.
    pub tweedie_power: f64,
    /// Keeps the steps of `objective: poisson` small.
    pub poisson_max_delta_step: f64,
    /// For `objective: lambdarank`: a pair of rows counts if one of them is among so many first ones of its query.
    #[serde(alias = "lambdarank_truncation_level")]
    pub truncation_level: u32,
    /// For `objective: lambdarank`: scale the derivatives of a query, so that queries of many pairs do not decide alone.
    pub lambdarank_norm: bool,
    /// What a row of a query is worth, by its label; by default 2^label − 1 for labels up to 30.
    pub label_gain: Vec<f64>,
    /// Places up to which the metrics of a ranking count rows. The last one decides which round is the best.
    pub eval_at: Vec<u32>,
    /// How trees are combined.
    pub boosting: Combination,
    /// Which leaf is split next.
    pub grow: Growth,
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
    /// Share of the rows with a positive label that a tree is grown on.
    pub pos_bagging_fraction: f64,
    /// Share of the rows with a negative label that a tree is grown on.
    pub neg_bagging_fraction: f64,
    /// How rows are chosen for a tree.
    pub sample: Sampling,
    /// Share of the rows with the largest gradients that `sample: goss` keeps.
    pub top_rate: f64,
    /// Share of the rows that `sample: goss` draws from the others.
    pub other_rate: f64,
    /// Share of the features that a tree may use.
    pub feature_fraction: f64,
    /// Share of those that a split may use, drawn for each leaf.
    pub feature_fraction_by_node: f64,
    /// Try one random threshold of each feature instead of all.
    pub extra_trees: bool,
    /// Largest value of a leaf before the learning rate; 0: no limit.
    pub max_delta_step: f64,
    /// Pulls the value of a leaf of few rows towards its parent's: a leaf of so many rows counts half.
    pub path_smooth: f64,
    /// Features whose larger values must only raise predictions, or only lower them: `{ fare: increasing }`.
    pub monotone: BTreeMap<String, Direction>,
    /// How the directions of `monotone` are kept.
    pub monotone_method: MonotoneMethod,
    /// Features that may be on one path from the root together: `[[fare, tips], [hour]]`. One in no list is alone.
    pub interactions: Vec<Vec<String>>,
    /// Share of the rounds' trees that `boosting: dart` leaves out of a round.
    pub drop_rate: f64,
    /// Share of the rounds in which `boosting: dart` leaves out none.
    pub skip_drop: f64,
    /// Trees that `boosting: dart` leaves out of a round at most; 0: no limit.
    pub max_drop: u32,
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
            rounds: 1000,
            learning_rate: 0.1,
            early_stopping: None,
            metric: None,
            objective: Loss::SquaredError,
            quantile_level: Levels::one(0.5),
            huber_delta: 0.9,
            fair_c: 1.0,
            tweedie_power: 1.5,
            poisson_max_delta_step: 0.7,
            truncation_level: 30,
            lambdarank_norm: true,
            label_gain: Vec::new(),
            eval_at: vec![1, 2, 3, 4, 5],
            boosting: Combination::Gbdt,
            grow: Growth::LeafWise,
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
            pos_bagging_fraction: 1.0,
            neg_bagging_fraction: 1.0,
            sample: Sampling::Bagging,
            top_rate: 0.2,
            other_rate: 0.1,
            feature_fraction: 1.0,
            feature_fraction_by_node: 1.0,
            extra_trees: false,
            max_delta_step: 0.0,
            path_smooth: 0.0,
            monotone: BTreeMap::new(),
            monotone_method: MonotoneMethod::Basic,
            interactions: Vec::new(),
            drop_rate: 0.1,
            skip_drop: 0.5,
            max_drop: 50,
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
        parse_learner(spelt_out(params)?.as_ref(), ELSEWHERE, Self::check)
    }

    /// Everything wrong with the values, each issue at the name of its parameter.
    pub fn check(&self) -> Vec<ParamIssue> {
        let positive = |name: &'static str, value: f64| (name, value > 0.0 && value.is_finite(), "above 0".to_owned());
        let share =
            |name: &'static str, value: f64| (name, value > 0.0 && value <= 1.0, "above 0 and not above 1".to_owned());
        let not_negative =
            |name: &'static str, value: f64| (name, value >= 0.0 && value.is_finite(), "0 or above".to_owned());
        let inside = |name: &'static str, value: f64, low: f64, high: f64| {
            (name, value > low && value < high, format!("above {low} and below {high}"))
        };
        let within = |name: &'static str, value: f64| (name, (0.0..=1.0).contains(&value), "from 0 to 1".to_owned());
        let whole = |name: &'static str, value: Option<u32>, low: u32, high: u32| {
            let range = if high == u32::MAX { format!("{low} or above") } else { format!("from {low} to {high}") };
            (name, value.is_none_or(|value| (low..=high).contains(&value)), range)
        };
        let ranges = [
            whole("rounds", Some(self.rounds), 1, u32::MAX),
            positive("learning_rate", self.learning_rate),
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
            share("pos_bagging_fraction", self.pos_bagging_fraction),
            share("neg_bagging_fraction", self.neg_bagging_fraction),
            share("top_rate", self.top_rate),
            share("other_rate", self.other_rate),
            share("feature_fraction", self.feature_fraction),
            share("feature_fraction_by_node", self.feature_fraction_by_node),
            not_negative("max_delta_step", self.max_delta_step),
            not_negative("path_smooth", self.path_smooth),
            ("quantile_level", self.quantile_level.are_fine(), "above 0 and below 1, several ascending".to_owned()),
            whole("truncation_level", Some(self.truncation_level), 1, u32::MAX),
            (
                "label_gain",
                self.label_gain.iter().all(|gain| *gain >= 0.0 && gain.is_finite()),
                "0 or above".to_owned(),
            ),
            (
                "eval_at",
                !self.eval_at.is_empty() && self.eval_at.iter().all(|at| *at > 0),
                "at least one place, from 1 on".to_owned(),
            ),
            positive("huber_delta", self.huber_delta),
            positive("fair_c", self.fair_c),
            inside("tweedie_power", self.tweedie_power, 1.0, 2.0),
            not_negative("poisson_max_delta_step", self.poisson_max_delta_step),
            within("drop_rate", self.drop_rate),
            within("skip_drop", self.skip_drop),
            not_negative("cat_smooth", self.cat_smooth),
            not_negative("cat_l2", self.cat_l2),
            whole("max_cat_threshold", Some(self.max_cat_threshold), 1, u32::MAX),
            whole("max_cat_to_onehot", Some(self.max_cat_to_onehot), 1, u32::MAX),
            whole("min_data_per_group", Some(self.min_data_per_group), 1, u32::MAX),
        ];
        let issue =
            |(name, _, range): (&str, bool, String)| ParamIssue::new([name], format!("`{name}` must be {range}"));
        let mut issues: Vec<ParamIssue> = ranges.into_iter().filter(|(_, fine, _)| !fine).map(issue).collect();
        issues.extend(self.contradictions());
        issues
    }

    /// Parameters that do not go together.
    fn contradictions(&self) -> Vec<ParamIssue> {
        let mut issues = Vec::new();
        let mut issue = |name: &str, message: &str, hint: &str| {
            issues.push(ParamIssue::new([name], message).with_hint(hint));
        };
        if self.early_stopping.is_some_and(|patience| patience > 0) && self.boosting != Combination::Gbdt {
            let message = match self.boosting {
                Combination::Dart => {
                    "`boosting: dart` changes earlier trees, so training cannot go back to a best round"
                }
                _ => "the trees of `boosting: random_forest` count the same, so no round is the best",
            };
            issue("early_stopping", message, "leave it out");
        }
        let bags = self.bagging_fraction < 1.0 || self.pos_bagging_fraction < 1.0 || self.neg_bagging_fraction < 1.0;
        if self.sample == Sampling::Goss {
            if bags {
                issue(
                    "sample",
                    "`goss` chooses the rows itself, and `bagging_fraction` would too",
                    "leave out one of them",
                );
            }
            if self.top_rate + self.other_rate > 1.0 {
                issue("top_rate", "`top_rate` and `other_rate` together are more than all rows", "as in 0.2 and 0.1");
            }
            if self.boosting == Combination::RandomForest {
                issue("sample", "`goss` is for boosting: a random forest needs rows at random", "leave it out");
            }
        }
        let renews = matches!(self.objective, Loss::AbsoluteError | Loss::Quantile | Loss::PercentageError);
        if renews && self.monotone_method == MonotoneMethod::Intermediate && !self.monotone.is_empty() {
            let message = "`intermediate` keeps the values of leaves from passing each other as they are found by derivatives, and \
                           this `objective` finds them from residuals";
            issue("monotone_method", message, "leave it out: `basic` keeps directions with every objective");
        }
        let varies = bags || self.feature_fraction < 1.0 || self.feature_fraction_by_node < 1.0 || self.extra_trees;
        if self.boosting == Combination::RandomForest && !varies && self.rounds > 1 {
            let message = "all trees of the random forest would be the same";
            issue("boosting", message, "add `bagging_fraction: 0.632` or `feature_fraction_by_node: 0.5`");
        }
        issues
    }

    /// What a row of a query is worth, by its label.
    pub(super) fn gains(&self) -> Vec<f64> {
        if !self.label_gain.is_empty() {
            return self.label_gain.clone();
        }
        (0..=LABEL_MAX).map(|label| rank_gain(f64::from(label))).collect()
    }

    /// The place up to which the metric counts rows that decides which round is the best.
    pub(super) fn deciding_place(&self) -> u32 {
        self.eval_at.last().copied().unwrap_or(5)
    }

    /// By what each tree's values are multiplied: nothing, where trees are averaged.
    pub(super) fn rate(&self) -> f64 {
        if self.boosting == Combination::RandomForest { 1.0 } else { self.learning_rate }
    }

    /// Whether a tree is grown on a part of the rows.
    pub(super) fn samples_rows(&self) -> bool {
        self.sample == Sampling::Goss
            || self.bagging_fraction < 1.0
            || self.pos_bagging_fraction < 1.0
            || self.neg_bagging_fraction < 1.0
    }

    /// Rounds without a better metric after which training stops; 0: never.
    pub fn patience(&self) -> u32 {
        match self.boosting {
            Combination::Gbdt => self.early_stopping.unwrap_or(EARLY_STOPPING),
            Combination::Dart | Combination::RandomForest => 0,
        }
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
