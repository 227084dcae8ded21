//! Mergeable sums over rows.

use rayon::prelude::*;

use super::{Row, Rows};

/// Rows summed together. Parts of any division of the rows merge to the same whole (up to rounding).
const CHUNK_ROWS: usize = 65_536;

/// A mergeable sum over rows.
pub trait Accumulator: Send + Sized {
    /// Adds one row.
    fn add(&mut self, row: Row);
    /// Adds everything that `other` has added.
    fn merge(&mut self, other: Self);
}

/// Sums `rows` on all threads of the pool.
///
/// The chunks are of a fixed size and merge in order, so the result has the same bits at any number of threads.
pub fn accumulate<A: Accumulator, R: Rows>(rows: &R, empty: impl Fn() -> A + Sync) -> A {
    let sum = |start: usize| {
        let mut sums = empty();
        for position in start..(start + CHUNK_ROWS).min(rows.len()) {
            sums.add(rows.row(position));
        }
        sums
    };
    let chunks = rows.len().div_ceil(CHUNK_ROWS);
    if chunks <= 1 {
        return sum(0);
    }
    let parts: Vec<A> = (0..chunks).into_par_iter().map(|chunk| sum(chunk * CHUNK_ROWS)).collect();
    let mut parts = parts.into_iter();
    let mut whole = parts.next().unwrap_or_else(&empty);
    for part in parts {
        whole.merge(part);
    }
    whole
}
