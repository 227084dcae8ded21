//! Splits texts into tokens, and counts runs of tokens into columns, as exporters of text features write them.

use std::collections::HashMap;

use super::encode::{Key, keys};
use super::text::{regex, texts};
use super::{Kernel, input};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor, elements};

/// More columns are a mistake.
const COLUMNS_MAX: usize = 1 << 20;
/// Longer runs of tokens are a mistake.
const RUN_MAX: usize = 64;

/// `Tokenizer` of ONNX Runtime: the matches of a pattern along a new last axis, padded with a text of its own.
pub(super) fn tokenizer(attributes: Attributes<'_>) -> Result<Kernel, String> {
    let pattern = attributes.text("tokenexp", "")?;
    if pattern.is_empty() || attributes.int("mark", 0) != 0 {
        return Err("only tokens that a pattern finds (`tokenexp`), without marks, are run by this version".to_owned());
    }
    let regex = regex(&pattern, &pattern)?;
    let shortest = usize::try_from(attributes.int("mincharnum", 1)).unwrap_or(0);
    let filler = attributes.text("pad_value", "")?;
    Ok(Box::new(move |inputs| {
        let tensor = input(inputs, 0)?;
        let of = |text: &String| -> Vec<String> {
            let long = |found: &str| found.chars().count() >= shortest;
            regex.find_iter(text).map(|found| found.as_str()).filter(|found| long(found)).map(str::to_owned).collect()
        };
        let lists: Vec<Vec<String>> = texts(tensor)?.iter().map(of).collect();
        let width = lists.iter().map(Vec::len).max().unwrap_or(0);
        let mut shape = tensor.shape.clone();
        shape.push(width);
        let mut tokens = Vec::with_capacity(elements(&shape)?);
        for mut list in lists {
            list.resize(width, filler.clone());
            tokens.append(&mut list);
        }
        Ok(vec![Tensor::new(shape, Data::Text(tokens))?])
    }))
}

/// The contribution of a found run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Its count.
    Count,
    /// Its weight, if it occurs.
    Presence,
    /// Its count times its weight.
    Weighted,
}

/// `TfIdfVectorizer`: the counts of each listed run of tokens in a row, with gaps allowed.
pub(super) fn vectorizer(attributes: Attributes<'_>) -> Result<Kernel, String> {
    let mode = match attributes.text("mode", "")?.as_str() {
        "TF" => Mode::Count,
        "IDF" => Mode::Presence,
        "TFIDF" => Mode::Weighted,
        other => return Err(format!("the mode `{other}` is not known")),
    };
    let bound = |name: &str| usize::try_from(attributes.int(name, 0)).map_err(|_| format!("`{name}` is below 0"));
    let (shortest, longest, skips) = (bound("min_gram_length")?, bound("max_gram_length")?, bound("max_skip_count")?);
    if shortest == 0 || shortest > longest || longest > RUN_MAX {
        return Err(format!("runs of {shortest} to {longest} tokens"));
    }
    let listed = attributes.texts("pool_strings")?;
    let pool = if listed.is_empty() { Data::Int(attributes.ints("pool_int64s").to_vec()) } else { Data::Text(listed) };
    let kind = pool.kind();
    let pool = keys(&pool);
    let mut columns = Vec::new();
    for column in attributes.ints("ngram_indexes") {
        let column = usize::try_from(*column).ok().filter(|column| *column < COLUMNS_MAX);
        columns.push(column.ok_or("a run has no column")?);
    }
    let weights = attributes.floats("weights").to_vec();
    if !weights.is_empty() && weights.len() != columns.len() {
        return Err(format!("{} weights for {} runs", weights.len(), columns.len()));
    }
    // Where the runs of each length begin among the listed tokens.
    let starts = attributes.ints("ngram_counts");
    let mut runs: HashMap<Vec<Key>, usize> = HashMap::new();
    for (at, start) in starts.iter().enumerate() {
        let end = starts.get(at + 1).copied().unwrap_or(pool.len() as i64);
        let range = usize::try_from(*start).ok().zip(usize::try_from(end).ok());
        let tokens = range.and_then(|(start, end)| pool.get(start..end)).ok_or("its runs lie outside of the list")?;
        if tokens.len() % (at + 1) != 0 {
            return Err(format!("{} tokens are no runs of {}", tokens.len(), at + 1));
        }
        for run in tokens.chunks(at + 1) {
            let number = runs.len();
            if runs.insert(run.to_vec(), number).is_some() {
                return Err("a run is listed twice".to_owned());
            }
        }
    }
    if runs.len() != columns.len() {
        return Err(format!("{} runs and {} columns of them", runs.len(), columns.len()));
    }
    let width = columns.iter().max().map_or(0, |last| last + 1);
    Ok(Box::new(move |inputs| {
        let tensor = input(inputs, 0)?;
        if tensor.data.kind() != kind {
            return Err(format!("its tokens are {kind}, and the values {}", tensor.data.kind()));
        }
        let (rows, length) = tensor.matrix()?;
        let mut found = vec![0.0_f32; elements(&[rows, width])?];
        let tokens = keys(&tensor.data);
        for (row, out) in found.chunks_exact_mut(width.max(1)).enumerate() {
            let tokens = &tokens[row * length..(row + 1) * length];
            for run in shortest..=longest {
                // A single token has no gaps.
                for step in 1..=if run == 1 { 1 } else { skips.saturating_add(1).min(length) } {
                    let reach = (run - 1) * step;
                    for first in 0..length.saturating_sub(reach) {
                        let taken: Vec<Key> = tokens[first..=first + reach].iter().step_by(step).cloned().collect();
                        let Some(number) = runs.get(&taken) else { continue };
                        let weight = weights.get(*number).copied().unwrap_or(1.0);
                        match (&mut out[columns[*number]], mode) {
                            (cell, Mode::Count) => *cell += 1.0,
                            (cell, Mode::Weighted) => *cell += weight,
                            (cell, Mode::Presence) => *cell = weight,
                        }
                    }
                }
            }
        }
        let shape = if tensor.rank() == 1 { vec![width] } else { vec![rows, width] };
        Ok(vec![Tensor::new(shape, Data::F32(found))?])
    }))
}
