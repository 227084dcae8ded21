//! The report on a terminal.

use console::style;
use tidemill_loadtest::{Capacity, Goal, HistogramBucket, Latency, Measured, Probe};

use super::Report;
use crate::ui::{Align, Table, bytes, count, number, printable, seconds};

/// Characters of the longest bar.
const BAR_CHARS: usize = 40;

/// The whole report.
pub fn report(report: &Report) -> String {
    let model = report.model.as_deref().map_or_else(String::new, |model| format!("{} at ", printable(model)));
    let rows = if report.rows_per_request == 1 { "row" } else { "rows" };
    let mut text = format!(
        "{}\n{}\n",
        style(format!("{model}{}", printable(&report.url))).bold(),
        style(format!(
            "{} · {} connections · {} different requests of {} {rows}",
            report.protocol,
            count(report.connections as u64),
            count(report.distinct_requests as u64),
            count(report.rows_per_request as u64),
        ))
        .dim()
    );
    if let Some(found) = &report.capacity {
        text.push_str(&capacity(found));
    }
    if let Some(measured) = &report.measured {
        text.push_str(&measurement(measured, report.rows_per_request));
    }
    if let Some(version) = &report.recorded {
        text.push_str(&format!("{}\n", style(format!("stored with {version}")).dim()));
    }
    text
}

fn capacity(found: &Capacity) -> String {
    let goal = found.goal;
    let bound = format!("p99 within {}", millis(goal.p99_ms));
    let most = style(format!("connections carry {} at most", per_second(found.rate_max))).dim();
    if found.rate > 0.0 {
        let rate = style(per_second(found.rate)).green().bold();
        return format!("\n  capacity {rate} with {bound}  {most}\n");
    }
    format!("\n  {} keeps {bound}  {most}\n", style("no rate").red().bold())
}

fn measurement(measured: &Measured, rows_each: usize) -> String {
    let asked = measured.rate_asked.map_or_else(String::new, |rate| format!(", asked for {}", number(rate)));
    let mut text =
        format!("\n  {}{asked}, for {}\n", style(per_second(measured.rate)).bold(), seconds(measured.seconds));
    let failed = measured.failed + measured.unsent;
    let wrong = format!("{} failed", count(failed));
    let wrong = if failed > 0 { style(wrong).red() } else { style(wrong).green() };
    let mut facts = vec![format!("{} answered", count(measured.ok)), wrong.to_string()];
    if rows_each > 1 {
        facts.push(format!("{} rows/s", count(measured.rows_per_second as u64)));
    }
    facts.push(format!("{} sent", bytes(measured.bytes_sent)));
    facts.push(format!("{} received", bytes(measured.bytes_received)));
    text.push_str(&format!("  {}\n\n", facts.join(" · ")));
    text.push_str(&times(measured));
    text.push('\n');
    text.push_str(&histogram(&measured.histogram));
    text.push_str(&outcomes(measured));
    text
}

fn times(measured: &Measured) -> String {
    let heads = ["", "min", "mean", "p50", "p90", "p95", "p99", "p99.9", "max"];
    let columns: Vec<(&str, Align)> =
        heads.iter().enumerate().map(|(i, head)| (*head, if i == 0 { Align::Left } else { Align::Right })).collect();
    let mut table = Table::new(&columns);
    let mut row = |name: &str, of: &Latency| {
        let times = [of.min_ms, of.mean_ms, of.p50_ms, of.p90_ms, of.p95_ms, of.p99_ms, of.p999_ms, of.max_ms];
        table.row(std::iter::once(name.to_owned()).chain(times.map(millis)));
    };
    row("latency", &measured.latency);
    row("answer time", &measured.answer_time);
    let note = style("  latency counts from when a request was due, answer time from when it was sent").dim();
    format!("{table}{note}\n")
}

fn histogram(bars: &[HistogramBucket]) -> String {
    let (total, most) = bars.iter().fold((0, 0), |(total, most), bar| (total + bar.count, most.max(bar.count)));
    let mut text = String::new();
    for bar in bars {
        let share = bar.count as f64 / total.max(1) as f64;
        let eighths = (bar.count as f64 / most.max(1) as f64 * (BAR_CHARS * 8) as f64).round() as usize;
        let partial = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
        let drawn = format!("{}{partial}", "█".repeat(eighths / 8));
        let drawn = if drawn.is_empty() && bar.count > 0 { "▏".to_owned() } else { drawn };
        text.push_str(&format!(
            "  {:>9}  {}{}  {} {}\n",
            millis(bar.from_ms),
            style(&drawn).cyan(),
            " ".repeat(BAR_CHARS.saturating_sub(drawn.chars().count())),
            style(format!("{:>5.1} %", share * 100.0)),
            style(count(bar.count)).dim(),
        ));
    }
    text
}

fn outcomes(measured: &Measured) -> String {
    let mut text = String::new();
    let all_well = measured.failed + measured.unsent == 0;
    if all_well {
        return text;
    }
    text.push('\n');
    for (status, number) in &measured.statuses {
        text.push_str(&format!("  {:>9}  {status}\n", count(*number)));
    }
    for (reason, number) in &measured.failures {
        text.push_str(&format!("  {:>9}  {}\n", count(*number), style(reason).red()));
    }
    if measured.unsent > 0 {
        let unsent = style("due, and never sent: no connection came free").red();
        text.push_str(&format!("  {:>9}  {unsent}\n", count(measured.unsent)));
    }
    text
}

/// One rate of a search.
pub fn probe_line(probe: &Probe, goal: Goal) -> String {
    let measured = &probe.measured;
    let mark = if probe.held { style("✓").green() } else { style("✗").red() };
    let failed = measured.failed + measured.unsent;
    let wrong = if failed > 0 { format!("  {} failed", count(failed)) } else { String::new() };
    format!(
        "  {} {:>9} requests/s  p99 {:>9} of {}{wrong}",
        mark.for_stderr(),
        count(measured.rate_asked.unwrap_or_default() as u64),
        millis(measured.latency.p99_ms),
        millis(goal.p99_ms),
    )
}

/// Why the bound did not hold.
pub fn missed(report: &Report, goal: Option<Goal>) -> String {
    let bound = goal.map_or(0.0, |goal| goal.p99_ms);
    let Some(measured) = report.measured.as_ref().filter(|_| report.capacity.is_none()) else {
        return format!("at no rate do 99 of 100 requests take at most {}", millis(bound));
    };
    let failed = measured.failed + measured.unsent;
    if measured.latency.p99_ms > bound {
        return format!("p99 is {}, above {}", millis(measured.latency.p99_ms), millis(bound));
    }
    format!("{} of {} requests failed", count(failed), count(measured.requests))
}

fn per_second(rate: f64) -> String {
    let digits = if rate < 100.0 { number(rate) } else { count(rate.round() as u64) };
    format!("{digits} requests/s")
}

/// A time in milliseconds, to three digits or the microsecond.
fn millis(time: f64) -> String {
    match time {
        time if time < 10.0 => format!("{time:.2} ms"),
        time if time < 100.0 => format!("{time:.1} ms"),
        time if time < 10_000.0 => format!("{time:.0} ms"),
        time => format!("{:.1} s", time / 1e3),
    }
}
