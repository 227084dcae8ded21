//! Runs a part of a pipeline: from a step on, until a step, only some steps, all but some.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_core::{Code, Failure};
use tidemill_metadata::StoreError;

use crate::launcher::StepResult;
use crate::pipeline::{Origin, Pipeline};
use crate::report::{StepOutput, StepReport, StepState};
use crate::workspace::Workspace;

/// Which steps of a pipeline to run, by name. The default runs all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// These steps and everything that depends on them.
    pub from: Vec<String>,
    /// These steps and everything that they depend on.
    pub until: Vec<String>,
    /// Only these steps.
    pub only: Vec<String>,
    /// Not these steps.
    pub skip: Vec<String>,
}

/// The parts of a run that are not computed.
#[derive(Debug, Default)]
pub(crate) struct Partial {
    /// Steps whose outputs are those of an earlier execution, with their results.
    pub reused: BTreeMap<usize, StepResult>,
    /// Steps that do not take part.
    pub left_out: BTreeSet<usize>,
}

impl Selection {
    /// Whether every step runs.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// The steps to run.
    fn steps(&self, pipeline: &Pipeline) -> Result<BTreeSet<usize>, Failure> {
        let index = |name: &String| {
            pipeline
                .step_index(name)
                .ok_or_else(|| Failure::new(Code::CommandLine, format!("there is no step `{name}`")))
        };
        let indexes = |names: &[String]| names.iter().map(index).collect::<Result<BTreeSet<usize>, _>>();
        let mut chosen: BTreeSet<usize> = (0..pipeline.steps.len()).collect();
        if !self.only.is_empty() {
            chosen = indexes(&self.only)?;
        }
        if !self.from.is_empty() {
            let from = indexes(&self.from)?;
            // Steps are in an order in which each follows those it depends on.
            let mut reached = from;
            for step in 0..pipeline.steps.len() {
                if before(pipeline, step).any(|other| reached.contains(&other)) {
                    reached.insert(step);
                }
            }
            chosen.retain(|step| reached.contains(step));
        }
        if !self.until.is_empty() {
            let mut needed = indexes(&self.until)?;
            for step in (0..pipeline.steps.len()).rev() {
                if needed.contains(&step) {
                    needed.extend(before(pipeline, step));
                }
            }
            chosen.retain(|step| needed.contains(step));
        }
        let skipped = indexes(&self.skip)?;
        chosen.retain(|step| !skipped.contains(step));
        if chosen.is_empty() {
            return Err(Failure::new(Code::CommandLine, "no step is left to run"));
        }
        Ok(chosen)
    }

    /// Finds the earlier results that the chosen steps read.
    pub(crate) async fn apply(&self, pipeline: &Pipeline, workspace: &Workspace) -> Result<Partial, Failure> {
        let mut partial = Partial::default();
        if self.is_everything() {
            return Ok(partial);
        }
        let chosen = self.steps(pipeline)?;
        for step in (0..pipeline.steps.len()).filter(|step| !chosen.contains(step)) {
            // What only a step that is not run reads is not needed.
            let is_read = chosen.iter().any(|reader| before(pipeline, *reader).any(|other| other == step));
            if is_read {
                partial.reused.insert(step, earlier(pipeline, workspace, step).await?);
            } else {
                partial.left_out.insert(step);
            }
        }
        Ok(partial)
    }
}

/// The steps that `step` reads from or waits for.
fn before(pipeline: &Pipeline, step: usize) -> impl Iterator<Item = usize> {
    let step = &pipeline.steps[step];
    let read = step.bindings.iter().filter_map(|binding| match binding.from {
        Origin::Step { step, .. } => Some(step),
        Origin::LatestBlessedModel | Origin::LastAccepted { .. } => None,
    });
    read.chain(step.waits_for.iter().copied())
}

/// The newest result of a step.
async fn earlier(pipeline: &Pipeline, workspace: &Workspace, step: usize) -> Result<StepResult, Failure> {
    let name = &pipeline.steps[step].name;
    let found: Result<_, StoreError> = workspace.metadata.last_execution(&pipeline.name, name).await;
    let record = found?.ok_or_else(|| {
        Failure::new(Code::MissingInput, format!("step `{name}` is not run, and has no earlier result to read"))
            .with_hint("run it once, or leave it among the steps to run")
    })?;
    let mut report = StepReport::without_result(pipeline, step, StepState::Cached);
    report.outputs = StepOutput::of(&record.outputs);
    report.outcome = record.execution.outcome;
    Ok(StepResult { report, outputs: record.outputs.into_iter().collect() })
}
