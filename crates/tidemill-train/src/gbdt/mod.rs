//! Histogram gradient boosting.
//!
//! Features are binned once ([`BinPlanner`] chooses the bins in a first pass over the rows, [`Binned`] stores them in
//! a second); from then on training sees only bytes. [`fit`] grows one tree a round on the gradients of an
//! [`Objective`]: a histogram of gradient sums by bin for each leaf, the best split read off it, the leaf with the
//! highest gain split first, the larger child's histogram found by subtraction. The method is that of LightGBM (Ke et
//! al., 2017), the code and its file layout are not.

mod binned;
mod binning;
mod bins;
mod boosting;
mod category;
mod choices;
mod combination;
mod constraints;
mod fit;
mod foreign;
mod grow;
mod grown;
mod histogram;
mod judge;
mod learner;
mod levels;
mod metric;
mod objective;
mod params;
mod partition;
mod queries;
mod queue;
mod region;
mod rng;
mod rows;
mod sample;
mod split;
mod task;
#[cfg(test)]
mod tests;

pub use binned::Binned;
pub(crate) use binning::UsedFeature;
pub use binning::{BinPlanner, Binning};
pub(crate) use bins::{BinSet, FeatureBins};
pub use choices::{Combination, Direction, Growth, Loss, MonotoneMethod, Sampling};
pub use constraints::Constraints;
pub use fit::{Fitted, Importance, Round, Start, fit};
pub use foreign::{LIGHTGBM, Library, XGBOOST};
pub use learner::BoostingLearner;
pub use levels::Levels;
pub use metric::StopMetric;
pub use objective::{
    AbsoluteError, Fair, Gamma, Gradient, Huber, LabelRule, LambdaOptions, LambdaRank, ListLoss, LogLoss, Objective,
    OneVsAll, PercentageError, Poisson, Quantile, Quantiles, Renewal, Softmax, SquaredError, Tweedie, XeNdcg,
};
pub use params::GradientBoosting;
pub use queries::Queries;
pub use rows::LabelledRows;
