//! Metrics of a model of several classes.

use tidemill_core::RocArea;

use super::binary::log_loss;
use super::catalogue::ratio;
use super::{Metric, Metrics, Rows};

/// Areas of one class against the rest are computed for at most this many classes.
pub(super) const RANKED_CLASSES_MAX: usize = 100;
/// The maximum number of pairs of a row and a class that are ranked together.
const PAIRS_MAX: usize = 1 << 27;

/// The confusion matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfusionCounts {
    classes: usize,
    /// Weight of the rows, by true and then by predicted class.
    cells: Vec<f64>,
}

impl ConfusionCounts {
    /// Counts `rows`.
    pub fn new<R: Rows>(classes: usize, rows: &R) -> Self {
        let mut cells = vec![0.0; classes * classes];
        for position in 0..rows.len() {
            let row = rows.row(position);
            cells[row.label as usize * classes + rows.predicted(position) as usize] += row.weight;
        }
        Self { classes, cells }
    }

    /// Weight of the rows of class `truth` that were predicted as `predicted`.
    pub fn get(&self, truth: usize, predicted: usize) -> f64 {
        self.cells[truth * self.classes + predicted]
    }

    /// Weight of the rows of a class.
    pub fn rows(&self, class: usize) -> f64 {
        (0..self.classes).map(|predicted| self.get(class, predicted)).sum()
    }

    /// Weight of the rows predicted as a class.
    fn predicted(&self, class: usize) -> f64 {
        (0..self.classes).map(|truth| self.get(truth, class)).sum()
    }

    /// Share of the rows of a class that were predicted correctly.
    pub fn recall(&self, class: usize) -> Option<f64> {
        ratio(self.get(class, class), self.rows(class))
    }

    /// Share of the rows predicted as a class that belong to it.
    pub fn precision(&self, class: usize) -> Option<f64> {
        ratio(self.get(class, class), self.predicted(class))
    }

    /// Harmonic mean of precision and recall.
    pub fn f1(&self, class: usize) -> Option<f64> {
        ratio(2.0 * self.get(class, class), self.rows(class) + self.predicted(class))
    }
}

/// Writes every metric of a model of several classes.
pub(super) fn write_class_metrics<R: Rows>(rows: &R, metrics: &mut Metrics) {
    let classes = rows.class_count();
    let counts = ConfusionCounts::new(classes, rows);
    let (mut weight, mut loss) = (0.0, 0.0);
    for position in 0..rows.len() {
        let row = rows.row(position);
        weight += row.weight;
        loss += row.weight * log_loss(row.score, 1.0);
    }
    let right: f64 = (0..classes).map(|class| counts.get(class, class)).sum();
    metrics.set(Metric::Accuracy, ratio(right, weight));
    metrics.set(Metric::LogLoss, ratio(loss, weight));
    // A class without true or predicted rows is left out of a mean, as in scikit-learn.
    let mean = |of: &dyn Fn(usize) -> Option<f64>| {
        let known: Vec<f64> = (0..classes).filter_map(of).collect();
        ratio(known.iter().sum(), known.len() as f64)
    };
    metrics.set(Metric::BalancedAccuracy, mean(&|class| counts.recall(class)));
    metrics.set(Metric::MacroF1, mean(&|class| counts.f1(class)));
    let areas: Vec<Option<f64>> = class_areas(rows);
    let known: Vec<f64> = areas.iter().copied().flatten().collect();
    // Without rows of a class, its one-vs-rest area is undefined, and a mean over the others would be a different
    // metric.
    let all = known.len() == areas.len() && !areas.is_empty();
    metrics.set(Metric::Auc, if all { ratio(known.iter().sum(), known.len() as f64) } else { None });
    metrics.set(Metric::AucMicro, micro_area(rows));
}

/// The area under the ROC curve of each class against the rest; none if there are too many classes.
pub fn class_areas<R: Rows>(rows: &R) -> Vec<Option<f64>> {
    let classes = rows.class_count();
    if classes > RANKED_CLASSES_MAX {
        return Vec::new();
    }
    (0..classes)
        .map(|class| {
            let order = rows.class_order(class);
            let score = |position: &u32| rows.class_score(*position as usize, class);
            let mut area = RocArea::default();
            let mut end = order.len();
            while end > 0 {
                let ties = score(&order[end - 1]);
                let start = order[..end].iter().rposition(|position| score(position) != ties).map_or(0, |at| at + 1);
                let (mut positive, mut negative) = (0.0, 0.0);
                for position in &order[start..end] {
                    let row = rows.row(*position as usize);
                    *(if row.label as usize == class { &mut positive } else { &mut negative }) += row.weight;
                }
                area.push(positive, negative);
                end = start;
            }
            area.value()
        })
        .collect()
}

/// The area over all pairs of a row and a class; a pair is positive if the row is of the class.
fn micro_area<R: Rows>(rows: &R) -> Option<f64> {
    let classes = rows.class_count();
    if classes > RANKED_CLASSES_MAX || rows.len().saturating_mul(classes) > PAIRS_MAX {
        return None;
    }
    let mut pairs: Vec<(f64, bool, f64)> = Vec::with_capacity(rows.len() * classes);
    for position in 0..rows.len() {
        let row = rows.row(position);
        let pair = |class| (rows.class_score(position, class), row.label as usize == class, row.weight);
        pairs.extend((0..classes).map(pair));
    }
    pairs.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.total_cmp(&b.2)));
    let mut area = RocArea::default();
    for ties in pairs.chunk_by(|a, b| a.0 == b.0) {
        let of = |positive: bool| ties.iter().filter(|pair| pair.1 == positive).map(|pair| pair.2).sum::<f64>();
        area.push(of(true), of(false));
    }
    area.value()
}
