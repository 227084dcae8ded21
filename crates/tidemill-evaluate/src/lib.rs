//! Sliced evaluation: metrics, slices, confidence intervals, thresholds and the blessing of a model.
//!
//! [`Evaluator`] is the step of a pipeline. Beneath it, [`evaluate`] turns an [`EvaluationTable`] (labels, predictions,
//! slice columns of one split) into an [`Evaluation`], and [`check_thresholds`] applies [`Thresholds`] to an evaluation and
//! returns a [`Blessing`].

mod behaviour;
mod component;
mod counterfactual;
mod effects;
mod error;
mod evaluate;
mod evaluation;
pub mod finder;
mod gate;
mod intervals;
pub mod metrics;
mod normal;
mod report;
mod row_values;
pub mod slices;
mod student;
mod summary;
mod suspicions;
mod table;
mod tfma;

pub use behaviour::{BehaviourFailure, BehaviourResult, BehaviourTest, Expected};
pub use component::{
    AskedMetric, ConfidenceIntervals, Evaluator, EvaluatorParams, FindSlices, asked_metrics, own_metrics,
};
pub use counterfactual::{Change, Counterfactual, Goal, nearest_counterfactual};
pub use effects::{Curve, Effects, InputEffect};
pub use error::EvaluateError;
pub use evaluate::{DECISION_THRESHOLD, EvaluateOptions, Series, evaluate, needs};
pub use evaluation::{ClassEvaluation, DroppedSlices, Evaluation, SliceEvaluation};
pub use finder::{FoundSlice, SliceSearch};
pub use gate::{
    Blessing, BlessingVerdict, Check, CheckOutcome, CrossSliceThreshold, Rule, SliceSelector, SliceThreshold,
    Threshold, ThresholdSyntax, Thresholds, WrittenThreshold, check_thresholds,
};
pub use intervals::{Interval, IntervalMethod, IntervalOptions, IntervalSource, Intervals};
pub use metrics::{Metric, Metrics, OwnMetric};
pub use report::render_evaluation_report;
pub use summary::{summary_headline, summary_tables};
pub use suspicions::{SharedRows, ShiftedLabel, Suspicions, TellingColumn};
pub use table::{EvaluationTable, PredictionColumns, TableBuilder, TableColumns};
pub use tfma::{ConvertedEvalConfig, EvalConfigError, is_eval_config, read_eval_config};
