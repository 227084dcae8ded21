//! Features that wait for constants of their expressions.

use arrow::datatypes::Schema;
use tidemill_model::Source;

use crate::config::FeatureConfig;
use crate::error::TransformError;
use crate::feature::FeatureFit;
use crate::fit::ColumnKinds;

/// Features whose expressions have constants. The constants are fitted in the first scan, as steps of features that nobody sees;
/// then the expressions are complete, and their features go the way of all others.
pub(crate) struct DeferredFeatures {
    features: Vec<DeferredFeature>,
}

struct DeferredFeature {
    /// Which feature it is.
    at: usize,
    constant_fits: Vec<FeatureFit>,
}

impl DeferredFeatures {
    /// Those of `features` that have constants, over the columns of `schema`.
    pub(crate) fn new(
        features: &[FeatureConfig],
        schema: &Schema,
        datatypes: &ColumnKinds,
    ) -> Result<Self, TransformError> {
        let mut deferred = Vec::new();
        for (at, feature) in features.iter().enumerate() {
            let Some(constants) = &feature.constants else { continue };
            let constant_fits = constants.constant_fits(&feature.name);
            let constant_fits = constant_fits.map(|fit| FeatureFit::new(&fit, schema, datatypes));
            deferred.push(DeferredFeature { at, constant_fits: constant_fits.collect::<Result<_, _>>()? });
        }
        Ok(Self { features: deferred })
    }

    /// Whether the feature at a position has to wait.
    pub(crate) fn contains(&self, at: usize) -> bool {
        self.features.iter().any(|deferred| deferred.at == at)
    }

    /// Adds to `waiting` what waits for the next scan.
    pub(crate) fn wait<'a>(&'a mut self, waiting: &mut Vec<&'a mut FeatureFit>) -> Result<(), TransformError> {
        for fit in self.features.iter_mut().flat_map(|deferred| &mut deferred.constant_fits) {
            if fit.advance()? {
                waiting.push(fit);
            }
        }
        Ok(())
    }

    /// After their scan: the features with numbers in their expressions, by position. None is deferred from then on.
    pub(crate) fn release(
        &mut self,
        features: &[FeatureConfig],
    ) -> Result<Vec<(usize, FeatureConfig)>, TransformError> {
        let mut released = Vec::with_capacity(self.features.len());
        for deferred in std::mem::take(&mut self.features) {
            let feature = &features[deferred.at];
            let Some(constants) = &feature.constants else { continue };
            let fitted = deferred.constant_fits.iter().enumerate().map(|(at, fit)| {
                let mapper = fit.mappers.first().filter(|_| !fit.saw_nothing);
                let value = mapper.and_then(|mapper| constants.value(at, mapper));
                value.filter(|value| value.is_finite()).ok_or_else(|| fit.no_values("constants"))
            });
            let filled = constants.filled(&fitted.collect::<Result<Vec<_>, _>>()?);
            let source = filled.map_or_else(|| feature.source.clone(), Source::Expression);
            released.push((deferred.at, FeatureConfig { source, ..feature.clone() }));
        }
        Ok(released)
    }
}
