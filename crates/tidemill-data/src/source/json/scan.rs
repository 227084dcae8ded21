//! The first reading of a file: rules, rows, columns and types.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use rayon::prelude::*;

use super::line::{LineError, Sink, read_line};
use super::{Unit, lines, located, open};
use crate::DataError;
use crate::source::block::{Block, blocks_at_once};
use crate::source::rows::{Seen, Value};
use crate::source::value::{CellKinds, Shape};

/// Reads a file once: checks every rule, counts the rows, finds the columns and decides the type of each.
///
pub(in crate::source) fn scan(path: &Path) -> Result<Scan, DataError> {
    let (mut blocks, unit) = open(path)?;
    let (mut seen, mut rows, mut line) = (Seen::default(), 0, 1);
    let mut nested: BTreeMap<String, &'static str> = BTreeMap::new();
    loop {
        let group = blocks.next_blocks(blocks_at_once())?;
        if group.is_empty() {
            break;
        }
        let scanned: Vec<_> = group.par_iter().map(|block| scan_block(path, unit, block)).collect();
        for (result, block) in scanned.into_iter().zip(&group) {
            let found = result?;
            line = block.line;
            seen.join(&found.seen).map_err(|message| located(path, unit, line, LineError { column: 1, message }))?;
            nested.extend(found.nested);
            rows += found.row;
        }
    }
    let mut columns = seen.into_columns();
    if rows == 0 {
        return Err(DataError::SourceEmpty { path: path.to_owned(), header_only: false });
    }
    if columns.is_empty() {
        return Err(DataError::malformed(path, Some(line), "no row has a key"));
    }
    columns.retain(|(name, _)| !nested.contains_key(name));
    let why = |what: &str| format!("holds a list of {what}; lists of single values are read");
    let left_out = nested.into_iter().map(|(name, what)| (name, why(what))).collect();
    Ok(Scan { columns, left_out, rows, torn: blocks.torn_line() })
}

/// What a file holds.
pub(in crate::source) struct Scan {
    pub(in crate::source) columns: Vec<(String, Shape)>,
    /// Columns that are left out, with the reason.
    pub(in crate::source) left_out: Vec<(String, String)>,
    pub(in crate::source) rows: u64,
    /// A last line that is cut off and left out.
    pub(in crate::source) torn: Option<u64>,
}

fn scan_block(path: &Path, unit: Unit, block: &Block) -> Result<Look, DataError> {
    let text = block.text(path)?;
    let mut look = Look::default();
    for (number, line) in lines(block, text) {
        look.row += 1;
        look.seen.new_row();
        read_line(line, &mut look).map_err(|error| located(path, unit, number, error))?;
    }
    Ok(look)
}

/// Looks at columns and types, and that no key is there twice.
#[derive(Default)]
struct Look {
    seen: Seen,
    /// For each path of an object, the row that had it last.
    objects: HashMap<String, u64>,
    /// Paths with lists of what is not a single value.
    nested: BTreeMap<String, &'static str>,
    row: u64,
}

impl Sink for Look {
    fn value(&mut self, path: &str, value: Option<Value<'_>>) -> Result<(), String> {
        let kinds = value.as_ref().map_or(CellKinds::NOTHING, Value::kinds);
        self.note(path, kinds.into())
    }

    fn list(&mut self, path: &str) -> Result<(), String> {
        self.note(path, Shape { kinds: CellKinds::NOTHING, is_list: true })
    }

    fn element(&mut self, _: &str, value: Option<Value<'_>>) -> Result<(), String> {
        self.seen.note_more(value.as_ref().map_or(CellKinds::NOTHING, Value::kinds));
        Ok(())
    }

    fn end_list(&mut self, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn nested(&mut self, path: &str, what: &'static str) -> Result<(), String> {
        if !self.nested.contains_key(path) {
            self.nested.insert(path.to_owned(), what);
        }
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
