//! Writes predictions into the body of a response.

use arrow::array::{Array, AsArray as _, RecordBatch};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::inference::request_error::RequestError;
use crate::protocol::json::write;
use crate::protocol::tensor::Output;

/// The form of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseLayout {
    /// `{"predictions": [value or object, …]}`.
    Rows,
    /// `{"outputs": list or {name: list}}`.
    Columns,
    /// `{"results": [[[label, score], …], …]}`.
    Classes,
    /// `{"results": [value, …]}`.
    Values,
}

/// Writes a response. A single output has no name; several keep theirs.
pub(crate) fn encode(predictions: &RecordBatch, answer: ResponseLayout) -> Result<Vec<u8>, RequestError> {
    let mut out = Vec::with_capacity(32 + 20 * predictions.num_rows());
    match answer {
        ResponseLayout::Rows => {
            out.extend_from_slice(b"{\"predictions\":");
            rows(&mut out, predictions)?;
        }
        ResponseLayout::Columns => {
            out.extend_from_slice(b"{\"outputs\":");
            columns(&mut out, predictions)?;
        }
        ResponseLayout::Classes => {
            out.extend_from_slice(b"{\"results\":");
            classes(&mut out, predictions)?;
        }
        ResponseLayout::Values => {
            out.extend_from_slice(b"{\"results\":");
            rows(&mut out, predictions)?;
        }
    }
    out.push(b'}');
    Ok(out)
}

fn rows(out: &mut Vec<u8>, predictions: &RecordBatch) -> Result<(), RequestError> {
    let schema = predictions.schema();
    if let [column] = predictions.columns() {
        return column_values(out, column, Texts::of(schema.field(0).name()));
    }
    out.push(b'[');
    for row in 0..predictions.num_rows() {
        out.extend_from_slice(if row == 0 { b"{" } else { b",{" });
        for (index, field) in schema.fields().iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write::string(out, field.name());
            out.push(b':');
            let cell = predictions.column(index).slice(row, 1);
            // A list of one value, without its brackets.
            let start = out.len();
            column_values(out, &cell, Texts::of(field.name()))?;
            out.pop();
            out.remove(start);
        }
        out.push(b'}');
    }
    out.push(b']');
    Ok(())
}

fn columns(out: &mut Vec<u8>, predictions: &RecordBatch) -> Result<(), RequestError> {
    let schema = predictions.schema();
    if let [column] = predictions.columns() {
        return column_values(out, column, Texts::of(schema.field(0).name()));
    }
    out.push(b'{');
    for (index, (field, column)) in schema.fields().iter().zip(predictions.columns()).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write::string(out, field.name());
        out.push(b':');
        column_values(out, column, Texts::of(field.name()))?;
    }
    out.push(b'}');
    Ok(())
}

/// The first output, if it is a list of floating-point numbers.
pub(crate) fn scores(predictions: &RecordBatch) -> Result<&[f64], RequestError> {
    let first = predictions.columns().first();
    first.map_or_else(|| Err(RequestError::internal("the model gives nothing")), |column| Output::of(column)?.floats())
}

/// Both classes of a binary model with their probabilities; the prediction is that of class `1`.
fn classes(out: &mut Vec<u8>, predictions: &RecordBatch) -> Result<(), RequestError> {
    write::list(out, scores(predictions)?, |out, &score| {
        out.extend_from_slice(b"[[\"0\",");
        write::float(out, 1.0 - score);
        out.extend_from_slice(b"],[\"1\",");
        write::float(out, score);
        out.extend_from_slice(b"]]");
    });
    Ok(())
}

/// How texts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Texts {
    Plain,
    /// As `{"b64": "…"}`.
    Base64,
}

impl Texts {
    /// As in TF Serving: an output whose name ends in `_bytes` is not text.
    fn of(output: &str) -> Self {
        if output.ends_with("_bytes") { Self::Base64 } else { Self::Plain }
    }
}

/// Writes a column as a list. Outputs have no missing values.
fn column_values(out: &mut Vec<u8>, column: &dyn Array, texts: Texts) -> Result<(), RequestError> {
    if let Some(lists) = column.as_fixed_size_list_opt() {
        let mut written = Ok(());
        write::list(out, 0..lists.len(), |out, row| {
            written = written.clone().and(column_values(out, &lists.value(row), texts));
        });
        return written;
    }
    if let (Texts::Base64, Output::Texts(values)) = (texts, Output::of(column)?) {
        write::list(out, values, |out, value| {
            out.extend_from_slice(b"{\"b64\":\"");
            out.extend_from_slice(STANDARD.encode(value.unwrap_or_default()).as_bytes());
            out.extend_from_slice(b"\"}");
        });
        return Ok(());
    }
    flat_values(out, column)
}

/// As [`column_values`], with the elements of all lists in one sequence.
pub(crate) fn flat_values(out: &mut Vec<u8>, column: &dyn Array) -> Result<(), RequestError> {
    match Output::of(column)? {
        Output::Floats(values) => write::list(out, values, |out, &value| write::float(out, value)),
        Output::Integers(values) => write::list(out, values, |out, &value| write::integer(out, value)),
        Output::Booleans(values) => write::list(out, values.values(), write::boolean),
        Output::Texts(values) => write::list(out, values, |out, value| write::string(out, value.unwrap_or_default())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array, StringArray};

    use super::*;

    fn written(batch: &RecordBatch, answer: ResponseLayout) -> String {
        String::from_utf8(encode(batch, answer).unwrap()).unwrap()
    }

    #[test]
    fn one_output_is_bare_and_several_are_named() {
        let score = Arc::new(Float64Array::from(vec![2.5, 3.0, 4.5]));
        let one = RecordBatch::try_from_iter([("y", score.clone() as _)]).unwrap();
        assert_eq!(written(&one, ResponseLayout::Rows), r#"{"predictions":[2.5,3.0,4.5]}"#);
        assert_eq!(written(&one, ResponseLayout::Columns), r#"{"outputs":[2.5,3.0,4.5]}"#);
        assert_eq!(written(&one, ResponseLayout::Values), r#"{"results":[2.5,3.0,4.5]}"#);

        let class = Arc::new(StringArray::from(vec!["a", "\"", "c"]));
        let count = Arc::new(Int64Array::from(vec![i64::MAX, 0, -1]));
        let three = RecordBatch::try_from_iter([("y", score as _), ("c", class as _), ("n", count as _)]).unwrap();
        assert_eq!(
            written(&three, ResponseLayout::Rows),
            r#"{"predictions":[{"y":2.5,"c":"a","n":9223372036854775807},{"y":3.0,"c":"\"","n":0},{"y":4.5,"c":"c","n":-1}]}"#
        );
        assert_eq!(
            written(&three, ResponseLayout::Columns),
            r#"{"outputs":{"y":[2.5,3.0,4.5],"c":["a","\"","c"],"n":[9223372036854775807,0,-1]}}"#
        );
    }

    #[test]
    fn outputs_whose_names_end_in_bytes_are_base64() {
        let text = Arc::new(StringArray::from(vec!["Flash", ""]));
        let one = RecordBatch::try_from_iter([("image_bytes", text.clone() as _)]).unwrap();
        assert_eq!(written(&one, ResponseLayout::Rows), r#"{"predictions":[{"b64":"Rmxhc2g="},{"b64":""}]}"#);
        let two = RecordBatch::try_from_iter([("image_bytes", text.clone() as _), ("bytes", text as _)]).unwrap();
        assert_eq!(
            written(&two, ResponseLayout::Rows),
            r#"{"predictions":[{"image_bytes":{"b64":"Rmxhc2g="},"bytes":"Flash"},{"image_bytes":{"b64":""},"bytes":""}]}"#
        );
        assert_eq!(
            written(&two, ResponseLayout::Columns),
            r#"{"outputs":{"image_bytes":[{"b64":"Rmxhc2g="},{"b64":""}],"bytes":["Flash",""]}}"#
        );
    }

    #[test]
    fn classes_are_pairs_of_label_and_score() {
        let batch = RecordBatch::try_from_iter([("p", Arc::new(Float64Array::from(vec![0.25])) as _)]).unwrap();
        assert_eq!(written(&batch, ResponseLayout::Classes), r#"{"results":[[["0",0.75],["1",0.25]]]}"#);
    }
}
