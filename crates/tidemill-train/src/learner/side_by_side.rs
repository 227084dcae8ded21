//! Rows predicted by several threads.

use rayon::prelude::*;
use tidemill_core::{CancelFlag, ComponentError};
use tidemill_model::{Columns, FeatureBlock};

/// Rows that one task predicts.
const RUN_ROWS: usize = 64;

/// Predicts the rows of a block side by side, for models that take a while for a row. `predict` gets some of the rows and the number
/// of the first of them. A row has the same prediction in any part, so the result is that of all rows together.
pub(crate) fn side_by_side(
    block: &FeatureBlock,
    cancel: &CancelFlag,
    predict: impl Fn(&FeatureBlock, usize) -> Columns + Sync,
) -> Result<Columns, ComponentError> {
    let runs: Vec<usize> = (0..block.rows).step_by(RUN_ROWS).collect();
    let parts: Vec<Columns> = runs
        .into_par_iter()
        .map(|from| {
            cancel.check()?;
            let to = (from + RUN_ROWS).min(block.rows);
            let columns = block.columns.iter().map(|column| column[from..to].to_vec()).collect();
            Ok(predict(&FeatureBlock { rows: to - from, columns }, from))
        })
        .collect::<Result<_, ComponentError>>()?;
    let mut all = Columns::new();
    for part in parts {
        all.resize_with(part.len(), Vec::new);
        all.iter_mut().zip(part).for_each(|(all, part)| all.extend(part));
    }
    Ok(all)
}
