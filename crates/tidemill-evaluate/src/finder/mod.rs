//! Finds the slices on which a model performs badly, without being told where to look.
//!
//! After Chung et al., "Slice Finder" (ICDE 2019): every value or range of one column, and every pair of them,
//! is tried (of many columns, only the pairs of those that tell most of the loss); a slice counts when its mean loss exceeds that of the other rows by a given effect size and Welch's
//! t-test, corrected by Benjamini and Hochberg's rule for the number of slices tried, calls it significant. Of
//! slices that say the same, the wider one is kept: one that is not clearly worse than a wider slice around it is
//! implied by that one, and one that is bad only because of rows already reported is left out.

mod column;
mod moments;
mod search;
mod space;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::metrics::Metrics;
use crate::slices::SliceValue;

pub use column::{FinderColumn, FinderColumnBuilder};
pub use search::{FinderSample, SampleFilter, SearchOptions, search};

/// The extent of the search and its results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SliceSearch {
    /// The loss that was compared: `log_loss` or `absolute_error`, row by row.
    pub loss: String,
    /// Rows that were searched: all of them, or an even sample of them.
    pub rows: u64,
    /// Columns that were searched.
    pub columns: Vec<String>,
    /// Columns that are not searchable: one value only, or nearly as many values as rows.
    pub skipped_columns: Vec<String>,
    /// Columns that were searched alone and not crossed with others: there are too many for all pairs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns_alone: Vec<String>,
    /// How many slices were tried.
    pub tried: u64,
    /// The fewest rows a slice had to have.
    pub min_rows: u64,
    /// The least effect size.
    pub min_effect_size: f64,
    /// The largest adjusted p-value.
    pub significance: f64,
    /// The slices, largest effect first.
    pub slices: Vec<FoundSlice>,
}

/// A slice on which the model does badly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundSlice {
    /// The conditions on its rows; all are true.
    pub conditions: Vec<Condition>,
    /// Its number of rows, of those searched.
    pub rows: u64,
    /// Their share of the rows searched.
    pub share: f64,
    /// Mean loss in the slice.
    pub loss: f64,
    /// Mean loss outside it.
    pub rest_loss: f64,
    /// Difference of the two means in units of the standard deviation: √2 (m₁ - m₂) / √(s₁² + s₂²).
    pub effect_size: f64,
    /// One-sided p-value of Welch's t-test.
    pub p_value: f64,
    /// The same, adjusted for the number of slices tried (Benjamini and Hochberg).
    pub adjusted_p_value: f64,
    /// Metrics on the rows of the slice.
    pub metrics: Metrics,
}

/// A condition on one column that the rows of a found slice satisfy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Condition {
    /// One value.
    Equals {
        /// The column.
        column: String,
        /// Its value; `null` for an empty cell.
        equals: SliceValue,
    },
    /// A range of numbers.
    Range {
        /// The column.
        column: String,
        /// Lower end, inside.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_least: Option<f64>,
        /// Upper end, outside.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        below: Option<f64>,
    },
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals { column, equals } => write!(f, "{column}={equals}"),
            Self::Range { column, at_least: Some(low), below: Some(high) } => {
                write!(f, "{}≤{column}<{}", six_digits(*low), six_digits(*high))
            }
            Self::Range { column, at_least: Some(low), below: None } => write!(f, "{column}≥{}", six_digits(*low)),
            Self::Range { column, at_least: None, below: Some(high) } => write!(f, "{column}<{}", six_digits(*high)),
            Self::Range { column, at_least: None, below: None } => write!(f, "any {column}"),
        }
    }
}

/// A bound as shown to people; the file has it in full.
fn six_digits(bound: f64) -> f64 {
    if bound.fract() == 0.0 { bound } else { format!("{bound:.5e}").parse().unwrap_or(bound) }
}

impl fmt::Display for FoundSlice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: Vec<String> = self.conditions.iter().map(Condition::to_string).collect();
        f.pad(&text.join(", "))
    }
}
