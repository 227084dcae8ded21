//! Sums of gradients by bin: where training spends its time.
//!
//! Work is cut into tasks of one group of eight features and one run of rows. Where the cuts lie depends only on the
//! number of rows, and partial sums are added in the order of the runs, so the sums have the same bits with any number
//! of threads.

use rayon::prelude::*;

use super::binned::{Binned, LANES};
use super::objective::Gradient;

/// Sums of first and second derivatives.
pub(crate) type Cell = [f64; 2];

const BINS: usize = 256;
/// The cells of one group of features; the cells of lane `l` start at `256 l`.
type Wide = [Cell; LANES * BINS];

/// Rows of one task: their gradients and row numbers stay in the second-level cache from group to group.
const RUN_ROWS: usize = 1 << 16;
/// Runs at most.
const RUNS_MAX: usize = 32;
/// Tasks about, which bounds the memory of partial sums: wide data has groups enough to keep threads busy.
const TASKS_MAX: usize = 256;
/// Rows whose bins are fetched before any is added: the rows of a leaf are scattered over memory, and a loop that only
/// loads keeps many cache misses in flight where one that also adds fills the processor's window with additions.
const FETCH_ROWS: usize = 64;
/// Row-group pairs below which threads are not worth waking.
const PARALLEL_WORK: usize = 1 << 13;

/// Rows of a leaf.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rows<'a> {
    /// All rows, in order.
    All,
    /// These.
    Some(&'a [u32]),
}

/// Builds histograms; keeps its working memory from one to the next.
#[derive(Debug, Default)]
pub(crate) struct HistogramBuilder {
    /// Partial sums, the groups of the first run, then those of the second.
    wide: Vec<Box<Wide>>,
}

impl HistogramBuilder {
    /// The sums over `rows`, whose gradients are `gradients` in the same order, into `cells`, laid out as the binning
    /// says. Groups of features not in `wanted` are left as they are.
    pub(crate) fn build(
        &mut self,
        data: &Binned,
        rows: Rows<'_>,
        gradients: &[Gradient],
        wanted: &[bool],
        cells: &mut [Cell],
    ) {
        let groups = data.groups.len();
        let runs_max = (TASKS_MAX / groups.max(1)).clamp(1, RUNS_MAX);
        let run_rows = gradients.len().div_ceil(runs_max).max(RUN_ROWS);
        let runs = gradients.len().div_ceil(run_rows).max(1);
        while self.wide.len() < runs * groups {
            self.wide.push(vec![[0.0; 2]; LANES * BINS].try_into().expect("the length is that of the type"));
        }
        let wide = &mut self.wide[..runs * groups];
        let group_used = |group: usize| wanted.iter().skip(group * LANES).take(LANES).any(|wanted| *wanted);

        let fill = |(task, wide): (usize, &mut Box<Wide>)| {
            let (run, group) = (task / groups, task % groups);
            if !group_used(group) {
                return;
            }
            let lanes = (data.binning.used.len() - group * LANES).min(LANES);
            wide[..lanes * BINS].fill([0.0; 2]);
            let (from, to) = (run * run_rows, ((run + 1) * run_rows).min(gradients.len()));
            let bins = &data.groups[group][..];
            match rows {
                Rows::All => add_all(lanes, &bins[from..to], &gradients[from..to], wide),
                Rows::Some(rows) => add_some(lanes, bins, &rows[from..to], &gradients[from..to], wide),
            }
        };
        if gradients.len() * groups < PARALLEL_WORK {
            wide.iter_mut().enumerate().for_each(fill);
        } else {
            wide.par_iter_mut().enumerate().for_each(fill);
        }

        let wide = &self.wide[..runs * groups];
        let gather = |(group, cells): (usize, &mut [Cell])| {
            if !group_used(group) {
                return;
            }
            let mut rest = cells;
            for (lane, used) in data.binning.used.iter().skip(group * LANES).take(LANES).enumerate() {
                let (cells, after) = rest.split_at_mut(used.cells());
                rest = after;
                cells.copy_from_slice(&wide[group][lane * BINS..][..cells.len()]);
                for run in 1..runs {
                    let partial = &wide[run * groups + group][lane * BINS..][..cells.len()];
                    for (cell, part) in cells.iter_mut().zip(partial) {
                        cell[0] += part[0];
                        cell[1] += part[1];
                    }
                }
            }
        };
        let by_group = cells_by_group(data, cells);
        if runs == 1 {
            by_group.into_iter().enumerate().for_each(gather);
        } else {
            by_group.into_par_iter().enumerate().for_each(gather);
        }
    }
}

/// The cells of each group of features.
fn cells_by_group<'a>(data: &Binned, cells: &'a mut [Cell]) -> Vec<&'a mut [Cell]> {
    let mut rest = cells;
    let mut parts = Vec::with_capacity(data.groups.len());
    for features in data.binning.used.chunks(LANES) {
        let (part, after) = rest.split_at_mut(features.iter().map(super::binning::UsedFeature::cells).sum());
        parts.push(part);
        rest = after;
    }
    parts
}

/// Turns the histogram of a parent into that of one child by taking away the other child's.
pub(crate) fn subtract(parent: &mut [Cell], child: &[Cell]) {
    for (parent, child) in parent.iter_mut().zip(child) {
        parent[0] -= child[0];
        parent[1] -= child[1];
    }
}

/// The number of lanes is known at compile time inside `add`, which unrolls it; indexes then provably lie inside the
/// array and nothing is checked in the loop.
macro_rules! by_lanes {
    ($lanes:expr, $add:ident, $($argument:expr),+) => {
        match $lanes {
            1 => $add::<1>($($argument),+),
            2 => $add::<2>($($argument),+),
            3 => $add::<3>($($argument),+),
            4 => $add::<4>($($argument),+),
            5 => $add::<5>($($argument),+),
            6 => $add::<6>($($argument),+),
            7 => $add::<7>($($argument),+),
            _ => $add::<8>($($argument),+),
        }
    };
}

fn add_all(lanes: usize, bins: &[[u8; LANES]], gradients: &[Gradient], wide: &mut Wide) {
    by_lanes!(lanes, add_all_lanes, bins, gradients, wide);
}

fn add_some(lanes: usize, bins: &[[u8; LANES]], rows: &[u32], gradients: &[Gradient], wide: &mut Wide) {
    by_lanes!(lanes, add_some_lanes, bins, rows, gradients, wide);
}

fn add_all_lanes<const N: usize>(bins: &[[u8; LANES]], gradients: &[Gradient], wide: &mut Wide) {
    for (bins, gradient) in bins.iter().zip(gradients) {
        add_row::<N>(*bins, *gradient, wide);
    }
}

fn add_some_lanes<const N: usize>(bins: &[[u8; LANES]], rows: &[u32], gradients: &[Gradient], wide: &mut Wide) {
    let mut fetched = [[0; LANES]; FETCH_ROWS];
    for (rows, gradients) in rows.chunks(FETCH_ROWS).zip(gradients.chunks(FETCH_ROWS)) {
        for (to, row) in fetched.iter_mut().zip(rows) {
            *to = bins.get(*row as usize).copied().unwrap_or_default();
        }
        for (bins, gradient) in fetched.iter().zip(gradients) {
            add_row::<N>(*bins, *gradient, wide);
        }
    }
}

#[expect(clippy::inline_always, reason = "the loop around it must know the number of lanes")]
#[inline(always)]
fn add_row<const N: usize>(bins: [u8; LANES], gradient: Gradient, wide: &mut Wide) {
    let gradient = gradient.map(f64::from);
    for lane in 0..N {
        let cell = &mut wide[lane * BINS + usize::from(bins[lane])];
        *cell = [cell[0] + gradient[0], cell[1] + gradient[1]];
    }
}
