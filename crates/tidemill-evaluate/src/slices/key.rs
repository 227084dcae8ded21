//! The name of a slice: columns and their values.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One value of a slice column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum SliceValue {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text.
    Text(String),
    /// The cell is empty: `null` in JSON and YAML.
    Missing,
}

impl SliceValue {
    /// Whether this value, as someone wrote it, means `value` of the data. The number 3 and the text "3" count as the
    /// same value, written by two people.
    pub fn means(&self, value: &Self) -> bool {
        self == value || (*self != Self::Missing && *value != Self::Missing && self.to_string() == value.to_string())
    }
}

impl fmt::Display for SliceValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Text(value) => f.pad(value),
            Self::Missing => f.pad("missing"),
        }
    }
}

/// A column and its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SliceTerm {
    /// The column.
    pub column: String,
    /// Its value in every row of the slice.
    pub value: SliceValue,
}

/// A slice: `payment_type=Cash, trip_start_hour=3`. Without terms it is all rows.
///
/// In JSON an object from column to value, `{}` for all rows. The order of columns does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SliceKey(Vec<SliceTerm>);

impl SliceKey {
    /// All rows.
    pub fn overall() -> Self {
        Self::default()
    }

    /// The slice of the rows for which every term is true.
    pub fn new(terms: impl IntoIterator<Item = SliceTerm>) -> Self {
        Self(terms.into_iter().collect())
    }

    /// Whether it is all rows.
    pub fn is_overall(&self) -> bool {
        self.0.is_empty()
    }

    /// The terms, in the requested order of columns.
    pub fn terms(&self) -> &[SliceTerm] {
        &self.0
    }

    /// Whether both have the same columns with the same values, in any order.
    pub fn means(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self
                .0
                .iter()
                .all(|term| other.0.iter().any(|found| term.column == found.column && term.value.means(&found.value)))
    }

    /// Whether the slice is one of those over `columns`, in any order.
    pub fn is_over(&self, columns: &[String]) -> bool {
        self.0.len() == columns.len() && self.0.iter().all(|term| columns.contains(&term.column))
    }
}

impl fmt::Display for SliceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.pad("overall");
        }
        let text: Vec<String> = self.0.iter().map(|term| format!("{}={}", term.column, term.value)).collect();
        f.pad(&text.join(", "))
    }
}

impl Serialize for SliceKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for term in &self.0 {
            map.serialize_entry(&term.column, &term.value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for SliceKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Terms;
        impl<'de> Visitor<'de> for Terms {
            type Value = SliceKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from column to value")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut terms = Vec::new();
                while let Some((column, value)) = map.next_entry()? {
                    terms.push(SliceTerm { column, value });
                }
                Ok(SliceKey(terms))
            }
        }
        deserializer.deserialize_map(Terms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_an_object_in_json_and_a_line_for_people() {
        let json = r#"{"payment_type":"Cash","hour":3,"shared":null}"#;
        let key: SliceKey = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&key).unwrap(), json);
        assert_eq!(key.to_string(), "payment_type=Cash, hour=3, shared=missing");
        assert_eq!(SliceKey::overall().to_string(), "overall");
    }

    #[test]
    fn keys_mean_the_same_in_any_order_and_however_numbers_are_written() {
        let written: SliceKey = serde_json::from_str(r#"{"hour":"3","payment_type":"Cash"}"#).unwrap();
        let found: SliceKey = serde_json::from_str(r#"{"payment_type":"Cash","hour":3}"#).unwrap();
        assert!(written.means(&found));
        let missing: SliceKey = serde_json::from_str(r#"{"payment_type":"missing"}"#).unwrap();
        let null: SliceKey = serde_json::from_str(r#"{"payment_type":null}"#).unwrap();
        assert!(!missing.means(&null));
    }
}
