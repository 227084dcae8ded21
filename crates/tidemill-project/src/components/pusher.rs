//! `Pusher`: registers a model that every gate blessed, and moves its alias.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use tidemill_core::{
    ArtifactType, Code, Component, ComponentError, ComponentSpec, Digest, ExternalInput, Failure, Gate, InputArtifact,
    InputSpec, Outcome, OutputSpec, ParamIssue, Properties, StepContext, SummaryTable, Tone, parse_params,
};
use tidemill_metadata::{
    Actor, ApprovalState, MetadataStore, NewVersion, RegisteredVersion, RunId, StoreError, VersionSpec,
};
use tidemill_pipeline::Workspace;
use tokio::runtime::Handle;

use crate::alias_policy::{AliasPolicy, AliasRequest};

/// Registers a blessed model as the next version of a registered model, and moves an alias to it.
///
/// The same model pushed again keeps its version, and the alias stays where it is: a run that makes nothing new does not
/// move it back to an older model, nor undo what a person did with `tidemill alias`, unless `move_back` is set. The output
/// is a folder with `pushed.json`.
pub struct Pusher {
    workspace: Option<Workspace>,
    policy: AliasPolicy,
}

/// Parameters of `Pusher`.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct PusherParams {
    /// Name of the registered model.
    model: String,
    /// Alias to move to the version: clients that ask for it get this model.
    #[serde(default)]
    alias: Option<String>,
    /// Move the alias also to a model that was registered by an earlier run. Otherwise only a new model moves it.
    #[serde(default)]
    move_back: bool,
    /// What the model is for, kept with the registered model.
    #[serde(default)]
    description: Option<String>,
}

impl Pusher {
    /// A pusher to the registry of `workspace`. An alias that `policy` protects moves only after an approval: the step waits
    /// for it.
    pub fn new(workspace: Option<Workspace>, policy: AliasPolicy) -> Self {
        Self { workspace, policy }
    }

    fn workspace(&self) -> Result<&Workspace, ComponentError> {
        self.workspace
            .as_ref()
            .ok_or_else(|| ComponentError::new(Code::StoreUnavailable, "the pusher has no registry to push to"))
    }

    /// The package that the alias stands for now.
    async fn current(workspace: &Workspace, params: &PusherParams) -> Result<Option<Digest>, ComponentError> {
        let Some(alias) = &params.alias else { return Ok(None) };
        let spec = VersionSpec::Alias(alias.clone());
        let version = match workspace.metadata.model_version(&params.model, &spec).await {
            Ok(version) => version,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let artifact = workspace.metadata.artifact(version.artifact_id.as_str()).await?;
        Ok(Some(artifact.digest))
    }
}

fn parse(params: &Value) -> Result<PusherParams, ComponentError> {
    Ok(parse_params(params)?)
}

impl Component for Pusher {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec {
            name: "Pusher".into(),
            version: 2,
            about: "Registers a blessed model and moves an alias to it.".into(),
            inputs: vec![
                InputSpec::required("model", ArtifactType::Model),
                InputSpec::optional("evaluation", ArtifactType::Evaluation),
                InputSpec::optional("blessing", ArtifactType::Blessing),
                InputSpec::optional("infra_blessing", ArtifactType::InfraBlessing),
            ],
            outputs: vec![OutputSpec::new("pushed", ArtifactType::PushedModel)],
            gate: Gate::Open,
            writes_back: true,
            measures: false,
        }
    }

    fn params_schema(&self) -> schemars::Schema {
        schemars::schema_for!(PusherParams)
    }

    fn check(&self, params: &Value) -> Vec<ParamIssue> {
        let params: PusherParams = match parse_params(params) {
            Ok(params) => params,
            Err(issues) => return issues,
        };
        let mut issues = Vec::new();
        if let Err(error) = tidemill_metadata::check_model_name(&params.model) {
            issues.push(ParamIssue::new(["model"], error.to_string()));
        }
        if let Some(Err(error)) = params.alias.as_deref().map(tidemill_metadata::check_alias_name) {
            issues.push(ParamIssue::new(["alias"], error.to_string()));
        }
        issues
    }

    /// What the alias stands for is part of the fingerprint: the step looks at it again when it was moved.
    fn external_inputs(&self, params: &Value, _project_dir: &Path) -> Result<Vec<ExternalInput>, ComponentError> {
        let (workspace, params) = (self.workspace()?, parse(params)?);
        let Some(alias) = &params.alias else { return Ok(Vec::new()) };
        let current = Handle::current().block_on(Self::current(workspace, &params))?;
        let name = format!("registry {}@{alias}", params.model);
        Ok(current.map(|digest| ExternalInput { name, digest }).into_iter().collect())
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let (workspace, params) = (self.workspace()?, parse(context.params)?);
        let model = context.input("model")?;
        check_blessing(model, context.inputs.get("blessing"))?;
        check_blessing(model, context.inputs.get("infra_blessing"))?;
        Handle::current().block_on(push(workspace, &self.policy, &params, model, context))
    }
}

/// A blessing that is about another model, wired by mistake where a pipeline trains several, opens no way.
fn check_blessing(model: &InputArtifact, blessing: Option<&InputArtifact>) -> Result<(), ComponentError> {
    let judged = blessing.and_then(|blessing| blessing.properties.get("model")).and_then(Value::as_str);
    match judged {
        Some(judged) if judged != model.digest.as_str() => {
            let message = format!("model `{}` is not the one that the blessing is about", model.digest.short());
            Err(ComponentError::new(Code::NotBlessed, message).with_hint(
                "with `inputs:`, wire `model` and `blessing` to one trainer and to the evaluator that judges it",
            ))
        }
        _ => Ok(()),
    }
}

async fn push(
    workspace: &Workspace,
    policy: &AliasPolicy,
    params: &PusherParams,
    model: &InputArtifact,
    context: &StepContext<'_>,
) -> Result<Outcome, ComponentError> {
    let metadata = &workspace.metadata;
    let artifact = metadata.artifact(&format!("{}:{}", ArtifactType::Model, model.digest)).await?;
    let run_id = RunId::from(context.run.run_id.as_str());
    let metrics = context.inputs.get("evaluation").map(|input| input.properties.clone()).unwrap_or_default();
    let registered = metadata
        .register_version(
            &params.model,
            NewVersion {
                artifact_id: artifact.id.clone(),
                run_id: run_id.clone(),
                properties: metrics.clone(),
                tags: std::collections::BTreeMap::default(),
                description: params.description.clone().unwrap_or_default(),
            },
        )
        .await?;
    let version = registered.version.version;
    let alias = match &params.alias {
        None => None,
        Some(alias) => {
            let by = Actor { actor: format!("step {}", context.run.step), run_id: Some(run_id.clone()), reason: None };
            let run = metadata.run(run_id.as_str()).await?;
            let author = run.environment.and_then(|found| found.get("user")?.as_str().map(str::to_owned));
            let asks = AliasRequest {
                model: &params.model,
                alias,
                version,
                digest: model.digest.as_str(),
                properties: &metrics,
                step: Some((&context.run.pipeline, &context.run.step)),
                run_id: Some(&run_id),
                author: author.as_deref(),
            };
            Some(place_alias(workspace, params, &registered, by, (policy, asks)).await?)
        }
    };
    let record = json!({
        "format": 1,
        "model": params.model,
        "version": version,
        "alias": params.alias,
        "alias_version": alias.as_ref().map(|alias| alias.after),
        "digest": model.digest,
    });
    let path = context.output("pushed").join("pushed.json");
    std::fs::write(&path, format!("{record:#}\n"))
        .map_err(|error| ComponentError::new(Code::Io, format!("cannot write `{}`: {error}", path.display())))?;
    Ok(outcome(params, &registered, alias.as_ref(), model))
}

/// Where an alias stood before the step and where it stands after it.
struct PlacedAlias {
    before: Option<u64>,
    after: u64,
}

/// Moves the alias to the version, unless the version is an old one that the alias has left before.
async fn place_alias(
    workspace: &Workspace,
    params: &PusherParams,
    registered: &RegisteredVersion,
    by: Actor,
    (policy, asks): (&AliasPolicy, AliasRequest<'_>),
) -> Result<PlacedAlias, ComponentError> {
    let alias = asks.alias;
    let (metadata, version) = (&workspace.metadata, registered.version.version);
    let record = metadata.model(&params.model).await?;
    let before = record.aliases.iter().find(|known| known.alias == alias).map(|known| known.version);
    let after = match before {
        Some(before) if before != version && !registered.created && !params.move_back => {
            let history = metadata.alias_history(&params.model).await?;
            let has_left = history.iter().any(|step| step.alias == alias && step.version == version);
            // A version that the alias never stood for is one whose push was cut off between its two halves.
            if has_left || version < before { before } else { version }
        }
        _ => version,
    };
    if after == version {
        if before != Some(version) {
            require_approval(policy, &**metadata, asks).await?;
        }
        metadata.set_alias(&params.model, alias, version, by).await?;
    }
    Ok(PlacedAlias { before, after })
}

/// Ends the attempt while an approval is missing: the run is parked.
async fn require_approval(
    policy: &AliasPolicy,
    metadata: &dyn MetadataStore,
    asks: AliasRequest<'_>,
) -> Result<(), ComponentError> {
    let name = format!("{}@{}", asks.model, asks.alias);
    let failed = |failure: Failure| ComponentError::new(failure.code, failure.message);
    let Some(approval) = policy.missing(metadata, asks).await.map_err(failed)? else { return Ok(()) };
    let id = approval.id.short();
    let (code, message) = match approval.state {
        ApprovalState::Rejected => {
            let by = approval.decided_by.as_deref().unwrap_or_default();
            (Code::NotApproved, format!("{by} rejected the move of {name} to version {}", asks.version))
        }
        _ => (Code::Waiting, format!("{name} is protected: waits for approval {id}")),
    };
    Err(ComponentError::new(code, message).with_hint(format!("`tidemill approvals show {id}`")))
}

fn outcome(
    params: &PusherParams,
    registered: &RegisteredVersion,
    alias: Option<&PlacedAlias>,
    model: &InputArtifact,
) -> Outcome {
    let (version, name) = (registered.version.version, params.alias.as_deref().unwrap_or_default());
    let mut headline = format!("{} version {version}", params.model);
    if !registered.created {
        headline.push_str(", registered before");
    }
    match alias {
        None => {}
        Some(PlacedAlias { before: Some(before), after }) if before == after && *after != version => {
            headline.push_str(&format!(
                "; @{name} stays at {after}: this run made no new model (`tidemill alias {} {name} {version}` moves it)",
                params.model
            ));
        }
        Some(PlacedAlias { before: Some(before), after }) if before != after => {
            headline.push_str(&format!(", @{name} {before} → {after}"));
        }
        Some(_) => headline.push_str(&format!(" @{name}")),
    }
    let mut properties = Properties::new();
    properties.insert("model".into(), json!(params.model));
    properties.insert("version".into(), json!(version));
    if let Some(alias) = alias {
        properties.insert("alias".into(), json!(name));
        properties.insert("alias_version".into(), json!(alias.after));
    }
    let shown = match alias {
        None => "–".to_owned(),
        Some(PlacedAlias { before: Some(before), after }) if before != after => format!("@{name} {before} → {after}"),
        Some(alias) if alias.after == version => format!("@{name}"),
        Some(alias) => format!("@{name} stays at {}", alias.after),
    };
    let row = vec![params.model.clone(), version.to_string(), shown, model.digest.short().to_owned()];
    Outcome {
        properties: [("pushed".to_owned(), properties)].into(),
        headline,
        tables: vec![SummaryTable {
            title: "Pushed".into(),
            columns: ["model", "version", "alias", "package"].map(str::to_owned).to_vec(),
            rows: vec![(Tone::Good, row)],
        }],
        ..Outcome::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(artifact_type: ArtifactType, digest: u8, properties: Properties) -> InputArtifact {
        let digest = Digest::from_bytes(&[digest; 32]);
        InputArtifact { artifact_type, digest, path: "there".into(), properties }
    }

    #[test]
    fn a_blessing_is_good_for_the_model_it_is_about_and_no_other() {
        let [model, other] = [1, 2].map(|digest| artifact(ArtifactType::Model, digest, Properties::new()));
        let about = Properties::from([("model".to_owned(), json!(model.digest))]);
        let blessing = artifact(ArtifactType::Blessing, 3, about);
        assert!(check_blessing(&model, Some(&blessing)).is_ok());
        assert!(check_blessing(&model, None).is_ok());
        assert_eq!(check_blessing(&other, Some(&blessing)).map_err(|error| error.code), Err(Code::NotBlessed));
    }
}
