//! Records the ticks of schedules by time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use tidemill_core::Failure;
use tidemill_metadata::{NewTick, ScheduleProgress, ScheduleState, TickState};
use tidemill_pipeline::schedule::{CatchUp, DueTick, Fate, Schedule, Trigger, late};

use super::{Notice, Orchestrator};

/// Missed ticks that are recorded one by one. Older ones are recorded as one.
const MISSED_MAX: usize = 1_000;

impl Orchestrator {
    /// What the store knows about the schedules, by name.
    pub(super) async fn states(&self) -> Result<BTreeMap<String, ScheduleState>, Failure> {
        let states = self.workspace.metadata.schedules(&self.pipeline.name).await?;
        Ok(states.into_iter().map(|state| (state.schedule.clone(), state)).collect())
    }

    /// Records every tick that is due at `now`. The next tick follows the last one recorded, never the clock: no tick is
    /// lost while nothing runs, and a clock that goes backwards repeats none.
    pub(super) async fn record_due(&mut self, now: Timestamp) -> Result<(), Failure> {
        let states = self.states().await?;
        let pipeline = self.pipeline.clone();
        for schedule in pipeline.schedules.iter().filter(|schedule| matches!(schedule.trigger, Trigger::Time(_))) {
            let state = states.get(&schedule.name).filter(|state| state.definition == schedule.definition);
            let Some(state) = state else {
                // New, or edited: it begins now.
                self.record(schedule, now, None, Vec::new()).await?;
                continue;
            };
            let (earlier, due) = schedule.due(state.last, now, MISSED_MAX);
            let Some(last) = due.last() else { continue };
            let is_paused = state.paused_by.is_some();
            let window = schedule.catch_up_window;
            let fates = late(&due, now, schedule.catch_up, window, is_paused);
            let mut ticks: Vec<NewTick> =
                due.iter().zip(fates).map(|(tick, fate)| new_tick(schedule, *tick, fate)).collect();
            if earlier > 0 {
                ticks.insert(0, summary_of(earlier, state.last, due[0].at));
            }
            self.record(schedule, last.at, None, ticks).await?;
        }
        Ok(())
    }

    /// Records ticks, and how far the schedule has got. Returns how many ticks were new.
    pub(super) async fn record(
        &self,
        schedule: &Schedule,
        last: Timestamp,
        cursor: Option<String>,
        ticks: Vec<NewTick>,
    ) -> Result<usize, Failure> {
        let progress = ScheduleProgress {
            pipeline: self.pipeline.name.clone(),
            schedule: schedule.name.clone(),
            definition: schedule.definition.clone(),
            last,
            cursor,
        };
        let recorded = self.workspace.metadata.record_ticks(progress, ticks).await?;
        let count = recorded.len();
        recorded.into_iter().for_each(|tick| self.tell(Notice::Tick { tick }));
        Ok(count)
    }
}

fn new_tick(schedule: &Schedule, tick: DueTick, fate: Fate) -> NewTick {
    let (state, in_turn, reason) = match fate {
        Fate::Run => (TickState::Pending, false, None),
        Fate::RunInTurn if schedule.catch_up == CatchUp::None => (TickState::Pending, false, None),
        Fate::RunInTurn => (TickState::Pending, true, None),
        Fate::Missed(reason) => (TickState::Missed, false, Some(reason)),
        Fate::Skipped(reason) => (TickState::Skipped, false, Some(reason)),
    };
    NewTick {
        key: tick.at.to_string(),
        at: tick.at,
        from: tick.from,
        params: params(schedule, tick, None),
        in_turn,
        state,
        reason,
    }
}

/// The parameters of the run of a tick, as they are recorded.
pub(super) fn params(schedule: &Schedule, tick: DueTick, event: Option<&str>) -> Value {
    Value::Object(schedule.params_of(tick, event).into_iter().map(|(name, value)| (name, value.into())).collect())
}

/// One row for ticks that were missed long ago.
fn summary_of(count: usize, from: Timestamp, until: Timestamp) -> NewTick {
    NewTick {
        key: format!("{count} ticks after {from}"),
        at: until,
        from,
        params: Value::Object(serde_json::Map::new()),
        in_turn: false,
        state: TickState::Missed,
        reason: Some(format!("nothing ran the schedule at {count} earlier times")),
    }
}
