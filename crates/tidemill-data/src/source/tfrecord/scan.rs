//! The first reading of a file: rules, records, columns and types.

use std::collections::HashMap;
use std::path::Path;

use rayon::prelude::*;

use super::frame::{Block, Frames};
use super::{lengths, of_record};
use crate::source::block::blocks_at_once;
use crate::source::rows::{Seen, Value};
use crate::source::value::{CellKinds, Shape};
use crate::{BATCH_ROWS_MAX, DataError};
use tidemill_proto::example::{Features, Values, read_example};

/// Reads a file once: checks every rule, counts the records, finds the columns and decides the type of each.
pub(in crate::source) fn scan(path: &Path) -> Result<(Vec<(String, Shape)>, u64), DataError> {
    let mut frames = Frames::open(path)?;
    let (mut all, mut rows) = (Look::default(), 0);
    loop {
        let group = frames.next_blocks(blocks_at_once(), BATCH_ROWS_MAX)?;
        if group.is_empty() {
            break;
        }
        let scanned: Vec<_> = group.par_iter().map(|block| scan_block(path, block)).collect();
        for result in scanned {
            let (found, count) = result?;
            all.join(&found).map_err(|message| DataError::malformed(path, None, message))?;
            rows += count;
        }
    }
    if rows == 0 {
        return Err(DataError::SourceEmpty { path: path.to_owned(), header_only: false });
    }
    let columns = all.seen.into_columns();
    if columns.is_empty() {
        return Err(DataError::malformed(path, None, "no record has a feature"));
    }
    Ok((columns, rows))
}

fn scan_block(path: &Path, block: &Block) -> Result<(Look, u64), DataError> {
    let (mut look, mut rows) = (Look::default(), 0);
    for record in block.records() {
        rows += 1;
        look.record = record.number;
        look.seen.new_row();
        read_example(record.bytes, &mut look)
            .map_err(|message| of_record(path, record.number, record.offset, &message))?;
    }
    Ok((look, rows))
}

/// Looks at columns and types, and that a feature has one kind.
#[derive(Default)]
struct Look {
    seen: Seen,
    kinds: HashMap<String, Kinds>,
    record: u64,
}

/// The first record in which a feature has numbers, and that in which it has bytes; 0: none so far.
#[derive(Debug, Clone, Copy, Default)]
struct Kinds {
    numbers: u64,
    bytes: u64,
}

impl Kinds {
    fn check(self, name: &str) -> Result<(), String> {
        if self.numbers > 0 && self.bytes > 0 {
            return Err(format!(
                "feature `{name}` holds numbers in record {} and bytes in record {}",
                self.numbers, self.bytes
            ));
        }
        Ok(())
    }
}

impl Look {
    fn join(&mut self, other: &Self) -> Result<(), String> {
        self.seen.join(&other.seen)?;
        for (name, found) in &other.kinds {
            let known = self.kinds.entry(name.clone()).or_default();
            if known.numbers == 0 {
                known.numbers = found.numbers;
            }
            if known.bytes == 0 {
                known.bytes = found.bytes;
            }
            known.check(name)?;
        }
        Ok(())
    }
}

impl Features for Look {
    fn feature(&mut self, name: &str, values: Values<'_>) -> Result<(), String> {
        self.look(name, values, false)
    }

    fn sequence(&mut self, name: &str, values: Values<'_>, steps: &[usize]) -> Result<(), String> {
        self.look(name, values, true)?;
        if steps.iter().any(|step| *step != 1) {
            let name = lengths(name);
            if !self.seen.note(&name, Shape { kinds: CellKinds::INT, is_list: true })? {
                return Err(format!("feature `{name}` is there, and the name is that of the lengths of a list"));
            }
        }
        Ok(())
    }
}

impl Look {
    fn look(&mut self, name: &str, values: Values<'_>, is_list: bool) -> Result<(), String> {
        let (kinds, count) = match values {
            Values::Unset => (CellKinds::NOTHING, 0),
            Values::Bytes(values) => {
                let kinds = values.iter().map(|bytes| Value::Bytes(bytes).kinds());
                (kinds.fold(CellKinds::NOTHING, CellKinds::join), values.len())
            }
            Values::Floats(values) => {
                (if values.is_empty() { CellKinds::NOTHING } else { CellKinds::FRACTION }, values.len())
            }
            Values::Ints(values) => (if values.is_empty() { CellKinds::NOTHING } else { CellKinds::INT }, values.len()),
        };
        if !self.seen.note(name, Shape { kinds, is_list: is_list || count > 1 })? {
            return Err(format!("feature `{name}` is there twice"));
        }
        if count == 0 {
            return Ok(());
        }
        if !self.kinds.contains_key(name) {
            self.kinds.insert(name.to_owned(), Kinds::default());
        }
        let Some(kinds) = self.kinds.get_mut(name) else { return Ok(()) };
        let first = if matches!(values, Values::Bytes(_)) { &mut kinds.bytes } else { &mut kinds.numbers };
        if *first == 0 {
            *first = self.record;
            kinds.check(name)?;
        }
        Ok(())
    }
}
