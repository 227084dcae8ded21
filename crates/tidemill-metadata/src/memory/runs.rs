//! Runs in memory.

use serde_json::Value;

use super::Tables;
use crate::{ExecutionError, ExecutionState, NewRun, Run, RunFilter, RunId, RunState, StoreError, millis, rules};

impl Tables {
    pub(super) fn create_run(&mut self, new: NewRun) -> Result<Run, StoreError> {
        let run = Run {
            id: RunId::generate(),
            lease: rules::lease_or(new.lease, &new.pipeline),
            pipeline: new.pipeline,
            state: RunState::Running,
            started_at: millis::now(),
            finished_at: None,
            params: new.params,
            plan: new.plan,
            summary: None,
            pid: std::process::id(),
            tick: new.tick,
            environment: new.environment,
        };
        if let Some(tick) = run.tick {
            self.start_tick(tick, &run.id)?;
        }
        self.runs.push(run.clone());
        Ok(run)
    }

    pub(super) fn resume_run(&mut self, id: &RunId, lease: &str) -> Result<Run, StoreError> {
        let found = self.runs.iter_mut().find(|run| run.id == *id);
        let run = found.ok_or_else(|| StoreError::not_found("run", id.as_str(), []))?;
        rules::check_resumption(run)?;
        (run.state, run.finished_at, run.summary) = (RunState::Running, None, None);
        (run.pid, run.lease) = (std::process::id(), lease.to_owned());
        Ok(run.clone())
    }

    pub(super) fn finish_run(&mut self, id: &RunId, state: RunState, summary: Value) -> Result<Run, StoreError> {
        rules::check_run_end(state)?;
        let run = self.running_run(id)?;
        run.state = state;
        run.finished_at = Some(millis::now());
        run.summary = Some(summary);
        let run = run.clone();
        self.end_executions(id, ExecutionState::Canceled, &rules::canceled_at_run_end());
        self.finish_tick(id);
        Ok(run)
    }

    pub(super) fn run(&self, spec: &str) -> Result<Run, StoreError> {
        if spec == "last" {
            return self.runs.last().cloned().ok_or_else(|| StoreError::not_found("run", spec, []));
        }
        let start = spec.to_lowercase();
        let fits = |run: &&Run| !start.is_empty() && run.id.as_str().starts_with(&start);
        let found: Vec<Run> = self.runs.iter().rev().filter(fits).cloned().collect();
        let others = self.runs.iter().rev().take(100).map(|run| run.id.to_string());
        rules::only("run", spec, found, |run| run.id.to_string(), others)
    }

    pub(super) fn runs(&self, filter: &RunFilter, limit: usize) -> Vec<Run> {
        let admits = |run: &&Run| {
            filter.pipeline.as_ref().is_none_or(|pipeline| run.pipeline == *pipeline)
                && filter.state.is_none_or(|state| run.state == state)
        };
        self.runs.iter().rev().filter(admits).take(limit).cloned().collect()
    }

    pub(super) fn recover(&mut self, pipeline: &str, lease: &str) -> Vec<RunId> {
        let mut abandoned = Vec::new();
        for run in &mut self.runs {
            if run.pipeline == pipeline && run.lease == lease && run.state == RunState::Running {
                run.state = RunState::Failed;
                run.finished_at = Some(millis::now());
                abandoned.push((run.id.clone(), run.pid));
            }
        }
        for (id, pid) in &abandoned {
            self.end_executions(id, ExecutionState::Failed, &rules::abandoned(*pid));
        }
        abandoned.into_iter().map(|(id, _)| id).collect()
    }

    /// The run, or an error if it is not RUNNING.
    pub(super) fn running_run(&mut self, id: &RunId) -> Result<&mut Run, StoreError> {
        match self.runs.iter_mut().find(|run| run.id == *id) {
            Some(run) if run.state == RunState::Running => Ok(run),
            Some(run) => Err(rules::not_running("run", id.as_str(), run.state.name())),
            None => Err(StoreError::not_found("run", id.as_str(), [])),
        }
    }

    /// An error if there is no such run.
    pub(super) fn require_run(&self, id: &RunId) -> Result<(), StoreError> {
        if self.runs.iter().any(|run| run.id == *id) {
            Ok(())
        } else {
            Err(StoreError::not_found("run", id.as_str(), []))
        }
    }

    fn end_executions(&mut self, run: &RunId, state: ExecutionState, error: &ExecutionError) {
        for execution in &mut self.executions {
            if execution.run_id == *run && execution.state == ExecutionState::Running {
                execution.state = state;
                execution.finished_at = Some(millis::now());
                execution.error = Some(error.clone());
            }
        }
    }
}
