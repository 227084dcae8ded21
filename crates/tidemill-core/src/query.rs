//! The quality of an order of the rows of a query, computed in one place for every crate.

/// What a row at a place counts for, from 0: `1 / log2(place + 2)`.
pub fn rank_discount(place: usize) -> f64 {
    1.0 / ((place + 2) as f64).log2()
}

/// What a row of this relevance is worth: `2^relevance - 1`.
pub fn rank_gain(relevance: f64) -> f64 {
    relevance.exp2() - 1.0
}

/// The rows of a query by their scores, the highest first. Of equal scores the least relevant row comes first, so that a
/// constant score is no good order and the order of the data has no part in it.
///
/// Measures are undefined for a query without a relevant row (relevance above 0): every order of it is as good.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RankedQuery {
    /// Score and relevance.
    rows: Vec<(f64, f64)>,
    /// Relevances, the largest first.
    ideal: Vec<f64>,
}

impl RankedQuery {
    /// The query of these rows: score and relevance, both finite.
    pub fn new(rows: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut query = Self::default();
        query.fill(rows);
        query
    }

    /// Takes other rows, in the memory of those before.
    pub fn fill(&mut self, rows: impl IntoIterator<Item = (f64, f64)>) {
        self.rows.clear();
        // Adding 0 makes one score of −0 and 0.
        self.rows.extend(rows.into_iter().map(|(score, relevance)| (score + 0.0, relevance)));
        self.rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.total_cmp(&b.1)));
        self.ideal.clear();
        self.ideal.extend(self.rows.iter().map(|(_, relevance)| *relevance));
        self.ideal.sort_unstable_by(|a, b| b.total_cmp(a));
    }

    /// Discounted cumulative gain of the first `at` rows (of all without), divided by that of the best order (Järvelin and
    /// Kekäläinen, 2002). Rows of one score share their places: each counts with the mean of the discounts.
    pub fn ndcg(&self, at: Option<usize>, gain: impl Fn(f64) -> f64) -> Option<f64> {
        let end = at.unwrap_or(usize::MAX).min(self.rows.len());
        let best: f64 = self.ideal[..end]
            .iter()
            .enumerate()
            .map(|(place, relevance)| gain(*relevance) * rank_discount(place))
            .sum();
        if best <= 0.0 {
            return None;
        }
        let (mut found, mut first) = (0.0, 0);
        for ties in self.rows.chunk_by(|a, b| a.0 == b.0) {
            if first >= end {
                break;
            }
            let places = first..(first + ties.len()).min(end);
            let discounts: f64 = places.map(rank_discount).sum();
            let gains: f64 = ties.iter().map(|(_, relevance)| gain(*relevance)).sum();
            found += gains * discounts / ties.len() as f64;
            first += ties.len();
        }
        Some(found / best)
    }

    /// Average precision of the first `at` rows (of all without): the mean over the relevant rows, of which at most `at`
    /// count, of the share of relevant rows up to each.
    pub fn average_precision(&self, at: Option<usize>) -> Option<f64> {
        let relevant = self.ideal.iter().filter(|relevance| **relevance > 0.0).count();
        if relevant == 0 {
            return None;
        }
        let end = at.unwrap_or(usize::MAX).min(self.rows.len());
        let (mut hits, mut sum) = (0_u32, 0.0);
        for (place, (_, relevance)) in self.rows[..end].iter().enumerate() {
            if *relevance > 0.0 {
                hits += 1;
                sum += f64::from(hits) / (place + 1) as f64;
            }
        }
        Some(sum / relevant.min(end).max(1) as f64)
    }

    /// One over the place of the first relevant row, from 1.
    pub fn reciprocal_rank(&self) -> Option<f64> {
        let first = self.rows.iter().position(|(_, relevance)| *relevance > 0.0)?;
        Some(1.0 / (first + 1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_are_those_computed_by_hand() {
        let query = RankedQuery::new([(0.9, 0.0), (0.8, 2.0), (0.1, 1.0)]);
        // Gains 0, 3, 1 at discounts 1, 1/log2(3), 1/2; the best order is 3, 1, 0.
        let third = 3.0_f64.log2();
        let expected = (3.0 / third + 0.5) / (3.0 + 1.0 / third);
        assert!((query.ndcg(None, rank_gain).unwrap() - expected).abs() < 1e-15);
        assert!((query.ndcg(Some(2), rank_gain).unwrap() - 3.0 / third / (3.0 + 1.0 / third)).abs() < 1e-15);
        assert_eq!(query.ndcg(Some(1), rank_gain), Some(0.0));
        assert!((query.average_precision(None).unwrap() - 0.5_f64.midpoint(2.0 / 3.0)).abs() < 1e-15);
        assert_eq!((query.average_precision(Some(1)), query.reciprocal_rank()), (Some(0.0), Some(0.5)));
    }

    #[test]
    fn ties_share_their_places_and_a_query_without_relevant_rows_has_no_measure() {
        let tied = RankedQuery::new([(0.0, 1.0), (-0.0, 0.0)]);
        let expected = 1.0_f64.midpoint(rank_discount(1));
        assert!((tied.ndcg(None, rank_gain).unwrap() - expected).abs() < 1e-15);
        assert_eq!((tied.reciprocal_rank(), tied.average_precision(None)), (Some(0.5), Some(0.5)));
        let none = RankedQuery::new([(1.0, 0.0), (2.0, 0.0)]);
        assert_eq!(
            (none.ndcg(None, rank_gain), none.average_precision(None), none.reciprocal_rank()),
            (None, None, None)
        );
    }
}
