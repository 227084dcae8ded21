//! Which rows a model is judged on.

use serde::Serialize;
use tidemill_core::grouped;
use tidemill_transform::{ColumnChoice, is_called_identifier};

use super::columns::{ColumnFact, ColumnFacts};

/// Fewer times or groups are no way to split rows.
const VALUES_MIN: usize = 20;

/// How rows come to the splits `train` and `eval`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum SplitDraft {
    /// By a hash of each row.
    Hash,
    /// By a column that several rows have in common: a customer, a session.
    Group {
        /// The column.
        column: String,
        /// Its values.
        groups: usize,
    },
    /// The newest rows are for evaluation.
    Time {
        /// The column with the time.
        column: String,
        /// The first time; empty where rows are in no order of it.
        from: String,
        /// The last time; empty where the first is.
        to: String,
    },
}

/// How rows should come to splits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitRequest<'a> {
    /// The newest rows by this column are judged on.
    Time(&'a str),
    /// Rows with the same value of this column stay together.
    Group(&'a str),
}

impl SplitRequest<'_> {
    /// The column.
    pub(super) fn column(&self) -> &str {
        match self {
            Self::Time(column) | Self::Group(column) => column,
        }
    }
}

impl SplitDraft {
    /// By time where the rows are in the order of a column of times; by group where a column that is called like a key
    /// names several rows each; otherwise by hash.
    pub(super) fn new(facts: &ColumnFacts, choices: &[ColumnChoice]) -> Self {
        let timeline = facts.columns.iter().filter(|column| column.is_timeline());
        for column in timeline {
            if let (Some((from, to)), Some(distinct)) = (column.times(), column.distinct())
                && distinct >= VALUES_MIN
            {
                return Self::Time { column: column.name.clone(), from, to };
            }
        }
        // A column that names every row is no group.
        let left_out =
            |name: &str| choices.iter().any(|choice| choice.column == name && choice.why.contains("identifier"));
        let group = facts.columns.iter().find_map(|column| {
            let groups =
                column.distinct().filter(|groups| *groups >= VALUES_MIN && *groups as u64 * 2 <= facts.rows)?;
            (column.missing == 0 && is_called_identifier(&column.name) && !left_out(&column.name))
                .then(|| Self::Group { column: column.name.clone(), groups })
        });
        group.unwrap_or(Self::Hash)
    }

    /// As it was asked for: the names are of columns.
    pub(super) fn asked(facts: &ColumnFacts, asked: SplitRequest<'_>) -> Self {
        let fact = |name: &str| facts.columns.iter().find(|column| column.name == name);
        match asked {
            SplitRequest::Time(name) => {
                let times = fact(name).filter(|column| column.is_timeline()).and_then(ColumnFact::times);
                let (from, to) = times.unwrap_or_default();
                Self::Time { column: name.to_owned(), from, to }
            }
            SplitRequest::Group(name) => {
                let groups = fact(name).and_then(ColumnFact::distinct).unwrap_or_default();
                Self::Group { column: name.to_owned(), groups }
            }
        }
    }

    /// The column that is no feature because of the split, and why.
    pub(super) fn column_left_out(&self) -> Option<(&str, String)> {
        match self {
            Self::Group { column, groups } => Some((
                column,
                format!("it names {} groups of rows; new rows come from others", grouped(*groups as u64)),
            )),
            Self::Hash | Self::Time { .. } => None,
        }
    }

    /// How rows are split, in a line. `parts`: of how many parts each split has how many, training first.
    pub(super) fn summary(&self, parts: [u32; 2]) -> String {
        let share = format!("{} of {} rows", parts[0], parts[0] + parts[1]);
        match self {
            Self::Hash => format!("{share} for training, by a hash of each row"),
            Self::Group { column, groups } => {
                format!(
                    "{share} for training; rows with the same `{column}` ({} values) stay together",
                    grouped(*groups as u64)
                )
            }
            Self::Time { column, from, .. } if from.is_empty() => {
                format!("the first {share} by `{column}` for training, the newest for evaluation")
            }
            Self::Time { column, from, to } => {
                format!("the first {share} by `{column}` ({from} to {to}) for training, the newest for evaluation")
            }
        }
    }
}
