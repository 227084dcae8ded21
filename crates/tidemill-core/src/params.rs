//! Reading the parameters of a step out of the pipeline file.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Code, ComponentError};

/// Something wrong with one parameter, at a place inside the step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParamIssue {
    /// Keys and indexes from the step down to the value: `["features", "fare"]`. Empty: the step itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl ParamIssue {
    /// An issue at `path`.
    pub fn new<P: Into<String>>(path: impl IntoIterator<Item = P>, message: impl Into<String>) -> Self {
        Self { path: path.into_iter().map(Into::into).collect(), message: message.into(), hint: None }
    }

    /// The same issue with advice.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for ParamIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "`{}`: {}", self.path.join("."), self.message)
        }
    }
}

/// All issues in one error. A pipeline has shown them at their places before it runs; this is for other callers.
impl From<Vec<ParamIssue>> for ComponentError {
    fn from(issues: Vec<ParamIssue>) -> Self {
        let message = issues.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let error = Self::new(Code::Params, message);
        match issues.into_iter().find_map(|issue| issue.hint) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// Reads the parameters of a step as `T`.
///
/// Errors of `serde` come back as issues that point at the offending key; an unknown key or variant gets the nearest
/// known one as a hint. All mistakes come back at once: what is wrong is removed, and the rest is read again.
pub fn parse_params<T: DeserializeOwned>(params: &Value) -> Result<T, Vec<ParamIssue>> {
    match parse_params_partly(params) {
        (Some(parsed), issues) if issues.is_empty() => Ok(parsed),
        (_, issues) => Err(issues),
    }
}

/// As [`parse_params`]; beside the issues, what the rest of the parameters says if it can be read, to find in it what else
/// is wrong.
pub fn parse_params_partly<T: DeserializeOwned>(params: &Value) -> (Option<T>, Vec<ParamIssue>) {
    let mut issues = match parse::<T>(params) {
        Ok(parsed) => return (Some(parsed), Vec::new()),
        Err(issue) => vec![issue],
    };
    let mut rest = params.clone();
    while issues.len() < ISSUES_MAX && issues.last().is_some_and(|last| remove(&mut rest, &last.path)) {
        match parse::<T>(&rest) {
            Ok(parsed) => return (Some(parsed), issues),
            Err(next) if !is_removed(&next, &issues) && !issues.contains(&next) => issues.push(next),
            Err(_) => break,
        }
    }
    (None, issues)
}

/// Adds issues to others, but for those that follow from one of them: of the same parameter, or of one that holds it.
pub fn add_issues(issues: &mut Vec<ParamIssue>, more: Vec<ParamIssue>) {
    let follows = |issue: &ParamIssue, of: &ParamIssue| of.path.starts_with(&issue.path);
    let new: Vec<ParamIssue> =
        more.into_iter().filter(|issue| !issues.iter().any(|known| follows(issue, known))).collect();
    issues.extend(new);
}

/// More mistakes are not listed.
const ISSUES_MAX: usize = 50;

/// Removes the value at a path. `false`: there is none, or it is an item of a list, whose removal would move the others.
fn remove(params: &mut Value, path: &[String]) -> bool {
    let Some((key, parents)) = path.split_last() else { return false };
    let mut parent = params;
    for key in parents {
        let child = match parent {
            Value::Object(object) => object.get_mut(key),
            Value::Array(items) => key.parse::<usize>().ok().and_then(|at| items.get_mut(at)),
            _ => None,
        };
        match child {
            Some(child) => parent = child,
            None => return false,
        }
    }
    parent.as_object_mut().is_some_and(|object| object.shift_remove(key).is_some())
}

/// Whether `issue` says that something is missing which was removed.
fn is_removed(issue: &ParamIssue, before: &[ParamIssue]) -> bool {
    issue.message.starts_with("missing field")
        && quoted_words(&issue.message).first().is_some_and(|field| {
            let of_same =
                |other: &ParamIssue| other.path.last() == Some(field) && other.path.len() == issue.path.len() + 1;
            before.iter().any(of_same)
        })
}

/// As [`parse_params`], to the first mistake.
fn parse<T: DeserializeOwned>(params: &Value) -> Result<T, ParamIssue> {
    serde_path_to_error::deserialize(params).map_err(|error| {
        let mut path: Vec<String> = error
            .path()
            .iter()
            .filter_map(|segment| match segment {
                serde_path_to_error::Segment::Map { key } => Some(key.clone()),
                serde_path_to_error::Segment::Seq { index } => Some(index.to_string()),
                // A choice is a mapping with one key.
                serde_path_to_error::Segment::Enum { variant } => Some(variant.clone()),
                serde_path_to_error::Segment::Unknown => None,
            })
            .collect();
        let message = error.inner().to_string();
        let quoted = quoted_words(&message);
        let mut hint = None;
        let unknown_field = message.starts_with("unknown field");
        if let (true, Some((wrong, known))) =
            (unknown_field || message.starts_with("unknown variant"), quoted.split_first())
        {
            if unknown_field && path.last() != Some(wrong) {
                path.push(wrong.clone());
            }
            hint = suggest(wrong, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
        }
        ParamIssue { path, message: plain(message), hint }
    })
}

/// Rust's names of types in words.
fn plain(message: String) -> String {
    let Some((found, expected)) = message.split_once(", expected ").filter(|_| message.starts_with("invalid ")) else {
        return message;
    };
    let expected = match expected {
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative",
        "f32" | "f64" => "a number",
        "a string" => "text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "a mapping",
        other if other.starts_with("struct ") => "a mapping",
        other => other,
    };
    let found = found.strip_prefix("invalid type: ").or_else(|| found.strip_prefix("invalid value: ")).unwrap_or(found);
    let found = found.replace("string \"", "text \"").replace("floating point `", "`").replace("integer `", "`");
    format!("{found} where {expected} is expected")
}

/// Gives issues about unknown keys and names advice from a table of what other libraries call things: the name, without
/// regard to case, `_`, `-` and spaces, and what to write here.
pub fn advise(issues: &mut [ParamIssue], names: &[(&str, &str)]) {
    for issue in issues.iter_mut().filter(|issue| issue.message.starts_with("unknown ")) {
        let advice = quoted_words(&issue.message).first().and_then(|wrong| advice_for(wrong, names));
        if let Some(advice) = advice {
            issue.hint = Some(advice.to_owned());
        }
    }
}

/// What a table such as that of [`advise`] says of a name.
pub fn advice_for<'a>(name: &str, names: &[(&str, &'a str)]) -> Option<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace(['_', '-', ' '], "");
    let wrong = plain(name);
    names.iter().find(|(other, _)| plain(other) == wrong).map(|(_, advice)| *advice)
}

/// The known word nearest to `wrong`, if one is near enough to be a slip of the finger.
///
/// Near is a third of the letters inserted, left out, replaced or swapped with a neighbour (as rustc has it), a
/// similarity after Jaro and Winkler above 0.85, or a word cut short.
pub fn suggest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    let slips = |word: &str| {
        let word = word.to_lowercase();
        let distance = strsim::osa_distance(&wrong, &word);
        let near = distance <= wrong.chars().count().max(3) / 3;
        let cut_short = wrong.len() >= 3 && word.starts_with(&wrong);
        let similar = strsim::jaro_winkler(&wrong, &word) > 0.85;
        (near || cut_short || similar).then_some(distance)
    };
    known
        .into_iter()
        .filter_map(|word| Some((slips(word)?, word)))
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, word)| word)
}

fn quoted_words(message: &str) -> Vec<String> {
    message.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Inner {
        learning_rate: f64,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Outer {
        learner: Inner,
    }

    #[test]
    fn a_misspelt_key_is_located_and_the_right_one_offered() {
        let issues = parse_params::<Outer>(&serde_json::json!({ "learner": { "learning_rat": 0.1 } })).unwrap_err();
        assert_eq!(issues[0].path, ["learner", "learning_rat"]);
        assert_eq!(issues[0].hint.as_deref(), Some("did you mean `learning_rate`?"));
    }

    #[test]
    fn all_mistakes_are_listed_at_once() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[allow(dead_code)]
        struct Learner {
            rounds: u32,
            leaves: Option<u32>,
            inner: Inner,
        }
        let wrong = serde_json::json!({
            "n_rounds": 3, "rounds": "many", "leaves": -1, "inner": { "learning_rate": "fast", "eta": 1 },
        });
        let issues = parse_params::<Learner>(&wrong).unwrap_err();
        let places: Vec<String> = issues.iter().map(|issue| issue.path.join(".")).collect();
        assert_eq!(places[..3], ["n_rounds", "rounds", "leaves"]);
        assert!(places[3..].contains(&"inner.learning_rate".to_owned()), "{places:?}");
        // What is missing is one mistake.
        let issues = parse_params::<Learner>(&serde_json::json!({ "rounds": 1 })).unwrap_err();
        assert_eq!(issues.len(), 1);
    }

    #[test]
    fn only_a_slip_of_the_finger_is_put_right() {
        let known = ["csv", "json", "parquet", "payment_type", "pickup_hour"];
        assert_eq!(suggest("cvs", known), Some("csv"));
        assert_eq!(suggest("paymenttype", known), Some("payment_type"));
        assert_eq!(suggest("pickup", known), Some("pickup_hour"));
        assert_eq!(suggest("fair", ["trip_miles", "fare"]), Some("fare"));
        assert_eq!(suggest("JSON", known), Some("json"));
        assert_eq!(suggest("avro", known), None);
        assert_eq!(suggest("picture", known), None);
    }

    #[test]
    fn a_value_of_the_wrong_type_is_located() {
        let issues = parse_params::<Outer>(&serde_json::json!({ "learner": { "learning_rate": "fast" } })).unwrap_err();
        assert_eq!(issues[0].path, ["learner", "learning_rate"]);
        assert!(issues[0].message == "text \"fast\" where a number is expected", "{}", issues[0].message);
    }
}
