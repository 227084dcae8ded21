//! A schedule: what starts a run, and with which parameters.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{CatchUp, DueTick, Overlap, Rhythm};

/// An entry of `schedules:` in the pipeline file.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Its key in the file.
    pub name: String,
    /// The author's description.
    pub description: Option<String>,
    /// What makes its ticks.
    pub trigger: Trigger,
    /// What happens while an earlier run is going on.
    pub overlap: Overlap,
    /// Which missed ticks are run later.
    pub catch_up: CatchUp,
    /// Older ticks stay missed.
    pub catch_up_window: Duration,
    /// How often a trigger looks.
    pub poll: Duration,
    /// Parameters of the runs; texts such as `${tick.date}` are replaced.
    pub params: Map<String, Value>,
    /// The trigger as written, to detect that it was edited.
    pub definition: String,
}

/// What makes the ticks of a schedule.
#[derive(Debug, Clone, PartialEq)]
pub enum Trigger {
    /// Time.
    Time(Rhythm),
    /// The sources of the pipeline changed: a new span, an edited file.
    NewData,
    /// A pipeline of the same store wrote an artifact.
    Artifact(ArtifactTrigger),
    /// An alias of a registered model moved.
    Alias {
        /// The registered model.
        model: String,
        /// The alias, without `@`.
        alias: String,
    },
    /// A signed request to `tidemill up`.
    Webhook {
        /// The environment variable that holds the secret.
        secret_variable: String,
    },
}

/// A pipeline wrote an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArtifactTrigger {
    /// The pipeline that writes it.
    pub pipeline: String,
    /// Its type: `Examples`, `Model`, …
    #[serde(rename = "type")]
    pub artifact_type: String,
    /// Only artifacts written by this step.
    #[serde(default)]
    pub step: Option<String>,
}

/// What `params` of a schedule may refer to.
pub const TICK_REFERENCES: [&str; 6] =
    ["${tick}", "${tick.date}", "${tick.from}", "${tick.from_date}", "${tick.span}", "${tick.event}"];

/// Whether a text refers to the tick, correctly or not.
pub fn is_tick_reference(text: &str) -> bool {
    text.starts_with("${tick")
}

impl Schedule {
    /// The zone that dates of a tick are given in.
    pub fn zone(&self) -> TimeZone {
        match &self.trigger {
            Trigger::Time(Rhythm::Cron { zone, .. }) => zone.clone(),
            _ => TimeZone::UTC,
        }
    }

    /// The next `count` ticks after `after`; none for a trigger.
    pub fn next(&self, after: Timestamp, count: usize) -> Vec<Timestamp> {
        match &self.trigger {
            Trigger::Time(rhythm) => rhythm.after(after).take(count).collect(),
            _ => Vec::new(),
        }
    }

    /// The ticks after `last` up to `now`, each with the interval that it ends. At most `max` of them, the newest.
    pub fn due(&self, last: Timestamp, now: Timestamp, max: usize) -> (usize, Vec<DueTick>) {
        let Trigger::Time(rhythm) = &self.trigger else { return (0, Vec::new()) };
        let (mut from, mut count) = (last, 0);
        let mut due = std::collections::VecDeque::new();
        for at in rhythm.after(last).take_while(|at| *at <= now) {
            due.push_back(DueTick { at, from });
            from = at;
            count += 1;
            if due.len() > max {
                due.pop_front();
            }
        }
        (count - due.len(), due.into())
    }

    /// The parameters of the run of a tick, as `NAME=VALUE` pairs whose values are YAML.
    ///
    /// `event` identifies what a trigger saw: the digest of an artifact, the number of a version.
    pub fn params_of(&self, tick: DueTick, event: Option<&str>) -> Vec<(String, String)> {
        let zone = self.zone();
        let date = |at: Timestamp| zone.to_datetime(at).date();
        let value = |value: &Value| match value.as_str() {
            Some("${tick}") => Value::from(tick.at.to_string()),
            Some("${tick.date}") => Value::from(date(tick.at).to_string()),
            Some("${tick.from}") => Value::from(tick.from.to_string()),
            Some("${tick.from_date}") => Value::from(date(tick.from).to_string()),
            Some("${tick.span}") => {
                let epoch = jiff::civil::Date::constant(1970, 1, 1);
                Value::from(date(tick.at).since(epoch).map_or(0, |span| span.get_days()))
            }
            Some("${tick.event}") => Value::from(event.unwrap_or_default()),
            _ => value.clone(),
        };
        // JSON is YAML.
        self.params.iter().map(|(name, given)| (name.clone(), value(given).to_string())).collect()
    }
}

impl Trigger {
    /// The trigger in a few words.
    pub fn describe(&self) -> String {
        match self {
            Self::Time(Rhythm::Cron { cron, zone }) => format!("{cron} {}", zone.iana_name().unwrap_or("UTC")),
            Self::Time(Rhythm::Every(every)) => {
                format!("every {}", tidemill_core::span_of_seconds(every.as_secs()))
            }
            Self::NewData => "new data".to_owned(),
            Self::Artifact(artifact) => format!("new {} of {}", artifact.artifact_type, artifact.pipeline),
            Self::Alias { model, alias } => format!("{model}@{alias} moved"),
            Self::Webhook { .. } => "webhook".to_owned(),
        }
    }
}
