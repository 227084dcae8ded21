//! The second reading of a file: records to columns.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use rayon::prelude::*;

use super::example::{Features, Values, read_example};
use super::frame::{Block, Frames};
use super::of_record;
use crate::DataError;
use crate::column_type::element_type;
use crate::reader::batch_rows;
use crate::source::block::blocks_at_once;
use crate::source::rows::{Rows, Value, places};

/// The rows of one file as batches.
pub(in crate::source) struct TfRecordReader {
    layout: Layout,
    frames: Frames,
    ready: std::vec::IntoIter<RecordBatch>,
}

/// What is read from where.
struct Layout {
    path: PathBuf,
    schema: SchemaRef,
    places: Arc<HashMap<String, usize>>,
}

/// Reads the columns of `schema`, by name, as the types of `schema`; a column that the file does not have is missing
/// in every row.
pub(in crate::source) fn read(path: &Path, schema: &SchemaRef) -> Result<TfRecordReader, DataError> {
    Ok(TfRecordReader {
        layout: Layout { path: path.to_owned(), schema: schema.clone(), places: places(schema) },
        frames: Frames::open(path)?,
        ready: Vec::new().into_iter(),
    })
}

impl Iterator for TfRecordReader {
    type Item = Result<RecordBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.ready.next() {
                return Some(Ok(batch));
            }
            let rows_max = batch_rows(self.layout.schema.fields().len());
            let group = match self.frames.next_blocks(blocks_at_once(), rows_max) {
                Ok(group) if group.is_empty() => return None,
                Ok(group) => group,
                Err(error) => return Some(Err(error)),
            };
            let layout = &self.layout;
            let batches: Vec<_> = group.par_iter().map(|block| layout.read_block(block)).collect();
            match batches.into_iter().collect::<Result<Vec<_>, _>>() {
                Ok(batches) => self.ready = batches.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Layout {
    fn read_block(&self, block: &Block) -> Result<RecordBatch, DataError> {
        let mut fill = Fill { rows: Rows::new(&self.schema, self.places.clone()), layout: self };
        for record in block.records() {
            read_example(record.bytes, &mut fill)
                .map_err(|message| of_record(&self.path, record.number, record.offset, &message))?;
            fill.rows.end_row();
        }
        fill.rows.finish()
    }
}

struct Fill<'a> {
    rows: Rows,
    layout: &'a Layout,
}

impl Features for Fill<'_> {
    fn feature(&mut self, name: &str, values: Values<'_>) -> Result<(), String> {
        let Some(place) = self.layout.places.get(name) else { return Ok(()) };
        let is_list = element_type(self.layout.schema.field(*place).data_type()).is_some();
        let set = match values {
            Values::Unset => Ok(()),
            Values::Bytes(values) => self.set(name, is_list, values.iter().map(|value| Value::Bytes(value))),
            Values::Floats(values) => self.set(name, is_list, values.iter().map(|v| Value::Float(f64::from(*v)))),
            Values::Ints(values) => self.set(name, is_list, values.iter().map(|value| Value::Int(*value))),
        };
        set.map_err(|message| format!("feature `{name}` {message}"))
    }
}

impl Fill<'_> {
    fn set<'v>(
        &mut self,
        name: &str,
        is_list: bool,
        mut values: impl ExactSizeIterator<Item = Value<'v>>,
    ) -> Result<(), String> {
        if is_list {
            let Some(place) = self.rows.begin_list(name)? else { return Ok(()) };
            values.try_for_each(|value| self.rows.push_element(place, Some(&value)))?;
            return self.rows.end_list(place);
        }
        match (values.len(), values.next()) {
            (_, None) => Ok(()),
            (1, Some(value)) => self.rows.set(name, &value),
            (several, Some(_)) => Err(format!("has {several} values, and a single one is expected")),
        }
    }
}
