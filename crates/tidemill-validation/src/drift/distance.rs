//! How far one feature lies apart in two datasets.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tidemill_core::{Bins, DatasetStatistics, Distance};

use super::bins::Numbers;
use super::chance::Sizes;
use super::cumulative::cumulative;
use super::values::value_pairs;
use crate::counted::Counted;

/// How far one feature lies apart in two datasets. Computed from the values present; missing ones stand apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureDistance {
    /// The feature.
    pub feature: String,
    /// Jensen-Shannon divergence in bits, from 0 to 1: of values for text and booleans, of bins for numbers.
    pub jensen_shannon: f64,
    /// Population stability index, shares below 0.0001 taken as that: of values, or of the first dataset's bins.
    pub population_stability_index: f64,
    /// Largest difference of the shares of any one value. Text and booleans only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l_infinity: Option<f64>,
    /// Largest difference of counts by all counts. Text and booleans only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalized_absolute_difference: Option<f64>,
    /// Largest difference of cumulative shares, within 0.02 and the rank errors of both. Finite numbers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kolmogorov_smirnov: Option<f64>,
    /// Mean shift of the values in their unit, from hundredths of both. Finite numbers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wasserstein: Option<f64>,
    /// Share of missing values in the second dataset less that in the first.
    pub missing_difference: f64,
}

impl FeatureDistance {
    /// The value of `distance`, where the feature has it.
    pub const fn get(&self, distance: Distance) -> Option<f64> {
        match distance {
            Distance::LInfinity => self.l_infinity,
            Distance::JensenShannon => Some(self.jensen_shannon),
            Distance::NormalizedAbsoluteDifference => self.normalized_absolute_difference,
            Distance::PopulationStabilityIndex => Some(self.population_stability_index),
            Distance::KolmogorovSmirnov => self.kolmogorov_smirnov,
            Distance::Wasserstein => self.wasserstein,
        }
    }
}

/// The distances of every feature that both datasets have with the same kind of values, in the order of `a`.
///
/// * Text and booleans are compared value by value. Beyond the 10,000 values that are counted each, on the most frequent and a
///   sample of the others that both datasets have in common.
/// * Numbers are compared on the quantile bins of both (Jensen-Shannon) or of `a` (population stability index): the edges of
///   either cut the other, a piece's mass is spread evenly, and a value that fills a tenth by itself is a bin, and bins with less than 2 % of both join the next. Equal-width bins would
///   be blind as soon as one far value stretches them. NaN and infinities are bins of their own.
/// * Kolmogorov-Smirnov and Wasserstein come from the hundredths of both (`fine`).
/// * Where the examples of both have weights, an example counts as much as its weight.
pub fn distances(a: &DatasetStatistics, b: &DatasetStatistics) -> Vec<FeatureDistance> {
    let others: HashMap<&str, _> = b.features.iter().map(|feature| (feature.name.as_str(), feature)).collect();
    let by_weight = both_by_weight(a, b);
    let counted = |feature| Counted::new(feature, by_weight);
    a.features
        .iter()
        .filter_map(|left| {
            let right = others.get(left.name.as_str())?;
            Some(feature_distance(counted(left), counted(right), Bins::default())?.0)
        })
        .collect()
}

/// Whether the examples of both have weights: weights are not held against numbers of examples.
pub(super) fn both_by_weight(a: &DatasetStatistics, b: &DatasetStatistics) -> bool {
    a.by_weight().is_some() && b.by_weight().is_some()
}

/// What chance alone makes of the distances of one feature, where that is known.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Chance {
    jensen_shannon: Option<f64>,
    population_stability_index: Option<f64>,
    l_infinity: Option<f64>,
    kolmogorov_smirnov: Option<f64>,
    wasserstein: Option<f64>,
}

impl Chance {
    /// What chance makes of `distance`. Nothing is said of counts, which differ with the sizes of the datasets.
    pub const fn of(&self, distance: Distance) -> Option<f64> {
        match distance {
            Distance::LInfinity => self.l_infinity,
            Distance::JensenShannon => self.jensen_shannon,
            Distance::NormalizedAbsoluteDifference => None,
            Distance::PopulationStabilityIndex => self.population_stability_index,
            Distance::KolmogorovSmirnov => self.kolmogorov_smirnov,
            Distance::Wasserstein => self.wasserstein,
        }
    }
}

/// The distances of one feature, over `bins` for numbers, with what chance makes of them; `None` if it holds another kind of values
/// on each side.
pub(super) fn feature_distance(a: Counted<'_>, b: Counted<'_>, bins: Bins) -> Option<(FeatureDistance, Chance)> {
    let size = |counted: Counted<'_>| counted.feature.common.num_non_missing as f64;
    let sizes = Sizes { a: size(a), b: size(b) };
    let mut chance = Chance::default();
    let mut found = FeatureDistance {
        feature: a.feature.name.clone(),
        jensen_shannon: 0.0,
        population_stability_index: 0.0,
        l_infinity: None,
        normalized_absolute_difference: None,
        kolmogorov_smirnov: None,
        wasserstein: None,
        missing_difference: b.missing_share() - a.missing_share(),
    };
    if let (Some(left), Some(right)) = (Numbers::of(a, bins), Numbers::of(b, bins)) {
        let (both, own) = (left.pairs(&right), left.pairs_in_own(&right));
        found.jensen_shannon = both.jensen_shannon();
        found.population_stability_index = own.population_stability_index();
        chance.jensen_shannon = sizes.jensen_shannon(&both);
        chance.population_stability_index = sizes.population_stability_index(&own);
        let (left, right) = (Numbers::of(a, Bins::Quantile)?, Numbers::of(b, Bins::Quantile)?);
        if let Some(distances) = cumulative(&left.buckets, &right.buckets) {
            found.kolmogorov_smirnov = Some(distances.kolmogorov_smirnov);
            found.wasserstein = Some(distances.wasserstein);
            chance.kolmogorov_smirnov = sizes.kolmogorov_smirnov();
            chance.wasserstein = sizes.wasserstein(distances.spread);
        }
    } else {
        let pairs = value_pairs(a, b)?;
        let sizes = if pairs.is_sample() { Sizes::of(&pairs) } else { sizes };
        found.jensen_shannon = pairs.jensen_shannon();
        found.population_stability_index = pairs.population_stability_index();
        found.l_infinity = Some(pairs.l_infinity());
        found.normalized_absolute_difference = Some(pairs.normalized_absolute_difference());
        chance.jensen_shannon = sizes.jensen_shannon(&pairs);
        chance.population_stability_index = sizes.population_stability_index(&pairs);
        chance.l_infinity = sizes.l_infinity(&pairs);
    }
    Some((found, chance))
}
