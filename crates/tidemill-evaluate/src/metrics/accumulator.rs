//! Sums over rows that can be taken in parts and put together.

use rayon::prelude::*;

use super::{Row, Rows};

/// Rows summed together. Parts taken over any division of the rows merge to the same whole (up to rounding).
const CHUNK_ROWS: usize = 65_536;

/// A sum over rows that merges.
pub trait Accumulator: Send + Sized {
    /// Takes in one row.
    fn add(&mut self, row: Row);
    /// Takes in everything that `other` has taken in.
    fn merge(&mut self, other: Self);
}

/// Sums `rows` on as many threads as there are.
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
