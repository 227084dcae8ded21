//! The data a split is compared with: what was accepted before, and what is served.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tidemill_core::{Code, ComponentError, DatasetStatistics, Properties, Schema, SplitStatistics, StepContext};

use super::params::{Params, Thresholds};
use crate::drift::{Comparison, DriftReport, compare, default_comparators};
use crate::statistics_gen::read_statistics;

/// Every distance measured, by split: `distances.json` of an anomalies artifact.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Distances {
    /// Format of the file.
    pub version: u32,
    /// A report for each dataset that a split was compared with.
    pub splits: BTreeMap<String, Vec<DriftReport>>,
}

impl Distances {
    /// What was compared with, in words.
    pub(super) fn baselines(&self) -> Vec<&'static str> {
        let kinds: BTreeSet<&str> = self.splits.values().flatten().map(|report| report.comparison.name()).collect();
        let word = |kind: &str| match kind {
            "skew" => "the data served",
            "version" => "the version before",
            _ => "the data before",
        };
        kinds.into_iter().map(word).collect()
    }
}

/// What to compare with, as far as it is there.
pub(super) struct References(Vec<Reference>);

struct Reference {
    comparison: Comparison,
    thresholds: Thresholds,
    statistics: SplitStatistics,
}

impl References {
    /// The inputs `baseline` and `serving`.
    pub(super) fn read(context: &StepContext<'_>, params: &Params) -> Result<Self, ComponentError> {
        let mut found = Vec::new();
        for (key, comparison, thresholds) in
            [("baseline", Comparison::Drift, params.drift), ("serving", Comparison::Skew, params.skew)]
        {
            if let Some(input) = context.inputs.get(key).filter(|_| thresholds != Thresholds::Off) {
                let now = &context.input("statistics")?.properties;
                let span = |of: &Properties| of.get("spans").or_else(|| of.get("span")).cloned();
                let same = span(now).is_some() && span(now) == span(&input.properties);
                let comparison = if comparison == Comparison::Drift && same { Comparison::Version } else { comparison };
                found.push(Reference { comparison, thresholds, statistics: read_statistics(&input.path)? });
            }
        }
        Ok(Self(found))
    }

    /// How far `current` lies from each of them.
    pub(super) fn compare(
        &self,
        current: &DatasetStatistics,
        schema: &Schema,
        environment: &str,
    ) -> Result<Vec<DriftReport>, ComponentError> {
        let mut reports = Vec::new();
        for reference in &self.0 {
            let Some(mut other) = reference.split(&current.name)? else { continue };
            let schema = reference.with_defaults(schema, &other);
            other.name = match reference.comparison {
                Comparison::Drift | Comparison::Version => format!("{} before", other.name),
                Comparison::Skew => format!("{} served", other.name),
            };
            reports.push(compare(&other, current, &schema, environment, reference.comparison));
        }
        Ok(reports)
    }
}

impl Reference {
    /// The split to hold `name` against: the one of that name, or the only one. Data before need not have had it.
    fn split(&self, name: &str) -> Result<Option<DatasetStatistics>, ComponentError> {
        let splits = &self.statistics.splits;
        if let Some(same) = splits.get(name) {
            return Ok(Some(same.clone()));
        }
        match (splits.values().next(), self.comparison) {
            (Some(only), Comparison::Skew) if splits.len() == 1 => Ok(Some(only.clone())),
            (_, Comparison::Drift | Comparison::Version) => Ok(None),
            (_, Comparison::Skew) => {
                let known: Vec<String> = splits.keys().map(|known| format!("`{known}`")).collect();
                let message = format!("serving: there is no split `{name}`; there are {}", known.join(", "));
                Err(ComponentError::new(Code::Params, message).with_hint("name the splits to validate with `splits`"))
            }
        }
    }

    /// The schema with default comparators for the features that have none, if they are asked for.
    fn with_defaults(&self, schema: &Schema, other: &DatasetStatistics) -> Schema {
        let mut schema = schema.clone();
        if self.thresholds != Thresholds::Defaults {
            return schema;
        }
        for (name, feature) in &mut schema.features {
            let slot = match self.comparison {
                Comparison::Drift | Comparison::Version => &mut feature.drift,
                Comparison::Skew => &mut feature.skew,
            };
            if slot.is_none()
                && let Some(seen) = other.feature(name)
            {
                *slot = default_comparators(&[seen], feature.feature_type);
            }
        }
        schema
    }
}
