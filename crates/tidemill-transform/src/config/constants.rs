//! Numbers of the train split inside row expressions: `p99` in `least(trip_miles, p99)`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use tidemill_core::{ParamIssue, parse_params};
use tidemill_model::steps::{Clip, ZScore};
use tidemill_model::{Expression, Mapper, Source};

use super::FeatureConfig;
use crate::issues::{below, expression_issue, take};
use crate::steps::{self, ClipQuantiles};

/// What stands in for a number that is not fitted yet.
const STAND_IN: f64 = 0.5;

/// The constants of an expression, to be fitted before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Constants {
    /// The expression as it is written, with their names.
    template: String,
    each: Vec<Constant>,
}

/// A number of the train split.
#[derive(Debug, Clone, PartialEq)]
struct Constant {
    name: String,
    column: String,
    of: Statistic,
}

/// Which number of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Statistic {
    Mean,
    StdDev,
    Quantile(f64),
}

/// A number of the train split: `{ quantile: 0.99, of: trip_miles }`, `{ take: mean, of: fare }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConstantParams {
    /// The column; the only one of the expression unless given.
    of: Option<String>,
    /// Which number.
    take: Option<TakeParams>,
    /// In place of `take`: the value below which this share of the rows lies, 0.99.
    quantile: Option<f64>,
}

/// Which number of a column.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum TakeParams {
    /// The mean.
    Mean,
    /// The standard deviation, divided by n.
    StdDev,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The value in the middle.
    Median,
}

impl Constants {
    /// Reads the `constants` of an expression; issues are relative to the feature. The expression with numbers in their place,
    /// to be checked, and the constants.
    pub(super) fn read(template: &str, params: &Map<String, Value>) -> Result<(String, Self), Vec<ParamIssue>> {
        let issue = |path: &[&str], message: String| vec![ParamIssue::new(path.iter().copied(), message)];
        let parsed = Expression::parse(template).map_err(|error| vec![expression_issue(&["expression"], &error)])?;
        let used = parsed.columns();
        let columns: Vec<&String> = used.iter().filter(|name| !params.contains_key(*name)).collect();
        let (mut each, mut issues) = (Vec::with_capacity(params.len()), Vec::new());
        for (name, value) in params {
            let constant =
                parse_params(value).and_then(|params| constant(name, params, &columns)).and_then(|constant| {
                    let is_used = used.contains(name);
                    is_used
                        .then_some(constant)
                        .ok_or_else(|| issue(&[], format!("the expression does not use `{name}`")))
                });
            each.extend(take(constant.map_err(|issues| below(&["constants", name.as_str()], issues)), &mut issues));
        }
        let constants = Self { template: template.to_owned(), each };
        match constants.filled(&vec![STAND_IN; constants.each.len()]) {
            Some(filled) if issues.is_empty() => Ok((filled, constants)),
            _ => Err(issues),
        }
    }

    /// The columns that fitting needs for them.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &String> {
        self.each.iter().map(|constant| &constant.column)
    }

    /// Features called `feature` that have the constants inside of a step once they are fitted, one for each.
    pub(crate) fn constant_fits(&self, feature: &str) -> impl Iterator<Item = FeatureConfig> {
        self.each.iter().map(|constant| FeatureConfig {
            name: feature.to_owned(),
            source: Source::Column(constant.column.clone()),
            constants: None,
            steps: vec![match constant.of {
                Statistic::Mean | Statistic::StdDev => steps::ZScore::default().into(),
                Statistic::Quantile(share) => ClipQuantiles { low: 0.0, high: share }.into(),
            }],
        })
    }

    /// The constant at a position, by the fitted step of its feature among [`constant_fits`](Self::constant_fits).
    pub(crate) fn value(&self, at: usize, fitted: &Mapper) -> Option<f64> {
        match (self.each.get(at)?.of, fitted) {
            (Statistic::Mean, Mapper::ZScore(ZScore { mean, .. })) => Some(*mean),
            (Statistic::StdDev, Mapper::ZScore(ZScore { std_dev, .. })) => Some(*std_dev),
            (Statistic::Quantile(_), Mapper::Clip(Clip { max, .. })) => *max,
            _ => None,
        }
    }

    /// The expression with `values` in the place of the constants, in their order.
    pub(crate) fn filled(&self, values: &[f64]) -> Option<String> {
        let named: Vec<(&str, f64)> =
            self.each.iter().map(|constant| constant.name.as_str()).zip(values.iter().copied()).collect();
        Expression::fill_in(&self.template, &named).ok()
    }
}

fn constant(name: &str, params: ConstantParams, columns: &[&String]) -> Result<Constant, Vec<ParamIssue>> {
    let issue = |path: &[&str], message: &str| Err(vec![ParamIssue::new(path.iter().copied(), message)]);
    let is_word = name.chars().all(|c| c.is_alphanumeric() || c == '_')
        && name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    if !is_word {
        return issue(&[], "a constant is named by letters, digits and `_`");
    }
    let of = match (params.take, params.quantile) {
        (Some(TakeParams::Mean), None) => Statistic::Mean,
        (Some(TakeParams::StdDev), None) => Statistic::StdDev,
        (Some(TakeParams::Min), None) => Statistic::Quantile(0.0),
        (Some(TakeParams::Max), None) => Statistic::Quantile(1.0),
        (Some(TakeParams::Median), None) => Statistic::Quantile(0.5),
        (None, Some(share)) if (0.0..=1.0).contains(&share) => Statistic::Quantile(share),
        (None, Some(_)) => return issue(&["quantile"], "`quantile` is a share from 0 to 1"),
        _ => {
            return issue(
                &[],
                "a constant has either `take` (`mean`, `median`, `std_dev`, `min`, `max`) or a `quantile`",
            );
        }
    };
    let column = match (params.of, columns) {
        (Some(column), _) => column,
        (None, [column]) => (*column).clone(),
        _ => return issue(&[], "`of` is missing: the expression has not one column, so it must be named"),
    };
    Ok(Constant { name: name.to_owned(), column, of })
}
