//! Input files of a command, and how they are written.

use std::path::Path;

use tidemill_data::{CsvOptions, Format, Header, ReadOptions, Table};

use super::say;
use super::schema::read;
use crate::cli::{FormatName, Global, InputArgs};
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
        let format = self.format.map(|format| match format {
            FormatName::Csv => Format::Csv,
            FormatName::Json => Format::Json,
            FormatName::Parquet => Format::Parquet,
            FormatName::Tfrecord => Format::TfRecord,
            FormatName::Avro => Format::Avro,
            FormatName::Images => Format::Images,
            FormatName::Texts => Format::Texts,
        });
        ReadOptions { format, csv, ..ReadOptions::default() }.with_types(self.types.iter().cloned())
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

/// Opens a file, a folder, a glob or a URL; what is odd about it is said.
pub fn open_input(path: &Path, options: &ReadOptions, global: &Global) -> Result<Table, Failure> {
    let table = connectors().table(path, options)?;
    for warning in table.warnings() {
        say(global, &format!("warning: {warning}"));
    }
    Ok(table)
}
