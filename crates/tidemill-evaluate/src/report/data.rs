//! Data for the page's script: short keys and few digits, because there is an entry for every slice.

use std::collections::HashSet;

use serde::Serialize;
use tidemill_core::TaskKind;

use super::html::shortened;
use crate::metrics::{Curves, Direction, Metric};
use crate::slices::SliceKey;
use crate::{Evaluation, Metrics, SliceEvaluation};

/// The maximum number of slices in a page: the largest ones, to bound its size.
pub(super) const SLICES_MAX: usize = 1_000;

#[derive(Debug, Serialize)]
pub(super) struct PageData {
    pub task: TaskKind,
    /// A row is called positive if its score is above this.
    pub decision: Option<f64>,
    /// What was judged at `decision`, as the metrics have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judged: Option<JudgedData>,
    /// Weight of all rows, and of those labelled 1.
    pub total: f64,
    pub positives: f64,
    /// The columns of the table of slices.
    pub metrics: Vec<MetricData>,
    /// Index into `metrics` of the loss that compares slices at first.
    pub first: usize,
    pub overall: SliceData,
    /// The columns of slices: `payment_type × trip_start_hour`.
    pub families: Vec<String>,
    pub slices: Vec<SliceData>,
    pub curves: CurvesData,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<CurvesData>,
}

/// The decision threshold as judged: a point between those of the ROC curve.
#[derive(Debug, Serialize)]
pub(super) struct JudgedData {
    /// True positive and false positive rate.
    pub tpr: f64,
    pub fpr: f64,
    pub precision: Option<f64>,
    pub f1: Option<f64>,
    pub accuracy: Option<f64>,
    pub positive_rate: Option<f64>,
}

impl JudgedData {
    fn new(evaluation: &Evaluation) -> Option<Self> {
        evaluation.decision_threshold?;
        let metrics = &evaluation.overall()?.metrics;
        Some(Self {
            tpr: metrics.get(Metric::TruePositiveRate)?,
            fpr: metrics.get(Metric::FalsePositiveRate)?,
            precision: metrics.get(Metric::Precision),
            f1: metrics.get(Metric::F1),
            accuracy: metrics.get(Metric::Accuracy),
            positive_rate: metrics.get(Metric::PositiveRate),
        })
    }
}

#[derive(Debug, Serialize)]
pub(super) struct MetricData {
    pub key: &'static str,
    pub title: &'static str,
    pub about: &'static str,
    /// `1`: more is better, `-1`: less is, `0`: neither; otherwise values nearer to `to` are better.
    pub better: i8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<f64>,
}

#[derive(Debug, Serialize)]
pub(super) struct SliceData {
    #[serde(rename = "n")]
    pub name: String,
    #[serde(rename = "f")]
    pub family: usize,
    #[serde(rename = "r")]
    pub rows: u64,
    #[serde(rename = "v")]
    pub values: Vec<Option<f64>>,
    #[serde(rename = "b", skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Vec<Option<f64>>>,
}

/// Points as arrays: `[threshold, x, y]`, `[weight, prediction, label]`, `[low, high, negative, positive]`.
#[derive(Debug, Serialize)]
pub(super) struct CurvesData {
    pub roc: Vec<(Option<f64>, f64, f64)>,
    pub pr: Vec<(f64, f64, f64)>,
    pub cal: Vec<(f64, f64, f64)>,
    pub hist: Vec<(f64, f64, f64, f64)>,
}

impl PageData {
    pub fn new(evaluation: &Evaluation) -> Self {
        let shown = slice_metrics(evaluation.task.kind());
        let mut families: Vec<String> = Vec::new();
        let kept = largest(evaluation);
        let slices = kept
            .into_iter()
            .map(|slice| {
                let name = family(&slice.slice);
                let family = families.iter().position(|known| *known == name).unwrap_or_else(|| {
                    families.push(name);
                    families.len() - 1
                });
                slice_data(slice, family, shown)
            })
            .collect();
        let curves = curves_data(&evaluation.curves);
        Self {
            task: evaluation.task.kind(),
            decision: evaluation.decision_threshold,
            judged: JudgedData::new(evaluation),
            total: curves.cal.iter().map(|bin| bin.0).sum(),
            positives: evaluation.curves.histogram.iter().map(|bin| bin.positive).sum(),
            metrics: shown.iter().map(|metric| metric_data(*metric)).collect(),
            first: shown.iter().position(|metric| *metric == Metric::loss(evaluation.task.kind())).unwrap_or_default(),
            overall: evaluation.overall().map_or_else(
                || SliceData {
                    name: String::new(),
                    family: 0,
                    rows: 0,
                    values: vec![None; shown.len()],
                    baseline: None,
                },
                |overall| slice_data(overall, 0, shown),
            ),
            families,
            slices,
            curves,
            baseline: evaluation.baseline_curves.as_ref().map(curves_data),
        }
    }
}

/// The metrics in the table of slices.
fn slice_metrics(task: TaskKind) -> &'static [Metric] {
    match task {
        TaskKind::MultiClass => {
            &[Metric::Accuracy, Metric::LogLoss, Metric::Auc, Metric::BalancedAccuracy, Metric::MacroF1]
        }
        TaskKind::Binary => &[
            Metric::Auc,
            Metric::PrAuc,
            Metric::LogLoss,
            Metric::Accuracy,
            Metric::Precision,
            Metric::Recall,
            Metric::FalsePositiveRate,
            Metric::PositiveRate,
            Metric::LabelMean,
            Metric::Calibration,
        ],
        TaskKind::MultiLabel => &[
            Metric::Auc,
            Metric::AucMicro,
            Metric::LogLoss,
            Metric::SubsetAccuracy,
            Metric::HammingLoss,
            Metric::MacroF1,
            Metric::MicroF1,
        ],
        TaskKind::Ranking => &[
            Metric::Ndcg,
            Metric::NdcgAt1,
            Metric::NdcgAt3,
            Metric::NdcgAt5,
            Metric::NdcgAt10,
            Metric::Map,
            Metric::Mrr,
            Metric::Queries,
        ],
        TaskKind::Regression => &[
            Metric::Rmse,
            Metric::Mae,
            Metric::R2,
            Metric::Mape,
            Metric::Bias,
            Metric::Calibration,
            Metric::LabelMean,
            Metric::PredictionMean,
        ],
    }
}

/// The slices except all rows, in their order; if there are very many, the largest.
fn largest(evaluation: &Evaluation) -> Vec<&SliceEvaluation> {
    let all: Vec<&SliceEvaluation> = evaluation.slices.iter().filter(|slice| !slice.slice.is_overall()).collect();
    let mut by_size: Vec<usize> = (0..all.len()).collect();
    by_size.sort_by_key(|index| std::cmp::Reverse(all[*index].rows));
    let kept: HashSet<usize> = by_size.into_iter().take(SLICES_MAX).collect();
    all.into_iter().enumerate().filter(|(index, _)| kept.contains(index)).map(|(_, slice)| slice).collect()
}

/// The columns of a slice, without their values.
pub(super) fn family(key: &SliceKey) -> String {
    let columns: Vec<&str> = key.terms().iter().map(|term| term.column.as_str()).collect();
    shortened(&columns.join(" × "))
}

fn metric_data(metric: Metric) -> MetricData {
    let (better, to) = match metric.direction() {
        Direction::Higher => (1, None),
        Direction::Lower => (-1, None),
        Direction::Neutral => (0, None),
        Direction::Towards(target) => (0, Some(target)),
    };
    MetricData { key: metric.name(), title: metric.title(), about: metric.about(), better, to }
}

fn slice_data(slice: &SliceEvaluation, family: usize, shown: &[Metric]) -> SliceData {
    let values = |metrics: &Metrics| shown.iter().map(|metric| metrics.get(*metric).map(rounded)).collect();
    SliceData {
        name: shortened(&slice.slice.to_string()),
        family,
        rows: slice.rows,
        values: values(&slice.metrics),
        baseline: slice.baseline.as_ref().map(values),
    }
}

fn curves_data(curves: &Curves) -> CurvesData {
    let r = rounded;
    CurvesData {
        roc: curves
            .roc
            .iter()
            .map(|point| (point.threshold.map(r), r(point.false_positive_rate), r(point.true_positive_rate)))
            .collect(),
        pr: curves.precision_recall.iter().map(|p| (r(p.threshold), r(p.recall), r(p.precision))).collect(),
        cal: curves.calibration.iter().map(|bin| (r(bin.weight), r(bin.prediction_mean), r(bin.label_mean))).collect(),
        hist: curves.histogram.iter().map(|bin| (r(bin.low), r(bin.high), r(bin.negative), r(bin.positive))).collect(),
    }
}

/// Six significant digits, or whole numbers as they are.
fn rounded(value: f64) -> f64 {
    if value.fract() == 0.0 { value } else { format!("{value:.5e}").parse().unwrap_or(value) }
}
