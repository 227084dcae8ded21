use serde_json::json;
use tidemill_core::{ArtifactType, Code, Digest, Verdict};
use tidemill_metadata::{
    Actor, Artifact, ArtifactFilter, ArtifactState, ExecutionError, ExecutionState, Run, RunId, StoreError,
};

use super::world::{
    Store, begin, completed, digest, evaluate, examples, execution, model, new_artifact, no, step, version,
};

pub async fn an_artifact_is_recorded_once(store: &Store) {
    let run = begin(store, "taxi").await;
    let first = examples(store, &run, "trips").await;
    let id = store.start_execution(execution(&run, "again", "f", &[])).await.unwrap();
    let mut same = new_artifact(ArtifactType::Examples, "trips");
    same.properties.insert("rows".into(), json!(1));
    let other_type = new_artifact(ArtifactType::Schema, "trips");
    let done = completed("f", Verdict::Pass, vec![("examples", same), ("schema", other_type)]);
    let written = store.complete_execution(&id, done).await.unwrap();
    assert_eq!(written[0], first);
    assert_ne!(written[1].id, first.id);
    assert_eq!(store.artifacts(&ArtifactFilter::default(), 10).await.unwrap().len(), 2);
}

pub async fn artifacts_are_found_by_id_and_digest(store: &Store) {
    let run = begin(store, "taxi").await;
    let data = examples(store, &run, "trips").await;
    let other = examples(store, &run, "rides").await;
    assert_eq!(store.artifact(data.id.as_str()).await.unwrap(), data);
    assert_eq!(store.artifact(data.digest.as_str()).await.unwrap(), data);
    assert_eq!(store.artifact(other.digest.short()).await.unwrap(), other);
    assert_eq!(store.artifact(&data.digest.short().to_uppercase()).await.unwrap(), data);

    let id = store.start_execution(execution(&run, "schema", "f", &[])).await.unwrap();
    let twin = new_artifact(ArtifactType::Schema, "trips");
    let twin = store.complete_execution(&id, completed("f", Verdict::Pass, vec![("s", twin)])).await.unwrap().remove(0);
    match store.artifact(data.digest.short()).await {
        Err(StoreError::Ambiguous { fits, .. }) => {
            assert_eq!(fits, [format!("Schema:{}", data.digest.short()), format!("Examples:{}", data.digest.short())]);
        }
        found => panic!("{found:?}"),
    }
    assert_eq!(store.artifact(&format!("Schema:{}", data.digest.short())).await.unwrap(), twin);
    for nothing in ["", "ffff", "Model:", "%", &format!("Model:{}", data.digest)] {
        assert!(matches!(store.artifact(nothing).await, Err(StoreError::NotFound { .. })), "{nothing:?}");
    }
}

pub async fn artifacts_are_filtered_and_newest_first(store: &Store) {
    let taxi = begin(store, "taxi").await;
    let data = examples(store, &taxi, "trips").await;
    let trees = model(store, &taxi, &data, "trees").await;
    let churn = begin(store, "churn").await;
    let calls = examples(store, &churn, "calls").await;
    let again = begin(store, "taxi").await;
    let source = store.find_cached(&digest("trips")).await.unwrap().unwrap().execution.id;
    store.record_cached(execution(&again, "examples", "trips", &[]), &source).await.unwrap();

    let list = async |artifact_type, pipeline: Option<&str>, run_id: Option<&RunId>, limit| {
        let filter = ArtifactFilter { artifact_type, pipeline: pipeline.map(Into::into), run_id: run_id.cloned() };
        store.artifacts(&filter, limit).await.unwrap()
    };
    let ids = |records: Vec<tidemill_metadata::ArtifactRecord>| -> Vec<_> {
        records.into_iter().map(|record| record.artifact.id).collect()
    };
    let all = list(None, None, None, 10).await;
    assert_eq!(all[2].producer.run_id, again.id, "the newest producer is told");
    assert_eq!((all[1].producer.step.as_str(), all[1].producer.key.as_str()), ("train", "model"));
    assert_eq!(ids(all), [calls.id.clone(), trees.id.clone(), data.id.clone()]);
    assert_eq!(ids(list(None, None, None, 1).await), vec![calls.id.clone()]);
    assert_eq!(ids(list(Some(ArtifactType::Examples), None, None, 10).await), [calls.id, data.id.clone()]);
    assert_eq!(ids(list(None, Some("taxi"), None, 10).await), [trees.id.clone(), data.id.clone()]);
    let in_run = list(None, None, Some(&taxi.id), 10).await;
    assert_eq!(in_run[1].producer.run_id, taxi.id);
    assert_eq!(ids(in_run), [trees.id, data.id.clone()]);
    assert_eq!(ids(list(None, None, Some(&again.id), 10).await), [data.id]);
    assert!(list(Some(ArtifactType::Model), Some("churn"), None, 10).await.is_empty());
}

pub async fn the_latest_blessed_model_is_found(store: &Store) {
    assert_eq!(store.latest_blessed_model("taxi", &[]).await.unwrap(), None);
    let run = begin(store, "taxi").await;
    let data = examples(store, &run, "trips").await;
    let first = model(store, &run, &data, "first").await;
    assert_eq!(store.latest_blessed_model("taxi", &[]).await.unwrap(), None, "not judged yet");
    evaluate(store, &run, &first, None, Verdict::Pass).await;
    assert_eq!(store.latest_blessed_model("taxi", &[]).await.unwrap().as_ref(), Some(&first));
    assert_eq!(store.latest_blessed_model("taxi", std::slice::from_ref(&first.digest)).await.unwrap(), None);

    let run = begin(store, "taxi").await;
    let second = model(store, &run, &data, "second").await;
    evaluate(store, &run, &second, Some(&first), no()).await;
    assert_eq!(store.latest_blessed_model("taxi", &[]).await.unwrap().as_ref(), Some(&first));

    let run = begin(store, "taxi").await;
    let third = model(store, &run, &data, "third").await;
    evaluate(store, &run, &third, Some(&first), Verdict::Pass).await;
    assert_eq!(store.latest_blessed_model("taxi", &[]).await.unwrap().as_ref(), Some(&third));
    assert_eq!(
        store.latest_blessed_model("taxi", std::slice::from_ref(&third.digest)).await.unwrap().as_ref(),
        Some(&first)
    );
    assert_eq!(store.latest_blessed_model("churn", &[]).await.unwrap(), None);
}

pub async fn a_model_refused_by_any_gate_is_not_blessed(store: &Store) {
    let run = begin(store, "taxi").await;
    let data = examples(store, &run, "trips").await;
    let slow = model(store, &run, &data, "slow").await;
    evaluate(store, &run, &slow, None, Verdict::Pass).await;
    let outputs = [("infra_blessing", ArtifactType::InfraBlessing, "too slow")];
    step(store, &run, "infra", &[("model", &slow)], no(), &outputs).await;
    assert_eq!(store.latest_blessed_model("taxi", &[]).await.unwrap(), None);
    // A gate that failed has not let it through either.
    let run = begin(store, "taxi").await;
    evaluate(store, &run, &slow, None, Verdict::Pass).await;
    let failed = store.start_execution(execution(&run, "infra", "g", &[("model", &slow)])).await.unwrap();
    let error = ExecutionError { code: Code::Io, message: "disk full".into(), hint: None, causes: Vec::new() };
    store.fail_execution(&failed, ExecutionState::Failed, error).await.unwrap();
    assert_eq!(store.latest_blessed_model("taxi", &[]).await.unwrap(), None);
    // In a later run it is quick enough.
    let run = begin(store, "taxi").await;
    evaluate(store, &run, &slow, None, Verdict::Pass).await;
    assert_eq!(store.latest_blessed_model("taxi", &[]).await.unwrap(), Some(slow));
}

pub async fn a_blessing_taken_from_the_cache_counts(store: &Store) {
    let run = begin(store, "taxi").await;
    let data = examples(store, &run, "trips").await;
    let first = model(store, &run, &data, "first").await;
    evaluate(store, &run, &first, None, Verdict::Pass).await;
    let blessing = store.last_execution("taxi", "evaluate").await.unwrap().unwrap().execution;
    let second = model(store, &run, &data, "second").await;
    evaluate(store, &run, &second, None, Verdict::Pass).await;
    assert_eq!(store.latest_blessed_model("taxi", &[]).await.unwrap().as_ref(), Some(&second));
    // Somebody went back to the first: everything comes from the cache, and it is the champion again.
    let run = begin(store, "taxi").await;
    store.record_cached(execution(&run, "evaluate", "f", &[("model", &first)]), &blessing.id).await.unwrap();
    assert_eq!(store.latest_blessed_model("taxi", &[]).await.unwrap(), Some(first));
}

pub async fn what_a_step_last_said_yes_to_is_found(store: &Store) {
    let last = |excluding: Option<&Digest>| {
        let excluding = excluding.cloned();
        async move { store.last_accepted_input("taxi", "validate", "statistics", excluding.as_slice()).await.unwrap() }
    };
    let validate = |run: Run, read: Artifact, verdict: Verdict| async move {
        let outputs = format!("{} {} {}", run.id, read.digest, verdict.passed());
        let outputs = [("anomalies", ArtifactType::Anomalies, outputs.as_str())];
        step(store, &run, "validate", &[("statistics", &read)], verdict, &outputs).await;
    };
    assert_eq!(last(None).await, None);
    let run = begin(store, "taxi").await;
    let first = examples(store, &run, "monday").await;
    validate(run.clone(), first.clone(), Verdict::Pass).await;
    assert_eq!(last(None).await.as_ref(), Some(&first));
    assert_eq!(last(Some(&first.digest)).await, None, "what it is now is not what it was");

    let run = begin(store, "taxi").await;
    let second = examples(store, &run, "tuesday").await;
    validate(run.clone(), second.clone(), no()).await;
    assert_eq!(last(Some(&second.digest)).await.as_ref(), Some(&first));
    let third = examples(store, &run, "wednesday").await;
    assert_eq!(last(Some(&third.digest)).await.as_ref(), Some(&first), "refused data is no measure");
    validate(run.clone(), third.clone(), Verdict::Pass).await;
    assert_eq!(last(None).await.as_ref(), Some(&third));
    assert_eq!(last(Some(&third.digest)).await.as_ref(), Some(&first));

    // Monday once more, from the cache.
    let fingerprint = format!("{} {} true", begin(store, "churn").await.id, first.digest);
    let cached = execution(&run, "validate", &fingerprint, &[("statistics", &first)]);
    let original = store.last_execution("taxi", "validate").await.unwrap().unwrap().execution;
    store.record_cached(cached, &original.id).await.unwrap();
    assert_eq!(last(None).await.as_ref(), Some(&first));
    assert_eq!(store.last_accepted_input("churn", "validate", "statistics", &[]).await.unwrap(), None);
}

pub async fn a_deleted_artifact_keeps_its_record(store: &Store) {
    let run = begin(store, "taxi").await;
    let data = examples(store, &run, "trips").await;
    let champion = model(store, &run, &data, "m1").await;
    store.register_version("taxi-tips", version(&champion.id, &run.id)).await.unwrap();
    let by = Actor { actor: "ada".into(), reason: Some("it is better".into()), ..Actor::default() };
    store.set_alias("taxi-tips", "champion", 1, by.clone()).await.unwrap();
    assert_eq!(store.alias_history("taxi-tips").await.unwrap()[0].by, by);
    // Both or none: the package of an alias stays.
    let refused = store.delete_artifacts(&[data.id.clone(), champion.id.clone()]).await;
    assert!(matches!(&refused, Err(StoreError::Conflict(why)) if why.contains("taxi-tips@champion")), "{refused:?}");
    assert_eq!(store.artifact(data.id.as_str()).await.unwrap().state, ArtifactState::Live);
    store.delete_artifacts(std::slice::from_ref(&data.id)).await.unwrap();
    assert_eq!(store.artifact(data.id.as_str()).await.unwrap().state, ArtifactState::Deleted);
    let graph = store.lineage(&champion.id, tidemill_metadata::LineageDirection::Up, 9).await.unwrap();
    assert!(graph.artifacts.iter().any(|artifact| artifact.id == data.id), "lineage leads over it");
    // The same bytes again are the same artifact, and it is there.
    let again = examples(store, &run, "trips").await;
    assert_eq!((again.id, again.state), (data.id, ArtifactState::Live));
}
