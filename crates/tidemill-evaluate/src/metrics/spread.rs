//! How far a metric differs between groups of rows: the numbers of fairness.

use tidemill_core::TaskKind;

use super::counts::Counts;
use super::names::{Kind, Spread};
use super::values::ratio;
use super::{Metric, MetricPlan, Row, Rows, metrics_with};

/// The value of `base` in each group (the numbers in the row column `column`), as one number.
pub(super) fn spread<R: Rows>(
    task: TaskKind,
    rows: &R,
    plan: &MetricPlan,
    base: Metric,
    how: Spread,
    column: usize,
) -> Option<f64> {
    if task == TaskKind::Binary
        && let Some((threshold, base)) = counted(base, plan)
    {
        let (groups, whole) = group_counts(rows, column, threshold);
        let one = |metric: Metric, how| {
            let values: Vec<f64> = groups.iter().filter_map(|counts| counts.get(metric)).collect();
            reduce(&values, whole.get(metric), how)
        };
        return match how {
            Spread::EqualizedOdds => Some(f64::max(
                one(Metric::TruePositiveRate, Spread::Difference)?,
                one(Metric::FalsePositiveRate, Spread::Difference)?,
            )),
            Spread::EqualizedOddsRatio => Some(f64::min(
                one(Metric::TruePositiveRate, Spread::Ratio)?,
                one(Metric::FalsePositiveRate, Spread::Ratio)?,
            )),
            how => one(base, how),
        };
    }
    let plan = plan.of_group();
    let value = |positions: Vec<usize>| metrics_with(task, &Part { rows, positions }, &plan).get(base);
    let values: Vec<f64> = group_positions(rows, column).into_iter().filter_map(value).collect();
    let whole = if how == Spread::DifferenceToOverall { metrics_with(task, rows, &plan).get(base) } else { None };
    reduce(&values, whole, how)
}

/// The threshold and the metric, if it follows from the counts of a confusion matrix.
fn counted(base: Metric, plan: &MetricPlan) -> Option<(f64, Metric)> {
    let (threshold, base) = match base {
        Metric::Written(written) => match written.kind() {
            Kind::At { base, at } => (*at, *base),
            _ => return None,
        },
        plain => (plan.decision_threshold, plain),
    };
    let unit = Counts { true_positives: 1.0, false_positives: 2.0, true_negatives: 3.0, false_negatives: 4.0 };
    unit.get(base).map(|_| (threshold, base))
}

fn reduce(values: &[f64], whole: Option<f64>, how: Spread) -> Option<f64> {
    let (largest, smallest) = (values.iter().copied().reduce(f64::max)?, values.iter().copied().reduce(f64::min)?);
    match how {
        Spread::Ratio | Spread::EqualizedOddsRatio => ratio(smallest, largest),
        Spread::DifferenceToOverall => {
            let whole = whole?;
            Some((largest - whole).abs().max((whole - smallest).abs()))
        }
        Spread::Difference | Spread::EqualizedOdds => Some(largest - smallest),
    }
}

fn group_counts<R: Rows>(rows: &R, column: usize, threshold: f64) -> (Vec<Counts>, Counts) {
    let mut groups: Vec<Counts> = Vec::new();
    let mut whole = Counts::default();
    for position in 0..rows.len() {
        let Row { score, label, weight } = rows.row(position);
        whole.add(label > 0.5, score > threshold, weight);
        let group = rows.value(position, column) as usize;
        if group >= groups.len() {
            groups.resize(group + 1, Counts::default());
        }
        groups[group].add(label > 0.5, score > threshold, weight);
    }
    (groups, whole)
}

fn group_positions<R: Rows>(rows: &R, column: usize) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for position in 0..rows.len() {
        let group = rows.value(position, column) as usize;
        if group >= groups.len() {
            groups.resize(group + 1, Vec::new());
        }
        groups[group].push(position);
    }
    groups.retain(|positions| !positions.is_empty());
    groups
}

/// Some of the rows of any others: behind a pointer, because the rows of a part may be divided again.
struct Part<'a> {
    rows: &'a dyn Rows,
    /// Ascending.
    positions: Vec<usize>,
}

impl Rows for Part<'_> {
    fn len(&self) -> usize {
        self.positions.len()
    }

    fn row(&self, position: usize) -> Row {
        self.rows.row(self.positions[position])
    }

    fn id(&self, position: usize) -> u32 {
        self.rows.id(self.positions[position])
    }

    fn group(&self, position: usize) -> u32 {
        self.rows.group(self.positions[position])
    }

    fn unit(&self, position: usize) -> u32 {
        self.rows.unit(self.positions[position])
    }

    fn levels(&self) -> &[f64] {
        self.rows.levels()
    }

    fn class_count(&self) -> usize {
        self.rows.class_count()
    }

    fn predicted(&self, position: usize) -> u32 {
        self.rows.predicted(self.positions[position])
    }

    fn class_score(&self, position: usize, class: usize) -> f64 {
        self.rows.class_score(self.positions[position], class)
    }

    fn value(&self, position: usize, column: usize) -> f64 {
        self.rows.value(self.positions[position], column)
    }
}
