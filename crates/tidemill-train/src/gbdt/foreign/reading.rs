//! Reading the values of another library's parameters.

use std::collections::BTreeMap;

use serde_json::Value;
use tidemill_core::{ParamIssue, TaskKind};

use super::super::learner::PositiveWeight;
use super::super::{Direction, StopMetric};
use super::{Asked, Parameter};

/// What was written, by the main name of each parameter.
#[derive(Default)]
pub(super) struct Reading<'a>(BTreeMap<&'static str, (&'a str, &'a Value)>);

impl<'a> Reading<'a> {
    /// Notes a parameter. Gives the other name that it was written by before, if it was.
    pub(super) fn add(&mut self, main: &'static str, name: &'a str, value: &'a Value) -> Option<&'a str> {
        if let Some((other, _)) = self.0.get(main) {
            return Some(other);
        }
        self.0.insert(main, (name, value));
        None
    }

    /// The name that a parameter was written by.
    pub(super) fn written(&self, main: &str) -> Option<&'a str> {
        self.0.get(main).map(|(name, _)| *name)
    }

    /// The value of a parameter.
    pub(super) fn value(&self, main: &str) -> Option<&'a Value> {
        self.0.get(main).map(|(_, value)| *value)
    }

    /// An issue of one of our parameters at the name that the user wrote for it, where it can be told.
    pub(super) fn renamed(&self, issue: ParamIssue, parameters: &[Parameter]) -> ParamIssue {
        let Some(ours) = issue.path.first() else { return issue };
        let same = |name: &str| name == ours || OURS.iter().any(|(theirs, mine)| *theirs == name && mine == ours);
        let main = parameters.iter().map(|(names, _)| names[0]).find(|main| same(main) && self.0.contains_key(main));
        match main.and_then(|main| self.written(main)) {
            Some(name) => {
                let message = issue.message.replace(&format!("`{ours}`"), &format!("`{name}`"));
                ParamIssue { path: vec![name.to_owned()], message, hint: issue.hint }
            }
            None => issue,
        }
    }
}

/// Names of theirs whose parameter has another name here.
const OURS: &[(&str, &str)] = &[
    ("num_iterations", "rounds"),
    ("num_leaves", "leaves"),
    ("n_estimators", "rounds"),
    ("eta", "learning_rate"),
    ("max_leaves", "leaves"),
    ("min_child_weight", "min_sum_hessian"),
    ("min_sum_hessian_in_leaf", "min_sum_hessian"),
    ("min_gain_to_split", "min_gain"),
    ("gamma", "min_gain"),
    ("alpha", "lambda_l1"),
    ("lambda", "lambda_l2"),
    ("subsample", "bagging_fraction"),
    ("colsample_bytree", "feature_fraction"),
    ("colsample_bynode", "feature_fraction_by_node"),
    ("feature_fraction_bynode", "feature_fraction_by_node"),
    ("monotone_constraints_method", "monotone_method"),
    ("lambdarank_truncation_level", "truncation_level"),
    ("lambdarank_num_pair_per_sample", "truncation_level"),
    ("alpha", "quantile_level"),
    ("quantile_alpha", "quantile_level"),
];

/// A number, also written as text.
pub(super) fn number(value: &Value) -> Result<f64, String> {
    let found = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    found.ok_or_else(|| format!("must be a number, and is {value}"))
}

/// A whole number from 0 on.
pub(super) fn count(value: &Value) -> Result<u32, String> {
    match number(value)? {
        found if found.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&found) => Ok(found as u32),
        found => Err(format!("must be a whole number, 0 or above, and is {found}")),
    }
}

/// A whole number where 0 and less mean that there is no limit.
pub(super) fn limit(value: &Value) -> Result<Option<u32>, String> {
    match number(value)? {
        found if found.fract() == 0.0 && found <= 0.0 => Ok(None),
        _ => count(value).map(Some),
    }
}

/// True or false.
pub(super) fn flag(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::Number(number) if number.as_u64() == Some(0) => Ok(false),
        Value::Number(number) if number.as_u64() == Some(1) => Ok(true),
        Value::String(text) if matches!(text.as_str(), "true" | "false") => Ok(text == "true"),
        _ => Err(format!("must be true or false, and is {value}")),
    }
}

/// A word.
pub(super) fn word(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("must be a word, and is {value}"))
}

/// Numbers: a list, one number, or text with commas.
pub(super) fn numbers(value: &Value) -> Result<Vec<f64>, String> {
    match value {
        Value::Array(items) => items.iter().map(number).collect(),
        Value::String(text) => text.split(',').map(|item| number(&Value::from(item.trim()))).collect(),
        one => number(one).map(|one| vec![one]),
    }
}

/// Places up to which a ranking is judged, ascending.
pub(super) fn places(value: &Value) -> Result<Vec<u32>, String> {
    let mut places =
        numbers(value)?.into_iter().map(|at| count(&Value::from(at))).collect::<Result<Vec<u32>, String>>()?;
    places.sort_unstable();
    Ok(places)
}

/// Directions by the names of features: `{ fare: 1, age: -1 }`.
pub(super) fn directions(value: &Value) -> Result<BTreeMap<String, Direction>, String> {
    let Value::Object(entries) = value else {
        return Err("must name features, as in `{ fare: 1, age: -1 }`: columns have no fixed places here".to_owned());
    };
    let mut found = BTreeMap::new();
    for (feature, direction) in entries {
        match number(direction)? {
            1.0 => found.insert(feature.clone(), Direction::Increasing),
            -1.0 => found.insert(feature.clone(), Direction::Decreasing),
            0.0 => None,
            other => return Err(format!("must be 1, 0 or -1 for each feature, and is {other} for `{feature}`")),
        };
    }
    Ok(found)
}

/// Sets of features by their names: `[[fare, tips], [hour]]`.
pub(super) fn sets(value: &Value) -> Result<Vec<Vec<String>>, String> {
    let wrong = || "must be lists of names of features, as in `[[fare, tips], [hour]]`".to_owned();
    let names = |set: &Value| -> Result<Vec<String>, String> {
        let members = set.as_array().ok_or_else(wrong)?;
        members.iter().map(|name| name.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
    };
    value.as_array().ok_or_else(wrong)?.iter().map(names).collect()
}

/// The first metric of a list, or a metric alone, by names of the library.
pub(super) fn metric(value: &Value, known: &[(&str, StopMetric)], asked: &mut Asked) -> Result<(), String> {
    let names: Vec<&str> = match value {
        Value::Array(names) => names.iter().map(word).collect::<Result<_, _>>()?,
        other => word(other)?.split(',').map(str::trim).collect(),
    };
    let Some(first) = names.first().filter(|name| !name.is_empty() && **name != "None") else { return Ok(()) };
    let (plain, place) = first.split_once('@').map_or((*first, None), |(plain, place)| (plain, Some(place)));
    if let Some(place) = place {
        let at = count(&Value::from(place.trim_end_matches('-')))?;
        asked.params.eval_at.retain(|known| *known < at);
        asked.params.eval_at.push(at);
    }
    let Some((_, metric)) = known.iter().find(|(name, _)| *name == plain) else {
        let known: Vec<String> = known.iter().map(|(name, _)| format!("`{name}`")).collect();
        return Err(format!("is `{first}`; early stopping knows {}", listed(&known)));
    };
    asked.params.metric = Some(*metric);
    if names.len() > 1 {
        asked.warnings.push(format!("early stopping looks at `{first}` alone; the `Evaluator` gives all metrics"));
    }
    Ok(())
}

/// What a positive row counts for.
pub(super) fn positive_weight(asked: &mut Asked, value: &Value) -> Result<(), String> {
    match number(value)? {
        1.0 => Ok(()),
        weight if weight > 0.0 => {
            asked.extras.positive = PositiveWeight::Times(weight);
            Ok(())
        }
        other => Err(format!("must be above 0, and is {other}")),
    }
}

/// Tasks that objectives are for.
pub(super) const BINARY: &[TaskKind] = &[TaskKind::Binary];
pub(super) const CLASSES: &[TaskKind] = &[TaskKind::MultiClass];
pub(super) const AMOUNT: &[TaskKind] = &[TaskKind::Regression];
pub(super) const RANKING: &[TaskKind] = &[TaskKind::Ranking];

/// "a, b and c".
pub(super) fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [some @ .., last] => format!("{} and {last}", some.join(", ")),
    }
}

/// A value that changes nothing: false, 0, nothing, an empty text.
pub(super) fn is_off(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(false))
        || number(value) == Ok(0.0)
        || value.as_str().is_some_and(|text| text.is_empty() || text == "false")
        || value.as_array().is_some_and(Vec::is_empty)
}

/// 1, which changes nothing.
pub(super) fn is_one(value: &Value) -> bool {
    number(value) == Ok(1.0)
}
