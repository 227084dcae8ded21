//! Editing YAML where it stands: comments, order and layout of everything else stay.

use serde_saphyr::granit_parser::{Event, Parser, Span};

/// A node and where it stands, in bytes of the text.
#[derive(Debug)]
enum Node {
    /// A scalar or an alias.
    Leaf {
        start: usize,
        end: usize,
    },
    Map {
        start: usize,
        end: usize,
        flow: bool,
        entries: Vec<Entry>,
    },
    List {
        start: usize,
        end: usize,
        flow: bool,
        items: Vec<Node>,
    },
}

#[derive(Debug)]
struct Entry {
    key: String,
    key_start: usize,
    key_end: usize,
    value: Node,
}

impl Node {
    fn start(&self) -> usize {
        match self {
            Self::Leaf { start, .. } | Self::Map { start, .. } | Self::List { start, .. } => *start,
        }
    }

    /// Behind the last byte that belongs to it; what the parser says of the end of a block reaches into what follows.
    fn end(&self) -> usize {
        match self {
            Self::Leaf { end, .. } | Self::Map { end, flow: true, .. } | Self::List { end, flow: true, .. } => *end,
            Self::Map { start, entries, .. } => {
                entries.last().map_or(*start, |entry| entry.value.end().max(entry.key_end))
            }
            Self::List { start, items, .. } => items.last().map_or(*start, Self::end),
        }
    }
}

/// A YAML document that can be edited.
#[derive(Debug, Clone)]
pub(super) struct YamlText(String);

impl YamlText {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }

    /// Puts `value`, in flow style, at `path`; keys that are not there are added. `None` where the text has no place for it.
    pub(super) fn set(&mut self, path: &[&str], value: &str) -> Option<()> {
        let root = self.parse()?;
        let mut node = &root;
        for (depth, key) in path.iter().enumerate() {
            let Node::Map { entries, .. } = node else {
                // A key without a value holds nothing yet; anything else is in the way.
                return None;
            };
            let Some(entry) = entries.iter().find(|entry| entry.key == *key) else {
                return self.insert(node, path, depth, value);
            };
            let empty = matches!(&entry.value, Node::Leaf { start, end } if self.0[*start..*end].trim().is_empty());
            if depth + 1 == path.len() || empty {
                let nested = nest(&path[depth + 1..], value);
                let end = entry.value.end().max(entry.key_end);
                self.0.replace_range(entry.key_end..end, &format!(": {nested}"));
                return Some(());
            }
            node = &entry.value;
        }
        None
    }

    /// Adds the entry `path[depth..]` to the map `node`.
    fn insert(&mut self, node: &Node, path: &[&str], depth: usize, value: &str) -> Option<()> {
        let Node::Map { start, flow, entries, .. } = node else { return None };
        let entry = format!("{}: {}", super::print::scalar(path[depth]), nest(&path[depth + 1..], value));
        match (flow, entries.last()) {
            (true, Some(last)) => {
                let at = last.value.end().max(last.key_end);
                self.0.insert_str(at, &format!(", {entry}"));
            }
            (true, None) => self.0.insert_str(start + 1, &format!(" {entry} ")),
            (false, Some(last)) => {
                let indent = self.column(last.key_start)?;
                let at = last.value.end().max(last.key_end);
                self.insert_line(at, &format!("{indent}{entry}"));
            }
            (false, None) => return None,
        }
        Some(())
    }

    /// Adds `item`, in flow style, to the end of the list at `path`.
    pub(super) fn push(&mut self, path: &[&str], item: &str) -> Option<()> {
        let root = self.parse()?;
        let mut node = &root;
        for key in path {
            let Node::Map { entries, .. } = node else { return None };
            node = &entries.iter().find(|entry| entry.key == *key)?.value;
        }
        let Node::List { start, flow, items, .. } = node else { return None };
        match (flow, items.last()) {
            (true, Some(last)) => {
                let at = last.end();
                self.0.insert_str(at, &format!(", {item}"));
            }
            (true, None) => self.0.insert_str(start + 1, item),
            (false, Some(last)) => {
                let line = self.0[..last.start()].rfind('\n').map_or(0, |newline| newline + 1);
                let dash = self.0[line..last.start()].rfind('-')?;
                let indent = self.0[line..line + dash].to_owned();
                if !indent.trim().is_empty() {
                    return None;
                }
                let at = last.end();
                self.insert_line(at, &format!("{indent}- {item}"));
            }
            (false, None) => return None,
        }
        Some(())
    }

    /// Adds lines for a new entry of the map at `path`: behind the last entry whose key is smaller, else in front of all.
    /// Lines are given as they would stand with an indentation of two.
    pub(super) fn add_entry(&mut self, path: &[&str], key: &str, lines: &str) -> Option<()> {
        let root = self.parse()?;
        let mut node = &root;
        for key in path {
            let Node::Map { entries, .. } = node else { return None };
            node = &entries.iter().find(|entry| entry.key == *key)?.value;
        }
        let Node::Map { flow: false, entries, .. } = node else { return None };
        let indent = self.column(entries.first()?.key_start)?;
        let lines: Vec<String> =
            lines.lines().map(|line| format!("{indent}{}", line.strip_prefix("  ").unwrap_or(line))).collect();
        let before = entries.iter().rfind(|entry| entry.key.as_str() < key);
        match before {
            Some(entry) => {
                let at = entry.value.end().max(entry.key_end);
                self.insert_line(at, &lines.join("\n"));
            }
            None => {
                let at = self.0[..entries.first()?.key_start].rfind('\n').map_or(0, |newline| newline + 1);
                self.0.insert_str(at, &format!("{}\n", lines.join("\n")));
            }
        }
        Some(())
    }

    /// The white space in front of `at` on its line; `None` where something else stands there.
    fn column(&self, at: usize) -> Option<String> {
        let line = self.0[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let indent = &self.0[line..at];
        indent.trim().is_empty().then(|| indent.to_owned())
    }

    /// Adds a line below the one that `at` is on, behind its comment.
    fn insert_line(&mut self, at: usize, line: &str) {
        // A block scalar ends with its newline.
        if at > 0 && self.0[..at].ends_with('\n') {
            self.0.insert_str(at, &format!("{line}\n"));
            return;
        }
        match self.0[at..].find('\n') {
            Some(newline) => self.0.insert_str(at + newline + 1, &format!("{line}\n")),
            None => self.0.push_str(&format!("\n{line}\n")),
        }
    }

    fn parse(&self) -> Option<Node> {
        let mut events = Parser::new_from_str(&self.0)
            .map_while(Result::ok)
            .filter(|(event, _)| !matches!(event, Event::StreamStart | Event::DocumentStart(..) | Event::Comment(..)));
        let first = events.next()?;
        node(&self.0, first, &mut events, 0)
    }
}

/// `{ a: { b: value } }` for the keys `a`, `b`.
fn nest(keys: &[&str], value: &str) -> String {
    keys.iter().rfold(value.to_owned(), |inner, key| format!("{{ {}: {inner} }}", super::print::scalar(key)))
}

fn offsets(span: &Span) -> Option<(usize, usize)> {
    Some((span.start.byte_offset()?, span.end.byte_offset()?))
}

fn node<'t>(
    text: &str,
    (event, span): (Event<'t>, Span),
    events: &mut impl Iterator<Item = (Event<'t>, Span)>,
    depth: usize,
) -> Option<Node> {
    const DEPTH_MAX: usize = 32;
    if depth > DEPTH_MAX {
        return None;
    }
    let (start, end) = offsets(&span)?;
    let opens = |with: u8| text.as_bytes().get(start) == Some(&with);
    match event {
        Event::Scalar(..) | Event::Alias(_) => Some(Node::Leaf { start, end }),
        Event::MappingStart(..) => {
            let flow = opens(b'{');
            let mut entries = Vec::new();
            loop {
                let (event, span) = events.next()?;
                let key = match event {
                    Event::MappingEnd => {
                        return Some(Node::Map { start, end: offsets(&span)?.1, flow, entries });
                    }
                    Event::Scalar(key, ..) => key.into_owned(),
                    _ => return None,
                };
                let (key_start, key_end) = offsets(&span)?;
                let first = events.next()?;
                let value = node(text, first, events, depth + 1)?;
                entries.push(Entry { key, key_start, key_end, value });
            }
        }
        Event::SequenceStart(..) => {
            let flow = opens(b'[');
            let mut items = Vec::new();
            loop {
                let first = events.next()?;
                if matches!(first.0, Event::SequenceEnd) {
                    return Some(Node::List { start, end: offsets(&first.1)?.1, flow, items });
                }
                items.push(node(text, first, events, depth + 1)?);
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# ours
version: 1
features:
  company:   # who drives
    type: string
    domain:
      values:
        - a    # the first
        - \"b, c\"
    # to be decided
    min_domain_mass: 0.99
  fare: { type: float, domain: { float: { min: 0 } } }   # dollars
  tips: {type: float}

domains: {}
";

    fn edited(edit: impl FnOnce(&mut YamlText) -> Option<()>) -> String {
        let mut text = YamlText::new(TEXT);
        edit(&mut text).expect("there is a place");
        text.into_text()
    }

    #[test]
    fn values_are_replaced_and_nothing_else() {
        let text = edited(|text| text.set(&["features", "fare", "domain", "float", "min"], "-4.5"));
        assert_eq!(text, TEXT.replace("min: 0 }", "min: -4.5 }"));
        let text = edited(|text| text.set(&["features", "company", "min_domain_mass"], "0.9"));
        assert_eq!(text, TEXT.replace("0.99", "0.9"));
        let text = edited(|text| text.set(&["features", "company", "domain"], "{ shared: cities }"));
        assert!(text.contains("    domain: { shared: cities }\n    # to be decided\n"), "{text}");
    }

    #[test]
    fn keys_are_added_where_they_belong() {
        let text = edited(|text| text.set(&["features", "fare", "presence", "min_fraction"], "0.5"));
        assert!(text.contains("{ float: { min: 0 } }, presence: { min_fraction: 0.5 } }   # dollars\n"), "{text}");
        let text = edited(|text| text.set(&["features", "fare", "domain", "float", "max"], "9"));
        assert!(text.contains("{ min: 0, max: 9 }"), "{text}");
        let text = edited(|text| text.set(&["features", "company", "lifecycle"], "deprecated"));
        assert!(text.contains("    min_domain_mass: 0.99\n    lifecycle: deprecated\n  fare:"), "{text}");
        let text = edited(|text| text.set(&["domains", "x"], "[a]"));
        assert!(text.contains("domains: { x: [a] }"), "{text}");
        let text = edited(|text| text.set(&["dataset", "min_examples"], "5"));
        assert!(text.ends_with("domains: {}\ndataset: { min_examples: 5 }\n"), "{text}");
    }

    #[test]
    fn items_and_entries_are_added() {
        let text = edited(|text| text.push(&["features", "company", "domain", "values"], "d"));
        assert!(text.contains("        - \"b, c\"\n        - d\n    # to be decided\n"), "{text}");
        let text = edited(|text| text.add_entry(&["features"], "extra", "  extra: { type: int }"));
        assert!(text.contains("min_domain_mass: 0.99\n  extra: { type: int }\n  fare:"), "{text}");
        let text = edited(|text| text.add_entry(&["features"], "a", "  a:\n    type: int"));
        assert!(text.contains("features:\n  a:\n    type: int\n  company:"), "{text}");
        let text = edited(|text| text.add_entry(&["features"], "z", "  z: { type: int }"));
        assert!(text.contains("  tips: {type: float}\n  z: { type: int }\n\ndomains"), "{text}");
    }

    #[test]
    fn what_has_no_place_is_refused() {
        let mut text = YamlText::new("- a\n- b\n");
        assert_eq!(text.set(&["features", "x"], "1"), None);
        assert_eq!(text.push(&["features"], "1"), None);
        assert_eq!(YamlText::new("a: [").set(&["a"], "1"), None);
        assert_eq!(YamlText::new("").set(&["a"], "1"), None);
    }
}
