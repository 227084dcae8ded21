//! `bucketize`: the bucket that a number falls into.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params};
use tidemill_model::{Mapper, steps};

use super::Step;
use super::fixed::fixed;
use super::parse::schema;
use super::per_key::{NumberStep, fit_numbers};
use super::quantiles::check_buckets;
use crate::analyzer::Summary;
use crate::issues::one_issue;
use crate::step::{Argument, StepEntry};

pub(super) const BUCKETIZE: StepEntry = StepEntry {
    name: "bucketize",
    about: "The bucket a number falls into.",
    argument: Argument::Required(schema::<BucketizeParams>),
    parse,
};

/// Buckets of equal share of the train split.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucketize {
    /// How many.
    pub buckets: u32,
    /// A column: for each of its values the boundaries are fitted apart.
    pub per: Option<String>,
}

/// A number of buckets, or where they are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it is the schema of what `named` reads by hand")]
pub(super) enum BucketizeParams {
    /// So many buckets of equal share of the train split.
    Buckets(u32),
    /// By name.
    Named(BucketizeNamed),
}

/// Either a number of buckets or their boundaries.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BucketizeNamed {
    /// So many buckets of equal share of the train split.
    pub(super) buckets: Option<u32>,
    /// Where one bucket ends and the next begins, ascending.
    pub(super) boundaries: Option<Vec<f64>>,
    /// A column: for each of its values the boundaries are fitted apart.
    pub(super) per: Option<String>,
}

/// The argument of `step` by name.
pub(super) fn named(step: &str, argument: &Value) -> Result<BucketizeNamed, Vec<ParamIssue>> {
    match argument {
        Value::Number(_) => Ok(BucketizeNamed { buckets: Some(parse_params(argument)?), boundaries: None, per: None }),
        Value::Null => one_issue(format!("`{step}` needs a number of buckets, or `{{ boundaries: [ … ] }}`")),
        _ => parse_params(argument),
    }
}

fn parse(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    match named("bucketize", argument)? {
        BucketizeNamed { buckets: Some(buckets), boundaries: None, per } => {
            check_buckets(buckets)?;
            Ok(vec![Bucketize { buckets, per }.into()])
        }
        BucketizeNamed { per: Some(_), .. } => one_issue("with `per`, `bucketize` needs a number of `buckets`"),
        BucketizeNamed { buckets: None, boundaries: Some(boundaries), .. } => {
            if boundaries.is_empty() {
                one_issue("`boundaries` is empty")
            } else if boundaries.is_sorted_by(|a, b| a < b) {
                fixed(steps::Bucketize { boundaries })
            } else {
                one_issue("`boundaries` are not strictly ascending")
            }
        }
        _ => one_issue("`bucketize` takes either `buckets` or `boundaries`"),
    }
}

impl NumberStep for Bucketize {
    fn per(&self) -> Option<&String> {
        self.per.as_ref()
    }

    fn summary(&self) -> Summary {
        Summary::quantiles()
    }

    fn mapper(&self, summary: Summary) -> Option<(Mapper, bool)> {
        let Summary::Quantiles(quantiles) = summary else { return None };
        let boundaries = quantiles.finish().boundaries(self.buckets);
        (!boundaries.is_empty()).then(|| (steps::Bucketize { boundaries }.into(), false))
    }

    fn empty(&self) -> Mapper {
        steps::Bucketize { boundaries: Vec::new() }.into()
    }

    fn example(&self) -> Mapper {
        steps::Bucketize { boundaries: (1..self.buckets).map(f64::from).collect() }.into()
    }
}

fit_numbers!(Bucketize);
