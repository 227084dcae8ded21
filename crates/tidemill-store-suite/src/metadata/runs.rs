use serde_json::json;
use tidemill_core::Code;
use tidemill_metadata::{RunFilter, RunId, RunState, StoreError};

use super::world::{Store, begin, examples, execution, state_of};

pub async fn a_run_is_recorded_from_start_to_end(store: &Store) {
    let run = begin(store, "taxi").await;
    assert_eq!((run.state, run.pid), (RunState::Running, std::process::id()));
    assert_eq!((&run.finished_at, &run.summary), (&None, &None));
    assert_eq!(store.run(run.id.as_str()).await.unwrap(), run);

    let ended = store.finish_run(&run.id, RunState::Rejected, json!({ "steps": 9 })).await.unwrap();
    assert_eq!(ended.state, RunState::Rejected);
    assert!(ended.finished_at.unwrap() >= run.started_at);
    assert_eq!(ended.summary, Some(json!({ "steps": 9 })));
    assert_eq!((&ended.params, &ended.plan), (&run.params, &run.plan));
    assert_eq!(store.run(run.id.as_str()).await.unwrap(), ended);
    let text = serde_json::to_string(&ended).unwrap();
    assert!(text.contains(r#""state":"REJECTED""#), "{text}");
    assert_eq!(serde_json::from_str::<tidemill_metadata::Run>(&text).unwrap(), ended);
}

pub async fn a_run_ends_once(store: &Store) {
    let run = begin(store, "taxi").await;
    let running = store.finish_run(&run.id, RunState::Running, json!({})).await;
    assert!(matches!(running, Err(StoreError::Conflict(_))), "{running:?}");
    store.finish_run(&run.id, RunState::Complete, json!({})).await.unwrap();
    let again = store.finish_run(&run.id, RunState::Failed, json!({})).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    assert_eq!(store.run("last").await.unwrap().state, RunState::Complete);
    let late = store.start_execution(execution(&run, "train", "f", &[])).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
    let unknown = store.finish_run(&RunId::from("nobody"), RunState::Failed, json!({})).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })), "{unknown:?}");
}

pub async fn runs_are_found_by_id_prefix_and_last(store: &Store) {
    assert!(matches!(store.run("last").await, Err(StoreError::NotFound { .. })));
    let first = begin(store, "taxi").await;
    let second = begin(store, "taxi").await;
    assert_eq!(store.run("last").await.unwrap(), second);
    let id = first.id.as_str();
    assert_eq!(store.run(&id[..id.len() - 1]).await.unwrap(), first);
    assert_eq!(store.run(&id.to_uppercase()).await.unwrap(), first);
    // Both ids begin with the same hours.
    match store.run(&id[..6]).await {
        Err(StoreError::Ambiguous { fits, .. }) => assert_eq!(fits, [second.id.as_str(), first.id.as_str()]),
        other => panic!("{other:?}"),
    }
    for nothing in ["", "zzz", "%", "_"] {
        assert!(matches!(store.run(nothing).await, Err(StoreError::NotFound { .. })), "{nothing:?}");
    }
    let slip = format!("{}x", &id[..id.len() - 1]);
    match store.run(&slip).await {
        Err(StoreError::NotFound { nearest, .. }) => assert_eq!(nearest, [id]),
        other => panic!("{other:?}"),
    }
}

pub async fn runs_are_filtered_and_newest_first(store: &Store) {
    let mut ids = Vec::new();
    for pipeline in ["taxi", "churn", "taxi", "taxi"] {
        ids.push(begin(store, pipeline).await.id);
    }
    store.finish_run(&ids[0], RunState::Complete, json!({})).await.unwrap();
    let listed = async |pipeline: Option<&str>, state, limit| -> Vec<RunId> {
        let filter = RunFilter { pipeline: pipeline.map(Into::into), state };
        store.runs(&filter, limit).await.unwrap().into_iter().map(|run| run.id).collect()
    };
    assert_eq!(listed(None, None, 10).await, [&ids[3], &ids[2], &ids[1], &ids[0]].map(Clone::clone));
    assert_eq!(listed(Some("taxi"), None, 2).await, [ids[3].clone(), ids[2].clone()]);
    assert_eq!(listed(Some("taxi"), Some(RunState::Complete), 10).await, [ids[0].clone()]);
    assert!(listed(None, Some(RunState::Failed), 10).await.is_empty());
    assert!(listed(None, None, 0).await.is_empty());
}

pub async fn what_dead_processes_left_is_marked(store: &Store) {
    let dead = begin(store, "taxi").await;
    let done = examples(store, &dead, "trips").await;
    let step = store.start_execution(execution(&dead, "train", "f", &[("examples", &done)])).await.unwrap();
    let ended = begin(store, "taxi").await;
    store.finish_run(&ended.id, RunState::Complete, json!({})).await.unwrap();
    let other = begin(store, "churn").await;

    assert_eq!(store.recover("taxi", "taxi").await.unwrap(), vec![dead.id.clone()]);
    assert_eq!(store.recover("taxi", "taxi").await.unwrap(), []);

    let run = store.run(dead.id.as_str()).await.unwrap();
    assert_eq!(run.state, RunState::Failed);
    assert!(run.finished_at.is_some());
    let records = store.executions(&dead.id).await.unwrap();
    let states: Vec<_> = records.iter().map(|record| record.execution.state.name()).collect();
    assert_eq!(states, ["COMPLETE", "FAILED"]);
    let error = records[1].execution.error.as_ref().unwrap();
    assert_eq!(error.code, Code::Abandoned);
    assert!(error.message.contains(&dead.pid.to_string()), "{}", error.message);
    assert_eq!(records[1].execution.id, step);
    assert_eq!(store.run(other.id.as_str()).await.unwrap().state, RunState::Running);
    assert_eq!(store.run(ended.id.as_str()).await.unwrap().state, RunState::Complete);
}

pub async fn ending_a_run_ends_its_executions(store: &Store) {
    let run = begin(store, "taxi").await;
    let step = store.start_execution(execution(&run, "train", "f", &[])).await.unwrap();
    store.finish_run(&run.id, RunState::Canceled, json!(null)).await.unwrap();
    assert_eq!(state_of(store, &run, &step).await, "CANCELED");
}
