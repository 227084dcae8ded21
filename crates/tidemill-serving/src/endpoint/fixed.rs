//! Fixed outputs: what answers if nothing else can.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use serde_json::Value;
use tidemill_core::{DataType, Signature, suggest};

/// The batch of one row that these fixed outputs are. An error has the name of the output, if it is about one.
pub(super) fn fixed_row(
    values: &BTreeMap<String, Value>,
    outputs: &Signature,
) -> Result<RecordBatch, (Option<String>, String)> {
    let tensors = outputs.output_tensors();
    let is_unknown = |name: &&String| tensors.iter().all(|tensor| tensor.name != name.as_str());
    if let Some(name) = values.keys().find(is_unknown) {
        let near = suggest(name, tensors.iter().map(|tensor| tensor.name));
        let near = near.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
        return Err((Some(name.clone()), format!("the endpoint has no output `{name}`{near}")));
    }
    let (mut fields, mut columns): (Vec<Field>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
    for tensor in &tensors {
        let Some(value) = values.get(tensor.name) else {
            return Err((None, format!("the output `{}` has no value", tensor.name)));
        };
        let wrong = || (Some(tensor.name.to_owned()), format!("`{value}` is not {}", tensor.datatype));
        if tensor.width.is_some() {
            let message = format!("the output `{}` has several numbers, and cannot be fixed", tensor.name);
            return Err((Some(tensor.name.to_owned()), message));
        }
        let column: ArrayRef = match tensor.datatype {
            DataType::Fp64 => Arc::new(Float64Array::from(vec![value.as_f64().ok_or_else(wrong)?])),
            DataType::Int64 => Arc::new(Int64Array::from(vec![value.as_i64().ok_or_else(wrong)?])),
            DataType::Bool => Arc::new(BooleanArray::from(vec![value.as_bool().ok_or_else(wrong)?])),
            DataType::Bytes => Arc::new(StringArray::from(vec![value.as_str().ok_or_else(wrong)?])),
        };
        fields.push(Field::new(tensor.name, column.data_type().clone(), true));
        columns.push(column);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|error| (None, error.to_string()))
}
