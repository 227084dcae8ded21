//! The winner's score on rows that nothing was chosen on.

use serde::Serialize;
use tidemill_core::{ArtifactType, Code, Failure, TaskKind};
use tidemill_evaluate::{Evaluation, Metric};
use tidemill_metadata::RunState;
use tidemill_pipeline::{RunReport, Workspace};

use crate::draft::{Trial, ended};

/// Refuses a run that did not come to its end, with the reason.
pub fn completed(report: &RunReport) -> Result<(), Failure> {
    if report.state == RunState::Complete { Ok(()) } else { Err(ended(&report.steps)) }
}

/// The winner's score on the split `eval`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JudgedScore {
    /// What was made as good as possible.
    pub metric: String,
    /// Its value on rows that had no part in the search.
    pub value: f64,
    /// The 95 % interval around it.
    pub interval: Option<(f64, f64)>,
    /// How many rows these are.
    pub rows: u64,
    /// What the thresholds of the pipeline file are about.
    pub trial: Trial,
}

impl JudgedScore {
    /// Reads the evaluation that a run has made.
    pub fn read(report: &RunReport, workspace: &Workspace, task: TaskKind, metric: &str) -> Result<Self, Failure> {
        completed(report)?;
        let outputs = report.steps.iter().flat_map(|step| &step.outputs);
        let found = outputs.into_iter().find(|output| output.artifact_type == ArtifactType::Evaluation);
        let Some(found) = found else { return Err(Failure::new(Code::Internal, "the run gave no evaluation")) };
        let evaluation = Evaluation::read(&workspace.artifacts.get(found.artifact_type, &found.digest)?)?;
        let trial = Trial::of(&evaluation, task)?;
        let known: Option<Metric> = metric.parse().ok();
        let overall = evaluation.overall();
        let value = known.and_then(|metric| overall?.metrics.get(metric));
        let interval = known.and_then(|metric| overall?.intervals.as_ref()?.get(&metric).copied());
        Ok(Self {
            metric: metric.to_owned(),
            value: value.unwrap_or(f64::NAN),
            interval: interval.map(|interval| (interval.low, interval.high)),
            rows: evaluation.rows,
            trial,
        })
    }
}
