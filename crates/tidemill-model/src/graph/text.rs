//! Text steps: each text through a chain, row by row.

use std::borrow::Cow;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType as ArrowType;
use regex::{Regex, RegexBuilder};

use super::{Node, Scalar};

/// A longer pattern is refused.
const PATTERN_BYTES_MAX: usize = 1000;
/// What a compiled pattern, and its lazy automaton, may take.
const PATTERN_MEMORY_MAX: usize = 1 << 20;

/// A regular expression within bounds; why not. Matching takes time linear in the text.
pub(super) fn regex(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(format!("a pattern has {} bytes, and {PATTERN_BYTES_MAX} are the most", pattern.len()));
    }
    let built = RegexBuilder::new(pattern)
        .size_limit(PATTERN_MEMORY_MAX)
        .dfa_size_limit(PATTERN_MEMORY_MAX)
        .nest_limit(50)
        .build();
    // The crate draws the place over several lines; the last one says what is wrong.
    let reason = |error: regex::Error| error.to_string().lines().last().unwrap_or_default().trim().to_owned();
    built.map_err(|error| format!("`{pattern}` is no pattern: {}", reason(error).trim_start_matches("error: ")))
}

/// The steps of text before it turns into something else.
#[derive(Debug, Default)]
pub(super) struct TextChain(Vec<TextOp>);

#[derive(Debug)]
enum TextOp {
    Fill(String),
    /// Whether the text is missing here, into the last column.
    Indicate,
    Lower,
    Upper,
    Strip,
    Replace(Regex, String),
    Extract(Regex, usize),
}

impl TextChain {
    /// The chain of `nodes`, all of which take text and give text; they have been checked.
    pub(super) fn new(nodes: &[Node]) -> Self {
        Self(nodes.iter().filter_map(op).collect())
    }

    /// Calls `each` with every row's text, or `None` where it is missing. `indicator` is where the chain's own
    /// `missing_indicator` goes. `false`: the column is not text.
    pub(super) fn run(
        &self,
        column: &ArrayRef,
        mut indicator: Option<&mut Vec<f64>>,
        mut each: impl FnMut(usize, Option<&str>),
    ) -> bool {
        let mut row = |row: usize, raw: Option<&str>| {
            if self.0.is_empty() {
                return each(row, raw);
            }
            let (text, missing) = self.of(raw);
            if let Some(indicator) = indicator.as_mut().and_then(|indicator| indicator.get_mut(row)) {
                *indicator = f64::from(u8::from(missing));
            }
            each(row, text.as_deref());
        };
        match column.data_type() {
            ArrowType::Utf8 => {
                let array = column.as_string::<i32>();
                for at in 0..array.len() {
                    row(at, (!array.is_null(at)).then(|| array.value(at)));
                }
            }
            ArrowType::Null => (0..column.len()).for_each(|at| row(at, None)),
            _ => return false,
        }
        true
    }

    /// What becomes of a text, and whether it was missing at `missing_indicator`.
    fn of<'a>(&'a self, raw: Option<&'a str>) -> (Option<Cow<'a, str>>, bool) {
        let mut missing = false;
        let mut text = raw.map(Cow::Borrowed);
        for op in &self.0 {
            text = match (op, text) {
                (TextOp::Indicate, text) => {
                    missing = text.is_none();
                    text
                }
                (TextOp::Fill(fill), None) => Some(Cow::Borrowed(fill)),
                (_, None) => None,
                (TextOp::Fill(_), text) => text,
                (TextOp::Lower, Some(text)) => Some(lower(text)),
                (TextOp::Upper, Some(text)) => Some(upper(text)),
                (TextOp::Strip, Some(Cow::Borrowed(text))) => Some(Cow::Borrowed(text.trim())),
                (TextOp::Strip, Some(Cow::Owned(text))) => Some(Cow::Owned(text.trim().to_owned())),
                (TextOp::Replace(regex, with), Some(text)) => Some(replace(regex, with, text)),
                (TextOp::Extract(regex, group), Some(text)) => extract(regex, *group, text),
            };
        }
        (text, missing)
    }
}

fn op(node: &Node) -> Option<TextOp> {
    // Patterns have been compiled before, when the steps were checked.
    Some(match node {
        Node::Impute { value: Scalar::Text(text) } => TextOp::Fill(text.clone()),
        Node::MissingIndicator => TextOp::Indicate,
        Node::Lower => TextOp::Lower,
        Node::Upper => TextOp::Upper,
        Node::Strip => TextOp::Strip,
        Node::RegexReplace { pattern, with } => TextOp::Replace(regex(pattern).ok()?, with.clone()),
        Node::RegexExtract { pattern, group } => TextOp::Extract(regex(pattern).ok()?, *group as usize),
        _ => return None,
    })
}

/// Texts that are in lower case already, as most are, are not copied.
fn lower(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return text;
    }
    Cow::Owned(text.to_lowercase())
}

fn upper(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_lowercase()) {
        return text;
    }
    Cow::Owned(text.to_uppercase())
}

fn replace<'a>(regex: &Regex, with: &str, text: Cow<'a, str>) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => regex.replace_all(text, with),
        Cow::Owned(text) => match regex.replace_all(&text, with) {
            Cow::Borrowed(_) => Cow::Owned(text),
            Cow::Owned(replaced) => Cow::Owned(replaced),
        },
    }
}

fn extract<'a>(regex: &Regex, group: usize, text: Cow<'a, str>) -> Option<Cow<'a, str>> {
    let range = if group == 0 { regex.find(&text)?.range() } else { regex.captures(&text)?.get(group)?.range() };
    Some(match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
        Cow::Owned(text) => Cow::Owned(text[range].to_owned()),
    })
}
