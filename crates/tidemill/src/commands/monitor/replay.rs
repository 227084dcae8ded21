//! `tidemill monitor replay`.

use std::sync::Arc;

use serde_json::json;
use tidemill_core::Failure;
use tidemill_core::markup::About;
use tidemill_monitor::{render_monitor_report, rfc3339};
use tidemill_project::{Tick, tick};

use super::open;
use super::work::{change_json, change_line, warn};
use crate::cli::{Global, MonitorReplayArgs};
use crate::commands::inference_log::plural;
use crate::commands::{print, say};
use crate::ui::{Quiet, count};

pub async fn replay(args: &MonitorReplayArgs, global: &Global) -> Result<u8, Failure> {
    let mut open = open(&args.monitor.path, true, global)?;
    if let Some(log) = &args.log {
        let log = std::path::absolute(log).map_err(|error| Failure::io(log, &error))?;
        open.monitor.use_log(&log);
    }
    // A replay tells nobody and does nothing.
    open.monitor.keep_quiet();
    let done = tick(&mut open, None, Arc::new(Quiet)).await?;
    if let Some(path) = &args.html {
        let page = render_monitor_report(&open.monitor, &open.monitor.windows(i64::MIN, i64::MAX)?, &About::default());
        tidemill_files::write(path, page)?;
        say(global, &format!("report: `{}`", path.display()));
    }
    let windows = done.round.closed.iter().map(|report| {
        json!({ "start": rfc3339(report.start), "version": report.version, "rows": report.counts.rows, "judged": report.judged, "findings": report.findings })
    });
    let value = json!({
        "windows": windows.collect::<Vec<_>>(),
        "alerts": done.round.changes.iter().map(change_json).collect::<Vec<_>>(),
        "labels": done.round.labels,
        "late": open.monitor.seen().late,
        "without_time": open.monitor.seen().without_time,
    });
    print(global, &value, || text(&done))?;
    warn(&done, global);
    Ok(0)
}

fn text(done: &Tick) -> String {
    let mut text = String::new();
    for change in &done.round.changes {
        text.push_str(&change_line(change));
    }
    let (closed, rows) = (&done.round.closed, done.round.closed.iter().map(|report| report.counts.rows).sum());
    let unusual = closed.iter().filter(|report| !report.findings.is_empty()).count();
    let fired = done.round.changes.iter().filter(|change| change.alert.resolved.is_none()).count();
    let windows = plural(closed.len(), "window");
    let period = match (closed.first(), closed.last()) {
        (Some(first), Some(last)) => format!(" from {} to {}", &rfc3339(first.start)[..16], &rfc3339(last.end)[..16]),
        _ => String::new(),
    };
    text.push_str(&format!(
        "{windows}{period}, {} rows: {unusual} unusual, {} would have fired\n",
        count(rows),
        plural(fired, "alert")
    ));
    text
}
