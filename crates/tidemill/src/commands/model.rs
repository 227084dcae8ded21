//! `tidemill model`: looking into packages, and finding them.

use std::path::{Path, PathBuf};

use console::style;
use serde_json::json;
use tidemill_core::ArtifactType;
use tidemill_model::Model;
use tidemill_pipeline::Workspace;

use crate::cli::{Global, ModelCommand};
use crate::commands::models::find_version;
use crate::commands::print;
use crate::error::Failure;
use crate::project::Project;
use crate::ui::{Align, Table, bytes};

pub async fn model(command: &ModelCommand, global: &Global) -> Result<u8, Failure> {
    match command {
        ModelCommand::Show { model } => show(model, global).await,
        ModelCommand::Warmup(args) => super::warmup::warmup(args, global).await,
    }
}

/// A package a command works on.
pub struct Package {
    /// What to call it: `taxi-tips version 3`, or the folder.
    pub title: String,
    /// Its folder.
    pub path: PathBuf,
}

/// The package that `spec` means: a folder that holds one, or a version in the project's registry.
pub async fn find_package(spec: Option<&str>, global: &Global) -> Result<Package, Failure> {
    if let Some(folder) = spec.map(Path::new).filter(|path| path.join("model.json").is_file()) {
        return Ok(Package { title: folder.display().to_string(), path: folder.to_owned() });
    }
    let workspace = Project::find(None, global)?.open().await?;
    let name = match spec {
        Some(spec) => spec.to_owned(),
        None => only_model(&workspace).await?,
    };
    let version = find_version(&*workspace.metadata, &name).await?;
    let artifact = workspace.metadata.artifact(version.artifact_id.as_str()).await?;
    let path = workspace.artifacts.path(ArtifactType::Model, &artifact.digest);
    Ok(Package { title: format!("{} version {}", version.model, version.version), path })
}

async fn only_model(workspace: &Workspace) -> Result<String, Failure> {
    let models = workspace.metadata.models().await?;
    match models.as_slice() {
        [one] => Ok(one.model.name.clone()),
        [] => Err(Failure::new(tidemill_core::Code::ModelNotFound, "no model is registered")
            .with_hint("run a pipeline that ends in a Pusher, or name the folder of a package with `--model`")),
        several => {
            let names: Vec<&str> = several.iter().map(|record| record.model.name.as_str()).collect();
            Err(Failure::new(tidemill_core::Code::ModelNotFound, "several models are registered")
                .with_hint(format!("say which with `--model`: {}", names.join(", "))))
        }
    }
}

async fn show(spec: &str, global: &Global) -> Result<u8, Failure> {
    let package = find_package(Some(spec), global).await?;
    let model = Model::load(&package.path)?;
    let manifest = model.manifest();
    print(global, &json!({ "path": package.path, "manifest": manifest }), || {
        let dim = |text: &str| style(text.to_owned()).dim();
        let mut text = format!("{}  {}\n", style(&package.title).bold(), dim(&package.path.display().to_string()));
        let size: u64 = manifest.files.values().map(|file| file.bytes).sum();
        let inputs = model.signature().inputs.len();
        text.push_str(&format!(
            "{} over {inputs} raw features, {}, written by Tidemill {}\n\n",
            manifest.learner.kind,
            bytes(size),
            manifest.tidemill
        ));
        let mut table =
            Table::new(&[("", Align::Left), ("name", Align::Left), ("type", Align::Left), ("", Align::Left)]);
        for input in &model.signature().inputs {
            let optional = if input.optional { "may be missing" } else { "required" };
            table.row([
                dim("in").to_string(),
                input.name.clone(),
                input.datatype.to_string(),
                dim(optional).to_string(),
            ]);
        }
        for output in &model.signature().outputs {
            table.row([dim("out").to_string(), output.name.clone(), output.datatype.to_string(), String::new()]);
        }
        text.push_str(&table.to_string());
        text
    })?;
    Ok(0)
}
