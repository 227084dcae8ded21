//! Continues a run that waited for an approval.

use std::collections::BTreeMap;

use tidemill_core::{Code, Failure};
use tidemill_metadata::{Run, RunId, StoreError};

use crate::launcher::StepResult;
use crate::pipeline::Pipeline;
use crate::report::{RunReport, StepState};
use crate::runner::shape;
use crate::workspace::Workspace;

/// Rejects a run of another pipeline, or of another version of this one.
pub fn check_same_pipeline(pipeline: &Pipeline, run: &Run) -> Result<(), Failure> {
    if run.pipeline != pipeline.name {
        let message = format!("run {} is of pipeline `{}`, not of `{}`", run.id.short(), run.pipeline, pipeline.name);
        return Err(Failure::new(Code::CommandLine, message));
    }
    let params = serde_json::Value::Object(pipeline.params.clone());
    if run.plan != shape(pipeline) || run.params != params {
        let message = format!("the pipeline or its parameters are not those that run {} began with", run.id.short());
        return Err(Failure::new(Code::CommandLine, message)
            .with_hint("use the same file, with the same `--param` and environment"));
    }
    Ok(())
}

/// Makes a WAITING run RUNNING under `lease`. Returns it with the results of the steps that have ended.
pub(crate) async fn resume(
    pipeline: &Pipeline,
    workspace: &Workspace,
    id: &RunId,
    lease: &str,
) -> Result<(Run, BTreeMap<usize, StepResult>), StoreError> {
    let metadata = &workspace.metadata;
    let parked = metadata.run(id.as_str()).await?;
    let report: Option<RunReport> = parked.summary.and_then(|summary| serde_json::from_value(summary).ok());
    let reports = report.map(|report| report.steps).unwrap_or_default();
    let mut ended = BTreeMap::new();
    for record in metadata.executions(id).await? {
        let Some(index) = pipeline.step_index(&record.execution.step) else { continue };
        let report = reports.iter().find(|report| report.step == record.execution.step);
        let report = report.filter(|report| matches!(report.state, StepState::Complete | StepState::Cached));
        if let (Some(report), true) = (report, record.execution.state.has_outputs()) {
            let outputs = record.outputs.into_iter().collect();
            ended.insert(index, StepResult { report: report.clone(), outputs });
        }
    }
    Ok((metadata.resume_run(id, lease).await?, ended))
}
