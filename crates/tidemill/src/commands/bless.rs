//! `tidemill bless`: register a model that a step rejected, because a person decides so.

use std::collections::BTreeMap;

use serde_json::json;
use tidemill_core::{ArtifactType, Code, Failure, Properties, Verdict};
use tidemill_metadata::{Actor, Artifact, ExecutionRecord, NewVersion, VersionSpec};
use tidemill_project::Project;

use crate::cli::{BlessArgs, Global};
use crate::commands::models::require_approval;
use crate::commands::{actor, find_project, print};

/// The tags of a version that a person blessed: who, why, and which rejections that overruled.
const TAG: &str = "blessed_by";
const REASON_TAG: &str = "blessed_reason";
const OVERRULED_TAG: &str = "overruled";

pub async fn bless(args: &BlessArgs, global: &Global) -> Result<u8, Failure> {
    let project = find_project(None, global)?;
    let workspace = project.open().await?;
    let run = workspace.metadata.run(&args.run).await?;
    let executions = workspace.metadata.executions(&run.id).await?;
    refuse_unservable(&executions)?;
    let overruled = rejections(&executions);
    let reason = args.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    if let Some(first) = overruled.first()
        && !(args.force && reason.is_some())
    {
        let more = if overruled.len() > 1 { format!(", and {} more", overruled.len() - 1) } else { String::new() };
        let message = format!("the evaluation rejected the model: {first}{more}");
        return Err(Failure::new(Code::NotBlessed, message)
            .with_hint("to register it all the same: `tidemill bless --force --reason 'WHY'`"));
    }
    let model = only_model(&executions)?;
    let (name, alias) = target(&project, args)?;
    let who = actor();
    let metrics = outputs(&executions, ArtifactType::Evaluation).next();
    let mut tags = BTreeMap::from([(TAG.to_owned(), who.clone())]);
    tags.extend(reason.map(|reason| (REASON_TAG.to_owned(), reason.to_owned())));
    if !overruled.is_empty() {
        tags.insert(OVERRULED_TAG.to_owned(), overruled.join("; "));
    }
    let new = NewVersion {
        artifact_id: model.id.clone(),
        run_id: run.id.clone(),
        properties: metrics.map_or_else(Properties::new, |evaluation| evaluation.properties.clone()),
        tags: tags.clone(),
        description: reason.unwrap_or_default().to_owned(),
    };
    let registered = workspace.metadata.register_version(&name, new).await?;
    let version = registered.version.version;
    if !registered.created {
        workspace.metadata.tag_version(&name, &VersionSpec::Number(version), tags).await?;
    }
    if let Some(alias) = &alias {
        require_approval(&project, &*workspace.metadata, alias, &registered.version).await?;
        let by = Actor { actor: who.clone(), reason: Some("blessed by a person".to_owned()), ..Actor::default() };
        workspace.metadata.set_alias(&name, alias, version, by).await?;
    }
    let value = json!({
        "model": name, "version": version, "alias": alias, "run": run.id, "digest": model.digest, "blessed_by": who,
        "created": registered.created, "reason": reason, "overruled": overruled,
    });
    print(global, &value, || {
        let alias = alias.as_ref().map_or_else(String::new, |alias| format!(" @{alias}"));
        let known = if registered.created { "" } else { ", registered before" };
        format!("{name} version {version}{alias}{known}: blessed by {who}\n")
    })?;
    Ok(0)
}

/// Why steps that judge models rejected them.
fn rejections(executions: &[ExecutionRecord]) -> Vec<String> {
    let of_blessing = |record: &&ExecutionRecord| {
        record.outputs.iter().any(|(_, output)| output.artifact_type == ArtifactType::Blessing)
    };
    let reasons = |record: &ExecutionRecord| match record.execution.outcome.as_ref().map(|outcome| &outcome.verdict) {
        Some(Verdict::Fail(reasons)) => reasons.clone(),
        _ => Vec::new(),
    };
    executions.iter().filter(of_blessing).flat_map(reasons).collect()
}

/// A model that does not work in the serving runtime is not registered, whoever wants it.
fn refuse_unservable(executions: &[ExecutionRecord]) -> Result<(), Failure> {
    let rejected = |record: &&ExecutionRecord| {
        let outputs = record.outputs.iter().any(|(_, output)| output.artifact_type == ArtifactType::InfraBlessing);
        let no = matches!(record.execution.outcome.as_ref().map(|outcome| &outcome.verdict), Some(Verdict::Fail(_)));
        outputs && no
    };
    match executions.iter().find(rejected) {
        None => Ok(()),
        Some(record) => {
            let step = &record.execution.step;
            Err(Failure::new(
                Code::InfraNotBlessed,
                format!("`{step}` found that the model does not work in the server"),
            )
            .with_hint("`tidemill status` shows why; a person cannot bless such a model"))
        }
    }
}

fn outputs(executions: &[ExecutionRecord], wanted: ArtifactType) -> impl Iterator<Item = &Artifact> {
    let all = executions.iter().flat_map(|record| record.outputs.iter().map(|(_, artifact)| artifact));
    all.filter(move |artifact| artifact.artifact_type == wanted)
}

fn only_model(executions: &[ExecutionRecord]) -> Result<&Artifact, Failure> {
    let mut models: Vec<&Artifact> = outputs(executions, ArtifactType::Model).collect();
    models.dedup_by_key(|model| &model.digest);
    match models.as_slice() {
        [model] => Ok(model),
        [] => Err(Failure::new(Code::NotInStore, "the run has made no model")
            .with_hint("`tidemill runs` lists runs; name the one with the model")),
        several => {
            let message = format!("the run has made {} models, and only one can be blessed", several.len());
            Err(Failure::new(Code::CommandLine, message))
        }
    }
}

/// The registered model and the alias: from the flags, else from the `Pusher` of the pipeline file.
fn target(project: &Project, args: &BlessArgs) -> Result<(String, Option<String>), Failure> {
    let pipeline = project.pipeline(None, &[]);
    let pusher = pipeline.as_ref().ok().and_then(|pipeline| {
        pipeline.steps.iter().find(|step| step.spec.name == "Pusher").map(|step| step.recorded.clone())
    });
    let of = |key: &str| pusher.as_ref().and_then(|params| params.get(key)?.as_str().map(str::to_owned));
    let name = args.model.clone().or_else(|| of("model")).ok_or_else(|| {
        Failure::new(Code::CommandLine, "the pipeline has no `Pusher` that names the registered model")
            .with_hint("name it with `--model`")
    })?;
    Ok((name, args.alias.clone().or_else(|| of("alias"))))
}
