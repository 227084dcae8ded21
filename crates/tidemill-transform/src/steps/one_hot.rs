//! `one_hot`: a column of 0 and 1 for each value.

use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params};
use tidemill_model::{Keys, Mapper, Stage, steps};

use super::Step;
use super::choice::{Choice, VocabularyParams};
use super::parse::schema;
use super::per_key::{any_keys, is_key};
use crate::analyze::KeyCounts;
use crate::analyzer::Analyzer;
use crate::error::TransformError;
use crate::issues::or_empty;
use crate::step::{Argument, FitStep, Fitting, StepEntry, Values};

pub(super) const ONE_HOT: StepEntry = StepEntry {
    name: "one_hot",
    about: "A column of 0 and 1 for each value.",
    argument: Argument::Optional(schema::<VocabularyParams>),
    parse,
};

/// A column for each value of a choice; without any bound for all values, ascending.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OneHot(pub Choice);

fn parse(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    let params: VocabularyParams = parse_params(&or_empty(argument))?;
    Ok(vec![OneHot(params.try_into()?).into()])
}

impl OneHot {
    fn of(&self, values: Keys, fit: &mut Fitting<'_>) -> Result<Vec<Mapper>, TransformError> {
        let (listed, oov_buckets) = (values.len(), self.0.oov_buckets);
        if listed == 0 && oov_buckets == 0 {
            return Err(fit.no_values("one_hot"));
        }
        fit.warn_few("one_hot", listed);
        let codes = if self.0.is_all() {
            steps::Categorical { values: Some(values) }.into()
        } else {
            steps::Vocabulary { values, oov_buckets }.into()
        };
        Ok(vec![codes, Mapper::OneHot])
    }
}

impl FitStep for OneHot {
    fn dry_run(&self, stage: Stage) -> Result<Vec<Mapper>, String> {
        if is_key(stage) {
            return Ok(vec![steps::Categorical { values: Some(any_keys(stage)) }.into(), Mapper::OneHot]);
        }
        if self.0.is_all() {
            return Ok(vec![Mapper::OneHot]);
        }
        Err(format!("`one_hot` of {stage} has nothing to choose, so it takes no argument"))
    }

    fn constant(&self, stage: Stage) -> Option<Vec<Mapper>> {
        (!is_key(stage)).then(|| vec![Mapper::OneHot])
    }

    fn analyzer(&self, values: &Values) -> Analyzer {
        self.0.analyzer(values)
    }

    fn fit(&self, found: Analyzer, fit: &mut Fitting<'_>) -> Result<Vec<Mapper>, TransformError> {
        let values = self.0.choose(found, fit)?;
        self.of(values, fit)
    }

    fn fit_counts(&self, counts: &KeyCounts, fit: &mut Fitting<'_>) -> Result<Vec<Mapper>, TransformError> {
        let values = if self.0.is_all() {
            counts.all()
        } else {
            counts.vocabulary(&self.0).map_err(|reason| fit.does_not_apply(reason))?
        };
        self.of(values, fit)
    }

    fn weight_column(&self) -> Option<&String> {
        self.0.weight.as_ref()
    }
}
