//! `tidemill endpoint`: check, plan, apply, status, history, rollback.

mod change;
mod status;

use std::path::Path;

use console::style;
use serde_json::{Value, json};
use tidemill_core::{Code, Failure};
use tidemill_pipeline::Workspace;
use tidemill_project::{CheckedEndpoint, EndpointChange, EndpointFile, Project};

use crate::cli::{EndpointCommand, Global};
use crate::commands::{find_project, print, say};
use crate::ui::{Align, Table, age, printable};

pub async fn endpoint(command: &EndpointCommand, global: &Global) -> Result<u8, Failure> {
    match command {
        EndpointCommand::Check { file } => check(file, global).await,
        EndpointCommand::Plan { file } => change::plan(file, global).await,
        EndpointCommand::Apply(args) => change::apply(args, global).await,
        EndpointCommand::Status(args) => status::status(args, global).await,
        EndpointCommand::History { name } => history(name, global),
        EndpointCommand::Rollback(args) => change::rollback(args, global).await,
        EndpointCommand::Set(args) => change::set(args, global).await,
        EndpointCommand::Approve { name, step, reason } => {
            change::approve(name, *step, reason.as_deref(), global).await
        }
        EndpointCommand::Remove { name, reason } => change::remove(name, reason.as_deref(), global),
    }
}

/// The store with the registered models that a file names; `None` if it names none, or there is no project.
pub async fn workspace_of(file: &EndpointFile, global: &Global) -> Result<Option<Workspace>, Failure> {
    let registered = file.spec.all_models().into_values().any(|model| model.model.is_some() && model.url.is_none());
    if !registered {
        return Ok(None);
    }
    match find_project(None, global)?.open_to_read().await {
        Ok(workspace) => Ok(Some(workspace)),
        Err(failure) if failure.code == Code::PipelineNotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// The project that keeps endpoints.
fn project(global: &Global) -> Result<Project, Failure> {
    let project = find_project(None, global)?;
    if !project.file.is_file() && !project.store_dir().is_dir() {
        let message = "endpoints are kept in a project, and there is none here";
        return Err(Failure::new(Code::PipelineNotFound, message)
            .with_hint("name it with `--project DIR`, or serve a file without one: `tidemill serve endpoint.yaml`"));
    }
    Ok(project)
}

async fn checked(file: &EndpointFile, global: &Global) -> Result<CheckedEndpoint, Failure> {
    let workspace = workspace_of(file, global).await?;
    let checked = file.check(workspace.as_ref()).await?;
    for warning in &checked.warnings {
        say(global, &format!("{} {warning}", style("warning:").yellow().for_stderr()));
    }
    Ok(checked)
}

async fn check(path: &Path, global: &Global) -> Result<u8, Failure> {
    let file = EndpointFile::read(path)?;
    let checked = checked(&file, global).await?;
    let versions: Vec<Value> = checked
        .versions
        .iter()
        .map(|(name, (model, version))| json!({ "name": name, "model": model, "version": version }))
        .collect();
    let value = json!({
        "endpoint": file.spec.endpoint,
        "inputs": checked.signature.input_tensors().iter().map(|tensor| tensor.name).collect::<Vec<_>>(),
        "outputs": checked.signature.output_tensors().iter().map(|tensor| tensor.name).collect::<Vec<_>>(),
        "models": versions,
        "warnings": checked.warnings,
    });
    print(global, &value, || {
        let names = |key: &str| {
            let names = value[key].as_array().into_iter().flatten().filter_map(Value::as_str);
            names.map(|name| printable(name).into_owned()).collect::<Vec<_>>().join(", ")
        };
        let mut text = format!("{} {}\n", style("✓").green(), style(&file.spec.endpoint).bold());
        text.push_str(&format!("  takes {}\n  gives {}\n", names("inputs"), names("outputs")));
        for (name, (model, version)) in &checked.versions {
            text.push_str(&format!("  {name} is {model} version {version}\n"));
        }
        text
    })?;
    Ok(0)
}

fn history(name: &str, global: &Global) -> Result<u8, Failure> {
    let revisions = project(global)?.endpoints().history(name)?;
    print(global, &revisions, || {
        let columns = [
            ("revision", Align::Right),
            ("change", Align::Left),
            ("by", Align::Left),
            ("at", Align::Left),
            ("reason", Align::Left),
        ];
        let mut table = Table::new(&columns);
        for revision in &revisions {
            table.row([
                revision.revision.to_string(),
                change::action_text(&revision.action),
                printable(&revision.by).into_owned(),
                age(revision.at),
                printable(revision.reason.as_deref().unwrap_or_default()).into_owned(),
            ]);
        }
        table.to_string()
    })?;
    Ok(0)
}

/// Changes, a line each.
fn changes_text(changes: &[EndpointChange]) -> String {
    let shown = |value: &Value| match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => printable(text).into_owned(),
        other => other.to_string(),
    };
    let line = |change: &EndpointChange| {
        let (before, after) = (shown(&change.before), shown(&change.after));
        let mark = match (&change.before, &change.after) {
            (Value::Null, _) => style("+").green(),
            (_, Value::Null) => style("-").red(),
            _ => style("~").yellow(),
        };
        match (&change.before, &change.after) {
            (Value::Null, _) => format!("  {mark} {}: {after}\n", change.key),
            (_, Value::Null) => format!("  {mark} {}: {before}\n", change.key),
            _ => format!("  {mark} {}: {before} → {after}\n", change.key),
        }
    };
    changes.iter().map(line).collect()
}
