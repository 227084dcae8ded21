//! The gate: thresholds, their application to an evaluation, and the verdict.

mod blessing;
mod judge;
mod threshold;
mod written;

pub(crate) use blessing::number;
pub use blessing::{Blessing, BlessingVerdict, Check, CheckOutcome, Rule};
pub use judge::judge;
pub use threshold::{SliceSelector, SliceThreshold, Threshold, Thresholds};
pub use written::ThresholdSyntax;
