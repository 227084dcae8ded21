//! The gate: thresholds held against an evaluation, and the verdict.

mod blessing;
mod judge;
mod threshold;
mod written;

pub(crate) use blessing::number;
pub use blessing::{Blessing, BlessingVerdict, Check, CheckOutcome, Rule};
pub use judge::judge;
pub(crate) use threshold::KEYS_ELSEWHERE;
pub use threshold::{SliceSelector, SliceThreshold, Threshold, Thresholds, WrittenThreshold};
pub use written::ThresholdSyntax;
