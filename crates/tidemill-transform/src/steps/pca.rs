//! `pca`: projections on the directions of most variance.

use serde_json::Value;
use tidemill_core::ParamIssue;
use tidemill_model::{Mapper, Stage, steps};

use super::Step;
use super::parse::schema;
use crate::analyze::Covariance;
use crate::analyzer::Analyzer;
use crate::error::TransformError;
use crate::issues::one_issue;
use crate::step::{Argument, FitStep, Fitting, StepEntry, Values};

pub(super) const PCA: StepEntry = StepEntry {
    name: "pca",
    about: "Projections on the directions of most variance, so many.",
    argument: Argument::Required(schema::<u32>),
    parse,
};

/// Projections on the directions of most variance.
#[derive(Debug, Clone, PartialEq)]
pub struct Pca {
    /// How many.
    pub components: u32,
}

fn parse(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    match argument.as_u64().and_then(|components| u32::try_from(components).ok()) {
        Some(components) if components > 0 => Ok(vec![Pca { components }.into()]),
        _ => one_issue("`pca` needs a number of directions: `pca: 2`"),
    }
}

impl FitStep for Pca {
    fn dry_run(&self, stage: Stage) -> Result<Vec<Mapper>, String> {
        let components = self.components;
        let Stage::Vector(columns) = stage else {
            return Err(format!("`pca` does not apply to {stage}; it takes `columns: [ … ]`"));
        };
        if components > columns {
            return Err(format!("`pca` cannot give {components} directions of {columns} columns"));
        }
        let component = vec![0.5; columns as usize];
        Ok(vec![steps::Project { means: component.clone(), components: vec![component; components as usize] }.into()])
    }

    fn analyzer(&self, values: &Values) -> Analyzer {
        let columns = if let Stage::Vector(columns) = values.stage { columns } else { 0 };
        Analyzer::Covariance(Covariance::new(columns as usize))
    }

    fn fit(&self, found: Analyzer, fit: &mut Fitting<'_>) -> Result<Vec<Mapper>, TransformError> {
        let Analyzer::Covariance(covariance) = found else { return Ok(Vec::new()) };
        let means = covariance.means().ok_or_else(|| fit.no_values("pca"))?.to_vec();
        Ok(vec![steps::Project { means, components: covariance.directions(self.components as usize) }.into()])
    }
}
