//! Features made of several columns, which must have as many values as each other in every example.

use arrow::array::{Array, ArrayRef, AsArray};
use tidemill_core::{Anomaly, AnomalyType, CustomValue, DatasetStatistics, FeatureStatistics, Schema, Severity};

use tidemill_core::grouped;
use tidemill_data::{BatchReader, DataError};

/// Columns of one sparse or weighted feature: the value column, and those that go with it.
struct Group<'a> {
    name: &'a str,
    value: &'a str,
    others: Vec<&'a str>,
    missing_value: AnomalyType,
    missing_other: AnomalyType,
    length: AnomalyType,
    /// What the others are.
    word: &'static str,
    seen: Vec<Seen>,
}

/// What was seen of one column beside the value column.
#[derive(Clone, Copy, Default)]
struct Seen {
    examples: u64,
    without_value: u64,
    without_other: u64,
    /// Smallest and largest number of its values less that of the value column.
    difference: (i64, i64),
}

/// The columns that [`composed_anomalies`] reads.
pub(crate) fn composed_columns(schema: &Schema) -> Vec<&str> {
    let mut columns: Vec<&str> =
        groups(schema).iter().flat_map(|group| group.others.iter().copied().chain([group.value])).collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// Where the columns of sparse and weighted features do not fit each other, by the conditions of TensorFlow Data Validation.
///
/// * `SPARSE_FEATURE_MISSING_VALUE`, `WEIGHTED_FEATURE_MISSING_VALUE`: an example has an index or a weight and no value.
/// * `SPARSE_FEATURE_MISSING_INDEX`, `WEIGHTED_FEATURE_MISSING_WEIGHT`: the other way about.
/// * `SPARSE_FEATURE_LENGTH_MISMATCH`, `WEIGHTED_FEATURE_LENGTH_MISMATCH`: an example has more of one than of the other.
///
/// `reader` holds [`composed_columns`], as far as the data has them. A column that is not there is missing in every example.
pub(crate) fn composed_anomalies(schema: &Schema, reader: BatchReader) -> Result<Vec<Anomaly>, DataError> {
    let mut groups = groups(schema);
    for batch in reader {
        let batch = batch?;
        for group in &mut groups {
            let value = batch.column_by_name(group.value);
            for (other, seen) in group.others.iter().zip(&mut group.seen) {
                seen.add(value, batch.column_by_name(other), batch.num_rows());
            }
        }
    }
    Ok(groups.iter().flat_map(Group::found).collect())
}

/// [`composed_anomalies`] of statistics without rows, as far as TFDV's generators counted: `missing_value`, `missing_index`,
/// `min_length_diff` and `max_length_diff` of a sparse feature, `missing_weight`, `min_weight_length_diff` and
/// `max_weight_length_diff` of a weighted one.
pub(super) fn composed_in_statistics(statistics: &DatasetStatistics, schema: &Schema) -> Vec<Anomaly> {
    let mut groups = groups(schema);
    for group in &mut groups {
        let Some(said) = statistics.feature(group.name).filter(|said| !said.custom.is_empty()) else { continue };
        let names = match group.word {
            "index" => ["missing_index", "min_length_diff", "max_length_diff"],
            _ => ["missing_weight", "min_weight_length_diff", "max_weight_length_diff"],
        };
        for (other, seen) in group.others.iter().zip(&mut group.seen) {
            let of = |name: &str| amount_for(said, name, other);
            seen.examples = statistics.num_examples;
            seen.without_value = of("missing_value") as u64;
            seen.without_other = of(names[0]) as u64;
            seen.difference = (of(names[1]) as i64, of(names[2]) as i64);
        }
    }
    groups.iter().flat_map(Group::found).collect()
}

/// What a custom statistic says of `column`, where it has a count for each, or of all.
fn amount_for(said: &FeatureStatistics, name: &str, column: &str) -> f64 {
    let custom = said.custom.iter().find(|custom| custom.name == name);
    custom.map_or(0.0, |custom| match &custom.value {
        CustomValue::Number(number) => *number,
        CustomValue::Ranks(ranks) => ranks.iter().find(|rank| rank.label == column).map_or(0.0, |rank| rank.count),
        _ => 0.0,
    })
}

fn groups(schema: &Schema) -> Vec<Group<'_>> {
    use AnomalyType as T;
    let exempt = |stage: Option<tidemill_core::Lifecycle>| stage.is_some_and(tidemill_core::Lifecycle::is_exempt);
    let sparse =
        schema.sparse_features.iter().filter(|(_, sparse)| !exempt(sparse.lifecycle)).map(|(name, sparse)| Group {
            name,
            value: &sparse.value,
            others: sparse.index.iter().map(String::as_str).collect(),
            missing_value: T::SparseFeatureMissingValue,
            missing_other: T::SparseFeatureMissingIndex,
            length: T::SparseFeatureLengthMismatch,
            word: "index",
            seen: vec![Seen::default(); sparse.index.len()],
        });
    let weighted = schema.weighted_features.iter().filter(|(_, weighted)| !exempt(weighted.lifecycle));
    let weighted = weighted.map(|(name, weighted)| Group {
        name,
        value: &weighted.value,
        others: vec![&weighted.weight],
        missing_value: T::WeightedFeatureMissingValue,
        missing_other: T::WeightedFeatureMissingWeight,
        length: T::WeightedFeatureLengthMismatch,
        word: "weight",
        seen: vec![Seen::default()],
    });
    sparse.chain(weighted).collect()
}

impl Seen {
    fn add(&mut self, value: Option<&ArrayRef>, other: Option<&ArrayRef>, rows: usize) {
        for row in 0..rows {
            let (here, there) = (count(value, row), count(other, row));
            self.examples += 1;
            match (here, there) {
                (None, Some(_)) => self.without_value += 1,
                (Some(_), None) => self.without_other += 1,
                _ => {}
            }
            if let (Some(here), Some(there)) = (here, there) {
                let difference = there - here;
                self.difference = (self.difference.0.min(difference), self.difference.1.max(difference));
            }
        }
    }
}

/// How many values a row has; `None` where it is missing.
fn count(array: Option<&ArrayRef>, row: usize) -> Option<i64> {
    let array = array.filter(|array| !array.is_null(row))?;
    if let Some(list) = array.as_list_opt::<i32>() {
        Some(i64::from(list.value_length(row)))
    } else if let Some(list) = array.as_list_opt::<i64>() {
        Some(list.value_length(row))
    } else {
        Some(1)
    }
}

impl Group<'_> {
    fn found(&self) -> Vec<Anomaly> {
        let mut found = Vec::new();
        for (other, seen) in self.others.iter().zip(&self.seen) {
            let mut add = |anomaly_type, short: &str, text: String| {
                found.push(Anomaly {
                    feature: self.name.to_owned(),
                    anomaly_type,
                    severity: Severity::Error,
                    short_description: short.to_owned(),
                    description: format!("`{}`: {text}", self.name),
                    evidence: Vec::new(),
                });
            };
            let (value, word, examples) = (self.value, self.word, grouped(seen.examples));
            if seen.without_value > 0 {
                let many = grouped(seen.without_value);
                let text =
                    format!("{many} of {examples} examples have a {word} in `{other}` and no value in `{value}`");
                add(self.missing_value, "value missing", text);
            }
            if seen.without_other > 0 {
                let many = grouped(seen.without_other);
                let text =
                    format!("{many} of {examples} examples have a value in `{value}` and no {word} in `{other}`");
                add(self.missing_other, "index or weight missing", text);
            }
            if seen.difference != (0, 0) {
                let (least, most) = seen.difference;
                let text = format!("`{other}` has {least} to {most} values more than `{value}` in an example");
                add(self.length, "not as many of one as of the other", text);
            }
        }
        found
    }
}
