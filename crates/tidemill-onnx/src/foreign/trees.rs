//! Runs tree ensembles of other programs on the native executor.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use tidemill_core::{DataType, Signature, TensorGroup, TensorSpec};

use super::link::Link;
use tidemill_model::trees::Tree;
use tidemill_model::{
    BatchBuilder, Feature, Features, ImportedParts, ModelError, Runtime, Source, Strictness, Task, TransformGraph,
    TreeEnsemble,
};

/// More features than any of these programs supports in training.
pub(super) const FEATURES_MAX: usize = 1 << 20;

/// The preprocessing of a feature before the trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preprocessing {
    /// Unchanged.
    Plain,
    /// A number that is 0, or indistinguishable from it, is missing.
    ZeroIsMissing,
}

/// A tree model as described by a file.
pub(crate) struct Description {
    /// The name of the format.
    pub(super) format: &'static str,
    pub(super) features: Vec<(String, Preprocessing)>,
    /// The trees of each sum, and its initial value.
    pub(super) sums: Vec<(f64, Vec<Tree>)>,
    /// What each feature is multiplied by in each sum, in a linear model; a missing value adds nothing.
    pub(super) linear: Vec<Vec<f64>>,
    /// The factor of every sum.
    pub(super) scale: f64,
    pub(super) link: Link,
    pub(super) facts: Vec<(&'static str, String)>,
}

/// The trees of a model of another program, to be trained further.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignTrees {
    /// Names of the features, in the order in which trees number them.
    pub features: Vec<String>,
    /// What the predictions are of the sums.
    pub link: ForeignLink,
    /// The trees of each sum, and its initial value.
    pub sums: Vec<(f64, Vec<Tree>)>,
}

/// What predictions are of sums of trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignLink {
    /// A number of the only sum.
    One(tidemill_model::trees::Link),
    /// The softmax of all sums.
    Softmax,
}

#[derive(Debug)]
struct TreeRuntime {
    features: Features,
    sums: Vec<TreeEnsemble>,
    linear: Vec<Vec<f64>>,
    scale: f64,
    link: Link,
}

impl Description {
    /// Returns the trees, or why they cannot be trained further.
    pub(crate) fn trees(self) -> Result<ForeignTrees, String> {
        use tidemill_model::trees::Link as One;
        let link = match (self.link, self.sums.len()) {
            (Link::Identity, 1) => ForeignLink::One(One::Identity),
            (Link::Logistic, 1) => ForeignLink::One(One::Logistic),
            (Link::Exp, 1) => ForeignLink::One(One::Exp),
            (Link::Softmax, _) => ForeignLink::Softmax,
            (_, sums) => return Err(format!("its {sums} sums of trees are not what a training here learns")),
        };
        if !self.linear.is_empty() {
            return Err("it is a linear model, and only trees are trained further".to_owned());
        }
        if self.scale != 1.0 {
            return Err(format!("its sums are multiplied by {}, and those of a training here are not", self.scale));
        }
        if let Some((name, _)) = self.features.iter().find(|(_, reading)| *reading != Preprocessing::Plain) {
            return Err(format!("0 is a missing value of the feature `{name}`, and in a training here it is a number"));
        }
        let features = self.features.into_iter().map(|(name, _)| name).collect();
        Ok(ForeignTrees { features, link, sums: self.sums })
    }

    /// Returns the model, or why it cannot run.
    pub(super) fn build(self) -> Result<ImportedParts, String> {
        let Self { format, features, sums, linear, scale, link, mut facts } = self;
        let count = features.len();
        if count > FEATURES_MAX {
            return Err(format!("{count} features are more than {FEATURES_MAX}"));
        }
        let input = |name: &String| TensorSpec::new(name.clone(), DataType::Fp64, true);
        let inputs: Vec<TensorSpec> = features.iter().map(|(name, _)| input(name)).collect();
        let features = features.into_iter().map(|(name, reading)| feature(name, reading)).collect();
        let graph = TransformGraph::new(inputs.clone(), None, features).map_err(|error| error.to_string())?;
        let trees: usize = sums.iter().map(|(_, trees)| trees.len()).sum();
        let leaves = sums.iter().flat_map(|(_, trees)| trees).map(Tree::leaves).max().unwrap_or(0);
        if linear.is_empty() {
            facts.push(("trees", format!("{trees} of up to {leaves} leaves")));
        }
        let mut ensembles = Vec::with_capacity(sums.len());
        for (start, trees) in sums {
            let ensemble = TreeEnsemble::new(Task::Regression, count, start, trees);
            ensembles.push(ensemble.map_err(|error| error.to_string())?);
        }
        let task = match (link, ensembles.len()) {
            (Link::Logistic, 1) => Some(Task::Binary),
            (_, 1) | (Link::Largest, _) => Some(Task::Regression),
            _ => None,
        };
        let (outputs, output_groups) = outputs(task.as_ref(), ensembles.len(), link);
        let signature = Signature { inputs, outputs, output_groups, ..Signature::default() };
        let features = Features::new(graph).map_err(|error| error.to_string())?;
        let runtime = Box::new(TreeRuntime { features, sums: ensembles, linear, scale, link });
        Ok(ImportedParts { format, signature, task, runtime, tensors: None, facts })
    }
}

/// One number has the name of the task's output; several are one tensor, a column for each class or target.
fn outputs(task: Option<&Task>, count: usize, link: Link) -> (Vec<TensorSpec>, Vec<TensorGroup>) {
    let output = |name: String| TensorSpec::new(name, DataType::Fp64, false);
    if let Some(task) = task {
        return (vec![output(task.output_name().to_owned())], Vec::new());
    }
    let name = if link == Link::Identity { "predictions" } else { "probabilities" };
    let outputs = (0..count).map(|at| output(format!("{name}[{at}]"))).collect();
    (outputs, vec![TensorGroup { name: name.to_owned(), first: 0, count }])
}

fn feature(name: String, reading: Preprocessing) -> Feature {
    match reading {
        Preprocessing::Plain => Feature::new(name.clone(), name, Vec::new()),
        Preprocessing::ZeroIsMissing => {
            // LightGBM's kZeroThreshold, 1e-35 in 32 bits.
            let zero = f64::from(1e-35_f32);
            let column = name.replace('"', "\"\"");
            let text = format!("case when \"{column}\" between -{zero:e} and {zero:e} then null else \"{column}\" end");
            Feature { name, source: Source::Expression(text), mappers: Vec::new() }
        }
    }
}

impl Runtime for TreeRuntime {
    fn run(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>, ModelError> {
        let mut columns = self.features.with_block(batch, |block| {
            let scores = |(at, ensemble): (usize, &TreeEnsemble)| {
                let mut out = Vec::new();
                ensemble.scores(block, &mut out);
                for (values, weight) in block.columns.iter().zip(self.linear.get(at).into_iter().flatten()) {
                    for (score, value) in out.iter_mut().zip(values).filter(|(_, value)| !value.is_nan()) {
                        *score += value * weight;
                    }
                }
                out
            };
            self.sums.iter().enumerate().map(scores).collect::<Vec<_>>()
        })?;
        if self.scale != 1.0 {
            columns.iter_mut().flatten().for_each(|score| *score *= self.scale);
        }
        self.link.apply(&mut columns);
        Ok(columns.into_iter().map(|values| Arc::new(Float64Array::from(values)) as ArrayRef).collect())
    }

    fn builder(&self, rows: usize) -> BatchBuilder {
        self.features.builder(rows, Strictness::Checked)
    }
}
