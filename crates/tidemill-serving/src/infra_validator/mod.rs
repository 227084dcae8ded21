//! Checks a candidate model in the same server that would serve it.

mod blessing;
mod client;
mod latency;
mod probe;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::{
    ArtifactType, Code, Component, ComponentError, ComponentSpec, Digest, Gate, InputSpec, Outcome, OutputSpec,
    ParamIssue, Properties, StepContext, SummaryTable, Tone, Verdict, parse_params,
};

use blessing::InfraBlessing;
use latency::Latency;
use probe::{Finding, probe};

/// Loads the candidate in a model server on a loopback port, replays the rows recorded in its package over both REST
/// protocols and compares the answers bit for bit, and measures latency.
///
/// Writes `infra_blessing.json`: the verdict, its reasons and the limits. Measured latencies go to the step's
/// properties and table, not into the artifact: apart from the verdict, its bytes depend on its inputs alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct InfraValidator;

/// Parameters of [`InfraValidator`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The highest allowed 99th percentile, in milliseconds, of the latency of one-row requests, seen by a client on
    /// the same machine. Absent: latency is measured and has no effect on the verdict.
    #[serde(default)]
    latency_p99_ms: Option<f64>,
    /// The longest allowed load, in seconds, including the replay of the recorded rows.
    #[serde(default = "default_load_secs")]
    max_load_secs: f64,
}

/// TFX's default.
fn default_load_secs() -> f64 {
    300.0
}

impl Component for InfraValidator {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec {
            name: "InfraValidator".into(),
            version: 2,
            about:
                "Loads the model in the serving runtime and replays recorded rows over REST before it may be pushed."
                    .into(),
            inputs: vec![InputSpec::required("model", ArtifactType::Model)],
            outputs: vec![OutputSpec::new("infra_blessing", ArtifactType::InfraBlessing)],
            gate: Gate::Dependents,
            writes_back: false,
            measures: true,
        }
    }

    fn rejection_code(&self) -> Code {
        Code::InfraNotBlessed
    }

    fn params_schema(&self) -> schemars::Schema {
        schemars::schema_for!(Params)
    }

    fn check(&self, params: &Value) -> Vec<ParamIssue> {
        let params: Params = match parse_params(params) {
            Ok(params) => params,
            Err(issues) => return issues,
        };
        let limits = [("latency_p99_ms", params.latency_p99_ms), ("max_load_secs", Some(params.max_load_secs))];
        limits
            .into_iter()
            .filter(|(_, limit)| limit.is_some_and(|limit| Duration::try_from_secs_f64(limit).is_err() || limit == 0.0))
            .map(|(name, _)| ParamIssue::new([name], format!("`{name}` must be a positive number")))
            .collect()
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let issues = self.check(context.params);
        if !issues.is_empty() {
            return Err(issues.into());
        }
        let params: Params = parse_params(context.params)?;
        let model = context.input("model")?;
        let finding = probe(&model.path, Duration::from_secs_f64(params.max_load_secs), context)?;
        let rejection = Rejection::of(&finding, &params);
        InfraBlessing::new(&model.digest, &params, &finding, &rejection).write(context.output("infra_blessing"))?;
        Ok(outcome(&model.digest, &finding, &params, rejection))
    }
}

/// Why the model is rejected: without measurements for the artifact, with them for people.
#[derive(Debug, Default)]
struct Rejection {
    reasons: Vec<String>,
    reasons_with_measurements: Vec<String>,
}

impl Rejection {
    fn of(finding: &Finding, params: &Params) -> Self {
        let mut rejection =
            Self { reasons: finding.failures.clone(), reasons_with_measurements: finding.failures.clone() };
        if let (Some(limit), true) = (params.latency_p99_ms, finding.failures.is_empty()) {
            match &finding.latency {
                Some(latency) if latency.p99_ms > limit => {
                    rejection.reasons.push(format!("the p99 latency is above {limit} ms"));
                    rejection
                        .reasons_with_measurements
                        .push(format!("the p99 latency is {:.2} ms, above {limit} ms", latency.p99_ms));
                }
                Some(_) => {}
                None => {
                    let reason = "the package has no recorded rows, so its latency cannot be measured".to_owned();
                    rejection.reasons.push(reason.clone());
                    rejection.reasons_with_measurements.push(reason);
                }
            }
        }
        rejection
    }

    fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }
}

fn outcome(model: &Digest, finding: &Finding, params: &Params, rejection: Rejection) -> Outcome {
    let blessed = rejection.is_empty();
    let mut properties = Properties::new();
    properties.insert("blessed".to_owned(), blessed.into());
    properties.insert("model".to_owned(), model.as_str().into());
    properties.insert("sample_rows".to_owned(), finding.sample_rows.into());
    let mut tables = Vec::new();
    if let Some(latency) = &finding.latency {
        for (name, value) in latency.named() {
            properties.insert(format!("latency_{name}_ms"), value.into());
        }
        tables.push(latency_table(latency, params.latency_p99_ms));
    }
    let mut warnings = Vec::new();
    if finding.sample_rows == 0 && finding.failures.is_empty() {
        warnings.push("the package has no recorded rows: the model was loaded and not tried".to_owned());
    }
    let headline = match (&finding.latency, rejection.reasons_with_measurements.first()) {
        (_, Some(reason)) => format!("not blessed: {reason}"),
        (Some(latency), None) => {
            format!("{} sample rows identical over REST, p99 {:.1} ms", finding.sample_rows, latency.p99_ms)
        }
        (None, None) => "loaded in the serving runtime".to_owned(),
    };
    let verdict = if blessed { Verdict::Pass } else { Verdict::Fail(rejection.reasons_with_measurements) };
    let properties = BTreeMap::from([("infra_blessing".to_owned(), properties)]);
    Outcome { properties, verdict, headline, tables, warnings }
}

fn latency_table(latency: &Latency, limit: Option<f64>) -> SummaryTable {
    let row = |(name, value): (&str, f64)| {
        let limit = limit.filter(|_| name == "p99");
        let tone = match limit {
            Some(limit) if value > limit => Tone::Bad,
            Some(_) => Tone::Good,
            None => Tone::Plain,
        };
        let limit = limit.map_or_else(String::new, |limit| format!("{limit} ms"));
        (tone, vec![name.to_owned(), format!("{value:.2} ms"), limit])
    };
    SummaryTable {
        title: format!("Serving latency ({} requests of one row)", latency.requests),
        columns: vec!["percentile".to_owned(), "latency".to_owned(), "limit".to_owned()],
        rows: latency.named().into_iter().map(row).collect(),
    }
}
