//! Records to columns.

use std::collections::{HashMap, HashSet};
use std::io::Cursor;
use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use arrow_avro::reader::{Reader, ReaderBuilder};
use rayon::prelude::*;
use serde_json::Value;

use super::container::{Container, Records};
use super::{no_avro, of_block};
use crate::column_type::element_type;
use crate::reader::batch_rows;
use crate::source::block::blocks_at_once;
use crate::source::columns::FileColumns;
use crate::source::convert::{Doubt, convert};
use crate::source::groups::Groups;
use crate::source::nested::{Leaf, Leaves, values_at};

use crate::{BATCH_ROWS_MAX, DataError};

/// The columns of a file, with the types they are read as, and its rows. Every block is looked at and every record
/// decoded, so that nothing is wrong with the file when its rows are read.
pub(in crate::source) fn columns(path: &Path) -> Result<FileColumns, DataError> {
    let mut container = Container::open(path)?;
    let decoder = Decoder::new(path, &container.schema)?;
    let mut leaves = decoder.leaves()?;
    let mut seen = HashSet::new();
    if let Some(leaf) = leaves.read.iter().find(|leaf| !seen.insert(&leaf.name)) {
        return Err(DataError::DuplicateColumn { path: path.to_owned(), column: leaf.name.clone() });
    }
    let open: Vec<(usize, Doubt)> =
        leaves.read.iter().enumerate().filter_map(|(i, leaf)| Some((i, leaf.doubt?))).collect();
    let mut founded = HashSet::new();
    let mut rows = 0;
    loop {
        let groups = container.next_groups(blocks_at_once(), BATCH_ROWS_MAX)?;
        if groups.is_empty() {
            break;
        }
        let look = |records: &Records| {
            let batch = decoder.decode(records)?;
            let is_founded = |(i, doubt): &&(usize, Doubt)| {
                values_at(batch.columns(), &leaves.read[*i].path).is_none_or(|array| !doubt.is_unfounded(&array))
            };
            Ok::<_, DataError>(open.iter().filter(is_founded).map(|(i, _)| *i).collect::<Vec<usize>>())
        };
        let looked: Vec<_> = groups.par_iter().map(look).collect();
        for (found, group) in looked.into_iter().zip(&groups) {
            founded.extend(found?);
            rows += group.count as u64;
        }
    }
    let long = leaves.settle(|i| founded.contains(&i));
    let Leaves { read, left_out, warnings } = leaves;
    let columns = read.into_iter().map(|leaf| (leaf.name, leaf.data_type));
    Ok(FileColumns { left_out, long, warnings, ..FileColumns::fixed(columns, rows) })
}

/// Reads the columns of `schema`, by name, as the types of `schema`.
pub(in crate::source) fn read(path: &Path, schema: &SchemaRef) -> Result<AvroReader, DataError> {
    let container = Container::open(path)?;
    let decoder = Decoder::new(path, &container.schema)?;
    let by_name: HashMap<String, Leaf> =
        decoder.leaves()?.read.into_iter().map(|leaf| (leaf.name.clone(), leaf)).collect();
    let leaf = |field: &FieldRef| {
        by_name.get(field.name()).cloned().ok_or_else(|| DataError::ColumnNotFound {
            path: path.to_owned(),
            column: field.name().clone(),
            nearest: None,
        })
    };
    let leaves = schema.fields().iter().map(leaf).collect::<Result<_, _>>()?;
    Ok(AvroReader { container, layout: Layout { decoder, leaves, schema: schema.clone() }, groups: Groups::default() })
}

/// The rows of one file as batches.
pub(in crate::source) struct AvroReader {
    container: Container,
    layout: Layout,
    groups: Groups,
}

struct Layout {
    decoder: Decoder,
    leaves: Vec<Leaf>,
    schema: SchemaRef,
}

impl Iterator for AvroReader {
    type Item = Result<RecordBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Self { container, layout, groups } = self;
        let rows_max = batch_rows(layout.schema.fields().len());
        groups.next(
            || container.next_groups(blocks_at_once(), rows_max),
            // A single block may hold more rows than a batch.
            |records| layout.read(records).map(|batch| pieces(&batch)),
        )
    }
}

fn pieces(batch: &RecordBatch) -> Vec<RecordBatch> {
    let starts = (0..batch.num_rows()).step_by(BATCH_ROWS_MAX);
    starts.map(|start| batch.slice(start, BATCH_ROWS_MAX.min(batch.num_rows() - start))).collect()
}

impl Layout {
    fn read(&self, records: &Records) -> Result<RecordBatch, DataError> {
        let batch = self.decoder.decode(records)?;
        let path = &self.decoder.path;
        let column = |(field, leaf): (&FieldRef, &Leaf)| {
            let array: ArrayRef = values_at(batch.columns(), &leaf.path)
                .ok_or_else(|| no_avro(path, &format!("column `{}` is not where it was", leaf.name)))?;
            convert(&array, field.data_type()).map_err(|message| DataError::ColumnType {
                path: path.clone(),
                line: None,
                column: field.name().clone(),
                message,
            })
        };
        let columns = self.schema.fields().iter().zip(&self.leaves).map(column).collect::<Result<_, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }
}

/// Decodes records of one schema.
struct Decoder {
    path: PathBuf,
    /// The beginning of a file of the same schema that is not compressed.
    header: Vec<u8>,
    schema: SchemaRef,
}

/// The marker of the files that are made for decoding.
const SYNC: [u8; 16] = [0; 16];

impl Decoder {
    fn new(path: &Path, avro_schema: &[u8]) -> Result<Self, DataError> {
        let mut schema: Value = serde_json::from_slice(avro_schema)
            .map_err(|error| no_avro(path, &format!("its schema is no JSON: {error}")))?;
        leave_uuids(&mut schema);
        let mut header = b"Obj\x01\x02".to_vec();
        put_bytes(b"avro.schema", &mut header);
        put_bytes(schema.to_string().as_bytes(), &mut header);
        header.push(0);
        header.extend(SYNC);
        let schema =
            guarded(|| Ok(Self::open(header.clone(), 1)?.schema())).map_err(|message| no_avro(path, &message))?;
        Ok(Self { path: path.to_owned(), header, schema })
    }

    fn open(file: Vec<u8>, rows: usize) -> Result<Reader<Cursor<Vec<u8>>>, String> {
        let builder = ReaderBuilder::new().with_batch_size(rows);
        builder.build(Cursor::new(file)).map_err(|error| error.to_string())
    }

    fn leaves(&self) -> Result<Leaves, DataError> {
        let leaves = Leaves::of(self.schema.fields());
        if leaves.read.is_empty() && leaves.left_out.is_empty() {
            return Err(no_avro(&self.path, "its schema has no fields"));
        }
        // Nulls take no bytes: a list of them could be as long as it says.
        let refuse = |column: &str, message: &str| DataError::ColumnType {
            path: self.path.clone(),
            line: None,
            column: column.to_owned(),
            message: message.to_owned(),
        };
        match leaves.read.iter().find(|leaf| element_type(&leaf.data_type) == Some(&DataType::Null)) {
            Some(leaf) => Err(refuse(&leaf.name, "is a list of nulls, which is not read")),
            None => Ok(leaves),
        }
    }

    /// The records as one batch, as the file has them.
    ///
    /// They are given to the decoder as a file of one block, and it is asked for one batch of exactly so many rows: asked
    /// again, it would look for ever for the rows of bytes that are left over.
    fn decode(&self, records: &Records) -> Result<RecordBatch, DataError> {
        let damaged = |message: String| {
            of_block(&self.path, records.number, records.offset, &format!("its records cannot be read: {message}"))
        };
        let decode = || {
            let mut file = Vec::with_capacity(self.header.len() + records.bytes.len() + 64);
            file.extend_from_slice(&self.header);
            put_long(records.count as i64, &mut file);
            put_bytes(&records.bytes, &mut file);
            file.extend(SYNC);
            let batch = Self::open(file, records.count)?.next().transpose().map_err(|error| error.to_string())?;
            batch.ok_or_else(|| "there are none".to_owned())
        };
        let batch = guarded(decode).map_err(damaged)?;
        if batch.num_rows() != records.count {
            return Err(damaged(format!("{} of {} are there", batch.num_rows(), records.count)));
        }
        Ok(batch)
    }
}

/// Takes away that text is a UUID, which the decoder would make sixteen bytes of.
fn leave_uuids(schema: &mut Value) {
    match schema {
        Value::Array(types) => types.iter_mut().for_each(leave_uuids),
        Value::Object(keys) => {
            if keys.get("logicalType").is_some_and(|logical| logical == "uuid") {
                keys.remove("logicalType");
            }
            keys.values_mut().for_each(leave_uuids);
        }
        _ => {}
    }
}

/// Runs the decoder, which may panic on damaged bytes instead of giving an error.
fn guarded<T>(decode: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err("its bytes contradict each other".to_owned()))
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_long(bytes.len() as i64, out);
    out.extend_from_slice(bytes);
}

fn put_long(value: i64, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
