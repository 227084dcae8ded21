//! Rows in ascending order of score, whole or in part.

use std::borrow::Cow;
use std::sync::Arc;

use rayon::prelude::*;
use tidemill_model::largest_column;

use super::classes::RANKED_CLASSES_MAX;

/// One prediction and its label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// The prediction: a probability, or a value.
    pub score: f64,
    /// The label: 0 or 1, or a value.
    pub label: f64,
    /// The weight of the row. Never negative.
    pub weight: f64,
}

/// Rows in ascending order of score. Metrics are written against this.
pub trait Rows: Sync {
    /// The number of rows.
    fn len(&self) -> usize;
    /// The row at `position`, which is less than [`Rows::len`].
    fn row(&self, position: usize) -> Row;
    /// The original position of the row in the data, from 0: the same for every order and part.
    fn id(&self, position: usize) -> u32;
    /// The number of the query of the row at `position`, for a ranking.
    fn group(&self, _position: usize) -> u32 {
        0
    }
    /// What a bootstrap draws the row at `position` with: its own number, or that of its query.
    fn unit(&self, position: usize) -> u32 {
        self.id(position)
    }
    /// The levels of several quantiles, ascending, whose values are [`class_score`](Self::class_score)s.
    fn levels(&self) -> &[f64] {
        &[]
    }
    /// The number of classes or labels, for a model of several.
    fn class_count(&self) -> usize {
        0
    }
    /// The most probable class of the row at `position`.
    fn predicted(&self, _position: usize) -> u32 {
        0
    }
    /// The probability of a class for the row at `position`.
    fn class_score(&self, _position: usize, _class: usize) -> f64 {
        0.0
    }
    /// A number of the row at `position` that a metric of its own needs: row column `column` of the plan. NaN: none.
    fn value(&self, _position: usize, _column: usize) -> f64 {
        f64::NAN
    }
    /// The positions by rising probability of a class.
    fn class_order(&self, class: usize) -> Cow<'_, [u32]> {
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        order.sort_by(|a, b| {
            self.class_score(*a as usize, class).total_cmp(&self.class_score(*b as usize, class)).then(a.cmp(b))
        });
        Cow::Owned(order)
    }
    /// Whether there is no row.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Rows sorted by score, then label, then weight: metrics do not depend on the order of rows that are equal in all
/// three, so the original order leaves no trace.
///
/// Takes 20 bytes per row (28 with weights).
#[derive(Debug, Clone)]
pub struct Ordered {
    scores: Vec<f64>,
    labels: Vec<f64>,
    weights: Option<Vec<f64>>,
    order: Vec<u32>,
    classes: Option<Classes>,
    /// By position: the number of the query.
    groups: Option<Vec<u32>>,
    levels: Vec<f64>,
    /// Row columns, by the original order.
    values: Arc<Vec<Vec<f64>>>,
}

/// The probabilities of a model of several classes besides that of the true one.
#[derive(Debug, Clone)]
struct Classes {
    /// By class, then by position.
    scores: Vec<Vec<f64>>,
    predicted: Vec<u32>,
    /// By class: the positions by rising score.
    orders: Vec<Vec<u32>>,
}

impl Ordered {
    /// Sorts rows given as columns of equal length (at most `u32::MAX` rows). Scores are finite.
    pub fn new(scores: &[f64], labels: &[f64], weights: Option<&[f64]>) -> Self {
        assert!(
            scores.len() == labels.len() && u32::try_from(scores.len()).is_ok(),
            "columns of equal, bounded length"
        );
        let mut keys: Vec<(u64, u32)> =
            scores.par_iter().enumerate().map(|(i, score)| (sort_key(*score), i as u32)).collect();
        let second = |i: u32| {
            let i = i as usize;
            (sort_key(labels[i]), weights.map_or(0, |w| sort_key(w[i])))
        };
        keys.par_sort_unstable_by(|a, b| {
            a.0.cmp(&b.0).then_with(|| second(a.1).cmp(&second(b.1))).then_with(|| a.1.cmp(&b.1))
        });
        let order: Vec<u32> = keys.into_par_iter().map(|(_, i)| i).collect();
        let gather = |column: &[f64]| order.par_iter().map(|i| column[*i as usize]).collect();
        // Adding 0 turns -0 into 0: they are one score.
        let mut sorted: Vec<f64> = gather(scores);
        sorted.par_iter_mut().for_each(|score| *score += 0.0);
        Self {
            scores: sorted,
            labels: gather(labels),
            weights: weights.map(gather),
            order,
            classes: None,
            groups: None,
            levels: Vec::new(),
            values: Arc::default(),
        }
    }

    /// The same rows with row columns, each by the original order.
    #[must_use]
    pub(crate) fn with_values(mut self, values: Vec<Vec<f64>>) -> Self {
        self.values = Arc::new(values);
        self
    }

    /// The same rows of these queries, a number each in the original order.
    #[must_use]
    pub fn with_groups(mut self, groups: &[u32]) -> Self {
        self.groups = Some(self.order.iter().map(|row| groups[*row as usize]).collect());
        self
    }

    /// Rows of a model of several labels: `columns` are the probabilities of each, a label is a
    /// [`LabelSet`](tidemill_core::LabelSet), and the score of a row is its first probability.
    pub fn for_labels(columns: &[Vec<f64>], labels: &[f64], weights: Option<&[f64]>) -> Self {
        Self::new(&columns[0], labels, weights).with_columns(columns)
    }

    /// Rows of a model of several quantiles: `columns` are those of `levels`, and the score of a row is the one whose level is
    /// nearest to a half.
    pub fn for_quantiles(columns: &[Vec<f64>], levels: &[f64], labels: &[f64], weights: Option<&[f64]>) -> Self {
        let mut ordered = Self::new(&columns[middle(levels)], labels, weights).with_columns(columns);
        ordered.levels = levels.to_vec();
        ordered
    }

    fn with_columns(mut self, columns: &[Vec<f64>]) -> Self {
        let at = |column: &Vec<f64>| self.order.iter().map(|row| column[*row as usize]).collect();
        let scores = columns.iter().map(at).collect();
        self.classes = Some(Classes { scores, predicted: Vec::new(), orders: Vec::new() });
        self
    }

    /// Rows of a model of several classes: `columns` are the probabilities of each, a label is the number of a class, and
    /// the score of a row is the probability of its label.
    pub fn for_classes(columns: &[Vec<f64>], labels: &[f64], weights: Option<&[f64]>) -> Self {
        let truth: Vec<f64> = labels.iter().enumerate().map(|(row, label)| columns[*label as usize][row]).collect();
        let mut ordered = Self::new(&truth, labels, weights);
        let at = |column: &Vec<f64>| ordered.order.iter().map(|row| column[*row as usize]).collect();
        let scores: Vec<Vec<f64>> = columns.iter().map(at).collect();
        let predicted = ordered.order.iter().map(|row| largest_column(columns, *row as usize) as u32).collect();
        ordered.classes = Some(Classes { scores, predicted, orders: Vec::new() });
        let orders = (0..columns.len().min(RANKED_CLASSES_MAX))
            .into_par_iter()
            .map(|class| {
                Subset { whole: &ordered, positions: &all_positions(ordered.len()) }.class_order(class).into_owned()
            })
            .collect();
        if let Some(classes) = &mut ordered.classes {
            classes.orders = orders;
        }
        ordered
    }
}

impl Rows for Ordered {
    fn len(&self) -> usize {
        self.order.len()
    }

    #[inline]
    fn row(&self, position: usize) -> Row {
        Row {
            score: self.scores[position],
            label: self.labels[position],
            weight: self.weights.as_ref().map_or(1.0, |weights| weights[position]),
        }
    }

    #[inline]
    fn id(&self, position: usize) -> u32 {
        self.order[position]
    }

    fn group(&self, position: usize) -> u32 {
        self.groups.as_ref().map_or(0, |groups| groups[position])
    }

    fn unit(&self, position: usize) -> u32 {
        self.groups.as_ref().map_or_else(|| self.id(position), |groups| groups[position])
    }

    fn levels(&self) -> &[f64] {
        &self.levels
    }

    fn class_count(&self) -> usize {
        self.classes.as_ref().map_or(0, |classes| classes.scores.len())
    }

    fn predicted(&self, position: usize) -> u32 {
        self.classes.as_ref().and_then(|classes| classes.predicted.get(position)).copied().unwrap_or_default()
    }

    fn class_score(&self, position: usize, class: usize) -> f64 {
        self.classes.as_ref().map_or(0.0, |classes| classes.scores[class][position])
    }

    #[inline]
    fn value(&self, position: usize, column: usize) -> f64 {
        self.values.get(column).map_or(f64::NAN, |values| values[self.order[position] as usize])
    }

    fn class_order(&self, class: usize) -> Cow<'_, [u32]> {
        let orders = self.classes.as_ref().map_or(&[][..], |classes| &classes.orders);
        Cow::Borrowed(orders.get(class).map_or(&[], Vec::as_slice))
    }
}

/// The place of the level nearest to a half; the lower of two.
pub(crate) fn middle(levels: &[f64]) -> usize {
    let distance = |at: &usize| (levels[*at] - 0.5).abs();
    (0..levels.len()).min_by(|a, b| distance(a).total_cmp(&distance(b)).then(a.cmp(b))).unwrap_or_default()
}

fn all_positions(rows: usize) -> Vec<u32> {
    (0..rows as u32).collect()
}

/// Some of the rows: ascending positions in the whole.
#[derive(Debug, Clone, Copy)]
pub struct Subset<'a> {
    /// The whole.
    pub whole: &'a Ordered,
    /// Positions in it, ascending.
    pub positions: &'a [u32],
}

impl Rows for Subset<'_> {
    fn len(&self) -> usize {
        self.positions.len()
    }

    #[inline]
    fn row(&self, position: usize) -> Row {
        self.whole.row(self.positions[position] as usize)
    }

    #[inline]
    fn id(&self, position: usize) -> u32 {
        self.whole.id(self.positions[position] as usize)
    }

    fn group(&self, position: usize) -> u32 {
        self.whole.group(self.positions[position] as usize)
    }

    fn unit(&self, position: usize) -> u32 {
        self.whole.unit(self.positions[position] as usize)
    }

    fn levels(&self) -> &[f64] {
        self.whole.levels()
    }

    fn class_count(&self) -> usize {
        self.whole.class_count()
    }

    fn predicted(&self, position: usize) -> u32 {
        self.whole.predicted(self.positions[position] as usize)
    }

    fn class_score(&self, position: usize, class: usize) -> f64 {
        self.whole.class_score(self.positions[position] as usize, class)
    }

    fn value(&self, position: usize, column: usize) -> f64 {
        self.whole.value(self.positions[position] as usize, column)
    }
}

/// Maps finite numbers to integers in the same order; -0 and 0 to the same one.
fn sort_key(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | (1 << 63) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_the_order_of_numbers() {
        let sorted = [f64::MIN, -2.5, -1e-300, 0.0, 1e-300, 0.5, 1.0, f64::MAX];
        assert!(sorted.windows(2).all(|pair| sort_key(pair[0]) < sort_key(pair[1])));
        assert_eq!(sort_key(-0.0), sort_key(0.0));
    }

    #[test]
    fn rows_come_by_score_then_label() {
        let ordered = Ordered::new(&[0.5, 0.1, 0.5, -0.0], &[1.0, 0.0, 0.0, 1.0], None);
        let ids: Vec<u32> = (0..4).map(|i| ordered.id(i)).collect();
        assert_eq!(ids, [3, 1, 2, 0]);
        assert!(ordered.row(0).score.is_sign_positive());
    }
}
