//! In what two schemas differ.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use tidemill_core::Schema;

/// A place where two schemas differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SchemaChange {
    /// Keys from the root to the place: `features.company.presence.min_fraction`.
    pub path: Vec<String>,
    /// What stands there in the first; absent where nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What stands there in the second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// Everything in which `after` differs from `before`, in the order of the paths. Schemas that differ in nothing mean the same.
///
/// A list of strings is a set: each string that only one has is a change with its own entry.
pub fn schema_diff(before: &Schema, after: &Schema) -> Vec<SchemaChange> {
    let value = |schema: &Schema| serde_json::to_value(schema).unwrap_or(Value::Null);
    let mut found = Vec::new();
    walk(&mut Vec::new(), Some(&value(before)), Some(&value(after)), &mut found);
    found
}

fn walk(path: &mut Vec<String>, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<SchemaChange>) {
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                path.push(key.clone());
                walk(path, old.get(key), new.get(key), found);
                path.pop();
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if strings(old) && strings(new) => {
            let (olds, news): (BTreeSet<&str>, BTreeSet<&str>) = (texts(old), texts(new));
            let mut add = |before: Option<&str>, after: Option<&str>| {
                let value = |text: Option<&str>| text.map(|text| Value::String(text.to_owned()));
                found.push(SchemaChange { path: path.clone(), before: value(before), after: value(after) });
            };
            olds.difference(&news).for_each(|gone| add(Some(gone), None));
            news.difference(&olds).for_each(|new| add(None, Some(new)));
        }
        _ if before == after => {}
        _ => found.push(SchemaChange { path: path.clone(), before: before.cloned(), after: after.cloned() }),
    }
}

fn strings(values: &[Value]) -> bool {
    values.iter().all(Value::is_string)
}

fn texts(values: &[Value]) -> BTreeSet<&str> {
    values.iter().filter_map(Value::as_str).collect()
}
