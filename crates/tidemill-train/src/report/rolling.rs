//! Forecasts as they would have been made, fold by fold.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use tidemill_core::markup::escape;

use super::decimals;

const ERRORS: [(&str, &str); 5] =
    [("mae", "MAE"), ("rmse", "RMSE"), ("mape", "MAPE"), ("smape", "sMAPE"), ("mase", "MASE")];

/// The errors of the model and of the baselines, in each fold and on average.
pub(super) fn section(training: &Value) -> String {
    let recorded = &training["rolling_origin"];
    let Some(folds) = recorded["folds"].as_array() else { return String::new() };
    let none = Map::new();
    let mean = recorded["mean"].as_object().unwrap_or(&none);
    let cell = |value: &Value| format!("<td>{}</td>", value.as_f64().map_or_else(|| "–".to_owned(), decimals));
    let mut means = String::new();
    for (name, errors) in mean {
        let cells: String = ERRORS.iter().map(|(key, _)| cell(&errors[*key])).collect();
        let _ = write!(means, "<tr class=\"f\"><td>{}</td>{cells}</tr>", escape(&name.replace('_', " ")));
    }
    let mut rows = String::new();
    for fold in folds {
        let text = |key: &str| escape(fold[key].as_str().unwrap_or_default());
        let count = |key: &str| tidemill_core::grouped(fold[key].as_u64().unwrap_or_default());
        let cells: String = mean.keys().map(|name| cell(&fold["errors"][name]["mae"])).collect();
        let _ = write!(
            rows,
            "<tr class=\"f\"><td>after {} until {}</td><td>{}</td><td>{}</td>{cells}</tr>",
            text("after"),
            text("until"),
            count("learned"),
            count("rows")
        );
    }
    let heads: String = ERRORS.iter().map(|(_, title)| format!("<th>{title}</th>")).collect();
    let forecasters: String =
        mean.keys().map(|name| format!("<th>MAE, {}</th>", escape(&name.replace('_', " ")))).collect();
    format!(
        "<section id=\"rolling\"><h2>Rolling origin<span>{} folds of {}, each learned from the rows before it</span></h2>\
         <div class=\"scroll\"><table><thead><tr><th>mean of the folds</th>{heads}</tr></thead><tbody>{means}</tbody></table></div>\
         <div class=\"scroll\"><table><thead><tr><th>fold</th><th>rows learned from</th><th>rows forecast</th>{forecasters}</tr></thead>\
         <tbody>{rows}</tbody></table></div></section>",
        folds.len(),
        escape(recorded["horizon"].as_str().unwrap_or_default())
    )
}
