//! Files as rows to fit on, and features as a table.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef};
use tidemill_data::{DataError, ReadOptions, Table};

use crate::rows::{RowReader, SplitSource};

/// The rows of files, all of them one split called `train`.
#[derive(Debug, Clone)]
pub struct TableRows {
    table: Table,
    path: std::path::PathBuf,
    options: ReadOptions,
}

impl TableRows {
    /// The files at `path`: one, a folder of them, or a glob.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let options = ReadOptions::default();
        Ok(Self::of(Table::open(path, &options)?, path, options))
    }

    /// The rows of a table that was opened from `path`, or fetched from there, and read as `options` say.
    pub fn of(table: Table, path: &Path, options: ReadOptions) -> Self {
        Self { table, path: path.to_owned(), options }
    }
}

impl SplitSource for TableRows {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn splits(&self) -> Vec<(String, u64)> {
        vec![("train".to_owned(), self.table.files().iter().filter_map(|file| file.rows).sum())]
    }

    fn read<'a>(&'a self, _split: &str, columns: &[&str]) -> Result<RowReader<'a>, DataError> {
        let schema = self.table.schema();
        let fields: Vec<Field> = columns.iter().filter_map(|name| schema.field_with_name(name).ok().cloned()).collect();
        let options = ReadOptions {
            columns: Some(fields.iter().map(|field| field.name().clone()).collect()),
            // A column without any value has no type that could be asked for.
            types: Some(Arc::new(Schema::new(
                fields.into_iter().filter(|field| *field.data_type() != ArrowType::Null).collect::<Vec<_>>(),
            ))),
            ..self.options.clone()
        };
        Ok(Box::new(self.table.reopen(&self.path, &options)?.read()?))
    }
}
