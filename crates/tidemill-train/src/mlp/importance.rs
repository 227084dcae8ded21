//! How much features matter: what the loss rises by when rows swap their values.

use rayon::prelude::*;
use tidemill_core::{CancelFlag, ComponentError};

use super::fit::mean_loss;
use super::net::Net;
use super::rows::EncodedRows;

/// Rows that are judged at most.
const ROWS_MAX: usize = 2000;
/// More features than these would take longer than they tell.
const FEATURES_MAX: usize = 500;

/// By feature: how much larger the mean loss is when every row has the feature of another row, half of them away; `None` for too
/// many features. Rows are every n-th of `data`.
pub(super) fn importance(
    net: &Net,
    data: &EncodedRows,
    cancel: &CancelFlag,
) -> Result<Option<Vec<f64>>, ComponentError> {
    if data.features > FEATURES_MAX {
        return Ok(None);
    }
    let stride = data.rows().div_ceil(ROWS_MAX);
    let rows: Vec<usize> = (0..data.rows()).step_by(stride).collect();
    let sample = EncodedRows {
        features: data.features,
        values: rows.iter().flat_map(|row| data.row(*row)).copied().collect(),
        targets: rows.iter().map(|row| data.targets[*row]).collect(),
        weights: data.weights.as_ref().map(|weights| rows.iter().map(|row| weights[*row]).collect()),
    };
    let plain = mean_loss(net, &sample);
    let rise = |feature: usize| {
        cancel.check()?;
        let mut other = sample.clone();
        let count = sample.rows();
        for row in 0..count {
            other.values[row * sample.features + feature] = sample.row((row + count / 2) % count)[feature];
        }
        Ok((mean_loss(net, &other) - plain).max(0.0))
    };
    (0..data.features).into_par_iter().map(rise).collect::<Result<Vec<f64>, ComponentError>>().map(Some)
}
