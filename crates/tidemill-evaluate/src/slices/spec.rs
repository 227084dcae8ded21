//! The slices to evaluate, as written in a pipeline file.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::SliceValue;

/// A family of slices: every crossing of the values of `columns`, or only of some values.
///
/// Written as a list of columns (`[payment_type, trip_start_hour]`; the empty list is all rows) or as
/// `{ columns: [payment_type], values: { payment_type: [Cash] } }`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SliceSpec {
    /// The columns that are crossed.
    pub columns: Vec<String>,
    /// Values to keep, by column. A column that is not named here keeps all of its values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Vec<SliceValue>>,
}

impl SliceSpec {
    /// Every crossing of the values of `columns`.
    pub fn over<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Self {
        Self { columns: columns.into_iter().map(Into::into).collect(), values: BTreeMap::new() }
    }

    /// Whether `value` of `column` is among the values kept.
    pub fn keeps(&self, column: &str, value: &SliceValue) -> bool {
        self.values.get(column).is_none_or(|kept| kept.iter().any(|written| written.means(value)))
    }
}

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Written {
    /// The columns that are crossed; those named in `values` are added.
    #[serde(default)]
    columns: Vec<String>,
    /// Values to keep, by column.
    #[serde(default)]
    values: BTreeMap<String, Vec<SliceValue>>,
}

impl<'de> Deserialize<'de> for SliceSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListOrMap;
        impl<'de> Visitor<'de> for ListOrMap {
            type Value = SliceSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of columns, or a map with `columns` and `values`")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(SliceSpec::over::<String>)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let Written { mut columns, values } = Written::deserialize(MapAccessDeserializer::new(map))?;
                for column in values.keys() {
                    if !columns.contains(column) {
                        columns.push(column.clone());
                    }
                }
                Ok(SliceSpec { columns, values })
            }
        }
        deserializer.deserialize_any(ListOrMap)
    }
}

impl schemars::JsonSchema for SliceSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SliceSpec".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let list = generator.subschema_for::<Vec<String>>();
        let map = generator.subschema_for::<Written>();
        schemars::json_schema!({
            "description": "Columns whose values are crossed (an empty list is all rows), or only some of their values.",
            "anyOf": [list, map],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read() {
        let list: SliceSpec = serde_json::from_str(r#"["a", "b"]"#).unwrap();
        assert_eq!(list, SliceSpec::over(["a", "b"]));
        let map: SliceSpec = serde_json::from_str(r#"{"columns": ["a"], "values": {"b": ["x", 3, null]}}"#).unwrap();
        assert_eq!(map.columns, ["a", "b"]);
        assert!(map.keeps("a", &SliceValue::Int(9)));
        assert!(map.keeps("b", &SliceValue::Int(3)) && map.keeps("b", &SliceValue::Missing));
        assert!(!map.keeps("b", &SliceValue::Text("y".into())));
    }
}
