//! `metrics`: what to compute besides what is always computed.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use tidemill_core::{ParamIssue, TaskKind};

use crate::gate::unknown_metric;
use crate::{Metric, OwnMetric};

/// Every metric that the task has.
const ALL: &str = "all";

/// A metric to compute: a name, or a definition.
#[derive(Debug, Clone, PartialEq)]
pub enum AskedMetric {
    /// The name of one, or `all`.
    Named(String),
    /// A metric of your own.
    Own(Box<OwnMetric>),
}

impl<'de> Deserialize<'de> for AskedMetric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrMap;
        impl<'de> Visitor<'de> for TextOrMap {
            type Value = AskedMetric;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a metric, or a definition with `name` and `mean`, `sum`, `formula` or `costs`")
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(AskedMetric::Named(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let own = OwnMetric::deserialize(MapAccessDeserializer::new(map))?;
                Ok(AskedMetric::Own(Box::new(own)))
            }
        }
        deserializer.deserialize_any(TextOrMap)
    }
}

impl JsonSchema for AskedMetric {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AskedMetric".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let name = generator.subschema_for::<Metric>();
        let own = generator.subschema_for::<OwnMetric>();
        schemars::json_schema!({ "description": "The name of a metric, `all`, or a definition.", "anyOf": [name, own] })
    }
}

fn definitions(asked: &[AskedMetric]) -> Vec<OwnMetric> {
    let own = |asked: &AskedMetric| match asked {
        AskedMetric::Own(own) => Some((**own).clone()),
        AskedMetric::Named(_) => None,
    };
    asked.iter().filter_map(own).collect()
}

/// The metrics that are defined.
pub fn own_metrics(asked: &[AskedMetric]) -> Vec<Metric> {
    definitions(asked).iter().map(Metric::own).collect()
}

/// Everything that is wrong.
pub(super) fn asked_issues(asked: &[AskedMetric]) -> Vec<ParamIssue> {
    let (own, defined) = (definitions(asked), own_metrics(asked));
    let mut issues = Vec::new();
    for (index, metric) in asked.iter().enumerate() {
        let at = ["metrics".to_owned(), index.to_string()];
        match metric {
            AskedMetric::Own(metric) => issues.extend(metric.issues(&at, &own)),
            AskedMetric::Named(name) if name == ALL => {}
            AskedMetric::Named(name) => {
                if let Err(error) = name.parse::<Metric>() {
                    issues.push(unknown_metric(&error, name, &defined, at.to_vec()));
                }
            }
        }
    }
    issues
}

/// The metrics to compute for a task. Names were checked before.
pub fn asked_metrics(asked: &[AskedMetric], task: TaskKind) -> Vec<Metric> {
    let mut all: Vec<Metric> = Vec::new();
    for metric in asked {
        let named: Vec<Metric> = match metric {
            AskedMetric::Own(own) => vec![Metric::own(own)],
            // The scaled error needs `series`, and is named where there is one.
            AskedMetric::Named(name) if name == ALL => {
                Metric::of(task).filter(|metric| metric.is_on_request() && *metric != Metric::Mase).collect()
            }
            AskedMetric::Named(name) => name.parse().into_iter().collect(),
        };
        for metric in named {
            if !all.contains(&metric) {
                all.push(metric);
            }
        }
    }
    all
}
