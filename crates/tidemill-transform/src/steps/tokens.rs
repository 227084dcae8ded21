//! `tokenize`, `split`, `ngrams`, `distinct` and `word_count`: lists of tokens.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params};
use tidemill_model::{Mapper, steps};

use super::Step;
use super::fixed::{fixed, plain};
use super::parse::schema;
use crate::issues::one_issue;
use crate::step::{Argument, StepEntry};

/// What a token is unless the file says otherwise: letters, digits and underscores, by Unicode.
const WORDS: &str = r"\w+";

pub(super) const TOKENIZE: StepEntry = StepEntry {
    name: "tokenize",
    about: "The matches of a regular expression as a list of tokens.",
    argument: Argument::Optional(schema::<PatternParams>),
    parse: parse_tokenize,
};
pub(super) const SPLIT: StepEntry = StepEntry {
    name: "split",
    about: "The parts between separators as a list of tokens.",
    argument: Argument::Required(schema::<String>),
    parse: parse_split,
};
pub(super) const NGRAMS: StepEntry = StepEntry {
    name: "ngrams",
    about: "Runs of neighbouring tokens.",
    argument: Argument::Required(schema::<NgramsParams>),
    parse: parse_ngrams,
};
pub(super) const DISTINCT: StepEntry = plain("distinct", "Every token once.", |_| fixed(Mapper::Distinct));
pub(super) const WORD_COUNT: StepEntry =
    plain("word_count", "How many tokens there are.", |_| fixed(Mapper::WordCount));

/// A regular expression, or none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it is the schema of what `parse_tokenize` reads by hand")]
enum PatternParams {
    /// What a token is; by default `\\w+`.
    Pattern(String),
    /// By name.
    Named(PatternNamed),
}

/// A regular expression.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PatternNamed {
    /// What a token is.
    pattern: String,
}

/// Runs of tokens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum NgramsParams {
    /// Shortest and longest run: `[1, 2]`.
    Range([u32; 2]),
    /// By name.
    Named(NgramsNamed),
}

/// Runs of tokens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NgramsNamed {
    /// The shortest run.
    min: u32,
    /// The longest run.
    max: u32,
    /// Between two tokens; by default a space.
    #[serde(default = "space")]
    separator: String,
}

fn space() -> String {
    " ".to_owned()
}

fn parse_tokenize(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    let pattern = match argument {
        Value::Null => WORDS.to_owned(),
        Value::String(pattern) => pattern.clone(),
        _ => parse_params::<PatternNamed>(argument)?.pattern,
    };
    fixed(steps::Tokenize { pattern })
}

fn parse_split(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    match argument.as_str() {
        Some(separator) => fixed(steps::Split { separator: separator.to_owned() }),
        None => one_issue("`split` needs the separator between two parts: `split: \"|\"`"),
    }
}

fn parse_ngrams(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    let (min, max, separator) = match argument {
        Value::Null => return one_issue("`ngrams` needs the shortest and the longest run: `ngrams: [1, 2]`"),
        _ => match parse_params(argument)? {
            NgramsParams::Range([min, max]) => (min, max, space()),
            NgramsParams::Named(NgramsNamed { min, max, separator }) => (min, max, separator),
        },
    };
    fixed(steps::Ngrams { min, max, separator })
}
