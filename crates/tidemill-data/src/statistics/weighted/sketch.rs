//! How weight is spread over numbers, in little memory, with an error bound that always holds.

use crate::statistics::state::stored;

/// Numbers of a summary at most.
const SUMMARY_VALUES: usize = 4096;

/// A deterministic sketch of weighted numbers.
///
/// Summaries are sorted numbers with weights. Two of the same level are joined into one of the next, like the digits of a binary counter. A
/// summary of too many numbers is pruned: neighbours are drawn together into the one in the middle of their weight
/// until each stands for 4/4096 of the summary's weight, which shifts no rank by more than that. Numbers heavier than
/// that keep to themselves. The sketch adds these bounds up; up to 4,096 distinct numbers nothing is pruned and
/// everything is exact.
#[derive(Debug, Clone, Default)]
pub(crate) struct WeightedSketch {
    levels: Vec<Vec<(f64, f64)>>,
    error: f64,
}

stored!(WeightedSketch { levels, error } if |it| {
    let sound = |pair: &(f64, f64)| pair.0.is_finite() && pair.1.is_finite() && pair.1 > 0.0;
    it.error >= 0.0 && it.levels.iter().all(|level| level.iter().all(sound) && level.is_sorted_by(|a, b| a.0 < b.0))
});

impl WeightedSketch {
    /// Takes in numbers with weights, all finite, the weights above zero; `values` is left empty.
    pub fn add_all(&mut self, values: &mut Vec<(f64, f64)>) {
        values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut summary: Vec<(f64, f64)> = Vec::new();
        for (value, weight) in values.drain(..) {
            push(&mut summary, value + 0.0, weight);
        }
        self.carry(0, summary);
    }

    /// Takes in another sketch; their errors add up.
    pub fn merge(&mut self, other: &Self) {
        self.error += other.error;
        for (level, summary) in other.levels.iter().enumerate() {
            self.carry(level, summary.clone());
        }
    }

    fn carry(&mut self, mut level: usize, mut summary: Vec<(f64, f64)>) {
        if summary.is_empty() {
            return;
        }
        loop {
            self.prune(&mut summary);
            while self.levels.len() <= level {
                self.levels.push(Vec::new());
            }
            if self.levels[level].is_empty() {
                self.levels[level] = summary;
                return;
            }
            summary = join(&std::mem::take(&mut self.levels[level]), &summary);
            level += 1;
        }
    }

    fn prune(&mut self, summary: &mut Vec<(f64, f64)>) {
        if summary.len() <= SUMMARY_VALUES {
            return;
        }
        let bound = summary.iter().map(|pair| pair.1).sum::<f64>() * 4.0 / SUMMARY_VALUES as f64;
        let mut kept: Vec<(f64, f64)> = Vec::with_capacity(SUMMARY_VALUES);
        let (mut start, mut weight) = (0, 0.0);
        for at in 0..=summary.len() {
            let next = summary.get(at).map(|pair| pair.1);
            if next.is_some_and(|next| weight + next <= bound) {
                weight += next.unwrap_or_default();
                continue;
            }
            if start < at {
                kept.push((middle(&summary[start..at], weight), weight));
            }
            (start, weight) = (at, next.unwrap_or_default());
        }
        self.error += bound;
        *summary = kept;
    }

    /// Largest possible error of any rank, in weight.
    pub fn error(&self) -> f64 {
        self.error
    }

    /// Numbers from low to high, each with the weight it stands for.
    pub fn pairs(&self) -> Vec<(f64, f64)> {
        self.levels.iter().fold(Vec::new(), |all, level| join(&all, level))
    }
}

/// The number at which half of the weight is reached.
fn middle(pairs: &[(f64, f64)], weight: f64) -> f64 {
    let mut below = 0.0;
    for (value, own) in pairs {
        below += own;
        if below * 2.0 >= weight {
            return *value;
        }
    }
    pairs.last().map_or(0.0, |pair| pair.0)
}

fn push(summary: &mut Vec<(f64, f64)>, value: f64, weight: f64) {
    match summary.last_mut() {
        Some(last) if last.0 == value => last.1 += weight,
        _ => summary.push((value, weight)),
    }
}

/// Two sorted summaries as one.
fn join(a: &[(f64, f64)], b: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut out = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        let take_a = j >= b.len() || (i < a.len() && a[i].0 <= b[j].0);
        let (value, weight) = if take_a { a[i] } else { b[j] };
        i += usize::from(take_a);
        j += usize::from(!take_a);
        push(&mut out, value, weight);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Largest distance of weight below a number between the sketch and the truth.
    fn worst(sketch: &WeightedSketch, values: &[(f64, f64)]) -> f64 {
        let pairs = sketch.pairs();
        let below = |pairs: &[(f64, f64)], x: f64| pairs.iter().filter(|p| p.0 <= x).map(|p| p.1).sum::<f64>();
        values.iter().step_by(7).map(|(x, _)| (below(&pairs, *x) - below(values, *x)).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn many_numbers_stay_within_the_stated_error() {
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f64
        };
        let values: Vec<(f64, f64)> = (0..60_000).map(|_| (random(), 0.5 + random() % 7.0)).collect();
        let mut sketch = WeightedSketch::default();
        values.chunks(7_000).for_each(|chunk| sketch.add_all(&mut chunk.to_vec()));
        let total: f64 = values.iter().map(|pair| pair.1).sum();
        assert!(sketch.error() > 0.0 && sketch.error() < 0.006 * total, "{}", sketch.error() / total);
        assert!(sketch.pairs().len() <= SUMMARY_VALUES * 5);
        let sampled: Vec<(f64, f64)> = values.iter().copied().step_by(11).collect();
        let pairs = sketch.pairs();
        for (x, _) in sampled.iter().take(200) {
            let below = |pairs: &[(f64, f64)]| pairs.iter().filter(|p| p.0 <= *x).map(|p| p.1).sum::<f64>();
            assert!((below(&pairs) - below(&values)).abs() <= sketch.error() + 1e-6 * total);
        }
    }

    proptest! {
        #[test]
        fn few_numbers_are_exact_however_they_are_divided(
            parts in prop::collection::vec(prop::collection::vec((-50i32..50, 1u32..9), 0..80), 1..6)
        ) {
            let (mut merged, mut all) = (WeightedSketch::default(), Vec::new());
            for part in parts {
                let mut values: Vec<(f64, f64)> = part.iter().map(|(v, w)| (f64::from(*v), f64::from(*w))).collect();
                all.extend(values.iter().copied());
                let mut sketch = WeightedSketch::default();
                sketch.add_all(&mut values);
                merged.merge(&sketch);
            }
            prop_assert_eq!(merged.error(), 0.0);
            prop_assert_eq!(worst(&merged, &all), 0.0);
        }
    }
}
