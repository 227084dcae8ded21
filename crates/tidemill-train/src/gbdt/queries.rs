//! Which rows belong to which query.

use rayon::prelude::*;

/// The rows of each query. They need not be adjacent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Queries {
    /// Row numbers, those of a query side by side and ascending.
    rows: Vec<u32>,
    /// Where each query starts in `rows`, and the end.
    bounds: Vec<usize>,
    /// By row: its place in `rows`.
    place: Vec<u32>,
}

impl Queries {
    /// The queries of rows whose numbers of queries are these; numbers are dense from 0.
    pub fn new(query_of: &[u32]) -> Self {
        let count = query_of.iter().map(|query| *query as usize + 1).max().unwrap_or(0);
        let mut bounds = vec![0; count + 1];
        query_of.iter().for_each(|query| bounds[*query as usize + 1] += 1);
        for query in 0..count {
            bounds[query + 1] += bounds[query];
        }
        let mut next = bounds.clone();
        let (mut rows, mut place) = (vec![0; query_of.len()], vec![0; query_of.len()]);
        for (row, query) in query_of.iter().enumerate() {
            let at = &mut next[*query as usize];
            rows[*at] = row as u32;
            place[row] = *at as u32;
            *at += 1;
        }
        Self { rows, bounds, place }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.bounds.len().saturating_sub(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows of a query, ascending.
    pub fn rows(&self, query: usize) -> &[u32] {
        &self.rows[self.bounds[query]..self.bounds[query + 1]]
    }

    /// By query: what `of` says of its rows.
    pub(crate) fn map<T: Send>(&self, of: impl Fn(&[u32]) -> T + Sync) -> Vec<T> {
        (0..self.len()).into_par_iter().map(|query| of(self.rows(query))).collect()
    }

    /// Fills `out`, which has a value for each row: `fill` gets the number of a query, its rows, and the values of these in
    /// the same order.
    pub(crate) fn scatter<T: Copy + Default + Send + Sync>(
        &self,
        out: &mut [T],
        fill: impl Fn(usize, &[u32], &mut [T]) + Sync,
    ) {
        let mut ordered = vec![T::default(); self.rows.len()];
        let mut rest = ordered.as_mut_slice();
        let mut parts = Vec::with_capacity(self.len());
        for query in 0..self.len() {
            let (part, after) = rest.split_at_mut(self.bounds[query + 1] - self.bounds[query]);
            parts.push(part);
            rest = after;
        }
        parts.into_par_iter().enumerate().for_each(|(query, part)| fill(query, self.rows(query), part));
        out.par_iter_mut().zip(&self.place).for_each(|(out, place)| *out = ordered[*place as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_query_need_not_be_adjacent() {
        let queries = Queries::new(&[1, 0, 1, 2, 0]);
        assert_eq!((queries.len(), queries.rows(0), queries.rows(1)), (3, &[1, 4][..], &[0, 2][..]));
        let mut out = vec![0; 5];
        queries.scatter(&mut out, |query, rows, out| {
            out.iter_mut().zip(rows).for_each(|(out, row)| *out = 10 * query as u32 + row);
        });
        assert_eq!(out, [10, 1, 12, 23, 4]);
        assert_eq!(queries.map(<[u32]>::len), [2, 2, 1]);
        assert!(Queries::new(&[]).is_empty());
    }
}
