//! `interpolate`: the share of the train split that lies below.

use serde_json::Value;
use tidemill_core::ParamIssue;
use tidemill_model::{Mapper, steps};

use super::Step;
use super::bucketize::{BucketizeNamed, BucketizeParams, named};
use super::fixed::fixed;
use super::parse::schema;
use super::per_key::{NumberStep, fit_numbers};
use super::quantiles::{check_buckets, edges};
use crate::analyzer::Summary;
use crate::issues::one_issue;
use crate::step::{Argument, StepEntry};

pub(super) const INTERPOLATE: StepEntry = StepEntry {
    name: "interpolate",
    about: "The share of the train split that lies below, in straight lines between boundaries.",
    argument: Argument::Required(schema::<BucketizeParams>),
    parse,
};

/// The share of values below, in straight lines between quantiles.
#[derive(Debug, Clone, PartialEq)]
pub struct Interpolate {
    /// How many buckets the quantiles make.
    pub buckets: u32,
}

fn parse(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    match named("interpolate", argument)? {
        BucketizeNamed { buckets: Some(buckets), boundaries: None, per: None } => {
            check_buckets(buckets)?;
            Ok(vec![Interpolate { buckets }.into()])
        }
        BucketizeNamed { buckets: None, boundaries: Some(boundaries), per: None } => {
            fixed(steps::Interpolate { boundaries })
        }
        _ => one_issue("`interpolate` takes either `buckets` or `boundaries`"),
    }
}

impl NumberStep for Interpolate {
    fn summary(&self) -> Summary {
        Summary::quantiles()
    }

    fn mapper(&self, summary: Summary) -> Option<(Mapper, bool)> {
        let Summary::Quantiles(quantiles) = summary else { return None };
        let boundaries = edges(&quantiles.finish(), self.buckets)?;
        Some((steps::Interpolate { boundaries }.into(), false))
    }

    fn empty(&self) -> Mapper {
        steps::Interpolate { boundaries: vec![0.0, 1.0] }.into()
    }
}

fit_numbers!(Interpolate);
