//! Rules that every implementation of the store follows.

use std::collections::HashSet;

use tidemill_core::{ArtifactType, Code};

use crate::approval::TIME_OUT;
use crate::{
    Actor, Approval, ApprovalState, Artifact, Decision, ExecutionError, ExecutionState, Run, RunState, StoreError,
    Tick, TickState,
};

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
    match state {
        RunState::Running => Err(StoreError::Conflict(format!("a run cannot end as {state}"))),
        _ => Ok(()),
    }
}

/// The lease of a run: that of its pipeline, unless another one is named.
pub(crate) fn lease_or(lease: String, pipeline: &str) -> String {
    if lease.is_empty() { pipeline.to_owned() } else { lease }
}

/// Rejects the resumption of a run that does not wait.
pub(crate) fn check_resumption(run: &Run) -> Result<(), StoreError> {
    if run.state == RunState::Waiting {
        return Ok(());
    }
    Err(StoreError::Conflict(format!("run `{}` is {}, not WAITING", run.id.short(), run.state)))
}

/// Rejects a second run of a tick, unless the process of the first one died. `earlier` is the run of the tick.
pub(crate) fn check_tick_start(tick: &Tick, earlier: Option<&Run>) -> Result<(), StoreError> {
    let taken = |what: &str| Err(StoreError::Conflict(format!("tick `{}` of `{}` {what}", tick.key, tick.schedule)));
    match (tick.state, earlier) {
        (TickState::Pending, _) => Ok(()),
        (TickState::Started, Some(run)) if run.is_abandoned() => Ok(()),
        (TickState::Started, _) => taken("has a run already"),
        _ => taken(&format!("is {}", tick.state)),
    }
}

/// Rejects the end of a tick that has ended, and an end that is none.
pub(crate) fn check_tick_end(tick: &Tick, state: TickState) -> Result<(), StoreError> {
    if tick.state.is_open() && !state.is_open() {
        return Ok(());
    }
    Err(StoreError::Conflict(format!(
        "tick `{}` of `{}` is {}, it cannot become {state}",
        tick.key, tick.schedule, tick.state
    )))
}

/// Rejects making an open tick open.
pub(crate) fn check_reopening(tick: &Tick) -> Result<(), StoreError> {
    if tick.state.is_open() {
        return Err(StoreError::Conflict(format!("tick `{}` of `{}` is {}", tick.key, tick.schedule, tick.state)));
    }
    Ok(())
}

/// Rejects a decision by somebody who may not decide, and a second decision.
pub(crate) fn check_decision(approval: &Approval, decision: &Decision) -> Result<(), StoreError> {
    let denied = |reason: String| Err(StoreError::Denied { id: approval.id.short().to_owned(), reason });
    if decision.state == ApprovalState::Waiting {
        return Err(StoreError::Conflict("a decision is APPROVED or REJECTED".to_owned()));
    }
    if approval.state != ApprovalState::Waiting {
        return Err(StoreError::Decided {
            id: approval.id.short().to_owned(),
            state: approval.state,
            by: approval.decided_by.clone().unwrap_or_default(),
        });
    }
    let by = &decision.by;
    if !approval.approvers.is_empty() && !approval.approvers.contains(by) {
        return denied(format!("`{by}` may not decide; {} may", approval.approvers.join(", ")));
    }
    // The author may always withdraw.
    let is_author = approval.author.as_ref() == Some(by);
    if approval.not_author && is_author && decision.state == ApprovalState::Approved {
        return denied(format!("`{by}` started it, and somebody else has to approve"));
    }
    Ok(())
}

/// The decision that an approval gets if nobody decides in time.
pub(crate) fn decision_by_time_out(approval: &Approval) -> Decision {
    Decision { state: approval.on_timeout, by: TIME_OUT.to_owned(), reason: Some("nobody decided in time".to_owned()) }
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

/// Rejects the deletion of a package that an alias points to.
pub(crate) fn check_deletion(artifact: &Artifact, alias: Option<&str>) -> Result<(), StoreError> {
    match alias {
        Some(alias) => {
            let id = artifact.digest.short();
            Err(StoreError::Conflict(format!("artifact `{id}` is the package of `{alias}` and is not deleted")))
        }
        None => Ok(()),
    }
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
