//! Backfill: one run for each value of a parameter, each exactly once.
//!
//! A backfill is a schedule without time: its values are ticks in the store (see
//! [`ScheduleLog`](tidemill_metadata::ScheduleLog)). A value whose run has ended is done, a run whose process died is started
//! again, and the same command continues what was interrupted.

use std::sync::Arc;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};
use tidemill_core::{Code, Failure};
use tidemill_metadata::{NewTick, RunState, ScheduleProgress, Tick, TickFilter, TickState};
use tidemill_pipeline::{Launcher, Observer, Pipeline, RunOptions, RunReport, Workspace};

use crate::orchestrator::{lease_of, params_of};
use crate::{Project, RunHandle, RunSupervisor};

/// The names of backfills among those of schedules, which have no colon.
pub const BACKFILL_PREFIX: &str = "backfill:";

/// Values of one backfill.
const VALUES_MAX: usize = 100_000;

/// What to run.
#[derive(Debug, Clone)]
pub struct BackfillRequest {
    /// Its name: values of the same name run once.
    pub name: String,
    /// The parameter.
    pub param: String,
    /// Its values, as YAML.
    pub values: Vec<String>,
    /// Other parameters of every run.
    pub params: Vec<(String, String)>,
    /// Runs at once.
    pub parallel: u32,
    /// Run values again whose run has failed or was rejected.
    pub retry_failed: bool,
}

/// How a backfill runs its pipeline.
pub struct BackfillOptions {
    /// Threads that a step may keep busy.
    pub threads: usize,
    /// Steps that may run at once in one run.
    pub steps_max: usize,
    /// Where steps run, for the parameters of a run.
    pub launcher: Arc<dyn Fn(&[(String, String)]) -> Result<Arc<dyn Launcher>, Failure> + Send + Sync>,
    /// Receives the events of each run.
    pub observer: Arc<dyn Observer>,
    /// Receives the end of each run: the value, and how it ended.
    pub notify: Arc<dyn Fn(&str, &Result<RunReport, Failure>) + Send + Sync>,
}

/// The values of `FROM..TO` (both included, whole numbers or dates) or of a list `A,B,C`.
pub fn backfill_values(text: &str) -> Result<Vec<String>, String> {
    let Some((from, to)) = text.split_once("..") else {
        let values: Vec<String> = text.split(',').map(|value| value.trim().to_owned()).collect();
        return if values.iter().any(String::is_empty) {
            Err(format!("`{text}` has an empty value"))
        } else {
            Ok(values)
        };
    };
    let too_many = || format!("`{text}` has more than {VALUES_MAX} values");
    let backwards = || format!("`{text}` goes backwards");
    if let (Ok(from), Ok(to)) = (from.parse::<i64>(), to.parse::<i64>()) {
        let count = to.checked_sub(from).ok_or_else(too_many)?;
        return match count {
            ..0 => Err(backwards()),
            count if count >= VALUES_MAX as i64 => Err(too_many()),
            _ => Ok((from..=to).map(|value| value.to_string()).collect()),
        };
    }
    if let (Ok(from), Ok(to)) = (from.parse::<Date>(), to.parse::<Date>()) {
        if to < from {
            return Err(backwards());
        }
        let days = std::iter::successors(Some(from), |day| day.checked_add(1.day()).ok()).take_while(|day| *day <= to);
        let days: Vec<String> = days.take(VALUES_MAX + 1).map(|day| day.to_string()).collect();
        return if days.len() > VALUES_MAX { Err(too_many()) } else { Ok(days) };
    }
    Err(format!("`{text}` is not a range: write `1..30`, `2026-01-01..2026-01-31` or a list `1,5,9`"))
}

/// The state of a value.
#[derive(Debug, Clone, PartialEq)]
pub struct BackfillValue {
    /// Its tick.
    pub tick: Tick,
    /// How its newest run ended.
    pub run: Option<RunState>,
}

/// Records the values, and returns those of this request in order. Values that were recorded before keep their state.
pub async fn plan_backfill(
    pipeline: &Pipeline,
    workspace: &Workspace,
    request: &BackfillRequest,
) -> Result<Vec<BackfillValue>, Failure> {
    let now = Timestamp::now();
    let schedule = format!("{BACKFILL_PREFIX}{}", request.name);
    let ticks = request.values.iter().map(|value| {
        let mut params = serde_json::Map::new();
        params.extend(request.params.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))));
        params.insert(request.param.clone(), Value::from(value.as_str()));
        NewTick {
            key: format!("{}={value}", request.param),
            at: now,
            from: now,
            params: Value::Object(params),
            in_turn: true,
            state: TickState::Pending,
            reason: None,
        }
    });
    let keys: Vec<String> = request.values.iter().map(|value| format!("{}={value}", request.param)).collect();
    let progress = ScheduleProgress {
        pipeline: pipeline.name.clone(),
        schedule: schedule.clone(),
        definition: json!({ "backfill": request.param }).to_string(),
        last: now,
        cursor: None,
    };
    workspace.metadata.record_ticks(progress, ticks.collect()).await?;
    let filter = TickFilter { pipeline: Some(pipeline.name.clone()), schedule: Some(schedule), open: false };
    let mut known: std::collections::HashMap<String, Tick> =
        workspace.metadata.ticks(&filter, usize::MAX).await?.into_iter().map(|tick| (tick.key.clone(), tick)).collect();
    let mut values = Vec::with_capacity(keys.len());
    for key in &keys {
        let Some(tick) = known.remove(key) else { continue };
        let run = match &tick.run_id {
            Some(id) => Some(workspace.metadata.run(id.as_str()).await?.state),
            None => None,
        };
        values.push(BackfillValue { tick, run });
    }
    Ok(values)
}

/// Runs what is left to do of the planned values, up to `parallel` at once, until all have ended or `stop` resolves.
///
/// Returns how many runs ended in another way than COMPLETE or WAITING, and whether it was stopped.
pub async fn run_backfill(
    project: &Project,
    workspace: &Workspace,
    request: &BackfillRequest,
    options: &BackfillOptions,
    stop: impl Future<Output = ()>,
) -> Result<(usize, bool), Failure> {
    let pipeline = project.pipeline(Some(workspace), &first_params(request))?;
    // Runs of a process that died.
    for slot in 1..=request.parallel {
        let lease = lease_of(&pipeline, slot);
        if let Ok(_held) = workspace.leases.acquire(&lease) {
            workspace.metadata.recover(&pipeline.name, &lease).await?;
        }
    }
    let environment = crate::environment(&project.dir).await;
    let mut left = Vec::new();
    for value in plan_backfill(&pipeline, workspace, request).await? {
        let failed = matches!(value.run, Some(RunState::Failed | RunState::Rejected | RunState::Canceled));
        if value.tick.state.is_open() {
            left.push(value.tick);
        } else if failed && request.retry_failed {
            left.push(workspace.metadata.reopen_tick(value.tick.id, "its run did not complete").await?);
        }
    }
    left.reverse();
    let supervisor = RunSupervisor::default();
    let mut running: Vec<(Tick, u32, RunHandle)> = Vec::new();
    let (mut failed, mut stopped) = (0, false);
    let mut stop = std::pin::pin!(stop);
    loop {
        while !stopped && running.len() < request.parallel as usize {
            let Some(tick) = left.pop() else { break };
            let mut result = Err(Failure::new(Code::Internal, "no slot was tried"));
            for slot in (1..=request.parallel).filter(|slot| running.iter().all(|(_, used, _)| used != slot)) {
                let params = params_of(&tick);
                let pipeline = Arc::new(project.pipeline(Some(workspace), &params)?);
                let run_options = RunOptions {
                    threads: options.threads,
                    steps_max: options.steps_max,
                    launcher: (options.launcher)(&params)?,
                    lease: Some(lease_of(&pipeline, slot)),
                    tick: Some(tick.id),
                    environment: Some(environment.clone()),
                    ..RunOptions::default()
                };
                let observer = Arc::clone(&options.observer);
                result =
                    supervisor.start(workspace.clone(), pipeline, run_options, observer).await.map(|run| (slot, run));
                if !matches!(&result, Err(failure) if failure.code == Code::StoreBusy) {
                    break;
                }
            }
            let (slot, handle) = result?;
            running.push((tick, slot, handle));
        }
        if running.is_empty() {
            return Ok((failed, stopped));
        }
        tokio::select! {
            () = &mut stop, if !stopped => {
                stopped = true;
                running.iter().for_each(|(_, _, handle)| handle.cancel());
            }
            () = first_end(&running) => {}
        }
        for (tick, _, handle) in running.extract_if(.., |(_, _, handle)| handle.has_ended()) {
            let result = handle.wait().await;
            let state = result.as_ref().map(|report| report.state);
            if stopped && state.as_ref().is_ok_and(|state| *state == RunState::Canceled) {
                workspace.metadata.reopen_tick(tick.id, "the backfill was stopped").await?;
            } else if !matches!(state, Ok(RunState::Complete | RunState::Waiting)) {
                failed += 1;
            }
            (options.notify)(&tick.key, &result);
        }
    }
}

/// Parameters of the first run, to check the file with.
fn first_params(request: &BackfillRequest) -> Vec<(String, String)> {
    let first = request.values.first().map(|value| (request.param.clone(), value.clone()));
    request.params.iter().cloned().chain(first).collect()
}

async fn first_end(running: &[(Tick, u32, RunHandle)]) {
    let waits = running.iter().map(|(_, _, handle)| {
        Box::pin(async {
            // The result is asked for again.
            let _ = handle.wait().await;
        })
    });
    let mut waits: Vec<_> = waits.collect();
    std::future::poll_fn(|context| {
        let ended = waits.iter_mut().any(|wait| wait.as_mut().poll(context).is_ready());
        if ended { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_ranges_or_lists() {
        assert_eq!(backfill_values("8..10").unwrap(), ["8", "9", "10"]);
        assert_eq!(backfill_values("2026-02-27..2026-03-01").unwrap(), ["2026-02-27", "2026-02-28", "2026-03-01"]);
        assert_eq!(backfill_values("north, south").unwrap(), ["north", "south"]);
        assert!(backfill_values("3..1").unwrap_err().contains("backwards"));
        assert!(backfill_values("1..999999999").unwrap_err().contains("more than"));
        assert!(backfill_values("a..b").unwrap_err().contains("not a range"));
        assert!(backfill_values("1,,2").unwrap_err().contains("empty"));
    }
}
