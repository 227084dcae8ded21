//! `tidemill model`: looking into packages, and finding them.

use std::path::{Path, PathBuf};

use console::style;
use serde_json::json;
use tidemill_core::{ArtifactType, Code, Failure, RowShape, Signature, TensorView};
use tidemill_model::{ImportedModel, LoadedModel, Model, TensorInfo};
use tidemill_onnx::{
    InspectedModel, InspectedTensor, OnnxOptions, UnseenCategories, export_lightgbm, export_onnx, export_xgboost,
    inspect, load_model, load_model_with,
};
use tidemill_pipeline::Workspace;
use tidemill_project::find_version;

use crate::cli::{ExportArgs, ExportFormat, Global, ModelCommand};
use crate::commands::{find_project, print};
use crate::ui::{Align, Table, bytes, printable};

pub async fn model(command: &ModelCommand, global: &Global) -> Result<u8, Failure> {
    match command {
        ModelCommand::Show { model, onnx } => show(model, &onnx.options(), global).await,
        ModelCommand::Run(args) => super::model_run::run(args, global).await,
        ModelCommand::Bench(args) => super::model_bench::bench(args, global).await,
        ModelCommand::Import(args) => super::model_import::import(args, global).await,
        ModelCommand::Warmup(args) => super::warmup::warmup(args, global).await,
        ModelCommand::Export(args) => export(args, global).await,
    }
}

/// A model a command works on.
pub struct Package {
    /// What to call it: `taxi-tips version 3`, or the path.
    pub title: String,
    /// The folder of the package, or the model file.
    pub path: PathBuf,
}

/// The model that `spec` means: a file or a folder that is there, or a version in the project's registry.
pub async fn find_package(spec: Option<&str>, global: &Global) -> Result<Package, Failure> {
    if let Some(path) = spec.map(Path::new).filter(|path| is_model(path)) {
        return Ok(Package { title: path.display().to_string(), path: path.to_owned() });
    }
    let workspace = find_project(None, global)?.open_to_read().await?;
    let name = match spec {
        Some(spec) => spec.to_owned(),
        None => only_model(&workspace).await?,
    };
    let version = find_version(&*workspace.metadata, &name).await?;
    let artifact = workspace.metadata.artifact(version.artifact_id.as_str()).await?;
    let path = workspace.artifacts.get(ArtifactType::Model, &artifact.digest)?;
    Ok(Package { title: format!("{} version {}", version.model, version.version), path })
}

/// Whether a path is meant, and not the name of a model that happens to be a folder's too.
fn is_model(path: &Path) -> bool {
    let holds = |file: &str| path.join(file).is_file();
    path.is_file() || holds("model.json") || holds("saved_model.pb") || (path.is_dir() && path.components().count() > 1)
}

async fn only_model(workspace: &Workspace) -> Result<String, Failure> {
    let models = workspace.metadata.models().await?;
    match models.as_slice() {
        [one] => Ok(one.model.name.clone()),
        [] => Err(Failure::new(Code::ModelNotFound, "no model is registered")
            .with_hint("run a pipeline that ends in a Pusher, or name the folder of a package with `--model`")),
        several => {
            let names: Vec<&str> = several.iter().map(|record| record.model.name.as_str()).collect();
            Err(Failure::new(Code::ModelNotFound, "several models are registered")
                .with_hint(format!("say which with `--model`: {}", names.join(", "))))
        }
    }
}

async fn show(spec: &str, onnx: &OnnxOptions, global: &Global) -> Result<u8, Failure> {
    let package = find_package(Some(spec), global).await?;
    if let Some(model) = inspect(&package.path)? {
        return show_other(&package, &model, global);
    }
    match load_model_with(&package.path, onnx)? {
        LoadedModel::Package(model) => show_package(&package, &model, global),
        LoadedModel::Imported(model) => show_imported(&package, &model, global),
    }
}

async fn export(args: &ExportArgs, global: &Global) -> Result<u8, Failure> {
    let package = find_package(Some(&args.model), global).await?;
    let LoadedModel::Package(model) = load_model(&package.path)? else {
        let message = format!("`{}` is a model of another program, and only a package is written", package.title);
        return Err(Failure::new(Code::CommandLine, message));
    };
    let unseen = if args.unseen_as_missing { UnseenCategories::Missing } else { UnseenCategories::Refused };
    let content = match args.format {
        ExportFormat::Onnx => {
            let write = |unseen| export_onnx(&model.manifest().name, model.graph(), model.learner(), unseen);
            write(unseen).map_err(|error| {
                let failure = Failure::from(error);
                // Said only where it would help.
                match write(UnseenCategories::Missing) {
                    Ok(_) => {
                        failure.with_hint("`--unseen-as-missing` writes a model that takes such values as missing")
                    }
                    Err(_) => failure,
                }
            })?
        }
        ExportFormat::LightGbm => export_lightgbm(model.graph().features(), model.learner())?,
        ExportFormat::XgBoost => export_xgboost(model.graph().features(), model.learner())?,
    };
    let (name, title, file) = match args.format {
        ExportFormat::Onnx => ("onnx", "ONNX", "model.onnx"),
        ExportFormat::LightGbm => ("lightgbm", "LightGBM text", "model.txt"),
        ExportFormat::XgBoost => ("xgboost", "XGBoost JSON", "model.json"),
    };
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(file));
    let shown = out.display();
    if !tidemill_files::create_new(&out, &content)? {
        let message = format!("`{shown}` is there already and is not written over");
        return Err(Failure::new(Code::CommandLine, message).with_hint("name another file with `--out`"));
    }
    let size = content.len() as u64;
    print(global, &json!({ "model": package.title, "file": out, "format": name, "bytes": size }), || {
        format!("wrote {} as {title} to `{shown}`, {}\n", package.title, bytes(size))
    })?;
    Ok(0)
}

fn show_package(package: &Package, model: &Model, global: &Global) -> Result<u8, Failure> {
    let manifest = model.manifest();
    print(
        global,
        &json!({ "path": package.path, "manifest": manifest, "feature_sets": model.graph().feature_sets() }),
        || {
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
            if let Some(threshold) = manifest.decision_threshold {
                let rule = manifest.training["threshold"]["rule"].as_str().unwrap_or("given");
                text.push_str(&format!("positive above {threshold} {}\n\n", dim(&format!("({})", printable(rule)))));
            }
            for set in model.graph().feature_sets() {
                let names = printable(&set.features.join(", ")).into_owned();
                text.push_str(&format!("features of {}: {}\n\n", printable(&set.to_string()), dim(&names)));
            }
            text.push_str(&signature_table(model.signature()));
            text
        },
    )?;
    Ok(0)
}

fn show_imported(package: &Package, model: &ImportedModel, global: &Global) -> Result<u8, Failure> {
    let facts: serde_json::Map<String, serde_json::Value> =
        model.facts().iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let mut document = json!({
        "path": model.path(),
        "format": model.format(),
        "bytes": model.bytes(),
        "facts": facts,
        "signature": model.signature(),
    });
    if let Some(tensors) = model.tensors() {
        let all = |infos: &[TensorInfo]| infos.iter().map(described).collect::<Vec<_>>();
        document["tensors"] = json!({ "inputs": all(tensors.inputs()), "outputs": all(tensors.outputs()) });
    }
    print(global, &document, || {
        let mut text = format!(
            "{}  {}\n{} inputs, {}\n",
            style(&package.title).bold(),
            style(model.format()).dim(),
            model.tensors().map_or(model.signature().inputs.len(), |tensors| tensors.inputs().len()),
            bytes(model.bytes())
        );
        for (name, value) in model.facts() {
            text.push_str(&format!("{name}: {value}\n"));
        }
        text.push('\n');
        text.push_str(&match model.tensors() {
            Some(tensors) => tensor_table(tensors.inputs(), tensors.outputs()),
            None => signature_table(model.signature()),
        });
        text
    })?;
    Ok(0)
}

/// A tensor as the file of its model declares it.
fn described(info: &TensorInfo) -> serde_json::Value {
    json!({
        "name": info.name,
        "datatype": info.element.oip_name(),
        "shape": info.sizes(),
        "dimensions": info.shape_text(),
        "optional": info.optional,
        "sequence": info.sequence,
    })
}

/// The tensors of a model as its file declares them.
fn tensor_table(inputs: &[TensorInfo], outputs: &[TensorInfo]) -> String {
    let mut table = Table::new(&[("", Align::Left), ("name", Align::Left), ("type", Align::Left), ("", Align::Left)]);
    for (side, infos) in [("in", inputs), ("out", outputs)] {
        for info in infos {
            let sequence = if info.sequence { "sequence of " } else { "" };
            let note = match (side, info.optional) {
                ("in", true) => "may be missing",
                ("in", false) => "required",
                _ => "",
            };
            table.row([
                style(side).dim().to_string(),
                printable(&info.name).into_owned(),
                format!("{sequence}{} {}", info.element, printable(&info.shape_text())),
                style(note).dim().to_string(),
            ]);
        }
    }
    table.to_string()
}

/// A model that is not run: what it says of itself, and how it becomes one that is.
fn show_other(package: &Package, model: &InspectedModel, global: &Global) -> Result<u8, Failure> {
    let mut document = serde_json::to_value(model).unwrap_or_default();
    document["runs"] = json!(false);
    document["conversion"] = json!(model.conversion());
    print(global, &document, || {
        let (title, format) = (style(&package.title).bold(), style(model.format).dim());
        let mut text = format!("{title}  {format}\n{}, {}\n", model.version, bytes(model.bytes));
        text.push_str(&format!("not run by this version; it becomes ONNX with: {}\n", model.conversion()));
        for graph in &model.graphs {
            if !graph.tags.is_empty() {
                text.push_str(&format!("\ntags: {}\n", graph.tags.join(", ")));
            }
            for (name, signature) in &graph.signatures {
                text.push_str(&format!("\n{}  {}\n", style(name).bold(), style(&signature.method).dim()));
                let left = ("", Align::Left);
                let mut table =
                    Table::new(&[left, ("name", Align::Left), ("type", Align::Left), ("in the graph", Align::Left)]);
                for (side, tensors) in [("in", &signature.inputs), ("out", &signature.outputs)] {
                    for (name, tensor) in tensors {
                        table.row([side.to_owned(), name.clone(), type_of(tensor), tensor.name.clone()]);
                    }
                }
                text.push_str(&table.to_string());
            }
        }
        let operators = model.operators.iter().map(|(name, count)| format!("{name} {count}"));
        text.push_str(&format!("\noperators: {}\n", operators.collect::<Vec<_>>().join(", ")));
        text
    })?;
    Ok(0)
}

fn type_of(tensor: &InspectedTensor) -> String {
    match &tensor.shape {
        Some(shape) => format!("{} {shape:?}", tensor.datatype),
        None => format!("{} of any shape", tensor.datatype),
    }
}

/// The tensors a model takes and gives.
fn signature_table(signature: &Signature) -> String {
    let mut table = Table::new(&[("", Align::Left), ("name", Align::Left), ("type", Align::Left), ("", Align::Left)]);
    let datatype = |tensor: &TensorView<'_>| match (tensor.width, tensor.form) {
        (Some(width), _) => format!("{} [-1, {width}]", tensor.datatype),
        (None, RowShape::List) => format!("{} [-1, -1]", tensor.datatype),
        (None, RowShape::Binary) => format!("{} (no text)", tensor.datatype),
        (None, RowShape::Value) => tensor.datatype.to_string(),
    };
    for input in signature.input_tensors() {
        let optional = if input.optional { "may be missing" } else { "required" };
        table.row([
            style("in").dim().to_string(),
            input.name.to_owned(),
            datatype(&input),
            style(optional).dim().to_string(),
        ]);
    }
    for output in signature.output_tensors() {
        table.row([style("out").dim().to_string(), output.name.to_owned(), datatype(&output), String::new()]);
    }
    table.to_string()
}
