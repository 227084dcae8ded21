//! The weights of a linear model, and the path of penalties that they were chosen from.

use std::fmt::Write as _;

use serde_json::Value;
use tidemill_core::markup::escape;

use super::{decimals, numbers};

/// Weights that the page shows.
const SHOWN: usize = 60;

/// The weights in the units of the features.
pub(super) fn coefficients(training: &Value) -> String {
    let recorded = &training["coefficients"];
    let Some(weights) = recorded["weights"].as_array() else { return String::new() };
    let intercept = &recorded["intercept"];
    // A column for each class, or one.
    let classes: Vec<&String> = intercept.as_object().map(|classes| classes.keys().collect()).unwrap_or_default();
    let cells = |weight: &Value| -> String {
        let of: Vec<&Value> =
            if classes.is_empty() { vec![weight] } else { classes.iter().map(|class| &weight[*class]).collect() };
        of.into_iter().map(|value| format!("<td>{}</td>", signed(value))).collect()
    };
    let head: String = match classes.as_slice() {
        [] => "<th>weight</th>".to_owned(),
        classes => classes.iter().map(|class| format!("<th>{}</th>", escape(class))).collect(),
    };
    let mut rows = format!("<tr class=\"f\"><td>intercept</td>{}</tr>", cells(intercept));
    for one in weights.iter().take(SHOWN) {
        let name = escape(one["name"].as_str().unwrap_or_default());
        let _ = write!(rows, "<tr class=\"f\"><td>{name}</td>{}</tr>", cells(&one["weight"]));
    }
    let all = training["weights"].as_u64().unwrap_or_default();
    let not_zero = training["weights_not_zero"].as_u64().unwrap_or_default();
    format!(
        "<section id=\"weights\"><h2>Weights<span>{} of {} are not 0</span></h2><div class=\"scroll\"><table><thead><tr>\
         <th>feature</th>{head}</tr></thead><tbody>{rows}</tbody></table></div><p class=\"foot\">In the units that features have \
         after the transform; those that move the predictions most come first.</p></section>",
        tidemill_core::grouped(not_zero),
        tidemill_core::grouped(all)
    )
}

/// The values of `alpha` that were tried, with the losses.
pub(super) fn path(training: &Value) -> String {
    let recorded = &training["path"];
    let alphas = numbers(&recorded["alpha"]);
    if alphas.is_empty() {
        return String::new();
    }
    let chosen = recorded["chosen"].as_u64().unwrap_or_default() as usize;
    let (train, validation) = (numbers(&recorded["train"]), numbers(&recorded["validation"]));
    let not_zero = numbers(&recorded["weights_not_zero"]);
    let cell = |values: &[f64], at: usize| values.get(at).map_or_else(|| "–".to_owned(), |value| decimals(*value));
    let mut rows = String::new();
    for (at, alpha) in alphas.iter().enumerate() {
        let (open, close) = if at == chosen { ("<b>", " · chosen</b>") } else { ("", "") };
        let weights = not_zero.get(at).map_or_else(|| "–".to_owned(), |count| tidemill_core::grouped(*count as u64));
        let _ = write!(
            rows,
            "<tr class=\"f\"><td>{open}{alpha:.4e}{close}</td><td>{weights}</td><td>{}</td><td>{}</td></tr>",
            cell(&validation, at),
            cell(&train, at)
        );
    }
    let metric = escape(recorded["metric"].as_str().unwrap_or("loss"));
    format!(
        "<section id=\"path\"><h2>Regularisation path<span>{} values of <code>alpha</code>, the best by {metric} on the validation \
         rows</span></h2><div class=\"scroll\"><table><thead><tr><th>alpha</th><th>weights that are not 0</th><th>validation rows</th>\
         <th>training rows</th></tr></thead><tbody>{rows}</tbody></table></div></section>",
        alphas.len()
    )
}

fn signed(value: &Value) -> String {
    value.as_f64().map_or_else(|| "–".to_owned(), |number| format!("{number:.6}"))
}
