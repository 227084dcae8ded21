//! `multi_hot`, `bag_of_words` and `tf_idf`: tokens counted into columns.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params};
use tidemill_model::{Keys, Mapper, Stage, steps};

use super::Step;
use super::choice::{Choice, VocabularyParams};
use super::fixed::fixed;
use super::parse::schema;
use crate::analyze::{WordCounts, select_texts};
use crate::analyzer::Analyzer;
use crate::error::TransformError;
use crate::issues::{one_issue, or_empty};
use crate::step::{Argument, FitStep, Fitting, StepEntry, Values};

pub(super) const MULTI_HOT: StepEntry = StepEntry {
    name: "multi_hot",
    about: "A column of 0 and 1 for each token.",
    argument: Argument::Optional(schema::<BagParams>),
    parse: |argument| match bag(argument)? {
        Bag::Listed(choice) => Ok(vec![MultiHot(choice).into()]),
        Bag::Hashed(oov_buckets) => fixed(steps::MultiHot { values: no_token(), oov_buckets }),
    },
};
pub(super) const BAG_OF_WORDS: StepEntry = StepEntry {
    name: "bag_of_words",
    about: "A column of counts for each token.",
    argument: Argument::Optional(schema::<BagParams>),
    parse: |argument| match bag(argument)? {
        Bag::Listed(choice) => Ok(vec![BagOfWords(choice).into()]),
        Bag::Hashed(oov_buckets) => fixed(steps::BagOfWords { values: no_token(), oov_buckets }),
    },
};
pub(super) const TF_IDF: StepEntry = StepEntry {
    name: "tf_idf",
    about: "A column for each token: its share of the list's, weighted by how rare it is.",
    argument: Argument::Optional(schema::<TfIdfParams>),
    parse: parse_tf_idf,
};

/// A column of 0 and 1 for each token of a choice.
#[derive(Debug, Clone, PartialEq)]
pub struct MultiHot(pub Choice);

/// A column of counts for each token of a choice.
#[derive(Debug, Clone, PartialEq)]
pub struct BagOfWords(pub Choice);

/// A column of weighted shares for each token.
#[derive(Debug, Clone, PartialEq)]
pub struct TfIdf {
    /// Which tokens.
    pub choice: Choice,
    /// Whether 1 is added to both counts of documents.
    pub smooth: bool,
}

/// Which tokens get a column.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BagParams {
    /// At most so many, the most frequent; by default 100.
    top_k: Option<u64>,
    /// Only those that occur at least so often.
    frequency_threshold: Option<u64>,
    /// Columns for all others, by hash.
    #[serde(default)]
    oov_buckets: u32,
    /// No token gets a column of its own; so many columns by hash.
    hash_buckets: Option<u32>,
}

/// Which tokens get a column, and what is rare.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TfIdfParams {
    /// At most so many, the most frequent; by default 100.
    top_k: Option<u64>,
    /// Only those that occur at least so often.
    frequency_threshold: Option<u64>,
    /// 1 + ln((N + 1) / (df + 1)), or without 1 + ln(N / df).
    #[serde(default = "yes")]
    smooth: bool,
}

fn yes() -> bool {
    true
}

/// Tokens with columns of their own, or all of them by hash.
enum Bag {
    Listed(Choice),
    Hashed(u32),
}

fn bag(argument: &Value) -> Result<Bag, Vec<ParamIssue>> {
    match parse_params(&or_empty(argument))? {
        BagParams { hash_buckets: Some(buckets), top_k: None, frequency_threshold: None, oov_buckets: 0 } => {
            Ok(Bag::Hashed(buckets))
        }
        BagParams { hash_buckets: Some(_), .. } => one_issue("`hash_buckets` stands alone"),
        BagParams { top_k, frequency_threshold, oov_buckets, .. } => {
            Ok(Bag::Listed(choice(top_k, frequency_threshold, oov_buckets)?))
        }
    }
}

fn choice(top_k: Option<u64>, frequency_threshold: Option<u64>, oov_buckets: u32) -> Result<Choice, Vec<ParamIssue>> {
    let top_k = top_k.or(Some(100));
    VocabularyParams { top_k, frequency_threshold, oov_buckets, ..VocabularyParams::default() }.try_into()
}

fn parse_tf_idf(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    let TfIdfParams { top_k, frequency_threshold, smooth } = parse_params(&or_empty(argument))?;
    Ok(vec![TfIdf { choice: choice(top_k, frequency_threshold, 0)?, smooth }.into()])
}

fn no_token() -> Keys {
    Keys::Strings(Vec::new())
}

/// A token, for a check before anything is fitted.
fn any_token() -> Keys {
    Keys::Strings(vec![String::new()])
}

/// The tokens of a choice by what a scan has counted, and the counts.
fn tokens(
    step: &'static str,
    choice: &Choice,
    found: Analyzer,
    fit: &mut Fitting<'_>,
) -> Result<(Vec<String>, WordCounts), TransformError> {
    let Analyzer::Words(counts) = found else { return Ok((Vec::new(), WordCounts::default())) };
    let rows = counts.occurrences().into_iter().map(|(word, n)| (word, n, n as f64)).collect();
    let values = match select_texts(rows, choice).map_err(|reason| fit.does_not_apply(reason))? {
        Keys::Strings(values) => values,
        Keys::Integers(_) => Vec::new(),
    };
    if values.is_empty() && choice.oov_buckets == 0 {
        return Err(fit.no_values(step));
    }
    fit.warn_few(step, values.len());
    Ok((values, counts))
}

fn words() -> Analyzer {
    Analyzer::Words(WordCounts::default())
}

impl FitStep for MultiHot {
    fn dry_run(&self, _: Stage) -> Result<Vec<Mapper>, String> {
        Ok(vec![steps::MultiHot { values: any_token(), oov_buckets: self.0.oov_buckets }.into()])
    }

    fn analyzer(&self, _: &Values) -> Analyzer {
        words()
    }

    fn fit(&self, found: Analyzer, fit: &mut Fitting<'_>) -> Result<Vec<Mapper>, TransformError> {
        let (values, _) = tokens("multi_hot", &self.0, found, fit)?;
        Ok(vec![steps::MultiHot { values: Keys::Strings(values), oov_buckets: self.0.oov_buckets }.into()])
    }
}

impl FitStep for BagOfWords {
    fn dry_run(&self, _: Stage) -> Result<Vec<Mapper>, String> {
        Ok(vec![steps::BagOfWords { values: any_token(), oov_buckets: self.0.oov_buckets }.into()])
    }

    fn analyzer(&self, _: &Values) -> Analyzer {
        words()
    }

    fn fit(&self, found: Analyzer, fit: &mut Fitting<'_>) -> Result<Vec<Mapper>, TransformError> {
        let (values, _) = tokens("bag_of_words", &self.0, found, fit)?;
        Ok(vec![steps::BagOfWords { values: Keys::Strings(values), oov_buckets: self.0.oov_buckets }.into()])
    }
}

impl FitStep for TfIdf {
    fn dry_run(&self, _: Stage) -> Result<Vec<Mapper>, String> {
        Ok(vec![steps::TfIdf { values: any_token(), idf: vec![1.0] }.into()])
    }

    fn analyzer(&self, _: &Values) -> Analyzer {
        words()
    }

    fn fit(&self, found: Analyzer, fit: &mut Fitting<'_>) -> Result<Vec<Mapper>, TransformError> {
        let (values, counts) = tokens("tf_idf", &self.choice, found, fit)?;
        let idf = counts.idf(&values, self.smooth);
        Ok(vec![steps::TfIdf { values: Keys::Strings(values), idf }.into()])
    }
}
