//! Metrics against scikit-learn 1.9.1 on the same numbers.
//!
//! The data come from a linear congruential generator written out below, so that they can be made anywhere:
//! `a, b, c, w = lcg(1000, 1), …, lcg(1000, 4)`; binary labels are `b < a`, scores `0.5 a + 0.3 c + 0.1`; for ties
//! the scores are cut to one decimal and the first 100 set to 0 and 1; regression labels are
//! `100 a + 10 b - 20`, predictions `95 a + 5 c - 12`. Recorded from `roc_auc_score`, `average_precision_score`,
//! `accuracy_score`, `precision_score`, `recall_score`, `f1_score`, `matthews_corrcoef` (all with `score > 0.5`), `log_loss`,
//! `brier_score_loss`, `confusion_matrix`, `root_mean_squared_error`, `mean_absolute_error`, `r2_score`,
//! `mean_absolute_percentage_error`, each with and without `sample_weight=w`; the calibration error is the mean
//! of `|prob_true - prob_pred|` of `calibration_curve(n_bins=10, strategy="quantile")`, whose bins are equally
//! large here; means by `numpy.average`.
//!
//! Of three classes: `a, b, c, d, w = lcg(1000, 1), …(2), …(3), …(5), …(4)`; probabilities are `a + 0.1`, `b + 0.1` and
//! `c + 0.1` divided by their sum; the class is 0 where `d` is below the first, 1 where it is below the first two
//! together, else 2. Recorded from `roc_auc_score(multi_class="ovr", average="macro")` and, of the indicators,
//! `average="micro"`, `accuracy_score`, `balanced_accuracy_score`, `f1_score(average="macro")`, `log_loss` and
//! `confusion_matrix`. The tied AUC is the mean of `roc_auc_score(y == k, floor(10 p) / 10)`.

//! Of three labels: `a, b, c, d, e, w = lcg(1000, 1), …(2), …(3), …(5), …(6), …(4)`; probabilities are `a`, `b`, `c`; the labels are
//! `d < a`, `e < b` and `(d + e) / 2 < c`. Recorded from `roc_auc_score` (`macro` and `micro`), the mean over the labels of
//! `log_loss`, `accuracy_score`, `hamming_loss` and `f1_score` (`macro` and `micro`) of `probability > 0.5`.
//!
//! Of quantiles 0.1, 0.5 and 0.9: the label is `100 a + 10 b - 20`, predictions are `95 a - 8`, `95 a + 5 c - 9` and `95 a + 10`,
//! sorted by row. Recorded from the mean of `mean_pinball_loss`, and from `numpy.average` of what lies between.
//!
//! Of a ranking: row `i` is of query `i % 100`, its relevance is `floor(4.8 d²)` up to 3, its score
//! `0.6 a + 0.1 relevance / 3 + 0.05 e`; for ties scores are cut to one decimal. Recorded from the mean over the queries of
//! `ndcg_score` of `2^relevance - 1`, of `average_precision_score` of `relevance > 0`, and of one over the first such place.

#![allow(clippy::unreadable_literal, reason = "numbers as recorded")]

use tidemill_evaluate::Metric;
use tidemill_evaluate::metrics::{ConfusionCounts, Ordered, metrics_of};
use tidemill_model::{LabelSet, Task};

pub fn lcg(seed: u64) -> Vec<f64> {
    let mut state = seed;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..1_000).map(|_| draw()).collect()
}

pub struct Data {
    pub label: Vec<f64>,
    pub distinct: Vec<f64>,
    pub tied: Vec<f64>,
    pub value: Vec<f64>,
    pub predicted_value: Vec<f64>,
    pub weight: Vec<f64>,
}

pub fn data() -> Data {
    let (a, b, c, weight) = (lcg(1), lcg(2), lcg(3), lcg(4));
    let distinct: Vec<f64> = a.iter().zip(&c).map(|(a, c)| 0.5 * a + 0.3 * c + 0.1).collect();
    let mut tied: Vec<f64> = distinct.iter().map(|p| (p * 10.0).floor() / 10.0).collect();
    tied[..50].fill(0.0);
    tied[50..100].fill(1.0);
    Data {
        label: a.iter().zip(&b).map(|(a, b)| f64::from(u8::from(b < a))).collect(),
        distinct,
        tied,
        value: a.iter().zip(&b).map(|(a, b)| 100.0 * a + 10.0 * b - 20.0).collect(),
        predicted_value: a.iter().zip(&c).map(|(a, c)| 95.0 * a + 5.0 * c - 12.0).collect(),
        weight,
    }
}

/// Probabilities of three classes by class, the class and the weight of each row.
pub fn three_classes() -> (Vec<Vec<f64>>, Vec<f64>, Vec<f64>) {
    let drawn = [lcg(1), lcg(2), lcg(3)];
    let at = |class: usize, row: usize| {
        (drawn[class][row] + 0.1) / (drawn[0][row] + 0.1 + (drawn[1][row] + 0.1) + (drawn[2][row] + 0.1))
    };
    let columns: Vec<Vec<f64>> = (0..3).map(|class| (0..1_000).map(|row| at(class, row)).collect()).collect();
    let class = |(row, d): (usize, f64)| {
        if d < columns[0][row] {
            0.0
        } else if d < columns[0][row] + columns[1][row] {
            1.0
        } else {
            2.0
        }
    };
    let labels = lcg(5).into_iter().enumerate().map(class).collect();
    (columns, labels, lcg(4))
}

#[test]
fn several_classes() {
    let (columns, labels, weights) = three_classes();
    let task = Task::MultiClass { classes: ["a", "b", "c"].map(str::to_owned).to_vec() };
    let rows = Ordered::for_classes(&columns, &labels, None);
    agree(task.clone(), &rows, CLASSES);
    agree(task.clone(), &Ordered::for_classes(&columns, &labels, Some(&weights)), CLASSES_WEIGHTED);
    let counts = ConfusionCounts::new(3, &rows);
    assert_eq!([0, 1, 2].map(|predicted| counts.get(0, predicted)), [172.0, 54.0, 102.0]);
    let tied: Vec<Vec<f64>> =
        columns.iter().map(|column| column.iter().map(|p| (p * 10.0).floor() / 10.0).collect()).collect();
    agree(task, &Ordered::for_classes(&tied, &labels, None), &[(Metric::Auc, 0.6710938689443866)]);
}

#[test]
fn several_labels() {
    let [a, b, c, d, e] = [lcg(1), lcg(2), lcg(3), lcg(5), lcg(6)];
    let set = |row: usize| -> LabelSet {
        [d[row] < a[row], e[row] < b[row], d[row].midpoint(e[row]) < c[row]].into_iter().collect()
    };
    let labels: Vec<f64> = (0..1_000).map(|row| set(row).value()).collect();
    let task = Task::MultiLabel { labels: ["a", "b", "c"].map(str::to_owned).to_vec() };
    let columns = [a.clone(), b.clone(), c.clone()];
    agree(task.clone(), &Ordered::for_labels(&columns, &labels, None), LABELS);
    agree(task, &Ordered::for_labels(&columns, &labels, Some(&lcg(4))), LABELS_WEIGHTED);
}

#[test]
fn several_quantiles() {
    let [a, b, c] = [lcg(1), lcg(2), lcg(3)];
    let labels: Vec<f64> = a.iter().zip(&b).map(|(a, b)| 100.0 * a + 10.0 * b - 20.0).collect();
    let mut columns = vec![Vec::new(); 3];
    for (a, c) in a.iter().zip(&c) {
        let mut row = [95.0 * a - 8.0, 95.0 * a + 5.0 * c - 12.0 + 3.0, 95.0 * a + 10.0];
        row.sort_by(f64::total_cmp);
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    let levels = [0.1, 0.5, 0.9];
    let task = Task::Quantiles { levels: levels.map(|level| level.to_string()).to_vec() };
    agree(task.clone(), &Ordered::for_quantiles(&columns, &levels, &labels, None), QUANTILES);
    agree(task, &Ordered::for_quantiles(&columns, &levels, &labels, Some(&lcg(4))), QUANTILES_WEIGHTED);
}

#[test]
fn rankings() {
    let [a, d, e] = [lcg(1), lcg(5), lcg(6)];
    let relevance: Vec<f64> = d.iter().map(|d| (4.0 * d * d * 1.2).floor().clamp(0.0, 3.0)).collect();
    let scores: Vec<f64> = (0..1_000).map(|row| 0.6 * a[row] + 0.1 * relevance[row] / 3.0 + 0.05 * e[row]).collect();
    let tied: Vec<f64> = scores.iter().map(|score| (score * 10.0).floor() / 10.0).collect();
    let queries: Vec<u32> = (0..1_000).map(|row| row % 100).collect();
    let task = Task::Ranking { group: "query".to_owned() };
    let ordered = |scores: &[f64]| Ordered::new(scores, &relevance, None).with_groups(&queries);
    agree(task.clone(), &ordered(&scores), RANKING);
    agree(task, &ordered(&tied), RANKING_TIED);
}

fn agree(task: Task, rows: &Ordered, expected: &[(Metric, f64)]) {
    let metrics = metrics_of(&task, rows, 0.5);
    for &(metric, expected) in expected {
        let got = metrics.get(metric).expect("defined on these rows");
        assert!((got - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{metric} is {got}, not {expected}");
    }
}

#[test]
fn distinct_scores() {
    let data = data();
    agree(Task::Binary, &Ordered::new(&data.distinct, &data.label, None), DISTINCT);
}

#[test]
fn tied_and_certain_scores() {
    let data = data();
    agree(Task::Binary, &Ordered::new(&data.tied, &data.label, None), TIED);
}

#[test]
fn weighted_rows() {
    let data = data();
    agree(Task::Binary, &Ordered::new(&data.tied, &data.label, Some(&data.weight)), WEIGHTED);
}

#[test]
fn regression() {
    let data = data();
    agree(Task::Regression, &Ordered::new(&data.predicted_value, &data.value, None), REGRESSION);
    let weighted = Ordered::new(&data.predicted_value, &data.value, Some(&data.weight));
    agree(Task::Regression, &weighted, REGRESSION_WEIGHTED);
}

const CLASSES: &[(Metric, f64)] = &[
    (Metric::Auc, 0.6741839055562661),
    (Metric::AucMicro, 0.6788079999999999),
    (Metric::LogLoss, 0.9973005782067027),
    (Metric::Accuracy, 0.479),
    (Metric::BalancedAccuracy, 0.48021939549539033),
    (Metric::MacroF1, 0.47766511949420276),
];
const CLASSES_WEIGHTED: &[(Metric, f64)] = &[
    (Metric::Auc, 0.7027503493998255),
    (Metric::AucMicro, 0.7059758004119667),
    (Metric::LogLoss, 0.9741889084955888),
    (Metric::Accuracy, 0.506999813703119),
    (Metric::BalancedAccuracy, 0.5099184108358749),
    (Metric::MacroF1, 0.5073770826141711),
];
const DISTINCT: &[(Metric, f64)] = &[
    (Metric::Auc, 0.7870085921374741),
    (Metric::PrAuc, 0.7681535661179961),
    (Metric::Accuracy, 0.737),
    (Metric::Precision, 0.7385229540918163),
    (Metric::Recall, 0.7370517928286853),
    (Metric::F1, 0.7377866400797607),
    (Metric::Mcc, 0.4739967399759318),
    (Metric::LogLoss, 0.5817415040441853),
    (Metric::Brier, 0.19666827391297567),
    (Metric::FalsePositiveRate, 0.26305220883534136),
    (Metric::FalseNegativeRate, 0.26294820717131473),
    (Metric::LabelMean, 0.502),
    (Metric::PredictionMean, 0.5064630370538941),
    (Metric::Calibration, 1.00889051205955),
    (Metric::CalibrationError, 0.09955695125285419),
];
const TIED: &[(Metric, f64)] = &[
    (Metric::Auc, 0.7381478103649658),
    (Metric::PrAuc, 0.688431903417717),
    (Metric::Accuracy, 0.686),
    (Metric::Precision, 0.7848484848484848),
    (Metric::Recall, 0.5159362549800797),
    (Metric::F1, 0.6225961538461539),
    (Metric::Mcc, 0.3970149814817329),
    (Metric::LogLoss, 2.1820045211384977),
    (Metric::Brier, 0.22337),
    (Metric::FalsePositiveRate, 0.142570281124498),
    (Metric::FalseNegativeRate, 0.48406374501992033),
    (Metric::LabelMean, 0.502),
    (Metric::PredictionMean, 0.4615),
    (Metric::Calibration, 0.9193227091633467),
];
const WEIGHTED: &[(Metric, f64)] = &[
    (Metric::Auc, 0.7259992865871354),
    (Metric::PrAuc, 0.6728888492259677),
    (Metric::Accuracy, 0.6760611821764058),
    (Metric::Precision, 0.7708900053303968),
    (Metric::Recall, 0.4937878382167374),
    (Metric::F1, 0.6019811467042576),
    (Metric::Mcc, 0.37509001181250384),
    (Metric::LogLoss, 2.3605579757588724),
    (Metric::Brier, 0.22868274740896885),
    (Metric::FalsePositiveRate, 0.14448477667074508),
    (Metric::FalseNegativeRate, 0.5062121617832622),
    (Metric::LabelMean, 0.4961030005981692),
    (Metric::PredictionMean, 0.4567163132283293),
    (Metric::Calibration, 0.920607842882728),
];
const REGRESSION: &[(Metric, f64)] = &[
    (Metric::Rmse, 4.501288832361582),
    (Metric::Mae, 3.6869817831719867),
    (Metric::Mse, 20.261601152343097),
    (Metric::R2, 0.9759928951742823),
    (Metric::Mape, 0.519893707673686),
    (Metric::Bias, 2.9305407674614385),
];
const REGRESSION_WEIGHTED: &[(Metric, f64)] = &[
    (Metric::Rmse, 4.423285183651486),
    (Metric::Mae, 3.540258227082581),
    (Metric::Mse, 19.565451815910762),
    (Metric::R2, 0.9761336818960225),
    (Metric::Mape, 0.43936155822313755),
    (Metric::Bias, 2.83758549746879),
];

const LABELS: &[(Metric, f64)] = &[
    (Metric::Auc, 0.8631344893436289),
    (Metric::AucMicro, 0.8637548891786181),
    (Metric::LogLoss, 0.46409944773590556),
    (Metric::SubsetAccuracy, 0.487),
    (Metric::HammingLoss, 0.22433333333333333),
    (Metric::MacroF1, 0.7790714941221474),
    (Metric::MicroF1, 0.7795610874549623),
];

const LABELS_WEIGHTED: &[(Metric, f64)] = &[
    (Metric::Auc, 0.8677920152037352),
    (Metric::AucMicro, 0.8692408704709019),
    (Metric::LogLoss, 0.4576588527010259),
    (Metric::SubsetAccuracy, 0.49954988137264356),
    (Metric::HammingLoss, 0.21647638005584513),
    (Metric::MacroF1, 0.7841911056647017),
    (Metric::MicroF1, 0.7838109012669411),
];

const QUANTILES: &[(Metric, f64)] =
    &[(Metric::PinballLoss, 3.0839373187669534), (Metric::Coverage, 0.091), (Metric::IntervalWidth, 18.09686775276906)];

const QUANTILES_WEIGHTED: &[(Metric, f64)] = &[
    (Metric::PinballLoss, 3.044044806044442),
    (Metric::Coverage, 0.08783226382267105),
    (Metric::IntervalWidth, 18.095772867609764),
];

const RANKING: &[(Metric, f64)] = &[
    (Metric::Ndcg, 0.7450296634946655),
    (Metric::NdcgAt1, 0.5166666666666667),
    (Metric::NdcgAt3, 0.4889148020918549),
    (Metric::NdcgAt5, 0.5729537277916014),
    (Metric::NdcgAt10, 0.7450296634946655),
    (Metric::Map, 0.7370064925044092),
    (Metric::Mrr, 0.8690000000000001),
    (Metric::Queries, 100.0),
];

const RANKING_TIED: &[(Metric, f64)] = &[
    (Metric::Ndcg, 0.7320523651333685),
    (Metric::NdcgAt1, 0.4745952380952382),
    (Metric::NdcgAt3, 0.47154728778813615),
    (Metric::NdcgAt5, 0.5518200342463779),
    (Metric::NdcgAt10, 0.7320523651333685),
];
