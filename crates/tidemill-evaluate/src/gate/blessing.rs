//! The verdict on a model: the content of `blessing.json`.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tidemill_core::{Digest, Verdict};

use crate::EvaluateError;
use crate::behaviour::BehaviourResult;
use crate::evaluation::{read_json, write_json};
use crate::metrics::{Metric, OwnMetric};
use crate::slices::SliceKey;

/// The layout of `blessing.json` that this version writes and reads.
pub(crate) const BLESSING_FORMAT: u32 = 1;

/// Whether a model may be pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlessingVerdict {
    /// Every bound is met.
    Blessed,
    /// A bound is not met, or its metric or slice is missing.
    NotBlessed,
    /// Every absolute bound is met; there was no baseline, so bounds against it were not applied.
    BlessedFirst,
    /// There are no bounds. The model passes unchecked.
    Unchecked,
}

impl BlessingVerdict {
    /// Whether the model may be pushed.
    pub const fn passes(self) -> bool {
        !matches!(self, Self::NotBlessed)
    }

    /// In words: "not blessed".
    pub const fn title(self) -> &'static str {
        match self {
            Self::Blessed => "blessed",
            Self::NotBlessed => "not blessed",
            Self::BlessedFirst => "blessed (first)",
            Self::Unchecked => "unchecked",
        }
    }
}

/// One kind of bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The metric is this or more.
    AtLeast,
    /// The metric is this or less.
    AtMost,
    /// The metric is worse than the baseline's by this or less.
    NoWorseThanBaselineBy,
    /// The same, in percent of the baseline's value.
    NoWorseThanBaselineByPercent,
    /// The metric is better than the baseline's by this or more.
    BetterThanBaselineBy,
    /// The metric minus the baseline's is this or more.
    ChangeAtLeast,
    /// The metric minus the baseline's is this or less.
    ChangeAtMost,
    /// The change divided by the baseline's value is this or more.
    RelativeChangeAtLeast,
    /// The change divided by the baseline's value is this or less.
    RelativeChangeAtMost,
}

impl Rule {
    /// The name used in pipeline files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AtLeast => "at_least",
            Self::AtMost => "at_most",
            Self::NoWorseThanBaselineBy => "no_worse_than_baseline_by",
            Self::NoWorseThanBaselineByPercent => "no_worse_than_baseline_by_percent",
            Self::BetterThanBaselineBy => "better_than_baseline_by",
            Self::ChangeAtLeast => "change_at_least",
            Self::ChangeAtMost => "change_at_most",
            Self::RelativeChangeAtLeast => "relative_change_at_least",
            Self::RelativeChangeAtMost => "relative_change_at_most",
        }
    }

    /// Whether it takes the better direction of the metric.
    pub const fn needs_direction(self) -> bool {
        matches!(self, Self::NoWorseThanBaselineBy | Self::NoWorseThanBaselineByPercent | Self::BetterThanBaselineBy)
    }

    /// Whether it bounds from below.
    const fn is_lower(self) -> bool {
        matches!(self, Self::AtLeast | Self::ChangeAtLeast | Self::RelativeChangeAtLeast)
    }

    /// Whether a number that is not a gain meets the bound, with room for rounding.
    pub(super) fn holds(self, number: f64, limit: f64, rounding: f64) -> bool {
        if self.is_lower() { number >= limit - rounding } else { number <= limit + rounding }
    }

    /// Whether it is of the change divided by the baseline's value.
    pub(super) const fn is_relative(self) -> bool {
        matches!(self, Self::RelativeChangeAtLeast | Self::RelativeChangeAtMost)
    }

    /// Whether it compares with the baseline.
    pub const fn needs_baseline(self) -> bool {
        !matches!(self, Self::AtLeast | Self::AtMost)
    }
}

/// The result of one bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// The bound is met.
    Passed,
    /// The bound is not met, or there was no value to check.
    Failed,
    /// It compares with a baseline and there is none.
    NotApplied,
}

/// One bound applied to one slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The slice; `{}` is all rows. With `each`, the columns of a family without slices.
    pub slice: SliceKey,
    /// The slice whose metric is compared with that of `slice`: value and baseline are the difference of the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<SliceKey>,
    /// The metric.
    pub metric: Metric,
    /// The kind of bound.
    pub rule: Rule,
    /// The number in the pipeline file.
    pub limit: f64,
    /// The candidate's value.
    pub value: Option<f64>,
    /// The baseline's value, for rules that compare with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<f64>,
    /// The end of the confidence interval that had to meet the bound, if it is of the interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_end: Option<f64>,
    /// The result.
    pub outcome: CheckOutcome,
    /// Why it failed, or was not applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The verdict on a model, with all checks that led to it.
///
/// Stored as `blessing.json`, the only file of a Blessing artifact. The same evaluation and thresholds give the
/// same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blessing {
    /// Layout of the file.
    pub format: u32,
    /// The verdict.
    pub verdict: BlessingVerdict,
    /// Whether the model may be pushed.
    pub blessed: bool,
    /// Why not, one line for each bound that is not met.
    pub reasons: Vec<String>,
    /// Other notes: bounds that were not applied, and why.
    pub notes: Vec<String>,
    /// Digest of the evaluated package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Digest>,
    /// Digest of the package it was compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Digest>,
    /// The metrics that the pipeline file defines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own_metrics: Vec<OwnMetric>,
    /// Every bound.
    pub checks: Vec<Check>,
}

impl Blessing {
    /// The name of the file in its artifact.
    pub const FILE: &'static str = "blessing.json";

    /// The verdict as a pipeline takes it.
    pub fn as_verdict(&self) -> Verdict {
        if self.blessed { Verdict::Pass } else { Verdict::Fail(self.reasons.clone()) }
    }

    /// Reads `blessing.json` in the folder of a Blessing artifact.
    pub fn read(dir: &Path) -> Result<Self, EvaluateError> {
        let mut blessing: Self = read_json(&dir.join(Self::FILE))?;
        let own: Vec<Metric> = blessing.own_metrics.iter().map(Metric::own).collect();
        for check in &mut blessing.checks {
            check.metric = own.iter().copied().find(|own| *own == check.metric).unwrap_or(check.metric);
        }
        Ok(blessing)
    }

    /// Takes in the results of behaviour tests: one that fails is a reason against the model.
    pub(crate) fn judge_behaviour(&mut self, results: &[BehaviourResult]) {
        if results.is_empty() {
            return;
        }
        let failed: Vec<String> = results.iter().filter_map(BehaviourResult::reason).collect();
        if !failed.is_empty() {
            self.verdict = BlessingVerdict::NotBlessed;
        } else if self.verdict == BlessingVerdict::Unchecked {
            // The tests are what the model was judged by.
            self.verdict =
                if self.baseline.is_some() { BlessingVerdict::Blessed } else { BlessingVerdict::BlessedFirst };
            self.notes.clear();
        }
        self.reasons.extend(failed);
        self.blessed = self.verdict.passes();
    }

    /// Explains why there was no baseline although a model had been blessed before.
    pub fn explain_missing_baseline(&mut self, reason: &str) {
        let known = "there is no baseline yet";
        let why = format!("the last blessed model cannot be the baseline ({reason})");
        let said = self.notes.iter().any(|note| note.contains(known));
        for note in &mut self.notes {
            *note = note.replace(known, &why);
        }
        if !said {
            self.notes.push(why);
        }
    }

    /// Writes `blessing.json` into a folder.
    pub fn write(&self, dir: &Path) -> Result<(), EvaluateError> {
        write_json(&dir.join(Self::FILE), self)
    }
}

impl fmt::Display for BlessingVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.title())
    }
}

/// A number for people: four significant digits after the leading zeros, no trailing zeros.
pub(crate) fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let magnitude = value.abs().log10().floor() as i32;
    if !(-6..12).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let decimals = (3 - magnitude).clamp(0, 9) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_keep_four_digits() {
        assert_eq!(number(0.954_321), "0.9543");
        assert_eq!(number(-0.005), "-0.005");
        assert_eq!(number(0.000_123_456), "0.0001235");
        assert_eq!(number(12_345.678), "12346");
        assert_eq!(number(3.0), "3");
        assert_eq!(number(0.0), "0");
        assert_eq!(number(1e-9), "1.000e-9");
    }
}
