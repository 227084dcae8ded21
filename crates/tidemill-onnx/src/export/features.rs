//! The transform graph as nodes of ONNX: each feature a source, steps, and the columns in the end.

use tidemill_core::TensorSpec;

use super::builder::{Builder, Name, int};
use super::codes::{EXACT_MAX, bucket, codes, numbers};
use super::pattern::{Case, Form};
use super::source::{Raw, raw};
use super::steps::{Step, step};
use super::{Unseen, date, tokens};
use crate::onnx::value::datatype;
use tidemill_model::first_code;
use tidemill_model::{Feature, Node, Scalar, TransformGraph};

/// The features of a graph as one matrix, a column each.
pub(super) fn matrix(graph: &mut Builder, transform: &TransformGraph, unseen: Unseen) -> Result<Name, String> {
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

/// Whether a step has a form in ONNX at all. Every step stands in this list, so that a new one is not forgotten.
fn expressible(node: &Node) -> Result<(), String> {
    match node {
        Node::Impute { .. }
        | Node::ZScore { .. }
        | Node::MinMax { .. }
        | Node::Bucketize { .. }
        | Node::Vocabulary { .. }
        | Node::Categorical { .. }
        | Node::Log
        | Node::Log1p
        | Node::Clip { .. }
        | Node::Sqrt
        | Node::Power { .. }
        | Node::DatePart { .. }
        | Node::OneHot
        | Node::Cyclic { .. }
        | Node::MissingIndicator
        | Node::Robust { .. }
        | Node::Gaussian { .. }
        | Node::Interpolate { .. }
        | Node::Density { .. }
        | Node::ByKey { .. }
        | Node::Project { .. }
        | Node::Frequency { .. }
        | Node::TargetEncode { .. }
        | Node::Lower
        | Node::Upper
        | Node::Strip
        | Node::Split { .. }
        | Node::Ngrams { .. }
        | Node::Distinct
        | Node::WordCount
        | Node::MultiHot { .. }
        | Node::BagOfWords { .. }
        | Node::TfIdf { .. } => Ok(()),
        Node::HashBuckets { .. } => Err("`hash_buckets` hashes with XXH3, which ONNX has no operator for".to_owned()),
        Node::Window { .. } => Err("`window` looks at a history, a list of any length in each row".to_owned()),
        Node::Image(_) => Err("`image` decodes a picture, which ONNX has no operator for".to_owned()),
        Node::KeyedHash { .. } => Err("`keyed_hash` hashes with SipHash, which ONNX has no operator for".to_owned()),
        Node::RegexReplace { .. } | Node::RegexExtract { .. } | Node::Tokenize { .. } => {
            Err(format!("`{}` takes parts out of a text by a pattern, which ONNX has no operator for", node.name()))
        }
    }
}

/// The columns of a feature.
fn one(graph: &mut Builder, feature: &Feature, inputs: &[TensorSpec], unseen: Unseen) -> Result<Vec<Name>, String> {
    feature.nodes.iter().try_for_each(expressible)?;
    let mut raw = raw(graph, feature, inputs)?;
    let is_text = matches!(raw, Raw::Text { .. });
    let reads_raw = |node: &Node| match node {
        Node::Vocabulary { .. }
        | Node::Categorical { values: Some(_) }
        | Node::Frequency { .. }
        | Node::TargetEncode { .. }
        | Node::Split { .. }
        | Node::Project { .. } => true,
        Node::DatePart { .. } => is_text,
        _ => false,
    };
    let (before, after) = feature.nodes.split_at(feature.nodes.iter().position(reads_raw).unwrap_or(0));
    let mut indicator = None;
    for node in before {
        if let Some(found) = prepare(graph, node, &mut raw)? {
            indicator = Some(found);
        }
    }
    let Head { mut value, mut columns, taken } = head(graph, &raw, after, unseen)?;
    for node in &after[taken..] {
        match step(graph, node, &value, inputs)? {
            Step::Value(next) => value = next,
            Step::Indicator(found) => indicator = Some(found),
            Step::OneHot => columns = Some(one_hot(graph, &value, feature, inputs)?),
            Step::Columns(several) => columns = Some(several),
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

/// A step over raw values; gives the indicator of missing ones, where the step is that.
fn prepare(graph: &mut Builder, node: &Node, raw: &mut Raw) -> Result<Option<Name>, String> {
    match (node, raw) {
        (Node::MissingIndicator, Raw::Text { name, .. }) => {
            let none = graph.text("");
            let missing = graph.both("Equal", name, &none);
            return Ok(Some(graph.cast(&missing, datatype::DOUBLE)));
        }
        (Node::MissingIndicator, Raw::Int(name)) => {
            let missing = graph.of("IsNaN", name);
            return Ok(Some(graph.cast(&missing, datatype::DOUBLE)));
        }
        (Node::Impute { value: Scalar::Text(fill) }, Raw::Text { name, form }) => {
            if fill.is_empty() || form.of(fill) != *fill {
                return Err(format!(
                    "`impute` with `{fill}` has no form in ONNX: an empty text is a missing one there"
                ));
            }
            let none = graph.text("");
            let (missing, fill) = (graph.both("Equal", name, &none), graph.text(fill));
            *name = graph.choose(&missing, &fill, name);
        }
        (Node::Impute { value: Scalar::Int(fill) }, Raw::Int(name)) => {
            if fill.unsigned_abs() > EXACT_MAX.unsigned_abs() {
                return Err(format!("the value {fill} is beyond 2^53 and not exact as a number that may be missing"));
            }
            let (missing, fill) = (graph.of("IsNaN", name), graph.number(*fill as f64));
            *name = graph.choose(&missing, &fill, name);
        }
        (Node::Lower, Raw::Text { form, .. }) => *form = form.cased(Case::Lower)?,
        (Node::Upper, Raw::Text { form, .. }) => *form = form.cased(Case::Upper)?,
        (Node::Strip, Raw::Text { form, .. }) => *form = Form { strip: true, ..*form },
        _ => return Err(format!("`{}` before a table has no form in ONNX", node.name())),
    }
    Ok(None)
}

/// Raw values as numbers or columns, and how many steps that took.
struct Head {
    value: Name,
    columns: Option<Vec<Name>>,
    taken: usize,
}

fn head(graph: &mut Builder, raw: &Raw, after: &[Node], unseen: Unseen) -> Result<Head, String> {
    let one = |value: Name, taken: usize| Ok(Head { value, columns: None, taken });
    match (after.first(), raw) {
        (Some(Node::Vocabulary { values, oov_buckets }), _) => {
            let other = bucket(values, *oov_buckets, unseen)?;
            one(codes(graph, raw, values, other)?, 1)
        }
        (Some(Node::Categorical { values: Some(values) }), _) => one(codes(graph, raw, values, None)?, 1),
        (Some(Node::Frequency { values, shares }), _) => one(numbers(graph, raw, values, (shares, f64::NAN, 0.0))?, 1),
        (Some(Node::TargetEncode { values, full, .. }), _) => {
            one(numbers(graph, raw, values, (&full.encodings, full.missing, full.other))?, 1)
        }
        (Some(Node::Project { means, components }), Raw::Columns(columns)) => {
            let columns: Vec<Name> = columns.iter().map(|column| graph.as_column(column)).collect();
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            let matrix = graph.op("Concat", &columns, vec![int("axis", 1)]);
            let means = graph.table(&[1, means.len() as i64], means);
            let centred = graph.both("Sub", &matrix, &means);
            let weights: Vec<f64> =
                (0..columns.len()).flat_map(|at| components.iter().map(move |component| component[at])).collect();
            let weights = graph.table(&[columns.len() as i64, components.len() as i64], &weights);
            let projected = graph.both("MatMul", &centred, &weights);
            Ok(Head { value: projected.clone(), columns: Some(vec![projected]), taken: 1 })
        }
        (Some(Node::Split { .. } | Node::Tokenize { .. }), Raw::Text { .. }) => {
            let (counts, taken) = tokens::counts(graph, raw, after)?;
            // The number of tokens is a value that steps can follow; the others end a feature.
            match (after.get(taken - 1), counts.first()) {
                (Some(Node::WordCount), Some(count)) => one(count.clone(), taken),
                _ => {
                    let columns = counts.iter().map(|count| graph.as_column(count)).collect();
                    Ok(Head { value: Name::new(), columns: Some(columns), taken })
                }
            }
        }
        (Some(Node::DatePart { .. }), Raw::Text { name, .. }) => one(date::seconds_of(graph, name), 0),
        (_, Raw::Number(name) | Raw::Int(name)) => one(name.clone(), 0),
        (_, Raw::Text { .. }) => Err("text is no feature".to_owned()),
        (_, Raw::Columns(_)) => Err("several columns together are no feature".to_owned()),
    }
}

/// A column for each code.
fn one_hot(graph: &mut Builder, x: &str, feature: &Feature, inputs: &[TensorSpec]) -> Result<Vec<Name>, String> {
    let first = first_code(&feature.nodes);
    let own = TransformGraph::new(inputs.to_vec(), None, vec![feature.clone()]).map_err(|error| error.to_string())?;
    let indicators = usize::from(feature.nodes.contains(&Node::MissingIndicator));
    let count = own.features().len() - indicators;
    let codes: Vec<f64> = (0..count).map(|at| f64::from(first) + at as f64).collect();
    let column = graph.as_column(x);
    let table = graph.table(&[1, count as i64], &codes);
    let equal = graph.both("Equal", &column, &table);
    Ok(vec![graph.cast(&equal, datatype::DOUBLE)])
}
