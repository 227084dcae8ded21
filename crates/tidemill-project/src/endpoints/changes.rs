//! The difference between two endpoint files, key by key.

use serde::Serialize;
use serde_json::Value;

/// A key whose value differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EndpointChange {
    /// The key: `route.1.split.challenger`.
    pub key: String,
    /// The value before; null if there was none.
    pub before: Value,
    /// The value now; null if there is none.
    pub after: Value,
}

/// Every key whose value differs, in the order of the files.
pub fn changes_between(before: &Value, after: &Value) -> Vec<EndpointChange> {
    let mut changes = Vec::new();
    compare("", before, after, &mut changes);
    changes
}

fn compare(key: &str, before: &Value, after: &Value, changes: &mut Vec<EndpointChange>) {
    let below = |part: &str| if key.is_empty() { part.to_owned() } else { format!("{key}.{part}") };
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in old {
                compare(&below(name), value, new.get(name).unwrap_or(&Value::Null), changes);
            }
            for (name, value) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
                compare(&below(name), &Value::Null, value, changes);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (at, (old, new)) in old.iter().zip(new).enumerate() {
                compare(&below(&at.to_string()), old, new, changes);
            }
        }
        _ if same(before, after) => {}
        _ => changes.push(EndpointChange { key: key.to_owned(), before: before.clone(), after: after.clone() }),
    }
}

/// Whether two values mean the same: `90` and `90.0` do.
fn same(a: &Value, b: &Value) -> bool {
    a == b || a.as_f64().is_some_and(|a| Some(a) == b.as_f64())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_listed() {
        let before = json!({ "a": 1, "route": [{ "split": { "x": 90, "y": 10 } }], "gone": true, "list": [1] });
        let after = json!({ "a": 1.0, "route": [{ "split": { "x": 75, "y": 25 } }], "new": "n", "list": [1, 2] });
        let changes = changes_between(&before, &after);
        let keys: Vec<&str> = changes.iter().map(|change| change.key.as_str()).collect();
        assert_eq!(keys, ["route.0.split.x", "route.0.split.y", "gone", "list", "new"]);
        assert_eq!((&changes[0].before, &changes[0].after), (&json!(90), &json!(75)));
        assert!(changes_between(&after, &after).is_empty());
    }
}
