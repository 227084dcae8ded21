//! What a run says of its anomalies.

use serde_json::json;
use tidemill_core::{Anomalies, Outcome, Severity, SummaryTable, Tone, Verdict};

use super::drift::Distances;
use super::params::{OnAnomaly, Policy};

/// Rows of the summary table.
const TABLE_ROWS_MAX: usize = 30;

pub(super) fn outcome(anomalies: &Anomalies, distances: &Distances, policy: Policy) -> Outcome {
    let (errors, warnings) = (anomalies.count(Severity::Error), anomalies.count(Severity::Warning));
    let mut outcome = Outcome {
        headline: match (errors, warnings) {
            (0, 0) => "no anomalies".to_owned(),
            (0, warnings) => counted(warnings, "warning"),
            (errors, 0) => counted(errors, "error"),
            (errors, warnings) => format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")),
        },
        tables: table(anomalies),
        ..Outcome::default()
    };
    let against: Vec<&str> = distances.baselines();
    if !against.is_empty() {
        outcome.headline = format!("{}, compared with {}", outcome.headline, against.join(" and "));
    }
    let properties = [
        ("errors".to_owned(), json!(errors)),
        ("warnings".to_owned(), json!(warnings)),
        ("valid".to_owned(), json!(errors == 0)),
    ];
    outcome.properties.insert("anomalies".to_owned(), properties.into());
    let (mut reasons, mut warnings) = (Vec::new(), Vec::new());
    for (split, anomaly) in anomalies.iter() {
        let line = format!("{split}: {} ({})", anomaly.description, anomaly.anomaly_type);
        match (anomaly.severity, policy.of(anomaly.severity)) {
            (_, OnAnomaly::Stop) => reasons.push(line),
            (Severity::Error, OnAnomaly::Warn) => warnings.push(line),
            (Severity::Warning, OnAnomaly::Warn) => {}
        }
    }
    outcome.warnings = warnings;
    if !reasons.is_empty() {
        outcome.verdict = Verdict::Fail(reasons);
    }
    outcome
}

fn table(anomalies: &Anomalies) -> Vec<SummaryTable> {
    let mut listed: Vec<_> = anomalies.iter().collect();
    if listed.is_empty() {
        return Vec::new();
    }
    listed.sort_by_key(|(_, anomaly)| std::cmp::Reverse(anomaly.severity));
    let more = listed.len().saturating_sub(TABLE_ROWS_MAX);
    let mut rows: Vec<(Tone, Vec<String>)> = listed
        .into_iter()
        .take(TABLE_ROWS_MAX)
        .map(|(split, anomaly)| {
            let (tone, severity) = match anomaly.severity {
                Severity::Error => (Tone::Bad, "error"),
                Severity::Warning => (Tone::Warn, "warning"),
            };
            let description = anomaly.description.strip_prefix(&format!("`{}`: ", anomaly.feature));
            let cells = [severity, split, &anomaly.feature, description.unwrap_or(&anomaly.description)];
            (tone, cells.map(str::to_owned).to_vec())
        })
        .collect();
    if more > 0 {
        let cells = ["", "", "", &format!("and {more} more")];
        rows.push((Tone::Plain, cells.map(str::to_owned).to_vec()));
    }
    let columns = ["severity", "split", "feature", "what"].map(str::to_owned).to_vec();
    vec![SummaryTable { title: "Anomalies".to_owned(), columns, rows }]
}

fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
