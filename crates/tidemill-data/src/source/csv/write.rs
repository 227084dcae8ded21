//! Writing CSV: a header, commas between cells, tabs in `.tsv`; a missing value is an empty cell.

use std::fs::File;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::csv::{Writer, WriterBuilder};
use arrow::datatypes::SchemaRef;

use super::delimiter_of;
use crate::DataError;
use crate::source::write::{TableWriter, TextOutput};

struct CsvWriter<'a> {
    path: &'a Path,
    cells: Writer<TextOutput<'a>>,
}

pub(super) fn open<'a>(path: &'a Path, file: &'a File, _: &SchemaRef) -> Result<Box<dyn TableWriter + 'a>, DataError> {
    let output = TextOutput::open(path, file)?;
    let cells = WriterBuilder::new().with_header(true).with_delimiter(delimiter_of(path)).build(output);
    Ok(Box::new(CsvWriter { path, cells }))
}

impl TableWriter for CsvWriter<'_> {
    fn write(&mut self, batch: RecordBatch) -> Result<(), DataError> {
        self.cells.write(&batch).map_err(|error| DataError::write(self.path, error))
    }

    fn finish(self: Box<Self>) -> Result<(), DataError> {
        self.cells.into_inner().finish().map_err(|error| DataError::write(self.path, error))
    }
}
