//! Input files of a command, and how they are written.

use std::path::Path;

use tidemill_data::{CsvOptions, Format, Header, ReadOptions, Table};

use super::say;
use super::schema::read;
use crate::cli::{Global, InputArgs};
use tidemill_core::Failure;
use tidemill_project::connectors;

impl InputArgs {
    /// What the flags say of how files are read.
    pub fn options(&self) -> ReadOptions {
        let default = CsvOptions::default();
        let csv = CsvOptions {
            delimiter: self.delimiter,
            quote: self.quote.map_or(default.quote, |quote| quote.0),
            null_tokens: self.null_tokens.clone(),
            decimal: self.decimal.unwrap_or(default.decimal),
            header: match (&self.columns, self.no_header) {
                (Some(names), _) => Header::Names(names.clone()),
                (None, true) => Header::Numbered,
                (None, false) => Header::FirstLine,
            },
        };
        ReadOptions { format: self.format, csv, ..ReadOptions::default() }.with_types(self.types.iter().cloned())
    }

    /// The same, with the types of a schema file for the columns that the flags do not mention.
    pub fn options_by(&self, schema: Option<&Path>, global: &Global) -> Result<ReadOptions, Failure> {
        let options = self.options();
        Ok(match schema {
            Some(schema) => options.with_hints(&read(schema, global)?),
            None => options,
        })
    }
}

/// Opens two tables that are compared: a column that is text in one is text in the other.
pub fn open_pair(paths: [&Path; 2], options: &ReadOptions, global: &Global) -> Result<[Table; 2], Failure> {
    let [a, b] = paths.map(|path| open_input(path, options, global));
    let (a, b) = (a?, b?);
    let common = a.common_types(&b);
    if common.fields().is_empty() {
        return Ok([a, b]);
    }
    let options = options.clone().with_schema(&common);
    Ok([a.reopen(paths[0], &options)?, b.reopen(paths[1], &options)?])
}

/// As [`open_input`], for a first look: a CSV file that has one column as it is read, and several with another delimiter,
/// is read with that one. Gives the options it was read with too.
pub fn open_unknown(path: &Path, options: ReadOptions, global: &Global) -> Result<(Table, ReadOptions), Failure> {
    const DELIMITERS: [u8; 3] = [b';', b'\t', b'|'];
    let table = connectors().table(path, &options);
    let is_one_column = |table: &Table| {
        table.format() == Format::Csv && table.schema().fields().len() == 1 && options.csv.delimiter.is_none()
    };
    if table.as_ref().is_ok_and(is_one_column) {
        for delimiter in DELIMITERS {
            let mut other = options.clone();
            other.csv.delimiter = Some(delimiter);
            if connectors().table(path, &other).is_ok_and(|table| table.schema().fields().len() > 1) {
                let name = if delimiter == b'\t' { "tab".to_owned() } else { char::from(delimiter).to_string() };
                say(global, &format!("cells are separated by `{name}` (`--delimiter` sets it)"));
                return Ok((open_input(path, &other, global)?, other));
            }
        }
    }
    Ok((open_input(path, &options, global)?, options))
}

/// Opens a file, a folder, a glob or a URL; what is odd about it is said.
pub fn open_input(path: &Path, options: &ReadOptions, global: &Global) -> Result<Table, Failure> {
    let table = connectors().table(path, options)?;
    for warning in table.warnings() {
        say(global, &format!("warning: {warning}"));
    }
    Ok(table)
}
