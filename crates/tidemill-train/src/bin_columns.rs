//! Features as bins, a column each: for learners that read one feature at a time.

use tidemill_core::ComponentError;
use tidemill_model::FeatureSpec;

use crate::gbdt::{BinPlanner, Binning};
use crate::learner::TrainingData;

/// The training rows as bins.
#[derive(Debug)]
pub(crate) struct BinColumns {
    /// The bins of every feature that varies.
    pub(crate) binning: Binning,
    /// By feature that varies: the bin of every row.
    pub(crate) columns: Vec<Vec<u8>>,
}

impl BinColumns {
    /// Reads the training rows twice: to choose at most `max_bin` bins for each feature, and to fill them.
    pub(crate) fn read(data: &TrainingData<'_>, max_bin: u32) -> Result<Self, ComponentError> {
        let rows = data.train.rows();
        data.progress.total_rows(2 * rows as u64);
        data.progress.phase("choosing bins");
        let mut planner = BinPlanner::new(data.features, rows as u64, max_bin, data.seed);
        data.train.each_block(|block| planner.observe(block))?;
        let binning = planner.finish();
        data.progress.phase("binning");
        let mut columns: Vec<Vec<u8>> = binning.used.iter().map(|_| Vec::with_capacity(rows)).collect();
        data.train.each_block(|block| {
            for (column, used) in columns.iter_mut().zip(&binning.used) {
                let values = &block.columns[used.feature as usize][..block.rows];
                column.extend(values.iter().map(|value| used.bins.bin(*value)));
            }
        })?;
        Ok(Self { binning, columns })
    }

    /// The rows of one block.
    #[cfg(test)]
    pub(crate) fn of_block(features: &[FeatureSpec], block: &tidemill_model::FeatureBlock, max_bin: u32) -> Self {
        let mut planner = BinPlanner::new(features, block.rows as u64, max_bin, 1);
        planner.observe(block);
        let binning = planner.finish();
        let column = |used: &crate::gbdt::UsedFeature| {
            block.columns[used.feature as usize].iter().map(|value| used.bins.bin(*value)).collect()
        };
        Self { columns: binning.used.iter().map(column).collect(), binning }
    }

    /// What there is to warn about: features that tell nothing.
    pub(crate) fn warnings(&self, features: &[FeatureSpec]) -> Vec<String> {
        let constant: Vec<String> = self.binning.constant().map(|at| format!("`{}`", features[at].name)).collect();
        match constant.len() {
            0 => Vec::new(),
            all if all == features.len() => vec!["no feature varies: the model predicts a constant".to_owned()],
            _ => vec![format!("features that never vary and are not used: {}", constant.join(", "))],
        }
    }
}
