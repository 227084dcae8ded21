//! `vocabulary`: a code for each frequent value.

use std::collections::HashSet;

use serde_json::{Map, Value};
use tidemill_core::{ParamIssue, parse_params};
use tidemill_model::{Keys, Mapper, Scalar, Stage, steps};

use super::Step;
use super::choice::{Choice, VocabularyParams};
use super::parse::schema;
use super::per_key::any_keys;
use crate::analyze::KeyCounts;
use crate::analyzer::Analyzer;
use crate::error::TransformError;
use crate::issues::{issue_at, or_empty};
use crate::step::{Argument, FitStep, Fitting, StepEntry, Values};

pub(super) const VOCABULARY: StepEntry = StepEntry {
    name: "vocabulary",
    about: "A code for each frequent value.",
    argument: Argument::Optional(schema::<VocabularyParams>),
    parse,
};

/// Codes for the values of a choice.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Vocabulary(pub Choice);

fn parse(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    match parse_params(&or_empty(argument))? {
        VocabularyParams { values: Some(values), oov_buckets, .. } => given(argument, &values, oov_buckets),
        params => Ok(vec![Vocabulary(params.try_into()?).into()]),
    }
}

/// The vocabulary that the file gives: nothing is fitted.
fn given(argument: &Value, values: &[Scalar], oov_buckets: u32) -> Result<Vec<Step>, Vec<ParamIssue>> {
    let others = argument.as_object().into_iter().flat_map(Map::keys);
    if let Some(other) = others.into_iter().find(|key| !matches!(key.as_str(), "values" | "oov_buckets")) {
        return issue_at(other, format!("`{other}` has no meaning with `values`, which leave nothing to choose"));
    }
    let mut seen = HashSet::with_capacity(values.len());
    if let Some(at) = values.iter().position(|value| !seen.insert(value.to_string())) {
        let path = ["values".to_owned(), at.to_string()];
        return Err(vec![ParamIssue::new(path, format!("{} stands here twice", values[at]))]);
    }
    let texts = values.iter().map(|value| if let Scalar::Text(text) = value { Some(text.clone()) } else { None });
    let numbers = values.iter().map(|value| if let Scalar::Int(number) = value { Some(*number) } else { None });
    let keys = match values.first() {
        None => return issue_at("values", "the list of values is empty"),
        Some(Scalar::Text(_)) => texts.collect::<Option<_>>().map(Keys::Strings),
        Some(_) => numbers.collect::<Option<_>>().map(Keys::Integers),
    };
    match keys {
        Some(values) => Ok(vec![Step::Fixed(steps::Vocabulary { values, oov_buckets }.into())]),
        None => issue_at("values", "values are all text or all whole numbers"),
    }
}

impl Vocabulary {
    fn of(&self, values: Keys, fit: &mut Fitting<'_>) -> Vec<Mapper> {
        fit.warn_few("vocabulary", values.len());
        vec![steps::Vocabulary { values, oov_buckets: self.0.oov_buckets }.into()]
    }
}

impl FitStep for Vocabulary {
    fn dry_run(&self, stage: Stage) -> Result<Vec<Mapper>, String> {
        Ok(vec![steps::Vocabulary { values: any_keys(stage), oov_buckets: self.0.oov_buckets }.into()])
    }

    fn analyzer(&self, values: &Values) -> Analyzer {
        self.0.analyzer(values)
    }

    fn fit(&self, found: Analyzer, fit: &mut Fitting<'_>) -> Result<Vec<Mapper>, TransformError> {
        let values = self.0.choose(found, fit)?;
        Ok(self.of(values, fit))
    }

    fn fit_counts(&self, counts: &KeyCounts, fit: &mut Fitting<'_>) -> Result<Vec<Mapper>, TransformError> {
        let values = counts.vocabulary(&self.0).map_err(|reason| fit.does_not_apply(reason))?;
        Ok(self.of(values, fit))
    }

    fn weight_column(&self) -> Option<&String> {
        self.0.weight.as_ref()
    }
}
