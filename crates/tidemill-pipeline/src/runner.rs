//! Running a pipeline in this process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use tidemill_core::{CancelFlag, Code};
use tidemill_metadata::{ExecutionError, NewRun, RunId, RunState, StoreError};
use tokio::task::JoinSet;

use crate::inputs::Outputs;
use crate::pipeline::{Origin, Pipeline};
use crate::plan::after;
use crate::report::{Observer, RunReport, StepReport, StepState};
use crate::scheduler::{Command, Ending, Event, Scheduler, Skip, Task};
use crate::step::{StepJob, StepResult};
use crate::workspace::Workspace;

/// How to run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Threads a component may keep busy.
    pub threads: usize,
    /// Steps that may run at once.
    pub steps_max: usize,
    /// When to look for earlier outputs.
    pub cache: CachePolicy,
}

/// When to look for the outputs of earlier executions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CachePolicy {
    /// For every step.
    #[default]
    Use,
    /// For none.
    Off,
    /// For all but these steps.
    OffFor(BTreeSet<String>),
}

impl CachePolicy {
    /// Whether the step runs whatever was done before.
    pub fn skips(&self, step: &str) -> bool {
        match self {
            Self::Use => false,
            Self::Off => true,
            Self::OffFor(steps) => steps.contains(step),
        }
    }
}

/// Runs a pipeline to its end and records everything.
///
/// The caller holds the pipeline's run lock. When `stop` resolves nothing new starts, running components are asked
/// to stop, and the run ends as CANCELED. Failures of steps are in the report; an error means that the record
/// itself could not be kept.
pub async fn run(
    pipeline: Arc<Pipeline>,
    workspace: Workspace,
    options: RunOptions,
    observer: Arc<dyn Observer>,
    stop: impl Future<Output = ()> + Send,
) -> Result<RunReport, StoreError> {
    workspace.metadata.recover(&pipeline.name).await?;
    workspace.artifacts.sweep_staging()?;
    let began = Instant::now();
    let new = NewRun {
        pipeline: pipeline.name.clone(),
        params: serde_json::Value::Object(pipeline.params.clone()),
        plan: shape(&pipeline),
    };
    let run = workspace.metadata.create_run(new).await?;
    observer.run_started(&run, &pipeline);
    let driver = Driver {
        job: StepJob {
            pipeline: pipeline.clone(),
            workspace: workspace.clone(),
            options: options.clone(),
            run_id: run.id.clone(),
            observer,
        },
        scheduler: Scheduler::new(tasks(&pipeline), options.steps_max),
        cancel: CancelFlag::default(),
        done: Outputs::new(),
        reports: BTreeMap::new(),
    };
    let steps = driver.drive(stop).await;
    let report = RunReport {
        run_id: run.id,
        pipeline: pipeline.name.clone(),
        state: verdict(&steps),
        seconds: began.elapsed().as_secs_f64(),
        steps,
    };
    let summary = serde_json::to_value(&report).map_err(|error| StoreError::Conflict(error.to_string()))?;
    workspace.metadata.finish_run(&report.run_id, report.state, summary).await?;
    Ok(report)
}

/// The pipeline as it is recorded with the run: names, components and what waits for what.
fn shape(pipeline: &Pipeline) -> serde_json::Value {
    let steps = pipeline.steps.iter().map(
        |step| serde_json::json!({ "step": step.name, "component": step.spec.name, "after": after(pipeline, step) }),
    );
    steps.collect()
}

fn tasks(pipeline: &Pipeline) -> Vec<Task> {
    let reads = |wires: &[crate::Wire]| {
        wires
            .iter()
            .filter_map(|wire| match wire.from {
                Origin::Step { step, .. } => Some(step),
                Origin::LatestBlessedModel | Origin::LastAccepted { .. } => None,
            })
            .collect()
    };
    pipeline
        .steps
        .iter()
        .map(|step| Task { reads: reads(&step.wires), waits_for: step.waits_for.iter().copied().collect() })
        .collect()
}

fn verdict(steps: &[StepReport]) -> RunState {
    let any = |state: StepState| steps.iter().any(|step| step.state == state);
    if any(StepState::Failed) {
        RunState::Failed
    } else if any(StepState::Canceled) {
        RunState::Canceled
    } else if steps.iter().any(StepReport::refused) {
        RunState::Rejected
    } else if any(StepState::Skipped) {
        // Nothing failed and nothing said no: the run was stopped between steps.
        RunState::Canceled
    } else {
        RunState::Complete
    }
}

struct Driver {
    job: StepJob,
    scheduler: Scheduler,
    cancel: CancelFlag,
    done: Outputs,
    reports: BTreeMap<usize, StepReport>,
}

impl Driver {
    async fn drive(mut self, stop: impl Future<Output = ()> + Send) -> Vec<StepReport> {
        let mut stop = std::pin::pin!(stop);
        let mut running: JoinSet<StepResult> = JoinSet::new();
        let mut at_work: BTreeMap<tokio::task::Id, usize> = BTreeMap::new();
        let mut stopping = false;
        let mut commands = self.scheduler.handle(Event::Start);
        loop {
            let mut finished = false;
            for command in std::mem::take(&mut commands) {
                match command {
                    Command::Run(step) => {
                        let handle = running.spawn(self.job.clone().run(step, self.done.clone(), self.cancel.clone()));
                        at_work.insert(handle.id(), step);
                    }
                    Command::Skip { step, why } => self.skip(step, why),
                    Command::Finish => finished = true,
                }
            }
            if finished {
                return self.reports.into_values().collect();
            }
            let event = tokio::select! {
                () = &mut stop, if !stopping => {
                    stopping = true;
                    self.cancel.cancel();
                    Some(Event::Cancel)
                }
                ended = running.join_next_with_id() => ended.and_then(|ended| self.take_in(ended, &mut at_work)),
            };
            commands = event.map(|event| self.scheduler.handle(event)).unwrap_or_default();
        }
    }

    /// Keeps what a step left and tells the scheduler how it ended.
    fn take_in(
        &mut self,
        ended: Result<(tokio::task::Id, StepResult), tokio::task::JoinError>,
        at_work: &mut BTreeMap<tokio::task::Id, usize>,
    ) -> Option<Event> {
        let (id, result) = match ended {
            Ok((id, result)) => (id, result),
            Err(error) => {
                let step = *at_work.get(&error.id())?;
                let mut report = StepReport::bare(&self.job.pipeline, step, StepState::Failed);
                report.error = Some(ExecutionError {
                    code: Code::Internal,
                    message: format!("the step stopped unexpectedly: {error}"),
                    hint: None,
                    causes: Vec::new(),
                });
                (error.id(), StepResult { report, outputs: BTreeMap::new() })
            }
        };
        let step = at_work.remove(&id)?;
        let ending = match result.report.state {
            StepState::Complete | StepState::Cached => Ending::Done { passed: !self.stops(step, &result.report) },
            StepState::Canceled => Ending::Canceled,
            StepState::Failed | StepState::Skipped => Ending::Failed,
        };
        self.done.insert(step, result.outputs);
        self.job.observer.step_ended(step, &result.report);
        self.reports.insert(step, result.report);
        Some(Event::Ended { step, ending })
    }

    /// Whether a verdict of no stops anything.
    fn stops(&self, step: usize, report: &StepReport) -> bool {
        report.refused() && self.job.pipeline.steps[step].spec.gate != tidemill_core::Gate::Open
    }

    fn skip(&mut self, step: usize, why: Skip) {
        let name = |index: usize| &self.job.pipeline.steps[index].name;
        let mut report = StepReport::bare(&self.job.pipeline, step, StepState::Skipped);
        report.skipped_because = Some(match why {
            Skip::NotReached(other) => match self.reports.get(&other).map(|r| r.state) {
                Some(StepState::Skipped) | None => format!("`{}` did not run", name(other)),
                Some(StepState::Canceled) => format!("`{}` was stopped", name(other)),
                Some(_) => format!("`{}` failed", name(other)),
            },
            Skip::Refused(other) => format!("`{}` said no", name(other)),
            Skip::Canceled => "the run was stopped".to_owned(),
        });
        self.job.observer.step_ended(step, &report);
        self.reports.insert(step, report);
    }
}

/// What identifies the run a step works for.
pub(crate) fn run_info(pipeline: &Pipeline, run_id: &RunId, step: &str) -> tidemill_core::RunInfo {
    tidemill_core::RunInfo { pipeline: pipeline.name.clone(), run_id: run_id.to_string(), step: step.to_owned() }
}
