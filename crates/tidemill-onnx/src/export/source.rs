//! The sources of features, as nodes of ONNX.

use tidemill_core::{DataType, TensorSpec};

use super::builder::{Builder, Name};
use super::expression;
use super::pattern::TextForm;
use crate::onnx::value::datatype;
use tidemill_model::{Feature, Source};

/// Raw values of a feature.
pub(super) enum Raw {
    /// Numbers, NaN where missing.
    Number(Name),
    /// Whole numbers as numbers, NaN where missing.
    Int(Name),
    /// Texts, empty if missing, and their pending steps.
    Text { name: Name, form: TextForm },
    /// Numbers of several columns.
    Columns(Vec<Name>),
}

/// The type of an input in the ONNX model: an optional input needs a representation of missing values.
pub(super) fn element_type(input: &TensorSpec) -> i32 {
    match input.datatype {
        DataType::Bytes => datatype::STRING,
        DataType::Fp64 => datatype::DOUBLE,
        _ if input.optional => datatype::DOUBLE,
        DataType::Int64 => datatype::INT64,
        DataType::Bool => datatype::BOOL,
    }
}

/// The input called `name`.
pub(super) fn input<'a>(inputs: &'a [TensorSpec], name: &str) -> Result<&'a TensorSpec, String> {
    inputs.iter().find(|input| input.name == name).ok_or_else(|| format!("the column `{name}` is not among the inputs"))
}

/// The raw values of a feature.
pub(super) fn raw(graph: &mut Builder, feature: &Feature, inputs: &[TensorSpec]) -> Result<Raw, String> {
    match &feature.source {
        Source::Column(column) => Ok(column_values(graph, input(inputs, column)?)),
        Source::Cross(columns) => {
            let mut joined: Option<(Name, Name)> = None;
            for column in columns {
                let (text, missing) = as_text(graph, input(inputs, column)?);
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
            Ok(Raw::Text { name: graph.choose(&missing, &none, &text), form: TextForm::default() })
        }
        Source::Columns(columns) => {
            let mut numbers = Vec::with_capacity(columns.len());
            for column in columns {
                numbers.push(as_number(graph, input(inputs, column)?));
            }
            Ok(Raw::Columns(numbers))
        }
        Source::History(history) => {
            Err(format!("the history `{}` is a list of any length in each row", history.values))
        }
        Source::Expression(text) => expression::values(graph, text, inputs),
    }
}

/// The values of a column.
pub(super) fn column_values(graph: &mut Builder, input: &TensorSpec) -> Raw {
    match input.datatype {
        DataType::Bytes => Raw::Text { name: input.name.clone(), form: TextForm::default() },
        DataType::Int64 => Raw::Int(as_number(graph, input)),
        DataType::Fp64 | DataType::Bool => Raw::Number(as_number(graph, input)),
    }
}

/// The numbers of a column.
pub(super) fn as_number(graph: &mut Builder, input: &TensorSpec) -> Name {
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
