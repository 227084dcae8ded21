//! What a report is of: the names and dates in its heading.

use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;
use tidemill_core::ArtifactType;
use tidemill_core::markup::About;
use tidemill_metadata::{Artifact, ExecutionRecord, MetadataStore, StoreError};

use super::Found;
use crate::ui::count;

/// Sources listed; more are counted.
const SOURCES_MAX: usize = 3;

/// The pipeline, model, run and data of a page of `artifact`.
pub(super) async fn of_run(
    metadata: &dyn MetadataStore,
    found: &Found,
    artifact: &Artifact,
) -> Result<About, StoreError> {
    let run = &found.run;
    let examples = examples(found, artifact);
    let rows = examples.and_then(|examples| examples.properties.get("rows")).and_then(Value::as_u64);
    let span = examples.and_then(|examples| examples.properties.get("span")).map(Value::to_string);
    Ok(About { title: format!("{}, run {}", run.pipeline, run.id.short()), ..About::default() }
        .with("Pipeline", &run.pipeline)
        .with("Model", model(metadata, found).await?)
        .with("Run", run.id.short())
        .with("Date", date(run.started_at))
        .with("Rows", rows.map(count).unwrap_or_default())
        .with("Source", examples.and_then(|examples| source(found, examples)).unwrap_or_default())
        .with("Span", span.unwrap_or_default())
        .with("Data digest", examples.map(|examples| examples.digest.short().to_owned()).unwrap_or_default()))
}

/// The files of a page that was not made from a run: their names, and when the newest was written.
pub(in crate::commands) fn of_files<'a>(files: impl IntoIterator<Item = (&'a str, &'a Path)>) -> About {
    let mut about = About::default();
    let mut newest = None;
    for (label, path) in files {
        about = about.with(label, path.display().to_string());
        let written = std::fs::metadata(path).and_then(|of| of.modified()).ok();
        newest = newest.max(written.and_then(|time| Timestamp::try_from(time).ok()));
    }
    about.with("Written", newest.map(date).unwrap_or_default())
}

pub(super) fn date(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// The model of the run with its version, if it is registered.
async fn model(metadata: &dyn MetadataStore, found: &Found) -> Result<String, StoreError> {
    let Some(model) = found.output(ArtifactType::Model, |_| true) else { return Ok(String::new()) };
    for record in metadata.models().await? {
        // The newest: the same package may have been registered before.
        if let Some(version) = record.versions.iter().rev().find(|version| version.artifact_id == model.id) {
            let aliases = record.aliases.iter().filter(|alias| alias.version == version.version);
            let aliases: Vec<String> = aliases.map(|alias| format!(" @{}", alias.alias)).collect();
            return Ok(format!("{} version {}{}", record.model.name, version.version, aliases.concat()));
        }
    }
    Ok(format!("{}, not registered", model.digest.short()))
}

/// The examples that `artifact` was made from: read by the step that wrote it, else the first of the run.
fn examples<'a>(found: &'a Found, artifact: &Artifact) -> Option<&'a Artifact> {
    let wrote = |step: &&ExecutionRecord| step.outputs.iter().any(|(_, output)| output.id == artifact.id);
    let inputs = found.steps.iter().filter(wrote).flat_map(|step| &step.inputs);
    let read = inputs.map(|(_, input)| input).find(|input| input.artifact_type == ArtifactType::Examples);
    read.or_else(|| found.output(ArtifactType::Examples, |_| true))
}

/// Where the step that wrote `examples` read them. Addresses and queries of databases are not shown.
fn source(found: &Found, examples: &Artifact) -> Option<String> {
    let wrote = |step: &&ExecutionRecord| step.outputs.iter().any(|(_, output)| output.id == examples.id);
    let step = found.steps.iter().find(wrote)?;
    let (kind, value) = step.execution.params.get("source")?.as_object()?.iter().find(|(_, value)| !value.is_null())?;
    if kind == "sql" {
        return Some("a database".to_owned());
    }
    let paths: Vec<&str> = match (value, value.get("path"), value.get("splits").and_then(Value::as_object)) {
        (Value::String(path), ..) | (_, Some(Value::String(path)), _) => vec![path],
        (_, _, Some(splits)) => splits.values().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let more = paths.len().saturating_sub(SOURCES_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let listed = paths.iter().take(SOURCES_MAX).copied().collect::<Vec<_>>().join(", ");
    (!listed.is_empty()).then(|| format!("{listed}{more}"))
}
