//! Quantiles and buckets in parameters and in constants.

use tidemill_core::ParamIssue;

use crate::analyze::Sorted;
use crate::issues::{issue_at, one_issue};

/// Quantiles of more buckets say nothing.
const BUCKETS_MAX: u32 = 65_536;

/// Refuses two shares that are not ascending and from 0 to 1.
pub(super) fn check_shares([low, high]: [f64; 2]) -> Result<(), Vec<ParamIssue>> {
    if (0.0..=1.0).contains(&low) && (0.0..=1.0).contains(&high) && low < high {
        Ok(())
    } else {
        issue_at("quantiles", "`quantiles` are two ascending shares from 0 to 1")
    }
}

/// Refuses a number of buckets that is too small or too large.
pub(super) fn check_buckets(buckets: u32) -> Result<(), Vec<ParamIssue>> {
    if (2..=BUCKETS_MAX).contains(&buckets) {
        Ok(())
    } else {
        one_issue(format!("the number of buckets is from 2 to {BUCKETS_MAX}, not {buckets}"))
    }
}

/// The smallest value, the boundaries of buckets of equal share, and the largest; at least two, each once.
pub(super) fn edges(sorted: &Sorted, buckets: u32) -> Option<Vec<f64>> {
    let (min, max) = (sorted.at(0.0)?, sorted.at(1.0)?);
    let mut edges = vec![min];
    edges.extend(sorted.boundaries(buckets));
    edges.push(max);
    edges.dedup();
    if edges.len() < 2 {
        // One single value: the step from below it to it.
        edges = vec![min - 1.0, min];
    }
    edges.is_sorted_by(|a, b| a < b).then_some(edges)
}
