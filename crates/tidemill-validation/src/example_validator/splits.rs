//! Whether the splits of one dataset look alike.

use tidemill_core::{DatasetStatistics, Feature, Schema, SplitStatistics};

use crate::drift::{Comparison, compare, default_comparators, movement};
use crate::validation::DEFAULT_ENVIRONMENT;

/// The split that the others are compared with, if there is one of that name; otherwise the largest is.
const TRAIN: &str = "train";
/// Features that a line names.
const NAMED_MAX: usize = 3;

/// For each split that differs from the train split by more than chance explains, a line with the features that differ
/// most. A model that is judged on such a split is judged on other data than it learned from.
pub(super) fn differences(statistics: &SplitStatistics) -> Vec<String> {
    let largest = || statistics.splits.iter().max_by_key(|(_, dataset)| dataset.num_examples);
    let Some((name, train)) = statistics.splits.get_key_value(TRAIN).or_else(largest) else { return Vec::new() };
    let others = statistics.splits.iter().filter(|(other, _)| *other != name);
    others.filter_map(|(other, dataset)| difference(name, train, other, dataset)).collect()
}

fn difference(name: &str, train: &DatasetStatistics, other: &str, dataset: &DatasetStatistics) -> Option<String> {
    let mut schema = Schema::default();
    for feature in &train.features {
        let Some(same) = dataset.feature(&feature.name) else { continue };
        if let Some(comparators) = default_comparators(&[feature, same], feature.feature_type) {
            let drift = Some(comparators);
            schema.features.insert(feature.name.clone(), Feature { drift, ..Feature::new(feature.feature_type) });
        }
    }
    let report = compare(train, dataset, &schema, DEFAULT_ENVIRONMENT, Comparison::Drift);
    let differing: Vec<&str> = report
        .features
        .iter()
        .filter(|feature| feature.exceeded())
        .map(|feature| feature.distance.feature.as_str())
        .collect();
    let named = differing.iter().take(NAMED_MAX).filter_map(|feature| {
        let moved = movement(train.feature(feature)?, dataset.feature(feature)?, report.by_weight);
        Some(if moved.is_empty() { format!("`{feature}`") } else { format!("`{feature}` ({moved})") })
    });
    let named: Vec<String> = named.collect();
    if named.is_empty() {
        return None;
    }
    let more = match differing.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!("split `{other}` differs from `{name}` by more than chance explains: {}{more}", named.join("; ")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
    use tidemill_core::NoProgress;
    use tidemill_data::BatchReader;

    use super::*;
    use crate::compute_statistics;

    fn dataset(name: &str, rows: usize, shift: f64) -> DatasetStatistics {
        let amounts: Float64Array = (0..rows).map(|row| Some((row * 37 % 101) as f64 + shift)).collect();
        let kinds: StringArray = (0..rows).map(|row| Some(["a", "b"][row * 13 % 7 % 2])).collect();
        let columns = [("amount", Arc::new(amounts) as ArrayRef), ("kind", Arc::new(kinds) as ArrayRef)];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let reader = BatchReader::new(batch.schema(), std::iter::once(Ok(batch)));
        compute_statistics(reader, name, &NoProgress, 1).unwrap()
    }

    #[test]
    fn only_what_chance_does_not_explain_is_a_difference() {
        let statistics = |shift: f64| SplitStatistics {
            version: 1,
            splits: [("eval", dataset("eval", 2_000, shift)), ("train", dataset("train", 6_000, 0.0))]
                .map(|(name, dataset)| (name.to_owned(), dataset))
                .into(),
        };
        assert!(differences(&statistics(0.0)).is_empty());
        let found = differences(&statistics(40.0));
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("split `eval` differs from `train` by more than chance explains: `amount` (mean 50"),
            "{found:?}"
        );
        assert!(!found[0].contains("kind"), "{found:?}");
    }
}
