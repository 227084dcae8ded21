//! One feature on its way from steps to fitted nodes.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use tidemill_core::{DataType, Form, TensorSpec};
use tidemill_model::{
    BoundGraph, BoundSource, Feature, FeatureBlock, LabelSpec, Node, Source, Stage, Tokenizer, TransformGraph,
};

use crate::analyze::{KEYS_MAX, KeyCounts, TooMany};
use crate::config::{FeatureConfig, ImputeWith, Step, stand_in};
use crate::error::TransformError;
use crate::fit::ColumnKinds;
use crate::need::{Need, count_words, is_counted, weights};

/// A feature being fitted.
///
/// Steps turn into nodes first to last. One that needs the data waits for a scan, in which its analyzer sees the values
/// as the nodes before it make them, by the executor that serving runs; the next step that needs them waits for the
/// next scan. Counts of raw values serve all steps of a feature in one scan.
pub(crate) struct FeatureFit {
    pub(crate) config: FeatureConfig,
    source: BoundSource,
    /// The raw columns that steps read beside the source's.
    inputs: Vec<TensorSpec>,
    /// The source over the columns of the scan's batches, which are not all of the table's.
    scanned: Option<BoundSource>,
    pub(crate) stage: Stage,
    pub(crate) nodes: Vec<Node>,
    pub(crate) next: usize,
    pub(crate) counts: Option<KeyCounts>,
    pub(crate) need: Option<Need>,
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
        let unfitted = Feature { name: config.name.clone(), source: config.source.clone(), nodes: Vec::new() };
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
            nodes: Vec::new(),
            next: 0,
            counts: None,
            need: None,
            bound: None,
            block: FeatureBlock::new(),
            warnings: Vec::new(),
            saw_nothing: false,
        };
        stand_in(config, fit.stage).map_err(|reason| fit.does_not_apply(reason))?;
        for step in &config.steps {
            if let Step::By { column, .. } = step
                && !matches!(datatypes.get(column), Some((DataType::Bytes | DataType::Int64, Form::Value)))
            {
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
        matches!(self.need, Some(Need::Labels(_)))
    }

    /// The fitted feature.
    pub(crate) fn definition(&self) -> Feature {
        self.with(self.nodes.clone())
    }

    fn with(&self, nodes: Vec<Node>) -> Feature {
        Feature { name: self.config.name.clone(), source: self.config.source.clone(), nodes }
    }

    /// Fits as many steps as the data seen so far allows. `true`: a step waits for a scan.
    pub(crate) fn advance(&mut self) -> Result<bool, TransformError> {
        while let Some(step) = self.config.steps.get(self.next).cloned() {
            let Some(nodes) = self.without_scan(&step)? else {
                self.begin();
                return Ok(true);
            };
            for node in nodes {
                self.push(node)?;
            }
            self.next += 1;
        }
        Ok(false)
    }

    /// Begins to look at rows, of a schema that may be another than before: an analyzer that has seen nothing.
    pub(crate) fn begin(&mut self) {
        let Some(step) = self.config.steps.get(self.next) else { return };
        let key_is_text = match step {
            Step::By { column, .. } => {
                self.inputs.iter().any(|input| input.name == *column && input.datatype == DataType::Bytes)
            }
            _ => false,
        };
        self.need = Some(Need::of(step, self.stage, key_is_text));
        self.bound = None;
        self.scanned = None;
    }

    /// Everything that what it sees of rows depends on, but the rows: `first_row` is their number in the split, which
    /// decides the fold of each.
    pub(crate) fn depends_on(&self, label: &LabelSpec, first_row: u64) -> String {
        let step = self.config.steps.get(self.next);
        let is_folded = |step: &Step| matches!(step, Step::TargetEncode { .. });
        let first_row = self.config.steps.iter().any(is_folded).then_some(first_row);
        let label = self.needs_label().then_some(label);
        format!("{:?}", (self.definition(), step, &self.inputs, self.stage, label, first_row))
    }

    /// Takes the place of what it has seen.
    pub(crate) fn set_need(&mut self, need: Need) -> Result<(), TransformError> {
        let limit = need.limit();
        let too_many = need.distinct() as u64 > limit;
        self.need = Some(need);
        if too_many { Err(self.too_many(limit)) } else { Ok(()) }
    }

    fn too_many(&self, limit: u64) -> TransformError {
        TransformError::TooManyValues {
            feature: self.config.name.clone(),
            origin: self.config.source.describe(),
            limit,
        }
    }

    /// The nodes of a step that needs no scan, or no further one; `None` if it does.
    fn without_scan(&mut self, step: &Step) -> Result<Option<Vec<Node>>, TransformError> {
        let is_key = matches!(self.stage, Stage::Text | Stage::Int);
        let node = match step {
            Step::Numeric => return Ok(Some(Vec::new())),
            Step::Fixed(node) => node.clone(),
            Step::Impute(ImputeWith::Constant(value)) => Node::Impute { value: value.clone() },
            Step::Boundaries(boundaries) => Node::Bucketize { boundaries: boundaries.clone() },
            Step::Categorical if matches!(self.stage, Stage::Bucket(_) | Stage::Bool) => {
                Node::Categorical { values: None }
            }
            Step::Log => Node::Log,
            Step::Log1p => Node::Log1p,
            Step::Sqrt => Node::Sqrt,
            Step::Power(exponent) => Node::Power { exponent: *exponent },
            Step::HashBuckets(buckets) => Node::HashBuckets { buckets: *buckets },
            Step::DatePart(part) => Node::DatePart { part: *part },
            Step::Cyclic(period) => Node::Cyclic { period: *period },
            Step::MissingIndicator => Node::MissingIndicator,
            Step::OneHot(_) if !is_key => Node::OneHot,
            Step::Clip { min, max } => Node::Clip { min: *min, max: *max },
            // Hashed tokens need no counts.
            Step::MultiHot(choice) if choice.top_k == Some(0) => {
                Node::MultiHot { values: tidemill_model::Keys::Strings(Vec::new()), oov_buckets: choice.oov_buckets }
            }
            Step::BagOfWords(choice) if choice.top_k == Some(0) => {
                Node::BagOfWords { values: tidemill_model::Keys::Strings(Vec::new()), oov_buckets: choice.oov_buckets }
            }
            Step::Impute(ImputeWith::MostFrequent) if is_key => return self.counted(step),
            Step::Categorical | Step::Frequency => return self.counted(step),
            Step::Vocabulary(choice) | Step::OneHot(choice) if is_counted(choice) => return self.counted(step),
            _ => return Ok(None),
        };
        Ok(Some(vec![node]))
    }

    /// Takes in a batch of the scan.
    pub(crate) fn update(&mut self, scan: ScanBatch<'_>) -> Result<(), TransformError> {
        let Some(mut need) = self.need.take() else { return Ok(()) };
        let limit = need.limit();
        let seen = if need.sees_keys() { self.see_keys(&mut need, scan) } else { self.see_numbers(&mut need, scan) };
        self.need = Some(need);
        seen?.map_err(|_too_many| self.too_many(limit))
    }

    fn see_keys(&mut self, need: &mut Need, scan: ScanBatch<'_>) -> Result<Result<(), TooMany>, TransformError> {
        if self.scanned.is_none() {
            // Counts of values as they came can be filled later, and so serve the steps before and after.
            let nodes =
                if matches!(need, Need::Keys(_)) && !self.has_text_steps() { Vec::new() } else { self.nodes.clone() };
            self.scanned = Some(self.with(nodes).bind_source(scan.batch.schema_ref())?);
        }
        let Some(source) = &self.scanned else { return Ok(Ok(())) };
        let column = source.values(scan.batch)?;
        Ok(match need {
            Need::Keys(counts) => counts.update(&column),
            Need::Labels(sums) => {
                sums.update(&column, scan.labels, scan.first_row);
                too_many(sums.distinct(), crate::analyze::DISTINCT_MAX)
            }
            Need::Weights(keys) => {
                let weights = match self.config.steps.get(self.next) {
                    Some(Step::Vocabulary(choice) | Step::OneHot(choice)) => {
                        choice.weight.as_ref().and_then(|weight| scan.batch.column_by_name(weight)).map(weights)
                    }
                    _ => None,
                }
                .unwrap_or_default();
                keys.update(&column, |row, (rows, sum)| {
                    *rows += 1;
                    *sum += weights.get(row).copied().unwrap_or(0.0);
                });
                too_many(keys.len(), crate::analyze::DISTINCT_MAX)
            }
            Need::Words(counts) => match Tokenizer::new(&self.nodes) {
                Some(tokenizer) => count_words(counts, &column, &tokenizer),
                None => Ok(()),
            },
            _ => Ok(()),
        })
    }

    fn see_numbers(&mut self, need: &mut Need, scan: ScanBatch<'_>) -> Result<Result<(), TooMany>, TransformError> {
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
        bound.apply_training(scan.batch, scan.first_row, &mut self.block)?;
        // Of several columns the first holds the values; others are indicators.
        let values = self.block.columns.first().map_or(&[][..], Vec::as_slice);
        match need {
            Need::Summary(summary) => summary.update(values),
            Need::Numbers(counts) => return Ok(counts.update(values)),
            Need::By(keys, all) => {
                all.update(values);
                if let Some(Step::By { column, .. }) = self.config.steps.get(self.next)
                    && let Some(column) = scan.batch.column_by_name(column)
                {
                    keys.update(column, |row, summary| summary.update(&values[row..=row]));
                }
                return Ok(too_many(keys.len(), KEYS_MAX));
            }
            Need::Covariance(covariance) => {
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

    /// Whether steps of text come before the one that waits, so that raw values say nothing of what it sees.
    pub(crate) fn has_text_steps(&self) -> bool {
        self.nodes.iter().any(makes_text)
    }

    pub(crate) fn push(&mut self, node: Node) -> Result<(), TransformError> {
        self.stage = node.output(self.stage).map_err(|reason| self.does_not_apply(reason))?;
        if makes_text(&node) {
            self.counts = None;
        }
        if let (Node::Impute { value }, Some(counts)) = (&node, &mut self.counts) {
            counts.fill(value);
        }
        self.nodes.push(node);
        Ok(())
    }

    pub(crate) fn does_not_apply(&self, reason: String) -> TransformError {
        TransformError::Step {
            feature: self.config.name.clone(),
            origin: self.config.source.describe(),
            datatype: self.source.datatype(),
            reason,
        }
    }

    pub(crate) fn no_values(&self, step: &'static str) -> TransformError {
        TransformError::NoValues { feature: self.config.name.clone(), origin: self.config.source.describe(), step }
    }
}

fn makes_text(node: &Node) -> bool {
    matches!(node, Node::Lower | Node::Upper | Node::Strip | Node::RegexReplace { .. } | Node::RegexExtract { .. })
}

fn too_many(count: usize, limit: u64) -> Result<(), TooMany> {
    if count as u64 > limit { Err(TooMany) } else { Ok(()) }
}
