//! Constants and lists of values inside a graph.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A constant of a column's type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(String),
}

/// The values that have codes; the code is the position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keys {
    /// Whole numbers.
    Integers(Vec<i64>),
    /// Text.
    Strings(Vec<String>),
}

impl Keys {
    /// How many values there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Integers(values) => values.len(),
            Self::Strings(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at a position, as text.
    pub(super) fn text(&self, at: usize) -> Option<String> {
        match self {
            Self::Integers(values) => values.get(at).map(ToString::to_string),
            Self::Strings(values) => values.get(at).cloned(),
        }
    }

    pub(super) fn has_duplicates(&self) -> bool {
        match self {
            Self::Integers(values) => {
                let mut seen = std::collections::HashSet::with_capacity(values.len());
                !values.iter().all(|value| seen.insert(value))
            }
            Self::Strings(values) => {
                let mut seen = std::collections::HashSet::with_capacity(values.len());
                !values.iter().all(|value| seen.insert(value))
            }
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Text(value) => write!(f, "`{value}`"),
        }
    }
}
