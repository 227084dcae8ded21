//! Which rows are in which leaf.

use rayon::prelude::*;

/// Rows of one task; where the cuts lie does not change the result, a stable partition.
const RUN_ROWS: usize = 1 << 15;

/// Row numbers, those of a leaf side by side and ascending.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    rows: Vec<u32>,
    scratch: Vec<u32>,
}

impl Partition {
    /// Puts `rows`, ascending, into one leaf.
    pub(crate) fn reset(&mut self, rows: impl Iterator<Item = u32>) {
        self.rows.clear();
        self.rows.extend(rows);
        self.scratch.resize(self.rows.len(), 0);
    }

    /// The rows at `from..to`.
    pub(crate) fn rows(&self, from: usize, to: usize) -> &[u32] {
        &self.rows[from..to]
    }

    /// Moves the rows of `from..to` whose bin is in `left` before the others, both in their order; says how many
    /// they are.
    pub(crate) fn split<const N: usize>(
        &mut self,
        from: usize,
        to: usize,
        bins: &[[u8; N]],
        lane: usize,
        left: &[bool; 256],
    ) -> usize {
        let rows = &mut self.rows[from..to];
        let scratch = &mut self.scratch[from..to];
        // Within each run: the left rows from the front, the right ones from the back.
        let counts: Vec<usize> = rows
            .par_chunks(RUN_ROWS)
            .zip(scratch.par_chunks_mut(RUN_ROWS))
            .map(|(rows, scratch)| part(rows, bins, lane, left, scratch))
            .collect();

        let total: usize = counts.iter().sum();
        let (mut lefts, mut rights) = rows.split_at_mut(total);
        let mut moves = Vec::with_capacity(counts.len());
        for (count, run) in counts.iter().zip(scratch.chunks(RUN_ROWS)) {
            let (left, rest) = lefts.split_at_mut(*count);
            lefts = rest;
            let (right, rest) = rights.split_at_mut(run.len() - count);
            rights = rest;
            moves.push((left, right, run));
        }
        moves.into_par_iter().for_each(|(left, right, run)| {
            let (run_left, run_right) = run.split_at(left.len());
            left.copy_from_slice(run_left);
            for (to, row) in right.iter_mut().zip(run_right.iter().rev()) {
                *to = *row;
            }
        });
        total
    }
}

fn part<const N: usize>(rows: &[u32], bins: &[[u8; N]], lane: usize, left: &[bool; 256], scratch: &mut [u32]) -> usize {
    let (mut front, mut back) = (0, scratch.len());
    for row in rows {
        let bin = bins.get(*row as usize).and_then(|bins| bins.get(lane)).copied().unwrap_or(0);
        let goes_left = left[usize::from(bin)];
        // Both ends are written and one is kept: no branch to mispredict.
        scratch[front] = *row;
        scratch[back - 1] = *row;
        front += usize::from(goes_left);
        back -= usize::from(!goes_left);
    }
    front
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_is_stable_over_runs() {
        let count = 3 * RUN_ROWS as u32 + 17;
        let bins: Vec<[u8; 2]> = (0..count).map(|row| [0, (row.wrapping_mul(2_654_435_761) >> 24) as u8]).collect();
        let mut left = [false; 256];
        left[..100].fill(true);
        let mut partition = Partition::default();
        partition.reset(0..count);
        let size = partition.split(5, count as usize, &bins, 1, &left);
        let (expected_left, expected_right): (Vec<u32>, Vec<u32>) =
            (5..count).partition(|row| left[usize::from(bins[*row as usize][1])]);
        assert_eq!(size, expected_left.len());
        assert_eq!(partition.rows(0, 5), [0, 1, 2, 3, 4]);
        assert_eq!(partition.rows(5, 5 + size), expected_left);
        assert_eq!(partition.rows(5 + size, count as usize), expected_right);
    }
}
