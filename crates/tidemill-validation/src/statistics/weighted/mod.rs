//! Statistics in which an example counts as much as its weight.

mod column;
mod numbers;
mod texts;

pub(super) use column::WeightedColumn;
