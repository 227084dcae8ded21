//! Metrics of the order of the rows of a query.

use tidemill_core::{RankedQuery, rank_gain};

use super::values::ratio;
use super::{Metric, Metrics, Rows};

/// A metric of a ranking, of the first rows of each query or of all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RankMeasure {
    pub base: Metric,
    pub first: Option<usize>,
}

impl RankMeasure {
    /// The value of a query. `ordered` are its relevances, the best place first; of equal scores the smaller one.
    fn of(self, query: &RankedQuery, ordered: &[f64]) -> Option<f64> {
        let relevant = || ordered.iter().filter(|relevance| **relevance > 0.0).count() as f64;
        let hits = |first: usize| ordered.iter().take(first).filter(|relevance| **relevance > 0.0).count() as f64;
        let first = self.first.unwrap_or(ordered.len());
        match self.base {
            Metric::Ndcg => query.ndcg(self.first, rank_gain),
            Metric::Map => query.average_precision(self.first),
            Metric::Mrr => query.reciprocal_rank().map(|found| if found * first as f64 >= 1.0 { found } else { 0.0 }),
            Metric::Precision if relevant() > 0.0 => Some(hits(first) / first as f64),
            Metric::Recall => ratio(hits(first), relevant()),
            _ => None,
        }
    }
}

/// Each metric with what it measures of a query.
const MEASURES: [(Metric, RankMeasure); 7] = [
    (Metric::Ndcg, RankMeasure { base: Metric::Ndcg, first: None }),
    (Metric::NdcgAt1, RankMeasure { base: Metric::Ndcg, first: Some(1) }),
    (Metric::NdcgAt3, RankMeasure { base: Metric::Ndcg, first: Some(3) }),
    (Metric::NdcgAt5, RankMeasure { base: Metric::Ndcg, first: Some(5) }),
    (Metric::NdcgAt10, RankMeasure { base: Metric::Ndcg, first: Some(10) }),
    (Metric::Map, RankMeasure { base: Metric::Map, first: None }),
    (Metric::Mrr, RankMeasure { base: Metric::Mrr, first: None }),
];

/// Writes every metric of a ranking, and those that were asked for: means over the queries that have a relevant row, each with
/// the mean weight of its rows.
pub(super) fn write_ranking_metrics<R: Rows>(rows: &R, asked: &[(Metric, RankMeasure)], metrics: &mut Metrics) {
    let measures: Vec<(Metric, RankMeasure)> = MEASURES.iter().chain(asked).copied().collect();
    let mut by_group: Vec<(u32, u32)> =
        (0..rows.len()).map(|position| (rows.group(position), position as u32)).collect();
    by_group.sort_unstable();
    let mut query = RankedQuery::default();
    let mut ordered: Vec<(f64, f64)> = Vec::new();
    let mut values: Vec<Vec<(f64, f64)>> = vec![Vec::new(); measures.len()];
    for members in by_group.chunk_by(|a, b| a.0 == b.0) {
        let of_query = || members.iter().map(|(_, position)| rows.row(*position as usize));
        let weight = of_query().map(|row| row.weight).sum::<f64>() / members.len() as f64;
        if weight == 0.0 {
            continue;
        }
        query.fill(of_query().map(|row| (row.score, row.label)));
        ordered.clear();
        ordered.extend(of_query().map(|row| (row.score + 0.0, row.label)));
        ordered.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.total_cmp(&b.1)));
        let relevances: Vec<f64> = ordered.iter().map(|(_, relevance)| *relevance).collect();
        for ((_, measure), values) in measures.iter().zip(&mut values) {
            values.extend(measure.of(&query, &relevances).map(|value| (value, weight)));
        }
    }
    metrics.set(Metric::Queries, Some(values[0].len() as f64));
    for ((metric, _), mut values) in measures.iter().zip(values) {
        // The order of the queries follows from that of the rows, and must leave no trace.
        values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let (sum, total) =
            values.iter().fold((0.0, 0.0), |sum, (value, weight)| (sum.0 + value * weight, sum.1 + weight));
        metrics.set(*metric, ratio(sum, total));
    }
}
