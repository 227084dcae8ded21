//! Explainable boosting machines: sums of functions of one feature, and of pairs of features, learned by boosting.
//!
//! Boosting adds one shallow tree over the bins of one feature at a time, of the feature that explains most of what is left, with a
//! small learning rate, so that each feature learns what it alone explains (Y. Lou et al., "Intelligible models for classification and regression", 2012). Pairs
//! whose residuals a split of both features explains best are added afterwards (Y. Lou et al., "Accurate intelligible models with
//! pairwise interactions", 2013). The whole is done for several bags of rows, each of which stops by rows of its own, and averaged.
//! The method and most defaults are those of the package `interpret`; the code is not.

mod axis;
mod bag;
mod gradients;
mod learner;
mod pairs;
mod params;
mod rows;
mod shape;
#[cfg(test)]
mod tests;
mod tidy;

pub use learner::AdditiveLearner;
pub use params::Additive;
