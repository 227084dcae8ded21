//! `tidemill monitor run`.

use std::sync::Arc;

use console::style;
use serde_json::{Value, json};
use tidemill_core::{Code, Failure};
use tidemill_monitor::alert::{AlertState, Change};
use tidemill_monitor::{GAUGE_COLUMNS, WindowReport, gauges, rfc3339};
use tidemill_project::{OpenMonitor, Tick, tick, watch_monitor};

use super::open;
use crate::cli::{Global, MonitorRunArgs, OutputFormat};
use crate::commands::pipeline::interrupted;
use crate::commands::{print, say, write_out};
use crate::ui::{Quiet, count};

pub async fn run(args: &MonitorRunArgs, global: &Global) -> Result<u8, Failure> {
    if !args.once && global.output == OutputFormat::Json {
        let message = "`monitor run` never ends, and `-o json` prints one document";
        return Err(Failure::new(Code::CommandLine, message).with_hint("add `--once`"));
    }
    let mut open = open(&args.monitor.path, false, global)?;
    if args.fresh {
        open.monitor.forget()?;
    }
    if args.once {
        let now = (!args.complete).then(|| jiff::Timestamp::now().as_microsecond());
        let done = tick(&mut open, now, Arc::new(Quiet)).await?;
        write_metrics(args, &open)?;
        print(global, &to_json(&done), || text(&done))?;
        warn(&done, global);
        return Ok(0);
    }
    watch(open, args, global, interrupted()).await;
    Ok(0)
}

/// Rounds until `stop`.
pub(super) async fn watch(
    mut open: OpenMonitor,
    args: &MonitorRunArgs,
    global: &Global,
    stop: impl Future<Output = ()>,
) {
    say(global, &format!("watching `{}`", open.monitor.log().dir().display()));
    let told = |open: &OpenMonitor, done: Result<&Tick, &Failure>| match done {
        Ok(done) => {
            // A terminal that is gone ends nothing.
            let _ = write_out(&text(done));
            warn(done, global);
            if let Err(failure) = write_metrics(args, open) {
                say(global, &format!("error: {failure}"));
            }
        }
        Err(failure) => say(global, &format!("error: {failure}; trying again")),
    };
    watch_monitor(&mut open, args.every, Arc::new(Quiet), stop, told).await;
}

fn write_metrics(args: &MonitorRunArgs, open: &OpenMonitor) -> Result<(), Failure> {
    let Some(path) = &args.metrics else { return Ok(()) };
    let text = gauges(open.monitor.file(), &newest(open)?, open.monitor.alerts(), GAUGE_COLUMNS);
    Ok(tidemill_files::write(path, text)?)
}

/// The newest window of each version of the last days.
pub(super) fn newest(open: &OpenMonitor) -> Result<Vec<WindowReport>, Failure> {
    let state = open.monitor.state();
    let mut found: std::collections::BTreeMap<u64, i64> = std::collections::BTreeMap::new();
    for (start, version) in state.list(i64::MIN, i64::MAX)? {
        found.insert(version, start);
    }
    let last = found.values().max().copied().unwrap_or_default();
    // A version that nobody asks any more is no news.
    found.retain(|_, start| *start >= last - 2 * open.monitor.file().window.micros());
    let mut reports = Vec::new();
    for (version, start) in found {
        reports.extend(state.get(start, version)?);
    }
    Ok(reports)
}

/// What could not be done.
pub(super) fn warn(done: &Tick, global: &Global) {
    for note in &done.notes {
        say(global, &format!("note: {note}"));
    }
    for (receiver, problem) in &done.delivered.problems {
        say(global, &format!("warning: receiver `{receiver}` was not reached and is tried again: {problem}"));
    }
    for problem in &done.problems {
        say(global, &format!("error: {problem}"));
    }
    if let Some(labels) = done.round.labels.as_ref().filter(|labels| labels.unusable > 0) {
        let first = labels.first_problem.as_deref().unwrap_or_default();
        say(
            global,
            &format!("warning: {} records of labels cannot be used; the first: {first}", count(labels.unusable)),
        );
    }
}

fn to_json(done: &Tick) -> Value {
    let windows = done.round.closed.iter().map(|report| {
        json!({ "start": rfc3339(report.start), "version": report.version, "rows": report.counts.rows, "judged": report.judged, "findings": report.findings })
    });
    json!({
        "windows": windows.collect::<Vec<_>>(),
        "alerts": done.round.changes.iter().map(change_json).collect::<Vec<_>>(),
        "matured": done.round.matured,
        "labels": done.round.labels,
        "delivered": done.delivered,
        "actions": done.acted,
        "problems": done.problems,
        "notes": done.notes,
    })
}

/// A change of an alert as JSON.
pub(super) fn change_json(change: &Change) -> Value {
    json!({
        "at": rfc3339(change.at),
        "kind": change.alert.kind,
        "state": change.alert.state,
        "severity": change.alert.severity,
        "fingerprint": change.alert.fingerprint,
        "version": change.alert.model_version,
        "since": rfc3339(change.alert.since),
        "summary": change.alert.finding.summary,
        "causes": change.alert.finding.causes,
    })
}

fn text(done: &Tick) -> String {
    let mut text = String::new();
    for report in &done.round.closed {
        text.push_str(&window_line(report));
    }
    for change in &done.round.changes {
        text.push_str(&change_line(change));
    }
    for acted in &done.acted {
        text.push_str(&format!("{} {}: {}\n", style("→").cyan(), acted.action, acted.what));
    }
    text
}

/// A window in a line.
pub(super) fn window_line(report: &WindowReport) -> String {
    let mark = if report.findings.is_empty() { style("·").dim() } else { style("!").yellow() };
    let found: Vec<&str> = report.findings.iter().map(|finding| finding.kind.name()).collect();
    let said = match (report.maintenance, report.judged, found.is_empty()) {
        (true, ..) => "maintenance".to_owned(),
        (_, false, true) => "too few rows to judge".to_owned(),
        (_, true, true) => "as usual".to_owned(),
        (_, _, false) => found.join(", "),
    };
    let start: String = rfc3339(report.start).chars().take(16).collect();
    format!("{mark} {start}  version {}  {} rows  {said}\n", report.version, count(report.counts.rows))
}

/// A change of an alert in a line.
pub(super) fn change_line(change: &Change) -> String {
    let alert = &change.alert;
    let at: String = rfc3339(change.at).chars().take(16).collect();
    match alert.state {
        AlertState::Resolved => {
            format!("{} {at}  {} resolved ({})\n", style("✓").green(), alert.kind.name(), short(&alert.fingerprint))
        }
        _ => {
            let summary = &alert.finding.summary;
            let mut text = format!(
                "{} {at}  {} ({}): {summary}\n",
                style("✗").red(),
                alert.kind.name(),
                short(&alert.fingerprint)
            );
            for cause in alert.finding.causes.iter().take(3) {
                text.push_str(&format!("    {}\n", style(cause).dim()));
            }
            text
        }
    }
}

/// The start of a fingerprint.
pub(super) fn short(fingerprint: &str) -> &str {
    fingerprint.get(..8).unwrap_or(fingerprint)
}
