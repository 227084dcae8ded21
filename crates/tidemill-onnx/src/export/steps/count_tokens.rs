//! `multi_hot`, `bag_of_words` and `tf_idf` as nodes of ONNX.

use tidemill_model::steps::{BagOfWords, MultiHot, TfIdf};
use tidemill_model::{Keys, Mapper};

use super::ExportStep;
use super::tokens::{Parts, count};
use crate::export::builder::{Builder, Name};

impl ExportStep for MultiHot {}
impl ExportStep for BagOfWords {}
impl ExportStep for TfIdf {}

/// The columns that `counter` makes from the parts of texts, one value per row each.
pub(super) fn columns(graph: &mut Builder, counter: &Mapper, parts: &Parts) -> Result<Vec<Name>, String> {
    match counter {
        Mapper::MultiHot(MultiHot { values, oov_buckets: 0 }) => each(graph, parts, values, true),
        Mapper::BagOfWords(BagOfWords { values, oov_buckets: 0 }) => each(graph, parts, values, parts.once),
        Mapper::MultiHot(_) | Mapper::BagOfWords(_) => {
            Err(format!("`{}` hashes other tokens with XXH3, which ONNX has no operator for", counter.name()))
        }
        Mapper::TfIdf(_) if parts.once => Err("the share of distinct tokens has no form in ONNX".to_owned()),
        Mapper::TfIdf(TfIdf { values, idf }) => {
            let length = parts.length(graph);
            let length = graph.with("Max", &length, 1.0);
            let mut columns = each(graph, parts, values, false)?;
            for (column, idf) in columns.iter_mut().zip(idf) {
                let share = graph.both("Div", column, &length);
                *column = graph.with("Mul", &share, *idf);
            }
            Ok(columns)
        }
        _ => Err("a list of tokens cannot be a feature".to_owned()),
    }
}

/// How many parts equal each listed token, or whether any does.
fn each(graph: &mut Builder, parts: &Parts, values: &Keys, once: bool) -> Result<Vec<Name>, String> {
    let Keys::Strings(tokens) = values else { return Err("its tokens are no texts".to_owned()) };
    let mut columns = Vec::with_capacity(tokens.len());
    for token in tokens {
        // A token that no text can become is in no list; an empty one is not either.
        let found = match parts.form.pattern(token)?.filter(|_| !token.is_empty()) {
            Some(pattern) => graph.matches(&parts.parts, pattern),
            None => {
                let same = graph.both("Equal", &parts.parts, &parts.parts);
                graph.of("Not", &same)
            }
        };
        let found = count(graph, &found);
        columns.push(if once { graph.with("Min", &found, 1.0) } else { found });
    }
    Ok(columns)
}
