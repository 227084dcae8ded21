//! The area under the ROC curve, computed in one place for every crate.

/// The area under the ROC curve of weighted counts by distinct score: the chance that a positive row scores above a
/// negative one, ties counting half. U / (P N) of Mann and Whitney (1947); see Hanley and `McNeil` (1982).
///
/// Each group holds the weight of the positive and of the negative rows of one score; groups come from the highest score
/// down. With whole weights every intermediate number is an integer or a half, exact up to 2⁵³ pairs. `None` where a
/// class is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RocArea {
    positives: f64,
    negatives: f64,
    /// Pairs whose negative stands above the positive, ties as one half.
    lost: f64,
}

impl RocArea {
    /// Takes in the rows of the next lower score.
    #[inline]
    pub fn push(&mut self, positive: f64, negative: f64) {
        self.lost += positive * (self.negatives + 0.5 * negative);
        self.positives += positive;
        self.negatives += negative;
    }

    /// The weight of the positive rows so far.
    pub const fn positives(&self) -> f64 {
        self.positives
    }

    /// The weight of the negative rows so far.
    pub const fn negatives(&self) -> f64 {
        self.negatives
    }

    /// The area, where there are rows of both classes.
    pub fn value(&self) -> Option<f64> {
        let pairs = self.positives * self.negatives;
        (self.positives > 0.0 && self.negatives > 0.0).then(|| (pairs - self.lost) / pairs)
    }

    /// The area of unweighted rows: `positive` says of each row whether it is. Scores are no NaN.
    pub fn of(scores: &[f64], positive: impl Fn(usize) -> bool) -> Option<f64> {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_unstable_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        let mut area = Self::default();
        for ties in order.chunk_by(|a, b| scores[*a] == scores[*b]) {
            let positives = ties.iter().filter(|row| positive(**row)).count();
            area.push(positives as f64, (ties.len() - positives) as f64);
        }
        area.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_counted_and_ties_are_halves() {
        let labels = [false, false, true, true];
        assert_eq!(RocArea::of(&[0.1, 0.4, 0.35, 0.8], |row| labels[row]), Some(0.75));
        assert_eq!(RocArea::of(&[1.0, 1.0, 1.0, 1.0], |row| labels[row]), Some(0.5));
        assert_eq!(RocArea::of(&[1.0, 2.0], |_| true), None);
    }
}
