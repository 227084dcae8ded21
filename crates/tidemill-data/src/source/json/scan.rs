//! The first reading of a file: rules, rows, columns and types.

use std::collections::HashMap;
use std::path::Path;

use rayon::prelude::*;

use super::line::{LineError, Sink, read_line};
use super::{lines, located};
use crate::DataError;
use crate::source::block::{Block, Blocks, blocks_at_once};
use crate::source::rows::{Seen, Value};
use crate::source::value::{Guess, Shape};

/// Reads a file once: checks every rule, counts the rows, finds the columns and decides the type of each.
pub(in crate::source) fn scan(path: &Path) -> Result<(Vec<(String, Shape)>, u64), DataError> {
    let mut blocks = Blocks::open(path, None)?;
    let (mut seen, mut rows, mut line) = (Seen::default(), 0, 1);
    loop {
        let group = blocks.next_blocks(blocks_at_once())?;
        if group.is_empty() {
            break;
        }
        let scanned: Vec<_> = group.par_iter().map(|block| scan_block(path, block)).collect();
        for (result, block) in scanned.into_iter().zip(&group) {
            let (found, count) = result?;
            line = block.line;
            seen.join(&found).map_err(|message| located(path, line, LineError { column: 1, message }))?;
            rows += count;
        }
    }
    let columns = seen.into_columns();
    if rows == 0 {
        return Err(DataError::SourceEmpty { path: path.to_owned(), header_only: false });
    }
    if columns.is_empty() {
        return Err(DataError::malformed(path, Some(line), "no row has a key"));
    }
    Ok((columns, rows))
}

fn scan_block(path: &Path, block: &Block) -> Result<(Seen, u64), DataError> {
    let text = block.text(path)?;
    let mut look = Look::default();
    for (number, line) in lines(block, text) {
        look.row += 1;
        look.seen.new_row();
        read_line(line, &mut look).map_err(|error| located(path, number, error))?;
    }
    Ok((look.seen, look.row))
}

/// Looks at columns and types, and that no key is there twice.
#[derive(Default)]
struct Look {
    seen: Seen,
    /// For each path of an object, the row that had it last.
    objects: HashMap<String, u64>,
    row: u64,
}

impl Sink for Look {
    fn value(&mut self, path: &str, value: Option<Value<'_>>) -> Result<(), String> {
        let guess = value.as_ref().map_or(Guess::Nothing, Value::guess);
        self.note(path, guess.into())
    }

    fn list(&mut self, path: &str) -> Result<(), String> {
        self.note(path, Shape { guess: Guess::Nothing, is_list: true })
    }

    fn element(&mut self, _: &str, value: Option<Value<'_>>) -> Result<(), String> {
        self.seen.note_more(value.as_ref().map_or(Guess::Nothing, Value::guess));
        Ok(())
    }

    fn end_list(&mut self, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn object(&mut self, path: &str) -> Result<(), String> {
        let before = match self.objects.get_mut(path) {
            Some(row) => std::mem::replace(row, self.row),
            None => self.objects.insert(path.to_owned(), self.row).unwrap_or(0),
        };
        if before == self.row || self.seen.is_in_row(path) { Err(twice(path)) } else { Ok(()) }
    }
}

impl Look {
    fn note(&mut self, path: &str, shape: Shape) -> Result<(), String> {
        let is_new = self.seen.note(path, shape)?;
        if !is_new || (!self.objects.is_empty() && self.objects.get(path) == Some(&self.row)) {
            return Err(twice(path));
        }
        Ok(())
    }
}

fn twice(path: &str) -> String {
    format!("key `{path}` is there twice")
}
