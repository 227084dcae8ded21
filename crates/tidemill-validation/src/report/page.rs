//! The page around the data.

use std::fmt::Write as _;

use tidemill_core::{Anomalies, DatasetStatistics, Severity};

use super::alerts::{alerts_section, noted};
use super::data::PageData;
use super::moved::moved_section;
use crate::drift::DriftReport;
use crate::validation::{grouped, percent};
use tidemill_core::markup::{About, BASE_SCRIPT, BASE_STYLE, escape, fill, script_safe};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// One HTML page of the statistics of `datasets`, laid over each other in their order, with anomalies (by dataset
/// name) beside their features and [alerts](crate::alerts()) on top. `about` says where the datasets come from.
///
/// The page needs no network. It holds the statistics, never rows beyond the evidence of anomalies, so its size
/// depends on the number of features alone: about 1 to 2 KiB for each and dataset. The same input gives the same bytes.
pub fn render_report(datasets: &[&DatasetStatistics], anomalies: Option<&Anomalies>, about: Option<&About>) -> String {
    let names: Vec<&str> = datasets.iter().map(|dataset| dataset.name.as_str()).collect();
    render(&format!("Statistics of {}", names.join(", ")), datasets, anomalies, None, about)
}

/// The page of [`render_report`] for the two datasets of `report`, with the distances of every feature and their thresholds,
/// how the features beyond them moved, and the anomalies of the comparison.
pub fn render_drift_report(
    baseline: &DatasetStatistics,
    current: &DatasetStatistics,
    report: &DriftReport,
    about: Option<&About>,
) -> String {
    let anomalies = Anomalies { version: 1, splits: [(report.current.clone(), report.anomalies.clone())].into() };
    let title = format!("{} against {}", report.current, report.baseline);
    render(&title, &[baseline, current], Some(&anomalies), Some(report), about)
}

fn render(
    title: &str,
    datasets: &[&DatasetStatistics],
    anomalies: Option<&Anomalies>,
    drift: Option<&DriftReport>,
    about: Option<&About>,
) -> String {
    let noted = if drift.is_none() { noted(datasets) } else { Vec::new() };
    let data = PageData::new(datasets, anomalies, drift, &noted);
    let json = serde_json::to_string(&data).unwrap_or_else(|_| "{\"datasets\":[],\"features\":[]}".to_owned());
    let names: Vec<&str> = data.features.iter().map(|feature| feature.name).collect();
    let first = match (drift, datasets) {
        (Some(report), [baseline, current]) => moved_section(report, baseline, current, &names),
        _ => alerts_section(&noted, datasets, &names),
    };
    let parts = [
        ("{{page_title}}", escape(&about.map_or_else(|| title.to_owned(), |about| about.page_title(title)))),
        ("{{title}}", escape(title)),
        ("{{style}}", [BASE_STYLE, STYLE].concat()),
        ("{{about}}", about.map(About::html).unwrap_or_default()),
        ("{{facts}}", facts(datasets, &data, anomalies, drift.is_none().then_some(noted.len()))),
        ("{{notes}}", notes(anomalies)),
        ("{{first}}", if first.is_empty() { first } else { format!("<div class=\"first\">{first}</div>\n") }),
        ("{{legend}}", legend(datasets)),
        ("{{data}}", script_safe(&json)),
        ("{{script}}", [BASE_SCRIPT, SCRIPT].concat()),
    ];
    fill(PAGE, &parts)
}

fn facts(
    datasets: &[&DatasetStatistics],
    data: &PageData<'_>,
    anomalies: Option<&Anomalies>,
    alerts: Option<usize>,
) -> String {
    let rows: u64 = datasets.iter().map(|dataset| dataset.num_examples).sum();
    let numeric = data.features.iter().filter(|feature| feature.numeric).count();
    let (mut missing, mut cells) = (0u64, 0u64);
    for column in datasets.iter().flat_map(|dataset| &dataset.features) {
        missing += column.common.num_missing;
        cells += column.common.num_examples();
    }
    let mut out = String::new();
    let mut fact = |value: &str, label: &str, class: &str| {
        let _ = write!(out, "<div class=\"fact {class}\"><b>{}</b><span>{}</span></div>", escape(value), escape(label));
    };
    fact(&grouped(rows), if datasets.len() == 1 { "rows" } else { "rows in all datasets" }, "");
    fact(&grouped(numeric as u64), "numeric features", "");
    fact(&grouped((data.features.len() - numeric) as u64), "categorical features", "");
    fact(&percent(missing as f64 / cells.max(1) as f64), "of cells missing", "");
    if let Some(alerts) = alerts.filter(|alerts| *alerts > 0) {
        fact(&grouped(alerts as u64), if alerts == 1 { "alert" } else { "alerts" }, "");
    }
    if let Some(anomalies) = anomalies {
        let (errors, warnings) = (anomalies.count(Severity::Error), anomalies.count(Severity::Warning));
        if errors > 0 {
            fact(&grouped(errors as u64), if errors == 1 { "error" } else { "errors" }, "bad");
        }
        if warnings > 0 {
            fact(&grouped(warnings as u64), if warnings == 1 { "warning" } else { "warnings" }, "warn");
        }
        if errors + warnings == 0 {
            fact("none", "anomalies", "good");
        }
    }
    out
}

/// Anomalies of a dataset as a whole, which stand beside no feature.
fn notes(anomalies: Option<&Anomalies>) -> String {
    let mut out = String::new();
    for (split, anomaly) in anomalies.iter().flat_map(|all| all.iter()).filter(|(_, found)| found.feature.is_empty()) {
        let (class, word) = match anomaly.severity {
            Severity::Error => (" bad", "Error"),
            Severity::Warning => ("", "Warning"),
        };
        let (title, text) = (anomaly.anomaly_type, escape(&anomaly.description));
        let split = escape(split);
        let _ = write!(out, "<div class=\"note{class}\" title=\"{title}\"><b>{word}</b> in {split}: {text}</div>");
    }
    out
}

fn legend(datasets: &[&DatasetStatistics]) -> String {
    let mut out = String::new();
    for (index, dataset) in datasets.iter().enumerate() {
        let _ = write!(
            out,
            "<span class=\"key\"><i class=\"dot c{}\"></i>{}<em>{} rows</em></span>",
            index % 6,
            escape(&dataset.name),
            grouped(dataset.num_examples)
        );
    }
    out
}
