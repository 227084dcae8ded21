//! Statistics in which an example counts as much as its weight.

mod column;
mod numbers;
mod sketch;
mod texts;

pub(super) use column::WeightedColumn;
