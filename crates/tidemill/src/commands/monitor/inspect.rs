//! `tidemill monitor status`, `explain` and `report`.

use console::style;
use serde_json::{Value, json};
use tidemill_core::Failure;
use tidemill_core::markup::About;
use tidemill_monitor::alert::AlertState;
use tidemill_monitor::{
    GAUGE_COLUMNS, Kind, Measure, WindowReport, example_rows, gauges, render_monitor_report, rfc3339,
};

use super::work::{newest, short};
use super::{find_alert, open, time};
use crate::cli::{Global, MonitorExplainArgs, MonitorReportArgs, MonitorStatusArgs, OutputFormat};
use crate::commands::{print, say, write_out};
use crate::ui::{Align, Table, count, printable};

pub fn status(args: &MonitorStatusArgs, global: &Global) -> Result<u8, Failure> {
    let open = open(&args.monitor.path, false, global)?;
    let book = open.monitor.alerts();
    if args.prometheus && global.output == OutputFormat::Text {
        write_out(&gauges(open.monitor.file(), &newest(&open)?, book, GAUGE_COLUMNS))?;
        return Ok(0);
    }
    let state = open.monitor.state();
    let all = state.list(i64::MIN, i64::MAX)?;
    let mut windows = Vec::new();
    for (start, version) in all.iter().rev().take(args.limit).rev() {
        windows.extend(state.get(*start, *version)?);
    }
    let firing = book.open.values().filter(|alert| alert.state == AlertState::Firing).count();
    let seen = open.monitor.seen();
    let value = json!({
        "monitor": open.monitor.file().monitor,
        "model": open.monitor.file().model,
        "windows": windows.iter().map(window_json).collect::<Vec<_>>(),
        "open_alerts": book.open.values().collect::<Vec<_>>(),
        "silences": book.silences,
        "rows": seen.rows,
        "late": seen.late,
        "future": seen.future,
        "without_time": seen.without_time,
    });
    print(global, &value, || {
        let mut table = Table::new(&[
            ("window", Align::Left),
            ("version", Align::Right),
            ("rows", Align::Right),
            ("farthest column", Align::Left),
            ("estimated", Align::Right),
            ("measured", Align::Right),
            ("unusual", Align::Left),
        ]);
        for report in &windows {
            let farthest = report.columns().iter().max_by(|a, b| a.distance.total_cmp(&b.distance));
            let metric = |of: &tidemill_monitor::Measures| {
                let shown = ["roc_auc", "mae"].iter().find_map(|name| of.get(*name));
                shown.map_or_else(|| "–".to_owned(), |Measure { value, band }| format!("{value:.3} ± {band:.3}"))
            };
            let found: Vec<&str> = report.findings.iter().map(|finding| finding.kind.name()).collect();
            let found = if found.is_empty() && !report.judged { "not judged".to_owned() } else { found.join(", ") };
            table.row([
                rfc3339(report.start).chars().take(16).collect(),
                report.version.to_string(),
                count(report.counts.rows),
                farthest
                    .map_or_else(String::new, |column| format!("{} {:.3}", printable(&column.name), column.distance)),
                metric(&report.performance.estimated),
                metric(&report.performance.realised),
                found,
            ]);
        }
        let mut text = if windows.is_empty() { "no window is closed yet\n".to_owned() } else { table.to_string() };
        for alert in book.open.values() {
            let (mark, word) = match alert.state {
                AlertState::Firing => (style("✗").red(), "fires"),
                _ => (style("?").yellow(), "is pending"),
            };
            let seen = alert.acknowledged.as_ref().map(|ack| format!(", {} looks at it", ack.by)).unwrap_or_default();
            let since: String = rfc3339(alert.since).chars().take(16).collect();
            let summary = printable(&alert.finding.summary);
            text.push_str(&format!(
                "{mark} {} ({}) {word} since {since}{seen}: {summary}\n",
                alert.kind.name(),
                short(&alert.fingerprint)
            ));
        }
        if firing == 0 && !windows.is_empty() {
            text.push_str(&format!("{} no alert fires\n", style("✓").green()));
        }
        let odd = [
            (seen.late, "after their window was closed"),
            (seen.future, "from the future"),
            (seen.without_time, "without a time"),
        ];
        for (rows, what) in odd.iter().filter(|(rows, _)| *rows > 0) {
            text.push_str(&format!("{} {} rows came {what}\n", style("·").dim(), count(*rows)));
        }
        text
    })?;
    Ok(u8::from(firing > 0))
}

fn window_json(report: &WindowReport) -> Value {
    json!({
        "start": rfc3339(report.start),
        "end": rfc3339(report.end),
        "version": report.version,
        "rows": report.counts.rows,
        "judged": report.judged,
        "partial": report.partial,
        "outside": report.outside_share(),
        "findings": report.findings,
        "columns": report.columns(),
        "performance": report.performance,
    })
}

pub fn explain(args: &MonitorExplainArgs, global: &Global) -> Result<u8, Failure> {
    let open = open(&args.monitor.path, false, global)?;
    let alert = find_alert(&open, &args.alert)?;
    let state = open.monitor.state();
    let report = state.get(alert.last, alert.model_version)?;
    let profile = state.profile(alert.model_version)?;
    let examples = match (&report, &profile) {
        (Some(report), Some(profile)) if alert.kind == Kind::Drift => {
            example_rows(&open.monitor.log(), profile, report, args.rows)?
        }
        _ => None,
    };
    let value = json!({
        "alert": alert,
        "window": report.as_ref().map(window_json),
        "reference": profile.as_ref().map(|profile| &profile.source),
        "examples": examples,
    });
    print(global, &value, || {
        let state = match alert.state {
            AlertState::Firing => "fires",
            AlertState::Pending => "is pending",
            AlertState::Resolved => "is resolved",
        };
        let line = |name: &str, value: String| format!("  {:<12}{}\n", style(name).dim(), printable(&value));
        let mut text = format!("{} ({}) {state}\n", style(alert.kind.name()).bold(), short(&alert.fingerprint));
        text.push_str(&line("what", alert.finding.summary.clone()));
        text.push_str(&line("since", rfc3339(alert.since).chars().take(16).collect()));
        text.push_str(&line("windows", alert.windows.to_string()));
        text.push_str(&line("version", alert.model_version.to_string()));
        if let Some(profile) = &profile {
            text.push_str(&line("reference", profile.source.clone()));
        }
        if let Some(runbook) = &open.monitor.file().alert.runbook {
            text.push_str(&line("runbook", runbook.clone()));
        }
        for cause in &alert.finding.causes {
            text.push_str(&format!("  • {}\n", printable(cause)));
        }
        if let Some(examples) = examples.as_ref().filter(|examples| !examples.rows.is_empty()) {
            let head = format!("rows of the window whose {} is {}:", examples.column, examples.part);
            text.push_str(&format!("  {}\n", style(head).dim()));
            for row in &examples.rows {
                text.push_str(&format!("    {}\n", printable(&Value::Object(row.clone()).to_string())));
            }
        }
        text
    })?;
    Ok(0)
}

pub fn report(args: &MonitorReportArgs, global: &Global) -> Result<u8, Failure> {
    let open = open(&args.monitor.path, false, global)?;
    let from = time("from", args.from.as_deref())?.unwrap_or(i64::MIN);
    let to = time("to", args.to.as_deref())?.unwrap_or(i64::MAX);
    let windows = open.monitor.windows(from, to)?;
    let page = render_monitor_report(&open.monitor, &windows, &About::default());
    tidemill_files::write(&args.html, page)?;
    print(global, &json!({ "file": args.html, "windows": windows.len() }), || {
        format!("wrote `{}` of {} windows\n", args.html.display(), count(windows.len() as u64))
    })?;
    if windows.is_empty() {
        say(global, "no window is closed yet: `tidemill monitor run` closes them");
    }
    Ok(0)
}
