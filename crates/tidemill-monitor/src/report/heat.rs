//! Columns by window: how far each lies from the reference, and the alerts above.

use std::collections::BTreeMap;

use tidemill_core::markup::escape;

use super::minute;
use crate::alert::Alert;
use crate::watch::WindowReport;

/// Columns that are drawn, those that differ most.
const COLUMNS_MAX: usize = 40;
const ROW: f64 = 18.0;
const LEFT: f64 = 190.0;
const WIDTH: f64 = 1130.0;

pub(super) fn heat_map(windows: &[WindowReport], alerts: &[&Alert]) -> String {
    let Some((first, last)) = windows.first().zip(windows.last()) else {
        return "<p class=\"note\">No window is closed yet.</p>".to_owned();
    };
    let span = (last.end - first.start) as f64;
    let x = |time: i64| LEFT + (time - first.start) as f64 / span * (WIDTH - LEFT);
    // By column: the worst it was, in units of its threshold.
    let mut worst: BTreeMap<&str, f64> = BTreeMap::new();
    for column in windows.iter().flat_map(WindowReport::columns) {
        let of = worst.entry(column.name.as_str()).or_default();
        *of = of.max(column.distance / column.threshold.max(1e-9));
    }
    let mut names: Vec<(&str, f64)> = worst.into_iter().collect();
    names.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let left_out = names.len().saturating_sub(COLUMNS_MAX);
    names.truncate(COLUMNS_MAX);
    let top = 8.0 + alerts.len().min(6) as f64 * 10.0;
    let height = top + names.len() as f64 * ROW + 26.0;
    let mut svg =
        format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"Distance of each column by window\">");
    for (at, alert) in alerts.iter().rev().take(6).enumerate() {
        let (from, to) = (x(alert.since.max(first.start)), x(alert.resolved.unwrap_or(last.end).min(last.end)));
        let width = (to - from).max(3.0);
        svg.push_str(&format!(
            "<rect class=\"span {}\" x=\"{from:.1}\" y=\"{}\" width=\"{width:.1}\" height=\"7\" rx=\"2\"><title>{}: {}</title></rect>",
            alert.severity.name(),
            2 + at * 10,
            alert.kind.name(),
            escape(&alert.finding.summary)
        ));
    }
    for (row, (name, _)) in names.iter().enumerate() {
        let y = top + row as f64 * ROW;
        let shown: String = name.chars().take(28).collect();
        svg.push_str(&format!(
            "<text class=\"name\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            y + 12.0,
            escape(&shown)
        ));
        for report in windows {
            let (from, to) = (x(report.start), x(report.end));
            let width = (to - from - 1.0).max(0.8);
            let found = report.columns().iter().find(|column| column.name == *name).filter(|_| report.judged);
            let (class, opacity, title) = match found {
                None => ("none", 1.0, format!("{} rows: not judged", report.counts.rows)),
                Some(column) => {
                    let share = (column.distance / column.threshold.max(1e-9)).min(4.0) / 4.0;
                    let class = if column.drifted { "over" } else { "cell" };
                    let title = format!(
                        "divergence {:.4}, threshold {:.4}. {}",
                        column.distance, column.threshold, column.moved
                    );
                    (class, if column.drifted { 0.35 + 0.65 * share } else { 0.06 + 0.5 * share }, title)
                }
            };
            svg.push_str(&format!(
                "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{}\" opacity=\"{opacity:.2}\"><title>{} {}: {}</title></rect>",
                ROW - 2.0,
                escape(name),
                minute(report.start),
                escape(&title)
            ));
        }
    }
    let bottom = height - 8.0;
    svg.push_str(&format!("<text x=\"{LEFT}\" y=\"{bottom}\">{}</text>", minute(first.start)));
    svg.push_str(&format!("<text x=\"{WIDTH}\" y=\"{bottom}\" text-anchor=\"end\">{}</text></svg>", minute(last.end)));
    let more =
        if left_out > 0 { format!(" {left_out} columns that differ less are not drawn.") } else { String::new() };
    svg + &format!(
        "<p class=\"note\">The darker, the farther a column lies from the reference, as Jensen-Shannon divergence in units of its \
         threshold; red is drift. Bars above are alerts.{more}</p>"
    )
}
