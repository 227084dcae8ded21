//! `regex_replace` and `regex_extract`: texts by regular expressions.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params};
use tidemill_model::steps;

use super::Step;
use super::fixed::fixed;
use super::parse::schema;
use crate::issues::one_issue;
use crate::step::{Argument, StepEntry};

pub(super) const REGEX_REPLACE: StepEntry = StepEntry {
    name: "regex_replace",
    about: "Matches of a regular expression replaced.",
    argument: Argument::Required(schema::<ReplaceParams>),
    parse: parse_replace,
};
pub(super) const REGEX_EXTRACT: StepEntry = StepEntry {
    name: "regex_extract",
    about: "The first match of a regular expression.",
    argument: Argument::Required(schema::<ExtractParams>),
    parse: parse_extract,
};

/// A regular expression and what its matches become.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReplaceParams {
    /// The syntax of Rust's `regex` crate.
    pattern: String,
    /// `$1` or `${name}` stand for groups.
    #[serde(default)]
    with: String,
}

/// A regular expression, or that and a group.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it is the schema of what `parse_extract` reads by hand")]
enum ExtractParams {
    /// The first group, or the whole match where there is none.
    Pattern(String),
    /// By name.
    Named(GroupNamed),
}

/// A regular expression and a group.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GroupNamed {
    /// The syntax of Rust's `regex` crate.
    pattern: String,
    /// The number of the group; 0 is the whole match.
    group: Option<u32>,
}

fn parse_replace(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    if argument.is_null() {
        return one_issue("`regex_replace` needs a pattern: `{ pattern: \"[0-9]+\", with: \"#\" }`");
    }
    let ReplaceParams { pattern, with } = parse_params(argument)?;
    fixed(steps::RegexReplace { pattern, with })
}

fn parse_extract(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    let GroupNamed { pattern, group } = match argument {
        Value::Null => return one_issue("`regex_extract` needs a pattern"),
        Value::String(pattern) => GroupNamed { pattern: pattern.clone(), group: None },
        _ => parse_params(argument)?,
    };
    if let Some(group) = group {
        return fixed(steps::RegexExtract { pattern, group });
    }
    // The first group, if there is one.
    fixed(steps::RegexExtract { pattern: pattern.clone(), group: 1 })
        .or_else(|_| fixed(steps::RegexExtract { pattern, group: 0 }))
}
