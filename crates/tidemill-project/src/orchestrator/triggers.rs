//! Triggers: new data, artifacts of other pipelines, moved aliases, requests.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::Timestamp;
use tidemill_core::{ArtifactType, Code, Failure};
use tidemill_metadata::{ArtifactFilter, NewTick, ScheduleState, StoreError, TickState};
use tidemill_pipeline::WatchedInputs;
use tidemill_pipeline::schedule::{ArtifactTrigger, DueTick, Schedule, Trigger};

use super::Orchestrator;
use super::hooks::{Answer, Hook, Request};
use super::ticks::params;

/// A look takes at most one part in so many of the time.
const LOOKS_SHARE: u32 = 20;
/// Artifacts of a type that are searched for the newest of a step.
const ARTIFACTS_MAX: usize = 200;

impl Orchestrator {
    /// Looks at what triggers watch, each as often as it says.
    pub(super) async fn look(&mut self, now: Timestamp) -> Result<(), Failure> {
        let pipeline = self.pipeline.clone();
        let is_due = |schedule: &&Schedule| {
            let looks = !matches!(schedule.trigger, Trigger::Time(_) | Trigger::Webhook { .. });
            looks && self.looks.get(&schedule.name).is_none_or(|at| *at <= Instant::now())
        };
        let due: Vec<&Schedule> = pipeline.schedules.iter().filter(is_due).collect();
        if due.is_empty() {
            return Ok(());
        }
        let states = self.states().await?;
        for schedule in due {
            let began = Instant::now();
            let seen = match &schedule.trigger {
                Trigger::NewData => self.data(schedule).await,
                Trigger::Artifact(trigger) => self.newest_artifact(trigger).await?,
                Trigger::Alias { model, alias } => self.last_move(model, alias).await?,
                Trigger::Time(_) | Trigger::Webhook { .. } => None,
            };
            let wait = schedule.poll.max(began.elapsed() * LOOKS_SHARE);
            self.looks.insert(schedule.name.clone(), Instant::now() + wait);
            self.compare(schedule, seen, &states, now).await?;
        }
        Ok(())
    }

    /// Records a tick if what a trigger sees differs from what it saw last. The first look only remembers.
    async fn compare(
        &self,
        schedule: &Schedule,
        seen: Option<Seen>,
        states: &BTreeMap<String, ScheduleState>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let state = states.get(&schedule.name).filter(|state| state.definition == schedule.definition);
        let cursor = seen.as_ref().map(|seen| seen.cursor.clone());
        let Some(state) = state else {
            self.record(schedule, now, cursor, Vec::new()).await?;
            return Ok(());
        };
        let Some(seen) = seen.filter(|seen| state.cursor.as_ref() != Some(&seen.cursor)) else { return Ok(()) };
        let tick = event_tick(schedule, state, &seen, now);
        self.record(schedule, now, cursor, vec![tick]).await?;
        Ok(())
    }

    /// The state of the sources, once it was the same in two looks.
    async fn data(&mut self, schedule: &Schedule) -> Option<Seen> {
        let cursor = WatchedInputs::scan(&self.pipeline).await.digest()?;
        let before = self.unsettled.insert(schedule.name.clone(), cursor.clone());
        let event = cursor.get(..12).unwrap_or(&cursor).to_owned();
        // The same data again, after other data, is news too.
        (before.as_ref() == Some(&cursor)).then_some(Seen { key: None, event, cursor })
    }

    /// The newest artifact that another pipeline wrote.
    async fn newest_artifact(&self, trigger: &ArtifactTrigger) -> Result<Option<Seen>, Failure> {
        let artifact_type: Option<ArtifactType> = trigger.artifact_type.parse().ok();
        let filter = ArtifactFilter { artifact_type, pipeline: Some(trigger.pipeline.clone()), run_id: None };
        let records = self.workspace.metadata.artifacts(&filter, ARTIFACTS_MAX).await?;
        let of_step = |step: &str| trigger.step.as_ref().is_none_or(|wanted| wanted == step);
        let newest = records.into_iter().find(|record| of_step(&record.producer.step));
        Ok(newest.map(|record| {
            let id = record.artifact.id.to_string();
            Seen { key: Some(id.clone()), event: record.artifact.digest.to_string(), cursor: id }
        }))
    }

    /// The last move of an alias.
    async fn last_move(&self, model: &str, alias: &str) -> Result<Option<Seen>, Failure> {
        let history = match self.workspace.metadata.alias_history(model).await {
            Ok(history) => history,
            // The model will come.
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let last = history.into_iter().find(|moved| moved.alias == alias && moved.from_version != Some(moved.version));
        Ok(last.map(|moved| {
            let key = format!("{model}:{} {}", moved.version, moved.moved_at);
            Seen { key: Some(key.clone()), event: moved.version.to_string(), cursor: key }
        }))
    }

    /// Answers a request.
    pub(super) async fn answer(&mut self, request: Request) {
        let answer = match &request.hook {
            Hook::Trigger { schedule, delivery } => self.triggered(&request, schedule, delivery.as_deref()).await,
            Hook::Decision { approval } => self.decided(&request, approval).await,
        };
        let answer = answer.unwrap_or_else(|failure| Answer::of_failure(&failure));
        // Whoever asked may have gone away.
        let _ = request.reply.send(answer);
    }

    /// Records the tick of a signed request.
    async fn triggered(&self, request: &Request, name: &str, delivery: Option<&str>) -> Result<Answer, Failure> {
        let unknown = || Failure::new(Code::Schedule, format!("there is no webhook `{name}`"));
        let schedule = self.pipeline.schedules.iter().find(|schedule| schedule.name == name).ok_or_else(unknown)?;
        let Trigger::Webhook { secret_variable } = &schedule.trigger else { return Err(unknown()) };
        request.require_signature(secret_variable)?;
        let now = Timestamp::now();
        let key = delivery.map_or_else(|| now.to_string(), str::to_owned);
        let states = self.states().await?;
        let state = ScheduleState {
            pipeline: self.pipeline.name.clone(),
            schedule: name.to_owned(),
            definition: schedule.definition.clone(),
            last: now,
            cursor: None,
            paused_by: None,
            paused_at: None,
        };
        let state = states.get(name).unwrap_or(&state);
        let seen = Seen { event: key.clone(), cursor: key.clone(), key: Some(key) };
        let tick = event_tick(schedule, state, &seen, now);
        let key = tick.key.clone();
        let is_new = self.record(schedule, now, Some(seen.cursor), vec![tick]).await? == 1;
        Ok(Answer::accepted(serde_json::json!({ "schedule": name, "tick": key, "new": is_new })))
    }
}

/// What a trigger sees.
struct Seen {
    /// Unique for the event; none if it may come again.
    key: Option<String>,
    /// What the run can refer to as `${tick.event}`.
    event: String,
    /// What the next look is compared with.
    cursor: String,
}

fn event_tick(schedule: &Schedule, state: &ScheduleState, seen: &Seen, now: Timestamp) -> NewTick {
    let is_paused = state.paused_by.is_some();
    let tick = DueTick { at: now, from: state.last };
    NewTick {
        key: seen.key.clone().unwrap_or_else(|| format!("{} {now}", seen.event)),
        at: now,
        from: state.last,
        params: params(schedule, tick, Some(&seen.event)),
        in_turn: false,
        state: if is_paused { TickState::Skipped } else { TickState::Pending },
        reason: is_paused.then(|| "the schedule was paused".to_owned()),
    }
}
