//! The training of a model as a page: how the loss went, which features matter, with which parameters.

mod calibration;
mod rolling;
mod search;
mod shapes;
mod tensorboard;
mod weights;

use std::fmt::Write as _;

use serde_json::{Map, Value};
use tidemill_core::markup::{About, BASE_STYLE, escape, fill};

pub use search::render_search_report;
pub use tensorboard::tensorboard_events;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");

/// Width and height of the chart, and the room for its labels.
const SIZE: [f64; 2] = [1080.0, 300.0];
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 34.0;
const TOP: f64 = 12.0;
const RIGHT: f64 = 14.0;
/// Lines of the grid about.
const LINES: f64 = 5.0;

/// Renders the training of a model as one HTML page, from the manifest of its package.
///
/// The page needs no network and no script, and holds no rows. The same input gives the same bytes. `about` says which model
/// and run it is of.
pub fn render_training_report(manifest: &Value, about: Option<&About>) -> String {
    let name = manifest["name"].as_str().unwrap_or("a model");
    let title = format!("Training of {name}");
    let parts = [
        ("{{page_title}}", escape(&about.map_or_else(|| title.clone(), |about| about.page_title(&title)))),
        ("{{title}}", escape(&title)),
        ("{{of}}", about.map(About::html).unwrap_or_default()),
        ("{{style}}", [BASE_STYLE, STYLE].concat()),
        ("{{facts}}", facts(manifest)),
        ("{{curve}}", curve(&manifest["training"])),
        ("{{importance}}", importance(&manifest["training"])),
        ("{{shapes}}", shapes::shapes(manifest)),
        ("{{metrics}}", metrics(&manifest["training"])),
        ("{{rolling}}", rolling::section(&manifest["training"])),
        ("{{calibration}}", calibration::section(&manifest["training"])),
        ("{{weights}}", weights::coefficients(&manifest["training"])),
        ("{{path}}", weights::path(&manifest["training"])),
        ("{{parameters}}", parameters(manifest)),
    ];
    fill(PAGE, &parts)
}

/// Facts about the training, in one line.
fn facts(manifest: &Value) -> String {
    let training = &manifest["training"];
    let mut out = String::new();
    let mut fact = |value: String, label: &str| {
        let _ = write!(out, "<div class=\"fact\"><b>{}</b><span>{}</span></div>", escape(&value), escape(label));
    };
    if let Some((learner, _)) = manifest["learner"]["params"].as_object().and_then(|params| params.iter().next()) {
        fact(learner.clone(), "learner");
    }
    for (part, label) in [("train", "rows learned from"), ("validation", "validation rows")] {
        if let Some(rows) = training["rows"][part].as_u64() {
            fact(tidemill_core::grouped(rows), label);
        }
    }
    if let Some(threshold) = manifest["decision_threshold"].as_f64() {
        let rule = training["threshold"]["rule"].as_str().unwrap_or("given");
        fact(format!("{threshold:.4}"), &format!("threshold ({rule})"));
    }
    let best = format!("best {}", training["curve"]["unit"].as_str().unwrap_or("round"));
    for (key, label) in [
        ("trees", "trees"),
        ("weights", "weights"),
        ("best_round", best.as_str()),
        ("iterations", "steps"),
        ("seed", "seed"),
    ] {
        if let Some(value) = training[key].as_u64() {
            fact(tidemill_core::grouped(value), label);
        }
    }
    out
}

/// A point of a curve: the round and the value.
type Point = (f64, f64);

/// The metric after each round, or whatever the learner repeats.
fn curve(training: &Value) -> String {
    let recorded = &training["curve"];
    let unit = escape(recorded["unit"].as_str().unwrap_or("round"));
    let rounds = numbers(&recorded["rounds"]);
    let series = |key: &str| -> Vec<Point> {
        let values = recorded[key].as_array().map(Vec::as_slice).unwrap_or_default();
        rounds.iter().zip(values).filter_map(|(round, value)| Some((*round, value.as_f64()?))).collect()
    };
    let both = [("validation rows", series("validation"), "c0"), ("training rows", series("train"), "c1")];
    let shown: Vec<&(&str, Vec<Point>, &str)> = both.iter().filter(|(_, points, _)| points.len() > 1).collect();
    let points = || shown.iter().flat_map(|(_, points, _)| points);
    let (Some(low), Some(high)) = (extreme(points(), f64::min), extreme(points(), f64::max)) else {
        return String::new();
    };
    let last = rounds.last().copied().unwrap_or(1.0).max(2.0);
    let room = if high > low { (high - low) * 0.06 } else { high.abs().max(1.0) * 0.1 };
    let (low, high) = (low - room, high + room);
    let x = |round: f64| LEFT + (round - 1.0) / (last - 1.0) * (SIZE[0] - LEFT - RIGHT);
    let y = |value: f64| TOP + (high - value) / (high - low) * (SIZE[1] - TOP - BOTTOM);

    let mut svg = format!(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{} after each {unit}\">",
        SIZE[0],
        SIZE[1],
        escape(recorded["metric"].as_str().unwrap_or("metric"))
    );
    let step = nice((high - low) / LINES);
    let mut line = (low / step).ceil() * step;
    while line <= high {
        let at = y(line);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text x=\"{}\" y=\"{:.1}\" \
             text-anchor=\"end\">{}</text>",
            SIZE[0] - RIGHT,
            LEFT - 8.0,
            at + 4.0,
            short(line, step)
        );
        line += step;
    }
    let step = nice(last / 8.0).max(1.0);
    let mut round = step;
    while round <= last {
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{round:.0}</text>",
            x(round),
            SIZE[1] - BOTTOM + 18.0
        );
        round += step;
    }
    for (_, points, colour) in &shown {
        let path: Vec<String> =
            points.iter().map(|(round, value)| format!("{:.1},{:.1}", x(*round), y(*value))).collect();
        let _ = write!(svg, "<polyline class=\"curve {colour}\" points=\"{}\"/>", path.join(" "));
    }
    let best = training["best_round"].as_f64().and_then(|best| {
        let validation = &both[0].1;
        validation.iter().find(|(round, _)| *round == best).copied()
    });
    if let Some((round, value)) = best {
        let (at, anchor, aside) = (x(round), if x(round) > SIZE[0] * 0.8 { "end" } else { "start" }, 8.0);
        let aside = if anchor == "end" { -aside } else { aside };
        let _ = write!(
            svg,
            "<line class=\"best\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{}\"/><circle class=\"mark c0\" cx=\"{at:.1}\" \
             cy=\"{:.1}\" r=\"4.5\"/><text class=\"label\" x=\"{:.1}\" y=\"{}\" text-anchor=\"{anchor}\">best {unit} {round:.0}: {}</text>",
            SIZE[1] - BOTTOM,
            y(value),
            at + aside,
            TOP + 12.0,
            decimals(value)
        );
    }
    svg.push_str("</svg>");
    let legend: Vec<String> = shown
        .iter()
        .map(|(name, _, colour)| format!("<span class=\"key\"><i class=\"dot {colour}\"></i>{name}</span>"))
        .collect();
    let metric = escape(recorded["metric"].as_str().unwrap_or("metric"));
    format!(
        "<section id=\"curve\"><h2>Learning curve<span>{metric} after each {unit}</span><span class=\"legend\">{}</span></h2>\
         <div class=\"chart\">{svg}</div></section>",
        legend.concat()
    )
}

/// The features that matter, with bars.
fn importance(training: &Value) -> String {
    let Some(features) = training["importance"].as_array().filter(|features| !features.is_empty()) else {
        return String::new();
    };
    let measures: Vec<&str> = features[0]
        .as_object()
        .map_or_else(Vec::new, |first| first.keys().map(String::as_str).filter(|key| *key != "feature").collect());
    let Some(main) = measures.first() else { return String::new() };
    let of = |feature: &Value| feature[*main].as_f64().unwrap_or(0.0);
    let total: f64 = features.iter().map(of).sum();
    let most = features.iter().map(of).fold(f64::MIN_POSITIVE, f64::max);
    let mut rows = String::new();
    for feature in features {
        let name = escape(feature["feature"].as_str().unwrap_or_default());
        let _ = write!(
            rows,
            "<tr class=\"f\"><td>{name}</td><td class=\"bar\"><i style=\"width:{:.1}%\"></i></td><td>{:.1} %</td>",
            100.0 * of(feature) / most,
            100.0 * of(feature) / total
        );
        for measure in measures.iter().skip(1) {
            let _ = write!(rows, "<td>{}</td>", value(&feature[*measure]));
        }
        rows.push_str("</tr>");
    }
    let others: String = measures.iter().skip(1).map(|measure| format!("<th>{}</th>", escape(measure))).collect();
    format!(
        "<section id=\"importance\"><h2>Importance<span>share of {}</span></h2><div class=\"scroll\"><table><thead><tr><th>feature</th>\
         <th></th><th>share</th>{others}</tr></thead><tbody>{rows}</tbody></table></div></section>",
        escape(main)
    )
}

/// The metrics of the training and of the validation rows.
fn metrics(training: &Value) -> String {
    let parts: Vec<(&str, &Map<String, Value>)> = [("train", "training rows"), ("validation", "validation rows")]
        .iter()
        .filter_map(|(key, title)| Some((*title, training["metrics"][*key].as_object()?)))
        .collect();
    let mut names: Vec<&String> = Vec::new();
    for name in parts.iter().flat_map(|(_, metrics)| metrics.keys()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return String::new();
    }
    let head: String = parts.iter().map(|(title, _)| format!("<th>{title}</th>")).collect();
    let mut rows = String::new();
    for name in names {
        let cells: String = parts
            .iter()
            .map(|(_, metrics)| format!("<td>{}</td>", metrics.get(name).map_or_else(|| "–".to_owned(), value)))
            .collect();
        let _ = write!(rows, "<tr class=\"f\"><td>{}</td>{cells}</tr>", escape(name));
    }
    format!(
        "<section id=\"metrics\"><h2>Metrics</h2><div class=\"scroll\"><table><thead><tr><th>metric</th>{head}</tr></thead>\
         <tbody>{rows}</tbody></table></div><p class=\"foot\">The evaluation judges the model on other rows, which the \
         training never saw.</p></section>"
    )
}

/// The parameters of the learner.
fn parameters(manifest: &Value) -> String {
    let Some((learner, params)) = manifest["learner"]["params"].as_object().and_then(|params| params.iter().next())
    else {
        return String::new();
    };
    let mut rows = String::new();
    for (name, given) in params.as_object().into_iter().flatten() {
        let text = match given {
            Value::String(text) => escape(text),
            Value::Null => "–".to_owned(),
            other => escape(&other.to_string()),
        };
        let _ = write!(rows, "<tr class=\"f\"><td><code>{}</code></td><td>{text}</td></tr>", escape(name));
    }
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "<section id=\"parameters\"><h2>Parameters<span>of <code>{}</code></span></h2><div class=\"scroll\"><table class=\"params\"><thead>\
         <tr><th>parameter</th><th>value</th></tr></thead><tbody>{rows}</tbody></table></div></section>",
        escape(learner)
    )
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().map(Vec::as_slice).unwrap_or_default().iter().filter_map(Value::as_f64).collect()
}

fn extreme<'a>(points: impl Iterator<Item = &'a Point>, of: fn(f64, f64) -> f64) -> Option<f64> {
    points.map(|(_, value)| *value).filter(|value| value.is_finite()).reduce(of)
}

/// 1, 2 or 5 times a power of ten, not below `step`.
fn nice(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|nice| *nice >= step * 0.999).unwrap_or(step)
}

/// A number of an axis whose lines are `step` apart.
fn short(value: f64, step: f64) -> String {
    let digits = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
    let text = format!("{value:.digits$}");
    if text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.')) { text.replace('-', "") } else { text }
}

fn decimals(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => tidemill_core::grouped(value.abs().round() as u64),
        size if size >= 10.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

fn value(of: &Value) -> String {
    match of {
        Value::Number(number) if number.is_u64() => tidemill_core::grouped(number.as_u64().unwrap_or_default()),
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), decimals),
        other => escape(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manifest() -> Value {
        json!({
            "name": "tips <b>",
            "learner": { "params": { "gradient_boosting": { "rounds": 100, "monotone": {}, "metric": null } } },
            "training": {
                "rows": { "train": 8000, "validation": 2000 },
                "metrics": { "train": { "log_loss": 0.2 }, "validation": { "log_loss": 0.25, "auc": 0.93 } },
                "trees": 40, "best_round": 40, "seed": 42,
                "curve": { "metric": "log-loss", "rounds": [1, 20, 40, 60], "validation": [0.6, 0.3, 0.25, 0.26], "train": [0.6, 0.28, 0.2, 0.15] },
                "importance": [{ "feature": "fare", "gain": 30.0, "splits": 12 }, { "feature": "hour", "gain": 10.0, "splits": 3 }],
            },
        })
    }

    #[test]
    fn a_page_has_the_curve_the_features_and_the_parameters() {
        let page = render_training_report(&manifest(), None);
        for part in [
            "Training of tips &lt;b&gt;",
            "best round 40: 0.2500",
            "<b>8,000</b><span>rows learned from</span>",
            "<td>fare</td><td class=\"bar\"><i style=\"width:100.0%\"></i></td><td>75.0 %</td><td>12</td>",
            "<td>auc</td><td>–</td><td>0.9300</td>",
            "<code>rounds</code></td><td>100</td>",
        ] {
            assert!(page.contains(part), "{part}");
        }
        assert!(!page.contains("{{") && !page.contains("<script") && !page.contains("NaN"), "{page}");
    }

    #[test]
    fn what_is_not_recorded_is_left_out() {
        let mut bare = manifest();
        bare["training"] = json!({ "rows": { "train": 10 }, "metrics": { "train": {} } });
        let page = render_training_report(&bare, None);
        assert!(!page.contains("<svg") && !page.contains("Importance") && !page.contains("id=\"metrics\""), "{page}");
    }

    #[test]
    fn lines_of_a_grid_are_at_round_numbers() {
        assert_eq!([0.013, 0.2, 3.1, 70.0].map(nice), [0.02, 0.2, 5.0, 100.0]);
        assert_eq!([short(0.04, 0.02), short(-0.0, 0.1), short(1200.0, 500.0)], ["0.04", "0.0", "1200"]);
    }
}
