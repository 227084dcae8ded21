//! Examples: sources, formats, splits, statistics, schema inference, validation, reports.
//!
//! [`open_table`] reads files as people have them, [`ExampleGen`] turns them into an artifact of named splits, and
//! [`Examples`] reads that artifact back.

// Rows: reading, splitting, writing.
mod column_type;
mod connect;
mod error;
mod example_gen;
mod examples;
mod reader;
mod repeats;
mod sample;
mod source;
mod split;
mod write;

pub use column_type::{data_type_of, element_type, is_column_type, list_of, parse_column_type};
pub use connect::{Connectors, Database, FileStore, Query, QueryValue, RemoteFile, dataset_name};
pub use error::DataError;
pub use example_gen::{ExampleGen, inferred_types_mark};
pub use examples::{
    ColumnInfo, Examples, ExamplesManifest, ExamplesPiece, ExamplesWriter, HistoryInfo, ShardInfo, SourceFile,
    SpanInfo, SplitInfo,
};
pub use reader::{BATCH_ROWS_MAX, BatchReader};
pub use sample::{Plant, TaxiOptions, UnknownPlant, generate_taxi, write_taxi};
pub use source::{
    CsvOptions, Decimal, Format, Header, ReadOptions, Table, TableFile, open_table, parse_decimal, parse_delimiter,
    parse_quote,
};
pub use write::{check_text_columns, write_table};

// Knowing: statistics, schemas, validation, distances, reports.
mod artifact_file;
mod counted;
mod diff;
mod drift;
mod example_validator;
mod proto;
mod report;
mod rules;
mod schema;
mod schema_gen;
mod statistics;
mod statistics_file;
mod statistics_gen;
mod validation;

pub use diff::{
    ChangedCell, ChangedRow, ColumnDiff, DiffOptions, FrequentChange, SampleRow, Samples, Sides, TableDiff, diff_tables,
};
pub use drift::{
    Comparison, DriftReport, FeatureDistance, FeatureDrift, Measured, compare, default_comparators, distances,
};
pub use example_validator::{Distances, ExampleValidator, read_anomalies, read_distances};
pub use report::{attention_score, markup, render_drift_report, render_report};
pub use rules::{ROW_COLUMN, RowSource, Rule, RuleEngine, SplitRows, read_rules};
pub use schema::{
    DOMAIN_VALUES_MAX, Offer, SchemaChange, SchemaError, SchemaIssue, SchemaUpdate, infer_schema, inferred_yaml,
    parse_schema, read_schema, read_schema_with_notes, schema_diff, schema_from_pbtxt, schema_to_pbtxt, schema_yaml,
    semantic_offers, update_schema,
};
pub use schema_gen::{SchemaGen, read_schema_artifact};
pub use statistics::{
    Computation, DatasetAccumulator, Open, StateError, StateInput, StatisticsError, StatisticsOptions, Stored,
    compute_statistics, is_sample_rate,
};
pub use statistics_file::{StatisticsFileError, read_statistics_file, statistics_in, write_statistics_file};
pub use statistics_gen::{StatisticsGen, read_statistics};
pub use validation::{DEFAULT_ENVIRONMENT, STRAY_SHARE, look_at_rows, validate};
