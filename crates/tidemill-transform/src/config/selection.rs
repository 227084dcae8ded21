//! Features that stand for several columns: `auto`, and names with `*` or `?`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use tidemill_core::{ParamIssue, parse_params};
use tidemill_model::Source;

use super::FeatureConfig;
use super::feature::{StepsParams, fits_some_type, steps};
use crate::issues::{below, issue, issue_at, one_issue, take};
use crate::steps::Step;

/// The key of `features` that chooses features by themselves.
pub(crate) const AUTO: &str = "auto";

/// Features that are known once the columns are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OpenEntry {
    /// How many features of the file come before.
    pub(crate) at: usize,
    pub(crate) kind: Open,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Open {
    /// All columns of this name, with these steps.
    Pattern(Pattern, Vec<Step>),
    Auto(AutoConfig),
}

/// How features are chosen by themselves.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct AutoConfig {
    /// Of these columns alone, if there are any.
    pub(crate) only: Vec<Pattern>,
    pub(crate) except: Vec<Pattern>,
    /// Steps by the kind of the column, in place of the usual ones.
    pub(crate) numeric: Option<Vec<Step>>,
    pub(crate) text: Option<Vec<Step>>,
    pub(crate) date: Option<Vec<Step>>,
    pub(crate) boolean: Option<Vec<Step>>,
}

/// How features are chosen by themselves.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AutoParams {
    /// Only these columns; `*` stands for any characters, `?` for one.
    only: Option<Vec<String>>,
    /// All columns but these; `*` stands for any characters, `?` for one.
    except: Option<Vec<String>>,
    /// Steps for columns of numbers; `numeric` unless given.
    #[schemars(with = "Option<StepsParams>")]
    numeric: Option<Value>,
    /// Steps for columns of text; `one_hot` for up to 20 values unless given, `vocabulary` for more.
    #[schemars(with = "Option<StepsParams>")]
    text: Option<Value>,
    /// Steps for columns of dates; the parts that vary unless given.
    #[schemars(with = "Option<StepsParams>")]
    date: Option<Value>,
    /// Steps for columns of true and false; `numeric` unless given.
    #[schemars(with = "Option<StepsParams>")]
    boolean: Option<Value>,
}

/// A name of columns, in which `*` stands for any characters and `?` for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(pub(crate) String);

impl Pattern {
    /// Whether it can stand for more than one name.
    pub(crate) fn is_open(&self) -> bool {
        self.0.contains(['*', '?'])
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        if self.0 == name {
            return true;
        }
        let (pattern, name): (Vec<char>, Vec<char>) = (self.0.chars().collect(), name.chars().collect());
        let (mut at, mut read) = (0, 0);
        // Where the last `*` was, and how much of the name it has taken.
        let mut star: Option<(usize, usize)> = None;
        while read < name.len() {
            match pattern.get(at) {
                Some('*') => {
                    star = Some((at, read));
                    at += 1;
                }
                Some(expected) if *expected == '?' || *expected == name[read] => {
                    at += 1;
                    read += 1;
                }
                _ => match &mut star {
                    Some((place, taken)) => {
                        *taken += 1;
                        (at, read) = (*place + 1, *taken);
                    }
                    None => return false,
                },
            }
        }
        pattern[at..].iter().all(|rest| *rest == '*')
    }
}

/// The features of a file as names with their steps: a mapping, or one of the short forms `auto` and a list of columns.
/// Issues are relative to `features`.
pub(super) fn by_name(features: Option<&Value>) -> Result<Map<String, Value>, Vec<ParamIssue>> {
    let auto = |settings: Value| Ok(Map::from_iter([(AUTO.to_owned(), settings)]));
    match features {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(named)) => Ok(named.clone()),
        Some(Value::String(word)) => match word.as_str() {
            AUTO => auto(Value::Object(Map::new())),
            "all" | "*" => Err(vec![issue(format!("`{word}` is not a way to choose features")).with_hint(
                "write `features: auto` for all columns that help, or `features: { \"*\": numeric }` for all columns with the same step",
            )]),
            column => Err(vec![issue(format!("`{column}` is text where a mapping of features is expected")).with_hint(
                format!("write `features: auto`, or `features: {{ {column}: numeric }}`"),
            )]),
        },
        Some(Value::Array(names)) if !names.is_empty() && names.iter().all(Value::is_string) => {
            auto(serde_json::json!({ "only": names }))
        }
        Some(_) => Err(vec![
            issue("features are a mapping from names to steps, or `auto`")
                .with_hint("for example `features: { fare: z_score, company: one_hot }`, or `features: auto`"),
        ]),
    }
}

/// Whether an entry of `features` stands for several columns; issues are relative to the entry.
pub(super) fn open(name: &str, value: &Value) -> Result<Option<Open>, Vec<ParamIssue>> {
    if name == AUTO && is_settings(value) {
        return auto(value).map(|auto| Some(Open::Auto(auto)));
    }
    let pattern = Pattern(name.to_owned());
    let is_steps = !value.as_object().is_some_and(|object| {
        ["from", "expression", "cross", "columns", "history"].iter().any(|key| object.contains_key(*key))
    });
    if !pattern.is_open() || !is_steps {
        return Ok(None);
    }
    let steps = steps(value)?;
    check_steps(&steps)?;
    Ok(Some(Open::Pattern(pattern, steps)))
}

/// Whether the value under `auto` holds settings, and not the steps of a column called so.
fn is_settings(value: &Value) -> bool {
    const KEYS: [&str; 6] = ["only", "except", "numeric", "text", "date", "boolean"];
    match value {
        Value::Null | Value::Bool(true) => true,
        Value::Object(object) => {
            // `numeric` alone with null would be a step; settings of a kind have steps.
            object.is_empty() || object.iter().any(|(key, value)| KEYS.contains(&key.as_str()) && !value.is_null())
        }
        _ => false,
    }
}

fn auto(value: &Value) -> Result<AutoConfig, Vec<ParamIssue>> {
    let params = if value.is_object() { parse_params(value)? } else { AutoParams::default() };
    let mut issues = Vec::new();
    let mut kind = |key: &str, written: Option<Value>| {
        let read = |written: Value| {
            let steps = steps(&written)?;
            check_steps(&steps).map(|()| steps)
        };
        written.and_then(|written| take(read(written).map_err(|found| below(&[key], found)), &mut issues))
    };
    let (numeric, text) = (kind("numeric", params.numeric), kind("text", params.text));
    let (date, boolean) = (kind("date", params.date), kind("boolean", params.boolean));
    let patterns = |names: Option<Vec<String>>| names.into_iter().flatten().map(Pattern).collect::<Vec<_>>();
    if params.only.as_ref().is_some_and(Vec::is_empty) {
        issues.extend(issue_at::<()>("only", "the list of columns is empty").err().into_iter().flatten());
    }
    if !issues.is_empty() {
        return Err(issues);
    }
    Ok(AutoConfig { only: patterns(params.only), except: patterns(params.except), numeric, text, date, boolean })
}

/// Refuses steps that fit no column.
fn check_steps(steps: &[Step]) -> Result<(), Vec<ParamIssue>> {
    if steps.iter().any(|step| matches!(step, Step::Window(_))) {
        return one_issue("`lag` and `window` look at a history: write `{ history: COLUMN, steps: … }`");
    }
    let (name, source) = (String::new(), Source::Column(String::new()));
    fits_some_type(&FeatureConfig { name, source, constants: None, steps: steps.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_names() {
        for (pattern, name, matches) in [
            ("mean *", "mean area", true),
            ("mean *", "mean", false),
            ("*", "", true),
            ("*_id", "user_id", true),
            ("*_id", "user_id_2", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("x?", "x1", true),
            ("x?", "x12", false),
            ("?é*", "aéb", true),
            ("fare", "fare", true),
        ] {
            assert_eq!(Pattern(pattern.to_owned()).matches(name), matches, "{pattern} {name}");
        }
    }
}
