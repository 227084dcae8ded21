//! What is known about examples: statistics, schemas, anomalies, drift, rules, and reports of them.
//!
//! [`StatisticsGen`], [`SchemaGen`] and [`ExampleValidator`] are the components; [`compute_statistics`], [`infer_schema`],
//! [`validate`] and [`compare`] are what they call.

mod alerts;
mod artifact_file;
mod counted;
mod drift;
mod example_validator;
mod report;
mod rules;
mod schema;
mod schema_gen;
mod statistics;
mod statistics_file;
mod statistics_gen;
mod validation;

pub use alerts::{Alert, AlertKind, alerts, first_of_each_kind};
pub use drift::{
    CellDistances, Comparison, DriftReport, FeatureDistance, FeatureDrift, Measured, NotCompared, cell_distances,
    compare, default_comparators, distances, movement,
};
pub use example_validator::{Distances, ExampleValidator, read_anomalies, read_distances};
pub use report::{attention_score, render_drift_report, render_report};
pub use rules::{ROW_COLUMN, RowSource, Rule, RuleEngine, SplitRows, read_rules};
pub use schema::{
    DOMAIN_VALUES_MAX, Offer, SchemaChange, SchemaError, SchemaIssue, SchemaUpdate, infer_schema, inferred_yaml,
    parse_schema, read_schema, read_schema_with_notes, schema_diff, schema_from_pbtxt, schema_to_pbtxt, schema_yaml,
    semantic_offers, update_schema,
};
pub use schema_gen::{SchemaGen, read_schema_artifact};
pub use statistics::{
    Computation, DatasetAccumulator, Open, QuantileSketch, StateError, StateInput, StatisticsError, StatisticsOptions,
    Stored, compute_statistics, is_sample_rate,
};
pub use statistics_file::{StatisticsFileError, read_statistics_file, statistics_in, write_statistics_file};
pub use statistics_gen::{StatisticsGen, read_statistics};
pub use validation::{DEFAULT_ENVIRONMENT, STRAY_SHARE, look_at_rows, validate};
