//! Whether steps can follow each other, before anything is fitted.

use tidemill_model::{Feature, Stage};

use crate::config::FeatureConfig;

/// Checks that the steps fit values that start as `first`; an error says why not. Any constants take the place of those
/// that will be fitted.
pub(crate) fn dry_run(feature: &FeatureConfig, first: Stage) -> Result<(), String> {
    try_steps(feature, first).map_err(|(_, reason)| reason)
}

/// As [`dry_run`], with the number of steps that fit before one that does not.
pub(crate) fn try_steps(feature: &FeatureConfig, first: Stage) -> Result<(), (usize, String)> {
    let mut stage = first;
    let mut mappers = Vec::new();
    for (done, step) in feature.steps.iter().enumerate() {
        for mapper in step.as_fit().dry_run(stage).map_err(|reason| (done, reason))? {
            stage = mapper.output(stage).map_err(|reason| (done, reason))?;
            mappers.push(mapper);
        }
    }
    let fitted = Feature { name: feature.name.clone(), source: feature.source.clone(), mappers };
    fitted.check(first).map_err(|reason| (feature.steps.len(), reason))
}
