//! The transform graph as nodes of ONNX.

use tidemill_core::{DataType, TensorSpec};

use super::builder::{Builder, Name, int, ints, strings};
use super::{Unseen, date};
use crate::graph::first_code;
use crate::onnx::value::datatype;
use crate::{Feature, Keys, Node, Scalar, Source, TransformGraph};

/// Whole numbers beyond this are not exact in 64 bits of floating point.
const EXACT_MAX: i64 = 1 << 53;

/// Raw values of a feature.
enum Raw {
    /// Numbers, NaN where missing.
    Number(Name),
    /// Whole numbers as numbers, NaN where missing.
    Int(Name),
    /// Texts, empty where missing.
    Text(Name),
}

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

/// The type of an input in the ONNX model: what may be missing must have a way to say so.
pub(super) fn element_type(input: &TensorSpec) -> i32 {
    match input.datatype {
        DataType::Bytes => datatype::STRING,
        DataType::Fp64 => datatype::DOUBLE,
        _ if input.optional => datatype::DOUBLE,
        DataType::Int64 => datatype::INT64,
        DataType::Bool => datatype::BOOL,
    }
}

fn raw(graph: &mut Builder, feature: &Feature, inputs: &[TensorSpec]) -> Result<Raw, String> {
    let input = |name: &str| inputs.iter().find(|input| input.name == name).ok_or("a column is not among the inputs");
    match &feature.source {
        Source::Column(column) => {
            let input = input(column)?;
            Ok(match input.datatype {
                DataType::Bytes => Raw::Text(column.clone()),
                DataType::Int64 => Raw::Int(as_number(graph, input)),
                DataType::Fp64 | DataType::Bool => Raw::Number(as_number(graph, input)),
            })
        }
        Source::Cross(columns) => {
            let mut joined: Option<(Name, Name)> = None;
            for column in columns {
                let input = input(column)?;
                let (text, missing) = as_text(graph, input);
                joined = Some(match joined {
                    None => (text, missing),
                    Some((before, any)) => {
                        let mark = graph.text(" × ");
                        let before = graph.both("StringConcat", &before, &mark);
                        (graph.both("StringConcat", &before, &text), graph.both("Or", &any, &missing))
                    }
                });
            }
            let (text, missing) = joined.ok_or("a cross of no columns")?;
            let none = graph.text("");
            Ok(Raw::Text(graph.choose(&missing, &none, &text)))
        }
        Source::Columns(columns) => {
            Err(format!("the columns `{}` side by side cannot be said in ONNX by this version", columns.join("`, `")))
        }
        Source::Expression(text) => Err(format!("the expression `{text}` cannot be said in ONNX by this version")),
    }
}

fn as_number(graph: &mut Builder, input: &TensorSpec) -> Name {
    if element_type(input) == datatype::DOUBLE { input.name.clone() } else { graph.cast(&input.name, datatype::DOUBLE) }
}

/// Values as texts, and whether they are missing.
fn as_text(graph: &mut Builder, input: &TensorSpec) -> (Name, Name) {
    if input.datatype == DataType::Bytes {
        let none = graph.text("");
        return (input.name.clone(), graph.both("Equal", &input.name, &none));
    }
    let number = as_number(graph, input);
    let missing = graph.of("IsNaN", &number);
    if input.datatype == DataType::Bool {
        let is_true = graph.with("Greater", &number, 0.5);
        let (yes, no) = (graph.text("true"), graph.text("false"));
        return (graph.choose(&is_true, &yes, &no), missing);
    }
    let zero = graph.number(0.0);
    let filled = graph.choose(&missing, &zero, &number);
    let whole = graph.cast(&filled, datatype::INT64);
    (graph.cast(&whole, datatype::STRING), missing)
}

/// Whether a step has a form in ONNX here. Every step stands in this list, so that a new one is not forgotten.
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
        | Node::HashBuckets { .. }
        | Node::DatePart { .. }
        | Node::OneHot
        | Node::Cyclic { .. }
        | Node::MissingIndicator
        | Node::Robust { .. } => Ok(()),
        Node::Gaussian { .. }
        | Node::Interpolate { .. }
        | Node::Density { .. }
        | Node::ByKey { .. }
        | Node::Project { .. }
        | Node::Frequency { .. }
        | Node::TargetEncode { .. }
        | Node::KeyedHash { .. }
        | Node::Lower
        | Node::Upper
        | Node::Strip
        | Node::RegexReplace { .. }
        | Node::RegexExtract { .. }
        | Node::Tokenize { .. }
        | Node::Split { .. }
        | Node::Ngrams { .. }
        | Node::Distinct
        | Node::WordCount
        | Node::MultiHot { .. }
        | Node::BagOfWords { .. }
        | Node::TfIdf { .. } => Err(format!("`{}` cannot be said in ONNX by this version", node.name())),
    }
}

/// The columns of a feature.
fn one(graph: &mut Builder, feature: &Feature, inputs: &[TensorSpec], unseen: Unseen) -> Result<Vec<Name>, String> {
    feature.nodes.iter().try_for_each(expressible)?;
    let raw = raw(graph, feature, inputs)?;
    let is_text = matches!(raw, Raw::Text(_));
    let nodes = &feature.nodes;
    let reads_raw = |node: &Node| match node {
        Node::Vocabulary { .. } | Node::Categorical { values: Some(_) } | Node::HashBuckets { .. } => true,
        Node::DatePart { .. } => is_text,
        _ => false,
    };
    let mut indicator = None;
    let (mut value, rest) = match nodes.iter().position(reads_raw) {
        None => match raw {
            Raw::Number(name) | Raw::Int(name) => (name, &nodes[..]),
            Raw::Text(_) => return Err("text is no feature".to_owned()),
        },
        Some(at) => {
            let (before, after) = nodes.split_at(at);
            let (keys, oov_buckets) = match &after[0] {
                Node::Vocabulary { values, oov_buckets } => (values, *oov_buckets),
                Node::Categorical { values: Some(values) } => (values, 0),
                Node::HashBuckets { .. } => {
                    return Err("`hash_buckets` hashes with XXH3, which ONNX has no operator for".to_owned());
                }
                _ => return Err("a time in text cannot be read in ONNX".to_owned()),
            };
            let (code, missing) = codes(graph, &raw, keys, oov_buckets, before, unseen)?;
            if before.contains(&Node::MissingIndicator) {
                indicator = Some(graph.cast(&missing, datatype::DOUBLE));
            }
            (code, &after[1..])
        }
    };
    let mut columns = None;
    for node in rest {
        match step(graph, node, &value)? {
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

/// The codes of raw values, and whether they are missing.
fn codes(
    graph: &mut Builder,
    raw: &Raw,
    keys: &Keys,
    oov_buckets: u32,
    before: &[Node],
    unseen: Unseen,
) -> Result<(Name, Name), String> {
    if oov_buckets > 1 && unseen == Unseen::Refused {
        return Err(format!(
            "`vocabulary` hashes other values into {oov_buckets} buckets with XXH3, which ONNX has no operator for"
        ));
    }
    let other = if oov_buckets == 1 { keys.len() as i64 } else { -1 };
    let positions: Vec<i64> = (0..keys.len() as i64).collect();
    let filled = before.iter().find_map(|node| match node {
        Node::Impute { value } => Some(value),
        _ => None,
    });
    let place = match (keys, filled) {
        (Keys::Strings(keys), Some(Scalar::Text(text))) => {
            Some(keys.iter().position(|key| key == text).map_or(other, |at| at as i64))
        }
        (Keys::Integers(keys), Some(Scalar::Int(value))) => {
            Some(keys.iter().position(|key| key == value).map_or(other, |at| at as i64))
        }
        _ => None,
    };
    let (found, missing) = match (raw, keys) {
        (Raw::Text(name), Keys::Strings(keys)) => {
            let none = graph.text("");
            let missing = graph.both("Equal", name, &none);
            let attributes =
                vec![strings("keys_strings", keys), ints("values_int64s", positions), int("default_int64", other)];
            (encoder(graph, name, keys.len(), other, attributes), missing)
        }
        (Raw::Int(name), Keys::Integers(keys)) => {
            if let Some(large) = keys.iter().find(|key| key.unsigned_abs() > EXACT_MAX.unsigned_abs()) {
                return Err(format!("the value {large} is beyond 2^53 and not exact as a number that may be missing"));
            }
            let missing = graph.of("IsNaN", name);
            let zero = graph.number(0.0);
            let present = graph.choose(&missing, &zero, name);
            let whole = graph.cast(&present, datatype::INT64);
            let attributes =
                vec![ints("keys_int64s", keys.clone()), ints("values_int64s", positions), int("default_int64", other)];
            (encoder(graph, &whole, keys.len(), other, attributes), missing)
        }
        _ => return Err("its codes are of another type than its column".to_owned()),
    };
    let code = graph.cast(&found, datatype::DOUBLE);
    let none = graph.number(f64::NAN);
    let unknown = graph.with("Less", &code, 0.0);
    let code = graph.choose(&unknown, &none, &code);
    let when_missing = match place {
        Some(place) if place >= 0 => graph.number(place as f64),
        _ => none,
    };
    Ok((graph.choose(&missing, &when_missing, &code), missing))
}

/// A `LabelEncoder`; without keys everything is `other`.
fn encoder(
    graph: &mut Builder,
    name: &str,
    keys: usize,
    other: i64,
    attributes: Vec<crate::onnx::generated::AttributeProto>,
) -> Name {
    if keys > 0 {
        return graph.ml("LabelEncoder", &[name], attributes);
    }
    let same = graph.both("Equal", name, name);
    let zero = graph.cast(&same, datatype::DOUBLE);
    let nothing = graph.with("Mul", &zero, 0.0);
    graph.with("Add", &nothing, other as f64)
}

enum Step {
    Value(Name),
    Indicator(Name),
    OneHot,
    Columns(Vec<Name>),
}

/// One step over numbers, as the executor takes it.
fn step(graph: &mut Builder, node: &Node, x: &str) -> Result<Step, String> {
    let none = graph.number(f64::NAN);
    Ok(Step::Value(match node {
        Node::Impute { value } => {
            let fill = graph.number(match value {
                Scalar::Bool(value) => f64::from(u8::from(*value)),
                Scalar::Int(value) => *value as f64,
                Scalar::Float(value) => *value,
                Scalar::Text(_) => return Err("a text stands in for a number".to_owned()),
            });
            let missing = graph.of("IsNaN", x);
            graph.choose(&missing, &fill, x)
        }
        Node::ZScore { mean, std_dev } => {
            let centred = graph.with("Sub", x, *mean);
            if *std_dev == 0.0 { centred } else { graph.with("Div", &centred, *std_dev) }
        }
        Node::MinMax { min, max, output_min, output_max } => {
            let unit = if min == max {
                let negative = graph.of("Neg", x);
                let power = graph.of("Exp", &negative);
                let sum = graph.with("Add", &power, 1.0);
                let one = graph.number(1.0);
                graph.both("Div", &one, &sum)
            } else {
                let above = graph.with("Sub", x, *min);
                graph.with("Div", &above, max - min)
            };
            let wide = graph.with("Mul", &unit, output_max - output_min);
            graph.with("Add", &wide, *output_min)
        }
        Node::Bucketize { boundaries } => {
            let column = graph.as_column(x);
            let table = graph.table(&[1, boundaries.len() as i64], boundaries);
            let reached = graph.both("GreaterOrEqual", &column, &table);
            let ones = graph.cast(&reached, datatype::DOUBLE);
            let axes = graph.list(&[1]);
            let sum = graph.op("ReduceSum", &[&ones, &axes], vec![int("keepdims", 0)]);
            let missing = graph.of("IsNaN", x);
            graph.choose(&missing, &none, &sum)
        }
        Node::Log => {
            let (inside, log) = (graph.with("Greater", x, 0.0), graph.of("Log", x));
            graph.choose(&inside, &log, &none)
        }
        Node::Log1p => log1p(graph, x, &none),
        Node::Clip { min, max } => {
            let mut value = x.to_owned();
            for (bound, beyond) in [(min, "Less"), (max, "Greater")] {
                if let Some(bound) = bound {
                    let (outside, bound) = (graph.with(beyond, &value, *bound), graph.number(*bound));
                    value = graph.choose(&outside, &bound, &value);
                }
            }
            value
        }
        Node::Sqrt => {
            let (inside, root) = (graph.with("GreaterOrEqual", x, 0.0), graph.of("Sqrt", x));
            graph.choose(&inside, &root, &none)
        }
        Node::Power { exponent } => {
            let missing = graph.of("IsNaN", x);
            let outside = if *exponent < 0.0 {
                let zero = graph.with("Equal", x, 0.0);
                graph.both("Or", &missing, &zero)
            } else {
                missing
            };
            let power = graph.with("Pow", x, *exponent);
            graph.choose(&outside, &none, &power)
        }
        Node::DatePart { part } => date::part(graph, x, *part),
        Node::MissingIndicator => {
            let missing = graph.of("IsNaN", x);
            return Ok(Step::Indicator(graph.cast(&missing, datatype::DOUBLE)));
        }
        Node::Cyclic { period } => {
            let turns = graph.with("Div", x, *period);
            let angle = graph.with("Mul", &turns, std::f64::consts::TAU);
            let (sine, cosine) = (graph.of("Sin", &angle), graph.of("Cos", &angle));
            return Ok(Step::Columns(vec![graph.as_column(&sine), graph.as_column(&cosine)]));
        }
        Node::OneHot => return Ok(Step::OneHot),
        // Buckets, true and false are codes already.
        Node::Categorical { values: None } => x.to_owned(),
        Node::Robust { median, range } => {
            let centred = graph.with("Sub", x, *median);
            if *range == 0.0 { centred } else { graph.with("Div", &centred, *range) }
        }
        // Tables come first, and the rest was refused before.
        _ => return Err(format!("`{}` after other steps", node.name())),
    }))
}

/// ln(1 + x) without losing small x (Kahan): ln(u) · x / (u − 1) with u = 1 + x.
fn log1p(graph: &mut Builder, x: &str, none: &str) -> Name {
    let raised = graph.with("Add", x, 1.0);
    let log = graph.of("Log", &raised);
    let kept = graph.with("Sub", &raised, 1.0);
    let ratio = graph.both("Div", x, &kept);
    let product = graph.both("Mul", &log, &ratio);
    let lost = graph.with("Equal", &raised, 1.0);
    let small = graph.choose(&lost, x, &product);
    // Far out the ratio is 1, and at infinity it is no number.
    let far = graph.with("Greater", x, 1e17);
    let value = graph.choose(&far, &log, &small);
    let inside = graph.with("Greater", x, -1.0);
    graph.choose(&inside, &value, none)
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
