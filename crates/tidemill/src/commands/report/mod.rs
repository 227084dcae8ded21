//! `tidemill report`: what a run found, as a page.

mod about;
mod index;
mod open;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tidemill_core::markup::About;
use tidemill_core::{ArtifactType, Code, Coded, ComponentError, DatasetStatistics, Failure, Severity, suggest};
use tidemill_evaluate::{Blessing, Evaluation, render_evaluation_report, summary_headline};
use tidemill_metadata::{Artifact, ArtifactFilter, ExecutionRecord, Run};
use tidemill_pipeline::Workspace;
use tidemill_train::{Hyperparameters, read_trials, render_search_report, render_training_report, tensorboard_events};
use tidemill_validation::{alerts, read_anomalies, read_statistics, render_report};

pub(super) use about::of_files;

use self::index::{Entry, index_page};
use crate::cli::{Global, ReportArgs};
use crate::commands::{find_project, make_parent, print, say};
use crate::ui::count;

/// Artifacts that have a page, those looked for first in a run going first.
const SHOWN: [ArtifactType; 4] =
    [ArtifactType::Evaluation, ArtifactType::Statistics, ArtifactType::Model, ArtifactType::Hyperparameters];

pub async fn report(args: &ReportArgs, global: &Global) -> Result<u8, Failure> {
    let workspace = find_project(None, global)?.open_to_read().await?;
    if let Some(folder) = &args.tensorboard {
        return write_events(&workspace, &args.of, folder, global).await;
    }
    let wanted = args.artifact_type.as_deref().map(shown_type).transpose()?;
    let found = match wanted {
        // The last run need not be one that has searched.
        Some(wanted @ ArtifactType::Hyperparameters) if args.of == "last" => {
            let filter = ArtifactFilter { artifact_type: Some(wanted), ..ArtifactFilter::default() };
            match workspace.metadata.artifacts(&filter, 1).await?.first() {
                Some(newest) => find_artifact(&workspace, newest.artifact.digest.as_str()).await?,
                None => find(&workspace, &args.of, Some(wanted)).await?,
            }
        }
        wanted => find(&workspace, &args.of, wanted).await?,
    };
    let page = match args.html.as_deref().filter(|path| is_folder(path)) {
        Some(folder) => write_all(&workspace, &found, folder, global).await?,
        None => write_one(&workspace, &found, args.html.as_deref(), global).await?,
    };
    if args.open && !open::open(&page) {
        say(global, &format!("no browser could be started: open `{}` yourself", page.display()));
    }
    Ok(0)
}

/// Whether `path` is a folder, or is written like one.
fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().to_string_lossy().ends_with(std::path::is_separator)
}

async fn write_one(
    workspace: &Workspace,
    found: &Found,
    file: Option<&Path>,
    global: &Global,
) -> Result<PathBuf, Failure> {
    let artifact = &found.artifacts[0];
    let artifact_type = artifact.artifact_type;
    let about = about::of_run(&*workspace.metadata, found, artifact).await?;
    let html = page(workspace, found, artifact, &about)?.html;
    let file = file.map_or_else(|| PathBuf::from(format!("{}.html", what(artifact_type))), Path::to_path_buf);
    make_parent(&file)?;
    tidemill_files::write(&file, html)?;
    print(global, &json!({ "artifact": artifact, "file": file }), || {
        format!("wrote the {} of run {} to `{}`\n", what(artifact_type), found.run.id.short(), file.display())
    })?;
    Ok(file)
}

/// The learning curves of the models of a run: a folder for each curve below one for the run, as `TensorBoard` wants them.
async fn write_events(workspace: &Workspace, of: &str, folder: &Path, global: &Global) -> Result<u8, Failure> {
    let found = find(workspace, of, Some(ArtifactType::Model)).await?;
    let seconds = found.run.started_at.as_second();
    let mut files = Vec::new();
    for artifact in &found.artifacts {
        let manifest = manifest(workspace, artifact)?;
        let step = found.step_of(artifact).unwrap_or("train");
        let name = format!("{}-{}", file_safe(&found.run.pipeline), found.run.id.short());
        for (curve, events) in tensorboard_events(&manifest, seconds as f64) {
            let several = if found.artifacts.len() > 1 { format!("-{}", file_safe(step)) } else { String::new() };
            let file = folder.join(format!("{name}{several}/{curve}/events.out.tfevents.{seconds}.tidemill"));
            make_parent(&file)?;
            tidemill_files::write(&file, events)?;
            files.push(file);
        }
    }
    if files.is_empty() {
        let message = format!("the models of run {} have no learning curves", found.run.id.short());
        return Err(Failure::new(Code::NotInStore, message).with_hint("learners that work in rounds record them"));
    }
    print(global, &json!({ "run": found.run.id, "files": files }), || {
        format!(
            "wrote {} learning curves of run {}; look at them with `tensorboard --logdir {}`\n",
            files.len(),
            found.run.id.short(),
            folder.display()
        )
    })?;
    Ok(0)
}

/// The manifest of a package.
fn manifest(workspace: &Workspace, artifact: &Artifact) -> Result<Value, Failure> {
    let file = dir(workspace, artifact)?.join("model.json");
    let text = std::fs::read(&file).map_err(|error| Failure::io(&file, &error))?;
    serde_json::from_slice(&text)
        .map_err(|error| Failure::new(Code::PackageInvalid, format!("`{}`: {error}", file.display())))
}

/// Every report of the run with an index; returns the index.
async fn write_all(workspace: &Workspace, found: &Found, folder: &Path, global: &Global) -> Result<PathBuf, Failure> {
    let index = folder.join("index.html");
    make_parent(&index)?;
    let (mut entries, mut files) = (Vec::new(), vec![index.clone()]);
    for artifact in &found.artifacts {
        let several = found.artifacts.iter().filter(|other| other.artifact_type == artifact.artifact_type).count() > 1;
        let name = match found.step_of(artifact).filter(|_| several) {
            Some(step) => format!("{}-{}.html", what(artifact.artifact_type), file_safe(step)),
            None => format!("{}.html", what(artifact.artifact_type)),
        };
        let mut about = about::of_run(&*workspace.metadata, found, artifact).await?;
        about.links = vec![("All reports of this run".to_owned(), "index.html".to_owned())];
        let page = page(workspace, found, artifact, &about)?;
        tidemill_files::write(&folder.join(&name), page.html)?;
        let title = match found.step_of(artifact).filter(|_| several) {
            Some(step) => format!("{} ({step})", page.title),
            None => page.title.to_owned(),
        };
        let address = |hash: &str| format!("{name}{hash}");
        entries.push(Entry { title, address: address(""), text: page.text, bad: page.bad });
        if let Some((text, bad)) = page.anomalies {
            entries.push(Entry { title: "Anomalies".to_owned(), address: address("#anomalies"), text, bad });
        }
        files.push(folder.join(name));
    }
    let mut about = about::of_run(&*workspace.metadata, found, &found.artifacts[0]).await?;
    about.title = String::new();
    tidemill_files::write(&index, index_page(found, &about, &entries))?;
    print(global, &json!({ "run": found.run.id, "folder": folder, "files": files }), || {
        let run = found.run.id.short();
        let reports = files.len() - 1;
        let noun = if reports == 1 { "report" } else { "reports" };
        format!("wrote {reports} {noun} of run {run}, linked from `{}`\n", index.display())
    })?;
    Ok(index)
}

/// A step's name as part of a file's name.
fn file_safe(step: &str) -> String {
    step.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect()
}

/// Artifacts among the steps of a run, at least one.
struct Found {
    artifacts: Vec<Artifact>,
    run: Run,
    steps: Vec<ExecutionRecord>,
}

impl Found {
    /// The step that wrote `artifact`.
    fn step_of(&self, artifact: &Artifact) -> Option<&str> {
        let wrote = |step: &&ExecutionRecord| step.outputs.iter().any(|(_, output)| output.id == artifact.id);
        self.steps.iter().find(wrote).map(|step| step.execution.step.as_str())
    }

    /// What the step that wrote `artifact` said of it.
    fn headline(&self, artifact: &Artifact) -> String {
        let wrote = |step: &&ExecutionRecord| step.outputs.iter().any(|(_, output)| output.id == artifact.id);
        let outcome = self.steps.iter().find(wrote).and_then(|step| step.execution.outcome.as_ref());
        outcome.map(|outcome| outcome.headline.clone()).unwrap_or_default()
    }

    /// What the steps that `step` picks wrote of a type.
    fn output(&self, artifact_type: ArtifactType, step: impl Fn(&ExecutionRecord) -> bool) -> Option<&Artifact> {
        let outputs = self.steps.iter().filter(|record| step(record)).flat_map(|record| &record.outputs);
        outputs.map(|(_, artifact)| artifact).find(|artifact| artifact.artifact_type == artifact_type)
    }
}

/// What `spec` names: the evaluations and the statistics of a run, or an artifact with the run it comes from.
async fn find(workspace: &Workspace, spec: &str, wanted: Option<ArtifactType>) -> Result<Found, Failure> {
    let metadata = &workspace.metadata;
    let run = match metadata.run(spec).await {
        Ok(run) => run,
        Err(error) if error.code() == Code::NotInStore && spec != "last" => {
            return find_artifact(workspace, spec).await;
        }
        Err(error) => return Err(error.into()),
    };
    let steps = metadata.executions(&run.id).await?;
    let types = wanted.map_or(SHOWN.to_vec(), |wanted| vec![wanted]);
    let mut artifacts: Vec<Artifact> = Vec::new();
    for wanted in &types {
        for (_, artifact) in steps.iter().flat_map(|step| &step.outputs) {
            if artifact.artifact_type == *wanted && artifacts.iter().all(|known| known.id != artifact.id) {
                artifacts.push(artifact.clone());
            }
        }
    }
    if artifacts.is_empty() {
        let names = types.iter().map(|t| what(*t)).collect::<Vec<_>>().join(" nor ");
        return Err(Failure::new(Code::NotInStore, format!("run {} has no {names}", run.id.short()))
            .with_hint(format!("`tidemill artifacts --type {}` lists those of other runs", types[0])));
    }
    Ok(Found { artifacts, run, steps })
}

async fn find_artifact(workspace: &Workspace, spec: &str) -> Result<Found, Failure> {
    let metadata = &workspace.metadata;
    let artifact = metadata.artifact(spec).await.map_err(|error| match error.code() {
        Code::NotInStore => Failure::new(Code::NotInStore, format!("no run or artifact `{spec}` in the store"))
            .with_hint("`tidemill runs` and `tidemill artifacts` list them"),
        _ => error.into(),
    })?;
    if !SHOWN.contains(&artifact.artifact_type) {
        let message = format!("there is no report of an artifact of type {}", artifact.artifact_type);
        return Err(Failure::new(Code::CommandLine, message)
            .with_hint("there are reports of Evaluation, Statistics, Model and Hyperparameters"));
    }
    let filter = ArtifactFilter { artifact_type: Some(artifact.artifact_type), ..ArtifactFilter::default() };
    let records = metadata.artifacts(&filter, i32::MAX as usize).await?;
    let producer = records.into_iter().find(|record| record.artifact.id == artifact.id).map(|record| record.producer);
    match producer {
        Some(producer) => {
            let steps = metadata.executions(&producer.run_id).await?;
            let run = metadata.run(producer.run_id.as_str()).await?;
            Ok(Found { artifacts: vec![artifact], run, steps })
        }
        None => Err(Failure::new(Code::NotInStore, format!("no run wrote the artifact `{spec}`"))),
    }
}

fn shown_type(text: &str) -> Result<ArtifactType, Failure> {
    SHOWN.into_iter().find(|shown| what(*shown) == text.to_lowercase()).ok_or_else(|| {
        let near = suggest(&text.to_lowercase(), SHOWN.iter().map(|shown| what(*shown)));
        let hint = near.map_or("reports: evaluation, statistics, training, search".to_owned(), |near| {
            format!("did you mean `{near}`?")
        });
        Failure::new(Code::CommandLine, format!("there is no report of type `{text}`")).with_hint(hint)
    })
}

fn what(artifact_type: ArtifactType) -> &'static str {
    match artifact_type {
        ArtifactType::Evaluation => "evaluation",
        ArtifactType::Model => "training",
        ArtifactType::Hyperparameters => "search",
        _ => "statistics",
    }
}

fn dir(workspace: &Workspace, artifact: &Artifact) -> Result<PathBuf, Failure> {
    Ok(workspace.artifacts.get(artifact.artifact_type, &artifact.digest)?)
}

/// A page with what the index says of it.
struct Page {
    html: String,
    title: &'static str,
    text: String,
    bad: bool,
    /// What the index says of the anomalies on the page.
    anomalies: Option<(String, bool)>,
}

fn page(workspace: &Workspace, found: &Found, artifact: &Artifact, about: &About) -> Result<Page, Failure> {
    match artifact.artifact_type {
        ArtifactType::Evaluation => evaluation_page(workspace, found, artifact, about),
        ArtifactType::Model => training_page(workspace, found, artifact, about),
        ArtifactType::Hyperparameters => search_page(workspace, found, artifact, about),
        _ => statistics_page(workspace, found, artifact, about),
    }
}

fn evaluation_page(workspace: &Workspace, found: &Found, artifact: &Artifact, about: &About) -> Result<Page, Failure> {
    let evaluation = Evaluation::read(&dir(workspace, artifact)?)?;
    let wrote = |step: &ExecutionRecord| step.outputs.iter().any(|(_, output)| output.id == artifact.id);
    let blessing = match found.output(ArtifactType::Blessing, wrote) {
        Some(artifact) => Some(Blessing::read(&dir(workspace, artifact)?)?),
        None => None,
    };
    let text = blessing.as_ref().map_or_else(
        || format!("{} on {} rows", evaluation.label, count(evaluation.rows)),
        |blessing| summary_headline(&evaluation, blessing),
    );
    Ok(Page {
        html: render_evaluation_report(&evaluation, blessing.as_ref(), Some(about)),
        title: "Evaluation",
        text,
        bad: blessing.is_some_and(|blessing| !blessing.blessed),
        anomalies: None,
    })
}

fn training_page(workspace: &Workspace, found: &Found, artifact: &Artifact, about: &About) -> Result<Page, Failure> {
    let manifest = manifest(workspace, artifact)?;
    Ok(Page {
        html: render_training_report(&manifest, Some(about)),
        title: "Training",
        text: found.headline(artifact),
        bad: false,
        anomalies: None,
    })
}

fn search_page(workspace: &Workspace, found: &Found, artifact: &Artifact, about: &About) -> Result<Page, Failure> {
    let broken = |error: ComponentError| Failure::new(error.code, error.message);
    let dir = dir(workspace, artifact)?;
    let search = Hyperparameters::read(&dir).map_err(broken)?;
    let trials = read_trials(&dir).map_err(broken)?;
    Ok(Page {
        html: render_search_report(&search, &trials, Some(about)),
        title: "Search",
        text: found.headline(artifact),
        bad: false,
        anomalies: None,
    })
}

fn statistics_page(workspace: &Workspace, found: &Found, artifact: &Artifact, about: &About) -> Result<Page, Failure> {
    let component = |path: &Path| read_statistics(path).map_err(|error| Failure::new(error.code, error.message));
    let statistics = component(&dir(workspace, artifact)?)?;
    let read = |step: &ExecutionRecord| step.inputs.iter().any(|(_, input)| input.id == artifact.id);
    let anomalies = found.output(ArtifactType::Anomalies, read).map(|artifact| dir(workspace, artifact)).transpose()?;
    let anomalies = anomalies
        .map(|dir| read_anomalies(&dir))
        .transpose()
        .map_err(|error| Failure::new(error.code, error.message))?;
    let datasets: Vec<&DatasetStatistics> = statistics.splits.values().collect();
    let rows: u64 = datasets.iter().map(|dataset| dataset.num_examples).sum();
    let features = datasets.first().map_or(0, |dataset| dataset.features.len());
    let alerted = datasets.iter().map(|dataset| alerts(dataset).len()).max().unwrap_or_default();
    let alerted = match alerted {
        0 => "no alerts".to_owned(),
        1 => "1 alert".to_owned(),
        more => format!("{} alerts", count(more as u64)),
    };
    let found = anomalies.as_ref().map(|anomalies| {
        let [errors, warnings] = [Severity::Error, Severity::Warning].map(|severity| anomalies.count(severity));
        let of = |n: usize, one: &str| format!("{} {one}{}", count(n as u64), if n == 1 { "" } else { "s" });
        match (errors, warnings) {
            (0, 0) => ("none: every rule of the schema holds".to_owned(), false),
            (errors, warnings) => (format!("{}, {}", of(errors, "error"), of(warnings, "warning")), errors > 0),
        }
    });
    Ok(Page {
        html: render_report(&datasets, anomalies.as_ref(), Some(about)),
        title: "Statistics",
        text: format!("{} rows, {} features, {alerted}", count(rows), count(features as u64)),
        bad: false,
        anomalies: found,
    })
}
