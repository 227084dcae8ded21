//! What the page's script draws from: short keys, because there is an entry for every feature.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use tidemill_core::{
    Anomalies, Anomaly, DatasetStatistics, Distance, FeatureStatistics, FeatureType, Severity, shortened,
};

use super::alerts::Noted;
use super::attention::attention_score;
use super::moved::distance_title;
use super::pairs::PairsData;
use super::slices::SlicesData;
use super::stats::{StatsData, stats_data};
use crate::drift::{DriftReport, FeatureDrift, movement};

/// Rows of evidence shown with an anomaly.
const EVIDENCE_MAX: usize = 5;

#[derive(Debug, Serialize)]
pub(super) struct PageData<'a> {
    pub datasets: Vec<DatasetData<'a>>,
    pub features: Vec<FeatureData<'a>>,
    #[serde(skip_serializing_if = "SlicesData::is_empty")]
    pub slices: SlicesData,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs: Option<PairsData<'a>>,
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
    /// Kind and reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<(&'static str, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftData>,
    pub stats: Vec<Option<StatsData>>,
}

/// How far the second dataset lies from the first: Jensen-Shannon, and every distance in words with its threshold.
#[derive(Debug, Serialize)]
pub(super) struct DriftData {
    pub js: f64,
    pub all: Vec<(&'static str, f64, Option<f64>)>,
    /// Some distance is beyond its threshold.
    pub over: bool,
    /// From what to what.
    pub moved: String,
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

impl<'a> PageData<'a> {
    /// The data of the page: features in the order in which the datasets first name them.
    pub fn new(
        datasets: &[&'a DatasetStatistics],
        anomalies: Option<&'a Anomalies>,
        drift_report: Option<&DriftReport>,
        alerts: &[Noted],
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
        let apart: HashMap<&str, &FeatureDrift> = drift_report
            .iter()
            .flat_map(|drift| &drift.features)
            .map(|of| (of.distance.feature.as_str(), of))
            .collect();
        let mut noted: HashMap<&str, Vec<&Noted>> = HashMap::new();
        for of in alerts {
            noted.entry(&of.alert.feature).or_default().push(of);
        }
        let features: Vec<FeatureData<'a>> = order
            .into_iter()
            .filter_map(|name| {
                let seen: Vec<Option<&FeatureStatistics>> =
                    columns.iter().map(|columns| columns.get(name).copied()).collect();
                let mut feature = feature_data(name, &seen, found.get(name).map_or(&[], Vec::as_slice))?;
                if let Some(found) = noted.remove(name) {
                    feature.alerts = found.iter().map(|of| (of.alert.kind.title(), of.text(datasets))).collect();
                }
                if let (Some(drift), [Some(before), Some(now)]) = (apart.get(name), seen.as_slice()) {
                    let by_weight = drift_report.is_some_and(|report| report.by_weight);
                    feature.drift = Some(drift_data(drift, movement(before, now, by_weight)));
                }
                Some(feature)
            })
            .collect();
        let names: Vec<&str> = features.iter().map(|feature| feature.name).collect();
        let slices = SlicesData::new(datasets, &names);
        let pairs = datasets.iter().find_map(|dataset| PairsData::new(&dataset.cross));
        let datasets = datasets.iter().map(|set| DatasetData { name: &set.name, rows: set.num_examples }).collect();
        Self { datasets, features, slices, pairs }
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
        alerts: Vec::new(),
        drift: None,
        stats: seen.iter().map(|feature| feature.map(stats_data)).collect(),
    })
}

fn drift_data(drift: &FeatureDrift, moved: String) -> DriftData {
    let threshold = |which| drift.measured.iter().find(|m| m.distance == which).map(|m| m.threshold);
    let all = Distance::ALL
        .into_iter()
        .filter_map(|which| Some((distance_title(which), drift.distance.get(which)?, threshold(which))))
        .collect();
    DriftData { js: drift.distance.jensen_shannon, all, over: drift.exceeded(), moved }
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
