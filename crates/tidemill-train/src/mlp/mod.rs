//! Multi-layer perceptrons, alone or beside a wide linear part.
//!
//! Preparation, initialisation and schedule are those of `RealMLP`'s simplified defaults, "TD-S" (D. Holzmüller, L. Grinsztajn,
//! I. Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on tabular data", 2024): numbers centred at the
//! median, scaled by their quartiles and smoothly clipped; few categories as one-hot inputs, many as learned vectors; a learned
//! scale of every input; layers in the neural tangent parametrisation; Adam under a learning rate that rises and falls four times.
//!
//! Training is in 32 bits. A batch is cut into blocks of `BLOCK_ROWS` rows, whose gradients are added in their order, so that
//! the result does not depend on the number of threads.

mod activation;
mod adam;
mod checkpoint;
mod fit;
mod importance;
mod inputs;
mod learner;
mod net;
mod params;
mod periodic;
mod recipe;
mod rows;
mod state;
mod table;
mod tables;
#[cfg(test)]
mod tests;

use net::BLOCK_ROWS;

pub use learner::{MlpLearner, WideAndDeepLearner};
pub use params::{Mlp, Schedule, WideAndDeep};
pub use table::{NetworkFit, NetworkRows, fit_network};
