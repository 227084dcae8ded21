//! `${params.x}` and `${env.X}`: references that stand for a whole value.

use serde_json::{Map, Value};
use tidemill_core::suggest;

use crate::diagnostic::Diagnostic;
use crate::yaml::{Node, NodeKind};

/// Where references lead.
pub(crate) struct Scope<'a> {
    pub params: &'a Map<String, Value>,
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

impl Scope<'_> {
    /// The value of `node` with every reference in it replaced; what leads nowhere goes to `diagnostics`.
    pub fn resolve(&self, node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Value {
        match &node.kind {
            NodeKind::Seq(items) => Value::Array(items.iter().map(|item| self.resolve(item, diagnostics)).collect()),
            NodeKind::Map(entries) => Value::Object(
                entries.iter().map(|(key, value)| (key.name.clone(), self.resolve(value, diagnostics))).collect(),
            ),
            NodeKind::Scalar(Value::String(text)) => match self.scalar(text) {
                Ok(value) => value,
                Err((message, hint)) => {
                    diagnostics.push(Diagnostic::new(node.span.clone(), message).with_hint(hint));
                    Value::Null
                }
            },
            _ => node.to_value(),
        }
    }

    fn scalar(&self, text: &str) -> Result<Value, (String, Option<String>)> {
        let Some(rest) = text.strip_prefix("${") else {
            if text.contains("${params.") || text.contains("${env.") {
                return Err((
                    format!("`{text}` mixes a reference with other text"),
                    Some("a reference stands for a whole value; put the whole value into the parameter".into()),
                ));
            }
            return Ok(text.into());
        };
        let Some(name) = rest.strip_suffix('}').filter(|name| !name.contains("${")) else {
            return Err((
                format!("`{text}` is not a reference"),
                Some("write `${params.NAME}` or `${env.NAME}` and nothing else in the value".into()),
            ));
        };
        if let Some(param) = name.strip_prefix("params.") {
            self.params.get(param).cloned().ok_or_else(|| {
                let hint = suggest(param, self.params.keys().map(String::as_str))
                    .map_or_else(|| "define it under `params:`".to_owned(), |near| format!("did you mean `{near}`?"));
                (format!("there is no parameter `{param}`"), Some(hint))
            })
        } else if let Some(variable) = name.strip_prefix("env.") {
            (self.env)(variable)
                .map(Value::String)
                .ok_or_else(|| (format!("the environment variable `{variable}` is not set"), None))
        } else {
            Err((format!("`{text}` leads nowhere"), Some("references start with `params.` or `env.`".into())))
        }
    }
}
