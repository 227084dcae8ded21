//! One feature on its way from steps to fitted nodes.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use tidemill_model::{BoundGraph, BoundSource, Feature, FeatureBlock, Node, Scalar, Stage, TransformGraph};

use crate::analyze::{DISTINCT_MAX, KeyCounts, Moments, NumberCounts, Quantiles, Range};
use crate::config::{FeatureConfig, ImputeWith, Step, stand_in};
use crate::error::TransformError;

/// A feature being fitted.
///
/// Steps turn into nodes first to last. One that needs the data waits for a scan, in which its analyzer sees the values
/// as the nodes before it make them, by the executor that serving runs; the next step that needs them waits for the
/// next scan. Counts of raw values serve all steps of a feature in one scan.
pub(crate) struct FeatureFit {
    config: FeatureConfig,
    source: BoundSource,
    /// The source over the columns of the scan's batches, which are not all of the table's.
    scanned: Option<BoundSource>,
    stage: Stage,
    nodes: Vec<Node>,
    next: usize,
    counts: Option<KeyCounts>,
    need: Option<Need>,
    bound: Option<BoundGraph>,
    block: FeatureBlock,
    pub(crate) warnings: Vec<String>,
}

/// What a step waits for.
enum Need {
    Keys(KeyCounts),
    Numbers(NumberCounts),
    Moments(Moments),
    Range(Range),
    Quantiles(Quantiles),
}

impl FeatureFit {
    /// Starts on the columns of `schema`. Steps that do not apply to them are an error before any scan.
    pub(crate) fn new(config: &FeatureConfig, schema: &Schema) -> Result<Self, TransformError> {
        let unfitted = Feature { name: config.name.clone(), source: config.source.clone(), nodes: Vec::new() };
        let source = unfitted.bind_source(schema)?;
        let fit = Self {
            config: config.clone(),
            stage: Stage::of(source.datatype()),
            source,
            scanned: None,
            nodes: Vec::new(),
            next: 0,
            counts: None,
            need: None,
            bound: None,
            block: FeatureBlock::new(),
            warnings: Vec::new(),
        };
        stand_in(config, fit.source.datatype()).map_err(|reason| fit.does_not_apply(reason))?;
        Ok(fit)
    }

    /// The columns it reads.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        self.source.inputs().iter().map(|input| input.name.as_str())
    }

    /// The fitted feature.
    pub(crate) fn definition(&self) -> Feature {
        Feature { name: self.config.name.clone(), source: self.config.source.clone(), nodes: self.nodes.clone() }
    }

    /// Fits as many steps as the data seen so far allows. `true`: a step waits for a scan.
    pub(crate) fn advance(&mut self) -> Result<bool, TransformError> {
        while let Some(step) = self.config.steps.get(self.next).cloned() {
            let Some(nodes) = self.without_scan(&step)? else {
                self.need = Some(self.need_of(&step));
                self.bound = None;
                self.scanned = None;
                return Ok(true);
            };
            for node in nodes {
                self.push(node)?;
            }
            self.next += 1;
        }
        Ok(false)
    }

    /// The nodes of a step that needs no scan, or no further one; `None` if it does.
    fn without_scan(&mut self, step: &Step) -> Result<Option<Vec<Node>>, TransformError> {
        let is_key = matches!(self.stage, Stage::Text | Stage::Int);
        let node = match step {
            Step::Numeric => return Ok(Some(Vec::new())),
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
            Step::OneHot { .. } if !is_key => Node::OneHot,
            Step::Clip { min, max } => Node::Clip { min: *min, max: *max },
            Step::Impute(ImputeWith::MostFrequent) if is_key => {
                let Some(counts) = &self.counts else { return Ok(None) };
                let value = counts.most_frequent();
                Node::Impute { value: value.ok_or_else(|| self.no_values("impute"))? }
            }
            Step::Vocabulary { top_k, frequency_threshold, oov_buckets } => {
                let Some(counts) = &self.counts else { return Ok(None) };
                let values = counts.vocabulary(*top_k, *frequency_threshold);
                self.warn_few("vocabulary", values.len());
                Node::Vocabulary { values, oov_buckets: *oov_buckets }
            }
            Step::Categorical => {
                let Some(counts) = &self.counts else { return Ok(None) };
                let values = counts.all();
                self.warn_few("categorical", values.len());
                Node::Categorical { values: Some(values) }
            }
            Step::OneHot { top_k, frequency_threshold, oov_buckets } => {
                let Some(counts) = &self.counts else { return Ok(None) };
                let (codes, listed) = if top_k.is_none() && frequency_threshold.is_none() && *oov_buckets == 0 {
                    let values = counts.all();
                    let listed = values.len();
                    (Node::Categorical { values: Some(values) }, listed)
                } else {
                    let values = counts.vocabulary(*top_k, *frequency_threshold);
                    let listed = values.len();
                    (Node::Vocabulary { values, oov_buckets: *oov_buckets }, listed)
                };
                if listed == 0 && *oov_buckets == 0 {
                    return Err(self.no_values("one_hot"));
                }
                self.warn_few("one_hot", listed);
                return Ok(Some(vec![codes, Node::OneHot]));
            }
            _ => return Ok(None),
        };
        Ok(Some(vec![node]))
    }

    fn need_of(&self, step: &Step) -> Need {
        let keys = || if self.stage == Stage::Text { KeyCounts::text() } else { KeyCounts::integers() };
        match step {
            Step::Vocabulary { .. } | Step::Categorical | Step::OneHot { .. } => Need::Keys(keys()),
            Step::Impute(ImputeWith::MostFrequent) if matches!(self.stage, Stage::Text | Stage::Int) => {
                Need::Keys(keys())
            }
            Step::Impute(ImputeWith::MostFrequent) => Need::Numbers(NumberCounts::default()),
            Step::MinMax { .. } => Need::Range(Range::default()),
            Step::Buckets(_) | Step::ClipQuantiles { .. } | Step::Impute(ImputeWith::Median) => {
                Need::Quantiles(Quantiles::default())
            }
            _ => Need::Moments(Moments::default()),
        }
    }

    /// Takes in a batch of the scan.
    pub(crate) fn update(&mut self, batch: &RecordBatch) -> Result<(), TransformError> {
        let Some(need) = &mut self.need else { return Ok(()) };
        let counted = if let Need::Keys(counts) = need {
            let source = match &mut self.scanned {
                Some(source) => source,
                unbound => {
                    let unfitted = Feature {
                        name: self.config.name.clone(),
                        source: self.config.source.clone(),
                        nodes: Vec::new(),
                    };
                    unbound.insert(unfitted.bind_source(batch.schema_ref())?)
                }
            };
            counts.update(&source.values(batch)?)
        } else {
            let bound = match &mut self.bound {
                Some(bound) => bound,
                unbound => {
                    let feature = Feature {
                        name: self.config.name.clone(),
                        source: self.config.source.clone(),
                        nodes: self.nodes.clone(),
                    };
                    let graph = TransformGraph::new(self.source.inputs().to_vec(), None, vec![feature])?;
                    unbound.insert(graph.bind(batch.schema_ref())?)
                }
            };
            bound.apply(batch, &mut self.block)?;
            // Of several columns the first holds the values; others are indicators.
            let values = self.block.columns.first().map_or(&[][..], Vec::as_slice);
            match need {
                Need::Moments(moments) => moments.update(values),
                Need::Range(range) => range.update(values),
                Need::Quantiles(quantiles) => quantiles.update(values),
                Need::Numbers(_) | Need::Keys(_) => {}
            }
            if let Need::Numbers(counts) = need { counts.update(values) } else { Ok(()) }
        };
        counted.map_err(|_too_many| TransformError::TooManyValues {
            feature: self.config.name.clone(),
            origin: self.config.source.describe(),
            limit: DISTINCT_MAX,
        })
    }

    /// Fits the step that waited for the scan just ended.
    pub(crate) fn finish_scan(&mut self) -> Result<(), TransformError> {
        let (Some(need), Some(step)) = (self.need.take(), self.config.steps.get(self.next).cloned()) else {
            return Ok(());
        };
        let number = |value: Option<f64>, this: &Self| {
            value.map(|value| Node::Impute { value: Scalar::Float(value) }).ok_or_else(|| this.no_values("impute"))
        };
        let node = match (step, need) {
            (_, Need::Keys(mut counts)) => {
                for node in &self.nodes {
                    if let Node::Impute { value } = node {
                        counts.fill(value);
                    }
                }
                self.counts = Some(counts);
                return Ok(());
            }
            (Step::Impute(_), Need::Numbers(counts)) => match (counts.most_frequent(), self.stage) {
                (Some(value), Stage::Bool) => Node::Impute { value: Scalar::Bool(value != 0.0) },
                (Some(value), Stage::Bucket(_)) => Node::Impute { value: Scalar::Int(value as i64) },
                (value, _) => number(value, self)?,
            },
            (Step::Impute(_), Need::Quantiles(quantiles)) => number(quantiles.finish().median(), self)?,
            (Step::Impute(_), Need::Moments(moments)) => number(moments.mean(), self)?,
            (Step::ZScore, Need::Moments(moments)) => {
                let (mean, std_dev) = (moments.mean().unwrap_or(0.0), moments.std_dev().unwrap_or(0.0));
                self.warn_constant(moments.mean().is_some(), std_dev == 0.0);
                Node::ZScore { mean, std_dev }
            }
            (Step::MinMax { output_min, output_max }, Need::Range(range)) => {
                let (min, max) = range.0.unwrap_or((0.0, 1.0));
                self.warn_constant(range.0.is_some(), min == max);
                Node::MinMax { min, max, output_min, output_max }
            }
            (Step::Buckets(buckets), Need::Quantiles(quantiles)) => {
                let boundaries = quantiles.finish().boundaries(buckets);
                self.warn_constant(!boundaries.is_empty(), false);
                Node::Bucketize { boundaries }
            }
            (Step::ClipQuantiles { low, high }, Need::Quantiles(quantiles)) => {
                let mut sorted = quantiles.finish();
                let (min, max) = (sorted.at(low), sorted.at(high));
                self.warn_constant(min.is_some(), false);
                Node::Clip { min, max }
            }
            _ => return Ok(()),
        };
        self.push(node)?;
        self.next += 1;
        Ok(())
    }

    fn push(&mut self, node: Node) -> Result<(), TransformError> {
        self.stage = node.output(self.stage).map_err(|reason| self.does_not_apply(reason))?;
        if let (Node::Impute { value }, Some(counts)) = (&node, &mut self.counts) {
            counts.fill(value);
        }
        self.nodes.push(node);
        Ok(())
    }

    fn does_not_apply(&self, reason: String) -> TransformError {
        TransformError::Step {
            feature: self.config.name.clone(),
            origin: self.config.source.describe(),
            datatype: self.source.datatype(),
            reason,
        }
    }

    fn no_values(&self, step: &'static str) -> TransformError {
        TransformError::NoValues { feature: self.config.name.clone(), origin: self.config.source.describe(), step }
    }

    fn warn_constant(&mut self, has_values: bool, is_constant: bool) {
        let (feature, origin) = (&self.config.name, self.config.source.describe());
        if !has_values {
            self.warnings.push(format!("feature `{feature}`: {origin} has no value in the train split"));
        } else if is_constant {
            self.warnings.push(format!("feature `{feature}`: {origin} never varies in the train split"));
        }
    }

    fn warn_few(&mut self, step: &str, listed: usize) {
        if listed < 2 {
            let (feature, origin) = (&self.config.name, self.config.source.describe());
            let count = if listed == 0 { "no value" } else { "one value" };
            self.warnings.push(format!("feature `{feature}`: `{step}` of {origin} lists {count}"));
        }
    }
}
