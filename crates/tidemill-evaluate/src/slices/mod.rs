//! Slices: the rows that share the values of some columns.

mod column;
mod key;
mod partition;
mod spec;

pub use column::{KeyColumn, KeyColumnBuilder, SLICE_VALUES_MAX};
pub use key::{SliceKey, SliceTerm, SliceValue};
pub use partition::{Partition, SlicePositions, partition};
pub use spec::SliceSpec;
