//! How well probabilities agree with frequencies, before and after a calibration.

use std::fmt::Write as _;

use serde_json::Value;
use tidemill_core::markup::escape;

use super::decimals;

/// Width and height of the chart, and the room for its labels.
const SIZE: [f64; 2] = [420.0, 300.0];
const ROOM: f64 = 36.0;

/// The figures before and after, and the reliability diagram.
pub(super) fn section(training: &Value) -> String {
    let recorded = &training["calibration"];
    let Some(method) = recorded["method"].as_str() else { return String::new() };
    let mut rows = String::new();
    for (key, title) in [("calibration_error", "calibration error"), ("brier", "Brier score"), ("log_loss", "log-loss")]
    {
        let cell = |part: &str| recorded[part][key].as_f64().map_or_else(|| "–".to_owned(), decimals);
        let _ =
            write!(rows, "<tr class=\"f\"><td>{title}</td><td>{}</td><td>{}</td></tr>", cell("before"), cell("after"));
    }
    format!(
        "<section id=\"calibration\"><h2>Calibration<span><code>{}</code> on {} validation rows</span><span class=\"legend\">\
         <span class=\"key\"><i class=\"dot c1\"></i>before</span><span class=\"key\"><i class=\"dot c0\"></i>after</span></span></h2>\
         <div class=\"chart\">{}</div><div class=\"scroll\"><table><thead><tr><th>metric</th><th>before</th><th>after</th></tr></thead>\
         <tbody>{rows}</tbody></table></div><p class=\"foot\">The share of positives (upwards) against the mean probability (to the \
         right) in ten bins of rows; on the dashed line both agree. The evaluation judges the calibrated model on other rows.</p></section>",
        escape(method),
        tidemill_core::grouped(recorded["rows"].as_u64().unwrap_or_default()),
        diagram(recorded)
    )
}

/// Points of mean probability and share of positives.
fn diagram(recorded: &Value) -> String {
    let x = |share: f64| ROOM + share * (SIZE[0] - 2.0 * ROOM);
    let y = |share: f64| SIZE[1] - ROOM - share * (SIZE[1] - 2.0 * ROOM);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {} {}\" style=\"max-width:560px\" role=\"img\" aria-label=\"share of positives by probability\">",
        SIZE[0], SIZE[1]
    );
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1}\" y2=\"{:.1}\"/><text x=\"{}\" y=\"{:.1}\" \
             text-anchor=\"end\">{share}</text><text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{share}</text>",
            x(0.0),
            x(1.0),
            y(share),
            y(share),
            x(0.0) - 6.0,
            y(share) + 4.0,
            x(share),
            SIZE[1] - ROOM + 18.0
        );
    }
    let _ =
        write!(svg, "<line class=\"best\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>", x(0.0), y(0.0), x(1.0), y(1.0));
    for (part, colour) in [("before", "c1"), ("after", "c0")] {
        let bins = recorded[part]["bins"].as_array().map(Vec::as_slice).unwrap_or_default();
        let points: Vec<String> = bins
            .iter()
            .filter_map(|bin| Some(format!("{:.1},{:.1}", x(bin[0].as_f64()?), y(bin[1].as_f64()?))))
            .collect();
        let _ = write!(svg, "<polyline class=\"curve {colour}\" points=\"{}\"/>", points.join(" "));
    }
    svg.push_str("</svg>");
    svg
}
