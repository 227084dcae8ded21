//! The index of models.

use serde_json::{Value, json};

use crate::control::Control;
use crate::request_error::RequestError;

/// The body of an index answer. The request may ask for the ready ones only: `{"ready": true}`.
pub(crate) fn repository_index(control: &Control, body: &[u8]) -> Result<Value, RequestError> {
    let ready = if body.trim_ascii().is_empty() {
        false
    } else {
        let asked: Value = serde_json::from_slice(body)
            .map_err(|error| RequestError::invalid(format!("the body is not JSON: {error}")))?;
        match asked.get("ready") {
            None => false,
            Some(Value::Bool(ready)) => *ready,
            Some(_) => return Err(RequestError::invalid("`ready` must be true or false")),
        }
    };
    let entries = control.index(ready).into_iter().map(|entry| {
        let mut shown = json!({ "name": entry.name, "state": entry.state, "reason": entry.reason });
        if let Some(version) = entry.version {
            shown["version"] = json!(version.to_string());
        }
        shown
    });
    Ok(entries.collect())
}
