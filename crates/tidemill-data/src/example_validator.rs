//! The component that holds every split against the schema.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidemill_core::{
    Anomalies, ArtifactType, Code, Component, ComponentError, ComponentSpec, Gate, InputSpec, Outcome, OutputSpec,
    ParamIssue, Schema, Severity, StepContext, SummaryTable, Tone, Verdict, parse_params,
};

use crate::artifact_file::{read_json, write_json};
use crate::schema_gen::{read_schema_artifact, split};
use crate::statistics_gen::read_statistics;
use crate::validation::{DEFAULT_ENVIRONMENT, add_evidence, evidence_columns, settle_unknown, validate};
use crate::{DataError, Examples};

/// The version of `anomalies.json` that this code reads and writes.
const FORMAT_VERSION: u32 = 1;
/// The only file of an anomalies artifact.
const FILE: &str = "anomalies.json";
/// Rows of the summary table.
const TABLE_ROWS_MAX: usize = 30;

/// Finds where the splits break the schema. An ERROR anomaly stops every step below, unless told to warn only.
///
/// ```yaml
/// component: ExampleValidator
/// on_anomaly: stop          # or warn
/// environment: TRAINING
/// splits: [train, eval]     # the default is every split
/// ```
///
/// The artifact is one file, `anomalies.json`: an [`Anomalies`]. Where the examples are at hand, each anomaly
/// carries the first rows that show it, and text with too many distinct values for statistics is looked up there.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExampleValidator;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// What an ERROR anomaly does to the run.
    #[serde(default)]
    on_anomaly: OnAnomaly,
    /// The environment of the data; features that do not belong to it are not looked at.
    #[serde(default = "default_environment")]
    environment: String,
    /// The splits to validate. Default: all.
    #[serde(default)]
    splits: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OnAnomaly {
    /// Steps below do not run.
    #[default]
    Stop,
    /// The run goes on and shows it.
    Warn,
}

fn default_environment() -> String {
    DEFAULT_ENVIRONMENT.to_owned()
}

impl Component for ExampleValidator {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec {
            name: "ExampleValidator",
            version: 1,
            about: "Holds every split against the schema and stops the run on errors",
            inputs: vec![
                InputSpec::required("statistics", ArtifactType::Statistics),
                InputSpec::required("schema", ArtifactType::Schema),
                InputSpec::optional("examples", ArtifactType::Examples),
            ],
            outputs: vec![OutputSpec::new("anomalies", ArtifactType::Anomalies)],
            gate: Gate::Below,
            writes_back: false,
            measures: false,
        }
    }

    fn params_schema(&self) -> schemars::Schema {
        schemars::schema_for!(Params)
    }

    fn check(&self, params: &Value) -> Vec<ParamIssue> {
        parse_params::<Params>(params).err().unwrap_or_default()
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let params: Params = parse_params(context.params).map_err(|issues| {
            let message = issues.into_iter().next().map_or_else(String::new, |issue| issue.message);
            ComponentError::new(Code::Params, message)
        })?;
        let statistics = read_statistics(&context.input("statistics")?.path)?;
        let schema = read_schema_artifact(&context.input("schema")?.path)?;
        let examples = context.inputs.get("examples").map(|input| Examples::open(&input.path)).transpose()?;
        let names: Vec<String> = match params.splits {
            Some(named) => named,
            None => statistics.splits.keys().cloned().collect(),
        };
        let mut anomalies = Anomalies { version: FORMAT_VERSION, ..Anomalies::default() };
        for name in names {
            context.cancel.check()?;
            context.progress.phase(&format!("validating `{name}`"));
            let dataset = split(&statistics, &name)?;
            let mut found = validate(dataset, &schema, &params.environment);
            if let Some(examples) = &examples {
                look_up(&mut found, &schema, examples, &name)?;
            }
            anomalies.splits.insert(name, found);
        }
        write_json(&context.output("anomalies").join(FILE), &anomalies)?;
        Ok(outcome(&anomalies, params.on_anomaly))
    }
}

/// Reads the examples where the statistics do not say enough: rules they cannot decide, and rows that show an anomaly.
fn look_up(
    found: &mut Vec<tidemill_core::Anomaly>,
    schema: &Schema,
    examples: &Examples,
    split: &str,
) -> Result<(), DataError> {
    if !examples.splits().iter().any(|info| info.name == split) {
        return Ok(());
    }
    settle_unknown(found, schema, |column| examples.batches(split, Some(&[column])))?;
    let known = examples.schema();
    let columns: Vec<String> = evidence_columns(found, schema)
        .into_iter()
        .filter(|column| known.field_with_name(column).is_ok())
        .map(str::to_owned)
        .collect();
    if !columns.is_empty() {
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        add_evidence(found, schema, split, examples.batches(split, Some(&columns))?)?;
    }
    Ok(())
}

/// The anomalies in the artifact folder `dir`.
pub fn read_anomalies(dir: &Path) -> Result<Anomalies, ComponentError> {
    Ok(read_json(&dir.join(FILE), FORMAT_VERSION, |anomalies: &Anomalies| anomalies.version)?)
}

fn outcome(anomalies: &Anomalies, on_anomaly: OnAnomaly) -> Outcome {
    let (errors, warnings) = (anomalies.count(Severity::Error), anomalies.count(Severity::Warning));
    let lines: Vec<String> = anomalies
        .iter()
        .filter(|(_, anomaly)| anomaly.severity == Severity::Error)
        .map(|(split, anomaly)| format!("{split}: {} ({})", anomaly.description, anomaly.anomaly_type))
        .collect();
    let mut outcome = Outcome {
        headline: match (errors, warnings) {
            (0, 0) => "no anomalies".to_owned(),
            (0, warnings) => counted(warnings, "warning"),
            (errors, 0) => counted(errors, "error"),
            (errors, warnings) => format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")),
        },
        tables: table(anomalies),
        ..Outcome::default()
    };
    let properties = [
        ("errors".to_owned(), json!(errors)),
        ("warnings".to_owned(), json!(warnings)),
        ("valid".to_owned(), json!(errors == 0)),
    ];
    outcome.properties.insert("anomalies".to_owned(), properties.into());
    match on_anomaly {
        OnAnomaly::Stop if errors > 0 => outcome.verdict = Verdict::Fail(lines),
        OnAnomaly::Stop => {}
        OnAnomaly::Warn => outcome.warnings = lines,
    }
    outcome
}

fn table(anomalies: &Anomalies) -> Vec<SummaryTable> {
    let mut listed: Vec<_> = anomalies.iter().collect();
    if listed.is_empty() {
        return Vec::new();
    }
    listed.sort_by_key(|(_, anomaly)| std::cmp::Reverse(anomaly.severity));
    let more = listed.len().saturating_sub(TABLE_ROWS_MAX);
    let mut rows: Vec<(Tone, Vec<String>)> = listed
        .into_iter()
        .take(TABLE_ROWS_MAX)
        .map(|(split, anomaly)| {
            let (tone, severity) = match anomaly.severity {
                Severity::Error => (Tone::Bad, "error"),
                Severity::Warning => (Tone::Warn, "warning"),
            };
            let description = anomaly.description.strip_prefix(&format!("`{}`: ", anomaly.feature));
            let cells = [severity, split, &anomaly.feature, description.unwrap_or(&anomaly.description)];
            (tone, cells.map(str::to_owned).to_vec())
        })
        .collect();
    if more > 0 {
        let cells = ["", "", "", &format!("and {more} more")];
        rows.push((Tone::Plain, cells.map(str::to_owned).to_vec()));
    }
    let columns = ["severity", "split", "feature", "what"].map(str::to_owned).to_vec();
    vec![SummaryTable { title: "Anomalies".to_owned(), columns, rows }]
}

fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
