//! Schedules and their ticks in memory.

use async_trait::async_trait;

use super::{MemoryStore, Tables};
use crate::{
    NewTick, RunId, ScheduleLog, ScheduleProgress, ScheduleState, StoreError, Tick, TickFilter, TickId, TickState,
    millis, rules,
};

#[async_trait]
impl ScheduleLog for MemoryStore {
    async fn schedules(&self, pipeline: &str) -> Result<Vec<ScheduleState>, StoreError> {
        let tables = self.tables();
        Ok(tables.schedules.values().filter(|state| state.pipeline == pipeline).cloned().collect())
    }

    async fn record_ticks(&self, progress: ScheduleProgress, ticks: Vec<NewTick>) -> Result<Vec<Tick>, StoreError> {
        let mut tables = self.tables();
        let ScheduleProgress { pipeline, schedule, definition, last, cursor } = progress;
        let state = tables.schedule(&pipeline, &schedule);
        (state.definition, state.last, state.cursor) = (definition, last, cursor);
        let mut recorded = Vec::new();
        for new in ticks {
            let known = |tick: &Tick| tick.pipeline == pipeline && tick.schedule == schedule && tick.key == new.key;
            if tables.ticks.iter().any(known) {
                continue;
            }
            let now = millis::now();
            let tick = Tick {
                id: TickId(tables.ticks.len() as i64 + 1),
                pipeline: pipeline.clone(),
                schedule: schedule.clone(),
                key: new.key,
                at: new.at,
                from: new.from,
                params: new.params,
                in_turn: new.in_turn,
                state: new.state,
                reason: new.reason,
                run_id: None,
                recorded_at: now,
                ended_at: (!new.state.is_open()).then_some(now),
            };
            tables.ticks.push(tick.clone());
            recorded.push(tick);
        }
        Ok(recorded)
    }

    async fn pause_schedule(&self, pipeline: &str, schedule: &str, by: Option<&str>) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let state = tables.schedule(pipeline, schedule);
        state.paused_by = by.map(str::to_owned);
        state.paused_at = by.map(|_| millis::now());
        Ok(())
    }

    async fn ticks(&self, filter: &TickFilter, limit: usize) -> Result<Vec<Tick>, StoreError> {
        let tables = self.tables();
        let admits = |tick: &&Tick| {
            filter.pipeline.as_ref().is_none_or(|pipeline| tick.pipeline == *pipeline)
                && filter.schedule.as_ref().is_none_or(|schedule| tick.schedule == *schedule)
                && (!filter.open || tick.state.is_open())
        };
        let found = tables.ticks.iter().filter(admits).cloned();
        Ok(if filter.open { found.take(limit).collect() } else { found.rev().take(limit).collect() })
    }

    async fn end_tick(&self, id: TickId, state: TickState, reason: Option<String>) -> Result<Tick, StoreError> {
        let mut tables = self.tables();
        let tick = tables.tick(id)?;
        rules::check_tick_end(tick, state)?;
        (tick.state, tick.reason, tick.ended_at) = (state, reason, Some(millis::now()));
        Ok(tick.clone())
    }

    async fn reopen_tick(&self, id: TickId, reason: &str) -> Result<Tick, StoreError> {
        let mut tables = self.tables();
        let tick = tables.tick(id)?;
        rules::check_reopening(tick)?;
        (tick.state, tick.reason, tick.ended_at) = (TickState::Pending, Some(reason.to_owned()), None);
        Ok(tick.clone())
    }
}

impl Tables {
    /// The state of a schedule, new if nothing is known about it.
    fn schedule(&mut self, pipeline: &str, schedule: &str) -> &mut ScheduleState {
        let key = (pipeline.to_owned(), schedule.to_owned());
        self.schedules.entry(key).or_insert_with(|| ScheduleState {
            pipeline: pipeline.to_owned(),
            schedule: schedule.to_owned(),
            definition: String::new(),
            last: millis::now(),
            cursor: None,
            paused_by: None,
            paused_at: None,
        })
    }

    fn tick(&mut self, id: TickId) -> Result<&mut Tick, StoreError> {
        let found = self.ticks.iter_mut().find(|tick| tick.id == id);
        found.ok_or_else(|| StoreError::not_found("tick", &id.to_string(), []))
    }

    /// Makes a tick STARTED by a run that is being created.
    pub(super) fn start_tick(&mut self, id: TickId, run: &RunId) -> Result<(), StoreError> {
        let tick = self.tick(id)?.clone();
        let earlier = self.runs.iter().find(|run| tick.run_id.as_ref() == Some(&run.id));
        rules::check_tick_start(&tick, earlier)?;
        let tick = self.tick(id)?;
        (tick.state, tick.run_id) = (TickState::Started, Some(run.clone()));
        Ok(())
    }

    /// Makes the tick of a run that has ended DONE.
    pub(super) fn finish_tick(&mut self, run: &RunId) {
        for tick in &mut self.ticks {
            if tick.run_id.as_ref() == Some(run) && tick.state == TickState::Started {
                (tick.state, tick.ended_at) = (TickState::Done, Some(millis::now()));
            }
        }
    }
}
