//! Steps over numbers, and `per: COLUMN`: constants of their own for each value of a column.

use tidemill_model::{Keys, Mapper, Stage, steps};

use crate::analyze::Keyed;
use crate::analyzer::{Analyzer, Summary};
use crate::error::TransformError;
use crate::step::{Fitting, Values};

/// A step whose constants come from a summary of numbers.
pub(super) trait NumberStep {
    /// The column whose values have constants of their own.
    fn per(&self) -> Option<&String> {
        None
    }

    /// A summary that has seen nothing.
    fn summary(&self) -> Summary;

    /// The fitted step, and whether the numbers never vary; `None` without any number.
    fn mapper(&self, summary: Summary) -> Option<(Mapper, bool)>;

    /// A fitted step of this kind, for numbers that do not exist.
    fn empty(&self) -> Mapper;

    /// A fitted step of this kind, for a check before anything is fitted.
    fn example(&self) -> Mapper {
        self.empty()
    }
}

/// The mappers for a check before anything is fitted.
pub(super) fn example(step: &dyn NumberStep) -> Vec<Mapper> {
    let example = step.example();
    vec![match step.per() {
        Some(column) => by_key(column, Keys::Integers(Vec::new()), Vec::new(), example),
        None => example,
    }]
}

/// What a scan collects.
pub(super) fn analyzer(step: &dyn NumberStep, values: &Values) -> Analyzer {
    let summary = step.summary();
    match step.per() {
        Some(_) => Analyzer::ByKey(Keyed::new(values.key_is_text, summary.clone()), summary),
        None => Analyzer::Summary(summary),
    }
}

/// The mappers by what a scan has collected.
pub(super) fn fit(
    step: &dyn NumberStep,
    found: Analyzer,
    fit: &mut Fitting<'_>,
) -> Result<Vec<Mapper>, TransformError> {
    let (keys, all) = match found {
        Analyzer::Summary(all) => (None, all),
        Analyzer::ByKey(keys, all) => (Some(keys), all),
        _ => return Ok(Vec::new()),
    };
    let fitted = step.mapper(all);
    fit.warn_constant(fitted.is_some(), fitted.as_ref().is_some_and(|(_, is_constant)| *is_constant));
    if keys.is_none() {
        fit.saw_nothing |= fitted.is_none();
    }
    let other = fitted.map_or_else(|| step.empty(), |(mapper, _)| mapper);
    Ok(vec![match (step.per(), keys) {
        (Some(column), Some(keys)) => {
            let (values, summaries) = keys.sorted();
            // A key all of whose values are missing is like one that was not seen.
            let own = |summary: &Summary| step.mapper(summary.clone()).map_or_else(|| other.clone(), |(own, _)| own);
            let mappers = summaries.into_iter().map(own).collect();
            by_key(column, values, mappers, other)
        }
        _ => other,
    }])
}

fn by_key(column: &str, values: Keys, mappers: Vec<Mapper>, other: Mapper) -> Mapper {
    steps::ByKey { column: column.to_owned(), values, mappers, other: Box::new(other) }.into()
}

/// Implements `FitStep` for steps over numbers.
macro_rules! fit_numbers {
    ($step:ty) => {
        impl crate::step::FitStep for $step {
            fn dry_run(&self, _: tidemill_model::Stage) -> Result<Vec<tidemill_model::Mapper>, String> {
                Ok(super::per_key::example(self))
            }

            fn analyzer(&self, values: &crate::step::Values) -> crate::analyzer::Analyzer {
                super::per_key::analyzer(self, values)
            }

            fn fit(
                &self,
                found: crate::analyzer::Analyzer,
                fit: &mut crate::step::Fitting<'_>,
            ) -> Result<Vec<tidemill_model::Mapper>, crate::error::TransformError> {
                super::per_key::fit(self, found, fit)
            }

            fn key_column(&self) -> Option<&String> {
                super::per_key::NumberStep::per(self)
            }
        }
    };
}

pub(super) use fit_numbers;

/// Whether values of `stage` are listed: text or whole numbers.
pub(super) fn is_key(stage: Stage) -> bool {
    matches!(stage, Stage::Text | Stage::Int)
}

/// One value of the type of `stage`, for a check before anything is fitted.
pub(super) fn any_keys(stage: Stage) -> Keys {
    if stage == Stage::Text { Keys::Strings(vec![String::new()]) } else { Keys::Integers(vec![0]) }
}
