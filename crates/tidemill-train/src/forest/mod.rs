//! Random forests and extremely randomised trees: many deep trees, each grown on its own draw of the rows with few features
//! tried at each split, and averaged (L. Breiman, "Random forests", 2001; P. Geurts et al., "Extremely randomized trees", 2006).
//!
//! Features are binned as for boosting. A node reads only the features that it tries; small nodes sort the bins of their rows
//! instead of filling a histogram. Trees are grown side by side, each by one thread, and added in their order.

mod grow;
mod learner;
mod out_of_bag;
mod params;
mod rows;
mod split;
#[cfg(test)]
mod tests;

pub use learner::ForestLearner;
pub use params::{PerSplit, RandomForest};
