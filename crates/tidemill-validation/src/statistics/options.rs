//! What to compute beyond the statistics of each feature.

/// What statistics are asked for. The default is those of each feature.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StatisticsOptions {
    /// The column with the weight of each example: every statistic then has a weighted twin.
    pub weight: Option<String>,
    /// Sets of columns: examples that agree in them are a slice with statistics of its own.
    pub slices: Vec<Vec<String>>,
    /// Correlation of every two numeric features.
    pub correlations: bool,
    /// The column with the label: how the values of every categorical feature go with it.
    pub label: Option<String>,
    /// Where a numeric label is divided, from low to high; without, each of its values is one.
    pub label_boundaries: Vec<f64>,
    /// The chance of each row to be looked at, above 0 and at most 1; without, all are.
    pub sample_rate: Option<f64>,
}

/// Whether rows can be drawn with this chance: above 0 and at most 1.
pub fn is_sample_rate(rate: f64) -> bool {
    rate > 0.0 && rate <= 1.0
}
