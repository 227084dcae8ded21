//! What to do after a step rejected something or failed: the error code, and the commands that help.

use serde_json::Value;
use tidemill_core::{ArtifactType, Code};
use tidemill_metadata::ExecutionRecord;

/// A command worth typing, and what it does.
pub type Advice = (String, &'static str);

/// What a run worked on, as far as commands need it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunInputs {
    /// The file or URL of the examples.
    pub data: Option<String>,
    /// The schema that is kept for curation.
    pub schema: Option<String>,
    /// Whether an evaluation was written.
    pub evaluated: bool,
    /// Whether statistics were written.
    pub measured: bool,
    /// A request to the model that was pushed, with a recorded row.
    pub request: Option<String>,
}

impl RunInputs {
    /// From the record of a run.
    pub fn of(executions: &[ExecutionRecord]) -> Self {
        let params = |component: &str| {
            executions.iter().map(|record| &record.execution).find(|found| found.component == component)
        };
        let params = |component: &str| params(component).map(|execution| &execution.params);
        let source = params("ExampleGen").and_then(|params| params.get("source"));
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let wrote = |wanted: ArtifactType| {
            executions.iter().flat_map(|record| &record.outputs).any(|(_, output)| output.artifact_type == wanted)
        };
        Self {
            data: source.and_then(|source| match source {
                Value::Object(formats) => formats.values().find_map(text),
                other => text(other),
            }),
            schema: params("SchemaGen").and_then(|params| params.get("file")).and_then(text),
            evaluated: wrote(ArtifactType::Evaluation),
            measured: wrote(ArtifactType::Statistics),
            request: None,
        }
    }
}

/// The commands that help after an error or a rejection with `code` for `reasons`.
pub fn advice(code: Code, reasons: &[String], inputs: &RunInputs) -> Vec<Advice> {
    let data = inputs.data.as_deref().unwrap_or("FILE");
    let schema = inputs.schema.as_deref().unwrap_or("schema.yaml");
    let mut commands = Vec::new();
    if code == Code::Anomalous {
        let show = format!("tidemill validate {} --schema {} --show-rows", quoted(data), quoted(schema));
        commands.push((show, "rows that break the schema"));
        if inputs.schema.is_some() {
            let accept = accepted(reasons).unwrap_or_else(|| "ANOMALY:FEATURE".to_owned());
            let schema = if schema == "schema.yaml" { String::new() } else { format!(" --schema {}", quoted(schema)) };
            let update = format!("tidemill schema update {} --accept {accept}{schema}", quoted(data));
            commands.push((update, "if the data is right: change the schema"));
        }
    }
    if code == Code::NotBlessed {
        let force = "tidemill bless --force --reason 'WHY'".to_owned();
        commands.push((force, "if it is good enough: register it all the same"));
    }
    commands.extend(report(inputs));
    commands.push((format!("tidemill explain {code}"), "what the code means"));
    commands
}

/// The page that a run is shown on.
pub fn report(inputs: &RunInputs) -> Option<Advice> {
    let what = match (inputs.evaluated, inputs.measured) {
        (true, _) => "the evaluation as a page: curves, slices, thresholds",
        (false, true) => "the statistics as a page, with the anomalies",
        (false, false) => return None,
    };
    Some(("tidemill report".to_owned(), what))
}

/// The anomaly of the first reason, as `schema update --accept` takes it. A reason reads
/// ``eval: `fare`: what is wrong (ANOMALY_TYPE)``.
fn accepted(reasons: &[String]) -> Option<String> {
    let reason = reasons.first()?;
    let kind = reason.rsplit_once('(')?.1.strip_suffix(')')?;
    let feature = reason.split('`').nth(1)?;
    let is_kind = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    is_kind.then(|| quoted(&format!("{kind}:{feature}")))
}

/// The text as one word of a shell.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,~".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_name_the_files_and_anomalies_of_the_run() {
        let inputs = RunInputs {
            data: Some("data/my trips.csv".to_owned()),
            schema: Some("schema.yaml".to_owned()),
            ..RunInputs::default()
        };
        let reasons = ["eval: `trip_miles`: 8 of 9 lack a value (FEATURE_TYPE_LOW_FRACTION_PRESENT)".to_owned()];
        let commands: Vec<String> =
            advice(Code::Anomalous, &reasons, &inputs).into_iter().map(|(line, _)| line).collect();
        assert_eq!(
            commands,
            [
                "tidemill validate 'data/my trips.csv' --schema schema.yaml --show-rows",
                "tidemill schema update 'data/my trips.csv' --accept FEATURE_TYPE_LOW_FRACTION_PRESENT:trip_miles",
                "tidemill explain TM3002",
            ]
        );
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
