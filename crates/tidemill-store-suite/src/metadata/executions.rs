use serde_json::json;
use tidemill_core::{ArtifactType, Verdict};
use tidemill_metadata::{ArtifactFilter, ArtifactId, Direction, Execution, ExecutionId, ExecutionState, StoreError};

use super::world::{
    Store, begin, completed, digest, examples, execution, model, new_artifact, no, state_of, step, trouble,
};

pub async fn an_execution_is_recorded_from_start_to_end(store: &Store) {
    let run = begin(store, "taxi").await;
    let data = examples(store, &run, "trips").await;
    let id = store.start_execution(execution(&run, "train", "before", &[("examples", &data)])).await.unwrap();
    assert_eq!(state_of(store, &run, &id).await, "RUNNING");

    let done = completed("after", no(), vec![("model", new_artifact(ArtifactType::Model, "trees"))]);
    let outcome = done.outcome.clone();
    let written = store.complete_execution(&id, done).await.unwrap();
    assert_eq!(written.len(), 1);
    assert_eq!((written[0].bytes, written[0].files), (1 << 40, 3));
    assert_eq!(written[0].properties["auc"], json!(0.954));

    let record = store.executions(&run.id).await.unwrap().pop().unwrap();
    assert_eq!(record.inputs, [("examples".to_owned(), data.clone())]);
    assert_eq!(record.outputs, [("model".to_owned(), written[0].clone())]);
    let Execution { state, component, component_version, params, .. } = &record.execution;
    assert_eq!((*state, component.as_str(), *component_version), (ExecutionState::Complete, "trainComponent", 3));
    assert_eq!(serde_json::to_string(params).unwrap(), r#"{"b":1,"a":[1.5,null]}"#);
    assert_eq!(record.execution.fingerprint, digest("after"));
    assert_eq!(record.execution.fingerprint_parts, json!({ "params": "after" }));
    assert_eq!(record.execution.outcome, Some(outcome));
    assert!(record.execution.finished_at.unwrap() >= record.execution.started_at);

    let events = store.execution_events(&id).await.unwrap();
    let told: Vec<_> = events.iter().map(|e| (e.direction, e.key.as_str(), &e.artifact_id)).collect();
    assert_eq!(told, [(Direction::Input, "examples", &data.id), (Direction::Output, "model", &written[0].id)]);
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<tidemill_metadata::ExecutionRecord>(&text).unwrap(), record);
}

pub async fn a_failed_execution_keeps_its_error(store: &Store) {
    let run = begin(store, "taxi").await;
    let id = store.start_execution(execution(&run, "examples", "f", &[])).await.unwrap();
    store.fail_execution(&id, ExecutionState::Failed, trouble()).await.unwrap();
    let record = store.executions(&run.id).await.unwrap().pop().unwrap();
    assert_eq!(record.execution.state, ExecutionState::Failed);
    assert_eq!(record.execution.error, Some(trouble()));
    assert!(record.execution.finished_at.is_some() && record.outputs.is_empty());
    let id = store.start_execution(execution(&run, "examples", "f", &[])).await.unwrap();
    let odd = store.fail_execution(&id, ExecutionState::Complete, trouble()).await;
    assert!(matches!(odd, Err(StoreError::Conflict(_))), "{odd:?}");
}

pub async fn an_execution_ends_once(store: &Store) {
    let run = begin(store, "taxi").await;
    let id = store.start_execution(execution(&run, "examples", "f", &[])).await.unwrap();
    store.fail_execution(&id, ExecutionState::Canceled, trouble()).await.unwrap();
    let late = store.complete_execution(&id, completed("f", Verdict::Pass, vec![])).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
    let late = store.fail_execution(&id, ExecutionState::Failed, trouble()).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
    assert_eq!(state_of(store, &run, &id).await, "CANCELED");
}

pub async fn a_key_is_given_once(store: &Store) {
    let run = begin(store, "taxi").await;
    let data = examples(store, &run, "trips").await;
    let twice = execution(&run, "train", "f", &[("examples", &data), ("examples", &data)]);
    assert!(matches!(store.start_execution(twice).await, Err(StoreError::Conflict(_))));
    // One artifact under two keys is fine.
    let id = store.start_execution(execution(&run, "train", "f", &[("a", &data), ("b", &data)])).await.unwrap();
    let output = || ("model", new_artifact(ArtifactType::Model, "trees"));
    let twice = store.complete_execution(&id, completed("f", Verdict::Pass, vec![output(), output()])).await;
    assert!(matches!(twice, Err(StoreError::Conflict(_))));
    assert_eq!(state_of(store, &run, &id).await, "RUNNING");
}

pub async fn what_is_not_recorded_cannot_be_referred_to(store: &Store) {
    let run = begin(store, "taxi").await;
    let mut new = execution(&run, "train", "f", &[]);
    new.inputs.push(("examples".into(), ArtifactId::from("nothing")));
    assert!(matches!(store.start_execution(new).await, Err(StoreError::NotFound { kind: "artifact", .. })));
    let mut new = execution(&run, "train", "f", &[]);
    new.run_id = "nothing".into();
    assert!(matches!(store.start_execution(new).await, Err(StoreError::NotFound { kind: "run", .. })));
    let nothing = ExecutionId::from("nothing");
    let missing = store.complete_execution(&nothing, completed("f", Verdict::Pass, vec![])).await;
    assert!(matches!(missing, Err(StoreError::NotFound { kind: "execution", .. })));
    assert!(matches!(store.execution_events(&nothing).await, Err(StoreError::NotFound { .. })));
    let missing = store.record_cached(execution(&run, "train", "f", &[]), &nothing).await;
    assert!(matches!(missing, Err(StoreError::NotFound { kind: "execution", .. })));
}

pub async fn a_cached_execution_repeats_the_events(store: &Store) {
    let first = begin(store, "taxi").await;
    let data = examples(store, &first, "trips").await;
    let outputs = [("evaluation", ArtifactType::Evaluation, "numbers"), ("blessing", ArtifactType::Blessing, "yes")];
    step(store, &first, "evaluate", &[("examples", &data)], no(), &outputs).await;
    let source = store.find_cached(&digest("numbersyes")).await.unwrap().unwrap();

    let second = begin(store, "taxi").await;
    let new = execution(&second, "evaluate", "numbersyes", &[("examples", &data)]);
    let id = store.record_cached(new, &source.execution.id).await.unwrap();
    let cached = store.executions(&second.id).await.unwrap().pop().unwrap();
    assert_eq!(cached.execution.id, id);
    assert_eq!(cached.execution.state, ExecutionState::Cached);
    assert_eq!(cached.execution.cached_from.as_ref(), Some(&source.execution.id));
    assert_eq!(cached.execution.outcome, source.execution.outcome);
    assert!(cached.execution.finished_at.is_some());
    assert_eq!((&cached.inputs, &cached.outputs), (&source.inputs, &source.outputs));
    let keys: Vec<_> = cached.outputs.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["evaluation", "blessing"]);
    // The source is still the execution that did the work.
    let found = store.find_cached(&digest("numbersyes")).await.unwrap().unwrap();
    assert_eq!(found.execution.id, source.execution.id);
}

pub async fn only_complete_executions_are_cached(store: &Store) {
    let run = begin(store, "taxi").await;
    let id = store.start_execution(execution(&run, "train", "f", &[])).await.unwrap();
    assert_eq!(store.find_cached(&digest("f")).await.unwrap(), None);
    let early = store.record_cached(execution(&run, "train", "f", &[]), &id).await;
    assert!(matches!(early, Err(StoreError::Conflict(_))), "{early:?}");
    store.fail_execution(&id, ExecutionState::Failed, trouble()).await.unwrap();
    assert_eq!(store.find_cached(&digest("f")).await.unwrap(), None);
    let id = store.start_execution(execution(&run, "train", "f", &[])).await.unwrap();
    store.complete_execution(&id, completed("g", Verdict::Pass, vec![])).await.unwrap();
    assert_eq!(store.find_cached(&digest("f")).await.unwrap(), None, "the fingerprint after the run counts");
    assert!(store.find_cached(&digest("g")).await.unwrap().is_some());
}

pub async fn the_newest_execution_of_a_fingerprint_is_found(store: &Store) {
    let run = begin(store, "taxi").await;
    let mut ids = Vec::new();
    for content in ["old", "new"] {
        let id = store.start_execution(execution(&run, "train", "f", &[])).await.unwrap();
        let outputs = vec![("model", new_artifact(ArtifactType::Model, content))];
        store.complete_execution(&id, completed("f", Verdict::Pass, outputs)).await.unwrap();
        ids.push(id);
    }
    let found = store.find_cached(&digest("f")).await.unwrap().unwrap();
    assert_eq!(found.execution.id, ids[1]);
    assert_eq!(found.outputs[0].1.digest, digest("new"));
}

pub async fn the_last_execution_of_a_step_is_found(store: &Store) {
    assert_eq!(store.last_execution("taxi", "train").await.unwrap(), None);
    let first = begin(store, "taxi").await;
    let data = examples(store, &first, "trips").await;
    model(store, &first, &data, "trees").await;
    let source = store.last_execution("taxi", "train").await.unwrap().unwrap();
    assert_eq!(source.execution.fingerprint_parts, json!({ "params": "trees" }));
    assert_eq!(source.inputs[0].1.digest, data.digest);

    let second = begin(store, "taxi").await;
    let new = execution(&second, "train", "trees", &[("examples", &data)]);
    let cached = store.record_cached(new, &source.execution.id).await.unwrap();
    assert_eq!(store.last_execution("taxi", "train").await.unwrap().unwrap().execution.id, cached);
    let failed = store.start_execution(execution(&second, "train", "other", &[])).await.unwrap();
    store.fail_execution(&failed, ExecutionState::Failed, trouble()).await.unwrap();
    assert_eq!(store.last_execution("taxi", "train").await.unwrap().unwrap().execution.id, cached);
    assert_eq!(store.last_execution("churn", "train").await.unwrap(), None);
    assert_eq!(store.last_execution("taxi", "push").await.unwrap(), None);
}

pub async fn a_refused_call_leaves_nothing(store: &Store) {
    let run = begin(store, "taxi").await;
    let data = examples(store, &run, "trips").await;
    let mut new = execution(&run, "train", "f", &[("examples", &data)]);
    new.inputs.push(("schema".into(), ArtifactId::from("nothing")));
    store.start_execution(new).await.unwrap_err();
    assert_eq!(store.executions(&run.id).await.unwrap().len(), 1);
    let twice = vec![
        ("model", new_artifact(ArtifactType::Model, "first")),
        ("model", new_artifact(ArtifactType::Model, "second")),
    ];
    let id = store.start_execution(execution(&run, "train", "f", &[("examples", &data)])).await.unwrap();
    store.complete_execution(&id, completed("f", Verdict::Pass, twice)).await.unwrap_err();
    assert_eq!(store.artifacts(&ArtifactFilter::default(), 10).await.unwrap().len(), 1);
    assert_eq!(store.execution_events(&id).await.unwrap().len(), 1);
}
