use serde_json::{Value, json};

use super::*;

fn spec() -> Value {
    json!({
        "version": 1,
        "endpoint": "taxi",
        "models": {
            "champion": { "model": "taxi-tips@champion" },
            "challenger": { "model": "taxi-tips:2" },
            "rules": { "expression": "case when payment_type = 'Cash' then 0.1 else 0.6 end" },
        },
        "route": [
            { "when": "trip_start_hour >= 22", "to": "rules" },
            { "split": { "champion": 90, "challenger": 10 }, "by": "rider_id" },
        ],
        "shadow": [{ "to": "taxi-tips/9" }],
        "fallback": ["cached", "rules"],
        "cache": { "predictions": { "ttl_secs": 600, "bytes_max": "256MiB" } },
    })
}

/// The issues of the specification after `change`, each as `PATH: MESSAGE`.
fn issues(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut value = spec();
    change(&mut value);
    EndpointSpec::parse(&value).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn a_good_file_is_read_and_its_models_are_known() {
    let spec = EndpointSpec::parse(&spec()).unwrap();
    assert_eq!(spec.primary(), Some("champion"));
    let names: Vec<String> = spec.all_models().into_keys().collect();
    assert_eq!(names, ["challenger", "champion", "rules", "taxi-tips/9"]);
    assert_eq!(spec.cache.unwrap().predictions.unwrap().bytes_max, ByteSize(256 << 20));
    let again =
        EndpointSpec::parse(&serde_json::to_value(EndpointSpec::parse(&super::tests::spec()).unwrap()).unwrap());
    assert!(again.is_ok());
}

#[test]
fn mistakes_are_found_where_they_are() {
    let found = |change: fn(&mut Value)| issues(change);
    assert_eq!(
        found(|spec| spec["route"][1]["split"]["champion"] = json!(80)),
        ["`route.1.split`: the shares sum to 90, not to 100"]
    );
    assert_eq!(
        found(|spec| spec["route"][0]["to"] = json!("rule")),
        ["`route.0.to`: there is no model `rule` under `models`"]
    );
    assert_eq!(
        found(|spec| spec["route"][0]["when"] = json!("trip_start_hour + 22")),
        ["`route.0.when`: `trip_start_hour + 22` is not a condition"]
    );
    assert_eq!(
        found(|spec| {
            spec["route"][0].as_object_mut().unwrap().remove("when");
        }),
        ["`route.1`: this rule is never reached: the one before has no condition"]
    );
    assert_eq!(
        found(|spec| spec["models"]["old"] = json!({ "model": "taxi-tips:1" })),
        ["`models.old`: nothing leads to the model `old`"]
    );
    assert_eq!(
        found(|spec| spec["models"]["rules"]["fallback"] = json!(["rules"])),
        ["`models.rules`: `rules` leads to itself: rules → rules"]
    );
    assert_eq!(found(|spec| spec["cache"] = json!({})), ["`fallback.0`: there is no cache to answer from"]);
    assert_eq!(found(|spec| spec["production"] = json!(true)).len(), 3,);
    assert_eq!(
        found(|spec| spec["models"]["champion"]["path"] = json!("models/a")),
        ["`models.champion`: `champion` has more than one of `path`, `model`"]
    );
    assert_eq!(
        found(|spec| spec["cache"]["predictions"]["bytes_max"] = json!("lots")),
        ["`cache.predictions.bytes_max`: \"lots\" is not a size; write `256MiB` or a number of bytes"]
    );
}

#[test]
fn a_misspelt_key_is_offered_the_right_one() {
    let mut value = spec();
    value["shadow"][0]["shares"] = json!(10);
    let issues = EndpointSpec::parse(&value).unwrap_err();
    assert_eq!(issues[0].path, ["shadow", "0", "shares"]);
    assert_eq!(issues[0].hint.as_deref(), Some("did you mean `share`?"));
}

#[test]
fn a_cycle_of_several_models_is_reported_once() {
    let found = issues(|spec| {
        spec["models"]["a"] = json!({ "sequence": [{ "model": "b" }] });
        spec["models"]["b"] = json!({ "parallel": { "models": ["a", "rules"], "combine": "mean" } });
        spec["route"][0]["to"] = json!("a");
    });
    assert_eq!(found, ["`models.a`: `a` leads to itself: a → b → a"]);
}
