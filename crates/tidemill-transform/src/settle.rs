//! The nodes of a step once what it waited for is known.

use tidemill_model::{Keys, Node, Scalar, Stage};

use crate::analyze::{KeyCounts, Keyed, LabelSums, WordCounts, fit_tukey, select_texts, select_wholes};
use crate::config::{Choice, ImputeWith, Step};
use crate::error::TransformError;
use crate::feature::FeatureFit;
use crate::need::{Need, Summary};

impl FeatureFit {
    /// Fits the step that waited for the scan just ended.
    pub(crate) fn finish_scan(&mut self) -> Result<(), TransformError> {
        let (Some(need), Some(step)) = (self.need.take(), self.config.steps.get(self.next).cloned()) else {
            return Ok(());
        };
        let nodes = match (&step, need) {
            (_, Need::Keys(mut counts)) => {
                // Behind steps of text they are filled already.
                if !self.has_text_steps() {
                    self.fill(&mut counts);
                }
                self.counts = Some(counts);
                return Ok(());
            }
            (Step::Vocabulary(choice) | Step::OneHot(choice), Need::Labels(sums)) => {
                let values = self.most_informative(&sums, choice)?;
                self.listed(&step, choice, values)?
            }
            (Step::Vocabulary(choice) | Step::OneHot(choice), Need::Weights(keys)) => {
                let values = self.heaviest(&keys, choice)?;
                self.listed(&step, choice, values)?
            }
            (Step::TargetEncode { smoothing, .. }, Need::Labels(sums)) => {
                let (values, full, folds) = sums.encode(*smoothing).ok_or_else(|| self.no_values("target_encode"))?;
                self.warn_few("target_encode", values.len());
                vec![Node::TargetEncode { values, full, folds }]
            }
            (Step::MultiHot(choice) | Step::BagOfWords(choice) | Step::TfIdf { choice, .. }, Need::Words(counts)) => {
                vec![self.bag(&step, choice, &counts)?]
            }
            (Step::Impute(_), Need::Numbers(counts)) => {
                let value = counts.most_frequent().ok_or_else(|| self.no_values("impute"))?;
                vec![Node::Impute {
                    value: match self.stage {
                        Stage::Bool => Scalar::Bool(value != 0.0),
                        Stage::Bucket(_) => Scalar::Int(value as i64),
                        _ => Scalar::Float(value),
                    },
                }]
            }
            (Step::Pca(count), Need::Covariance(covariance)) => {
                let means = covariance.means().ok_or_else(|| self.no_values("pca"))?.to_vec();
                vec![Node::Project { means, components: covariance.directions(*count as usize) }]
            }
            (Step::By { column, step }, Need::By(keys, all)) => vec![self.by_key(column, step, &keys, all)?],
            (step, Need::Summary(summary)) => {
                let (node, is_constant) = self.numeric(step, summary)?;
                self.warn_constant(node.is_some(), is_constant);
                self.saw_nothing |= node.is_none();
                vec![node.unwrap_or_else(|| empty(step))]
            }
            _ => return Ok(()),
        };
        for node in nodes {
            self.push(node)?;
        }
        self.next += 1;
        Ok(())
    }

    /// The nodes of a step of values that have been counted; `None` if they have not been yet.
    pub(crate) fn counted(&mut self, step: &Step) -> Result<Option<Vec<Node>>, TransformError> {
        let Some(counts) = &self.counts else { return Ok(None) };
        Ok(Some(match step {
            Step::Impute(_) => {
                vec![Node::Impute { value: counts.most_frequent().ok_or_else(|| self.no_values("impute"))? }]
            }
            Step::Categorical => {
                let values = counts.all();
                self.warn_few("categorical", values.len());
                vec![Node::Categorical { values: Some(values) }]
            }
            Step::Frequency => {
                let (values, shares) = counts.shares();
                self.warn_few("frequency", values.len());
                vec![Node::Frequency { values, shares }]
            }
            Step::OneHot(choice) if choice.is_all() => {
                let values = counts.all();
                if values.is_empty() {
                    return Err(self.no_values("one_hot"));
                }
                self.warn_few("one_hot", values.len());
                vec![Node::Categorical { values: Some(values) }, Node::OneHot]
            }
            Step::Vocabulary(choice) | Step::OneHot(choice) => {
                let values = counts.vocabulary(choice).map_err(|reason| self.does_not_apply(reason))?;
                self.listed(step, choice, values)?
            }
            _ => return Ok(None),
        }))
    }

    /// The nodes of a vocabulary whose values are known.
    fn listed(&mut self, step: &Step, choice: &Choice, values: Keys) -> Result<Vec<Node>, TransformError> {
        let (listed, oov_buckets) = (values.len(), choice.oov_buckets);
        let vocabulary = Node::Vocabulary { values, oov_buckets };
        if !matches!(step, Step::OneHot(_)) {
            self.warn_few("vocabulary", listed);
            return Ok(vec![vocabulary]);
        }
        if listed == 0 && oov_buckets == 0 {
            return Err(self.no_values("one_hot"));
        }
        self.warn_few("one_hot", listed);
        Ok(vec![vocabulary, Node::OneHot])
    }

    fn most_informative(&self, sums: &LabelSums, choice: &Choice) -> Result<Keys, TransformError> {
        if !sums.is_binary() {
            return Err(
                self.does_not_apply("mutual information is with a label of 0 and 1, and this one is not".into())
            );
        }
        let (keys, rows) = sums.information();
        let selected = match keys {
            Keys::Strings(keys) => {
                select_texts(keys.into_iter().zip(rows).map(|(key, (n, score))| (key, n, score)).collect(), choice)
            }
            Keys::Integers(keys) => {
                select_wholes(keys.into_iter().zip(rows).map(|(key, (n, score))| (key, n, score)).collect(), choice)
            }
        };
        selected.map_err(|reason| self.does_not_apply(reason))
    }

    fn heaviest(&self, weights: &Keyed<(u64, f64)>, choice: &Choice) -> Result<Keys, TransformError> {
        let (keys, rows) = weights.sorted();
        let selected = match keys {
            Keys::Strings(keys) => {
                select_texts(keys.into_iter().zip(rows).map(|(key, (n, sum))| (key, *n, *sum)).collect(), choice)
            }
            Keys::Integers(keys) => {
                select_wholes(keys.into_iter().zip(rows).map(|(key, (n, sum))| (key, *n, *sum)).collect(), choice)
            }
        };
        selected.map_err(|reason| self.does_not_apply(reason))
    }

    fn bag(&mut self, step: &Step, choice: &Choice, counts: &WordCounts) -> Result<Node, TransformError> {
        let rows = counts.occurrences().into_iter().map(|(word, n)| (word, n, n as f64)).collect();
        let values = select_texts(rows, choice).map_err(|reason| self.does_not_apply(reason))?;
        let name = match step {
            Step::MultiHot(_) => "multi_hot",
            Step::BagOfWords(_) => "bag_of_words",
            _ => "tf_idf",
        };
        if values.is_empty() && choice.oov_buckets == 0 {
            return Err(self.no_values(name));
        }
        self.warn_few(name, values.len());
        let oov_buckets = choice.oov_buckets;
        Ok(match (step, values) {
            (Step::MultiHot(_), values) => Node::MultiHot { values, oov_buckets },
            (Step::TfIdf { smooth, .. }, Keys::Strings(words)) => {
                let idf = counts.idf(&words, *smooth);
                Node::TfIdf { values: Keys::Strings(words), idf }
            }
            (_, values) => Node::BagOfWords { values, oov_buckets },
        })
    }

    fn by_key(
        &mut self,
        column: &str,
        step: &Step,
        keys: &Keyed<Summary>,
        all: Summary,
    ) -> Result<Node, TransformError> {
        let (other, is_constant) = self.numeric(step, all)?;
        self.warn_constant(other.is_some(), is_constant);
        let other = other.unwrap_or_else(|| empty(step));
        let (values, summaries) = keys.sorted();
        let mut nodes = Vec::with_capacity(summaries.len());
        for summary in summaries {
            // A key all of whose values are missing is as good as one not seen.
            nodes.push(self.numeric(step, summary.clone())?.0.unwrap_or_else(|| other.clone()));
        }
        Ok(Node::ByKey { column: column.to_owned(), values, nodes, other: Box::new(other) })
    }

    /// The node of a step over numbers, and whether they never vary; no node without any number.
    fn numeric(&self, step: &Step, summary: Summary) -> Result<(Option<Node>, bool), TransformError> {
        Ok(match (step, summary) {
            (Step::Impute(ImputeWith::Median), Summary::Quantiles(quantiles)) => {
                let value = quantiles.finish().median().ok_or_else(|| self.no_values("impute"))?;
                (Some(Node::Impute { value: Scalar::Float(value) }), false)
            }
            (Step::Impute(_), Summary::Moments(moments)) => {
                let value = moments.mean().ok_or_else(|| self.no_values("impute"))?;
                (Some(Node::Impute { value: Scalar::Float(value) }), false)
            }
            (_, Summary::Moments(moments)) => match (moments.mean(), moments.std_dev()) {
                (Some(mean), Some(std_dev)) => (Some(Node::ZScore { mean, std_dev }), std_dev == 0.0),
                _ => (None, false),
            },
            (Step::MinMax { output_min, output_max }, Summary::Range(range)) => match range.0 {
                Some((min, max)) => {
                    let (output_min, output_max) = (*output_min, *output_max);
                    (Some(Node::MinMax { min, max, output_min, output_max }), min == max)
                }
                None => (None, false),
            },
            (step, Summary::Quantiles(quantiles)) => {
                let mut sorted = quantiles.finish();
                let node = match step {
                    Step::Buckets(buckets) => {
                        let boundaries = sorted.boundaries(*buckets);
                        (!boundaries.is_empty()).then_some(Node::Bucketize { boundaries })
                    }
                    Step::ClipQuantiles { low, high } => {
                        let (min, max) = (sorted.at(*low), sorted.at(*high));
                        min.is_some().then_some(Node::Clip { min, max })
                    }
                    Step::ClipTukey(distance) => sorted.between(0.25).zip(sorted.between(0.75)).map(|(low, high)| {
                        let width = (high - low) * distance;
                        Node::Clip { min: Some(low - width), max: Some(high + width) }
                    }),
                    Step::Robust { low, high } => {
                        let range = sorted.between(*low).zip(sorted.between(*high)).map(|(low, high)| high - low);
                        sorted.median().zip(range).map(|(median, range)| Node::Robust { median, range })
                    }
                    Step::Gaussian => fit_tukey(&sorted.sample()).map(|fitted| Node::Gaussian {
                        location: fitted.location,
                        scale: fitted.scale,
                        h_left: fitted.h_left,
                        h_right: fitted.h_right,
                    }),
                    Step::Interpolate(buckets) => {
                        edges(&mut sorted, *buckets).map(|boundaries| Node::Interpolate { boundaries })
                    }
                    Step::Density(buckets) => density(&mut sorted, *buckets),
                    _ => None,
                };
                let is_constant = match &node {
                    Some(Node::Robust { range, .. }) => *range == 0.0,
                    Some(Node::Gaussian { scale, .. }) => *scale == 0.0,
                    _ => false,
                };
                (node, is_constant)
            }
            _ => (None, false),
        })
    }

    /// Counts missing values as what the steps so far fill them with.
    fn fill(&self, counts: &mut KeyCounts) {
        for node in &self.nodes {
            if let Node::Impute { value } = node {
                counts.fill(value);
            }
        }
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

/// The node of a step over numbers that has none to fit: it is never asked about any that counted.
fn empty(step: &Step) -> Node {
    match step {
        Step::MinMax { output_min, output_max } => {
            Node::MinMax { min: 0.0, max: 1.0, output_min: *output_min, output_max: *output_max }
        }
        Step::Buckets(_) => Node::Bucketize { boundaries: Vec::new() },
        Step::ClipQuantiles { .. } | Step::ClipTukey(_) => Node::Clip { min: None, max: None },
        Step::Robust { .. } => Node::Robust { median: 0.0, range: 0.0 },
        Step::Gaussian => Node::Gaussian { location: 0.0, scale: 0.0, h_left: 0.0, h_right: 0.0 },
        Step::Interpolate(_) => Node::Interpolate { boundaries: vec![0.0, 1.0] },
        Step::Density(_) => Node::Density { boundaries: vec![0.0, 1.0], densities: vec![0.0] },
        _ => Node::ZScore { mean: 0.0, std_dev: 0.0 },
    }
}

/// The smallest value, the boundaries of buckets of equal share, and the largest; at least two, each once.
fn edges(sorted: &mut crate::analyze::Sorted, buckets: u32) -> Option<Vec<f64>> {
    let (min, max) = (sorted.at(0.0)?, sorted.at(1.0)?);
    let mut edges = vec![min];
    edges.extend(sorted.boundaries(buckets));
    edges.push(max);
    edges.dedup();
    if edges.len() < 2 {
        // One single value: the step from below it to it.
        edges = vec![min - 1.0, min];
    }
    edges.is_sorted_by(|a, b| a < b).then_some(edges)
}

/// A histogram of buckets of equal width, as densities.
fn density(sorted: &mut crate::analyze::Sorted, buckets: u32) -> Option<Node> {
    let (min, max) = (sorted.at(0.0)?, sorted.at(1.0)?);
    let sample = sorted.sample();
    let (min, width) =
        if max > min { (min, (max - min) / f64::from(buckets)) } else { (min - 0.5, 1.0 / f64::from(buckets)) };
    let mut boundaries: Vec<f64> = (0..=buckets).map(|i| min + f64::from(i) * width).collect();
    boundaries.dedup();
    if boundaries.len() < 2 || !boundaries.is_sorted_by(|a, b| a < b) {
        return None;
    }
    let mut counts = vec![0_u64; boundaries.len() - 1];
    let last = counts.len() - 1;
    for value in &sample {
        let bucket = boundaries.partition_point(|boundary| boundary <= value).saturating_sub(1).min(last);
        counts[bucket] += 1;
    }
    let share =
        |(at, count): (usize, &u64)| *count as f64 / sample.len() as f64 / (boundaries[at + 1] - boundaries[at]);
    let densities = counts.iter().enumerate().map(share).collect();
    Some(Node::Density { boundaries, densities })
}
