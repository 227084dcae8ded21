//! Sums of trees into predictions.

/// How the sums of a row become its predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// Unchanged.
    Identity,
    /// The logistic function of each.
    Logistic,
    /// e to the power of each.
    Exp,
    /// The square, with the sign of the sum.
    SignedSquare,
    /// log(1 + e^x) of each.
    LogOnePlusExp,
    /// 1 above 0, else 0.
    Step,
    /// The softmax of all.
    Softmax,
    /// The index of the largest.
    Largest,
}

impl Link {
    /// Applies the link to the sums of every row, one column each. [`Largest`](Self::Largest) leaves one column.
    pub(super) fn apply(self, columns: &mut Vec<Vec<f64>>) {
        match self {
            Self::Identity => {}
            Self::Logistic => each(columns, logistic),
            Self::Exp => each(columns, f64::exp),
            Self::SignedSquare => each(columns, |x| x * x.abs()),
            Self::LogOnePlusExp => each(columns, |x| if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }),
            Self::Step => each(columns, |x| f64::from(u8::from(x > 0.0))),
            Self::Softmax => by_row(columns, softmax),
            Self::Largest => {
                by_row(columns, |row| {
                    // The first of equals, as in NumPy's argmax.
                    let mut best = 0;
                    for (at, value) in row.iter().enumerate() {
                        if *value > row[best] {
                            best = at;
                        }
                    }
                    if let Some(first) = row.first_mut() {
                        *first = best as f64;
                    }
                });
                columns.truncate(1);
            }
        }
    }
}

fn each(columns: &mut [Vec<f64>], map: impl Fn(f64) -> f64) {
    for value in columns.iter_mut().flatten() {
        *value = map(*value);
    }
}

fn by_row(columns: &mut [Vec<f64>], map: impl Fn(&mut [f64])) {
    let mut row = vec![0.0; columns.len()];
    for at in 0..columns.first().map_or(0, Vec::len) {
        for (value, column) in row.iter_mut().zip(&*columns) {
            *value = column[at];
        }
        map(&mut row);
        for (value, column) in row.iter().zip(&mut *columns) {
            column[at] = *value;
        }
    }
}

/// Shifted by the largest, so that nothing overflows.
pub(crate) fn softmax(row: &mut [f64]) {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for value in row.iter_mut() {
        *value = (*value - largest).exp();
        sum += *value;
    }
    for value in row {
        *value /= sum;
    }
}

pub(crate) fn logistic(score: f64) -> f64 {
    1.0 / (1.0 + (-score).exp())
}
