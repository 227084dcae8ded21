//! Isotonic regression.

use super::Rows;

/// Probabilities that are closer than this are the same.
const RESOLUTION: f64 = 1e-15;

/// Rows of neighbouring probabilities that have one value.
#[derive(Debug, Clone, Copy)]
struct Pool {
    first: f64,
    last: f64,
    value: f64,
    weight: f64,
}

/// The function with the least squared error among those that never fall, by pooling adjacent violators: points by rising
/// probability, between which it is linear.
pub(super) fn isotonic(rows: &Rows<'_>) -> Vec<[f64; 2]> {
    let mut order: Vec<usize> = (0..rows.labels.len()).filter(|row| rows.weight(*row) > 0.0).collect();
    order.sort_by(|a, b| rows.probabilities[*a].total_cmp(&rows.probabilities[*b]));
    // Equal probabilities have one value.
    let mut singles: Vec<Pool> = Vec::new();
    for row in order {
        let (at, label, weight) = (rows.probabilities[row], rows.labels[row], rows.weight(row));
        match singles.last_mut().filter(|single| at - single.first < RESOLUTION) {
            Some(single) => {
                single.weight += weight;
                single.value += (label - single.value) * weight / single.weight;
            }
            None => singles.push(Pool { first: at, last: at, value: label, weight }),
        }
    }
    let mut pools: Vec<Pool> = Vec::new();
    for single in singles {
        pools.push(single);
        while let [.., before, last] = pools.as_slice()
            && before.value >= last.value
        {
            let weight = before.weight + last.weight;
            let value = (before.value * before.weight + last.value * last.weight) / weight;
            let pool = Pool { first: before.first, last: last.last, value, weight };
            pools.truncate(pools.len() - 2);
            pools.push(pool);
        }
    }
    let mut points = Vec::with_capacity(2 * pools.len());
    for pool in pools {
        let value = pool.value.clamp(0.0, 1.0);
        points.push([pool.first, value]);
        if pool.last > pool.first {
            points.push([pool.last, value]);
        }
    }
    points
}
