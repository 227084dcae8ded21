//! Lists of tokens between separators, counted into columns.
//!
//! `StringSplit` cuts, and a pattern for each listed token says which parts are it, with the white space around it and
//! in the letters that earlier steps would have changed. Where parts are matches of a pattern, and not what stands
//! between separators, ONNX has no operator.

use super::builder::{Builder, Name, int, string};
use super::pattern::{Form, no_space};
use super::source::Raw;
use crate::onnx::value::datatype;
use tidemill_model::{Keys, Node};

/// The counts that `nodes`, from the step that cuts on, make of a text, a value a row each; and how many nodes that was.
pub(super) fn counts(graph: &mut Builder, raw: &Raw, nodes: &[Node]) -> Result<(Vec<Name>, usize), String> {
    let Raw::Text { name, form } = raw else { return Err("only texts are cut".to_owned()) };
    let Some(Node::Split { separator }) = nodes.first() else {
        return Err("`tokenize` finds matches of a pattern, which ONNX has no operator for".to_owned());
    };
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
        match nodes.get(at) {
            Some(Node::Distinct) => once = true,
            Some(Node::Ngrams { min: 1, max: 1, .. }) => {}
            Some(Node::Ngrams { .. }) => return Err("`ngrams` has no form in ONNX after `split`".to_owned()),
            _ => break,
        }
        at += 1;
    }
    let none = graph.text("");
    let missing = graph.both("Equal", name, &none);
    // One part, at least, in every row: white space is no token.
    let blank = graph.text(" ");
    let text = graph.choose(&missing, &blank, name);
    let parts = graph.op("StringSplit", &[&text], vec![string("delimiter", separator.clone())]);
    let form = Form { strip: true, ..*form };
    let length = |graph: &mut Builder| {
        let token = graph.matches(&parts, format!("(?s:.*){}(?s:.*)", no_space()));
        count(graph, &token)
    };
    let columns = match nodes.get(at) {
        Some(Node::WordCount) if once => {
            return Err("the number of distinct tokens has no form in ONNX".to_owned());
        }
        Some(Node::WordCount) => {
            let (length, none) = (length(graph), graph.number(f64::NAN));
            let length = graph.choose(&missing, &none, &length);
            vec![length]
        }
        Some(Node::MultiHot { values, oov_buckets: 0 }) => each(graph, &parts, form, values, true)?,
        Some(Node::BagOfWords { values, oov_buckets: 0 }) => each(graph, &parts, form, values, once)?,
        Some(node @ (Node::MultiHot { .. } | Node::BagOfWords { .. })) => {
            return Err(format!("`{}` hashes other tokens with XXH3, which ONNX has no operator for", node.name()));
        }
        Some(Node::TfIdf { .. }) if once => {
            return Err("the share of distinct tokens has no form in ONNX".to_owned());
        }
        Some(Node::TfIdf { values, idf }) => {
            let length = length(graph);
            let length = graph.with("Max", &length, 1.0);
            let mut columns = each(graph, &parts, form, values, false)?;
            for (column, idf) in columns.iter_mut().zip(idf) {
                let share = graph.both("Div", column, &length);
                *column = graph.with("Mul", &share, *idf);
            }
            columns
        }
        _ => return Err("a list of tokens is no feature".to_owned()),
    };
    Ok((columns, at + 1))
}

/// How many parts each listed token is, or whether any is it.
fn each(graph: &mut Builder, parts: &str, form: Form, values: &Keys, once: bool) -> Result<Vec<Name>, String> {
    let Keys::Strings(tokens) = values else { return Err("its tokens are no texts".to_owned()) };
    let mut columns = Vec::with_capacity(tokens.len());
    for token in tokens {
        // A token that no text becomes is in no list, and neither is an empty one.
        let found = match form.pattern(token)?.filter(|_| !token.is_empty()) {
            Some(pattern) => graph.matches(parts, pattern),
            None => {
                let same = graph.both("Equal", parts, parts);
                graph.of("Not", &same)
            }
        };
        let found = count(graph, &found);
        columns.push(if once { graph.with("Min", &found, 1.0) } else { found });
    }
    Ok(columns)
}

/// How many parts of a row there are.
fn count(graph: &mut Builder, found: &str) -> Name {
    let (ones, axes) = (graph.cast(found, datatype::DOUBLE), graph.list(&[1]));
    graph.op("ReduceSum", &[&ones, &axes], vec![int("keepdims", 0)])
}
