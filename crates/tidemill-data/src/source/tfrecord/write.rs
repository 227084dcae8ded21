//! Writing TFRecord files of `tf.Example`.

use std::io::{self, Write};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use tidemill_proto::tfrecord::append;

/// Writes one `tf.Example` a row, its features in the byte order of their names, so that the same rows give the same
/// bytes.
///
/// Whole numbers and booleans become `int64_list`, other numbers `float_list`, which holds them with 32 bits as
/// `tf.Example` does, text and bytes `bytes_list`. A missing value is no feature at all. A list with a missing value
/// in it is an error.
pub(super) fn write_rows(output: &mut impl Write, batch: &RecordBatch) -> io::Result<()> {
    let schema = batch.schema();
    let mut columns: Vec<(&str, &ArrayRef)> =
        schema.fields().iter().map(|field| field.name().as_str()).zip(batch.columns()).collect();
    columns.sort_by_key(|(name, _)| *name);
    let [mut values, mut feature, mut entry, mut features, mut example, mut record] = [const { Vec::new() }; 6];
    for row in 0..batch.num_rows() {
        features.clear();
        for (name, column) in &columns {
            if column.is_null(row) {
                continue;
            }
            values.clear();
            let kind = encode(name, column, row, &mut values)?;
            feature.clear();
            message(kind, &values, &mut feature);
            entry.clear();
            message(1, name.as_bytes(), &mut entry);
            message(2, &feature, &mut entry);
            message(1, &entry, &mut features);
        }
        example.clear();
        message(1, &features, &mut example);
        record.clear();
        append(&mut record, &example);
        output.write_all(&record)?;
    }
    Ok(())
}

/// The fields of a message.
const BYTES_LIST: u8 = 1;
const FLOAT_LIST: u8 = 2;
const INT64_LIST: u8 = 3;

/// Appends the list of the values of a cell and gives its field in `Feature`.
fn encode(name: &str, column: &ArrayRef, row: usize, out: &mut Vec<u8>) -> io::Result<u8> {
    if let DataType::List(_) = column.data_type() {
        let list = column.as_list::<i32>().value(row);
        if list.null_count() > 0 {
            let message = format!("`{name}` holds a list with a missing value, which tf.Example cannot hold");
            return Err(io::Error::other(message));
        }
        return encode_all(name, &list, out);
    }
    encode_all(name, &column.slice(row, 1), out)
}

fn encode_all(name: &str, array: &ArrayRef, out: &mut Vec<u8>) -> io::Result<u8> {
    let mut packed = Vec::new();
    let kind = match array.data_type() {
        DataType::Int64 => {
            array.as_primitive::<Int64Type>().values().iter().for_each(|value| varint(*value as u64, &mut packed));
            INT64_LIST
        }
        DataType::Boolean => {
            array.as_boolean().values().iter().for_each(|value| packed.push(u8::from(value)));
            INT64_LIST
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>().values();
            packed.extend(values.iter().flat_map(|value| (*value as f32).to_le_bytes()));
            FLOAT_LIST
        }
        DataType::Utf8 => {
            array.as_string::<i32>().iter().flatten().for_each(|text| message(1, text.as_bytes(), out));
            return Ok(BYTES_LIST);
        }
        DataType::Binary => {
            array.as_binary::<i32>().iter().flatten().for_each(|bytes| message(1, bytes, out));
            return Ok(BYTES_LIST);
        }
        other => return Err(io::Error::other(format!("`{name}` has type {other}, which is not written"))),
    };
    if !packed.is_empty() {
        message(1, &packed, out);
    }
    Ok(kind)
}

/// Appends a field that holds bytes.
fn message(number: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(number << 3 | 2);
    varint(content.len() as u64, out);
    out.extend_from_slice(content);
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
