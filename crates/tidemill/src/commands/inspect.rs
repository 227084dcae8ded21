//! `tidemill status` and `artifacts`.

use console::{StyledObject, style};
use serde_json::json;
use tidemill_core::{ArtifactType, Code, Failure, Verdict, suggest};
use tidemill_metadata::{
    ArtifactFilter, ArtifactRecord, Execution, ExecutionRecord, ExecutionState, MetadataStore, Run, RunLeases as _,
    RunState,
};
use tidemill_project::{Project, components};

use crate::cli::{ArtifactsArgs, Global, StatusArgs};
use crate::commands::{find_project, print};
use crate::ui::{Align, RunInputs, Table, age, bytes, count, seconds, tables_text, trouble_text};

pub async fn status(args: &StatusArgs, global: &Global) -> Result<u8, Failure> {
    let project = find_project(None, global)?;
    let metadata = project.metadata().await?;
    let run = metadata.run(&args.run).await?;
    let run = if abandoned(&project, &*metadata, &run).await { metadata.run(&args.run).await? } else { run };
    let mut executions = metadata.executions(&run.id).await?;
    // In the order of the plan: steps that run at once would change places from run to run.
    executions.sort_by_key(|record| place(&run, &record.execution.step));
    let value = json!({ "run": run, "executions": executions });
    print(global, &value, || {
        let mut table =
            Table::new(&[("step", Align::Left), ("state", Align::Left), ("time", Align::Right), ("", Align::Left)]);
        for record in &executions {
            let execution = &record.execution;
            table.row([execution.step.clone(), shown_state(execution), time(record), story(record)]);
        }
        let state = run_state(run.state);
        let mut text = format!(
            "{}  {state}  {}\n{table}",
            style(&run.pipeline).bold(),
            style(format!("run {} · {}", run.id, age(run.started_at))).dim()
        );
        for record in &executions {
            text.push_str(&tables_text(&record.execution.step, record.execution.outcome.as_ref()));
        }
        text.push_str(&troubles(&executions));
        text
    })?;
    Ok(0)
}

/// Why steps of the run rejected something or failed, with the commands that help.
fn troubles(executions: &[ExecutionRecord]) -> String {
    let inputs = RunInputs::of(executions);
    let components = components(None, None);
    let mut text = String::new();
    for record in executions {
        let execution = &record.execution;
        let reasons = match execution.outcome.as_ref().map(|outcome| &outcome.verdict) {
            Some(Verdict::Fail(reasons)) => Some(reasons),
            _ => None,
        };
        let code = |_| components.get(&execution.component).map_or(Code::Rejected, |known| known.rejection_code());
        let (rejected, reasons) = (reasons.map(code), reasons.map_or(&[][..], Vec::as_slice));
        text.push_str(&trouble_text(&execution.step, rejected, reasons, execution.error.as_ref(), &inputs));
    }
    text
}

/// Closes a run that counts as RUNNING although its process was killed, which holding the pipeline's lease proves.
/// Returns whether the record has changed; where nothing can be written, it stays as it is.
pub async fn abandoned(project: &Project, metadata: &dyn MetadataStore, run: &Run) -> bool {
    if run.state != RunState::Running {
        return false;
    }
    let Ok(lease) = project.store().leases().acquire(&run.lease) else { return false };
    let recovered = metadata.recover(&run.pipeline, &run.lease).await;
    drop(lease);
    recovered.is_ok_and(|runs| !runs.is_empty())
}

/// The step's place in the plan that was recorded with the run.
fn place(run: &Run, step: &str) -> usize {
    let steps = run.plan.as_array().map(Vec::as_slice).unwrap_or_default();
    steps.iter().position(|planned| planned["step"] == step).unwrap_or(steps.len())
}

fn time(record: &ExecutionRecord) -> String {
    let execution = &record.execution;
    match execution.finished_at {
        Some(end) if execution.state != ExecutionState::Cached => {
            seconds(end.duration_since(execution.started_at).as_secs_f64())
        }
        _ => String::new(),
    }
}

/// What came of an execution, in a line.
fn story(record: &ExecutionRecord) -> String {
    let execution = &record.execution;
    // Its message follows the table.
    let error = execution.error.as_ref().map(|error| format!("[{}]", error.code));
    error.or_else(|| execution.outcome.as_ref().map(|outcome| outcome.headline.clone())).unwrap_or_default()
}

pub fn run_state(state: RunState) -> StyledObject<RunState> {
    match state {
        RunState::Complete => style(state).green(),
        RunState::Rejected | RunState::Failed => style(state).red(),
        RunState::Running => style(state).cyan(),
        RunState::Waiting => style(state).yellow(),
        RunState::Canceled => style(state).yellow(),
    }
}

/// The state of an execution; one that was ended because it waits for a person shows that.
fn shown_state(execution: &Execution) -> String {
    let waits = execution.error.as_ref().is_some_and(|error| error.code == Code::Waiting);
    if waits { style("WAITING").yellow().to_string() } else { execution_state(execution.state).to_string() }
}

fn execution_state(state: ExecutionState) -> StyledObject<ExecutionState> {
    match state {
        ExecutionState::Complete => style(state).green(),
        ExecutionState::Cached => style(state).dim(),
        ExecutionState::Failed => style(state).red(),
        ExecutionState::Running | ExecutionState::New => style(state).cyan(),
        ExecutionState::Canceled => style(state).yellow(),
    }
}

pub async fn artifacts(args: &ArtifactsArgs, global: &Global) -> Result<u8, Failure> {
    let project = find_project(None, global)?;
    let workspace = project.open_to_read().await?;
    if let Some(spec) = &args.artifact {
        let artifact = workspace.metadata.artifact(spec).await?;
        let path = workspace.artifacts.location(artifact.artifact_type, &artifact.digest);
        print(global, &json!({ "artifact": artifact, "path": path }), || {
            let mut text = format!("{} {}\n", style(artifact.artifact_type).bold(), artifact.digest);
            text.push_str(&format!(
                "  {} in {} files, {}\n",
                bytes(artifact.bytes),
                artifact.files,
                age(artifact.created_at)
            ));
            text.push_str(&format!("  {path}\n"));
            for (name, value) in &artifact.properties {
                text.push_str(&format!("  {} {value}\n", style(format!("{name}:")).dim()));
            }
            text
        })?;
        return Ok(0);
    }
    let run_id = match &args.run {
        Some(spec) => Some(workspace.metadata.run(spec).await?.id),
        None => None,
    };
    let artifact_type = args.artifact_type.as_deref().map(parse_type).transpose()?;
    let filter = ArtifactFilter { artifact_type, run_id, ..ArtifactFilter::default() };
    let artifacts = workspace.metadata.artifacts(&filter, args.list.limit).await?;
    print(global, &artifacts, || artifacts_text(&artifacts))?;
    Ok(0)
}

fn parse_type(text: &str) -> Result<ArtifactType, Failure> {
    let names = || ArtifactType::ALL.iter().map(|t| t.name());
    let near = suggest(text, names());
    match text.parse::<ArtifactType>() {
        // Any name may be a type, but one that is nearly a built-in type is a typing mistake.
        Ok(artifact_type) if artifact_type.is_built_in() || near.is_none() => Ok(artifact_type),
        _ => {
            let hint = near.map_or_else(
                || format!("types: {}", names().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            Err(Failure::new(Code::CommandLine, format!("`{text}` is not an artifact type")).with_hint(hint))
        }
    }
}

fn artifacts_text(artifacts: &[ArtifactRecord]) -> String {
    if artifacts.is_empty() {
        return "no artifacts\n".to_owned();
    }
    let mut table = Table::new(&[
        ("digest", Align::Left),
        ("type", Align::Left),
        ("step", Align::Left),
        ("size", Align::Right),
        ("files", Align::Right),
        ("made", Align::Left),
    ]);
    for ArtifactRecord { artifact, producer } in artifacts {
        table.row([
            artifact.digest.short().to_owned(),
            artifact.artifact_type.to_string(),
            producer.step.clone(),
            bytes(artifact.bytes),
            count(artifact.files),
            age(artifact.created_at),
        ]);
    }
    table.to_string()
}
