//! Linear regression, logistic regression and multinomial logistic regression with an L2 penalty.
//!
//! Numbers are scaled to mean 0 and standard deviation 1 and a missing one becomes the mean; each category has a weight of
//! its own. [`minimise`] (L-BFGS) finds the weights; the fitted model holds them in the units of the features.

mod design;
mod lbfgs;
mod learner;
mod loss;

pub use design::{Design, DesignPlan};
pub use lbfgs::{Minimum, minimise};
pub(crate) use learner::centre_and_unit;
pub use learner::{Linear, LinearLearner};
pub use loss::LinearLoss;

#[cfg(test)]
mod tests;
