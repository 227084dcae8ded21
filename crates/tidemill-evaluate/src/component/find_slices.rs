//! `find_slices`.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use tidemill_core::ParamIssue;

use crate::finder::{RankBy, SearchOptions};

/// How to look for bad slices: `5`, or a map of options. `0` does not look.
#[derive(Debug, Clone, PartialEq)]
pub struct FindSlices(WrittenFindSlices);

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct WrittenFindSlices {
    /// How many slices to report.
    top: usize,
    /// Columns to search: by default what the model reads, and the columns of `slices`.
    columns: Option<Vec<String>>,
    /// Conditions of a slice at most: 1 to 3.
    depth: usize,
    /// Whether the slices where the model does worst come first (`effect`), or those that cost most (`cost`).
    rank_by: RankBy,
    /// The fewest rows a slice may have: by default half a percent of all, and 30 at least.
    min_rows: Option<u64>,
    /// How far the mean loss must lie above that of the other rows, in standard deviations.
    min_effect_size: f64,
    /// The largest p-value, corrected for the search: the chance of so bad a slice among all that were tried.
    significance: f64,
}

impl Default for WrittenFindSlices {
    fn default() -> Self {
        let SearchOptions { top, depth, rank_by, min_rows, min_effect_size, significance } = SearchOptions::default();
        Self { top, columns: None, depth, rank_by, min_rows, min_effect_size, significance }
    }
}

impl Default for FindSlices {
    fn default() -> Self {
        Self(WrittenFindSlices { top: 0, ..WrittenFindSlices::default() })
    }
}

impl FindSlices {
    /// The options of the search, if it is enabled.
    pub fn options(&self) -> Option<SearchOptions> {
        (self.0.top > 0).then_some(SearchOptions {
            top: self.0.top,
            depth: self.0.depth,
            rank_by: self.0.rank_by,
            min_rows: self.0.min_rows,
            min_effect_size: self.0.min_effect_size,
            significance: self.0.significance,
        })
    }

    /// The columns to search, if they are named.
    pub fn columns(&self) -> Option<&[String]> {
        self.0.columns.as_deref()
    }

    pub(super) fn issues(&self) -> Vec<ParamIssue> {
        let mut issues = Vec::new();
        if !(1..=3).contains(&self.0.depth) {
            issues.push(ParamIssue::new(["find_slices", "depth"], format!("{} is not 1, 2 or 3", self.0.depth)));
        }
        if !(self.0.significance > 0.0 && self.0.significance < 1.0) {
            issues.push(ParamIssue::new(["find_slices", "significance"], "a p-value lies between 0 and 1"));
        }
        if !(self.0.min_effect_size >= 0.0 && self.0.min_effect_size.is_finite()) {
            issues.push(ParamIssue::new(["find_slices", "min_effect_size"], "an effect size is 0 or more"));
        }
        issues
    }
}

impl<'de> Deserialize<'de> for FindSlices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CountOrMap;
        impl<'de> Visitor<'de> for CountOrMap {
            type Value = FindSlices;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of slices, or a map of options")
            }

            fn visit_u64<E: serde::de::Error>(self, top: u64) -> Result<Self::Value, E> {
                let top = usize::try_from(top).unwrap_or(usize::MAX);
                Ok(FindSlices(WrittenFindSlices { top, ..WrittenFindSlices::default() }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                WrittenFindSlices::deserialize(MapAccessDeserializer::new(map)).map(FindSlices)
            }
        }
        deserializer.deserialize_any(CountOrMap)
    }
}

impl JsonSchema for FindSlices {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FindSlices".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let count = generator.subschema_for::<usize>();
        let map = generator.subschema_for::<WrittenFindSlices>();
        schemars::json_schema!({ "anyOf": [count, map] })
    }
}
