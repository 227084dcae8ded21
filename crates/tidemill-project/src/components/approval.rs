//! `Approval`: asks a person before the steps below it run.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tidemill_core::{
    ArtifactType, Code, Component, ComponentError, ComponentSpec, Gate, InputArtifact, InputSpec, Outcome, OutputSpec,
    ParamIssue, Properties, StepContext, Verdict, parse_params, seconds_of_span,
};
use tidemill_metadata::{Approval as Answer, ApprovalState, NewApproval, RunId, StoreError};
use tidemill_pipeline::Workspace;
use tokio::runtime::Handle;

/// Asks a person to approve a model. Until somebody has decided, the run is parked as WAITING and no process waits.
///
/// The question is about the bytes of the model: the same model is asked about once, and its decision holds in later runs.
/// A rejection stops every step below. The output is a folder with `approval.json`.
pub struct Approval {
    workspace: Option<Workspace>,
}

/// Parameters of `Approval`.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct ApprovalParams {
    /// What to decide, shown with the request.
    #[serde(default)]
    question: Option<String>,
    /// Who may decide; everybody if empty.
    #[serde(default)]
    approvers: Vec<String>,
    /// Whoever started the run cannot approve.
    #[serde(default)]
    not_author: bool,
    /// How long to wait for a person: `36h`, `14d`. Without it, for ever.
    #[serde(default)]
    timeout: Option<String>,
    /// The decision after `timeout`.
    #[serde(default)]
    on_timeout: OnTimeout,
    /// Environment variable with the secret of signed requests to `tidemill up --hooks`. Without it, decisions are made on
    /// the command line only.
    #[serde(default)]
    secret_variable: Option<String>,
}

/// A decision that nobody made.
#[derive(Debug, Default, Clone, Copy, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OnTimeout {
    /// No.
    #[default]
    Reject,
    /// Yes.
    Approve,
}

impl Approval {
    /// A step that asks through the store of `workspace`.
    pub fn new(workspace: Option<Workspace>) -> Self {
        Self { workspace }
    }
}

fn output_type() -> ArtifactType {
    "Approval".parse().expect("it is a name of a type")
}

impl Component for Approval {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec {
            name: "Approval".into(),
            version: 1,
            about: "Asks a person to approve a model before the steps below run.".into(),
            inputs: vec![
                InputSpec::required("model", ArtifactType::Model),
                InputSpec::optional("evaluation", ArtifactType::Evaluation),
                InputSpec::optional("blessing", ArtifactType::Blessing),
                InputSpec::optional("infra_blessing", ArtifactType::InfraBlessing),
            ],
            outputs: vec![OutputSpec::new("approval", output_type())],
            gate: Gate::Below,
            writes_back: false,
            measures: false,
        }
    }

    fn params_schema(&self) -> schemars::Schema {
        schemars::schema_for!(ApprovalParams)
    }

    fn check(&self, params: &Value) -> Vec<ParamIssue> {
        let params: ApprovalParams = match parse_params(params) {
            Ok(params) => params,
            Err(issues) => return issues,
        };
        let mut issues = Vec::new();
        if let Some(Err(wrong)) = params.timeout.as_deref().map(seconds_of_span) {
            issues.push(ParamIssue::new(["timeout"], wrong));
        }
        if params.approvers.iter().any(|name| name.trim().is_empty()) {
            issues.push(ParamIssue::new(["approvers"], "the name of an approver is empty"));
        }
        if params.secret_variable.as_deref().is_some_and(|name| name.starts_with("${") || name.is_empty()) {
            let message = "this is the name of an environment variable, not a reference";
            issues.push(ParamIssue::new(["secret_variable"], message).with_hint("write `secret_variable: NAME`"));
        }
        issues
    }

    fn rejection_code(&self) -> Code {
        Code::NotApproved
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let params: ApprovalParams = parse_params(context.params)?;
        let workspace = self
            .workspace
            .as_ref()
            .ok_or_else(|| ComponentError::new(Code::StoreUnavailable, "there is no store to ask through"))?;
        let model = context.input("model")?;
        let answer = Handle::current().block_on(ask(workspace, &params, model, context))?;
        let text = serde_json::to_string_pretty(&record(&answer))
            .map_err(|error| ComponentError::new(Code::Internal, error.to_string()))?;
        match answer.state {
            ApprovalState::Waiting => Err(waiting(&answer, model)),
            ApprovalState::Approved | ApprovalState::Rejected => {
                let path = context.output("approval").join("approval.json");
                tidemill_files::write(&path, format!("{text}\n").as_bytes())
                    .map_err(|error| ComponentError::new(Code::Io, error.to_string()))?;
                Ok(outcome(&answer))
            }
        }
    }
}

/// The decision as the artifact has it. It names no run: the same decision gives the same bytes.
fn record(answer: &Answer) -> Value {
    json!({
        "format": 1,
        "approval": answer.id,
        "subject": answer.subject,
        "state": answer.state,
        "decided_by": answer.decided_by,
        "decided_at": answer.decided_at.map(|at| at.to_string()),
        "reason": answer.reason,
    })
}

fn waiting(answer: &Answer, model: &InputArtifact) -> ComponentError {
    let id = answer.id.short();
    let message = format!("waits for approval {id} of model {}", model.digest.short());
    ComponentError::new(Code::Waiting, message)
        .with_hint(format!("`tidemill approvals show {id}`, then `tidemill approvals approve {id}` or `reject`"))
}

fn outcome(answer: &Answer) -> Outcome {
    let by = answer.decided_by.as_deref().unwrap_or_default();
    let reason = answer.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let approved = answer.state == ApprovalState::Approved;
    let word = if approved { "approved" } else { "rejected" };
    let properties = Properties::from([
        ("approved".to_owned(), json!(approved)),
        ("decided_by".to_owned(), json!(by)),
        ("model".to_owned(), json!(answer.subject)),
    ]);
    Outcome {
        properties: [("approval".to_owned(), properties)].into(),
        verdict: if approved { Verdict::Pass } else { Verdict::Fail(vec![format!("rejected by {by}{reason}")]) },
        headline: format!("{word} by {by}{reason}"),
        ..Outcome::default()
    }
}

async fn ask(
    workspace: &Workspace,
    params: &ApprovalParams,
    model: &InputArtifact,
    context: &StepContext<'_>,
) -> Result<Answer, StoreError> {
    let metadata = &workspace.metadata;
    let now = Timestamp::now();
    metadata.expire_approvals(now).await?;
    let run = metadata.run(&context.run.run_id).await?;
    let author = run.environment.as_ref().and_then(|environment| environment.get("user")?.as_str().map(str::to_owned));
    let span = params.timeout.as_deref().and_then(|span| seconds_of_span(span).ok());
    let expires_at = span.and_then(|seconds| now.checked_add(SignedDuration::from_secs(seconds as i64)).ok());
    let new = NewApproval {
        pipeline: context.run.pipeline.clone(),
        step: context.run.step.clone(),
        subject: model.digest.to_string(),
        run_id: Some(RunId::from(context.run.run_id.as_str())),
        expires_at,
        on_timeout: match params.on_timeout {
            OnTimeout::Approve => ApprovalState::Approved,
            OnTimeout::Reject => ApprovalState::Rejected,
        },
        author,
        approvers: params.approvers.clone(),
        not_author: params.not_author,
        context: what_to_decide_on(workspace, params, model, context).await?,
    };
    metadata.request_approval(new).await
}

/// What a person needs to decide: the metrics beside those of the model that is live, and where to see more.
async fn what_to_decide_on(
    workspace: &Workspace,
    params: &ApprovalParams,
    model: &InputArtifact,
    context: &StepContext<'_>,
) -> Result<Value, StoreError> {
    let metadata = &workspace.metadata;
    let metrics = context.inputs.get("evaluation").map(|input| input.properties.clone()).unwrap_or_default();
    let live = metadata.latest_blessed_model(&context.run.pipeline, std::slice::from_ref(&model.digest)).await?;
    let mut before = Properties::new();
    if let Some(live) = &live {
        let models = metadata.models().await?;
        let versions = models.iter().flat_map(|record| &record.versions);
        let registered = versions.into_iter().find(|version| version.artifact_id == live.id);
        before = registered.map(|version| version.properties.clone()).unwrap_or_default();
    }
    let numbers = metrics.iter().filter(|(_, value)| value.is_number());
    let table: Map<String, Value> = numbers
        .map(|(name, now)| (name.clone(), json!({ "now": now, "before": before.get(name).filter(|v| v.is_number()) })))
        .collect();
    let run = &context.run.run_id;
    Ok(json!({
        "question": params.question,
        "model": model.digest,
        "live": live.map(|live| live.digest),
        "metrics": table,
        "secret_variable": params.secret_variable,
        "look": [
            format!("tidemill status {run}"),
            format!("tidemill report {run}"),
            format!("tidemill artifacts {}", model.digest.short()),
        ],
    }))
}
