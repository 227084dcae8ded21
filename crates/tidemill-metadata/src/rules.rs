//! Rules that every implementation of the store follows.

use std::collections::HashSet;

use tidemill_core::{ArtifactType, Code};

use crate::{Actor, Artifact, ExecutionError, ExecutionState, RunState, StoreError};

/// Rejects two inputs or outputs with the same key.
pub(crate) fn check_keys<'a>(keys: impl IntoIterator<Item = &'a str>) -> Result<(), StoreError> {
    let mut seen = HashSet::new();
    match keys.into_iter().find(|key| !seen.insert(*key)) {
        Some(key) => Err(StoreError::Conflict(format!("key `{key}` is given twice for one execution"))),
        None => Ok(()),
    }
}

/// Rejects a state in which a run cannot end.
pub(crate) fn check_run_end(state: RunState) -> Result<(), StoreError> {
    if state.is_final() { Ok(()) } else { Err(StoreError::Conflict(format!("a run cannot end as {state}"))) }
}

/// Rejects a state that is not a failure.
pub(crate) fn check_failure(state: ExecutionState) -> Result<(), StoreError> {
    match state {
        ExecutionState::Failed | ExecutionState::Canceled => Ok(()),
        _ => Err(StoreError::Conflict(format!("an execution cannot fail as {state}"))),
    }
}

/// The error for a change to a record that has ended.
pub(crate) fn not_running(kind: &str, id: &str, state: &str) -> StoreError {
    StoreError::Conflict(format!("{kind} `{id}` is {state}, not RUNNING"))
}

/// The error for taking outputs from an execution that is not COMPLETE.
pub(crate) fn not_complete(id: &str, state: ExecutionState) -> StoreError {
    StoreError::Conflict(format!("execution `{id}` is {state}, not COMPLETE: its outputs cannot be taken"))
}

/// Whether to record a move of an alias to its current version: only if a run confirms a move by a person.
pub(crate) fn is_confirmation(last: Option<&Actor>, by: &Actor) -> bool {
    by.run_id.is_some() && last.is_some_and(|last| last.run_id.is_none())
}

/// The error for a version of anything but a model.
pub(crate) fn not_a_model(id: &str, artifact_type: ArtifactType) -> StoreError {
    StoreError::Conflict(format!("artifact `{id}` is of type {artifact_type}, not Model"))
}

/// The error recorded for an execution whose process died.
pub(crate) fn abandoned(pid: u32) -> ExecutionError {
    ExecutionError {
        code: Code::Abandoned,
        message: format!("process {pid} ended before the step did"),
        hint: Some("run again: finished steps are taken from the cache".to_owned()),
        causes: Vec::new(),
    }
}

/// The error recorded for an execution that was still RUNNING when its run ended.
pub(crate) fn canceled_at_run_end() -> ExecutionError {
    ExecutionError {
        code: Code::Canceled,
        message: "the run ended before the step did".to_owned(),
        hint: None,
        causes: Vec::new(),
    }
}

/// A specification of an artifact: an id or the start of a digest, with or without `Type:`.
pub(crate) fn artifact_spec(spec: &str) -> (Option<ArtifactType>, String) {
    match spec.split_once(':') {
        Some((name, rest)) if name.parse::<ArtifactType>().is_ok() => (name.parse().ok(), rest.to_lowercase()),
        _ => (None, spec.to_lowercase()),
    }
}

/// The only match; if there is none, `others` are suggestions.
pub(crate) fn only<T>(
    kind: &'static str,
    spec: &str,
    mut found: Vec<T>,
    name: impl Fn(&T) -> String,
    others: impl IntoIterator<Item = String>,
) -> Result<T, StoreError> {
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => {
            let others: Vec<String> = others.into_iter().collect();
            Err(StoreError::not_found(kind, spec, others.iter().map(String::as_str)))
        }
        _ => Err(StoreError::Ambiguous { kind, name: spec.to_owned(), fits: found.iter().take(5).map(name).collect() }),
    }
}

/// An artifact as `artifact_spec` reads it.
pub(crate) fn artifact_name(artifact: &Artifact) -> String {
    format!("{}:{}", artifact.artifact_type, artifact.digest.short())
}
