//! What the page's script draws from: short keys, because there is an entry for every feature.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use tidemill_core::{
    Anomalies, Anomaly, DatasetStatistics, Distance, FeatureStatistics, FeatureType, Histogram, Severity,
    StringStatistics, shortened,
};

use super::attention::attention_score;
use crate::drift::{DriftReport, FeatureDrift};

/// Rows of evidence shown with an anomaly.
const EVIDENCE_MAX: usize = 5;

#[derive(Debug, Serialize)]
pub(super) struct PageData<'a> {
    pub datasets: Vec<DatasetData<'a>>,
    pub features: Vec<FeatureData<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct DatasetData<'a> {
    pub name: &'a str,
    pub rows: u64,
}

/// A feature with its statistics in each dataset, `null` where a dataset lacks it.
#[derive(Debug, Serialize)]
pub(super) struct FeatureData<'a> {
    pub name: &'a str,
    #[serde(rename = "type")]
    pub feature_type: FeatureType,
    /// The part of the page it stands in.
    pub numeric: bool,
    /// How much it deserves a look.
    pub score: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub anomalies: Vec<AnomalyData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftData>,
    pub stats: Vec<Option<StatsData>>,
}

/// How far the second dataset lies from the first: Jensen-Shannon, and every distance with its threshold.
#[derive(Debug, Serialize)]
pub(super) struct DriftData {
    pub js: f64,
    pub all: Vec<(&'static str, f64, Option<f64>)>,
}

#[derive(Debug, Serialize)]
pub(super) struct AnomalyData<'a> {
    pub split: &'a str,
    pub severity: Severity,
    #[serde(rename = "type")]
    pub anomaly_type: tidemill_core::AnomalyType,
    pub text: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<(u64, String)>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct StatsData {
    pub count: u64,
    pub missing: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbers: Option<NumbersData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<TextData>,
}

#[derive(Debug, Serialize)]
pub(super) struct NumbersData {
    pub mean: f64,
    pub std: f64,
    pub zeros: u64,
    pub odd: u64,
    pub min: f64,
    pub median: f64,
    pub max: f64,
    pub error: f64,
    pub even: Vec<(f64, f64, f64)>,
    pub share: Vec<(f64, f64, f64)>,
}

#[derive(Debug, Serialize)]
pub(super) struct TextData {
    pub unique: u64,
    pub estimate: bool,
    pub length: f64,
    pub top: Vec<(String, u64)>,
}

impl<'a> PageData<'a> {
    /// The data of the page: features in the order in which the datasets first name them.
    pub fn new(
        datasets: &[&'a DatasetStatistics],
        anomalies: Option<&'a Anomalies>,
        drift: Option<&DriftReport>,
    ) -> Self {
        let mut order: Vec<&'a str> = Vec::new();
        let mut columns: Vec<HashMap<&'a str, &'a FeatureStatistics>> = Vec::new();
        let mut known = std::collections::HashSet::new();
        for dataset in datasets {
            columns.push(dataset.features.iter().map(|feature| (feature.name.as_str(), feature)).collect());
            order.extend(dataset.features.iter().map(|f| f.name.as_str()).filter(|name| known.insert(*name)));
        }
        let mut found: BTreeMap<&'a str, Vec<(&'a str, &'a Anomaly)>> = BTreeMap::new();
        for (split, anomaly) in anomalies.into_iter().flat_map(Anomalies::iter) {
            found.entry(&anomaly.feature).or_default().push((split, anomaly));
        }
        // Errors first; the sort is stable, so splits keep their order.
        for list in found.values_mut() {
            list.sort_by_key(|(_, anomaly)| std::cmp::Reverse(anomaly.severity));
        }
        let apart: HashMap<&str, &FeatureDrift> =
            drift.iter().flat_map(|drift| &drift.features).map(|of| (of.distance.feature.as_str(), of)).collect();
        let features = order
            .into_iter()
            .filter_map(|name| {
                let seen: Vec<Option<&FeatureStatistics>> =
                    columns.iter().map(|columns| columns.get(name).copied()).collect();
                let mut feature = feature_data(name, &seen, found.get(name).map_or(&[], Vec::as_slice))?;
                feature.drift = apart.get(name).map(|drift| drift_data(drift));
                Some(feature)
            })
            .collect();
        let datasets = datasets.iter().map(|set| DatasetData { name: &set.name, rows: set.num_examples }).collect();
        Self { datasets, features }
    }
}

fn feature_data<'a>(
    name: &'a str,
    seen: &[Option<&'a FeatureStatistics>],
    found: &[(&'a str, &'a Anomaly)],
) -> Option<FeatureData<'a>> {
    let first = seen.iter().flatten().next()?;
    let judged: Vec<&Anomaly> = found.iter().map(|(_, anomaly)| *anomaly).collect();
    let unusual = seen.iter().flatten().map(|feature| attention_score(feature, &[])).fold(0.0, f64::max);
    let judged = attention_score(first, &judged) - attention_score(first, &[]);
    Some(FeatureData {
        name,
        feature_type: first.feature_type,
        numeric: first.numeric.is_some(),
        score: ((unusual + judged) * 1000.0).round() / 1000.0,
        anomalies: found.iter().map(|(split, anomaly)| anomaly_data(split, anomaly)).collect(),
        drift: None,
        stats: seen.iter().map(|feature| feature.map(stats_data)).collect(),
    })
}

fn drift_data(drift: &FeatureDrift) -> DriftData {
    let threshold = |which| drift.measured.iter().find(|m| m.distance == which).map(|m| m.threshold);
    let all = Distance::ALL
        .into_iter()
        .filter_map(|which| Some((which.name(), drift.distance.get(which)?, threshold(which))))
        .collect();
    DriftData { js: drift.distance.jensen_shannon, all }
}

fn anomaly_data<'a>(split: &'a str, anomaly: &'a Anomaly) -> AnomalyData<'a> {
    let text = anomaly.description.strip_prefix(&format!("`{}`: ", anomaly.feature)).unwrap_or(&anomaly.description);
    AnomalyData {
        split,
        severity: anomaly.severity,
        anomaly_type: anomaly.anomaly_type,
        text,
        rows: anomaly.evidence.iter().take(EVIDENCE_MAX).map(|row| (row.row, shortened(&row.value))).collect(),
    }
}

fn stats_data(feature: &FeatureStatistics) -> StatsData {
    let buckets = |histogram: &Histogram| histogram.buckets.iter().map(|b| (b.low, b.high, b.count)).collect();
    let numbers = feature.numeric.as_ref().map(|numbers| NumbersData {
        mean: numbers.mean,
        std: numbers.std_dev,
        zeros: numbers.num_zeros,
        odd: numbers.num_nan + numbers.num_inf,
        min: numbers.min,
        median: numbers.median,
        max: numbers.max,
        error: numbers.rank_error,
        even: buckets(&numbers.histogram),
        share: buckets(&numbers.quantiles),
    });
    let text = match (&feature.string, feature.boolean) {
        (Some(text), _) => Some(text_data(text)),
        (None, Some(boolean)) => {
            let mut top = vec![("true".to_owned(), boolean.num_true), ("false".to_owned(), boolean.num_false)];
            top.retain(|value| value.1 > 0);
            top.sort_by_key(|value| std::cmp::Reverse(value.1));
            Some(TextData { unique: top.len() as u64, estimate: false, length: 0.0, top })
        }
        (None, None) => None,
    };
    StatsData { count: feature.common.num_non_missing, missing: feature.common.num_missing, numbers, text }
}

fn text_data(text: &StringStatistics) -> TextData {
    TextData {
        unique: text.unique,
        estimate: text.unique_is_estimate,
        length: text.avg_length,
        top: text.top_values.iter().map(|top| (shortened(&top.value), top.frequency)).collect(),
    }
}
