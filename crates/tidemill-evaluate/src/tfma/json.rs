//! The JSON form of an `EvalConfig`, as `json_format.MessageToJson` writes it, rewritten to the text form.

use std::fmt::Write as _;

use serde_json::Value;

use super::Problem;

/// Fields that are maps: in JSON an object whose keys are data.
const MAPS: &[&str] = &[
    "label_keys",
    "prediction_keys",
    "example_weight_keys",
    "feature_values",
    "class_weights",
    "output_weights",
    "thresholds",
    "per_slice_thresholds",
    "cross_slice_thresholds",
];

/// Numbers and booleans that may be absent: JSON has the bare value.
const WRAPPED: &[&str] = &[
    "lower_bound",
    "upper_bound",
    "absolute",
    "relative",
    "include_default_metrics",
    "compute_confidence_intervals",
    "min_slice_size",
];

/// The text form of a JSON object.
pub(super) fn as_text(value: &Value) -> Result<String, Problem> {
    let mut text = String::new();
    fields(value, &mut text)?;
    Ok(text)
}

fn fields(value: &Value, out: &mut String) -> Result<(), Problem> {
    let Value::Object(object) = value else {
        return Err(Problem::new(format!("an object is expected where `{value}` stands")));
    };
    for (name, value) in object {
        field(&snake_case(name), value, out)?;
    }
    Ok(())
}

fn field(name: &str, value: &Value, out: &mut String) -> Result<(), Problem> {
    match value {
        Value::Null => Ok(()),
        // The items of a list are messages, also where a map has the same name.
        Value::Array(items) => items.iter().try_for_each(|item| match item {
            Value::Object(_) => message(name, item, out),
            scalar => field(name, scalar, out),
        }),
        Value::Object(entries) if MAPS.contains(&name) => entries.iter().try_for_each(|(key, value)| {
            let _ = write!(out, "{name} {{ key: ");
            // Classes are numbers, everything else is text.
            if name == "class_weights" {
                out.push_str(key);
            } else {
                quoted(key, out);
            }
            field_value("value", value, out)?;
            out.push_str(" }\n");
            Ok(())
        }),
        Value::Object(_) => message(name, value, out),
        scalar if WRAPPED.contains(&name) => {
            let _ = write!(out, "{name} {{");
            field_value("value", scalar, out)?;
            out.push_str(" }\n");
            Ok(())
        }
        scalar => field_value(name, scalar, out),
    }
}

fn message(name: &str, value: &Value, out: &mut String) -> Result<(), Problem> {
    let _ = write!(out, "{name} {{ ");
    fields(value, out)?;
    out.push_str("}\n");
    Ok(())
}

fn field_value(name: &str, value: &Value, out: &mut String) -> Result<(), Problem> {
    match value {
        Value::Object(_) => {
            let _ = write!(out, " {name} {{ ");
            fields(value, out)?;
            out.push('}');
        }
        Value::String(text) => {
            let _ = write!(out, " {name}: ");
            // Names of enumerations are bare words in the text form, and 64-bit numbers are text in JSON.
            if matches!(name, "direction" | "method") { out.push_str(text) } else { quoted(text, out) }
        }
        Value::Array(_) | Value::Null => return Err(Problem::new(format!("`{name}` is `{value}`"))),
        number => {
            let _ = write!(out, " {name}: {number}");
        }
    }
    out.push('\n');
    Ok(())
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// `metricsSpecs` as `metrics_specs`.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}
