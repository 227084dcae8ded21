//! How far data may lie from other data.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AnomalyType, FeatureType};

/// A measure of how far the values of one feature lie apart in two datasets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Distance {
    /// Largest difference of the shares of any one value. From 0 to 1.
    LInfinity,
    /// Jensen-Shannon divergence in bits, of values or of bins. From 0 to 1.
    JensenShannon,
    /// Largest difference of the counts of any one value, divided by the counts of both sides together. From 0 to 1.
    NormalizedAbsoluteDifference,
    /// Population stability index, of values or of bins: the sum of `(q - p) ln(q / p)`. From 0.
    PopulationStabilityIndex,
    /// Kolmogorov-Smirnov statistic: the largest difference of the cumulative shares. From 0 to 1.
    KolmogorovSmirnov,
    /// Wasserstein distance: by how much values must move on average. From 0, in the unit of the feature.
    Wasserstein,
}

impl Distance {
    /// Every distance.
    pub const ALL: [Self; 6] = [
        Self::LInfinity,
        Self::JensenShannon,
        Self::NormalizedAbsoluteDifference,
        Self::PopulationStabilityIndex,
        Self::KolmogorovSmirnov,
        Self::Wasserstein,
    ];

    /// The name used in files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LInfinity => "l_infinity",
            Self::JensenShannon => "jensen_shannon",
            Self::NormalizedAbsoluteDifference => "normalized_absolute_difference",
            Self::PopulationStabilityIndex => "population_stability_index",
            Self::KolmogorovSmirnov => "kolmogorov_smirnov",
            Self::Wasserstein => "wasserstein",
        }
    }

    /// Whether values of `feature_type` have this distance.
    ///
    /// `l_infinity` and `normalized_absolute_difference` look at single values and need text or booleans;
    /// `kolmogorov_smirnov` and `wasserstein` need numbers, which have an order; the others take both.
    pub const fn applies_to(self, feature_type: FeatureType) -> bool {
        let numbers = matches!(feature_type, FeatureType::Int | FeatureType::Float);
        let values = matches!(feature_type, FeatureType::String | FeatureType::Bool);
        match self {
            Self::LInfinity | Self::NormalizedAbsoluteDifference => values,
            Self::KolmogorovSmirnov | Self::Wasserstein => numbers,
            Self::JensenShannon | Self::PopulationStabilityIndex => numbers || values,
        }
    }

    /// The largest value it can have, if there is one.
    pub const fn max(self) -> Option<f64> {
        match self {
            Self::PopulationStabilityIndex | Self::Wasserstein => None,
            _ => Some(1.0),
        }
    }

    /// The anomaly of a distance above its threshold. Those that TensorFlow Metadata does not know are rules of
    /// one's own: `CUSTOM_VALIDATION`.
    pub const fn anomaly_type(self) -> AnomalyType {
        match self {
            Self::LInfinity => AnomalyType::ComparatorLInftyHigh,
            Self::JensenShannon => AnomalyType::ComparatorJensenShannonDivergenceHigh,
            Self::NormalizedAbsoluteDifference => AnomalyType::ComparatorNormalizedAbsoluteDifferenceHigh,
            _ => AnomalyType::CustomValidation,
        }
    }
}

impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The bins that distances of numbers are taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bins {
    /// Bins of equal share: they are where the values are.
    #[default]
    Quantile,
    /// Bins of equal width: blind as soon as one far value stretches them.
    EqualWidth,
}

impl Bins {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How far a feature may lie from the same feature in other data, by distance. Above a threshold is an anomaly.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Comparators {
    /// For text and booleans: largest difference of the shares of any one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l_infinity: Option<f64>,
    /// Jensen-Shannon divergence in bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jensen_shannon: Option<f64>,
    /// For text and booleans: largest difference of counts, divided by all counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalized_absolute_difference: Option<f64>,
    /// Population stability index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub population_stability_index: Option<f64>,
    /// For numbers: largest difference of cumulative shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kolmogorov_smirnov: Option<f64>,
    /// For numbers: mean shift of the values, in their unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wasserstein: Option<f64>,
    /// For numbers: the bins of `jensen_shannon` and `population_stability_index`.
    #[serde(default, skip_serializing_if = "Bins::is_default")]
    pub bins: Bins,
}

impl Comparators {
    /// The threshold of `distance`, if there is one.
    pub const fn threshold(&self, distance: Distance) -> Option<f64> {
        match distance {
            Distance::LInfinity => self.l_infinity,
            Distance::JensenShannon => self.jensen_shannon,
            Distance::NormalizedAbsoluteDifference => self.normalized_absolute_difference,
            Distance::PopulationStabilityIndex => self.population_stability_index,
            Distance::KolmogorovSmirnov => self.kolmogorov_smirnov,
            Distance::Wasserstein => self.wasserstein,
        }
    }

    /// Distances with their thresholds.
    pub fn thresholds(&self) -> impl Iterator<Item = (Distance, f64)> + '_ {
        Distance::ALL.into_iter().filter_map(|distance| Some((distance, self.threshold(distance)?)))
    }
}

/// How large a dataset may be.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasetConstraints {
    /// At least so many examples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_examples: Option<u64>,
    /// At most so many examples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_examples: Option<u64>,
    /// How many examples there may be for each of the data before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_examples_drift: Option<FractionBounds>,
    /// How many examples there may be for each of the version of the data before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_examples_version: Option<FractionBounds>,
}

/// Bounds of a ratio of numbers of examples.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FractionBounds {
    /// At least this fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_fraction: Option<f64>,
    /// At most this fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_fraction: Option<f64>,
}
