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
    /// The same for the median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latency_p50_ms: Option<f64>,
    /// The same for the 95th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latency_p95_ms: Option<f64>,
    /// The largest allowed package, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_size_mib: Option<f64>,
    /// How often the server is started and measured at most, until every bound on latency holds: on a busy machine a single
    /// measurement may be slow by chance.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    tries: u32,
    /// The longest allowed load, in seconds, including the replay of the recorded rows.
    #[serde(default = "default_load_secs")]
    max_load_secs: f64,
}

const fn once() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_once(tries: &u32) -> bool {
    *tries == 1
}

/// TFX's default.
fn default_load_secs() -> f64 {
    300.0
}

impl Component for InfraValidator {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec {
            name: "InfraValidator".into(),
            version: 3,
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
        let latencies = params.latency_limits().map(|(name, limit)| (format!("latency_{name}_ms"), limit));
        let others = [("max_load_secs", Some(params.max_load_secs)), ("max_size_mib", params.max_size_mib)]
            .map(|(name, limit)| (name.to_owned(), limit));
        let mut issues: Vec<ParamIssue> = latencies
            .into_iter()
            .chain(others)
            .filter(|(_, limit)| limit.is_some_and(|limit| Duration::try_from_secs_f64(limit).is_err() || limit == 0.0))
            .map(|(name, _)| ParamIssue::new([name.clone()], format!("`{name}` must be a positive number")))
            .collect();
        if !(1..=TRIES_MAX).contains(&params.tries) {
            issues.push(ParamIssue::new(["tries"], format!("{} is not between 1 and {TRIES_MAX}", params.tries)));
        }
        issues
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let issues = self.check(context.params);
        if !issues.is_empty() {
            return Err(issues.into());
        }
        let params: Params = parse_params(context.params)?;
        let model = context.input("model")?;
        // A package that is not there is told by the attempt to load it.
        let size = if model.path.is_dir() { size_of(&model.path)? } else { 0 };
        let mut finding = probe(&model.path, Duration::from_secs_f64(params.max_load_secs), context)?;
        let mut rejection = Rejection::of(&finding, &params, size);
        for _ in 1..params.tries {
            // A model that does not work is not tried again.
            if rejection.is_empty() || !finding.failures.is_empty() || finding.latency.is_none() {
                break;
            }
            finding = probe(&model.path, Duration::from_secs_f64(params.max_load_secs), context)?;
            rejection = Rejection::of(&finding, &params, size);
        }
        InfraBlessing::new(&model.digest, &params, &finding, &rejection).write(context.output("infra_blessing"))?;
        Ok(outcome(&model.digest, &finding, &params, rejection))
    }
}

/// More measurements say no more.
const TRIES_MAX: u32 = 20;

impl Params {
    /// The bounds on latency, by percentile.
    fn latency_limits(&self) -> [(&'static str, Option<f64>); 3] {
        [("p50", self.latency_p50_ms), ("p95", self.latency_p95_ms), ("p99", self.latency_p99_ms)]
    }
}

/// The size of the files in a folder and below it, in bytes.
fn size_of(folder: &std::path::Path) -> Result<u64, ComponentError> {
    let read = |folder: &std::path::Path| -> std::io::Result<u64> {
        let (mut total, mut folders) = (0, vec![folder.to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    folders.push(entry.path());
                } else {
                    total += entry.metadata()?.len();
                }
            }
        }
        Ok(total)
    };
    read(folder).map_err(|source| {
        let mut error = ComponentError::new(Code::Io, format!("cannot read `{}`", folder.display()));
        error.source = Some(Box::new(source));
        error
    })
}

/// Why the model is rejected: without measurements for the artifact, with them for people.
#[derive(Debug, Default)]
struct Rejection {
    reasons: Vec<String>,
    reasons_with_measurements: Vec<String>,
}

impl Rejection {
    fn of(finding: &Finding, params: &Params, size: u64) -> Self {
        let mut rejection =
            Self { reasons: finding.failures.clone(), reasons_with_measurements: finding.failures.clone() };
        let mib = size as f64 / f64::from(1_u32 << 20);
        if let Some(limit) = params.max_size_mib.filter(|limit| mib > *limit) {
            let reason = format!("the package has {mib:.2} MiB, above {limit} MiB");
            rejection.reasons.push(reason.clone());
            rejection.reasons_with_measurements.push(reason);
        }
        let limits: Vec<(&str, f64)> =
            params.latency_limits().into_iter().filter_map(|(name, limit)| Some((name, limit?))).collect();
        if limits.is_empty() || !finding.failures.is_empty() {
            return rejection;
        }
        let Some(latency) = &finding.latency else {
            let reason = "the package has no recorded rows, so its latency cannot be measured".to_owned();
            rejection.reasons.push(reason.clone());
            rejection.reasons_with_measurements.push(reason);
            return rejection;
        };
        for (name, limit) in limits {
            let found = latency.named().into_iter().find(|(known, _)| *known == name);
            if let Some((_, found)) = found.filter(|(_, found)| *found > limit) {
                rejection.reasons.push(format!("the {name} latency is above {limit} ms"));
                rejection
                    .reasons_with_measurements
                    .push(format!("the {name} latency is {found:.2} ms, above {limit} ms"));
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
        tables.push(latency_table(latency, params));
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

fn latency_table(latency: &Latency, params: &Params) -> SummaryTable {
    let row = |(name, value): (&str, f64)| {
        let limit = params.latency_limits().into_iter().find(|(known, _)| *known == name).and_then(|(_, limit)| limit);
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
