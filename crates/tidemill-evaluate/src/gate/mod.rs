//! The gate: thresholds, their application to an evaluation, and the verdict.

mod blessing;
mod check;
mod elsewhere;
mod threshold;
mod written;

pub(crate) use blessing::number;
pub use blessing::{Blessing, BlessingVerdict, Check, CheckOutcome, Rule};
pub use check::check_thresholds;
pub(crate) use elsewhere::{KEYS_ELSEWHERE, unknown_metric};
pub use threshold::{CrossSliceThreshold, SliceSelector, SliceThreshold, Threshold, Thresholds, WrittenThreshold};
pub use written::ThresholdSyntax;
