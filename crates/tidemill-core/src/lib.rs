//! The vocabulary of Tidemill: what every other crate means when it says artifact, component, schema,
//! statistics, anomaly, signature or error code.
//!
//! Nothing here does I/O and nothing here knows another crate of the project. A word is defined once, in the
//! module that carries its name.

mod anomaly;
mod artifact;
mod auc;
pub mod calendar;
mod code;
mod comparator;
mod component;
mod diagnostic;
mod digest;
mod domain;
mod element;
mod failure;
mod feedback;
pub mod markup;
mod params;
mod progress;
mod query;
mod record_check;
mod schema;
mod signature;
mod splitmix;
mod statistics;
mod table;
mod task;
mod text;
mod time_pattern;
mod time_span;
mod value_rule;

pub use anomaly::{Anomalies, Anomaly, AnomalyType, Evidence, Severity};
pub use artifact::{ArtifactType, Properties};
pub use auc::RocArea;
pub use code::{Code, Coded, GrpcStatus, Kind};
pub use comparator::{Bins, Comparators, DatasetConstraints, Distance, FractionBounds};
pub use component::{
    CancelFlag, Component, ComponentError, ComponentSpec, Expectation, ExternalInput, Gate, InputArtifact, InputSource,
    InputSpec, Outcome, OutputSpec, Preview, Promise, RunInfo, StepContext, Verdict, Wanted,
};
pub use diagnostic::{Diagnostic, InvalidFile, line_and_column};
pub use digest::{Digest, DigestError};
pub use domain::{Domain, TimeUnit};
pub use element::ElementType;
pub use failure::{Failure, fresh_causes, io_reason};
pub use feedback::Feedback;
pub use params::{ParamIssue, add_issues, advice_for, advise, parse_params, parse_params_partly, suggest};
pub use progress::{NoProgress, Progress};
pub use query::{RankedQuery, rank_discount, rank_gain};
pub use record_check::{FeatureCheck, Finding, RecordCheck};
pub use schema::{
    Bounds, Feature, FeatureType, InvalidEntry, Lifecycle, Presence, Schema, Semantic, SparseFeature, UniqueCount,
    ValueCount, WeightedFeature,
};
pub use signature::{DataType, RowShape, Signature, TensorGroup, TensorSpec, TensorView};
pub use splitmix::SplitMix64;
pub use statistics::{
    BooleanStatistics, Bucket, BytesStatistics, CommonStatistics, CompactHistogram, CrossStatistics, CustomStatistic,
    CustomValue, DatasetStatistics, DatasetWeight, Extent, FeatureStatistics, Histogram, ImageStatistics, LabelCount,
    LanguageStatistics, LevelStatistics, LiftStatistics, LiftValue, NumericCross, NumericStatistics, RankBucket,
    SliceFamily, SliceStatistics, SplitStatistics, StringStatistics, TimeStatistics, ValencyStatistics, ValueCounts,
    ValueFrequency, ValueMap, ValueSample, ValueWeight, WeightedBooleanStatistics, WeightedNumericStatistics,
    WeightedStatistics, WeightedStringStatistics,
};
pub use table::{SummaryTable, Tone};
pub use task::{LabelSet, Task, TaskKind};
pub use text::{grouped, shortened};
pub use time_pattern::TimePattern;
pub use time_span::{seconds_of_span, span_of_seconds};
pub use value_rule::{FeatureValue, ValueRule, Violation};
