//! Probabilities as they should be: isotonic regression on reference rows.

use serde::{Deserialize, Serialize};

/// Bins of the expected calibration error.
const BINS: usize = 10;
/// Parts of the reference, each of which judges a calibration that was fitted on the others.
const PARTS: usize = 3;

/// A function from a probability to a probability that never falls: points, with lines between them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration(Vec<[f64; 2]>);

impl Calibration {
    /// The isotonic regression of `pairs` of probability and label (0 or 1), by pooling adjacent violators (Barlow et
    /// al. 1972).
    pub fn fit(pairs: &[(f64, f64)]) -> Self {
        let mut sorted: Vec<(f64, f64)> = pairs.to_vec();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        // First and last probability, sum of labels, count.
        let mut pools: Vec<(f64, f64, f64, f64)> = Vec::new();
        for ties in sorted.chunk_by(|a, b| a.0 == b.0) {
            let labels: f64 = ties.iter().map(|(_, label)| label).sum();
            pools.push((ties[0].0, ties[0].0, labels, ties.len() as f64));
            while let [.., before, last] = pools.as_slice()
                && before.2 / before.3 >= last.2 / last.3
            {
                let joined = (before.0, last.1, before.2 + last.2, before.3 + last.3);
                pools.truncate(pools.len() - 2);
                pools.push(joined);
            }
        }
        let mut points = Vec::with_capacity(2 * pools.len());
        for (first, last, labels, count) in pools {
            points.push([first, labels / count]);
            if last > first {
                points.push([last, labels / count]);
            }
        }
        Self(points)
    }

    /// The calibration, if it makes the expected calibration error smaller on rows that it was not fitted on: on each of
    /// three parts of the reference.
    pub fn if_needed(pairs: &[(f64, f64)]) -> Option<Self> {
        if pairs.len() < 10 * PARTS {
            return None;
        }
        // Parts with the same share of positive rows: every third row of each class.
        let (mut seen, mut parts) = ([0, 0], vec![Vec::new(); PARTS]);
        for pair in pairs {
            let class = usize::from(pair.1 > 0.5);
            parts[seen[class] % PARTS].push(*pair);
            seen[class] += 1;
        }
        let better = (0..PARTS).all(|held| {
            let rest: Vec<(f64, f64)> =
                (0..PARTS).filter(|part| *part != held).flat_map(|part| parts[part].clone()).collect();
            let fitted = Self::fit(&rest);
            let calibrated: Vec<(f64, f64)> = parts[held].iter().map(|(p, y)| (fitted.apply(*p), *y)).collect();
            error(&calibrated) < error(&parts[held])
        });
        better.then(|| Self::fit(pairs))
    }

    /// The calibrated probability.
    pub fn apply(&self, probability: f64) -> f64 {
        let after = self.0.partition_point(|[at, _]| *at < probability);
        match (after.checked_sub(1).and_then(|before| self.0.get(before)), self.0.get(after)) {
            (Some([x0, y0]), Some([x1, y1])) => y0 + (probability - x0) / (x1 - x0) * (y1 - y0),
            (None, Some([_, y])) | (Some([_, y]), None) => *y,
            (None, None) => probability,
        }
    }
}

/// The expected calibration error: how far the mean probability of a bin is from its share of positive rows, by the rows
/// of the bin (Naeini et al. 2015).
fn error(pairs: &[(f64, f64)]) -> f64 {
    let mut bins = [(0.0, 0.0); BINS];
    for (probability, label) in pairs {
        let bin = ((probability * BINS as f64) as usize).min(BINS - 1);
        bins[bin] = (bins[bin].0 + probability, bins[bin].1 + label);
    }
    bins.iter().map(|(sum, labels)| (sum - labels).abs()).sum::<f64>() / pairs.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rising_steps_with_lines_between_them() {
        let pairs = [(0.1, 0.0), (0.2, 1.0), (0.3, 0.0), (0.6, 1.0)];
        let fitted = Calibration::fit(&pairs);
        for (probability, expected) in [(0.0, 0.0), (0.1, 0.0), (0.2, 0.5), (0.25, 0.5), (0.45, 0.75), (0.9, 1.0)] {
            assert!((fitted.apply(probability) - expected).abs() < 1e-12, "{probability}");
        }
    }

    #[test]
    fn only_what_needs_it_is_calibrated() {
        let row = |n: u32| (f64::from(n % 100) / 100.0 + 0.005, f64::from(n));
        let honest: Vec<(f64, f64)> = (0..3000)
            .map(|n| {
                let (p, n) = row(n);
                (p, f64::from(tidemill_core::SplitMix64::to_unit(tidemill_core::SplitMix64::hash(n as u64)) < p))
            })
            .collect();
        let bold: Vec<(f64, f64)> = honest.iter().map(|(p, y)| (p * p, *y)).collect();
        assert!(Calibration::if_needed(&bold).is_some());
        let curve = Calibration::if_needed(&bold).unwrap();
        assert!((curve.apply(0.25) - 0.5).abs() < 0.08, "{}", curve.apply(0.25));
        assert!(Calibration::if_needed(&honest[..20]).is_none());
    }
}
