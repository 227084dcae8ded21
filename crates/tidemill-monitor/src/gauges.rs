//! The last windows as Prometheus gauges, in the text format.

use std::fmt::Write as _;

use crate::alert::{AlertBook, AlertState};
use crate::config::MonitorFile;
use crate::watch::{Kind, WindowReport};

/// Columns of a window that get gauges of their own, unless told otherwise.
pub const GAUGE_COLUMNS: usize = 50;

/// Gauges of the newest window of each version. Of the columns, the `budget` that differ most, so that wide models do not
/// flood Prometheus.
pub fn gauges(file: &MonitorFile, newest: &[WindowReport], alerts: &AlertBook, budget: usize) -> String {
    let mut out = String::new();
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let (model, monitor) = (escaped(&file.model), escaped(&file.monitor));
    let mut head = |name: &str, help: &str, lines: Vec<(String, f64)>| {
        if lines.is_empty() {
            return;
        }
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in lines {
            let _ = writeln!(out, "{name}{{monitor=\"{monitor}\",model=\"{model}\"{labels}}} {value}");
        }
    };
    let of = |report: &WindowReport| format!(",version=\"{}\"", report.version);
    head(
        "tidemill_monitor_window_rows",
        "Rows of the newest closed window.",
        newest.iter().map(|report| (of(report), report.counts.rows as f64)).collect(),
    );
    head(
        "tidemill_monitor_window_end_seconds",
        "End of the newest closed window, in seconds since 1970.",
        newest.iter().map(|report| (of(report), report.end as f64 / 1e6)).collect(),
    );
    let mut columns: Vec<(&WindowReport, &crate::watch::ColumnResult)> =
        newest.iter().flat_map(|report| report.columns().iter().map(move |column| (report, column))).collect();
    columns
        .sort_by(|a, b| (b.1.distance / b.1.threshold.max(1e-9)).total_cmp(&(a.1.distance / a.1.threshold.max(1e-9))));
    columns.truncate(budget);
    let label = |(report, column): &(&WindowReport, &crate::watch::ColumnResult)| {
        format!("{},feature=\"{}\"", of(report), escaped(&column.name))
    };
    head(
        "tidemill_drift_distance",
        "Jensen-Shannon divergence of a column from the reference, in bits.",
        columns.iter().map(|each| (format!("{},metric=\"jensen_shannon\"", label(each)), each.1.distance)).collect(),
    );
    head(
        "tidemill_drift_threshold",
        "The divergence above which a column is called drifted.",
        columns.iter().map(|each| (label(each), each.1.threshold)).collect(),
    );
    head(
        "tidemill_missing_share",
        "Share of missing values of a column.",
        columns.iter().map(|each| (label(each), each.1.missing[0])).collect(),
    );
    for (name, help, realised) in [
        ("tidemill_performance_realised", "A metric measured with labels.", true),
        ("tidemill_performance_estimated", "A metric estimated without labels.", false),
    ] {
        let measures = newest.iter().flat_map(|report| {
            let of_report = if realised { &report.performance.realised } else { &report.performance.estimated };
            of_report
                .iter()
                .map(move |(metric, measure)| (format!("{},metric=\"{metric}\"", of(report)), measure.value))
        });
        head(name, help, measures.collect());
    }
    let states = Kind::ALL.into_iter().map(|kind| {
        let firing = alerts.open.get(&kind).is_some_and(|alert| alert.state == AlertState::Firing);
        (format!(",kind=\"{}\"", kind.name()), f64::from(u8::from(firing)))
    });
    head("tidemill_monitor_alert_firing", "1 while an alert of this kind fires.", states.collect());
    out
}
