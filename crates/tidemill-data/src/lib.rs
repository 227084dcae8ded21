//! Examples: sources, formats, spans, splits, differences of tables, sample data.
//!
//! [`open_table`] reads files as people have them, [`ExampleGen`] turns them into an artifact of named splits, and
//! [`Examples`] reads that artifact back.

mod column_type;
mod condition;
mod connect;
mod diff;
mod error;
mod example_gen;
mod examples;
mod groups;
mod hold_out;
mod reader;
mod repeats;
mod sample;
mod source;
mod split;
mod time_split;

pub use column_type::{data_type_of, element_type, is_column_type, list_of, parse_column_type};
pub use condition::{ConditionLanguage, RowCondition};
pub use connect::{Connectors, Database, FileStore, Query, QueryValue, RemoteFile, dataset_name};
pub use diff::{
    ChangedCell, ChangedRow, ColumnDiff, DiffOptions, FrequentChange, SampleRow, Samples, Sides, TableDiff, diff_tables,
};
pub use error::DataError;
pub use example_gen::{ExampleGen, inferred_types_mark};
pub use examples::{
    ColumnInfo, ConditionInfo, Examples, ExamplesManifest, ExamplesPiece, ExamplesWriter, HistoryInfo, Provenance,
    ShardInfo, SourceFile, SpanInfo, SplitInfo,
};
pub use groups::{GroupNumbers, GroupProblem};
pub use hold_out::{HoldOut, HoldOutBy};
pub use reader::{BATCH_ROWS_MAX, BatchReader};
pub use sample::{Plant, TaxiOptions, UnknownPlant, generate_taxi, write_taxi};
pub use source::{
    CsvOptions, Decimal, Format, Header, ReadOptions, Table, TableFile, check_text_columns, open_table, parse_decimal,
    parse_delimiter, parse_quote, write_table,
};
