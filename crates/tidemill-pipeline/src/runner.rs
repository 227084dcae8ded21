//! Runs a pipeline, or one step of a run.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use tidemill_core::{CancelFlag, Code, Failure};
use tidemill_metadata::{ExecutionError, NewRun, Run, RunId, RunState, StoreError, TickId};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cost::Usage;
use crate::inputs::Outputs;
use crate::launcher::{InProcess, Launcher, RetryDelay, StepResult, launch_with_retries};
use crate::pipeline::{Origin, Pipeline};
use crate::plan::after;
use crate::report::{Observer, RunReport, StepReport, StepState};
use crate::resume::{check_same_pipeline, resume};
use crate::scheduler::{Command, Event, Scheduler, Skip, StepEnd, Task};
use crate::selection::{Partial, Selection};
use crate::step::{Attempt, RunContext};
use crate::values;
use crate::workspace::Workspace;

/// Options of a run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Threads that a component may use.
    pub threads: usize,
    /// How many steps may run at once.
    pub steps_max: usize,
    /// Which steps may take their outputs from the cache.
    pub cache: CachePolicy,
    /// Where steps run.
    pub launcher: Arc<dyn Launcher>,
    /// Delays before a failed step with `retries` is tried again.
    pub retry_delay: RetryDelay,
    /// The lease that the caller holds, if it is not that of the pipeline.
    pub lease: Option<String>,
    /// The tick of a schedule that the run is for.
    pub tick: Option<TickId>,
    /// Where the run takes place: code, machine, user. Recorded with it.
    pub environment: Option<serde_json::Value>,
    /// The WAITING run to continue, instead of a new one.
    pub resume: Option<RunId>,
    /// Which steps to run.
    pub selection: Selection,
}

impl RunOptions {
    fn lease<'a>(&'a self, pipeline: &'a Pipeline) -> &'a str {
        self.lease.as_deref().unwrap_or(&pipeline.name)
    }
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            threads: 1,
            steps_max: 1,
            cache: CachePolicy::default(),
            launcher: Arc::new(InProcess),
            retry_delay: RetryDelay::default(),
            lease: None,
            tick: None,
            environment: None,
            resume: None,
            selection: Selection::default(),
        }
    }
}

/// Which steps may take their outputs from the cache.
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
    /// Whether the step runs regardless of the cache.
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
/// The caller holds the pipeline's run lock. When `stop` resolves nothing new starts, running components are asked to
/// stop, and the run ends as CANCELED. Failures of steps are in the report; an error means that the run could not be
/// recorded.
pub async fn run(
    pipeline: Arc<Pipeline>,
    workspace: Workspace,
    options: RunOptions,
    observer: Arc<dyn Observer>,
    stop: impl Future<Output = ()> + Send,
) -> Result<RunReport, Failure> {
    let lease = options.lease(&pipeline);
    workspace.metadata.recover(&pipeline.name, lease).await?;
    workspace.artifacts.sweep_staging()?;
    let Partial { reused, left_out } = options.selection.apply(&pipeline, &workspace).await?;
    let mut tasks = tasks(&pipeline);
    for step in reused.keys().chain(&left_out) {
        // What is not run waits for nothing.
        tasks[*step] = Task::default();
    }
    let (began, usage) = (Instant::now(), Usage::now());
    let (run, earlier) = match &options.resume {
        Some(id) => resume(&pipeline, &workspace, id, lease).await?,
        None => (begin(&pipeline, &workspace, &options).await?, reused),
    };
    observer.run_started(&run, &pipeline);
    let (stopping, stopped) = watch::channel(false);
    let driver = Driver {
        context: RunContext {
            pipeline: pipeline.clone(),
            workspace: workspace.clone(),
            options: options.clone(),
            run_id: run.id.clone(),
            observer,
            cancel: CancelFlag::default(),
            stopped,
        },
        scheduler: Scheduler::new(tasks, options.steps_max),
        stopping,
        done: Outputs::new(),
        reports: BTreeMap::new(),
        earlier,
        left_out,
    };
    let steps = driver.drive(stop).await;
    let report = RunReport {
        run_id: run.id.clone(),
        pipeline: pipeline.name.clone(),
        state: verdict(&pipeline, &steps),
        seconds: began.elapsed().as_secs_f64(),
        cost: usage.and_then(Usage::cost),
        damaged_versions: workspace.damaged_versions().await?,
        steps,
    };
    let values = values::of_run(&pipeline, &report, run.environment.as_ref());
    workspace.metadata.log_values(&report.run_id, values).await?;
    let summary = serde_json::to_value(&report).map_err(|error| StoreError::Conflict(error.to_string()))?;
    workspace.metadata.finish_run(&report.run_id, report.state, summary).await?;
    Ok(report)
}

/// Records that a run of `pipeline` begins in this process, without running anything.
pub async fn begin_run(pipeline: &Pipeline, workspace: &Workspace) -> Result<Run, StoreError> {
    begin(pipeline, workspace, &RunOptions::default()).await
}

async fn begin(pipeline: &Pipeline, workspace: &Workspace, options: &RunOptions) -> Result<Run, StoreError> {
    let new = NewRun {
        pipeline: pipeline.name.clone(),
        params: serde_json::Value::Object(pipeline.params.clone()),
        plan: shape(pipeline),
        lease: options.lease(pipeline).to_owned(),
        tick: options.tick,
        environment: options.environment.clone(),
    };
    workspace.metadata.create_run(new).await
}

/// Runs one attempt at the step called `step` of a run that another process drives, and records it.
///
/// The inputs are the outputs that the run's earlier steps have recorded. A step whose gate rejected is skipped.
pub async fn run_step(
    pipeline: Arc<Pipeline>,
    workspace: Workspace,
    options: RunOptions,
    run_id: &RunId,
    step: usize,
    observer: Arc<dyn Observer>,
    stop: impl Future<Output = ()> + Send,
) -> Result<StepReport, Failure> {
    let run = workspace.metadata.run(run_id.as_str()).await?;
    if run.state != RunState::Running {
        return Err(Failure::new(Code::CommandLine, format!("run {} has ended: {}", run.id.short(), run.state))
            .with_hint("only a step of a run that is going on can be run"));
    }
    check_same_pipeline(&pipeline, &run)?;
    let (mut done, mut rejected) = (Outputs::new(), BTreeSet::new());
    for record in workspace.metadata.executions(&run.id).await? {
        let Some(index) = pipeline.step_index(&record.execution.step) else { continue };
        if !record.execution.state.has_outputs() {
            continue;
        }
        if record.execution.outcome.is_some_and(|outcome| !outcome.verdict.passed()) {
            rejected.insert(index);
        }
        done.insert(index, record.outputs.into_iter().collect());
    }
    let task = tasks(&pipeline).swap_remove(step);
    let obstacle =
        task.reads.iter().chain(&task.waits_for).find(|before| {
            rejected.contains(*before) && pipeline.steps[**before].spec.gate != tidemill_core::Gate::Open
        });
    if let Some(before) = obstacle {
        let mut report = StepReport::without_result(&pipeline, step, StepState::Skipped);
        report.skipped_because = Some(format!("`{}` did not pass", pipeline.steps[*before].name));
        return Ok(report);
    }
    let (stopping, stopped) = watch::channel(false);
    let cancel = CancelFlag::default();
    let context =
        RunContext { pipeline, workspace, options, run_id: run.id, observer, cancel: cancel.clone(), stopped };
    let attempt = Attempt { context, step, done };
    let mut work = std::pin::pin!(attempt.execute());
    let mut stop = std::pin::pin!(stop);
    let result = tokio::select! {
        result = &mut work => result,
        () = &mut stop => {
            cancel.cancel();
            stopping.send_replace(true);
            work.await
        }
    };
    Ok(result.report)
}

/// The pipeline as recorded with the run: names, components and dependencies.
pub(crate) fn shape(pipeline: &Pipeline) -> serde_json::Value {
    let steps = pipeline.steps.iter().map(
        |step| serde_json::json!({ "step": step.name, "component": step.spec.name, "after": after(pipeline, step) }),
    );
    steps.collect()
}

fn tasks(pipeline: &Pipeline) -> Vec<Task> {
    let reads = |bindings: &[crate::InputBinding]| {
        bindings
            .iter()
            .filter_map(|binding| match binding.from {
                Origin::Step { step, .. } => Some(step),
                Origin::LatestBlessedModel | Origin::LastAccepted { .. } => None,
            })
            .collect()
    };
    pipeline
        .steps
        .iter()
        .map(|step| Task {
            reads: reads(&step.bindings),
            waits_for: step.waits_for.iter().copied().collect(),
            cleanup: step.options.cleanup,
        })
        .collect()
}

fn verdict(pipeline: &Pipeline, steps: &[StepReport]) -> RunState {
    let any = |state: StepState| steps.iter().any(|step| step.state == state && !step.by_choice);
    let is_optional = |name: &str| pipeline.steps.iter().any(|step| step.name == name && step.options.optional);
    if steps.iter().any(|step| step.state == StepState::Failed && !is_optional(&step.step)) {
        RunState::Failed
    } else if any(StepState::Canceled) {
        RunState::Canceled
    } else if any(StepState::Waiting) {
        RunState::Waiting
    } else if steps.iter().any(StepReport::is_rejected) {
        RunState::Rejected
    } else if any(StepState::Skipped) {
        // Nothing failed and nothing was rejected: the run was stopped between steps.
        RunState::Canceled
    } else {
        RunState::Complete
    }
}

struct Driver {
    context: RunContext,
    scheduler: Scheduler,
    stopping: watch::Sender<bool>,
    done: Outputs,
    reports: BTreeMap<usize, StepReport>,
    /// Results of steps that ended before a run was parked, or that are not run again.
    earlier: BTreeMap<usize, StepResult>,
    /// Steps that do not take part.
    left_out: BTreeSet<usize>,
}

impl Driver {
    async fn drive(mut self, stop: impl Future<Output = ()> + Send) -> Vec<StepReport> {
        let mut stop = std::pin::pin!(stop);
        let mut running: JoinSet<StepResult> = JoinSet::new();
        let mut at_work: BTreeMap<tokio::task::Id, usize> = BTreeMap::new();
        let mut stopping = false;
        let mut events = VecDeque::new();
        let mut commands = self.scheduler.handle(Event::Start);
        loop {
            let mut finished = false;
            for command in std::mem::take(&mut commands) {
                match command {
                    Command::Run(step) if self.earlier.contains_key(&step) => {
                        let result = self.earlier.remove(&step);
                        events.extend(result.map(|result| self.record(step, result)));
                    }
                    Command::Run(step) => {
                        if let Some(why) = self.obstacle(step) {
                            let mut report =
                                StepReport::without_result(&self.context.pipeline, step, StepState::Skipped);
                            (report.skipped_because, report.by_choice) = (Some(why), true);
                            events.push_back(self.record(step, StepResult { report, outputs: BTreeMap::new() }));
                            continue;
                        }
                        let attempt = Attempt { context: self.context.clone(), step, done: self.done.clone() };
                        let launcher = Arc::clone(&self.context.options.launcher);
                        let handle = running.spawn(launch_with_retries(launcher, attempt));
                        at_work.insert(handle.id(), step);
                    }
                    Command::Skip { step, why } => self.skip(step, why),
                    Command::Finish => finished = true,
                }
            }
            if finished {
                return self.reports.into_values().collect();
            }
            if let Some(event) = events.pop_front() {
                commands = self.scheduler.handle(event);
                continue;
            }
            let event = tokio::select! {
                () = &mut stop, if !stopping => {
                    stopping = true;
                    self.context.cancel.cancel();
                    self.stopping.send_replace(true);
                    Some(Event::Cancel)
                }
                ended = running.join_next_with_id() => ended.and_then(|ended| self.finish_step(ended, &mut at_work)),
            };
            commands = event.map(|event| self.scheduler.handle(event)).unwrap_or_default();
        }
    }

    /// Why a step that could run does not.
    fn obstacle(&self, step: usize) -> Option<String> {
        if self.left_out.contains(&step) {
            return Some("not selected".to_owned());
        }
        let condition = self.context.pipeline.steps[step].options.condition.as_ref()?;
        condition.obstacle(|name| self.reports.get(&self.context.pipeline.step_index(name)?))
    }

    /// Stores the outputs of a step and reports its end to the scheduler.
    fn finish_step(
        &mut self,
        ended: Result<(tokio::task::Id, StepResult), tokio::task::JoinError>,
        at_work: &mut BTreeMap<tokio::task::Id, usize>,
    ) -> Option<Event> {
        let (id, result) = match ended {
            Ok((id, result)) => (id, result),
            Err(error) => {
                let step = *at_work.get(&error.id())?;
                let mut report = StepReport::without_result(&self.context.pipeline, step, StepState::Failed);
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
        Some(self.record(step, result))
    }

    /// Keeps the result of a step, and returns the event of its end.
    fn record(&mut self, step: usize, result: StepResult) -> Event {
        let ending = match result.report.state {
            StepState::Complete | StepState::Cached => StepEnd::Done { passed: !self.stops(step, &result.report) },
            StepState::Canceled => StepEnd::Canceled,
            StepState::Waiting => StepEnd::Waiting,
            StepState::Failed | StepState::Skipped => StepEnd::Failed,
        };
        self.done.insert(step, result.outputs);
        self.context.observer.step_ended(step, &result.report);
        self.reports.insert(step, result.report);
        Event::Ended { step, ending }
    }

    /// Whether a rejection by this step stops others.
    fn stops(&self, step: usize, report: &StepReport) -> bool {
        report.is_rejected() && self.context.pipeline.steps[step].spec.gate != tidemill_core::Gate::Open
    }

    fn skip(&mut self, step: usize, why: Skip) {
        let name = |index: usize| &self.context.pipeline.steps[index].name;
        let mut report = StepReport::without_result(&self.context.pipeline, step, StepState::Skipped);
        report.by_choice = match why {
            Skip::NotReached(other) => self.reports.get(&other).is_some_and(|before| {
                let optional = self.context.pipeline.steps[other].options.optional;
                before.by_choice || (before.state == StepState::Failed && optional)
            }),
            _ => false,
        };
        report.skipped_because = Some(match why {
            Skip::NotReached(other) => match self.reports.get(&other).map(|r| r.state) {
                Some(StepState::Skipped) | None => format!("`{}` did not run", name(other)),
                Some(StepState::Canceled) => format!("`{}` was stopped", name(other)),
                Some(StepState::Waiting) => format!("`{}` waits for an approval", name(other)),
                Some(_) => format!("`{}` failed", name(other)),
            },
            Skip::Rejected(other) => format!("`{}` did not pass", name(other)),
            Skip::Parked(other) => format!("`{}` waits for an approval", name(other)),
            Skip::Canceled => "the run was stopped".to_owned(),
        });
        self.context.observer.step_ended(step, &report);
        self.reports.insert(step, report);
    }
}

/// Identifies the run of a step.
pub(crate) fn run_info(pipeline: &Pipeline, run_id: &RunId, step: &str) -> tidemill_core::RunInfo {
    tidemill_core::RunInfo { pipeline: pipeline.name.clone(), run_id: run_id.to_string(), step: step.to_owned() }
}
