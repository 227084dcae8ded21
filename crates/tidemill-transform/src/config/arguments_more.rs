//! The arguments of keyed, text and joint steps.

use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params};
use tidemill_model::Node;

use super::arguments::{BUCKETS_MAX, choice, one_issue, or_empty};
use super::choice::Choice;
use super::params::BucketizeNamed;
use super::params_more::{
    BagParams, GroupNamed, NgramsNamed, NgramsParams, PatternNamed, QuantilesParams, ReplaceParams, TargetEncodeParams,
    TfIdfParams,
};
use super::step::Step;

/// What a token is unless the file says otherwise: letters, digits and underscores, by Unicode.
const WORDS: &str = r"\w+";
/// More folds say nothing.
const FOLDS_MAX: u32 = 100;

pub(super) fn robust(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    let QuantilesParams { quantiles: [low, high] } = parse_params(&or_empty(argument))?;
    if (0.0..=1.0).contains(&low) && (0.0..=1.0).contains(&high) && low < high {
        Ok(Step::Robust { low, high })
    } else {
        Err(vec![ParamIssue::new(["quantiles"], "`quantiles` are two ascending shares from 0 to 1")])
    }
}

pub(super) fn interpolate(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    let named = match argument {
        Value::Number(_) => BucketizeNamed { buckets: Some(parse_params(argument)?), boundaries: None, per: None },
        Value::Null => return one_issue("`interpolate` needs a number of buckets, or `{ boundaries: [ … ] }`"),
        _ => parse_params(argument)?,
    };
    match named {
        BucketizeNamed { buckets: Some(buckets), boundaries: None, per: None } => {
            buckets_between(buckets, "interpolate").map(Step::Interpolate)
        }
        BucketizeNamed { buckets: None, boundaries: Some(boundaries), per: None } => {
            fixed(Node::Interpolate { boundaries })
        }
        _ => one_issue("`interpolate` takes either `buckets` or `boundaries`"),
    }
}

pub(super) fn density(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    match argument {
        Value::Null => Ok(Step::Density(100)),
        _ => buckets_between(parse_params(argument)?, "density").map(Step::Density),
    }
}

fn buckets_between(buckets: u32, step: &str) -> Result<u32, Vec<ParamIssue>> {
    if (2..=BUCKETS_MAX).contains(&buckets) {
        Ok(buckets)
    } else {
        one_issue(format!("`{step}` takes from 2 to {BUCKETS_MAX} buckets, not {buckets}"))
    }
}

pub(super) fn target_encode(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    let TargetEncodeParams { smoothing, folds } = parse_params(&or_empty(argument))?;
    if !(smoothing.is_finite() && smoothing >= 0.0) {
        return Err(vec![ParamIssue::new(["smoothing"], "`smoothing` is a number of rows that is not negative")]);
    }
    if !(2..=FOLDS_MAX).contains(&folds) {
        let message = format!("`folds` is from 2 to {FOLDS_MAX}: a row's own label is never part of its feature");
        return Err(vec![ParamIssue::new(["folds"], message)]);
    }
    Ok(Step::TargetEncode { smoothing, folds })
}

/// A step whose constants stand in the file, checked.
pub(super) fn fixed(node: Node) -> Result<Step, Vec<ParamIssue>> {
    match node.check_constants() {
        Ok(()) => Ok(Step::Fixed(node)),
        Err(reason) => one_issue(reason),
    }
}

pub(super) fn regex_replace(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    if argument.is_null() {
        return one_issue("`regex_replace` needs a pattern: `{ pattern: \"[0-9]+\", with: \"#\" }`");
    }
    let ReplaceParams { pattern, with } = parse_params(argument)?;
    fixed(Node::RegexReplace { pattern, with })
}

pub(super) fn regex_extract(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    let GroupNamed { pattern, group } = match argument {
        Value::Null => return one_issue("`regex_extract` needs a pattern"),
        Value::String(pattern) => GroupNamed { pattern: pattern.clone(), group: None },
        _ => parse_params(argument)?,
    };
    if let Some(group) = group {
        return fixed(Node::RegexExtract { pattern, group });
    }
    // The first group, if there is one.
    fixed(Node::RegexExtract { pattern: pattern.clone(), group: 1 })
        .or_else(|_| fixed(Node::RegexExtract { pattern, group: 0 }))
}

pub(super) fn tokenize(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    let pattern = match argument {
        Value::Null => WORDS.to_owned(),
        Value::String(pattern) => pattern.clone(),
        _ => parse_params::<PatternNamed>(argument)?.pattern,
    };
    fixed(Node::Tokenize { pattern })
}

pub(super) fn split(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    match argument.as_str() {
        Some(separator) => fixed(Node::Split { separator: separator.to_owned() }),
        None => one_issue("`split` needs what stands between two parts: `split: \"|\"`"),
    }
}

pub(super) fn ngrams(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    let (min, max, separator) = match argument {
        Value::Null => return one_issue("`ngrams` needs the shortest and the longest run: `ngrams: [1, 2]`"),
        _ => match parse_params(argument)? {
            NgramsParams::Range([min, max]) => (min, max, " ".to_owned()),
            NgramsParams::Named(NgramsNamed { min, max, separator }) => (min, max, separator),
        },
    };
    fixed(Node::Ngrams { min, max, separator })
}

pub(super) fn bag(argument: &Value) -> Result<Choice, Vec<ParamIssue>> {
    let params: BagParams = parse_params(&or_empty(argument))?;
    match params {
        BagParams { hash_buckets: Some(buckets), top_k: None, frequency_threshold: None, oov_buckets: 0 } => {
            // Nothing is listed; all tokens are others.
            Ok(Choice { top_k: Some(0), oov_buckets: buckets, ..Choice::default() })
        }
        BagParams { hash_buckets: Some(_), .. } => one_issue("`hash_buckets` stands alone"),
        params => choice(params.into()),
    }
}

pub(super) fn tf_idf(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    let TfIdfParams { top_k, frequency_threshold, smooth } = parse_params(&or_empty(argument))?;
    let bag = BagParams { top_k, frequency_threshold, ..BagParams::default() };
    Ok(Step::TfIdf { choice: choice(bag.into())?, smooth })
}

pub(super) fn pca(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    match argument.as_u64().and_then(|components| u32::try_from(components).ok()) {
        Some(components) if components > 0 => Ok(Step::Pca(components)),
        _ => one_issue("`pca` needs a number of directions: `pca: 2`"),
    }
}
