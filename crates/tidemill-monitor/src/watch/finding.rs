//! What is unusual about a window.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::compare::{ColumnResult, percent};
use super::counts::WindowCounts;
use super::profile::Profile;
use crate::performance::{Measures, Task};

/// What a finding is about. Each kind has an alert of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Inputs are distributed otherwise than in the reference.
    Drift,
    /// So are predictions.
    PredictionDrift,
    /// The share of missing values changed.
    Missing,
    /// Columns or types are not those of the reference, or there are values that it does not have.
    Schema,
    /// Far more or fewer requests than usual.
    Volume,
    /// The same answer again and again.
    RepeatedAnswers,
    /// Labels say that the model is worse than on the reference.
    Performance,
    /// So does the estimate without labels.
    EstimatedPerformance,
    /// Labels and estimate disagree: the label depends on the inputs otherwise than it did.
    ConceptDrift,
    /// Labels look as if somebody wanted to teach the model something wrong.
    SuspiciousLabels,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Drift,
        Self::PredictionDrift,
        Self::Missing,
        Self::Schema,
        Self::Volume,
        Self::RepeatedAnswers,
        Self::Performance,
        Self::EstimatedPerformance,
        Self::ConceptDrift,
        Self::SuspiciousLabels,
    ];

    /// The name in files and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drift => "drift",
            Self::PredictionDrift => "prediction_drift",
            Self::Missing => "missing",
            Self::Schema => "schema",
            Self::Volume => "volume",
            Self::RepeatedAnswers => "repeated_answers",
            Self::Performance => "performance",
            Self::EstimatedPerformance => "estimated_performance",
            Self::ConceptDrift => "concept_drift",
            Self::SuspiciousLabels => "suspicious_labels",
        }
    }

    /// The name of its alert.
    pub const fn alert_name(self) -> &'static str {
        match self {
            Self::Drift => "TidemillDrift",
            Self::PredictionDrift => "TidemillPredictionDrift",
            Self::Missing => "TidemillMissingValues",
            Self::Schema => "TidemillSchemaChanged",
            Self::Volume => "TidemillVolume",
            Self::RepeatedAnswers => "TidemillRepeatedAnswers",
            Self::Performance => "TidemillPerformance",
            Self::EstimatedPerformance => "TidemillEstimatedPerformance",
            Self::ConceptDrift => "TidemillConceptDrift",
            Self::SuspiciousLabels => "TidemillSuspiciousLabels",
        }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Look at it.
    Warning,
    /// Now.
    Critical,
}

impl Severity {
    /// The name in labels of alerts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Something unusual.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is about.
    pub kind: Kind,
    /// How bad it is.
    pub severity: Severity,
    /// What was found, in one line.
    pub summary: String,
    /// Where to look, the most important first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
}

impl Finding {
    pub(crate) fn new(kind: Kind, severity: Severity, summary: impl Into<String>) -> Self {
        Self { kind, severity, summary: summary.into(), causes: Vec::new() }
    }
}

/// Findings of the columns of a window.
pub(super) fn of_columns(against: &str, results: &[ColumnResult], out: &mut Vec<Finding>) {
    for (kind, output) in [(Kind::Drift, false), (Kind::PredictionDrift, true)] {
        let mut drifted: Vec<&ColumnResult> =
            results.iter().filter(|column| column.drifted && column.output == output).collect();
        if drifted.is_empty() {
            continue;
        }
        let weight = |column: &ColumnResult| column.distance * column.importance.max(1e-6);
        drifted.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then_with(|| a.name.cmp(&b.name)));
        let share: f64 = drifted.iter().map(|column| column.importance).sum();
        let severity = if share >= 0.5 { Severity::Critical } else { Severity::Warning };
        let names: Vec<&str> = drifted.iter().take(5).map(|column| column.name.as_str()).collect();
        let more = drifted.len().saturating_sub(names.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let weight = if output { String::new() } else { format!(", {} of the importance", percent(share)) };
        let summary = format!("{}{more} differ from {against}{weight}", names.join(", "));
        let mut finding = Finding::new(kind, severity, summary);
        finding.causes = drifted
            .iter()
            .map(|column| {
                format!(
                    "{}: {} (divergence {:.3}, threshold {:.3})",
                    column.name, column.moved, column.distance, column.threshold
                )
            })
            .collect();
        out.push(finding);
    }
    let changed: Vec<&ColumnResult> = results.iter().filter(|column| column.missing_changed).collect();
    if !changed.is_empty() {
        let text = |column: &&ColumnResult| {
            format!(
                "{}: {} missing, {} in {against}",
                column.name,
                percent(column.missing[0]),
                percent(column.missing[1])
            )
        };
        let severity =
            if changed.iter().any(|column| column.missing[0] >= 0.5) { Severity::Critical } else { Severity::Warning };
        let names: Vec<&str> = changed.iter().map(|column| column.name.as_str()).collect();
        let mut finding =
            Finding::new(Kind::Missing, severity, format!("missing values of {} changed", names.join(", ")));
        finding.causes = changed.iter().map(text).collect();
        out.push(finding);
    }
}

/// Findings of columns, types and values that the reference does not have.
pub(super) fn of_schema(profile: &Profile, window: &WindowCounts, out: &mut Vec<Finding>) {
    let mut causes = Vec::new();
    let of = |rows: u64| percent(rows as f64 / window.rows.max(1) as f64);
    let mut severity = Severity::Warning;
    for (name, rows) in &window.absent {
        severity = Severity::Critical;
        causes.push(format!("column {name} is missing from {} of the rows", of(*rows)));
    }
    for (name, rows) in &window.unknown {
        causes.push(format!("column {name} is new, in {} of the rows", of(*rows)));
    }
    for (column, counts) in profile.columns.iter().zip(&window.columns) {
        if counts.wrong_type > 0 {
            severity = Severity::Critical;
            causes.push(format!("{}: {} of the rows have a value of another type", column.name, of(counts.wrong_type)));
        }
        if counts.not_finite > 0 {
            causes.push(format!("{}: {} of the rows have NaN or infinity", column.name, of(counts.not_finite)));
        }
        // A single typing error is no news.
        if counts.new >= 3 && counts.new as f64 > window.rows as f64 * 0.001 {
            let examples: Vec<&str> = counts.examples.keys().take(3).map(String::as_str).collect();
            causes.push(format!(
                "{}: {} of the rows have new values, such as {}",
                column.name,
                of(counts.new),
                examples.join(", ")
            ));
        }
    }
    if let Some(first) = causes.first() {
        let more = if causes.len() > 1 { format!(", and {} more", causes.len() - 1) } else { String::new() };
        let mut finding = Finding::new(Kind::Schema, severity, format!("{first}{more}"));
        finding.causes = causes;
        out.push(finding);
    }
}

/// Findings of answers that repeat.
pub(super) fn of_answers(profile: &Profile, window: &WindowCounts, out: &mut Vec<Finding>) {
    let Some((answer, times)) = window.most_frequent() else { return };
    let (rows, share) = (window.rows.max(1) as f64, times as f64 / window.rows.max(1) as f64);
    let usual =
        profile.counts.most_frequent().map_or(0.0, |(_, times)| times as f64 / profile.counts.rows.max(1) as f64);
    // Misra and Gries count too few, by at most a ninth of the rows.
    if rows >= 20.0 && share > 0.5 && share > usual + 0.25 {
        let severity = if share > 0.95 { Severity::Critical } else { Severity::Warning };
        let summary = format!("{} of the answers are {answer}, {} in the reference", percent(share), percent(usual));
        out.push(Finding::new(Kind::RepeatedAnswers, severity, summary));
    }
}

/// A finding of a metric that is worse than in the reference by more than `tolerance` and more than chance explains.
pub(crate) fn of_performance(
    kind: Kind,
    metric: &str,
    found: &Measures,
    reference: &Measures,
    tolerance: f64,
) -> Option<Finding> {
    let (now, then) = (found.get(metric)?, reference.get(metric)?);
    let lost = if Task::is_higher_better(metric) { then.value - now.value } else { now.value - then.value };
    // Both are uncertain.
    let band = now.band.hypot(then.band);
    if lost <= tolerance.max(0.0) || lost <= band {
        return None;
    }
    let severity = if lost > 3.0 * tolerance && lost > 2.0 * band { Severity::Critical } else { Severity::Warning };
    let word = if kind == Kind::EstimatedPerformance { "estimated " } else { "" };
    let summary = format!("{word}{metric} is {:.4} ± {:.4}, {:.4} in the reference", now.value, now.band, then.value);
    Some(Finding::new(kind, severity, summary))
}

/// A finding if labels and estimate disagree by more than both are uncertain.
pub(crate) fn of_concept(metric: &str, realised: &Measures, estimated: &Measures, tolerance: f64) -> Option<Finding> {
    let (real, estimate) = (realised.get(metric)?, estimated.get(metric)?);
    let worse = if Task::is_higher_better(metric) { estimate.value - real.value } else { real.value - estimate.value };
    (worse > tolerance.max(0.0) && worse > real.band.hypot(estimate.band)).then(|| {
        let summary = format!(
            "{metric} is {:.4} where {:.4} ± {:.4} was expected of these inputs: the label depends on them otherwise than in the reference",
            real.value, estimate.value, estimate.band
        );
        Finding::new(Kind::ConceptDrift, Severity::Critical, summary)
    })
}

/// The usual volume of windows: their median and a robust spread.
pub(crate) fn usual_volume(rows: &[u64]) -> Option<(f64, f64)> {
    const WINDOWS_MIN: usize = 6;
    if rows.len() < WINDOWS_MIN {
        return None;
    }
    let median = |mut values: Vec<f64>| {
        values.sort_unstable_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let middle = median(rows.iter().map(|rows| *rows as f64).collect());
    let spread = 1.4826 * median(rows.iter().map(|rows| (*rows as f64 - middle).abs()).collect());
    Some((middle, spread.max(middle.sqrt())))
}

/// Findings of the number of rows: bounds of the monitor file, or what windows before had.
pub(super) fn of_volume(rows: u64, bounds: [Option<u64>; 2], before: &[u64], out: &mut Vec<Finding>) {
    let summary = match (bounds, usual_volume(before)) {
        ([Some(least), _], _) if rows < least => format!("{rows} rows, fewer than {least}"),
        ([_, Some(most)], _) if rows > most => format!("{rows} rows, more than {most}"),
        // A quarter or four times as much, and far beyond what windows before differed.
        ([None, None], Some((usual, spread))) => {
            let now = rows as f64;
            let far = (now - usual).abs() > 6.0 * spread;
            if !far || (now > usual / 4.0 && now < usual * 4.0) {
                return;
            }
            format!("{rows} rows, {usual:.0} are usual")
        }
        _ => return,
    };
    let severity = if rows == 0 { Severity::Critical } else { Severity::Warning };
    out.push(Finding::new(Kind::Volume, severity, summary));
}

/// The findings by kind, the worst of each.
pub fn by_kind(findings: &[Finding]) -> BTreeMap<Kind, &Finding> {
    let mut worst: BTreeMap<Kind, &Finding> = BTreeMap::new();
    for finding in findings {
        let known = worst.entry(finding.kind).or_insert(finding);
        if finding.severity > known.severity {
            *known = finding;
        }
    }
    worst
}
