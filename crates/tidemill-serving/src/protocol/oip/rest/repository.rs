//! The repository index.

use serde_json::{Value, json};

use crate::inference::request_error::RequestError;
use crate::models::control::ModelControl;

/// Rejects the body of a load request that overrides the model's configuration or files.
pub(crate) fn check_load(body: &[u8]) -> Result<(), RequestError> {
    let request = parse_body(body)?;
    let parameters = request.get("parameters").and_then(Value::as_object);
    parameters.into_iter().flat_map(|parameters| parameters.keys()).try_for_each(|name| check_load_parameter(name))
}

/// As [`check_load`], for one parameter. Triton accepts a configuration and files of a model this way.
pub(crate) fn check_load_parameter(name: &str) -> Result<(), RequestError> {
    if name == "config" || name.starts_with("file:") {
        return Err(RequestError::invalid(format!(
            "the parameter `{name}` is not supported: a model is loaded as its source has it"
        )));
    }
    Ok(())
}

/// The body of a repository request, which may be empty.
fn parse_body(body: &[u8]) -> Result<Value, RequestError> {
    if body.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body).map_err(|error| RequestError::invalid(format!("the body is not JSON: {error}")))
}

/// The body of an index response. The request may ask for ready models only: `{"ready": true}`.
pub(crate) fn repository_index(control: &ModelControl, body: &[u8]) -> Result<Value, RequestError> {
    let ready = match parse_body(body)?.get("ready") {
        None => false,
        Some(Value::Bool(ready)) => *ready,
        Some(_) => return Err(RequestError::invalid("`ready` must be true or false")),
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
