//! What may be chosen by a word: losses, ways to combine and grow trees, to draw rows and to keep directions.

use serde::{Deserialize, Serialize};

/// What is minimised. Classes are learned by their log-loss and rankings by `lambdarank` unless this says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Squared error: the mean is learned.
    #[serde(alias = "l2", alias = "mse", alias = "rmse", alias = "regression", alias = "regression_l2")]
    SquaredError,
    /// Absolute error: the median is learned.
    #[serde(alias = "l1", alias = "mae", alias = "regression_l1")]
    AbsoluteError,
    /// Squared near 0 and absolute beyond `huber_delta`.
    Huber,
    /// Nearly absolute, and smooth.
    Fair,
    /// The quantile `quantile_level`.
    Quantile,
    /// The absolute error as a share of the label.
    #[serde(alias = "mape", alias = "mean_absolute_percentage_error")]
    PercentageError,
    /// A count: the logarithm of its mean is learned.
    Poisson,
    /// A positive amount whose spread grows with it.
    Gamma,
    /// An amount that is often 0.
    Tweedie,
    /// Several classes, each against all others.
    #[serde(alias = "multiclassova", alias = "multiclass_ova", alias = "ova", alias = "ovr")]
    OneVsAll,
    /// The order of the rows of a query: pairs of rows by what they change of the NDCG.
    Lambdarank,
    /// The order of the rows of a query: cross-entropy of shares drawn around the gains.
    #[serde(alias = "xendcg", alias = "xe_ndcg", alias = "xe_ndcg_mart", alias = "xendcg_mart")]
    RankXendcg,
}

/// How trees are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Combination {
    /// Each tree corrects the ones before it.
    #[serde(alias = "gbrt", alias = "gbtree")]
    Gbdt,
    /// The same, with some earlier trees left out of each round.
    Dart,
    /// Trees that do not know each other, averaged.
    #[serde(alias = "rf")]
    RandomForest,
}

/// Which leaf is split next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Growth {
    /// The one whose split gains most.
    #[serde(alias = "lossguide")]
    LeafWise,
    /// The one nearest to the root.
    #[serde(alias = "depthwise")]
    DepthWise,
}

/// How rows are chosen for a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// At random.
    Bagging,
    /// Those with the largest gradients, and some of the others (gradient-based one-side sampling).
    Goss,
}

/// How predictions may change with a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Larger values never lower them.
    Increasing,
    /// Larger values never raise them.
    Decreasing,
}

/// How predictions are kept from breaking the directions of `monotone`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MonotoneMethod {
    /// Each leaf stays on one side of the middle of every split above it that has a direction.
    Basic,
    /// Each leaf stays on one side of the leaves that it may be compared with: trees fit better, and take longer to grow.
    Intermediate,
}
