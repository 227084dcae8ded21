//! What a `Tuner` step may say in the pipeline file.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value};
use tidemill_core::{ParamIssue, parse_params_partly};
use tidemill_tune::{Budget, Direction, Plateau, SamplerKind, Stop, space_schema};

use super::search::Search;
use crate::trainer::{Configured, TrainerParams};

/// Parameters of a `Trainer` that are about the model.
const OF_MODEL: [&str; 6] = ["name", "owner", "calibration", "threshold", "rolling_origin", "warm_start"];
/// Trials where no budget is named.
const TRIALS: u64 = 50;

/// The keys that a `Tuner` has beside those of a `Trainer`.
#[derive(Debug, Clone, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TunerKeys {
    /// What is fitted: one learner, or several of which the best is chosen. Parameters that are written beside a name keep
    /// their value.
    #[schemars(schema_with = "learners_schema")]
    learner: Value,
    /// What is searched: for each parameter of the learner the values that it may take. With several learners, a mapping from
    /// each to its parameters. By default the ranges that are known to be worth searching.
    #[schemars(schema_with = "space_schema")]
    space: Option<Value>,
    /// What the search may spend: a number of trials, a time such as `10m`, or both as `{ trials: 100, time: 10m }`. By
    /// default 50 trials.
    pub(super) budget: Option<SearchBudget>,
    /// The metric on the validation rows that is made as good as possible. By default the loss that the learner reports first.
    pub(super) metric: Option<String>,
    /// Whether the metric is better when it is smaller or larger, where its name does not say.
    pub(super) direction: Option<Direction>,
    /// Who proposes trials.
    pub(super) sampler: SamplerKind,
    /// Trials that are spread evenly before the sampler learns from them. By default 10, and 4 for each learner where that is more.
    pub(super) startup_trials: Option<u64>,
    /// Trials that run at once; they share the threads of the step. By default 1.
    pub(super) parallel: Option<usize>,
    /// Whether trials end early that do worse than others after as many rounds. By default they do.
    pub(super) prune: Option<bool>,
    /// Cross-validation: every trial is fitted so many times, from 2 to 20, and judged on all training rows, each by a model that has
    /// not learned from it. For small data, whose validation rows are too few to tell trials apart. By default trials are judged on
    /// the rows kept aside. Rows that are split by time have no folds.
    pub(super) folds: Option<usize>,
    /// How often cross-validation is repeated with other folds, from 1 to 20. By default once.
    pub(super) repeats: Option<usize>,
    /// What a row may take from raw input to prediction, in milliseconds, at the 99th percentile: slower trials do not win. Measured
    /// in each trial by the code that answers requests.
    pub(super) latency_p99_ms: Option<f64>,
    /// What is made small beside the metric: `latency` of a row, `size` of the model. The search then looks for models that no other is
    /// better than in all, and lists them as the Pareto front. No trial ends early, and a plateau ends nothing. The best metric wins.
    pub(super) objectives: Vec<Objective>,
    /// Whether the best trials are averaged where that is better than the best one by more than chance: the search then gives the
    /// learner `ensemble`. For two classes, several classes and amounts. By default it is not done.
    pub(super) ensemble: bool,
    /// Whether the search begins with parameters that are known to be good for many tables. By default it does where `space` names
    /// nothing of the learner.
    pub(super) starts: Option<bool>,
    /// When more trials are not worth it: `never`, or `{ plateau: { trials: 15, min_gain: 0.001, min_trials: 30 } }`. By default a
    /// search ends when its last trials gained less than the noise of the measurement.
    pub(super) stop: StopRule,
}

/// What may be made small beside the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Objective {
    /// What a row takes from raw input to prediction, at the 99th percentile.
    Latency,
    /// The bytes of the model.
    Size,
}

impl Objective {
    /// The fact of a trial that it is.
    pub(super) fn fact(self) -> &'static str {
        match self {
            Self::Latency => "latency_p99_us",
            Self::Size => "model_bytes",
        }
    }
}

impl TunerKeys {
    /// What is wrong with the values.
    fn issues(&self, trainer: &TrainerParams) -> Vec<ParamIssue> {
        let mut issues = Vec::new();
        let counts = [("folds", self.folds, 2), ("repeats", self.repeats, 1)];
        for (key, value, least) in counts {
            if value.is_some_and(|value| !(least..=20).contains(&value)) {
                issues.push(ParamIssue::new([key], format!("`{key}` must be from {least} to 20")));
            }
        }
        let is_twice = |(at, objective): (usize, &Objective)| self.objectives[..at].contains(objective);
        if self.objectives.iter().enumerate().any(is_twice) {
            issues.push(ParamIssue::new(["objectives"], "an objective is there twice"));
        }
        if self.repeats.is_some() && self.folds.is_none() {
            let issue = ParamIssue::new(["repeats"], "only cross-validation is repeated");
            issues.push(issue.with_hint("write `folds: 5` as well"));
        }
        if self.folds.is_some() && trainer.validation_split().is_some() {
            let issue = ParamIssue::new(["folds"], "`validation` names the rows that trials are judged on");
            issues.push(issue.with_hint("leave one of them out"));
        }
        if self.latency_p99_ms.is_some_and(|most| !(most > 0.0 && most.is_finite())) {
            issues.push(ParamIssue::new(["latency_p99_ms"], "`latency_p99_ms` must be above 0"));
        }
        issues
    }
}

/// What a search may spend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SearchBudget(pub(super) Budget);

#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct BudgetParts {
    /// Finished trials.
    trials: Option<u64>,
    /// Time, such as `10m`. No trial starts after it.
    time: Option<String>,
    /// The time of one trial. A learner that has rounds ends with those that it has; other trials fail.
    trial_time: Option<String>,
}

impl<'de> Deserialize<'de> for SearchBudget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parts = match Value::deserialize(deserializer)? {
            Value::Number(trials) if trials.is_u64() => {
                BudgetParts { trials: trials.as_u64(), ..BudgetParts::default() }
            }
            Value::String(time) => BudgetParts { time: Some(time), ..BudgetParts::default() },
            value @ Value::Object(_) => BudgetParts::deserialize(value).map_err(D::Error::custom)?,
            _ => return Err(D::Error::custom("`budget` is a number of trials, or a time such as `10m`")),
        };
        if parts.trials == Some(0) {
            return Err(D::Error::custom("a search has at least one trial"));
        }
        let read = |time: Option<String>| time.map(|time| duration(&time).map_err(D::Error::custom)).transpose();
        let (wall, trial_wall) = (read(parts.time)?, read(parts.trial_time)?);
        Ok(Self(Budget { trials: parts.trials, wall, trial_wall }))
    }
}

impl schemars::JsonSchema for SearchBudget {
    fn schema_name() -> Cow<'static, str> {
        "SearchBudget".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let parts = generator.subschema_for::<BudgetParts>();
        json_schema!({ "oneOf": [{ "type": "integer", "minimum": 1 }, { "type": "string" }, parts] })
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time; write `90s`, `10m` or `1h 30m`");
    let read: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(read).ok().filter(|time| !time.is_zero()).ok_or_else(wrong)
}

/// When more trials are not worth it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct StopRule(pub(super) Stop);

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct PlateauRule {
    plateau: PlateauParts,
}

#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct PlateauParts {
    /// How many of the last trials must bring nothing. By default 10, and 30 % of all where that is more.
    trials: Option<u64>,
    /// The gain that counts. By default the standard error of the best trial.
    min_gain: Option<f64>,
    /// Trials before the rule applies. By default 20, and 5 for each parameter where that is more.
    min_trials: Option<u64>,
}

impl<'de> Deserialize<'de> for StopRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(never) if never == "never" => Ok(Self(Stop::Never)),
            Value::String(plateau) if plateau == "plateau" => Ok(Self(Stop::default())),
            value @ Value::Object(_) => {
                let PlateauParts { trials, min_gain, min_trials } =
                    PlateauRule::deserialize(value).map_err(D::Error::custom)?.plateau;
                Ok(Self(Stop::Plateau(Plateau { min_trials, trials, min_gain })))
            }
            _ => Err(D::Error::custom("`stop` is `never`, `plateau`, or `{ plateau: { trials: 15 } }`")),
        }
    }
}

impl schemars::JsonSchema for StopRule {
    fn schema_name() -> Cow<'static, str> {
        "StopRule".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let rule = generator.subschema_for::<PlateauRule>();
        json_schema!({ "oneOf": [{ "enum": ["never", "plateau"] }, rule] })
    }
}

/// A step's parameters, checked.
pub(super) struct TunerParams {
    pub(super) keys: TunerKeys,
    /// Which rows, which task, and so on: as of a `Trainer`.
    pub(super) trainer: TrainerParams,
    /// The same as it is written.
    pub(super) of_trainer: Value,
    pub(super) search: Search,
}

impl TunerParams {
    /// Reads and checks the parameters; every issue points at its place.
    pub(super) fn parse(params: &Value) -> Result<Self, Vec<ParamIssue>> {
        let (own, of_trainer) = parted(params);
        let (keys, mut issues) = parse_params_partly::<TunerKeys>(&own);
        let trainer = match TrainerParams::parse(&of_trainer) {
            Ok(Configured { params, .. }) => Some(params),
            Err(of_trainer) => {
                issues.extend(of_trainer);
                None
            }
        };
        let (Some(keys), Some(trainer), true) = (keys, trainer, issues.is_empty()) else { return Err(issues) };
        let search = Search::new(&keys.learner, keys.space.as_ref(), &trainer)?;
        if keys.parallel == Some(0) {
            return Err(vec![ParamIssue::new(["parallel"], "at least one trial runs at a time")]);
        }
        issues.extend(keys.issues(&trainer));
        if !issues.is_empty() {
            return Err(issues);
        }
        if let Some(key) = trainer.of_model() {
            let issue = ParamIssue::new([key], format!("a search makes no model that `{key}` could be about"));
            return Err(vec![issue.with_hint("write it in the `Trainer`")]);
        }
        Ok(Self { keys, trainer, of_trainer, search })
    }

    /// What the search may spend.
    pub(super) fn budget(&self) -> Budget {
        self.keys.budget.map_or(Budget { trials: Some(TRIALS), ..Budget::default() }, |budget| budget.0)
    }
}

/// The keys of a `Tuner`, and all others.
fn parted(params: &Value) -> (Value, Value) {
    let own = schemars::schema_for!(TunerKeys);
    let own = own.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let entries = params.as_object().cloned().unwrap_or_default();
    let (ours, others): (Map<_, _>, Map<_, _>) = entries.into_iter().partition(|(key, _)| own.contains_key(key));
    (Value::Object(ours), Value::Object(others))
}

/// The schema of a step's parameters: those of a `Trainer` with those of a search.
pub(super) fn schema() -> Schema {
    let (mut schema, own) = (schemars::schema_for!(TrainerParams), schemars::schema_for!(TunerKeys));
    for part in ["properties", "$defs"] {
        let Some(more) = own.get(part).and_then(Value::as_object) else { continue };
        let into = schema.ensure_object().entry(part).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(into) = into {
            into.extend(more.clone());
            into.retain(|key, _| part != "properties" || !OF_MODEL.contains(&key.as_str()));
        }
    }
    let object = schema.ensure_object();
    object.insert("required".to_owned(), serde_json::json!(["learner"]));
    object.insert("title".to_owned(), "TunerParams".into());
    object.insert("description".to_owned(), "Parameters of a `Tuner` step.".into());
    schema
}

fn learners_schema(generator: &mut SchemaGenerator) -> Schema {
    let one = crate::learner::choice_schema(generator);
    json_schema!({
        "description": "What is fitted: one learner, or several of which the best is chosen. Parameters that are written beside a name keep their value.",
        "anyOf": [one.clone(), { "type": "array", "items": one, "minItems": 1 }],
    })
}
