//! Reads a schedule from the pipeline file.

use std::time::Duration;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use tidemill_core::{ArtifactType, ParamIssue, parse_params_partly, seconds_of_span, suggest};

use crate::schedule::{ArtifactTrigger, Schedule, TICK_REFERENCES, Trigger, is_tick_reference};
use crate::{CatchUp, Cron, Overlap, Rhythm};

/// A schedule: exactly one of `cron`, `every`, `new_data`, `artifact`, `alias` and `webhook`, and what to do with its
/// ticks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleParams {
    /// What the schedule is for.
    #[serde(default)]
    description: Option<String>,
    /// Cron pattern: minute, hour, day of the month, month, day of the week. `30 2 * * mon-fri`, `@daily`.
    #[serde(default)]
    cron: Option<String>,
    /// Time zone of `cron`, by its IANA name.
    #[serde(default)]
    zone: Option<String>,
    /// Interval: `90s`, `15m`, `36h`, `14d`. Ticks are whole multiples of it since 1970.
    #[serde(default)]
    every: Option<String>,
    /// Run when the sources of the pipeline have changed: a new span, an edited file.
    #[serde(default)]
    new_data: Option<bool>,
    /// Run when a pipeline of the same store has written an artifact.
    #[serde(default)]
    artifact: Option<ArtifactTrigger>,
    /// Run when an alias moves: `taxi-tips@champion`.
    #[serde(default)]
    alias: Option<String>,
    /// Run on a signed request to `tidemill up`.
    #[serde(default)]
    webhook: Option<WebhookParams>,
    /// How often a trigger looks; `new_data` also waits this long until the sources stay unchanged.
    #[serde(default)]
    poll: Option<String>,
    /// Which ticks are run later if nothing ran the schedule at their time.
    #[serde(default)]
    catch_up: CatchUp,
    /// Ticks older than this stay missed.
    #[serde(default)]
    catch_up_window: Option<String>,
    /// What happens to a tick while an earlier run is going on.
    #[serde(default)]
    overlap: Overlap,
    /// Parameters of the runs. `${tick}`, `${tick.date}`, `${tick.from}`, `${tick.from_date}`, `${tick.span}` and
    /// `${tick.event}` are replaced.
    #[serde(default)]
    params: Map<String, Value>,
}

/// A signed request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WebhookParams {
    /// The secret of the signature: `${env.NAME}`. It is read when `tidemill up` starts.
    secret: String,
}

const POLL_DEFAULT: Duration = Duration::from_secs(10);
const WINDOW_DEFAULT: Duration = Duration::from_hours(7 * 24);
const TRIGGERS: [&str; 6] = ["cron", "every", "new_data", "artifact", "alias", "webhook"];

/// Reads the schedule called `name`. Returns all errors at once, each with the keys that lead to it.
pub fn parse_schedule(name: &str, value: &Value) -> Result<Schedule, Vec<ParamIssue>> {
    let (params, mut issues) = parse_params_partly::<ScheduleParams>(value);
    let Some(params) = params else { return Err(issues) };
    let trigger = trigger(&params, &mut issues);
    let span = |key: &str, text: &Option<String>, default: Duration, issues: &mut Vec<ParamIssue>| {
        let Some(text) = text else { return default };
        match seconds_of_span(text) {
            Ok(0) => issues.push(ParamIssue::new([key], format!("`{text}` is no time at all"))),
            Ok(seconds) => return Duration::from_secs(seconds),
            Err(wrong) => issues.push(ParamIssue::new([key], wrong)),
        }
        default
    };
    let poll = span("poll", &params.poll, POLL_DEFAULT, &mut issues);
    let catch_up_window = span("catch_up_window", &params.catch_up_window, WINDOW_DEFAULT, &mut issues);
    match params.overlap {
        Overlap::Queue(0) => issues.push(ParamIssue::new(["overlap", "queue"], "the queue holds at least 1 tick")),
        Overlap::Allow(0) => issues.push(ParamIssue::new(["overlap", "allow"], "at least 1 run is allowed")),
        _ => {}
    }
    for (key, value) in &params.params {
        if let Some(text) = value.as_str().filter(|text| is_tick_reference(text) && !TICK_REFERENCES.contains(text)) {
            let hint = suggest(text, TICK_REFERENCES).map_or_else(
                || format!("known: {}", TICK_REFERENCES.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            issues.push(ParamIssue::new(["params", key], format!("`{text}` leads nowhere")).with_hint(hint));
        }
    }
    let definition = TRIGGERS.iter().chain(&["zone"]).filter_map(|key| Some((*key, value.get(key)?)));
    let definition: Map<String, Value> = definition.map(|(key, value)| (key.to_owned(), value.clone())).collect();
    match trigger {
        Some(trigger) if issues.is_empty() => Ok(Schedule {
            name: name.to_owned(),
            description: params.description,
            trigger,
            overlap: params.overlap,
            catch_up: params.catch_up,
            catch_up_window,
            poll,
            params: params.params,
            definition: Value::Object(definition).to_string(),
        }),
        _ => Err(issues),
    }
}

/// The one trigger that is given.
fn trigger(params: &ScheduleParams, issues: &mut Vec<ParamIssue>) -> Option<Trigger> {
    let given = [
        params.cron.is_some(),
        params.every.is_some(),
        params.new_data.is_some(),
        params.artifact.is_some(),
        params.alias.is_some(),
        params.webhook.is_some(),
    ];
    let names: Vec<&str> = TRIGGERS.iter().zip(given).filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    match names[..] {
        [_] => {}
        [] => {
            let message = "a schedule has no trigger";
            issues.push(
                ParamIssue::new(<[&str; 0]>::default(), message)
                    .with_hint(format!("add one of {}", TRIGGERS.join(", "))),
            );
            return None;
        }
        [_, second, ..] => {
            let message = format!("a schedule has one trigger, this one has {}", names.join(" and "));
            issues.push(ParamIssue::new([second], message).with_hint("write two schedules"));
            return None;
        }
    }
    if params.zone.is_some() && params.cron.is_none() {
        issues.push(ParamIssue::new(["zone"], "only `cron` has a time zone"));
    }
    if let Some(pattern) = &params.cron {
        let cron = pattern.parse::<Cron>().map_err(|error| issues.push(ParamIssue::new(["cron"], error.to_string())));
        let zone = params.zone.as_deref().map_or(Some(TimeZone::UTC), |name| zone(name, issues));
        return Some(Trigger::Time(Rhythm::Cron { cron: cron.ok()?, zone: zone? }));
    }
    if let Some(every) = &params.every {
        return match seconds_of_span(every) {
            Ok(seconds) if seconds > 0 => Some(Trigger::Time(Rhythm::Every(Duration::from_secs(seconds)))),
            Ok(_) => refused(issues, "every", format!("`{every}` is no time at all")),
            Err(wrong) => refused(issues, "every", wrong),
        };
    }
    if let Some(new_data) = params.new_data {
        let off = "`new_data` is `true`; to switch the schedule off, remove it or use `tidemill schedules pause`";
        return if new_data { Some(Trigger::NewData) } else { refused(issues, "new_data", off.to_owned()) };
    }
    if let Some(artifact) = &params.artifact {
        if let Err(error) = artifact.artifact_type.parse::<ArtifactType>() {
            issues.push(ParamIssue::new(["artifact", "type"], error.to_string()));
            return None;
        }
        return Some(Trigger::Artifact(artifact.clone()));
    }
    if let Some(text) = &params.alias {
        let wrong = || format!("`{text}` is not an alias; write `MODEL@ALIAS`");
        return match text.split_once('@') {
            Some((model, alias)) if !model.is_empty() && !alias.is_empty() => {
                Some(Trigger::Alias { model: model.to_owned(), alias: alias.to_owned() })
            }
            _ => refused(issues, "alias", wrong()),
        };
    }
    let webhook = params.webhook.as_ref()?;
    let variable = webhook.secret.strip_prefix("${env.").and_then(|rest| rest.strip_suffix('}'));
    if let Some(variable) = variable.filter(|name| !name.is_empty()) {
        return Some(Trigger::Webhook { secret_variable: variable.to_owned() });
    }
    let message = "a secret does not belong into a file";
    let hint = "name an environment variable: `secret: \"${env.HOOK_SECRET}\"`";
    issues.push(ParamIssue::new(["webhook", "secret"], message).with_hint(hint));
    None
}

fn refused(issues: &mut Vec<ParamIssue>, key: &str, message: String) -> Option<Trigger> {
    issues.push(ParamIssue::new([key], message));
    None
}

/// The zone called `name`, which the time zone database of the system must have.
fn zone(name: &str, issues: &mut Vec<ParamIssue>) -> Option<TimeZone> {
    if name == "UTC" {
        return Some(TimeZone::UTC);
    }
    if let Ok(zone) = TimeZone::get(name) {
        return Some(zone);
    }
    let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    let hint = match suggest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => {
            "this system has no time zone database: install the package `tzdata`, or use UTC".to_owned()
        }
        None => "use the IANA name, such as `Europe/Berlin`".to_owned(),
    };
    issues.push(ParamIssue::new(["zone"], format!("there is no time zone `{name}`")).with_hint(hint));
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn issues(value: Value) -> Vec<String> {
        let all = parse_schedule("nightly", &value).unwrap_err();
        all.iter().map(|issue| format!("{issue} | {}", issue.hint.as_deref().unwrap_or(""))).collect()
    }

    #[test]
    fn a_schedule_is_read() {
        let value = json!({
            "cron": "30 2 * * *", "zone": "Europe/Berlin", "catch_up": "last", "overlap": { "queue": 2 },
            "params": { "day": "${tick.from_date}", "rounds": 20 },
        });
        let schedule = parse_schedule("nightly", &value).unwrap();
        assert_eq!(schedule.trigger.describe(), "30 2 * * * Europe/Berlin");
        assert_eq!((schedule.catch_up, schedule.overlap), (CatchUp::Last, Overlap::Queue(2)));
        let after = "2026-01-01T12:00Z".parse().unwrap();
        let (skipped, due) = schedule.due(after, "2026-01-03T12:00Z".parse().unwrap(), 1);
        assert_eq!((skipped, due.len()), (1, 1));
        assert_eq!(due[0].at.to_string(), "2026-01-03T01:30:00Z");
        assert_eq!(
            schedule.params_of(due[0], None),
            [("day".to_owned(), "\"2026-01-02\"".to_owned()), ("rounds".to_owned(), "20".to_owned())]
        );
    }

    #[test]
    fn mistakes_are_named_with_their_key() {
        assert!(issues(json!({}))[0].contains("add one of cron, every"));
        assert!(
            issues(json!({ "cron": "@daily", "every": "1h" }))[0].starts_with("`every`: a schedule has one trigger")
        );
        assert!(issues(json!({ "cron": "0 0 30 2 *" }))[0].contains("matches no day of any year"));
        assert!(
            issues(json!({ "cron": "@daily", "zone": "Europe/Berln" }))[0].contains("did you mean `Europe/Berlin`?")
        );
        assert!(issues(json!({ "every": "0s" }))[0].contains("no time at all"));
        assert!(issues(json!({ "every": "1h", "zone": "UTC" }))[0].contains("only `cron`"));
        assert!(issues(json!({ "webhook": { "secret": "hunter2" } }))[0].contains("environment variable"));
        assert!(
            issues(json!({ "every": "1h", "params": { "day": "${tick.dat}" } }))[0]
                .contains("did you mean `${tick.date}`?")
        );
        assert!(issues(json!({ "alias": "champion" }))[0].contains("MODEL@ALIAS"));
        assert!(issues(json!({ "every": "1h", "overlap": { "allow": 0 } }))[0].contains("at least 1"));
        assert_eq!(issues(json!({ "cron": "x", "poll": "y" })).len(), 2);
    }
}
