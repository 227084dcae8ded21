//! Which features say most about the label.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tidemill_core::{CancelFlag, Code, ComponentError};
use tidemill_model::{BoundGraph, BoundLabel, FeatureBlock, FeatureKind, SplitRowNumbers, TransformGraph};

use crate::analyze::{Contingency, Information, Quantiles};
use crate::error::TransformError;
use crate::fit::FitOptions;
use crate::rows::SplitSource;

/// Numbers are put in so many buckets of equal share; so are labels that are amounts.
const BUCKETS: u32 = 32;
/// Codes beyond this are one bucket.
const CODES_MAX: u32 = 1024;
/// Rows that decide the buckets, spread over the split.
const SAMPLE_ROWS: u64 = 65_536;
/// The file of a transform graph artifact.
pub(crate) const RANKING_FILE: &str = "ranking.json";

/// What a feature says about the label, in bits a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankedFeature {
    /// The feature, as the learner sees it.
    pub feature: String,
    /// Mutual information with the label.
    pub mutual_information: f64,
    /// What a feature with the same counts has by chance.
    pub by_chance: f64,
    /// Mutual information less what chance gives (`use_adjusted_mutual_info` of TensorFlow Transform).
    pub adjusted: f64,
    /// Into how many buckets its values fall, a missing value being one.
    pub buckets: usize,
}

/// Features by what they say about the label, most first. Stored as `ranking.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// The label.
    pub label: String,
    /// The split that was measured.
    pub split: String,
    /// Its rows.
    pub rows: u64,
    /// The features.
    pub features: Vec<RankedFeature>,
}

/// How values become buckets.
enum Buckets {
    /// By boundaries; one more where the value is missing.
    Boundaries(Vec<f64>),
    /// A code is its bucket; one for those beyond, one where the value is missing.
    Codes(u32),
}

impl Buckets {
    fn count(&self) -> usize {
        match self {
            Self::Boundaries(boundaries) => boundaries.len() + 2,
            Self::Codes(codes) => *codes as usize + 2,
        }
    }

    fn of(&self, value: f64) -> usize {
        match self {
            _ if value.is_nan() => self.count() - 1,
            Self::Boundaries(boundaries) => boundaries.partition_point(|boundary| *boundary <= value),
            Self::Codes(codes) => (value.max(0.0) as usize).min(*codes as usize),
        }
    }
}

/// Ranks the features of `graph` on a split, as a learner sees them in training: two scans of it.
///
/// Real numbers count as 32 buckets of equal share, missing as one more; what a number says beyond its bucket is not
/// counted, and neither is what features say together.
pub fn rank(
    graph: &TransformGraph,
    rows: &dyn SplitSource,
    options: &FitOptions<'_>,
) -> Result<Ranking, TransformError> {
    let scan = Scan { graph, rows, options };
    let split_rows = rows.splits().iter().find(|(name, _)| name == options.split).map_or(0, |(_, rows)| *rows);
    let stride = split_rows.div_ceil(SAMPLE_ROWS).max(1);
    let features = graph.features();
    let mut quantiles = vec![Quantiles::default(); features.len()];
    let mut labels = Quantiles::default();
    scan.run("ranking, choosing buckets", |first, block, label| {
        let picked: Vec<usize> = (0..block.rows).filter(|row| (first + *row as u64).is_multiple_of(stride)).collect();
        for (quantiles, column) in quantiles.iter_mut().zip(&block.columns) {
            for row in &picked {
                quantiles.update(&column[*row..=*row]);
            }
        }
        for row in &picked {
            labels.update(&label[*row..=*row]);
        }
    })?;
    let buckets: Vec<Buckets> = features
        .iter()
        .zip(quantiles)
        .map(|(feature, quantiles)| match feature.kind {
            FeatureKind::Categorical { cardinality } => Buckets::Codes(cardinality.min(CODES_MAX)),
            FeatureKind::Numeric => Buckets::Boundaries(quantiles.finish().boundaries(BUCKETS)),
        })
        .collect();
    let labels = Buckets::Boundaries(labels.finish().boundaries(BUCKETS));
    let mut tables: Vec<Contingency> =
        buckets.iter().map(|buckets| Contingency::new(buckets.count(), labels.count())).collect();
    let mut seen = 0;
    scan.run("ranking", |_, block, label| {
        let label: Vec<usize> = label.iter().map(|label| labels.of(*label)).collect();
        for ((table, buckets), column) in tables.iter_mut().zip(&buckets).zip(&block.columns) {
            for (value, label) in column.iter().zip(&label) {
                table.add(buckets.of(*value), *label);
            }
        }
        seen += block.rows as u64;
    })?;
    let ranked = features.iter().zip(&tables).map(|(feature, table)| {
        let Information { bits, by_chance } = table.information();
        RankedFeature {
            feature: feature.name.clone(),
            mutual_information: bits,
            by_chance,
            adjusted: bits - by_chance,
            buckets: table.occurring(),
        }
    });
    let mut ranked: Vec<RankedFeature> = ranked.collect();
    // Stable: equal ones stay in the order of the file.
    ranked.sort_by(|a, b| b.adjusted.total_cmp(&a.adjusted));
    let label = graph.label().map(|label| label.name.clone()).unwrap_or_default();
    Ok(Ranking { label, split: options.split.to_owned(), rows: seen, features: ranked })
}

/// A split through the graph.
struct Scan<'a> {
    graph: &'a TransformGraph,
    rows: &'a dyn SplitSource,
    options: &'a FitOptions<'a>,
}

impl Scan<'_> {
    fn run(&self, phase: &str, mut each: impl FnMut(u64, &FeatureBlock, &[f64])) -> Result<(), TransformError> {
        let spec = self.graph.label().ok_or(tidemill_model::ModelError::NoLabel)?;
        let mut columns: Vec<String> = self.graph.inputs().iter().map(|input| input.name.clone()).collect();
        for column in spec.parse()?.columns() {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        self.options.progress.phase(phase);
        let mut bound: Option<(BoundGraph, BoundLabel)> = None;
        let (mut block, mut first) = (FeatureBlock::new(), 0);
        for batch in self.rows.read(self.options.split, &columns)? {
            if self.options.cancel.is_some_and(CancelFlag::is_set) {
                return Err(TransformError::Canceled);
            }
            let batch = batch?;
            let (graph, label) = match &mut bound {
                Some(bound) => bound,
                unbound => {
                    let schema = batch.schema_ref();
                    unbound.insert((self.graph.bind(schema)?, spec.bind(schema)?))
                }
            };
            graph.apply_training(&batch, SplitRowNumbers::From(first), &mut block)?;
            let labels: Vec<f64> = label.codes(&batch)?.into_iter().map(|label| label.unwrap_or(f64::NAN)).collect();
            each(first, &block, &labels);
            first += batch.num_rows() as u64;
            self.options.progress.advance(batch.num_rows() as u64);
        }
        Ok(())
    }
}

impl Ranking {
    /// Writes `ranking.json` into a folder. The same ranking gives the same bytes.
    pub(crate) fn save(&self, dir: &Path) -> Result<(), ComponentError> {
        let path = dir.join(RANKING_FILE);
        let failed =
            |reason: String| ComponentError::new(Code::Io, format!("cannot write `{}`: {reason}", path.display()));
        let mut text = serde_json::to_string_pretty(self).map_err(|error| failed(error.to_string()))?;
        text.push('\n');
        std::fs::write(&path, text).map_err(|error| failed(error.to_string()))
    }
}
