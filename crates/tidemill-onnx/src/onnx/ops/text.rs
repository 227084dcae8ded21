//! Text operators: join, split, match and change case.

use regex::{Regex, RegexBuilder};

use super::broadcast::{joint_shape, pairs};
use super::{Kernel, input};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor, elements};

/// The size limit of a compiled pattern, and of its automaton.
const PATTERN_MEMORY_MAX: usize = 256 << 10;

pub(super) fn compile(name: &str, attributes: Attributes<'_>) -> Result<Option<Kernel>, String> {
    Ok(Some(match name {
        "StringConcat" => Box::new(|inputs| {
            let (a, b) = (input(inputs, 0)?, input(inputs, 1)?);
            let shape = joint_shape(&a.shape, &b.shape)?;
            let joined = pairs((texts(a)?, &a.shape), (texts(b)?, &b.shape), &shape, |a, b| format!("{a}{b}"));
            Ok(vec![Tensor::new(shape, Data::Text(joined))?])
        }),
        "StringNormalizer" => normalizer(attributes)?,
        "StringSplit" => {
            let delimiter = attributes.text("delimiter", "")?;
            let most = attributes.int("maxsplit", i64::MAX);
            if attributes.has("maxsplit") && most < 1 {
                return Err(format!("`maxsplit` is {most}"));
            }
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            Box::new(move |inputs| split(input(inputs, 0)?, &delimiter, most))
        }
        "RegexFullMatch" => {
            let pattern = attributes.text("pattern", "")?;
            let regex = regex(&pattern, &format!(r"\A(?:{pattern})\z"))?;
            Box::new(move |inputs| {
                let tensor = input(inputs, 0)?;
                let found = texts(tensor)?.iter().map(|text| regex.is_match(text)).collect();
                Ok(vec![Tensor::new(tensor.shape.clone(), Data::Bool(found))?])
            })
        }
        _ => return Ok(None),
    }))
}

/// Compiles a pattern within bounds; the file has it as `written`.
pub(super) fn regex(written: &str, pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern)
        .size_limit(PATTERN_MEMORY_MAX)
        .dfa_size_limit(PATTERN_MEMORY_MAX)
        .nest_limit(50)
        .build();
    built.map_err(|_| format!("the pattern `{}` is not run by this version", excerpt(written)))
}

pub(super) fn texts(tensor: &Tensor) -> Result<&[String], String> {
    match &tensor.data {
        Data::Text(values) => Ok(values),
        other => Err(format!("texts are expected, and these are of type {}", other.kind())),
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}

fn normalizer(attributes: Attributes<'_>) -> Result<Kernel, String> {
    let change = attributes.text("case_change_action", "NONE")?;
    if !matches!(change.as_str(), "NONE" | "LOWER" | "UPPER") {
        return Err(format!("`case_change_action` is `{change}`"));
    }
    let sensitive = attributes.int("is_case_sensitive", 0) != 0;
    let fold = move |text: &str| if sensitive { text.to_owned() } else { text.to_lowercase() };
    let stops: std::collections::HashSet<String> =
        attributes.texts("stopwords")?.iter().map(|word| fold(word)).collect();
    Ok(Box::new(move |inputs| {
        let tensor = input(inputs, 0)?;
        let map = |text: &String| match change.as_str() {
            "LOWER" => text.to_lowercase(),
            "UPPER" => text.to_uppercase(),
            _ => text.clone(),
        };
        if stops.is_empty() {
            let changed = texts(tensor)?.iter().map(map).collect();
            return Ok(vec![Tensor::new(tensor.shape.clone(), Data::Text(changed))?]);
        }
        // Words are left out of one row only: rows would differ in length.
        if !matches!(tensor.shape[..], [_] | [1, _]) {
            return Err(format!("stop words are left out of one row, and the shape is {:?}", tensor.shape));
        }
        let mut kept: Vec<String> =
            texts(tensor)?.iter().filter(|text| !stops.contains(&fold(text))).map(map).collect();
        if kept.is_empty() {
            kept.push(String::new());
        }
        let mut shape = tensor.shape.clone();
        if let Some(last) = shape.last_mut() {
            *last = kept.len();
        }
        Ok(vec![Tensor::new(shape, Data::Text(kept))?])
    }))
}

/// The parts of each text along a new last axis, padded with empty ones, and their number. Without a delimiter, any
/// white space separates.
fn split(tensor: &Tensor, delimiter: &str, most: usize) -> Result<Vec<Tensor>, String> {
    let cut = |text: &'_ String| -> Vec<String> {
        if text.is_empty() {
            return Vec::new();
        }
        if !delimiter.is_empty() {
            return text.splitn(most.saturating_add(1), delimiter).map(str::to_owned).collect();
        }
        let mut parts = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            match rest.find(char::is_whitespace).filter(|_| parts.len() < most) {
                Some(end) => {
                    parts.push(rest[..end].to_owned());
                    rest = rest[end..].trim_start();
                }
                None => {
                    parts.push(rest.to_owned());
                    rest = "";
                }
            }
        }
        parts
    };
    let lists: Vec<Vec<String>> = texts(tensor)?.iter().map(cut).collect();
    let width = lists.iter().map(Vec::len).max().unwrap_or(0);
    let mut shape = tensor.shape.clone();
    shape.push(width);
    let mut parts = Vec::with_capacity(elements(&shape)?);
    let counts = lists.iter().map(|list| list.len() as i64).collect();
    for mut list in lists {
        list.resize(width, String::new());
        parts.append(&mut list);
    }
    Ok(vec![Tensor::new(shape, Data::Text(parts))?, Tensor::new(tensor.shape.clone(), Data::Int(counts))?])
}
