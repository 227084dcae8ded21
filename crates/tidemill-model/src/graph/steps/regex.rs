//! `regex_replace` and `regex_extract`: texts by regular expressions.

use std::borrow::Cow;
use std::fmt;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::super::Stage;
use super::super::mapper::{MapStep, Missing};
use super::super::run::TextOp;

/// A longer pattern is refused.
const PATTERN_BYTES_MAX: usize = 1000;
/// Bytes that a compiled pattern, and its lazy automaton, may take.
const PATTERN_MEMORY_MAX: usize = 1 << 20;

/// Every match of a regular expression replaced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegexReplace {
    /// The syntax of the `regex` crate.
    pub pattern: String,
    /// May hold `$1` or `${name}` for groups, `$$` for a dollar.
    pub with: String,
}

/// The first match of a regular expression. No match, or a group that took no part, becomes missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegexExtract {
    /// The syntax of the `regex` crate.
    pub pattern: String,
    /// Which group; 0 is the whole match.
    pub group: u32,
}

/// Compiles a regular expression within bounds. Matching takes time linear in the text.
pub(super) fn regex(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(format!("a pattern has {} bytes, and {PATTERN_BYTES_MAX} are the most", pattern.len()));
    }
    let built = RegexBuilder::new(pattern)
        .size_limit(PATTERN_MEMORY_MAX)
        .dfa_size_limit(PATTERN_MEMORY_MAX)
        .nest_limit(50)
        .build();
    // The crate draws the place over several lines; the last one says what is wrong.
    let reason = |error: regex::Error| error.to_string().lines().last().unwrap_or_default().trim().to_owned();
    built
        .map_err(|error| format!("`{pattern}` is not a valid pattern: {}", reason(error).trim_start_matches("error: ")))
}

impl MapStep for RegexReplace {
    fn name(&self) -> &'static str {
        "regex_replace"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        regex(&self.pattern)?;
        self.only(Stage::Text, stage, Stage::Text)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " `{}` by `{}`", self.pattern, self.with)
    }

    fn maps_text(&self) -> bool {
        true
    }

    fn text_op(&self) -> Option<Box<dyn TextOp>> {
        // The pattern has been compiled before, when the step was checked.
        Some(Box::new(Replace(regex(&self.pattern).ok()?, self.with.clone())))
    }
}

impl MapStep for RegexExtract {
    fn name(&self) -> &'static str {
        "regex_extract"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        let groups = regex(&self.pattern)?.captures_len();
        if self.group as usize >= groups {
            return Err(format!("`{}` has no group {}", self.pattern, self.group));
        }
        self.only(Stage::Text, stage, Stage::Text)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " `{}`", self.pattern)
    }

    fn missing(&self) -> Missing {
        Missing::Made
    }

    fn maps_text(&self) -> bool {
        true
    }

    fn text_op(&self) -> Option<Box<dyn TextOp>> {
        Some(Box::new(Extract(regex(&self.pattern).ok()?, self.group as usize)))
    }
}

#[derive(Debug)]
struct Replace(Regex, String);

impl TextOp for Replace {
    fn apply<'a>(&'a self, text: Option<Cow<'a, str>>, _: &mut bool) -> Option<Cow<'a, str>> {
        let Self(regex, with) = self;
        Some(match text? {
            Cow::Borrowed(text) => regex.replace_all(text, with),
            Cow::Owned(text) => match regex.replace_all(&text, with) {
                Cow::Borrowed(_) => Cow::Owned(text),
                Cow::Owned(replaced) => Cow::Owned(replaced),
            },
        })
    }
}

#[derive(Debug)]
struct Extract(Regex, usize);

impl TextOp for Extract {
    fn apply<'a>(&'a self, text: Option<Cow<'a, str>>, _: &mut bool) -> Option<Cow<'a, str>> {
        let (Self(regex, group), text) = (self, text?);
        let range = if *group == 0 { regex.find(&text)?.range() } else { regex.captures(&text)?.get(*group)?.range() };
        Some(match text {
            Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
            Cow::Owned(text) => Cow::Owned(text[range].to_owned()),
        })
    }
}
