//! The functions of an additive model as drawings.

use std::fmt::Write as _;

use serde_json::Value;
use tidemill_core::markup::escape;

use super::{nice, numbers, short};

/// Width and height of a drawing, and the room for its labels.
const SIZE: [f64; 2] = [520.0, 210.0];
const LEFT: f64 = 52.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 30.0;
/// The largest height of the bars that say how many rows there are.
const ROWS: f64 = 26.0;
/// Lines of the grid about.
const LINES: f64 = 4.0;
/// Colours for several classes.
const COLOURS: usize = 6;
/// Categories that are drawn at most.
const CATEGORIES: usize = 40;
/// The width of a character of a label, about.
const CHARACTER: f64 = 6.6;

/// A section with the function of each recorded feature, all on one scale; nothing for a model without any.
pub(super) fn shapes(manifest: &Value) -> String {
    let training = &manifest["training"];
    let Some(shapes) = training["shapes"].as_array().filter(|shapes| !shapes.is_empty()) else {
        return String::new();
    };
    let all = || {
        let columns = |shape: &Value| shape["values"].as_array().cloned().unwrap_or_default();
        shapes.iter().flat_map(columns).flat_map(|column| numbers(&column))
    };
    let low = all().fold(0.0, f64::min);
    let high = all().fold(0.0, f64::max);
    let room = (high - low).max(1e-9) * 0.05;
    let scale = [low - room, high + room];
    let drawings: String = shapes.iter().map(|shape| drawing(shape, scale)).collect();
    let is_class = !training["classes"].is_null();
    let unit = if is_class { "what each value adds to the log-odds" } else { "what each value adds to the prediction" };
    let classes: Vec<&Value> = shapes[0]["values"].as_array().into_iter().flatten().collect();
    let names = training["classes"]["train"].as_object();
    let legend: String = match names {
        Some(names) if classes.len() > 1 => names
            .keys()
            .enumerate()
            .map(|(at, name)| {
                format!("<span class=\"key\"><i class=\"dot c{}\"></i>{}</span>", at % COLOURS, escape(name))
            })
            .collect(),
        _ => String::new(),
    };
    format!(
        "<section id=\"shapes\"><h2>Functions<span>{unit}, on one scale; grey: rows</span><span class=\"legend\">{legend}</span></h2>\
         <div class=\"shapes\">{drawings}</div>{}</section>",
        pairs(training)
    )
}

/// The pairs of features with a function of their own.
fn pairs(training: &Value) -> String {
    let Some(pairs) = training["interactions"].as_array().filter(|pairs| !pairs.is_empty()) else {
        return String::new();
    };
    let mut pairs: Vec<(f64, String)> = pairs
        .iter()
        .map(|pair| {
            let name = |at: usize| escape(pair["features"][at].as_str().unwrap_or_default());
            (pair["effect"].as_f64().unwrap_or(0.0), format!("{} × {}", name(0), name(1)))
        })
        .collect();
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let rows: String = pairs
        .iter()
        .map(|(effect, name)| format!("<tr class=\"f\"><td>{name}</td><td>{effect:.4}</td></tr>"))
        .collect();
    format!(
        "<div class=\"scroll\"><table><thead><tr><th>pair of features</th><th>mean effect</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )
}

/// One feature.
fn drawing(shape: &Value, [low, high]: [f64; 2]) -> String {
    let y = |value: f64| TOP + (high - value) / (high - low) * (SIZE[1] - TOP - BOTTOM);
    let name = escape(shape["feature"].as_str().unwrap_or_default());
    let mut svg =
        format!("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"function of {name}\">", SIZE[0], SIZE[1]);
    let step = nice((high - low) / LINES);
    let mut line = (low / step).ceil() * step;
    while line <= high {
        let at = y(line);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            SIZE[0] - RIGHT,
            LEFT - 6.0,
            at + 4.0,
            short(line, step)
        );
        line += step;
    }
    let columns: Vec<Vec<f64>> = shape["values"].as_array().into_iter().flatten().map(numbers).collect();
    let rows = numbers(&shape["rows"]);
    match shape["bounds"].as_array() {
        Some(_) => curve(&mut svg, &numbers(&shape["bounds"]), &columns, &rows, &y),
        None => bars(&mut svg, &texts(&shape["categories"]), &columns, &rows, &y),
    }
    svg.push_str("</svg>");
    format!("<figure class=\"chart\"><figcaption>{name}</figcaption>{svg}</figure>")
}

/// Steps over the values of a number, and a dot for missing ones.
fn curve(svg: &mut String, bounds: &[f64], columns: &[Vec<f64>], rows: &[f64], y: &dyn Fn(f64) -> f64) {
    let bins = bounds.len() + 1;
    let (first, last) = (bounds.first().copied().unwrap_or(0.0), bounds.last().copied().unwrap_or(1.0));
    let has_missing = rows.len() > bins;
    let right = SIZE[0] - RIGHT - if has_missing { 46.0 } else { 0.0 };
    let room = ((last - first) * 0.04).max(1e-9);
    let (from, to) = (first - room, last + room);
    let x = |value: f64| LEFT + (value - from) / (to - from) * (right - LEFT);
    let end = |bin: usize| bounds.get(bin).copied().unwrap_or(to);
    let start = |bin: usize| if bin == 0 { from } else { bounds[bin - 1] };
    // Rows by width: the area of a bar is the number of rows.
    let density = |bin: usize| rows.get(bin).copied().unwrap_or(0.0) / (end(bin) - start(bin)).max(1e-12);
    let most = (0..bins).map(density).fold(f64::MIN_POSITIVE, f64::max);
    for bin in 0..bins {
        let height = ROWS * (density(bin) / most).sqrt();
        let _ = write!(
            svg,
            "<rect class=\"rows\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>",
            x(start(bin)),
            SIZE[1] - BOTTOM - height,
            (x(end(bin)) - x(start(bin))).max(0.3)
        );
    }
    let step = nice((to - from) / 5.0);
    let mut tick = (from / step).ceil() * step;
    while tick <= to {
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            x(tick),
            SIZE[1] - BOTTOM + 16.0,
            short(tick, step)
        );
        tick += step;
    }
    for (at, values) in columns.iter().enumerate() {
        let colour = at % COLOURS;
        let points: Vec<String> = (0..bins)
            .filter_map(|bin| {
                let height = y(*values.get(bin)?);
                Some(format!("{:.1},{height:.1} {:.1},{height:.1}", x(start(bin)), x(end(bin))))
            })
            .collect();
        let _ = write!(svg, "<polyline class=\"curve c{colour}\" points=\"{}\"/>", points.join(" "));
        if let Some(value) = values.get(bins).filter(|_| has_missing) {
            let _ = write!(
                svg,
                "<circle class=\"mark c{colour}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"/>",
                right + 26.0,
                y(*value)
            );
        }
    }
    if has_missing {
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">missing</text>",
            right + 26.0,
            SIZE[1] - BOTTOM + 16.0
        );
    }
}

/// A bar for each category, the most frequent first; the first value is that of all others, the last one of missing values.
fn bars(svg: &mut String, categories: &[&str], columns: &[Vec<f64>], rows: &[f64], y: &dyn Fn(f64) -> f64) {
    let mut names: Vec<(usize, &str)> =
        categories.iter().enumerate().take(CATEGORIES).map(|(at, name)| (at + 1, *name)).collect();
    if rows.first().is_some_and(|rows| *rows > 0.0) {
        names.push((0, "other"));
    }
    if rows.len() > categories.len() + 1 {
        names.push((categories.len() + 1, "missing"));
    }
    let width = (SIZE[0] - LEFT - RIGHT) / names.len().max(1) as f64;
    let most = rows.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    for (place, (cell, name)) in names.iter().enumerate() {
        let left = LEFT + place as f64 * width;
        let height = ROWS * (rows.get(*cell).copied().unwrap_or(0.0) / most).sqrt();
        let _ = write!(
            svg,
            "<rect class=\"rows\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>",
            left + width * 0.1,
            SIZE[1] - BOTTOM - height,
            width * 0.8
        );
        let room = (width / CHARACTER) as usize;
        if room >= 2 {
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\"><title>{}</title>{}</text>",
                left + width / 2.0,
                SIZE[1] - BOTTOM + 16.0,
                escape(name),
                escape(&cut(name, room))
            );
        }
        for (at, values) in columns.iter().enumerate() {
            let part = width * 0.7 / columns.len() as f64;
            let (zero, top) = (y(0.0), y(values.get(*cell).copied().unwrap_or(0.0)));
            let _ = write!(
                svg,
                "<rect class=\"value c{}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{part:.1}\" height=\"{:.1}\"/>",
                at % COLOURS,
                left + width * 0.15 + part * at as f64,
                zero.min(top),
                (zero - top).abs().max(1.0)
            );
        }
    }
}

/// The texts of a list.
fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The start of a name that has too many characters.
fn cut(name: &str, most: usize) -> String {
    if name.chars().count() > most { name.chars().take(most - 1).chain(['…']).collect() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_drawn_as_steps_and_categories_as_bars() {
        let manifest = json!({ "training": {
            "shapes": [
                { "feature": "fa<re", "bounds": [1.0, 2.0], "values": [[-1.0, 0.0, 1.5, 0.25]], "rows": [5.0, 8.0, 2.0, 1.0] },
                { "feature": "company", "categories": ["Blue & Co", "A very long name of a company"], "values": [[0.1, -0.4, 0.7]], "rows": [0.0, 10.0, 6.0] },
            ],
            "interactions": [{ "features": ["fa<re", "company"], "effect": 0.125 }],
        }});
        let section = shapes(&manifest);
        for part in [
            "function of fa&lt;re",
            "<polyline class=\"curve c0\"",
            ">missing</text>",
            "<title>Blue &amp; Co</title>Blue &amp; Co</text>",
            "<rect class=\"value c0\"",
            "fa&lt;re × company</td><td>0.1250",
        ] {
            assert!(section.contains(part), "{part}: {section}");
        }
        assert!(!section.contains("NaN") && !section.contains(">other<"), "{section}");
        assert_eq!(shapes(&json!({ "training": {} })), "");
    }
}
