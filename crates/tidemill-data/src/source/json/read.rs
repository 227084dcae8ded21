//! The second reading of a file: lines to columns.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::line::{Sink, read_line};
use super::{Unit, lines, located, open};
use crate::DataError;
use crate::reader::batch_rows;
use crate::source::block::{Block, Blocks, blocks_at_once};
use crate::source::groups::Groups;
use crate::source::rows::{Rows, Value, places};

/// The rows of one file as batches.
pub(in crate::source) struct JsonReader {
    layout: Layout,
    blocks: Blocks,
    /// Pieces of blocks that wait for their turn, the last first.
    waiting: Vec<Piece>,
    groups: Groups,
}

/// What is read from where.
struct Layout {
    path: PathBuf,
    unit: Unit,
    schema: SchemaRef,
    places: Arc<HashMap<String, usize>>,
}

/// Lines of a block, few enough for one batch.
struct Piece {
    block: Arc<Block>,
    range: Range<usize>,
    line: u64,
}

/// Reads the columns of `schema`, by name, as the types of `schema`; a column that the file does not have is missing
/// in every row.
pub(in crate::source) fn read(path: &Path, schema: &SchemaRef) -> Result<JsonReader, DataError> {
    let (blocks, unit) = open(path)?;
    Ok(JsonReader {
        layout: Layout { path: path.to_owned(), unit, schema: schema.clone(), places: places(schema) },
        blocks,
        waiting: Vec::new(),
        groups: Groups::default(),
    })
}

impl Iterator for JsonReader {
    type Item = Result<RecordBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Self { layout, blocks, waiting, groups } = self;
        groups.next(
            || {
                let at_once = blocks_at_once();
                while waiting.len() < at_once {
                    let Some(block) = blocks.next_block()? else { break };
                    let pieces = pieces(block, batch_rows(layout.schema.fields().len()));
                    waiting.splice(0..0, pieces.into_iter().rev());
                }
                let mut group = waiting.split_off(waiting.len().saturating_sub(at_once));
                group.reverse();
                Ok(group)
            },
            |piece| layout.read_piece(piece).map(|batch| vec![batch]),
        )
    }
}

/// Cuts a block after every so many lines.
fn pieces(block: Block, rows: usize) -> Vec<Piece> {
    let block = Arc::new(block);
    let (mut pieces, mut start, mut line, mut count) = (Vec::new(), 0, block.line, 0);
    for at in memchr::memchr_iter(b'\n', &block.bytes) {
        count += 1;
        if count == rows {
            pieces.push(Piece { block: block.clone(), range: start..at + 1, line });
            (start, line, count) = (at + 1, line + rows as u64, 0);
        }
    }
    if start < block.bytes.len() {
        let range = start..block.bytes.len();
        pieces.push(Piece { block, range, line });
    }
    pieces
}

impl Layout {
    fn read_piece(&self, piece: &Piece) -> Result<RecordBatch, DataError> {
        let whole = &piece.block;
        let block = Block {
            bytes: whole.bytes[piece.range.clone()].to_vec(),
            start: 0,
            line: piece.line,
            offset: whole.offset + piece.range.start as u64,
            has_quotes: false,
        };
        let text = block.text(&self.path)?;
        let mut fill = Fill { rows: Rows::new(&self.schema, self.places.clone()), list: None };
        for (number, line) in lines(&block, text) {
            read_line(line, &mut fill).map_err(|error| located(&self.path, self.unit, number, error))?;
            fill.rows.end_row();
        }
        fill.rows.finish()
    }
}

struct Fill {
    rows: Rows,
    /// The column whose list is being read, if it is one that is read.
    list: Option<usize>,
}

impl Sink for Fill {
    fn value(&mut self, path: &str, value: Option<Value<'_>>) -> Result<(), String> {
        match value {
            Some(value) => self.rows.set(path, &value).map_err(|message| of_column(path, &message)),
            None => Ok(()),
        }
    }

    fn object(&mut self, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn list(&mut self, path: &str) -> Result<(), String> {
        self.list = self.rows.begin_list(path).map_err(|message| of_column(path, &message))?;
        Ok(())
    }

    fn element(&mut self, path: &str, value: Option<Value<'_>>) -> Result<(), String> {
        match self.list {
            Some(place) => self.rows.push_element(place, value.as_ref()).map_err(|message| of_column(path, &message)),
            None => Ok(()),
        }
    }

    fn end_list(&mut self, path: &str) -> Result<(), String> {
        match self.list.take() {
            Some(place) => self.rows.end_list(place).map_err(|message| of_column(path, &message)),
            None => Ok(()),
        }
    }

    fn nested(&mut self, path: &str, what: &'static str) -> Result<(), String> {
        match self.list {
            // The column was read as lists of single values before, or is asked for so.
            Some(_) => Err(format!("`{path}` holds a list of {what}; lists of single values can be read")),
            None => Ok(()),
        }
    }
}

fn of_column(path: &str, message: &str) -> String {
    format!("column `{path}` {message}")
}
