//! Metrics of the order of the rows of a query.

use tidemill_core::{RankedQuery, rank_gain};

use super::catalogue::ratio;
use super::{Metric, Metrics, Rows};

type Measure = fn(&RankedQuery) -> Option<f64>;

/// Each metric with what it measures of a query.
const MEASURES: [(Metric, Measure); 7] = [
    (Metric::Ndcg, |query| query.ndcg(None, rank_gain)),
    (Metric::NdcgAt1, |query| query.ndcg(Some(1), rank_gain)),
    (Metric::NdcgAt3, |query| query.ndcg(Some(3), rank_gain)),
    (Metric::NdcgAt5, |query| query.ndcg(Some(5), rank_gain)),
    (Metric::NdcgAt10, |query| query.ndcg(Some(10), rank_gain)),
    (Metric::Map, |query| query.average_precision(None)),
    (Metric::Mrr, RankedQuery::reciprocal_rank),
];

/// Writes every metric of a ranking: means over the queries that have a relevant row, each with the mean weight of its rows.
pub(super) fn write_ranking_metrics<R: Rows>(rows: &R, metrics: &mut Metrics) {
    let mut by_group: Vec<(u32, u32)> =
        (0..rows.len()).map(|position| (rows.group(position), position as u32)).collect();
    by_group.sort_unstable();
    let mut query = RankedQuery::default();
    let mut values: [Vec<(f64, f64)>; MEASURES.len()] = Default::default();
    for members in by_group.chunk_by(|a, b| a.0 == b.0) {
        let of_query = || members.iter().map(|(_, position)| rows.row(*position as usize));
        let weight = of_query().map(|row| row.weight).sum::<f64>() / members.len() as f64;
        if weight == 0.0 {
            continue;
        }
        query.fill(of_query().map(|row| (row.score, row.label)));
        for ((_, measure), values) in MEASURES.iter().zip(&mut values) {
            values.extend(measure(&query).map(|value| (value, weight)));
        }
    }
    metrics.set(Metric::Queries, Some(values[0].len() as f64));
    for ((metric, _), mut values) in MEASURES.iter().zip(values) {
        // The order of the queries follows from that of the rows, and must leave no trace.
        values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let (sum, total) =
            values.iter().fold((0.0, 0.0), |sum, (value, weight)| (sum.0 + value * weight, sum.1 + weight));
        metrics.set(*metric, ratio(sum, total));
    }
}
