//! A space as it is written in a file.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};
use tidemill_core::{ParamIssue, suggest};

use super::{Condition, Dimension, Domain, Params, Space, same};

/// The keys of a parameter that is searched.
const KEYS: [&str; 6] = ["float", "int", "choice", "log", "step", "when"];
/// What other tuners write, and what to write here.
const ELSEWHERE: [(&str, &str); 12] = [
    ("uniform", "write `{ float: [LOW, HIGH] }`"),
    ("loguniform", "write `{ float: [LOW, HIGH], log: true }`"),
    ("quniform", "write `{ float: [LOW, HIGH], step: STEP }`"),
    ("randint", "write `{ int: [LOW, HIGH] }`, both ends included"),
    ("categorical", "write `{ choice: [A, B] }` or only `[A, B]`"),
    ("values", "write `{ choice: [A, B] }` or only `[A, B]`"),
    ("min_value", "write `{ int: [LOW, HIGH] }` or `{ float: [LOW, HIGH] }`"),
    ("min", "write `{ int: [LOW, HIGH] }` or `{ float: [LOW, HIGH] }`"),
    ("low", "write `{ int: [LOW, HIGH] }` or `{ float: [LOW, HIGH] }`"),
    ("max", "write `{ int: [LOW, HIGH] }` or `{ float: [LOW, HIGH] }`"),
    ("sampling", "write `log: true`"),
    ("parent", "write `when: { PARENT: VALUE }`"),
];

/// A parameter as it was read, before its conditions are resolved.
struct Read<'a> {
    name: &'a str,
    domain: Domain,
    when: Vec<(&'a str, Vec<&'a Value>)>,
}

pub(super) fn space(value: &Value) -> Result<Space, Vec<ParamIssue>> {
    let Some(entries) = value.as_object() else {
        let issue = ParamIssue::new::<&str>([], "a search space is a mapping from parameters to their ranges");
        return Err(vec![issue.with_hint("as in `{ learning_rate: { float: [0.01, 0.3], log: true } }`")]);
    };
    let (mut read, mut fixed, mut issues) = (Vec::new(), Params::new(), Vec::new());
    for (name, value) in entries {
        match dimension(name, value) {
            Ok(Some(dimension)) => read.push(dimension),
            Ok(None) => {
                fixed.insert(name.clone(), value.clone());
            }
            Err(issue) => issues.push(issue),
        }
    }
    if !issues.is_empty() {
        return Err(issues);
    }
    let dimensions = ordered(&read, &fixed)?;
    Ok(Space { dimensions, fixed })
}

/// One parameter; `None` for a fixed value.
fn dimension<'a>(name: &'a str, value: &'a Value) -> Result<Option<Read<'a>>, ParamIssue> {
    let issue = |message: String| ParamIssue::new([name], message);
    let entries = match value {
        Value::Array(values) => {
            return Ok(Some(Read { name, domain: choice(values).map_err(issue)?, when: Vec::new() }));
        }
        Value::Object(entries) => entries,
        _ => return Ok(None),
    };
    for key in entries.keys() {
        if !KEYS.contains(&key.as_str()) {
            let unknown = ParamIssue::new([name, key.as_str()], format!("`{key}` is no key of a searched parameter"));
            let elsewhere = ELSEWHERE.iter().find(|(other, _)| other == key).map(|(_, ours)| (*ours).to_owned());
            let near = || suggest(key, KEYS).map(|near| format!("did you mean `{near}`?"));
            let known = "it has one of `float`, `int`, `choice`, and `log`, `step`, `when`".to_owned();
            return Err(unknown.with_hint(elsewhere.or_else(near).unwrap_or(known)));
        }
    }
    let kinds: Vec<&str> = ["float", "int", "choice"].into_iter().filter(|kind| entries.contains_key(*kind)).collect();
    let [kind] = kinds.as_slice() else {
        let message = "a searched parameter has exactly one of `float`, `int` and `choice`";
        return Err(issue(message.to_owned()).with_hint("as in `{ int: [2, 200], log: true }`"));
    };
    let at = |key: &str, message: String| ParamIssue::new([name, key], message);
    let log = match entries.get("log") {
        None => false,
        Some(log) => log.as_bool().ok_or_else(|| at("log", "`log` is true or false".to_owned()))?,
    };
    let domain = match *kind {
        "choice" => {
            if let Some(key) = ["log", "step"].into_iter().find(|key| entries.contains_key(*key)) {
                return Err(at(key, format!("choices have no order, so `{key}` says nothing")));
            }
            let values = entries["choice"].as_array();
            choice(values.ok_or_else(|| at("choice", "`choice` is a list of values".to_owned()))?)
                .map_err(|message| at("choice", message))?
        }
        kind => numbers(kind, entries, log).map_err(|(key, message)| at(key, message))?,
    };
    let mut when = Vec::new();
    if let Some(value) = entries.get("when") {
        let Some(parents) = value.as_object().filter(|parents| !parents.is_empty()) else {
            return Err(at("when", "`when` names another parameter and its value".to_owned())
                .with_hint("as in `when: { boosting: dart }`"));
        };
        for (parent, values) in parents {
            let values = values.as_array().map_or_else(|| vec![values], |values| values.iter().collect());
            when.push((parent.as_str(), values));
        }
    }
    Ok(Some(Read { name, domain, when }))
}

fn choice(values: &[Value]) -> Result<Domain, String> {
    if values.is_empty() {
        return Err("there is nothing to choose from".to_owned());
    }
    for (at, value) in values.iter().enumerate() {
        if values[..at].iter().any(|before| same(before, value)) {
            return Err(format!("{value} is there twice"));
        }
    }
    Ok(Domain::Choice(values.to_vec()))
}

/// A range of numbers; an error with the key that it is about.
fn numbers<'a>(kind: &'a str, entries: &Map<String, Value>, log: bool) -> Result<Domain, (&'a str, String)> {
    let ends = entries[kind].as_array().map_or(&[][..], Vec::as_slice);
    let ends: Vec<f64> = ends.iter().filter_map(Value::as_f64).collect();
    let [low, high] = ends.as_slice() else {
        return Err((kind, format!("`{kind}` is a list of the least and the largest value, as in `{kind}: [1, 10]`")));
    };
    let (low, high) = (*low, *high);
    if low > high {
        return Err((kind, format!("the least value, {low}, is above the largest, {high}")));
    }
    if log && low <= 0.0 {
        return Err((kind, format!("with `log` the least value is above 0, and is {low}")));
    }
    let step = match entries.get("step") {
        None => None,
        Some(step) => match step.as_f64().filter(|step| *step > 0.0 && step.is_finite()) {
            Some(step) => Some(step),
            None => return Err(("step", "`step` is a number above 0".to_owned())),
        },
    };
    if log && step.is_some() {
        return Err(("step", "`log` and `step` do not go together".to_owned()));
    }
    if kind == "float" {
        return Ok(Domain::Float { low, high, step, log });
    }
    let whole = |number: f64| number.fract() == 0.0 && number.abs() < 2f64.powi(53);
    if !whole(low) || !whole(high) {
        return Err((kind, "the ends of `int` are whole numbers".to_owned()));
    }
    if step.is_some_and(|step| !whole(step)) {
        return Err(("step", "the step of `int` is a whole number".to_owned()));
    }
    Ok(Domain::Int { low: low as i64, high: high as i64, step: step.unwrap_or(1.0) as i64, log })
}

/// The dimensions, parents before their children.
fn ordered(read: &[Read<'_>], fixed: &Params) -> Result<Vec<Dimension>, Vec<ParamIssue>> {
    let mut issues = Vec::new();
    for Read { name, when, .. } in read {
        for (parent, values) in when {
            let at = |message: String| ParamIssue::new([*name, "when", *parent], message);
            match read.iter().find(|other| other.name == *parent).map(|other| &other.domain) {
                Some(Domain::Choice(known)) => {
                    if let Some(unknown) = values.iter().find(|value| !known.iter().any(|known| same(known, value))) {
                        let known: Vec<String> = known.iter().map(ToString::to_string).collect();
                        let unknown = at(format!("`{parent}` never is {unknown}"));
                        issues.push(unknown.with_hint(format!("it is one of {}", known.join(", "))));
                    }
                }
                Some(_) => issues.push(at(format!("`{parent}` is a number; a parent is a `choice`"))),
                None if fixed.contains_key(*parent) => {
                    issues.push(at(format!("`{parent}` is fixed, so the condition decides nothing")));
                }
                None => {
                    let issue = at(format!("there is no parameter `{parent}`"));
                    let near = suggest(parent, read.iter().map(|other| other.name));
                    issues.push(match near {
                        Some(near) => issue.with_hint(format!("did you mean `{near}`?")),
                        None => issue,
                    });
                }
            }
        }
    }
    if !issues.is_empty() {
        return Err(issues);
    }
    let mut order: Vec<&Read<'_>> = Vec::new();
    while order.len() < read.len() {
        let is_placed = |name: &str| order.iter().any(|placed| placed.name == name);
        let next = read
            .iter()
            .find(|candidate| !is_placed(candidate.name) && candidate.when.iter().all(|(parent, _)| is_placed(parent)));
        let Some(next) = next else {
            let circle = read.iter().find(|candidate| !is_placed(candidate.name)).map_or("", |read| read.name);
            return Err(vec![ParamIssue::new([circle, "when"], "the conditions of these parameters form a circle")]);
        };
        order.push(next);
    }
    let place = |name: &str| order.iter().position(|placed| placed.name == name);
    let condition = |(parent, values): &(&str, Vec<&Value>)| {
        let parent = place(parent)?;
        let Domain::Choice(known) = &order[parent].domain else { return None };
        let index = |value: &&Value| known.iter().position(|known| same(known, value));
        Some(Condition { parent, values: values.iter().filter_map(index).collect() })
    };
    Ok(order
        .iter()
        .map(|read| Dimension {
            name: read.name.to_owned(),
            domain: read.domain.clone(),
            when: read.when.iter().filter_map(condition).collect(),
        })
        .collect())
}

/// The schema of a space, for editors.
pub fn space_schema(_: &mut SchemaGenerator) -> Schema {
    let range =
        |items: &str| serde_json::json!({ "type": "array", "items": { "type": items }, "minItems": 2, "maxItems": 2 });
    json_schema!({
        "description": "For each parameter the values it may take: `{ float: [LOW, HIGH] }`, `{ int: [LOW, HIGH] }`, a list of choices, or one value. `log: true` searches factors, `step` leaves out values between, `when: { PARENT: VALUE }` says when the parameter matters.",
        "type": "object",
        "additionalProperties": {
            "anyOf": [
                {
                    "type": "object",
                    "properties": {
                        "float": range("number"),
                        "int": range("integer"),
                        "choice": { "type": "array", "minItems": 1 },
                        "log": { "type": "boolean" },
                        "step": { "type": "number", "exclusiveMinimum": 0 },
                        "when": { "type": "object" },
                    },
                    "additionalProperties": false,
                },
                { "type": "array", "minItems": 1 },
                { "type": ["string", "number", "boolean", "null"] },
            ],
        },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (written, place, message) in [
            (json!([1]), "", "a search space is a mapping"),
            (json!({ "a": { "uniform": [0, 1] } }), "a.uniform", "`uniform` is no key"),
            (json!({ "a": { "float": [0, 1], "int": [0, 1] } }), "a", "exactly one of"),
            (json!({ "a": { "float": [2, 1] } }), "a.float", "is above the largest"),
            (json!({ "a": { "float": [0, 1], "log": true } }), "a.float", "above 0"),
            (json!({ "a": { "int": [0.5, 2] } }), "a.int", "whole numbers"),
            (json!({ "a": { "int": [1, 2], "step": 0 } }), "a.step", "above 0"),
            (json!({ "a": { "int": [1, 2], "step": 1, "log": true } }), "a.step", "do not go together"),
            (json!({ "a": [] }), "a", "nothing to choose from"),
            (json!({ "a": ["x", "x"] }), "a", "\"x\" is there twice"),
            (json!({ "a": { "choice": [1], "log": true } }), "a.log", "no order"),
            (json!({ "a": { "int": [1, 2], "when": { "b": 1 } } }), "a.when.b", "no parameter `b`"),
            (json!({ "a": { "int": [1, 2], "when": { "b": 1 } }, "b": 1 }), "a.when.b", "fixed"),
            (json!({ "a": { "int": [1, 2], "when": { "b": 1 } }, "b": { "int": [1, 2] } }), "a.when.b", "is a number"),
            (json!({ "a": { "int": [1, 2], "when": { "b": "z" } }, "b": ["x", "y"] }), "a.when.b", "never is \"z\""),
            (
                json!({ "a": { "choice": [1, 2], "when": { "b": 1 } }, "b": { "choice": [1, 2], "when": { "a": 1 } } }),
                "a.when",
                "circle",
            ),
        ] {
            let issues = space(&written).unwrap_err();
            assert_eq!(issues[0].path.join("."), place, "{written}");
            assert!(issues[0].message.contains(message), "{written}: {}", issues[0].message);
        }
    }

    #[test]
    fn parents_come_first_however_the_file_is_written() {
        let space = space(&json!({
            "a": { "int": [1, 2], "when": { "b": [true] } },
            "b": { "choice": [true, false], "when": { "c": "on" } },
            "c": ["on", "off"],
        }))
        .unwrap();
        let names: Vec<&str> = space.dimensions().iter().map(|dimension| dimension.name.as_str()).collect();
        assert_eq!(names, ["c", "b", "a"]);
    }
}
