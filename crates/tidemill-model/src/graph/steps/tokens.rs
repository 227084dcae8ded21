//! `tokenize`, `split`, `ngrams`, `distinct` and `word_count`: lists of tokens.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::super::mapper::{MapStep, Position};
use super::super::run::{Columns, Decoder, Rows};
use super::super::{Mapper, Stage};
use super::count_tokens::TokenCounter;
use super::regex::regex;

/// Longer runs of tokens are a mistake.
const NGRAM_MAX: u32 = 8;

/// The matches of a regular expression as a list of tokens. A text without matches is an empty list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokenize {
    /// The syntax of the `regex` crate.
    pub pattern: String,
}

/// The parts between separators, without white space at either end; empty parts are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// At least one character.
    pub separator: String,
}

/// Runs of neighbouring tokens, joined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ngrams {
    /// The shortest run, at least 1.
    pub min: u32,
    /// The longest.
    pub max: u32,
    /// Between two tokens.
    pub separator: String,
}

/// See [`Mapper::Distinct`].
pub(super) struct Distinct;
/// See [`Mapper::WordCount`].
pub(super) struct WordCount;

impl MapStep for Tokenize {
    fn name(&self) -> &'static str {
        "tokenize"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        regex(&self.pattern)?;
        self.only(Stage::Text, stage, Stage::Tokens)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " `{}`", self.pattern)
    }

    fn reads_raw(&self, _: bool) -> bool {
        true
    }

    fn decoder(&self, at: &Position<'_>) -> Option<(Box<dyn Decoder>, usize)> {
        decoder(at)
    }
}

impl MapStep for Split {
    fn name(&self) -> &'static str {
        "split"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        if self.separator.is_empty() {
            return Err("`separator` of `split` is empty".to_owned());
        }
        self.only(Stage::Text, stage, Stage::Tokens)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " at `{}`", self.separator)
    }

    fn reads_raw(&self, _: bool) -> bool {
        true
    }

    fn decoder(&self, at: &Position<'_>) -> Option<(Box<dyn Decoder>, usize)> {
        decoder(at)
    }
}

impl MapStep for Ngrams {
    fn name(&self) -> &'static str {
        "ngrams"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        let Self { min, max, .. } = self;
        if !(1..=NGRAM_MAX).contains(min) || !(*min..=NGRAM_MAX).contains(max) {
            return Err(format!("`ngrams` are of 1 to {NGRAM_MAX} tokens, not of {min} to {max}"));
        }
        self.only(Stage::Tokens, stage, Stage::Tokens)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " of {} to {}", self.min, self.max)
    }
}

impl MapStep for Distinct {
    fn name(&self) -> &'static str {
        "distinct"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        self.only(Stage::Tokens, stage, Stage::Tokens)
    }
}

impl MapStep for WordCount {
    fn name(&self) -> &'static str {
        "word_count"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        self.only(Stage::Tokens, stage, Stage::Float)
    }
}

/// The decoder of a list of tokens: the steps that make the list, and the one that counts.
fn decoder(at: &Position<'_>) -> Option<(Box<dyn Decoder>, usize)> {
    let makes_tokens = |mapper: &&Mapper| {
        matches!(mapper, Mapper::Tokenize(_) | Mapper::Split(_) | Mapper::Ngrams(_) | Mapper::Distinct)
    };
    let count = at.after.iter().take_while(makes_tokens).count();
    let tokenizer = Tokenizer::new(&at.after[..count])?;
    let decoder: Box<dyn Decoder> = match at.after.get(count)? {
        Mapper::WordCount => Box::new(WordCounter(tokenizer)),
        counts => Box::new(TokenCounter::new(tokenizer, counts)?),
    };
    Some((decoder, count + 1))
}

#[derive(Debug)]
struct WordCounter(Tokenizer);

impl Decoder for WordCounter {
    fn run(&self, rows: &Rows<'_>, out: &mut Columns<'_>) -> bool {
        let Columns { main, indicator, .. } = out;
        rows.texts(indicator.as_deref_mut(), |row, text| {
            main[row] = text.map_or(f64::NAN, |text| {
                let mut tokens = Vec::new();
                self.0.tokens(text, &mut tokens);
                tokens.len() as f64
            });
        })
    }
}

/// Turns a text into tokens.
#[derive(Debug)]
pub struct Tokenizer {
    cut: TokenSplit,
    ops: Vec<TokenOp>,
}

#[derive(Debug)]
enum TokenSplit {
    Matches(Regex),
    Parts(String),
}

#[derive(Debug)]
enum TokenOp {
    Ngrams { min: usize, max: usize, separator: String },
    Distinct,
}

impl Tokenizer {
    /// The tokenizer among `mappers`, which have been checked; `None` if no step cuts.
    pub fn new(mappers: &[Mapper]) -> Option<Self> {
        let cuts = |mapper: &Mapper| matches!(mapper, Mapper::Tokenize(_) | Mapper::Split(_));
        let (first, rest) = mappers[mappers.iter().position(cuts)?..].split_first()?;
        let cut = match first {
            Mapper::Tokenize(Tokenize { pattern }) => TokenSplit::Matches(regex(pattern).ok()?),
            Mapper::Split(Split { separator }) => TokenSplit::Parts(separator.clone()),
            _ => return None,
        };
        let op = |mapper: &Mapper| match mapper {
            Mapper::Ngrams(Ngrams { min, max, separator }) => {
                Some(TokenOp::Ngrams { min: *min as usize, max: *max as usize, separator: separator.clone() })
            }
            Mapper::Distinct => Some(TokenOp::Distinct),
            _ => None,
        };
        Some(Self { cut, ops: rest.iter().map_while(op).collect() })
    }

    /// Replaces `out` by the tokens of a text, in order.
    pub fn tokens<'a>(&self, text: &'a str, out: &mut Vec<Cow<'a, str>>) {
        out.clear();
        match &self.cut {
            TokenSplit::Matches(regex) => out.extend(regex.find_iter(text).map(|found| Cow::Borrowed(found.as_str()))),
            TokenSplit::Parts(separator) => {
                let parts = text.split(separator.as_str()).map(str::trim).filter(|part| !part.is_empty());
                out.extend(parts.map(Cow::Borrowed));
            }
        }
        for op in &self.ops {
            match op {
                TokenOp::Ngrams { min, max, separator } => {
                    let single = std::mem::take(out);
                    for run in *min..=*max {
                        match run {
                            1 => out.extend(single.iter().cloned()),
                            _ => out.extend(single.windows(run).map(|window| Cow::Owned(window.join(separator)))),
                        }
                    }
                }
                TokenOp::Distinct => {
                    let mut seen = HashSet::with_capacity(out.len());
                    out.retain(|token| seen.insert(token.clone()));
                }
            }
        }
    }
}
