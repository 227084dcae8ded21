use tidemill_core::{ArtifactType, Verdict};
use tidemill_metadata::Direction::{Input, Output};
use tidemill_metadata::{Artifact, ArtifactId, LineageDirection, LineageGraph, StoreError};

use super::world::{Store, begin, digest, evaluate, examples, execution, model, step};

struct Story {
    data: Artifact,
    schema: Artifact,
    models: Vec<Artifact>,
    pushed: Artifact,
}

/// Examples → schema; examples + schema → two models; the second is judged and pushed. A second run is all cached.
async fn story(store: &Store) -> Story {
    let run = begin(store, "taxi").await;
    let data = examples(store, &run, "trips").await;
    let outputs = [("schema", ArtifactType::Schema, "columns")];
    let schema = step(store, &run, "schema", &[("examples", &data)], Verdict::Pass, &outputs).await.remove(0);
    let mut models = Vec::new();
    for content in ["first", "second"] {
        let outputs = [("model", ArtifactType::Model, content)];
        let inputs = [("examples", &data), ("schema", &schema)];
        models.extend(step(store, &run, "train", &inputs, Verdict::Pass, &outputs).await);
    }
    evaluate(store, &run, &models[1], None, Verdict::Pass).await;
    let outputs = [("pushed", ArtifactType::PushedModel, "push")];
    let pushed = step(store, &run, "push", &[("model", &models[1])], Verdict::Pass, &outputs).await.remove(0);
    let other = examples(store, &run, "unrelated").await;
    model(store, &run, &other, "unrelated model").await;

    let again = begin(store, "taxi").await;
    let source = store.find_cached(&digest("second")).await.unwrap().unwrap().execution.id;
    let new = execution(&again, "train", "second", &[("examples", &data), ("schema", &schema)]);
    store.record_cached(new, &source).await.unwrap();
    // A failed attempt made nothing of what it read.
    store.start_execution(execution(&again, "train", "third", &[("examples", &data)])).await.unwrap();
    Story { data, schema, models, pushed }
}

fn types(graph: &LineageGraph) -> Vec<&'static str> {
    graph.artifacts.iter().map(|artifact| artifact.artifact_type.name()).collect()
}

fn steps(graph: &LineageGraph) -> Vec<&str> {
    graph.executions.iter().map(|execution| execution.step.as_str()).collect()
}

pub async fn lineage_goes_up_to_the_data(store: &Store) {
    let story = story(store).await;
    let graph = store.lineage(&story.pushed.id, LineageDirection::Up, 100).await.unwrap();
    assert_eq!(types(&graph), ["PushedModel", "Model", "Examples", "Schema"]);
    assert_eq!(graph.artifacts[1], story.models[1]);
    assert_eq!(graph.artifacts[2], story.data);
    assert_eq!(steps(&graph), ["push", "train", "examples", "schema"]);
    let told: Vec<_> = graph.events.iter().map(|event| (event.direction, event.key.as_str())).collect();
    assert_eq!(
        told,
        [
            (Output, "examples"),
            (Input, "examples"),
            (Output, "schema"),
            (Input, "examples"),
            (Input, "schema"),
            (Output, "model"),
            (Input, "model"),
            (Output, "pushed"),
        ]
    );
}

pub async fn lineage_goes_down_to_every_model(store: &Store) {
    let story = story(store).await;
    let graph = store.lineage(&story.schema.id, LineageDirection::Down, 100).await.unwrap();
    assert_eq!(types(&graph), ["Schema", "Model", "Model", "Blessing", "PushedModel"]);
    assert_eq!(graph.artifacts[1..3], story.models);
    assert_eq!(steps(&graph), ["train", "train", "evaluate", "push"]);
    let graph = store.lineage(&story.data.id, LineageDirection::Down, 100).await.unwrap();
    assert_eq!(types(&graph), ["Examples", "Schema", "Model", "Model", "Blessing", "PushedModel"]);
    let text = serde_json::to_string(&graph).unwrap();
    assert_eq!(serde_json::from_str::<LineageGraph>(&text).unwrap(), graph);
}

pub async fn hops_are_counted(store: &Store) {
    let story = story(store).await;
    let up = async |hops| store.lineage(&story.pushed.id, LineageDirection::Up, hops).await.unwrap();
    assert_eq!(types(&up(0).await), ["PushedModel"]);
    assert!(up(0).await.events.is_empty() && up(0).await.executions.is_empty());
    assert_eq!(types(&up(1).await), ["PushedModel", "Model"]);
    assert_eq!(types(&up(2).await), ["PushedModel", "Model", "Examples", "Schema"]);
    let nothing = store.lineage(&ArtifactId::from("nothing"), LineageDirection::Up, 1).await;
    assert!(matches!(nothing, Err(StoreError::NotFound { kind: "artifact", .. })));
}
