//! `tidemill model import`: registers a model of another program, so that the registry treats it as our own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tidemill_core::{ArtifactType, Code, Failure, Outcome, Properties};
use tidemill_metadata::{Actor, Completed, NewArtifact, NewExecution, NewRun, NewVersion, RunState};
use tidemill_model::{ImportedModel, LoadedModel};
use tidemill_onnx::{external_files, load_model_with, model_file};
use tidemill_project::environment;

use crate::cli::{Global, ModelImportArgs};
use crate::commands::models::require_approval;
use crate::commands::{actor, find_project, print};
use crate::ui::bytes;

/// The pipeline under which imports are on record.
const PIPELINE: &str = "import";
/// The file in the artifact with where the model is from.
const PROVENANCE: &str = "imported.json";

pub async fn import(args: &ModelImportArgs, global: &Global) -> Result<u8, Failure> {
    tidemill_metadata::check_model_name(&args.name)
        .map_err(|error| Failure::new(Code::CommandLine, error.to_string()))?;
    if let Some(alias) = &args.alias {
        tidemill_metadata::check_alias_name(alias)
            .map_err(|error| Failure::new(Code::CommandLine, error.to_string()))?;
    }
    let file = found(&args.path)?;
    let LoadedModel::Imported(model) = load_model_with(&file, &args.onnx.options())? else {
        let message =
            format!("`{}` is a package of Tidemill, and only models of other programs are imported", file.display());
        return Err(Failure::new(Code::CommandLine, message));
    };
    let project = find_project(None, global)?;
    let workspace = project.open().await?;
    let staged = workspace.artifacts.stage()?;
    let provenance = provenance(&file, &model);
    copy(&file, staged.path())?;
    write(&staged.path().join(PROVENANCE), format!("{provenance:#}\n").as_bytes())?;
    write(&staged.path().join("CARD.md"), card(&args.name, &file, &model).as_bytes())?;
    // What is registered is what was copied.
    load_model_with(staged.path(), &args.onnx.options())?;
    let stored = workspace.artifacts.commit(staged, ArtifactType::Model)?;

    let metadata = &workspace.metadata;
    let params = json!({ "file": file, "name": args.name });
    let run = metadata
        .create_run(NewRun {
            pipeline: PIPELINE.to_owned(),
            params: params.clone(),
            plan: json!([]),
            // No run of a pipeline takes it for one of its own that died.
            lease: format!("{PIPELINE}.import"),
            environment: Some(environment(&project.dir).await),
            ..NewRun::default()
        })
        .await?;
    let execution = metadata
        .start_execution(NewExecution {
            run_id: run.id.clone(),
            step: PIPELINE.to_owned(),
            component: "ModelImport".to_owned(),
            component_version: 1,
            fingerprint: stored.digest.clone(),
            fingerprint_parts: Value::Null,
            params,
            inputs: Vec::new(),
        })
        .await?;
    let properties: Properties =
        [("format".to_owned(), json!(model.format())), ("imported".to_owned(), json!(true))].into_iter().collect();
    let artifact = NewArtifact {
        artifact_type: ArtifactType::Model,
        digest: stored.digest.clone(),
        bytes: stored.bytes,
        files: stored.files,
        properties,
    };
    let done = Completed {
        fingerprint: stored.digest.clone(),
        fingerprint_parts: Value::Null,
        outcome: Outcome { headline: format!("{} of another program", model.format()), ..Outcome::default() },
        outputs: vec![("model".to_owned(), artifact)],
    };
    let artifacts = metadata.complete_execution(&execution, done).await?;
    metadata.finish_run(&run.id, RunState::Complete, json!({ "imported": args.name })).await?;
    let artifact = artifacts.first().ok_or_else(|| Failure::new(Code::Internal, "the store returned no artifact"))?;
    let who = actor();
    let new = NewVersion {
        artifact_id: artifact.id.clone(),
        run_id: run.id.clone(),
        properties: Properties::new(),
        tags: BTreeMap::from([
            ("imported_by".to_owned(), who.clone()),
            ("imported_from".to_owned(), file.display().to_string()),
        ]),
        description: args.description.clone().unwrap_or_default(),
    };
    let registered = metadata.register_version(&args.name, new).await?;
    let version = registered.version.version;
    if let Some(alias) = &args.alias {
        require_approval(&project, &**metadata, alias, &registered.version).await?;
        metadata
            .set_alias(
                &args.name,
                alias,
                version,
                Actor { actor: who, reason: Some("imported".to_owned()), ..Actor::default() },
            )
            .await?;
    }
    let value = json!({
        "model": args.name, "version": version, "alias": args.alias, "digest": stored.digest, "format": model.format(),
        "bytes": stored.bytes, "run": run.id, "created": registered.created,
    });
    print(global, &value, || {
        let alias = args.alias.as_ref().map_or_else(String::new, |alias| format!(" @{alias}"));
        let known = if registered.created { "" } else { ", registered before" };
        format!("{} version {version}{alias}{known}: {}, {}\n", args.name, model.format(), bytes(stored.bytes))
    })?;
    Ok(0)
}

/// The model file that a path means: a file, a folder with one, or a folder of versions, of which the newest counts.
fn found(path: &Path) -> Result<PathBuf, Failure> {
    if !path.exists() {
        return Err(Failure::new(Code::CommandLine, format!("`{}` is not there", path.display())));
    }
    let versions = std::fs::read_dir(path).into_iter().flatten().filter_map(|entry| {
        let path = entry.ok()?.path();
        Some((path.file_name()?.to_str()?.parse::<u64>().ok()?, path)).filter(|(_, path)| path.is_dir())
    });
    let folder = versions.max().map_or_else(|| path.to_owned(), |(_, newest)| newest);
    let file = model_file(&folder)?;
    file.ok_or_else(|| {
        Failure::new(Code::PackageInvalid, format!("`{}` holds no model of another program", folder.display()))
            .with_hint(
                "ONNX, LightGBM's text, XGBoost's JSON or UBJSON are read; `tidemill model show` describes others",
            )
    })
}

/// Copies the model under its usual name, and the files beside it that hold its tensors.
fn copy(file: &Path, to: &Path) -> Result<(), Failure> {
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or("onnx");
    for (from, name) in [(file.to_owned(), PathBuf::from(format!("model.{extension}")))]
        .into_iter()
        .chain(external_files(file)?.into_iter().map(|name| (file.with_file_name(&name), name)))
    {
        let to = to.join(name);
        let made = to.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::copy(&from, &to));
        made.map_err(|error| Failure::new(Code::Io, format!("cannot copy `{}`: {error}", from.display())))?;
    }
    Ok(())
}

fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, content)
        .map_err(|error| Failure::new(Code::Io, format!("cannot write `{}`: {error}", path.display())))
}

/// Where a model is from, and what its file says of itself.
fn provenance(file: &Path, model: &ImportedModel) -> Value {
    let facts: BTreeMap<&str, &String> = model.facts().iter().map(|(name, value)| (*name, value)).collect();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let mut value =
        json!({ "imported": 1, "file": name, "bytes": model.bytes(), "model_format": model.format(), "facts": facts });
    if let Some(tensors) = model.tensors() {
        let all = |infos: &[tidemill_model::TensorInfo]| -> Vec<Value> {
            let one = |info: &tidemill_model::TensorInfo| json!({ "name": info.name, "datatype": info.element.oip_name(), "shape": info.shape_text() });
            infos.iter().map(one).collect()
        };
        value["inputs"] = all(tensors.inputs()).into();
        value["outputs"] = all(tensors.outputs()).into();
    }
    value
}

fn card(name: &str, file: &Path, model: &ImportedModel) -> String {
    let mut text = format!("# {name}\n\nImported from `{}`, {}.\n\n", file.display(), model.format());
    for (fact, value) in model.facts() {
        text.push_str(&format!("* {fact}: {value}\n"));
    }
    text
}
