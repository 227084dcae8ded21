//! One feature on its way from steps to mappers.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use tidemill_core::{DataType, RowShape, TensorSpec};
use tidemill_model::{
    BoundGraph, BoundSource, Feature, FeatureBlock, LabelSpec, Mapper, Source, SplitRowNumbers, Stage, Tokenizer,
    TransformGraph,
};

use crate::analyze::{DISTINCT_MAX, KEYS_MAX, KeyCounts, TooMany};
use crate::analyzer::{Analyzer, count_words, weights};
use crate::config::FeatureConfig;
use crate::dry_run::dry_run;
use crate::error::TransformError;
use crate::fit::ColumnKinds;
use crate::step::{FitStep, Fitting, Values};

/// A feature being fitted.
///
/// Steps become mappers first to last. One that needs the data waits for a scan, in which its analyzer sees the values
/// as the mappers before it make them, by the executor that serving runs; the next step that needs them waits for the
/// next scan. Counts of raw values serve all steps of a feature in one scan.
pub(crate) struct FeatureFit {
    pub(crate) config: FeatureConfig,
    source: BoundSource,
    /// The raw columns that steps read beside the source's.
    inputs: Vec<TensorSpec>,
    /// The source over the columns of the scan's batches, which are not all of the table's.
    scanned: Option<BoundSource>,
    stage: Stage,
    pub(crate) mappers: Vec<Mapper>,
    next: usize,
    counts: Option<KeyCounts>,
    pub(crate) analyzer: Option<Analyzer>,
    bound: Option<BoundGraph>,
    block: FeatureBlock,
    pub(crate) warnings: Vec<String>,
    /// Whether a step over numbers has seen none.
    pub(crate) saw_nothing: bool,
}

/// What goes with a batch of a scan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScanBatch<'a> {
    pub(crate) batch: &'a RecordBatch,
    /// The number of its first row in the split.
    pub(crate) first_row: u64,
    /// The label of each row, where a step needs it.
    pub(crate) labels: &'a [Option<f64>],
}

impl FeatureFit {
    /// Starts on the columns of `schema`, of the types `datatypes`. Steps that do not apply to them are an error before
    /// any scan.
    pub(crate) fn new(
        config: &FeatureConfig,
        schema: &Schema,
        datatypes: &ColumnKinds,
    ) -> Result<Self, TransformError> {
        let unfitted = Feature { name: config.name.clone(), source: config.source.clone(), mappers: Vec::new() };
        let source = unfitted.bind_source(schema)?;
        let mut inputs = source.inputs().to_vec();
        for column in config.columns() {
            if let Some((datatype, form)) = datatypes.get(&column)
                && inputs.iter().all(|input| input.name != column)
            {
                inputs.push(TensorSpec::new(column, *datatype, true).with_form(*form));
            }
        }
        let fit = Self {
            config: config.clone(),
            stage: source.stage(),
            source,
            inputs,
            scanned: None,
            mappers: Vec::new(),
            next: 0,
            counts: None,
            analyzer: None,
            bound: None,
            block: FeatureBlock::new(),
            warnings: Vec::new(),
            saw_nothing: false,
        };
        dry_run(config, fit.stage).map_err(|reason| fit.does_not_apply(reason))?;
        for column in config.steps.iter().filter_map(|step| step.as_fit().key_column()) {
            if !matches!(datatypes.get(column), Some((DataType::Bytes | DataType::Int64, RowShape::Value))) {
                let reason = format!("the keys in column `{column}` are neither text nor whole numbers");
                return Err(fit.does_not_apply(reason));
            }
        }
        Ok(fit)
    }

    /// The columns that its next scan reads.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().map(|input| input.name.as_str()).chain(self.config.weights().map(String::as_str))
    }

    /// Whether its next scan needs the label.
    pub(crate) fn needs_label(&self) -> bool {
        matches!(self.analyzer, Some(Analyzer::Labels(_)))
    }

    /// The fitted feature.
    pub(crate) fn definition(&self) -> Feature {
        self.with(self.mappers.clone())
    }

    fn with(&self, mappers: Vec<Mapper>) -> Feature {
        Feature { name: self.config.name.clone(), source: self.config.source.clone(), mappers }
    }

    /// The step that is fitted next.
    fn next_step(&self) -> Option<&dyn FitStep> {
        self.config.steps.get(self.next).map(super::steps::Step::as_fit)
    }

    /// The values that the next step sees.
    fn values(&self) -> Values {
        let key = self.next_step().and_then(FitStep::key_column);
        let is_text = |input: &TensorSpec| Some(&input.name) == key && input.datatype == DataType::Bytes;
        Values { stage: self.stage, key_is_text: self.inputs.iter().any(is_text) }
    }

    /// Fits as many steps as the data seen so far allows. `true`: a step waits for a scan.
    pub(crate) fn advance(&mut self) -> Result<bool, TransformError> {
        while let Some(step) = self.next_step() {
            let mappers = match (step.constant(self.stage), &self.counts) {
                (Some(mappers), _) => mappers,
                (None, Some(counts)) if matches!(step.analyzer(&self.values()), Analyzer::Counts(_)) => {
                    let mut fitting = self.fitting();
                    let mappers = step.fit_counts(counts, &mut fitting)?;
                    let warnings = fitting.warnings;
                    self.warnings.extend(warnings);
                    mappers
                }
                _ => {
                    self.begin();
                    return Ok(true);
                }
            };
            self.push(mappers)?;
        }
        Ok(false)
    }

    /// Begins to look at rows, of a schema that may be another than before: an analyzer that has seen nothing.
    pub(crate) fn begin(&mut self) {
        let Some(step) = self.next_step() else { return };
        self.analyzer = Some(step.analyzer(&self.values()));
        self.bound = None;
        self.scanned = None;
    }

    /// Fits the step that waited for the scan just ended.
    pub(crate) fn finish_scan(&mut self) -> Result<(), TransformError> {
        let (Some(found), Some(step)) = (self.analyzer.take(), self.config.steps.get(self.next)) else {
            return Ok(());
        };
        if let Analyzer::Counts(mut counts) = found {
            // Behind steps over text they are filled already.
            if !self.has_text_steps() {
                self.mappers.iter().filter_map(Mapper::fill).for_each(|value| counts.fill(value));
            }
            self.counts = Some(counts);
            return Ok(());
        }
        let mut fitting = self.fitting();
        let mappers = step.as_fit().fit(found, &mut fitting)?;
        let Fitting { warnings, saw_nothing, .. } = fitting;
        self.warnings.extend(warnings);
        self.saw_nothing |= saw_nothing;
        self.push(mappers)
    }

    /// Everything that what it sees of rows depends on, but the rows: `first_row` is their number in the split, which
    /// decides the fold of each.
    pub(crate) fn depends_on(&self, label: &LabelSpec, first_row: u64) -> String {
        let step = self.config.steps.get(self.next);
        let is_folded = self.config.steps.iter().any(|step| step.as_fit().is_folded());
        let first_row = is_folded.then_some(first_row);
        let label = self.needs_label().then_some(label);
        format!("{:?}", (self.definition(), step, &self.inputs, self.stage, label, first_row))
    }

    /// Replaces what it has seen.
    pub(crate) fn set_analyzer(&mut self, analyzer: Analyzer) -> Result<(), TransformError> {
        let limit = analyzer.limit();
        let too_many = analyzer.distinct() as u64 > limit;
        self.analyzer = Some(analyzer);
        if too_many { Err(self.too_many(limit)) } else { Ok(()) }
    }

    fn fitting(&self) -> Fitting<'_> {
        Fitting {
            feature: &self.config.name,
            origin: self.config.source.describe(),
            datatype: self.source.datatype(),
            stage: self.stage,
            warnings: Vec::new(),
            saw_nothing: false,
        }
    }

    fn too_many(&self, limit: u64) -> TransformError {
        TransformError::TooManyValues {
            feature: self.config.name.clone(),
            origin: self.config.source.describe(),
            limit,
        }
    }

    /// Takes in a batch of the scan.
    pub(crate) fn update(&mut self, scan: ScanBatch<'_>) -> Result<(), TransformError> {
        let Some(mut analyzer) = self.analyzer.take() else { return Ok(()) };
        let limit = analyzer.limit();
        let seen = if analyzer.sees_raw_values() {
            self.see_raw_values(&mut analyzer, scan)
        } else {
            self.see_numbers(&mut analyzer, scan)
        };
        self.analyzer = Some(analyzer);
        seen?.map_err(|_too_many| self.too_many(limit))
    }

    fn see_raw_values(
        &mut self,
        analyzer: &mut Analyzer,
        scan: ScanBatch<'_>,
    ) -> Result<Result<(), TooMany>, TransformError> {
        if self.scanned.is_none() {
            // Counts of values as they came can be filled later, and so serve the steps before and after.
            let as_they_came = matches!(analyzer, Analyzer::Counts(_)) && !self.has_text_steps();
            let mappers = if as_they_came { Vec::new() } else { self.mappers.clone() };
            self.scanned = Some(self.with(mappers).bind_source(scan.batch.schema_ref())?);
        }
        let Some(source) = &self.scanned else { return Ok(Ok(())) };
        let column = source.values(scan.batch)?;
        Ok(match analyzer {
            Analyzer::Counts(counts) => counts.update(&column),
            Analyzer::Labels(sums) => {
                sums.update(&column, scan.labels, scan.first_row);
                too_many(sums.distinct(), DISTINCT_MAX)
            }
            Analyzer::Weights(keys) => {
                let weight = self.next_step().and_then(FitStep::weight_column);
                let weight = weight.and_then(|weight| scan.batch.column_by_name(weight));
                let weights = weight.map(weights).unwrap_or_default();
                keys.update(&column, |row, (rows, sum)| {
                    *rows += 1;
                    *sum += weights.get(row).copied().unwrap_or(0.0);
                });
                too_many(keys.len(), DISTINCT_MAX)
            }
            Analyzer::Words(counts) => match Tokenizer::new(&self.mappers) {
                Some(tokenizer) => count_words(counts, &column, &tokenizer),
                None => Ok(()),
            },
            _ => Ok(()),
        })
    }

    fn see_numbers(
        &mut self,
        analyzer: &mut Analyzer,
        scan: ScanBatch<'_>,
    ) -> Result<Result<(), TooMany>, TransformError> {
        if self.bound.is_none() {
            // Columns side by side are numbers each by themselves before a step joins them.
            let features = match &self.config.source {
                Source::Columns(columns) => columns.iter().map(|name| Feature::new(name, name, Vec::new())).collect(),
                _ => vec![self.definition()],
            };
            let graph = TransformGraph::new(self.inputs.clone(), None, features)?;
            self.bound = Some(graph.bind(scan.batch.schema_ref())?);
        }
        let Some(bound) = &self.bound else { return Ok(Ok(())) };
        bound.apply_training(scan.batch, SplitRowNumbers::From(scan.first_row), &mut self.block)?;
        // Of several columns the first holds the values; others are indicators.
        let values = self.block.columns.first().map_or(&[][..], Vec::as_slice);
        match analyzer {
            Analyzer::Summary(summary) => summary.update(values),
            Analyzer::Numbers(counts) => return Ok(counts.update(values)),
            Analyzer::ByKey(keys, all) => {
                all.update(values);
                let column = self.next_step().and_then(FitStep::key_column);
                if let Some(column) = column.and_then(|column| scan.batch.column_by_name(column)) {
                    keys.update(column, |row, summary| summary.update(&values[row..=row]));
                }
                return Ok(too_many(keys.len(), KEYS_MAX));
            }
            Analyzer::Covariance(covariance) => {
                let mut row = vec![0.0; self.block.columns.len()];
                for at in 0..self.block.rows {
                    for (value, column) in row.iter_mut().zip(&self.block.columns) {
                        *value = column[at];
                    }
                    covariance.update(&row);
                }
            }
            _ => {}
        }
        Ok(Ok(()))
    }

    /// Whether steps over text come before the one that waits, so that raw values say nothing of what it sees.
    fn has_text_steps(&self) -> bool {
        self.mappers.iter().any(Mapper::maps_text)
    }

    /// Adds the mappers of the next step.
    fn push(&mut self, mappers: Vec<Mapper>) -> Result<(), TransformError> {
        for mapper in mappers {
            self.stage = mapper.output(self.stage).map_err(|reason| self.does_not_apply(reason))?;
            if mapper.maps_text() {
                self.counts = None;
            }
            if let (Some(value), Some(counts)) = (mapper.fill(), &mut self.counts) {
                counts.fill(value);
            }
            self.mappers.push(mapper);
        }
        self.next += 1;
        Ok(())
    }

    fn does_not_apply(&self, reason: String) -> TransformError {
        self.fitting().does_not_apply(reason)
    }

    pub(crate) fn no_values(&self, step: &'static str) -> TransformError {
        self.fitting().no_values(step)
    }
}

fn too_many(count: usize, limit: u64) -> Result<(), TooMany> {
    if count as u64 > limit { Err(TooMany) } else { Ok(()) }
}
