//! A metric over time: estimated with its band, measured with its error.

use super::minute;
use crate::performance::Measure;
use crate::watch::WindowReport;

const LEFT: f64 = 60.0;
const WIDTH: f64 = 1130.0;
const HEIGHT: f64 = 260.0;
const BOTTOM: f64 = 225.0;

pub(super) fn chart(metric: &str, reference: Option<f64>, windows: &[WindowReport]) -> String {
    let of = |report: &WindowReport| {
        let middle = report.start + (report.end - report.start) / 2;
        let performance = &report.performance;
        (middle, performance.estimated.get(metric).copied(), performance.realised.get(metric).copied())
    };
    let points: Vec<(i64, Option<Measure>, Option<Measure>)> =
        windows.iter().map(of).filter(|(_, estimated, realised)| estimated.is_some() || realised.is_some()).collect();
    let Some((first, last)) = points.first().zip(points.last()) else {
        return "<p class=\"note\">No window has an estimate or labels yet.</p>".to_owned();
    };
    // Windows of a few rows have bands that would hide all others.
    let ends = |measure: &Measure| {
        [
            measure.value - measure.band.min(0.5 * measure.value.abs()),
            measure.value + measure.band.min(0.5 * measure.value.abs()),
        ]
    };
    let all = points.iter().flat_map(|(_, estimated, realised)| {
        estimated.iter().chain(realised.iter()).flat_map(ends).collect::<Vec<_>>()
    });
    let (low, high) =
        all.chain(reference).fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    let pad = ((high - low) * 0.08).max(1e-6);
    // Shares end at 0 and 1.
    let share = !matches!(metric, "mae" | "rmse" | "log_loss");
    let (low, high) = (low - pad, high + pad);
    let (low, high) = if share { (low.max(0.0), high.min(1.0)) } else { (low, high) };
    let y = |value: f64| (BOTTOM - (value - low) / (high - low) * (BOTTOM - 10.0)).clamp(2.0, BOTTOM);
    let span = ((last.0 - first.0) as f64).max(1.0);
    let x = |time: i64| LEFT + (time - first.0) as f64 / span * (WIDTH - LEFT - 10.0);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{metric} by window\">");
    for tick in 0..5 {
        let value = low + (high - low) * f64::from(tick) / 4.0;
        let at = y(value);
        svg.push_str(&format!(
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value:.3}</text>",
            LEFT - 6.0,
            at + 4.0
        ));
    }
    if let Some(value) = reference {
        let at = y(value);
        svg.push_str(&format!("<line class=\"reference\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\"><title>reference {value:.4}</title></line>"));
    }
    let estimated: Vec<(f64, Measure)> =
        points.iter().filter_map(|(time, estimated, _)| Some((x(*time), (*estimated)?))).collect();
    if !estimated.is_empty() {
        let upper = estimated.iter().map(|(x, measure)| format!("{x:.1},{:.1}", y(measure.value + measure.band)));
        let lower = estimated.iter().rev().map(|(x, measure)| format!("{x:.1},{:.1}", y(measure.value - measure.band)));
        svg.push_str(&format!(
            "<polygon class=\"band\" points=\"{}\"/>",
            upper.chain(lower).collect::<Vec<_>>().join(" ")
        ));
        let line: Vec<String> =
            estimated.iter().map(|(x, measure)| format!("{x:.1},{:.1}", y(measure.value))).collect();
        svg.push_str(&format!("<polyline class=\"estimate\" points=\"{}\"/>", line.join(" ")));
    }
    for (time, _, realised) in &points {
        let Some(measure) = realised else { continue };
        let (at, top, bottom) = (x(*time), y(measure.value + measure.band), y(measure.value - measure.band));
        svg.push_str(&format!(
            "<line class=\"whisker\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{top:.1}\" y2=\"{bottom:.1}\"/><circle class=\"real\" cx=\"{at:.1}\" cy=\"{:.1}\" r=\"3\"><title>{}: {:.4} ± {:.4}</title></circle>",
            y(measure.value),
            minute(*time),
            measure.value,
            measure.band
        ));
    }
    let bottom = HEIGHT - 12.0;
    svg.push_str(&format!("<text x=\"{LEFT}\" y=\"{bottom}\">{}</text>", minute(first.0)));
    svg.push_str(&format!("<text x=\"{WIDTH}\" y=\"{bottom}\" text-anchor=\"end\">{}</text></svg>", minute(last.0)));
    format!(
        "<p class=\"key\">{metric}<i style=\"background:var(--c0)\"></i>estimated without labels, with three standard errors\
         <i style=\"background:var(--c1)\"></i>measured with labels</p>{svg}"
    )
}
