//! Functions of two features.

use rayon::prelude::*;
use tidemill_core::SplitMix64;

use super::axis::{Cell, add, score, value};
use super::bag::sums;
use super::gradients::Scored;
use super::rows::AdditiveRows;
use crate::gbdt::FeatureBins;

/// Pairs are chosen by at most so many rows.
const SCAN_ROWS: usize = 50_000;

/// A feature with fewer, coarser bins.
#[derive(Debug, Clone)]
pub(super) struct Coarse {
    /// Its number among the used features.
    pub(super) used: usize,
    /// The coarse bin of each bin, the one of missing values last.
    pub(super) of: Vec<u8>,
    /// How many coarse bins there are, with that of missing values, which is the last.
    pub(super) cells: usize,
    pub(super) is_categorical: bool,
}

impl Coarse {
    /// At most `limit` bins of about equal numbers of rows; of categories, the most frequent ones.
    pub(super) fn new(data: &AdditiveRows, used: usize, limit: usize) -> Self {
        let feature = &data.bins.binning.used[used];
        let bins = feature.bins.len();
        let is_categorical = feature.is_categorical();
        let mut of: Vec<u8> = if is_categorical {
            // Categories are in the order of their frequency already; all others share bin 0.
            (0..bins).map(|bin| if bin < limit { bin as u8 } else { 0 }).collect()
        } else {
            let mut rows = vec![0_usize; bins + 1];
            data.bins.columns[used].iter().for_each(|bin| rows[usize::from(*bin)] += 1);
            by_rows(&rows[..bins], limit)
        };
        let cells = usize::from(of.iter().copied().max().unwrap_or(0)) + 2;
        of.push(cells as u8 - 1);
        Self { used, of, cells, is_categorical }
    }

    /// The upper bounds of the coarse bins of numbers.
    pub(super) fn bounds(&self, data: &AdditiveRows) -> Vec<f64> {
        match &data.bins.binning.used[self.used].bins {
            FeatureBins::Numeric { bounds } => {
                let is_end = |bin: &usize| self.of[*bin] != self.of[bin + 1];
                (0..bounds.len()).filter(is_end).map(|bin| bounds[bin]).collect()
            }
            FeatureBins::Categorical { .. } => Vec::new(),
        }
    }
}

/// Groups bins into at most `limit` runs of about equal numbers of rows.
fn by_rows(rows: &[usize], limit: usize) -> Vec<u8> {
    if rows.len() <= limit {
        return (0..rows.len()).map(|bin| bin as u8).collect();
    }
    let total: usize = rows.iter().sum();
    let (mut out, mut group, mut before) = (Vec::with_capacity(rows.len()), 0_usize, 0);
    for (bin, count) in rows.iter().enumerate() {
        // The group that the middle of the bin's rows falls into, without leaving one out.
        let middle = (before + count / 2) * limit / total.max(1);
        if bin > 0 {
            group = middle.clamp(group, group + 1).min(limit - 1);
        }
        out.push(group as u8);
        before += count;
    }
    out
}

/// The cells of a pair of features.
#[derive(Debug, Clone)]
pub(super) struct PairAxes {
    pub(super) first: Coarse,
    pub(super) second: Coarse,
    /// Rows by cell.
    rows: Vec<u32>,
}

impl PairAxes {
    pub(super) fn new(first: Coarse, second: Coarse) -> Self {
        Self { first, second, rows: Vec::new() }
    }

    pub(super) fn with_rows(&self, rows: Vec<u32>) -> Self {
        Self { rows, ..self.clone() }
    }

    pub(super) fn cells(&self) -> usize {
        self.first.cells * self.second.cells
    }

    pub(super) fn cell(&self, data: &AdditiveRows, row: u32) -> u16 {
        let bin = |of: &Coarse| u16::from(of.of[usize::from(data.bins.columns[of.used][row as usize])]);
        bin(&self.first) * self.second.cells as u16 + bin(&self.second)
    }

    /// What the scores of each cell should change by: one feature is cut in two, and each half where the other feature parts it
    /// best, or where `draw` says. Returns also twice the loss that this takes away.
    pub(super) fn tree(&self, cells: &[Cell], min_leaf: u32, mut draw: Option<&mut SplitMix64>) -> (Vec<f64>, f64) {
        let sizes = [self.first.cells, self.second.cells];
        let orders = [self.order(cells, 0), self.order(cells, 1)];
        let mut best: Option<(f64, Cut)> = None;
        let only_axis = draw.as_deref_mut().map(|draw| draw.below(2) as usize);
        for axis in (0..2).filter(|axis| only_axis.is_none_or(|only| only == *axis)) {
            let only_cut = draw.as_deref_mut().map(|draw| 1 + draw.below(sizes[axis] as u64 - 1) as usize);
            let other = 1 - axis;
            let at = |own: usize, across: usize| {
                let place = if axis == 0 { [own, across] } else { [across, own] };
                place[0] * sizes[1] + place[1]
            };
            // Sums of the other feature's bins, over the bins of this one on either side of the cut.
            let mut low = vec![([0.0; 2], 0); sizes[other]];
            let mut high = low.clone();
            for own in &orders[axis] {
                for (across, sum) in high.iter_mut().enumerate() {
                    *sum = (add(sum.0, cells[at(*own, across)]), sum.1 + self.rows[at(*own, across)]);
                }
            }
            for cut in 1..orders[axis].len() {
                let own = orders[axis][cut - 1];
                for across in 0..sizes[other] {
                    let (cell, rows) = (cells[at(own, across)], self.rows[at(own, across)]);
                    low[across] = (add(low[across].0, cell), low[across].1 + rows);
                    high[across] = (add(high[across].0, [-cell[0], -cell[1]]), high[across].1 - rows);
                }
                if only_cut.is_some_and(|only| only != cut) {
                    continue;
                }
                let halves = [&low, &high].map(|half| {
                    let only = draw.as_deref_mut().map(|draw| draw.below(sizes[other] as u64) as usize);
                    best_half(half, &orders[other], min_leaf, only)
                });
                let [Some(first), Some(second)] = halves else { continue };
                let gain = first.0 + second.0;
                if best.as_ref().is_none_or(|(best, _)| gain > *best) {
                    best = Some((gain, Cut { axis, at: cut, halves: [first, second] }));
                }
            }
        }
        let mut out = vec![0.0; cells.len()];
        let Some((gain, cut)) = best else { return (out, 0.0) };
        let other = 1 - cut.axis;
        for (place, own) in orders[cut.axis].iter().enumerate() {
            let (_, end, values) = cut.halves[usize::from(place >= cut.at)];
            for (across_place, across) in orders[other].iter().enumerate() {
                let cell = if cut.axis == 0 { own * sizes[1] + across } else { across * sizes[1] + own };
                out[cell] = values[usize::from(across_place >= end)];
            }
        }
        (out, gain)
    }

    /// The bins of an axis in an order in which near ones may be on one side.
    fn order(&self, cells: &[Cell], axis: usize) -> Vec<usize> {
        let sizes = [self.first.cells, self.second.cells];
        let mut order: Vec<usize> = (0..sizes[axis]).collect();
        if [&self.first, &self.second][axis].is_categorical {
            let mut sums = vec![[0.0; 2]; sizes[axis]];
            for (cell, sum) in cells.iter().enumerate() {
                let bin = [cell / sizes[1], cell % sizes[1]][axis];
                sums[bin] = add(sums[bin], *sum);
            }
            let place = |bin: &usize| sums[*bin][0] / (sums[*bin][1] + 1.0);
            order.sort_by(|a, b| place(a).total_cmp(&place(b)).then(a.cmp(b)));
        }
        order
    }
}

struct Cut {
    axis: usize,
    /// So many bins of the axis are on the first side.
    at: usize,
    halves: [Half; 2],
}

/// What a half takes away of the loss, so many bins of the other axis on its first side, and the values of both.
type Half = (f64, usize, [f64; 2]);

/// The best place to cut a half, or the place `only`.
fn best_half(sums: &[(Cell, u32)], order: &[usize], min_leaf: u32, only: Option<usize>) -> Option<Half> {
    let all = order.iter().fold(([0.0; 2], 0), |all, bin| (add(all.0, sums[*bin].0), all.1 + sums[*bin].1));
    let mut left = ([0.0; 2], 0);
    // A half that cannot be cut has one value.
    let mut best: Option<Half> = (all.1 >= min_leaf).then(|| (score(all.0), order.len(), [value(all.0); 2]));
    for (place, bin) in order.iter().enumerate().take(order.len().saturating_sub(1)) {
        left = (add(left.0, sums[*bin].0), left.1 + sums[*bin].1);
        let right = ([all.0[0] - left.0[0], all.0[1] - left.0[1]], all.1 - left.1);
        if left.1 < min_leaf || right.1 < min_leaf || only.is_some_and(|only| only != place) {
            continue;
        }
        let gain = score(left.0) + score(right.0);
        if best.is_none_or(|(best, ..)| gain > best) {
            best = Some((gain, place + 1, [value(left.0), value(right.0)]));
        }
    }
    best
}

/// The pairs whose tree takes away most of the loss that `scored`, the model of single features, leaves; best first.
pub(super) fn choose(
    data: &AdditiveRows,
    scored: &Scored,
    features: &[usize],
    bins: usize,
    count: usize,
    min_leaf: u32,
) -> Vec<PairAxes> {
    let stride = scored.rows.len().div_ceil(SCAN_ROWS).max(1);
    let sample = Scored {
        rows: scored.rows.iter().copied().step_by(stride).collect(),
        scores: scored.scores.iter().map(|column| column.iter().copied().step_by(stride).collect()).collect(),
    };
    let mut gradients = Vec::new();
    sample.gradients(data, &mut gradients);
    let coarse: Vec<Coarse> = features.iter().map(|used| Coarse::new(data, *used, bins)).collect();
    let pairs: Vec<(usize, usize)> =
        (0..coarse.len()).flat_map(|first| (first + 1..coarse.len()).map(move |second| (first, second))).collect();
    let gain = |(first, second): &(usize, usize)| {
        let pair = PairAxes::new(coarse[*first].clone(), coarse[*second].clone());
        let cells: Vec<u16> = sample.rows.iter().map(|row| pair.cell(data, *row)).collect();
        let mut rows = vec![0; pair.cells()];
        cells.iter().for_each(|cell| rows[usize::from(*cell)] += 1);
        let pair = pair.with_rows(rows);
        gradients
            .iter()
            .map(|gradients| pair.tree(&sums(&cells, gradients, pair.cells()), min_leaf, None).1)
            .sum::<f64>()
    };
    let gains: Vec<f64> = pairs.par_iter().map(gain).collect();
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    order.sort_by(|a, b| gains[*b].total_cmp(&gains[*a]).then(a.cmp(b)));
    let pair = |at: usize| PairAxes::new(coarse[pairs[at].0].clone(), coarse[pairs[at].1].clone());
    order.into_iter().take(count).filter(|at| gains[*at] > 0.0).map(pair).collect()
}
