//! `${params.x}` and `${env.X}`: references that stand for a whole value.
//!
//! A value from the environment may be a secret. A value therefore exists twice: as it is used, and as it is recorded
//! and shown, with references to the environment unresolved.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tidemill_core::{Diagnostic, Digest, suggest};

use crate::yaml::{Node, NodeKind};

/// Parameters by name, as they are used and as they are recorded.
#[derive(Default)]
pub(crate) struct Params {
    pub used: Map<String, Value>,
    pub recorded: Map<String, Value>,
}

impl Params {
    /// Adds a value that is recorded as `recorded`.
    pub fn insert(&mut self, name: &str, (used, recorded): (Value, Value)) {
        self.used.insert(name.to_owned(), used);
        self.recorded.insert(name.to_owned(), recorded);
    }
}

/// The name in a text that is exactly one reference to a parameter.
pub(crate) fn parameter(text: &str) -> Option<&str> {
    text.strip_prefix("${params.").and_then(|rest| rest.strip_suffix('}'))
}

/// The values that references resolve to.
pub(crate) struct Scope<'a> {
    pub params: &'a Params,
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

/// Digests of the environment variables that `recorded` refers to, by the text of the reference: a changed variable
/// makes a step run again although its value is not recorded.
pub(crate) fn environment(
    recorded: &Value,
    env: &dyn Fn(&str) -> Option<String>,
    found: &mut BTreeMap<String, Digest>,
) {
    match recorded {
        Value::Array(items) => items.iter().for_each(|item| environment(item, env, found)),
        Value::Object(entries) => entries.values().for_each(|value| environment(value, env, found)),
        Value::String(text) => {
            let name = text.strip_prefix("${env.").and_then(|rest| rest.strip_suffix('}'));
            if let Some(value) = name.and_then(env) {
                found.insert(text.clone(), Digest::from_bytes(blake3::hash(value.as_bytes()).as_bytes()));
            }
        }
        _ => {}
    }
}

impl Scope<'_> {
    /// The value of `node` with every reference replaced, as used and as recorded; unresolved references are reported
    /// to `diagnostics`.
    pub fn resolve(&self, node: &Node, diagnostics: &mut Vec<Diagnostic>) -> (Value, Value) {
        match &node.kind {
            NodeKind::Seq(items) => {
                let (used, recorded) = items.iter().map(|item| self.resolve(item, diagnostics)).unzip();
                (Value::Array(used), Value::Array(recorded))
            }
            NodeKind::Map(entries) => {
                let mut params = Params::default();
                for (key, value) in entries {
                    params.insert(&key.name, self.resolve(value, diagnostics));
                }
                (Value::Object(params.used), Value::Object(params.recorded))
            }
            NodeKind::Scalar(Value::String(text)) => match self.scalar(text) {
                Ok(values) => values,
                Err((message, hint)) => {
                    diagnostics.push(Diagnostic::new(node.span.clone(), message).with_hint(hint));
                    (Value::Null, Value::Null)
                }
            },
            _ => (node.to_value(), node.to_value()),
        }
    }

    fn scalar(&self, text: &str) -> Result<(Value, Value), (String, Option<String>)> {
        let Some(rest) = text.strip_prefix("${") else {
            if text.contains("${params.") || text.contains("${env.") {
                return Err((
                    format!("`{text}` mixes a reference with other text"),
                    Some("a reference stands for a whole value; put the whole value into the parameter".into()),
                ));
            }
            return Ok((text.into(), text.into()));
        };
        let Some(name) = rest.strip_suffix('}').filter(|name| !name.contains("${")) else {
            return Err((
                format!("`{text}` is not a reference"),
                Some("write `${params.NAME}` or `${env.NAME}` and nothing else in the value".into()),
            ));
        };
        if let Some(param) = name.strip_prefix("params.") {
            let found = (self.params.used.get(param).cloned(), self.params.recorded.get(param).cloned());
            if let (Some(used), Some(recorded)) = found {
                Ok((used, recorded))
            } else {
                let hint = suggest(param, self.params.used.keys().map(String::as_str))
                    .map_or_else(|| "define it under `params:`".to_owned(), |near| format!("did you mean `{near}`?"));
                Err((format!("there is no parameter `{param}`"), Some(hint)))
            }
        } else if let Some(variable) = name.strip_prefix("env.") {
            (self.env)(variable)
                .map(|value| (Value::String(value), text.into()))
                .ok_or_else(|| (format!("the environment variable `{variable}` is not set"), None))
        } else {
            Err((format!("`{text}` leads nowhere"), Some("references start with `params.` or `env.`".into())))
        }
    }
}
