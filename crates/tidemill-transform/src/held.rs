//! Features that wait for constants of their expressions.

use arrow::datatypes::Schema;
use tidemill_model::Source;

use crate::config::FeatureConfig;
use crate::error::TransformError;
use crate::feature::FeatureFit;
use crate::fit::ColumnKinds;

/// Features whose expressions have constants. The constants are fitted in the first scan, as steps of features that nobody sees;
/// then the expressions are complete, and their features go the way of all others.
pub(crate) struct Held {
    features: Vec<HeldFeature>,
}

struct HeldFeature {
    /// Which feature it is.
    at: usize,
    carriers: Vec<FeatureFit>,
}

impl Held {
    /// Those of `features` that have constants, over the columns of `schema`.
    pub(crate) fn new(
        features: &[FeatureConfig],
        schema: &Schema,
        datatypes: &ColumnKinds,
    ) -> Result<Self, TransformError> {
        let mut held = Vec::new();
        for (at, feature) in features.iter().enumerate() {
            let Some(constants) = &feature.constants else { continue };
            let carriers = constants.carriers(&feature.name);
            let carriers = carriers.map(|carrier| FeatureFit::new(&carrier, schema, datatypes));
            held.push(HeldFeature { at, carriers: carriers.collect::<Result<_, _>>()? });
        }
        Ok(Self { features: held })
    }

    /// Whether the feature at a position has to wait.
    pub(crate) fn holds(&self, at: usize) -> bool {
        self.features.iter().any(|held| held.at == at)
    }

    /// Adds to `waiting` what waits for the next scan.
    pub(crate) fn wait<'a>(&'a mut self, waiting: &mut Vec<&'a mut FeatureFit>) -> Result<(), TransformError> {
        for fit in self.features.iter_mut().flat_map(|held| &mut held.carriers) {
            if fit.advance()? {
                waiting.push(fit);
            }
        }
        Ok(())
    }

    /// After their scan: the features with numbers in their expressions, by position. None is held from then on.
    pub(crate) fn release(
        &mut self,
        features: &[FeatureConfig],
    ) -> Result<Vec<(usize, FeatureConfig)>, TransformError> {
        let mut released = Vec::with_capacity(self.features.len());
        for held in std::mem::take(&mut self.features) {
            let feature = &features[held.at];
            let Some(constants) = &feature.constants else { continue };
            let fitted = held.carriers.iter().enumerate().map(|(at, carrier)| {
                let node = carrier.nodes.first().filter(|_| !carrier.saw_nothing);
                let value = node.and_then(|node| constants.value(at, node));
                value.filter(|value| value.is_finite()).ok_or_else(|| carrier.no_values("constants"))
            });
            let filled = constants.filled(&fitted.collect::<Result<Vec<_>, _>>()?);
            let source = filled.map_or_else(|| feature.source.clone(), Source::Expression);
            released.push((held.at, FeatureConfig { source, ..feature.clone() }));
        }
        Ok(released)
    }
}
