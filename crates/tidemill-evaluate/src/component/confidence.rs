//! `confidence_intervals`.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use tidemill_core::ParamIssue;

use crate::{IntervalMethod, IntervalOptions};

/// Confidence intervals: `false`, `true`, or a map of options.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfidenceIntervals {
    options: Option<IntervalOptions>,
    group: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct WrittenIntervals {
    /// How intervals are made.
    method: IntervalMethod,
    /// Replicas of the bootstrap.
    replicas: u32,
    /// Share of such intervals that hold the true value.
    level: f64,
    /// For every slice, not only for all rows.
    slices: bool,
    /// A column whose equal values make rows that belong together, such as those of one user: the bootstrap draws them
    /// together. Rows that depend on each other make intervals too narrow otherwise.
    group: Option<String>,
}

impl Default for WrittenIntervals {
    fn default() -> Self {
        let IntervalOptions { method, replicas, level, slices } = IntervalOptions::default();
        Self { method, replicas, level, slices, group: None }
    }
}

impl Default for ConfidenceIntervals {
    fn default() -> Self {
        Self { options: Some(IntervalOptions::default()), group: None }
    }
}

impl ConfidenceIntervals {
    /// No intervals.
    pub(crate) const fn none() -> Self {
        Self { options: None, group: None }
    }

    /// Intervals with these options, of rows that do not depend on each other.
    pub(crate) const fn of(options: IntervalOptions) -> Self {
        Self { options: Some(options), group: None }
    }

    /// The options of the intervals, if they are enabled.
    pub fn options(&self) -> Option<IntervalOptions> {
        self.options
    }

    /// The column of rows that belong together.
    pub fn group(&self) -> Option<&str> {
        self.options.and(self.group.as_deref())
    }

    pub(super) fn issues(&self) -> Vec<ParamIssue> {
        let mut issues = Vec::new();
        let Some(options) = self.options else { return issues };
        if !(2..=10_000).contains(&options.replicas) {
            issues.push(ParamIssue::new(
                ["confidence_intervals", "replicas"],
                format!("{} is not between 2 and 10000", options.replicas),
            ));
        }
        if !(options.level > 0.0 && options.level < 1.0) {
            issues.push(
                ParamIssue::new(["confidence_intervals", "level"], format!("{} is not between 0 and 1", options.level))
                    .with_hint("95 % is written 0.95"),
            );
        }
        issues
    }
}

impl<'de> Deserialize<'de> for ConfidenceIntervals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BoolOrMap;
        impl<'de> Visitor<'de> for BoolOrMap {
            type Value = ConfidenceIntervals;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or a map of options")
            }

            fn visit_bool<E: serde::de::Error>(self, wanted: bool) -> Result<Self::Value, E> {
                Ok(ConfidenceIntervals { options: wanted.then(IntervalOptions::default), group: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let WrittenIntervals { method, replicas, level, slices, group } =
                    WrittenIntervals::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ConfidenceIntervals { options: Some(IntervalOptions { method, replicas, level, slices }), group })
            }
        }
        deserializer.deserialize_any(BoolOrMap)
    }
}

impl JsonSchema for ConfidenceIntervals {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ConfidenceIntervals".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let wanted = generator.subschema_for::<bool>();
        let map = generator.subschema_for::<WrittenIntervals>();
        schemars::json_schema!({ "anyOf": [wanted, map] })
    }
}
