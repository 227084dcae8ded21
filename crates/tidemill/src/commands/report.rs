//! `tidemill report`: what a run found, as a page.

use std::path::{Path, PathBuf};

use serde_json::json;
use tidemill_core::{ArtifactType, Code, Coded, DatasetStatistics, Failure, suggest};
use tidemill_evaluate::{Blessing, Evaluation, render_evaluation_report};
use tidemill_metadata::{Artifact, ArtifactFilter, ExecutionRecord};
use tidemill_pipeline::Workspace;
use tidemill_validation::{read_anomalies, read_statistics, render_report};

use crate::cli::{Global, ReportArgs};
use crate::commands::{find_project, make_parent, print};

/// Artifacts that have a page, those looked for first in a run going first.
const SHOWN: [ArtifactType; 2] = [ArtifactType::Evaluation, ArtifactType::Statistics];

pub async fn report(args: &ReportArgs, global: &Global) -> Result<u8, Failure> {
    let workspace = find_project(None, global)?.open_to_read().await?;
    let wanted = args.artifact_type.as_deref().map(shown_type).transpose()?;
    let found = find(&workspace, &args.of, wanted).await?;
    let artifact_type = found.artifact.artifact_type;
    let html = match artifact_type {
        ArtifactType::Evaluation => evaluation_page(&workspace, &found)?,
        _ => statistics_page(&workspace, &found)?,
    };
    let file = args.html.clone().unwrap_or_else(|| PathBuf::from(format!("{}.html", what(artifact_type))));
    make_parent(&file)?;
    tidemill_files::write(&file, html)?;
    print(global, &json!({ "artifact": found.artifact, "file": file }), || {
        format!("wrote the {} of run {} to `{}`\n", what(artifact_type), found.run, file.display())
    })?;
    Ok(0)
}

/// An artifact among the steps of a run.
struct Found {
    artifact: Artifact,
    run: String,
    steps: Vec<ExecutionRecord>,
}

/// What `spec` names: the evaluation (or the statistics) of a run, or an artifact with the run it comes from.
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
    let written = |wanted: &ArtifactType| {
        let outputs = steps.iter().flat_map(|step| &step.outputs);
        outputs.map(|(_, artifact)| artifact).find(|artifact| artifact.artifact_type == *wanted).cloned()
    };
    let artifact = types.iter().find_map(written).ok_or_else(|| {
        let names = types.iter().map(|t| what(*t)).collect::<Vec<_>>().join(" nor ");
        Failure::new(Code::NotInStore, format!("run {} has no {names}", run.id.short()))
            .with_hint(format!("`tidemill artifacts --type {}` lists those of other runs", types[0]))
    })?;
    Ok(Found { artifact, run: run.id.short().to_owned(), steps })
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
        return Err(
            Failure::new(Code::CommandLine, message).with_hint("there are reports of Evaluation and Statistics")
        );
    }
    let filter = ArtifactFilter { artifact_type: Some(artifact.artifact_type), ..ArtifactFilter::default() };
    let records = metadata.artifacts(&filter, i32::MAX as usize).await?;
    let producer = records.into_iter().find(|record| record.artifact.id == artifact.id).map(|record| record.producer);
    match producer {
        Some(producer) => {
            let steps = metadata.executions(&producer.run_id).await?;
            Ok(Found { artifact, run: producer.run_id.short().to_owned(), steps })
        }
        None => Err(Failure::new(Code::NotInStore, format!("no run wrote the artifact `{spec}`"))),
    }
}

fn shown_type(text: &str) -> Result<ArtifactType, Failure> {
    SHOWN.into_iter().find(|shown| what(*shown) == text.to_lowercase()).ok_or_else(|| {
        let near = suggest(&text.to_lowercase(), SHOWN.iter().map(|shown| what(*shown)));
        let hint = near.map_or("reports: evaluation, statistics".to_owned(), |near| format!("did you mean `{near}`?"));
        Failure::new(Code::CommandLine, format!("there is no report of type `{text}`")).with_hint(hint)
    })
}

fn what(artifact_type: ArtifactType) -> &'static str {
    if artifact_type == ArtifactType::Evaluation { "evaluation" } else { "statistics" }
}

fn dir(workspace: &Workspace, artifact: &Artifact) -> Result<PathBuf, Failure> {
    Ok(workspace.artifacts.get(artifact.artifact_type, &artifact.digest)?)
}

/// What the step that `step` picks wrote of a type.
fn output(found: &Found, artifact_type: ArtifactType, step: impl Fn(&ExecutionRecord) -> bool) -> Option<&Artifact> {
    let outputs = found.steps.iter().filter(|record| step(record)).flat_map(|record| &record.outputs);
    outputs.map(|(_, artifact)| artifact).find(|artifact| artifact.artifact_type == artifact_type)
}

fn evaluation_page(workspace: &Workspace, found: &Found) -> Result<String, Failure> {
    let evaluation = Evaluation::read(&dir(workspace, &found.artifact)?)?;
    let wrote = |step: &ExecutionRecord| step.outputs.iter().any(|(_, output)| output.id == found.artifact.id);
    let blessing = output(found, ArtifactType::Blessing, wrote);
    let blessing = match blessing {
        Some(artifact) => Some(Blessing::read(&dir(workspace, artifact)?)?),
        None => None,
    };
    Ok(render_evaluation_report(&evaluation, blessing.as_ref()))
}

fn statistics_page(workspace: &Workspace, found: &Found) -> Result<String, Failure> {
    let component = |path: &Path| read_statistics(path).map_err(|error| Failure::new(error.code, error.message));
    let statistics = component(&dir(workspace, &found.artifact)?)?;
    let read = |step: &ExecutionRecord| step.inputs.iter().any(|(_, input)| input.id == found.artifact.id);
    let anomalies =
        output(found, ArtifactType::Anomalies, read).map(|artifact| dir(workspace, artifact)).transpose()?;
    let anomalies = anomalies
        .map(|dir| read_anomalies(&dir))
        .transpose()
        .map_err(|error| Failure::new(error.code, error.message))?;
    let datasets: Vec<&DatasetStatistics> = statistics.splits.values().collect();
    Ok(render_report(&datasets, anomalies.as_ref()))
}
