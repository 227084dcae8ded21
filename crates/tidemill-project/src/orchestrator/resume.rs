//! Continues runs whose approvals were decided, and takes decisions from signed requests.

use std::sync::Arc;

use serde::Deserialize;
use tidemill_core::{Code, Failure};
use tidemill_metadata::{Approval, ApprovalFilter, ApprovalState, Decision, MetadataStore, Run, RunFilter, RunState};
use tidemill_pipeline::{RunOptions, check_same_pipeline};

use super::Orchestrator;
use super::hooks::{Answer, Request};

/// Approvals that are searched for those of a run.
const APPROVALS_MAX: usize = 10_000;
/// Waiting runs that are looked at in one round.
const RUNS_MAX: usize = 1_000;

/// A WAITING run with the approvals that it waits for.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The run.
    pub run: Run,
    /// What its steps asked, decided or not.
    pub approvals: Vec<Approval>,
}

impl Waiting {
    /// Whether everything that it waits for is decided.
    pub fn is_decided(&self) -> bool {
        self.approvals.iter().all(|approval| approval.state != ApprovalState::Waiting)
    }
}

/// The approvals that a WAITING run waits for: those that its steps asked about what they read.
pub async fn waiting_approvals(metadata: &dyn MetadataStore, run: Run) -> Result<Waiting, Failure> {
    let filter = ApprovalFilter { pipeline: Some(run.pipeline.clone()), state: None };
    let known = metadata.approvals(&filter, APPROVALS_MAX).await?;
    let mut approvals = Vec::new();
    for record in metadata.executions(&run.id).await? {
        if record.execution.error.as_ref().is_none_or(|error| error.code != Code::Waiting) {
            continue;
        }
        let asked = known.iter().filter(|approval| {
            let reads = |subject: &str| record.inputs.iter().any(|(_, artifact)| artifact.digest.as_str() == subject);
            approval.step == record.execution.step && reads(&approval.subject)
        });
        approvals.extend(asked.cloned());
    }
    approvals.dedup();
    Ok(Waiting { run, approvals })
}

/// The body of a request that decides.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionBody {
    decision: Verb,
    by: String,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verb {
    Approve,
    Reject,
}

impl Orchestrator {
    /// Continues every WAITING run whose approvals are decided, while no other run is going on.
    pub(super) async fn resume_decided(&mut self) -> Result<(), Failure> {
        if !self.active.is_empty() {
            return Ok(());
        }
        let metadata = Arc::clone(&self.workspace.metadata);
        let filter = RunFilter { pipeline: Some(self.pipeline.name.clone()), state: Some(RunState::Waiting) };
        let mut runs = metadata.runs(&filter, RUNS_MAX).await?;
        // Oldest first.
        runs.reverse();
        for run in runs {
            let waiting = waiting_approvals(&*metadata, run).await?;
            if !waiting.is_decided() {
                continue;
            }
            let params = overrides(&waiting.run);
            let pipeline = Arc::new(self.project.pipeline(Some(&self.workspace), &params)?);
            if let Err(failure) = check_same_pipeline(&pipeline, &waiting.run) {
                self.report(&failure);
                continue;
            }
            let options = RunOptions { resume: Some(waiting.run.id.clone()), ..self.run_options(&params)? };
            match self.launch(pipeline, options, None).await {
                Ok(()) => return Ok(()),
                // A run that was started by hand: the next round tries again.
                Err(failure) if failure.code == Code::StoreBusy => return Ok(()),
                Err(failure) => self.report(&failure),
            }
        }
        Ok(())
    }

    /// Decides an approval by a signed request. The secret is that of the step that asks.
    pub(super) async fn decided(&self, request: &Request, id: &str) -> Result<Answer, Failure> {
        let metadata = &self.workspace.metadata;
        let approval = metadata.approval(id).await?;
        let refused = || Failure::new(Code::NotAllowed, "the step that asks takes no decisions by request");
        let variable =
            approval.context.get("secret_variable").and_then(|secret| secret.as_str()).ok_or_else(refused)?;
        request.require_signature(variable)?;
        let body: DecisionBody = serde_json::from_slice(&request.body).map_err(|error| {
            Failure::new(Code::RequestMalformed, format!("the body is not a decision: {error}"))
                .with_hint("send `{ \"decision\": \"approve\" or \"reject\", \"by\": NAME, \"reason\": TEXT }`")
        })?;
        if body.by.trim().is_empty() {
            return Err(Failure::new(Code::RequestMalformed, "`by` is empty: a decision has a name"));
        }
        let state = match body.decision {
            Verb::Approve => ApprovalState::Approved,
            Verb::Reject => ApprovalState::Rejected,
        };
        let decided = metadata.decide(&approval.id, Decision { state, by: body.by, reason: body.reason }).await?;
        let value = serde_json::to_value(&decided).map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
        Ok(Answer::accepted(value))
    }
}

/// The parameters of a run, as `--param` takes them. References to the environment stay as they are in the file.
pub fn overrides(run: &Run) -> Vec<(String, String)> {
    let params = run.params.as_object().into_iter().flatten();
    let is_reference = |value: &serde_json::Value| value.as_str().is_some_and(|text| text.starts_with("${"));
    let own = params.filter(|(_, value)| !is_reference(value));
    own.map(|(name, value)| (name.clone(), value.to_string())).collect()
}
