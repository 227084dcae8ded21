//! A run of rows, laid out for sums over them.

/// Rows of a run. Sums are made run by run, so it is fixed.
pub(super) const RUN_ROWS: usize = 1 << 10;

/// The code of a category that is missing or unknown.
pub(super) const NONE: u32 = u32::MAX;

/// Up to [`RUN_ROWS`] rows. Numbers are columns, so that sums over rows use the vector units; categories are a code for each
/// row; numbers that are mostly 0 are pairs of place and value.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) rows: usize,
    /// Column by column, [`RUN_ROWS`] apart.
    pub(super) dense: Vec<f64>,
    /// The places of the weights of categories, column by column, [`RUN_ROWS`] apart; [`NONE`] where there is none.
    pub(super) codes: Vec<u32>,
    /// Where the pairs of each row end.
    pub(super) ends: Vec<u32>,
    pub(super) places: Vec<u32>,
    pub(super) values: Vec<f64>,
}

impl Run {
    pub(super) fn new(dense: usize, categories: usize) -> Self {
        Self { dense: vec![0.0; dense * RUN_ROWS], codes: vec![NONE; categories * RUN_ROWS], ..Self::default() }
    }

    /// Adds to `scores`, one for each row, the weighted sum of the row. `dense` are the places of the weights of the numbers.
    pub(super) fn add_scores(&self, dense: &[usize], weights: &[f64], scores: &mut [f64]) {
        for (place, values) in dense.iter().zip(self.dense.chunks_exact(RUN_ROWS)) {
            let weight = weights[*place];
            if weight != 0.0 {
                scores.iter_mut().zip(values).for_each(|(score, value)| *score += weight * value);
            }
        }
        for codes in self.codes.chunks_exact(RUN_ROWS) {
            for (score, code) in scores.iter_mut().zip(codes) {
                if *code != NONE {
                    *score += weights[*code as usize];
                }
            }
        }
        let mut first = 0;
        for (score, end) in scores.iter_mut().zip(&self.ends) {
            let pairs = first..*end as usize;
            first = *end as usize;
            for (place, value) in self.places[pairs.clone()].iter().zip(&self.values[pairs]) {
                *score += weights[*place as usize] * value;
            }
        }
    }

    /// Adds to `gradient`, one for each weight, the derivatives of the rows times their values.
    pub(super) fn add_gradient(&self, dense: &[usize], derivatives: &[f64], gradient: &mut [f64]) {
        for (place, values) in dense.iter().zip(self.dense.chunks_exact(RUN_ROWS)) {
            gradient[*place] += dot(derivatives, values);
        }
        for codes in self.codes.chunks_exact(RUN_ROWS) {
            for (derivative, code) in derivatives.iter().zip(codes) {
                if *code != NONE {
                    gradient[*code as usize] += derivative;
                }
            }
        }
        let mut first = 0;
        for (derivative, end) in derivatives.iter().zip(&self.ends) {
            let pairs = first..*end as usize;
            first = *end as usize;
            for (place, value) in self.places[pairs.clone()].iter().zip(&self.values[pairs]) {
                gradient[*place as usize] += derivative * value;
            }
        }
    }
}

/// The sum of products, in eight sums that the vector units add side by side.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let b = &b[..a.len()];
    let mut sums = [0.0; LANES];
    let (chunks_a, chunks_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = chunks_a.remainder().iter().zip(chunks_b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in chunks_a.zip(chunks_b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
}
