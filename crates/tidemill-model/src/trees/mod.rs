//! Sums of decision trees: what they are, how they are stored, how they run.
//!
//! A [`TreeEnsemble`] keeps each tree twice: as [`Node`]s, to be read, encoded and explained, and compiled into one
//! compact array that both shapes of prediction walk, a single row and a batch.

mod compiled;
mod encoding;
mod ensemble;
mod masks;
mod path;
mod quantised;
mod shapley;
#[cfg(test)]
mod tests;
mod tree;

pub use ensemble::{Link, TreeEnsemble};
pub use path::{PathStep, TreePath};
pub use shapley::Contributions;
pub(crate) use tree::invalid;
pub use tree::{CategorySet, CategorySetBudget, Node, Rule, Split, Tree};
