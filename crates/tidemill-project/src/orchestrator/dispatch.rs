//! Starts the runs of ticks, and ends ticks that are not run.

use std::sync::Arc;

use serde_json::Value;
use tidemill_core::{Code, Failure};
use tidemill_metadata::{Run, RunId, RunState, Tick, TickFilter, TickState};
use tidemill_pipeline::schedule::{Overlap, Placement, Schedule, overlapping};
use tidemill_pipeline::{Pipeline, RunOptions, RunReport};

use super::{Active, Notice, Orchestrator};
use crate::BACKFILL_PREFIX;

/// Open ticks that are looked at in one round.
const TICKS_MAX: usize = 1_000;

impl Orchestrator {
    /// Starts, skips or leaves waiting every open tick, oldest first.
    pub(super) async fn dispatch(&mut self) -> Result<(), Failure> {
        let filter = TickFilter { pipeline: Some(self.pipeline.name.clone()), open: true, ..TickFilter::default() };
        let open = self.workspace.metadata.ticks(&filter, TICKS_MAX).await?;
        let mut waiting = 0;
        for tick in open.into_iter().filter(|tick| !tick.schedule.starts_with(BACKFILL_PREFIX)) {
            if self.active.iter().any(|active| active.tick == Some(tick.id)) {
                continue;
            }
            let in_turn = match &tick.run_id {
                Some(run) if tick.state == TickState::Started => match self.left_behind(run).await? {
                    // Its process died: the tick is run again, whatever else goes on.
                    Some(run) if run.is_abandoned() => true,
                    Some(run) if run.state == RunState::Running => continue,
                    _ => {
                        self.workspace.metadata.end_tick(tick.id, TickState::Done, None).await?;
                        continue;
                    }
                },
                _ => tick.in_turn,
            };
            let pipeline = Arc::clone(&self.pipeline);
            let Some(schedule) = pipeline.schedules.iter().find(|schedule| schedule.name == tick.schedule) else {
                self.skip(&tick, "the schedule is no longer in the file").await?;
                continue;
            };
            match overlapping(schedule.overlap, in_turn, self.active.len(), waiting) {
                Placement::Start => match self.start(schedule, &tick).await {
                    Ok(()) => {}
                    Err(failure) if failure.code == Code::StoreBusy => {
                        // A run that was started by hand.
                        match overlapping(schedule.overlap, in_turn, self.active.len().max(1), waiting) {
                            Placement::Skip(_) | Placement::Replace => self.skip(&tick, &failure.message).await?,
                            Placement::Wait | Placement::Start => waiting += 1,
                        }
                    }
                    // The store may be back in the next round.
                    Err(failure) if failure.code.retryable() => return Err(failure),
                    Err(failure) => self.skip(&tick, &format!("it cannot run: {}", failure.message)).await?,
                },
                Placement::Wait => waiting += 1,
                Placement::Replace => {
                    self.active.iter_mut().for_each(|active| {
                        active.replaced = true;
                        active.handle.cancel();
                    });
                    waiting += 1;
                }
                Placement::Skip(reason) => self.skip(&tick, &reason).await?,
            }
        }
        Ok(())
    }

    async fn skip(&self, tick: &Tick, reason: &str) -> Result<(), Failure> {
        let metadata = &self.workspace.metadata;
        let ended = metadata.end_tick(tick.id, TickState::Skipped, Some(reason.to_owned())).await?;
        self.tell(Notice::Tick { tick: ended });
        Ok(())
    }

    /// The run, marked as abandoned if its process is dead.
    async fn left_behind(&self, id: &RunId) -> Result<Option<Run>, Failure> {
        let metadata = &self.workspace.metadata;
        let run = metadata.run(id.as_str()).await?;
        if run.state != RunState::Running {
            return Ok(Some(run));
        }
        // Whoever gets the lease knows that nobody works under it.
        let Ok(_lease) = self.workspace.leases.acquire(&run.lease) else { return Ok(Some(run)) };
        metadata.recover(&run.pipeline, &run.lease).await?;
        Ok(Some(metadata.run(id.as_str()).await?))
    }

    async fn start(&mut self, schedule: &Schedule, tick: &Tick) -> Result<(), Failure> {
        let params = params_of(tick);
        let pipeline = Arc::new(self.project.pipeline(Some(&self.workspace), &params)?);
        let slots = match schedule.overlap {
            Overlap::Allow(slots) => slots.max(1),
            _ => 1,
        };
        let mut result = Err(Failure::new(Code::Internal, "no slot was tried"));
        for slot in 1..=slots {
            let options = RunOptions {
                lease: Some(lease_of(&pipeline, slot)),
                tick: Some(tick.id),
                ..self.run_options(&params)?
            };
            result = self.launch(Arc::clone(&pipeline), options, Some(&schedule.name)).await;
            // The next slot may be free.
            if !matches!(&result, Err(failure) if failure.code == Code::StoreBusy) {
                break;
            }
        }
        result
    }

    pub(super) fn run_options(&self, params: &[(String, String)]) -> Result<RunOptions, Failure> {
        Ok(RunOptions {
            threads: self.options.threads,
            steps_max: self.options.steps_max,
            launcher: (self.options.launcher)(params)?,
            environment: Some(self.environment.clone()),
            ..RunOptions::default()
        })
    }

    /// Starts a run in the background.
    pub(super) async fn launch(
        &mut self,
        pipeline: Arc<Pipeline>,
        options: RunOptions,
        schedule: Option<&str>,
    ) -> Result<(), Failure> {
        let tick = options.tick;
        let observer = Arc::clone(&self.options.observer);
        let handle = self.supervisor.start(self.workspace.clone(), pipeline, options, observer).await?;
        let run = handle.id().clone();
        self.tell(Notice::Started { schedule: schedule.map(str::to_owned), tick, run });
        self.active.push(Active { handle, schedule: schedule.map(str::to_owned), tick, replaced: false });
        Ok(())
    }

    /// Forgets the runs that have ended.
    pub(super) async fn collect_ended(&mut self) {
        let (ended, active): (Vec<Active>, Vec<Active>) =
            std::mem::take(&mut self.active).into_iter().partition(|active| active.handle.has_ended());
        self.active = active;
        for active in ended {
            let result = active.handle.wait().await;
            self.told_end(&active, &result);
        }
    }

    fn told_end(&self, active: &Active, result: &Result<RunReport, Failure>) {
        let schedule = active.schedule.clone();
        match result {
            Ok(report) => self.tell(Notice::Ended {
                schedule,
                run: report.run_id.clone(),
                state: report.state,
                seconds: report.seconds,
            }),
            Err(failure) => {
                self.tell(Notice::Trouble { message: failure.message.clone(), help: failure.hint.clone() });
            }
        }
    }

    /// Stops every run, and leaves their ticks to the next orchestrator.
    pub(super) async fn stop(&mut self) {
        self.active.iter().for_each(|active| active.handle.cancel());
        for active in std::mem::take(&mut self.active) {
            let result = active.handle.wait().await;
            self.told_end(&active, &result);
            let was_stopped = result.is_ok_and(|report| report.state == RunState::Canceled);
            if let (true, false, Some(tick)) = (was_stopped, active.replaced, active.tick) {
                let reason = "its run was stopped together with `tidemill up`";
                if let Err(error) = self.workspace.metadata.reopen_tick(tick, reason).await {
                    self.tell(Notice::Trouble { message: error.to_string(), help: None });
                }
            }
        }
    }
}

/// The parameters of a tick, as `--param` takes them.
pub(crate) fn params_of(tick: &Tick) -> Vec<(String, String)> {
    let params = tick.params.as_object().into_iter().flatten();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    params.map(|(name, value)| (name.clone(), text(value))).collect()
}

/// The lease of the n-th run of a pipeline that is going on.
pub(crate) fn lease_of(pipeline: &Pipeline, slot: u32) -> String {
    if slot == 1 { pipeline.name.clone() } else { format!("{}.slot-{slot}", pipeline.name) }
}
