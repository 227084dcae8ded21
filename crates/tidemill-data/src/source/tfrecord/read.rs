//! The second reading of a file: records to columns.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::frame::{Block, Frames};
use super::{lengths, of_record};
use crate::DataError;
use crate::column_type::element_type;
use crate::reader::batch_rows;
use crate::source::block::blocks_at_once;
use crate::source::groups::Groups;
use crate::source::rows::{Rows, Value, places};
use tidemill_proto::example::{Features, Values, read_example};

/// The rows of one file as batches.
pub(in crate::source) struct TfRecordReader {
    layout: Layout,
    frames: Frames,
    groups: Groups,
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
        groups: Groups::default(),
    })
}

impl Iterator for TfRecordReader {
    type Item = Result<RecordBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Self { layout, frames, groups } = self;
        let rows_max = batch_rows(layout.schema.fields().len());
        groups.next(
            || frames.next_blocks(blocks_at_once(), rows_max),
            |block| layout.read_block(block).map(|batch| vec![batch]),
        )
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

    fn sequence(&mut self, name: &str, values: Values<'_>, steps: &[usize]) -> Result<(), String> {
        // A list of no values is a list all the same.
        self.feature(name, if values == Values::Unset { Values::Ints(&[]) } else { values })?;
        let name = lengths(name);
        if !self.layout.places.contains_key(&name) {
            return Ok(());
        }
        let set = self.set(&name, true, steps.iter().map(|step| Value::Int(*step as i64)));
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
