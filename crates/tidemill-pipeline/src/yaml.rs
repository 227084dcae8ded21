//! YAML with source positions: a tree that knows where in the file every value is.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::Spanned;

use tidemill_core::Diagnostic;

/// A value and its byte range.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub kind: NodeKind,
    pub span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NodeKind {
    Null,
    Scalar(Value),
    Seq(Vec<Node>),
    /// In file order. Keys are unique: the parser refuses duplicates.
    Map(Vec<(Key, Node)>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key {
    pub name: String,
    pub span: Range<usize>,
}

impl Node {
    /// Parses a document. The error has the position where the parser stopped.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        // `y`, `no` and `on` are words: only `true` and `false` are truth values, as in YAML 1.2.
        let options = serde_saphyr::options! { strict_booleans: true };
        let raw: Spanned<Raw> = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let at = error.location().map_or(0, |l| offset_of(text, l.line() as usize, l.column() as usize));
            Diagnostic::new(at..at, plain_message(&error))
        })?;
        Ok(raw.into_node(text))
    }

    /// The child under `key`, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(k, _)| k.name == key).map(|(_, node)| node)
    }

    /// The entries of a mapping; empty for anything else.
    pub fn entries(&self) -> &[(Key, Self)] {
        match &self.kind {
            NodeKind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The text of a string scalar.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The kind of the value, for messages: "a mapping".
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            NodeKind::Null => "nothing",
            NodeKind::Scalar(Value::String(_)) => "text",
            NodeKind::Scalar(Value::Bool(_)) => "true or false",
            NodeKind::Scalar(_) => "a number",
            NodeKind::Seq(_) => "a list",
            NodeKind::Map(_) => "a mapping",
        }
    }

    /// The deepest part of `path` that exists.
    pub fn deepest(&self, path: &[String]) -> &Self {
        let mut node = self;
        for part in path {
            let child = match &node.kind {
                NodeKind::Map(_) => node.get(part),
                NodeKind::Seq(items) => part.parse::<usize>().ok().and_then(|index| items.get(index)),
                _ => None,
            };
            let Some(child) = child else { break };
            node = child;
        }
        node
    }

    /// The span of the deepest part of `path` that exists; of the key where the last part is a key.
    pub fn span_at(&self, path: &[String]) -> Range<usize> {
        let mut node = self;
        let mut span = self.span.clone();
        for part in path {
            match &node.kind {
                NodeKind::Map(entries) => match entries.iter().find(|(key, _)| key.name == *part) {
                    Some((key, child)) => {
                        span = if matches!(child.kind, NodeKind::Scalar(_)) {
                            child.span.clone()
                        } else {
                            key.span.clone()
                        };
                        node = child;
                    }
                    None => return span,
                },
                NodeKind::Seq(items) => match part.parse::<usize>().ok().and_then(|index| items.get(index)) {
                    Some(child) => {
                        span = child.span.clone();
                        node = child;
                    }
                    None => return span,
                },
                _ => return span,
            }
        }
        span
    }

    /// The span of the key at `path`, for errors about the key itself.
    pub fn key_span_at(&self, path: &[String]) -> Option<Range<usize>> {
        let (last, parents) = path.split_last()?;
        let mut node = self;
        for part in parents {
            node = match &node.kind {
                NodeKind::Map(_) => node.get(part)?,
                NodeKind::Seq(items) => items.get(part.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        node.entries().iter().find(|(key, _)| key.name == *last).map(|(key, _)| key.span.clone())
    }

    /// The value without its places; mappings keep their order.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            NodeKind::Null => Value::Null,
            NodeKind::Scalar(value) => value.clone(),
            NodeKind::Seq(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            NodeKind::Map(entries) => {
                Value::Object(entries.iter().map(|(key, node)| (key.name.clone(), node.to_value())).collect())
            }
        }
    }
}

enum Raw {
    Null,
    Scalar(Value),
    Seq(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

trait IntoNode {
    fn into_node(self, text: &str) -> Node;
}

impl IntoNode for Spanned<Raw> {
    fn into_node(self, text: &str) -> Node {
        let span = span_of(text, &self);
        let kind = match self.value {
            Raw::Null => NodeKind::Null,
            Raw::Scalar(value) => NodeKind::Scalar(value),
            Raw::Seq(items) => NodeKind::Seq(items.into_iter().map(|item| item.into_node(text)).collect()),
            Raw::Map(entries) => NodeKind::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| {
                        let span = span_of(text, &key);
                        (Key { name: key.value, span }, value.into_node(text))
                    })
                    .collect(),
            ),
        };
        Node { kind, span }
    }
}

fn span_of<T>(text: &str, spanned: &Spanned<T>) -> Range<usize> {
    let location = spanned.referenced;
    let start = offset_of(text, location.line() as usize, location.column() as usize);
    let chars = location.span().len() as usize;
    let length: usize = text[start..].chars().take(chars).take_while(|c| *c != '\n').map(char::len_utf8).sum();
    start..start + length.max(usize::from(start < text.len()))
}

/// The byte offset of a place counted in lines and columns from 1, columns in characters.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let mut start = 0;
    for (number, content) in text.split_inclusive('\n').enumerate() {
        if number + 1 == line {
            let within: usize = content.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum();
            return start + within;
        }
        start += content.len();
    }
    text.len()
}

/// The parser's message without its own snippet, because the diagnostic draws one.
fn plain_message(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let line = text.lines().next().unwrap_or("the file is not valid YAML").trim();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    let line = line.split(" at line ").next().unwrap_or(line).trim_end_matches(',');
    // The parser's advice is meant for its callers in code.
    if let Some(key) = line.strip_prefix("duplicate mapping key: ") {
        return format!("duplicate key `{}`", key.split(',').next().unwrap_or(key));
    }
    line.split(" rejected by the configured policy").next().unwrap_or(line).to_owned()
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RawVisitor;

        impl<'de> Visitor<'de> for RawVisitor {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }

            fn visit_none<E>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
                Raw::deserialize(deserializer)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
                Ok(Raw::Scalar(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
                Ok(Raw::Scalar(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
                Ok(Raw::Scalar(value.into()))
            }

            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Raw, E> {
                serde_json::Number::from_f64(value)
                    .map(|number| Raw::Scalar(Value::Number(number)))
                    .ok_or_else(|| E::custom("a number must be finite"))
            }

            fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
                Ok(Raw::Scalar(value.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = access.next_element()? {
                    items.push(item);
                }
                Ok(Raw::Seq(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
                let mut entries: Vec<(Spanned<String>, Spanned<Raw>)> = Vec::new();
                while let Some((key, value)) = access.next_entry::<Spanned<String>, Spanned<Raw>>()? {
                    if entries.iter().any(|(k, _)| k.value == key.value) {
                        return Err(A::Error::custom(format!("duplicate key `{}`", key.value)));
                    }
                    entries.push((key, value));
                }
                Ok(Raw::Map(entries))
            }
        }

        deserializer.deserialize_any(RawVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_where_it_stands() {
        let text = "version: 1\nsteps:\n  train:\n    learner: { rounds: 300, rate: 0.1 }\n    list: [ a, 'bé', 3 ]\n";
        let root = Node::parse(text).unwrap();
        let path = |parts: &[&str]| parts.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
        assert_eq!(&text[root.span_at(&path(&["steps", "train", "learner", "rounds"]))], "300");
        assert_eq!(&text[root.key_span_at(&path(&["steps", "train", "learner", "rate"])).unwrap()], "rate");
        assert_eq!(&text[root.span_at(&path(&["steps", "train"]))], "train");
        assert_eq!(&text[root.span_at(&path(&["steps", "train", "list", "0"]))], "a");
        assert_eq!(root.get("version").unwrap().to_value(), serde_json::json!(1));
    }

    #[test]
    fn a_broken_document_is_located() {
        let text = "version: 1\nsteps: { a: [ }\n";
        let error = Node::parse(text).unwrap_err();
        assert_eq!(text[..error.span.start].matches('\n').count(), 1, "{error:?}");
        let error = Node::parse("a: 1\na: 2\n").unwrap_err();
        assert!(error.message.contains("duplicate"), "{error:?}");
    }
}
