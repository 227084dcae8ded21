//! Linear regression, logistic regression, multinomial logistic regression and regression of counts and of positive amounts,
//! with L2, L1 and mixed penalties.
//!
//! Numbers are scaled to mean 0 and standard deviation 1 and a missing one becomes the mean; each category has a weight of
//! its own. [`minimise`] (L-BFGS), and [`minimise_absolute`] where there is an L1 penalty, find the weights; the fitted
//! model holds them in the units of the features.

mod design;
mod facts;
mod fit;
mod lbfgs;
mod learner;
mod loss;
mod owlqn;
mod params;
mod path;
mod plan;
mod run;

pub use design::Design;
pub use lbfgs::{Minimum, minimise};
pub use learner::LinearLearner;
pub use loss::{LinearLoss, RowLoss};
pub use owlqn::{Absolute, minimise_absolute};
pub use params::Linear;
pub use plan::DesignPlan;

#[cfg(test)]
mod tests;
