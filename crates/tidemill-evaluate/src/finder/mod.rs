//! Finds the slices on which a model performs badly, without being told where to look.
//!
//! After Chung et al., "Slice Finder" (ICDE 2019): every value or range of one column, and every crossing of two and three of
//! them, is tried (of many columns, only the crossings of those that tell most of the loss). A slice counts when its mean loss
//! exceeds that of the other rows by a given effect size, when chance rarely gives so bad a slice to the worst of all tried, and
//! when rows that the search has not seen confirm it. Of slices that say the same, the wider one is kept: one that is not clearly
//! worse than a wider slice around it is implied by that one, and one that is bad only because of rows already reported is left
//! out.

mod chance;
mod column;
mod moments;
mod search;
mod space;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::gate::number;
use crate::metrics::Metrics;
use crate::slices::SliceValue;
use crate::summary::with_separators;

pub use column::{FinderColumn, FinderColumnBuilder};
pub use search::{FinderSample, RankBy, SampleFilter, SearchOptions, search};

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
    /// Conditions of a slice at most.
    #[serde(default = "two")]
    pub depth: u64,
    /// How many slices were tried.
    pub tried: u64,
    /// Slices that were found on one half of the rows and not confirmed on the other.
    #[serde(default)]
    pub unconfirmed: u64,
    /// The fewest rows a slice had to have.
    pub min_rows: u64,
    /// The least effect size.
    pub min_effect_size: f64,
    /// The largest adjusted p-value.
    pub significance: f64,
    /// The slices, the worst first.
    pub slices: Vec<FoundSlice>,
}

/// The depth of searches of older files.
const fn two() -> u64 {
    2
}

/// A slice on the rows that the search has not seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Confirmation {
    /// Its number of rows.
    pub rows: u64,
    /// The effect size.
    pub effect_size: f64,
    /// One-sided p-value of Welch's t-test: nothing was chosen by these rows, so it needs no correction.
    pub p_value: f64,
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
    /// Share of the loss of all rows.
    #[serde(default)]
    pub cost_share: f64,
    /// Difference of the two means in units of the standard deviation: √2 (m₁ - m₂) / √(s₁² + s₂²).
    pub effect_size: f64,
    /// One-sided p-value of Welch's t-test, on the rows that were searched.
    pub p_value: f64,
    /// The chance that the worst of all slices tried is as bad as this, if the losses had nothing to do with the columns.
    pub adjusted_p_value: f64,
    /// The slice on the other rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Confirmation>,
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

impl Condition {
    /// In words: `fare 12 to 20`, `company is Red`.
    fn told(&self) -> String {
        match self {
            Self::Equals { column, equals: SliceValue::Missing } => format!("{column} is missing"),
            Self::Equals { column, equals } => format!("{column} is {equals}"),
            Self::Range { column, at_least: Some(low), below: Some(high) } => {
                format!("{column} {} to {}", six_digits(*low), six_digits(*high))
            }
            Self::Range { column, at_least: Some(low), below: None } => {
                format!("{column} {} or more", six_digits(*low))
            }
            Self::Range { column, at_least: None, below: Some(high) } => {
                format!("{column} below {}", six_digits(*high))
            }
            Self::Range { column, at_least: None, below: None } => format!("any {column}"),
        }
    }
}

impl FoundSlice {
    /// In a sentence: `fare 12 to 20 and company is Red: log-loss 3.1 times the rest, 412 rows, p < 0.001`.
    pub fn sentence(&self, loss: &str) -> String {
        let conditions: Vec<String> = self.conditions.iter().map(Condition::told).collect();
        let loss = if loss == "absolute_error" { "error" } else { "log-loss" };
        let compared = if self.rest_loss > 0.0 {
            format!("{:.1} times the rest", self.loss / self.rest_loss)
        } else {
            format!("{} against {}", number(self.loss), number(self.rest_loss))
        };
        let rows = with_separators(self.rows);
        format!("{}: {loss} {compared}, {rows} rows, {}", conditions.join(" and "), chance(self.adjusted_p_value))
    }
}

/// A p-value in a sentence.
fn chance(p_value: f64) -> String {
    if p_value < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p_value:.3}") }
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
