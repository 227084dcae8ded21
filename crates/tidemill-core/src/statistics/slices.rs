//! Statistics of the examples that agree in some columns.

use serde::{Deserialize, Serialize};

use super::DatasetStatistics;

/// The slices of one set of columns.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SliceFamily {
    /// The columns whose values make a slice.
    pub columns: Vec<String>,
    /// How many slices there are.
    pub num_slices: u64,
    /// `num_slices` is an estimate of a sketch rather than a count.
    #[serde(default)]
    pub num_slices_is_estimate: bool,
    /// Examples of the slices that are not listed.
    pub num_examples_not_shown: u64,
    /// The slices of the most examples, largest first.
    pub slices: Vec<SliceStatistics>,
}

/// One slice.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SliceStatistics {
    /// The value of each column of the family; `null` where it is missing.
    pub values: Vec<Option<String>>,
    /// Its statistics, under the name `column=value`, and `column=value, column=value` for several.
    pub statistics: DatasetStatistics,
}
