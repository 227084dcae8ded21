//! Many rows through complete trees: every node is compared with all rows of a tile.
//!
//! A walk takes one path and waits, at each step, for the result of the previous one. Here no row walks: all nodes of a
//! tree are compared with 64 rows side by side, and results are merged from the bottom up, left or right by the result
//! of the parent, until the root has the leaf of every row. That is more comparisons (63 instead of 6 at depth 6) but
//! no waiting, no branches and no scattered reads: a handful of vector instructions per node for all 64 rows.

use super::quantised::{Cell, HIGHEST};

/// Rows side by side: the vector registers of one cache line of bytes.
pub(super) const ROWS: usize = 64;

/// The rows of a tile, by slot.
pub(super) type Slot<R> = [R; ROWS];

/// A rank as a tile stores it: shifted so that the order of signed numbers is that of ranks, because the vector
/// instructions that every processor has compare signed numbers.
pub(super) trait Rank: Copy + Default {
    /// Ranks below this are distinct.
    const END: u16;

    /// The rank; [`HIGHEST`] stays above all others.
    fn of(rank: u16) -> Self;

    /// All bits set if the rank is above that of a node, else none.
    fn above(self, node: Self) -> Self;

    /// `right` where bits are set, else `left`.
    fn choose(self, left: Self, right: Self) -> Self;

    /// Encodes a leaf by its number, which is below 128.
    fn leaf(number: usize) -> Self;

    /// The number of a leaf.
    fn number(self) -> usize;
}

macro_rules! rank {
    ($signed:ty, $unsigned:ty, $end:expr) => {
        impl Rank for $signed {
            const END: u16 = $end;

            #[inline]
            fn of(rank: u16) -> Self {
                const BIAS: $unsigned = 1 << (<$unsigned>::BITS - 1);
                (rank.min($end) as $unsigned ^ BIAS) as $signed
            }

            #[inline]
            fn above(self, node: Self) -> Self {
                if self > node { -1 } else { 0 }
            }

            #[inline]
            fn choose(self, left: Self, right: Self) -> Self {
                left ^ ((left ^ right) & self)
            }

            #[inline]
            fn leaf(number: usize) -> Self {
                number as $signed
            }

            #[inline]
            fn number(self) -> usize {
                self as usize
            }
        }
    };
}

rank!(i8, u8, u8::MAX as u16);
rank!(i16, u16, HIGHEST);

/// Finds the leaf that each row of `tile` reaches in a complete tree of `depth` levels with the nodes `cells`. `room`
/// has at least half as many slots as the tree has leaves; the result is in the first.
#[inline]
pub(super) fn leaves<R: Rank>(cells: &[Cell], depth: u32, tile: &[Slot<R>], room: &mut [Slot<R>]) {
    let mut width = 1 << (depth - 1);
    let (above, bottom) = cells.split_at(width - 1);
    for (at, (cell, reached)) in bottom.iter().zip(room.iter_mut()).enumerate() {
        let (left, right, rank) = (R::leaf(2 * at), R::leaf(2 * at + 1), R::of(cell.rank));
        for (reached, asked) in reached.iter_mut().zip(&tile[usize::from(cell.slot)]) {
            *reached = asked.above(rank).choose(left, right);
        }
    }
    while width > 1 {
        width /= 2;
        for (at, cell) in above[width - 1..2 * width - 1].iter().enumerate() {
            let (left, right, rank) = (room[2 * at], room[2 * at + 1], R::of(cell.rank));
            let asked = &tile[usize::from(cell.slot)];
            let reached = &mut room[at];
            for row in 0..ROWS {
                reached[row] = asked[row].above(rank).choose(left[row], right[row]);
            }
        }
    }
}
