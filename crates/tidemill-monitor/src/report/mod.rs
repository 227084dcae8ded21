//! What a monitor saw, as a page that works offline: columns by window, performance, distributions, alerts.

mod chart;
mod distributions;
mod heat;

use tidemill_core::markup::{About, BASE_STYLE, escape, fill, marked};

use crate::alert::{Alert, AlertState};
use crate::log::{Micros, rfc3339};
use crate::monitor::Monitor;
use crate::watch::{Profile, WindowReport};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
/// Windows that are drawn; of more, the newest.
pub(crate) const WINDOWS_MAX: usize = 400;

/// A page of these windows, oldest first. It needs no network and no script, and holds no rows.
pub fn render_monitor_report(monitor: &Monitor, windows: &[WindowReport], about: &About) -> String {
    let file = monitor.file();
    let windows = &windows[windows.len().saturating_sub(WINDOWS_MAX)..];
    let alerts = alerts_of(monitor, windows);
    let newest = windows.iter().rev().find(|report| report.counts.rows > 0);
    let profile = newest.and_then(|report| monitor.state().profile(report.version).ok().flatten());
    let rows: u64 = windows.iter().map(|report| report.counts.rows).sum();
    let facts = [
        (windows.len().to_string(), "windows"),
        (tidemill_core::grouped(rows), "rows"),
        (windows.iter().filter(|report| !report.findings.is_empty()).count().to_string(), "unusual windows"),
        (alerts.len().to_string(), "alerts"),
    ];
    let facts: String = facts
        .iter()
        .map(|(value, name)| format!("<div class=\"fact\"><b>{value}</b><span>{name}</span></div>"))
        .collect();
    let title = format!("Monitor of {}", file.model);
    let about = About {
        facts: [
            vec![("Monitor".to_owned(), file.monitor.clone()), ("Window".to_owned(), String::from(file.window))],
            profile.iter().map(|profile| ("Reference".to_owned(), profile.source.clone())).collect(),
            about.facts.clone(),
        ]
        .concat(),
        ..about.clone()
    };
    let parts = [
        ("{{title}}", escape(&title)),
        ("{{style}}", [BASE_STYLE, STYLE].concat()),
        ("{{facts}}", facts),
        ("{{about}}", about.html()),
        ("{{alerts}}", alert_list(&alerts)),
        ("{{heat}}", heat::heat_map(windows, &alerts)),
        ("{{performance}}", performance(file, profile.as_ref(), windows)),
        ("{{distributions}}", distributions::section(profile.as_ref(), newest)),
    ];
    fill(PAGE, &parts)
}

/// The alerts that fired in the windows.
fn alerts_of<'a>(monitor: &'a Monitor, windows: &[WindowReport]) -> Vec<&'a Alert> {
    let Some((first, last)) = windows.first().zip(windows.last()) else { return Vec::new() };
    let book = monitor.alerts();
    let all = book.past.iter().chain(book.open.values());
    let mut alerts: Vec<&Alert> = all
        .filter(|alert| alert.state != AlertState::Pending)
        .filter(|alert| alert.since < last.end && alert.resolved.is_none_or(|end| end > first.start))
        .collect();
    alerts.sort_by_key(|alert| (alert.since, alert.kind));
    alerts
}

fn alert_list(alerts: &[&Alert]) -> String {
    if alerts.is_empty() {
        return "<p class=\"note\">No alert fired.</p>".to_owned();
    }
    let item = |alert: &&Alert| {
        let end = alert.resolved.map_or_else(|| "still firing".to_owned(), |end| format!("resolved {}", minute(end)));
        let causes: String =
            alert.finding.causes.iter().take(6).map(|cause| format!("<li>{}</li>", escape(cause))).collect();
        format!(
            "<article class=\"alert {}\"><h3>{} <small>{} · {end} · version {} · {}</small></h3><p>{}</p><ul>{causes}</ul></article>",
            alert.severity.name(),
            escape(alert.kind.name()),
            minute(alert.fired.unwrap_or(alert.since)),
            alert.model_version,
            escape(&alert.fingerprint),
            marked(&alert.finding.summary),
        )
    };
    alerts.iter().map(item).collect()
}

fn performance(file: &crate::MonitorFile, profile: Option<&Profile>, windows: &[WindowReport]) -> String {
    let Some(estimator) = profile.and_then(|profile| profile.estimator.as_ref()) else {
        return "<p class=\"note\">The reference has no labels, so nothing is known of the performance.</p>".to_owned();
    };
    let (metric, _) = file.expected(estimator);
    let outside = windows.iter().map(WindowReport::outside_share).fold(0.0, f64::max);
    let note = format!(
        "<p class=\"note\">{} of the reference: {:.4}. The estimate assumes that the label depends on the inputs as in the \
         reference; it cannot see when that changes, and says nothing about values that the reference does not have (at most \
         {:.1} % of the rows of a window here).</p>",
        escape(&metric),
        estimator.reference().get(&metric).map_or(f64::NAN, |measure| measure.value),
        outside * 100.0
    );
    chart::chart(&metric, estimator.reference().get(&metric).map(|measure| measure.value), windows) + &note
}

/// A time to the minute.
pub(super) fn minute(time: Micros) -> String {
    rfc3339(time).chars().take(16).collect::<String>().replace('T', " ")
}
