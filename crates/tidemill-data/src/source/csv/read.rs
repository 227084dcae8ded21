//! The second reading of a file: cells to columns.

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};

use super::cells::{Cell, CellReader};
use super::column::{ColumnBuilder, ColumnCells, text_of};
use super::{Opened, RUN_CELLS, located, open};
use crate::source::block::Block;
use crate::source::dialect::Dialect;
use crate::source::groups::Groups;
use crate::{BATCH_ROWS_MAX, DataError};

/// The rows of one file as batches.
pub(in crate::source) struct CsvReader {
    file: Opened,
    layout: Layout,
    groups: Groups,
}

/// Where which columns are, and as what they are read.
struct Layout {
    path: PathBuf,
    dialect: Dialect,
    schema: SchemaRef,
    /// For each column of the schema, its place in the file.
    positions: Vec<usize>,
    /// Columns of the file.
    stride: usize,
    /// The delimiter that would fit, where the file has one column.
    other: Option<(u8, usize)>,
}

/// Reads the columns of `schema`, by name, as the types of `schema`.
pub(in crate::source) fn read(path: &Path, dialect: &Dialect, schema: SchemaRef) -> Result<CsvReader, DataError> {
    let file = open(path, dialect)?;
    let positions = schema
        .fields()
        .iter()
        .map(|field| {
            file.names.iter().position(|name| name == field.name()).ok_or_else(|| DataError::ColumnNotFound {
                path: path.to_owned(),
                column: field.name().clone(),
                nearest: None,
            })
        })
        .collect::<Result<_, _>>()?;
    let stride = file.names.len();
    let other = file.other;
    let layout = Layout { path: path.to_owned(), dialect: dialect.clone(), schema, positions, stride, other };
    Ok(CsvReader { file, layout, groups: Groups::default() })
}

impl Iterator for CsvReader {
    type Item = Result<RecordBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Self { file, layout, groups } = self;
        groups.next(|| file.next_group(), |block| layout.read_block(block))
    }
}

impl Layout {
    fn read_block(&self, block: &Block) -> Result<Vec<RecordBatch>, DataError> {
        let text = block.text(&self.path)?;
        let run_rows = (RUN_CELLS / self.stride).clamp(1, BATCH_ROWS_MAX);
        let (mut reader, mut cells) = (CellReader::new(block, self.dialect.marks), Vec::new());
        let mut batches = Vec::new();
        let mut rows_expected = BATCH_ROWS_MAX.min(block.bytes.len() / (self.stride * 4) + 16);
        loop {
            let mut builders = self.builders(rows_expected);
            let mut rows = 0;
            while rows < BATCH_ROWS_MAX {
                let run = reader.next_rows(&mut cells, self.stride, run_rows.min(BATCH_ROWS_MAX - rows)).map_err(
                    |fault| located(&self.path, block, &fault, self.stride, &self.dialect.header, self.other),
                )?;
                if run == 0 {
                    break;
                }
                for (i, builder) in builders.iter_mut().enumerate() {
                    let column = self.positions[i];
                    let dialect = &self.dialect;
                    let run = ColumnCells { text, cells: &cells, column, stride: self.stride, dialect };
                    builder
                        .append(run)
                        .map_err(|row| self.misfit(block, text, i, cells[row * self.stride + column]))?;
                }
                rows += run;
            }
            if rows == 0 {
                return Ok(batches);
            }
            let columns = builders.into_iter().map(ColumnBuilder::finish).collect();
            let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
            batches.push(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?);
            rows_expected = rows;
        }
    }

    fn builders(&self, rows: usize) -> Vec<ColumnBuilder> {
        self.schema.fields().iter().map(|field| ColumnBuilder::new(field.data_type(), rows)).collect()
    }

    /// The error for a cell that does not have the type of column `i` of the schema.
    fn misfit(&self, block: &Block, text: &str, i: usize, cell: Cell) -> DataError {
        let field = self.schema.field(i);
        let kind = match field.data_type() {
            DataType::Int64 => "a whole number of 64 bits",
            DataType::Float64 => "a number",
            _ => "`true` or `false`",
        };
        let shown: String = text_of(text, cell, &self.dialect).chars().take(40).collect();
        DataError::ColumnType {
            path: self.path.clone(),
            line: Some(block.line_at(cell.range().start)),
            column: field.name().clone(),
            message: format!("is `{shown}`, which is not {kind}"),
        }
    }
}
