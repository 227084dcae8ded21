//! The transform graph as nodes of ONNX: for each feature a source, steps, and its final columns.

use tidemill_core::TensorSpec;
use tidemill_model::{Feature, Mapper, TransformGraph};

use super::UnseenCategories;
use super::builder::{Builder, Name, int};
use super::source::{Raw, raw};
use super::steps::{Decoded, Output, Position, exporter};

/// The features of a graph as one matrix, one column each.
pub(super) fn matrix(
    graph: &mut Builder,
    transform: &TransformGraph,
    unseen: UnseenCategories,
) -> Result<Name, String> {
    let mut columns = Vec::new();
    for feature in transform.definitions() {
        columns.extend(
            one(graph, feature, transform.inputs(), unseen)
                .map_err(|reason| format!("feature `{}`: {reason}", feature.name))?,
        );
    }
    if columns.is_empty() {
        return Err("a model without features".to_owned());
    }
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    Ok(graph.op("Concat", &columns, vec![int("axis", 1)]))
}

/// The columns of a feature.
fn one(
    graph: &mut Builder,
    feature: &Feature,
    inputs: &[TensorSpec],
    unseen: UnseenCategories,
) -> Result<Vec<Name>, String> {
    let mappers = feature.mappers.as_slice();
    if let Some(reason) = mappers.iter().find_map(|mapper| exporter(mapper).refusal()) {
        return Err(reason);
    }
    let mut raw = raw(graph, feature, inputs)?;
    let is_text = matches!(raw, Raw::Text { .. });
    let decodes = |mapper: &Mapper| exporter(mapper).decodes(is_text);
    let (before, after) = mappers.split_at(mappers.iter().position(decodes).unwrap_or(0));
    let named = |mapper: &Mapper, reason: String| {
        let name = format!("`{}`", mapper.name());
        reason.replacen("it ", &format!("{name} "), usize::from(reason.starts_with("it ")))
    };
    let mut indicator = None;
    for mapper in before {
        let found = exporter(mapper).prepare(graph, &mut raw).map_err(|reason| named(mapper, reason))?;
        indicator = found.or(indicator);
    }
    let position = |after| Position { feature, after, inputs, unseen };
    let first = after.first().filter(|mapper| exporter(mapper).decodes(is_text));
    let Decoded { mut value, mut columns, taken } = match (first, &raw) {
        (Some(mapper), _) => {
            exporter(mapper).decode(graph, &raw, &position(after)).map_err(|reason| named(mapper, reason))?
        }
        (None, Raw::Number(name) | Raw::Int(name)) => Decoded { value: name.clone(), columns: None, taken: 0 },
        (None, Raw::Text { .. }) => return Err("text cannot be a feature".to_owned()),
        (None, Raw::Columns(_)) => return Err("several columns together are no feature".to_owned()),
    };
    for (at, mapper) in after.iter().enumerate().skip(taken) {
        let output = exporter(mapper).over_numbers(graph, &value, &position(&after[at..]));
        match output.map_err(|reason| named(mapper, reason))? {
            Output::Value(next) => value = next,
            Output::Indicator(found) => indicator = Some(found),
            Output::Columns(several) => columns = Some(several),
        }
    }
    let mut columns = match columns {
        Some(columns) => columns,
        None => vec![graph.as_column(&value)],
    };
    if let Some(indicator) = indicator {
        columns.push(graph.as_column(&indicator));
    }
    Ok(columns)
}
