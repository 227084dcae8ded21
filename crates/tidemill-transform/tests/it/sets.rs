//! Feature sets: what a step uses of them is what would stand in its file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};
use tidemill_core::{Component as _, ParamIssue};
use tidemill_transform::{FeatureSet, FeatureSets, Transform, TransformConfig};

/// One set, `rides@1`.
#[derive(Debug)]
struct Rides(Map<String, Value>);

impl FeatureSets for Rides {
    fn find(&self, reference: &str) -> Result<FeatureSet, ParamIssue> {
        if reference != "rides@1" {
            return Err(ParamIssue::new(Vec::<String>::new(), format!("no `{reference}`")));
        }
        let places =
            self.0.keys().map(|name| (name.clone(), format!("rides@1.yaml:{name}"))).collect::<BTreeMap<_, _>>();
        let digest = FeatureSet::digest_of(&self.0);
        Ok(FeatureSet { name: "rides".to_owned(), version: 1, digest, features: self.0.clone(), places })
    }
}

fn map(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("{value}") };
    map
}

fn rides() -> Map<String, Value> {
    map(json!({
        "fare": "z_score",
        "miles": [{ "clip": { "min": 0 } }, "log1p"],
        "company": { "vocabulary": { "top_k": 10 } },
        "hour": { "from": "start", "steps": { "cyclic": 24 } },
        "last": { "history": "fare", "steps": { "lag": "2w" } },
    }))
}

fn params(more: Value) -> Value {
    let mut params = map(json!({ "label": { "column": "tips" }, "history": { "time": "at" } }));
    params.extend(map(more));
    Value::Object(params)
}

fn read(params: &Value) -> Result<TransformConfig, Vec<ParamIssue>> {
    TransformConfig::with_sets(params, &Rides(rides()))
}

proptest! {
    /// Whatever is taken of a set, and whatever stands beside it, is read as if it had all been written in the step.
    #[test]
    fn using_features_is_writing_them(
        taken in subsequence(rides().keys().cloned().collect::<Vec<_>>(), 1..=5),
        by_leaving_out in any::<bool>(),
        own in select(vec![json!({}), json!({ "seconds": "numeric" }), json!({ "b": { "from": "x" }, "a": { "from": "y" } })]),
    ) {
        let rest: Vec<String> = rides().keys().filter(|name| !taken.contains(name)).cloned().collect();
        let part = if by_leaving_out {
            json!({ "set": "rides@1", "without": rest })
        } else {
            json!({ "only": taken, "set": "rides@1" })
        };
        let used = read(&params(json!({ "use": part, "features": own }))).unwrap();
        let mut features: Map<String, Value> = rides().into_iter().filter(|(name, _)| taken.contains(name)).collect();
        features.extend(map(own));
        let written = read(&params(json!({ "features": features }))).unwrap();
        prop_assert_eq!(&used.features, &written.features);
        let [set] = used.sets().collect::<Vec<_>>()[..] else { panic!("one set") };
        prop_assert_eq!(&set.features, &taken);
        prop_assert_eq!(set.to_string(), "rides@1");
        prop_assert_eq!(&set.digest, &FeatureSet::digest_of(&rides()));
        prop_assert_eq!(written.sets().count(), 0);
    }
}

#[test]
fn a_digest_is_of_names_order_and_steps() {
    let digest = |value: Value| FeatureSet::digest_of(&map(value));
    let first = digest(json!({ "a": "numeric", "b": { "bucketize": 3 } }));
    assert_eq!(first, digest(json!({ "a": "numeric", "b": { "bucketize": 3 } })));
    for other in [
        json!({ "b": { "bucketize": 3 }, "a": "numeric" }),
        json!({ "a": "numeric", "b": { "bucketize": 4 } }),
        json!({ "a": "numeric", "c": { "bucketize": 3 } }),
        json!({ "a": "numeric" }),
    ] {
        assert_ne!(first, digest(other.clone()), "{other}");
    }
}

#[test]
fn the_fingerprint_of_a_step_holds_the_sets_it_uses() {
    let transform = Transform::default().with_sets(Arc::new(Rides(rides())));
    let inputs = |params: &Value| transform.external_inputs(params, Path::new("")).unwrap();
    let [set] = &inputs(&params(json!({ "use": ["rides@1"] })))[..] else { panic!("one set") };
    assert_eq!((set.name.as_str(), &set.digest), ("rides@1", &FeatureSet::digest_of(&rides())));
    assert!(inputs(&params(json!({ "features": { "fare": "numeric" } }))).is_empty());
    let other = Transform::default().with_sets(Arc::new(Rides(map(json!({ "fare": "numeric" })))));
    let changed = other.external_inputs(&params(json!({ "use": ["rides@1"] })), Path::new("")).unwrap();
    assert_ne!(changed[0].digest, set.digest);
}

#[test]
fn mistakes_stand_where_the_set_is_used() {
    let issue = |more: Value| {
        let mut found = read(&params(more.clone())).unwrap_err();
        assert_eq!(found.len(), 1, "{more}: {found:?}");
        let issue = found.remove(0);
        (issue.path.join("."), issue.message)
    };
    let at = |place: &str, message: &str| (place.to_owned(), message.to_owned());
    assert_eq!(issue(json!({ "use": "rides@2" })), at("use", "no `rides@2`"));
    assert_eq!(issue(json!({ "use": ["rides@1", { "set": "rides@2" }] })), at("use.1.set", "no `rides@2`"));
    assert_eq!(issue(json!({ "use": ["rides@1", "rides@1"] })), at("use.1", "`rides@1` is used twice"));
    assert_eq!(issue(json!({ "use": 1 })), at("use", "a feature set is named `NAME@VERSION`"));
    assert_eq!(
        issue(json!({ "use": { "set": "rides@1", "without": rides().keys().collect::<Vec<_>>() } })),
        at("use", "no feature of `rides@1` is left")
    );
    assert_eq!(
        issue(json!({ "use": { "set": "rides@1", "only": ["far"] } })),
        at("use.only.0", "`rides@1` has no feature `far`")
    );
    assert_eq!(
        issue(json!({ "use": "rides@1", "features": { "fare": "numeric" } })),
        at("features.fare", "`rides@1` has a feature `fare` already")
    );
    let label = json!({ "label": { "column": "tips", "horizon": "3w" }, "use": "rides@1" });
    let (place, message) = issue(label);
    assert_eq!(place, "use");
    assert!(message.starts_with("feature `last` of `rides@1` (rides@1.yaml:last), `steps"), "{message}");
    let nothing = issue(json!({}));
    assert_eq!(nothing, at("features", "there are no features, so nothing can be learned"));
    assert!(TransformConfig::from_params(&params(json!({ "use": "rides@1" }))).is_err());
}

#[test]
fn a_set_is_checked_by_itself() {
    assert_eq!(FeatureSet::check(&rides()), []);
    let wrong = map(json!({ "fare": "zscore", "both": { "from": "fare", "steps": ["one_hot", "log"] } }));
    let places: Vec<String> = FeatureSet::check(&wrong).iter().map(|issue| issue.path.join(".")).collect();
    assert_eq!(places, ["fare", "both"]);
}
