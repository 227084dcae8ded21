use jiff::Timestamp;
use serde_json::json;
use tidemill_metadata::{NewRun, NewTick, RunState, ScheduleProgress, StoreError, Tick, TickFilter, TickId, TickState};

use super::world::{Store, begin};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn progress(schedule: &str, last: &str) -> ScheduleProgress {
    ScheduleProgress {
        pipeline: "taxi".into(),
        schedule: schedule.into(),
        definition: "{\"every\":\"1h\"}".into(),
        last: at(last),
        cursor: Some("seen".into()),
    }
}

fn tick(time: &str, state: TickState) -> NewTick {
    NewTick {
        key: time.into(),
        at: at(time),
        from: at(time),
        params: json!({ "day": "2026-01-01" }),
        in_turn: false,
        state,
        reason: (state == TickState::Missed).then(|| "nothing ran".into()),
    }
}

/// Two open ticks and a missed one.
async fn ticks(store: &Store) -> Vec<Tick> {
    let new = vec![
        tick("2026-01-01T01:00:00Z", TickState::Missed),
        tick("2026-01-01T02:00:00Z", TickState::Pending),
        tick("2026-01-01T03:00:00Z", TickState::Pending),
    ];
    store.record_ticks(progress("hourly", "2026-01-01T03:00:00Z"), new).await.unwrap()
}

async fn start(store: &Store, tick: TickId) -> Result<tidemill_metadata::Run, StoreError> {
    store.create_run(NewRun { pipeline: "taxi".into(), tick: Some(tick), ..NewRun::default() }).await
}

pub async fn a_tick_is_recorded_once(store: &Store) {
    let recorded = ticks(store).await;
    assert_eq!(recorded.len(), 3);
    assert_eq!((recorded[0].state, recorded[0].ended_at.is_some()), (TickState::Missed, true));
    assert!(ticks(store).await.is_empty(), "the same keys again");
    let listed = store.ticks(&TickFilter::default(), 10).await.unwrap();
    assert_eq!(listed, recorded.iter().rev().cloned().collect::<Vec<_>>());
    let open = TickFilter { pipeline: Some("taxi".into()), open: true, ..TickFilter::default() };
    assert_eq!(store.ticks(&open, 10).await.unwrap(), recorded[1..]);
    let other = TickFilter { schedule: Some("nightly".into()), ..TickFilter::default() };
    assert!(store.ticks(&other, 10).await.unwrap().is_empty());
    let state = store.schedules("taxi").await.unwrap().remove(0);
    assert_eq!((state.last, state.cursor.as_deref()), (at("2026-01-01T03:00:00Z"), Some("seen")));
    assert!(store.schedules("churn").await.unwrap().is_empty());
}

pub async fn a_tick_has_one_run(store: &Store) {
    let recorded = ticks(store).await;
    let run = start(store, recorded[1].id).await.unwrap();
    assert_eq!(run.tick, Some(recorded[1].id));
    assert_eq!(store.run(run.id.as_str()).await.unwrap(), run);
    let again = start(store, recorded[1].id).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    assert_eq!(
        store.runs(&tidemill_metadata::RunFilter::default(), 10).await.unwrap().len(),
        1,
        "nothing is left of it"
    );
    store.finish_run(&run.id, RunState::Rejected, json!({})).await.unwrap();
    let done = store.ticks(&TickFilter::default(), 10).await.unwrap().remove(1);
    assert_eq!((done.state, done.run_id), (TickState::Done, Some(run.id)));
    let late = start(store, recorded[1].id).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
    let missed = start(store, recorded[0].id).await;
    assert!(matches!(missed, Err(StoreError::Conflict(_))), "{missed:?}");
}

pub async fn a_tick_whose_process_died_is_started_again(store: &Store) {
    let recorded = ticks(store).await;
    let dead = start(store, recorded[1].id).await.unwrap();
    store.recover("taxi", "taxi").await.unwrap();
    let open = TickFilter { open: true, ..TickFilter::default() };
    let state = store.ticks(&open, 10).await.unwrap().remove(0);
    assert_eq!((state.state, state.run_id), (TickState::Started, Some(dead.id)));
    let second = start(store, recorded[1].id).await.unwrap();
    store.finish_run(&second.id, RunState::Complete, json!({})).await.unwrap();
    assert_eq!(store.ticks(&open, 10).await.unwrap().len(), 1);
    // A run that failed by itself has ended its tick.
    let failed = start(store, recorded[2].id).await.unwrap();
    store.finish_run(&failed.id, RunState::Failed, json!({})).await.unwrap();
    assert!(start(store, recorded[2].id).await.is_err());
}

pub async fn a_tick_is_skipped_and_opened_again(store: &Store) {
    let recorded = ticks(store).await;
    let skipped = store.end_tick(recorded[1].id, TickState::Skipped, Some("a run is going on".into())).await.unwrap();
    assert_eq!((skipped.state, skipped.reason.as_deref()), (TickState::Skipped, Some("a run is going on")));
    assert!(matches!(store.end_tick(skipped.id, TickState::Done, None).await, Err(StoreError::Conflict(_))));
    assert!(matches!(store.end_tick(recorded[2].id, TickState::Pending, None).await, Err(StoreError::Conflict(_))));
    assert!(matches!(store.reopen_tick(recorded[2].id, "again").await, Err(StoreError::Conflict(_))));
    let open = store.reopen_tick(skipped.id, "asked for again").await.unwrap();
    assert_eq!((open.state, open.ended_at), (TickState::Pending, None));
    assert!(start(store, open.id).await.is_ok());
    assert!(matches!(store.end_tick(TickId(99), TickState::Done, None).await, Err(StoreError::NotFound { .. })));
}

pub async fn a_schedule_is_paused_and_resumed(store: &Store) {
    store.pause_schedule("taxi", "hourly", Some("ann")).await.unwrap();
    let state = store.schedules("taxi").await.unwrap().remove(0);
    assert_eq!((state.paused_by.as_deref(), state.definition.as_str()), (Some("ann"), ""));
    ticks(store).await;
    let state = store.schedules("taxi").await.unwrap().remove(0);
    assert_eq!(state.paused_by.as_deref(), Some("ann"), "a tick does not resume it");
    store.pause_schedule("taxi", "hourly", None).await.unwrap();
    let state = store.schedules("taxi").await.unwrap().remove(0);
    assert_eq!((state.paused_by, state.paused_at), (None, None));
    assert_eq!(state.last, at("2026-01-01T03:00:00Z"));
}

pub async fn leases_of_a_pipeline_recover_their_own_runs(store: &Store) {
    let first = begin(store, "taxi").await;
    let slot = NewRun { pipeline: "taxi".into(), lease: "taxi.slot-2".into(), ..NewRun::default() };
    let second = store.create_run(slot).await.unwrap();
    assert_eq!((first.lease.as_str(), second.lease.as_str()), ("taxi", "taxi.slot-2"));
    assert_eq!(store.recover("taxi", "taxi.slot-2").await.unwrap(), [second.id]);
    assert_eq!(store.run(first.id.as_str()).await.unwrap().state, RunState::Running);
}

pub async fn a_waiting_run_is_resumed_once(store: &Store) {
    let recorded = ticks(store).await;
    let run = start(store, recorded[1].id).await.unwrap();
    assert!(matches!(store.resume_run(&run.id, "taxi").await, Err(StoreError::Conflict(_))), "it runs");
    let parked = store.finish_run(&run.id, RunState::Waiting, json!({ "steps": [] })).await.unwrap();
    assert!(!parked.state.is_final());
    let tick = store.ticks(&TickFilter::default(), 10).await.unwrap().remove(1);
    assert_eq!(tick.state, TickState::Done, "nobody runs it");
    assert!(store.recover("taxi", "taxi").await.unwrap().is_empty(), "it has no process that could have died");
    let resumed = store.resume_run(&run.id, "taxi.slot-2").await.unwrap();
    assert_eq!((resumed.state, resumed.summary, resumed.lease.as_str()), (RunState::Running, None, "taxi.slot-2"));
    assert!(matches!(store.resume_run(&run.id, "taxi").await, Err(StoreError::Conflict(_))));
    store.finish_run(&run.id, RunState::Complete, json!({})).await.unwrap();
}
