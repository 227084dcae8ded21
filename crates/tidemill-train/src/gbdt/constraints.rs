//! What features may do: directions of predictions, and which features may meet on a path.

use tidemill_core::{Code, ComponentError, suggest};
use tidemill_model::{FeatureKind, FeatureSpec};

use super::binning::Binning;
use super::choices::Direction;
use super::params::GradientBoosting;

/// What features may do, by their places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Constraints {
    /// By feature: 1 where larger values must not lower predictions, −1 where they must not raise them, 0 otherwise. Empty:
    /// no feature has a direction.
    pub monotone: Vec<i8>,
    /// Sets of features that may be on one path from the root. Empty: all may.
    pub interactions: Vec<Vec<usize>>,
}

/// The same by the places of used features.
#[derive(Debug, Default)]
pub(crate) struct UsedConstraints {
    pub(crate) monotone: Vec<i8>,
    /// For each set whether a used feature is in it. Features of no set are a set each.
    pub(crate) interactions: Vec<Vec<bool>>,
}

impl Constraints {
    /// Those that the parameters state by names of features.
    pub(super) fn new(params: &GradientBoosting, features: &[FeatureSpec]) -> Result<Self, ComponentError> {
        let place = |name: &String, parameter: &str| {
            features.iter().position(|feature| feature.name == *name).ok_or_else(|| {
                let error =
                    ComponentError::new(Code::Params, format!("`{parameter}` names `{name}`, which is no feature"));
                match suggest(name, features.iter().map(|feature| feature.name.as_str())) {
                    Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                    None => error.with_hint("the step `transform` lists the features"),
                }
            })
        };
        let mut monotone = Vec::new();
        if !params.monotone.is_empty() {
            monotone = vec![0; features.len()];
            for (name, direction) in &params.monotone {
                let at = place(name, "monotone")?;
                if matches!(features[at].kind, FeatureKind::Categorical { .. }) {
                    let message = format!("`monotone` names `{name}`, whose values are categories without an order");
                    return Err(ComponentError::new(Code::Params, message).with_hint("leave it out"));
                }
                monotone[at] = if *direction == Direction::Increasing { 1 } else { -1 };
            }
        }
        let set = |names: &Vec<String>| names.iter().map(|name| place(name, "interactions")).collect();
        let interactions = params.interactions.iter().map(set).collect::<Result<_, _>>()?;
        Ok(Self { monotone, interactions })
    }

    pub(super) fn used(&self, binning: &Binning) -> UsedConstraints {
        let features: Vec<usize> = binning.used.iter().map(|used| used.feature as usize).collect();
        let monotone = if self.monotone.is_empty() {
            Vec::new()
        } else {
            features.iter().map(|feature| self.monotone.get(*feature).copied().unwrap_or(0)).collect()
        };
        let mut interactions: Vec<Vec<bool>> = Vec::new();
        if !self.interactions.is_empty() {
            for set in &self.interactions {
                interactions.push(features.iter().map(|feature| set.contains(feature)).collect());
            }
            for (at, feature) in features.iter().enumerate() {
                if !self.interactions.iter().any(|set| set.contains(feature)) {
                    interactions.push((0..features.len()).map(|other| other == at).collect());
                }
            }
        }
        UsedConstraints { monotone, interactions }
    }
}
