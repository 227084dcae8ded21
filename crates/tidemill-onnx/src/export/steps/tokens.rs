//! `split`, `distinct` and `word_count` as nodes of ONNX, which cannot express `tokenize` and `ngrams`.
//!
//! `StringSplit` splits, and a pattern for each listed token says which parts match it, including surrounding white
//! space and the case changes of earlier steps. If tokens are matches of a pattern, instead of text between separators,
//! ONNX has no operator.

use tidemill_model::Mapper;
use tidemill_model::steps::{Ngrams, Split, Tokenize};

use super::count_tokens::columns;
use super::{Decoded, ExportStep, Position};
use crate::export::builder::{Builder, Name, int, string};
use crate::export::pattern::{TextForm, non_space};
use crate::export::source::Raw;
use crate::onnx::value::datatype;

pub(super) struct Distinct;
pub(super) struct WordCount;

impl ExportStep for Tokenize {
    fn refusal(&self) -> Option<String> {
        Some("`tokenize` takes parts out of a text by a pattern, which ONNX has no operator for".to_owned())
    }
}

impl ExportStep for Ngrams {}
impl ExportStep for Distinct {}
impl ExportStep for WordCount {}

/// The parts of texts.
pub(super) struct Parts {
    /// The result of `StringSplit`: a row of parts for each text.
    pub(super) parts: Name,
    /// Whether the text is missing.
    missing: Name,
    /// The pending steps of each part.
    pub(super) form: TextForm,
    /// Whether every token counts once.
    pub(super) once: bool,
}

impl Parts {
    /// How many parts of each text are tokens.
    pub(super) fn length(&self, graph: &mut Builder) -> Name {
        let token = graph.matches(&self.parts, format!("(?s:.*){}(?s:.*)", non_space()));
        count(graph, &token)
    }
}

impl ExportStep for Split {
    fn decodes(&self, _: bool) -> bool {
        true
    }

    fn decode(&self, graph: &mut Builder, raw: &Raw, at: &Position<'_>) -> Result<Decoded, String> {
        let (parts, at, counter) = parts(graph, raw, &self.separator, at.after)?;
        let missing = parts.missing.clone();
        if let Mapper::WordCount = counter {
            if parts.once {
                return Err("the number of distinct tokens has no form in ONNX".to_owned());
            }
            // The number of tokens is a value for further steps; the others end a feature.
            let (length, none) = (parts.length(graph), graph.number(f64::NAN));
            return Ok(Decoded::one(graph.choose(&missing, &none, &length), at + 1));
        }
        let columns = columns(graph, counter, &parts)?;
        let columns = columns.iter().map(|column| graph.as_column(column)).collect();
        Ok(Decoded { value: Name::new(), columns: Some(columns), taken: at + 1 })
    }
}

/// The parts of a text, and which of `steps`, the first of which splits at `separator`, counts them.
fn parts<'a>(
    graph: &mut Builder,
    raw: &Raw,
    separator: &str,
    steps: &'a [Mapper],
) -> Result<(Parts, usize, &'a Mapper), String> {
    let Raw::Text { name, form } = raw else { return Err("only texts are cut".to_owned()) };
    let is_space = |text: &str| text.chars().all(char::is_whitespace);
    if form.strip && !is_space(separator) && separator.contains(char::is_whitespace) {
        return Err(format!("`strip` before `split` at `{separator}`, which holds white space, has no form in ONNX"));
    }
    if form.case.is_some() && !separator.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_alphabetic()) {
        return Err(format!(
            "`split` at `{separator}`, which holds more than ASCII's signs, has no form in ONNX after `lower` or `upper`"
        ));
    }
    let (mut at, mut once) = (1, false);
    loop {
        match steps.get(at) {
            Some(Mapper::Distinct) => once = true,
            Some(Mapper::Ngrams(Ngrams { min: 1, max: 1, .. })) => {}
            Some(Mapper::Ngrams(_)) => return Err("`ngrams` has no form in ONNX after `split`".to_owned()),
            _ => break,
        }
        at += 1;
    }
    let none = graph.text("");
    let missing = graph.both("Equal", name, &none);
    // One part, at least, in every row: white space is no token.
    let blank = graph.text(" ");
    let text = graph.choose(&missing, &blank, name);
    let parts = graph.op("StringSplit", &[&text], vec![string("delimiter", separator.to_owned())]);
    let form = TextForm { strip: true, ..*form };
    let counter = steps.get(at).ok_or("a list of tokens cannot be a feature")?;
    Ok((Parts { parts, missing, form, once }, at, counter))
}

/// The number of parts of a row.
pub(super) fn count(graph: &mut Builder, found: &str) -> Name {
    let (ones, axes) = (graph.cast(found, datatype::DOUBLE), graph.list(&[1]));
    graph.op("ReduceSum", &[&ones, &axes], vec![int("keepdims", 0)])
}
