use serde_json::json;
use tidemill_core::Coded as _;
use tidemill_metadata::{Actor, ModelVersion, StoreError, VersionSpec};

use super::world::{Store, begin, examples, model, version};

fn somebody() -> Actor {
    Actor { actor: "ada".into(), ..Actor::default() }
}

/// Two versions of `taxi-tips`.
async fn two_versions(store: &Store) -> [ModelVersion; 2] {
    let run = begin(store, "taxi").await;
    let data = examples(store, &run, "trips").await;
    let mut versions = Vec::new();
    for content in ["first", "second"] {
        let trees = model(store, &run, &data, content).await;
        let registered = store.register_version("taxi-tips", version(&trees.id, &run.id)).await.unwrap();
        assert!(registered.created);
        versions.push(registered.version);
    }
    versions.try_into().unwrap()
}

pub async fn versions_are_numbered_and_kept(store: &Store) {
    let [first, second] = two_versions(store).await;
    assert_eq!((first.version, second.version), (1, 2));
    let run = begin(store, "taxi").await;
    let mut same = version(&first.artifact_id, &run.id);
    same.properties.insert("auc".into(), json!(0.1));
    let again = store.register_version("taxi-tips", same).await.unwrap();
    assert!(!again.created);
    assert_eq!(again.version, first);
    let elsewhere = store.register_version("another", version(&second.artifact_id, &run.id)).await.unwrap();
    assert_eq!((elsewhere.version.version, elsewhere.created), (1, true));

    let record = store.model("taxi-tips").await.unwrap();
    assert_eq!(record.model.description, "will the rider tip");
    assert_eq!(record.versions, [first.clone(), second]);
    assert_eq!((first.properties["auc"].clone(), first.tags["owner"].as_str()), (json!(0.954), "rides"));
    let models = store.models().await.unwrap();
    assert_eq!(models.iter().map(|record| record.model.name.as_str()).collect::<Vec<_>>(), ["another", "taxi-tips"]);
    assert_eq!(models[1], record);
}

pub async fn tags_of_a_version_are_set(store: &Store) {
    let [first, second] = two_versions(store).await;
    let tags = |value: &str| std::collections::BTreeMap::from([("loadtest".to_owned(), value.to_owned())]);
    store.tag_version("taxi-tips", &VersionSpec::Number(1), tags("slow")).await.unwrap();
    let tagged = store.tag_version("taxi-tips", &VersionSpec::Number(1), tags("fast")).await.unwrap();
    assert_eq!((&*tagged.tags["loadtest"], &*tagged.tags["owner"]), ("fast", "rides"), "the others stay");
    assert_eq!(store.model("taxi-tips").await.unwrap().versions, [tagged.clone(), second]);
    assert_eq!(ModelVersion { tags: first.tags.clone(), ..tagged }, first);
    let odd = store.tag_version("taxi-tips", &VersionSpec::Number(3), tags("fast")).await;
    assert!(matches!(odd, Err(StoreError::NotFound { .. })), "{odd:?}");
}

pub async fn only_models_of_known_runs_have_versions(store: &Store) {
    let run = begin(store, "taxi").await;
    let data = examples(store, &run, "trips").await;
    let trees = model(store, &run, &data, "trees").await;
    let odd = store.register_version("taxi-tips", version(&data.id, &run.id)).await;
    assert!(matches!(odd, Err(StoreError::Conflict(_))), "{odd:?}");
    let odd = store.register_version("taxi-tips", version(&trees.id, &"nobody".into())).await;
    assert!(matches!(odd, Err(StoreError::NotFound { kind: "run", .. })), "{odd:?}");
    let odd = store.register_version("taxi-tips", version(&"nothing".into(), &run.id)).await;
    assert!(matches!(odd, Err(StoreError::NotFound { kind: "artifact", .. })), "{odd:?}");
    let odd = store.register_version("taxi/tips", version(&trees.id, &run.id)).await;
    assert!(matches!(odd, Err(StoreError::InvalidName { .. })), "{odd:?}");
    assert!(store.models().await.unwrap().is_empty());
}

pub async fn an_alias_moves_and_remembers(store: &Store) {
    let [first, second] = two_versions(store).await;
    let by_run = Actor { actor: "push".into(), run_id: Some(first.run_id.clone()), ..Actor::default() };
    let set = store.set_alias("taxi-tips", "champion", 1, by_run.clone()).await.unwrap();
    assert_eq!((set.alias.as_str(), set.version), ("champion", 1));
    assert_eq!(store.set_alias("taxi-tips", "champion", 1, somebody()).await.unwrap(), set, "nothing to move");
    let moved = store.set_alias("taxi-tips", "champion", second.version, by_run.clone()).await.unwrap();
    store.set_alias("taxi-tips", "before", 1, by_run.clone()).await.unwrap();
    store.set_alias("taxi-tips", "champion", 1, somebody()).await.unwrap();

    let history = store.alias_history("taxi-tips").await.unwrap();
    let told: Vec<_> = history.iter().map(|m| (m.alias.as_str(), m.from_version, m.version)).collect();
    assert_eq!(told, [("champion", Some(2), 1), ("before", None, 1), ("champion", Some(1), 2), ("champion", None, 1)]);
    assert_eq!((&history[0].by, &history[3].by), (&somebody(), &by_run));
    assert_eq!(history[2].moved_at, moved.moved_at);
    // A run that comes to what a person set is on record, once.
    for _ in 0..2 {
        assert_eq!(store.set_alias("taxi-tips", "champion", 1, by_run.clone()).await.unwrap().version, 1);
    }
    let history = store.alias_history("taxi-tips").await.unwrap();
    assert_eq!((history.len(), history[0].from_version, history[0].version), (5, Some(1), 1));
    assert_eq!(history[0].by, by_run);
    let aliases = store.model("taxi-tips").await.unwrap().aliases;
    let told: Vec<_> = aliases.iter().map(|alias| (alias.alias.as_str(), alias.version)).collect();
    assert_eq!(told, [("before", 1), ("champion", 1)]);
}

pub async fn versions_are_found_by_number_and_alias(store: &Store) {
    let [first, second] = two_versions(store).await;
    store.set_alias("taxi-tips", "champion", 1, somebody()).await.unwrap();
    let find = async |spec: &str| {
        let spec: VersionSpec = spec.parse().unwrap();
        store.model_version("taxi-tips", &spec).await
    };
    assert_eq!(find("champion").await.unwrap(), first);
    assert_eq!(find("2").await.unwrap(), second);
    assert_eq!(find("latest").await.unwrap(), second);
    let missing = find("3").await.unwrap_err();
    assert_eq!(missing.to_string(), "no model version `taxi-tips:3` in the store");
    let missing = find("champoin").await.unwrap_err();
    assert_eq!(missing.to_string(), "no alias `taxi-tips@champoin` in the store");
    assert_eq!(missing.hint().as_deref(), Some("did you mean `taxi-tips@champion`?"));
}

pub async fn names_that_do_not_exist_are_named(store: &Store) {
    two_versions(store).await;
    let missing = store.model("taxi-tip").await.unwrap_err();
    assert_eq!(missing.to_string(), "no model `taxi-tip` in the store");
    assert_eq!(missing.hint().as_deref(), Some("did you mean `taxi-tips`?"));
    assert!(matches!(store.alias_history("nothing").await, Err(StoreError::NotFound { .. })));
    let odd = store.set_alias("nothing", "champion", 1, somebody()).await;
    assert!(matches!(odd, Err(StoreError::NotFound { kind: "model", .. })), "{odd:?}");
    let odd = store.set_alias("taxi-tips", "champion", 9, somebody()).await;
    assert!(matches!(odd, Err(StoreError::NotFound { kind: "model version", .. })), "{odd:?}");
    let odd = store.set_alias("taxi-tips", "7", 1, somebody()).await;
    assert!(matches!(odd, Err(StoreError::InvalidName { kind: "alias", .. })), "{odd:?}");
    assert!(store.alias_history("taxi-tips").await.unwrap().is_empty());
}
