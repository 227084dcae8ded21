//! Random forests as a learner of the `Trainer`.

use rayon::prelude::*;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use tidemill_core::{Code, ComponentError, ParamIssue, SplitMix64, Task, TaskKind};
use tidemill_model::{FeatureBlock, ForestModel, ModelError, TreeEnsemble};

use super::grow::{ForestTree, Limits};
use super::out_of_bag::OutOfBag;
use super::params::RandomForest;
use super::rows::{ForestRows, Labels};
use crate::bin_columns::BinColumns;
use crate::gbdt::Binning;
use crate::learner::{
    Estimator, FittedLearner, Importance, Judged, Learner, Measure, StartPoint, TrainingData, centre_and_unit,
    loss_text, side_by_side,
};

/// Trees that are grown side by side before they are counted, whatever the number of threads.
const TOGETHER: usize = 16;
const ROWS_STREAM: u64 = 0x726f_7773;
const TREE_STREAM: u64 = 0x7472_6565;
/// Nodes of all trees together: more would not fit into memory when served.
const NODES_MAX: usize = 200_000_000;

/// Random forests.
#[derive(Debug, Clone, Copy)]
pub struct ForestLearner;

impl Learner for ForestLearner {
    fn name(&self) -> &'static str {
        "random_forest"
    }

    fn params_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<RandomForest>()
    }

    fn space(&self) -> Option<Value> {
        Some(json!({
            "trees": 300,
            "min_leaf": { "int": [1, 32], "log": true },
            "features_per_split": { "float": [0.1, 1.0] },
            "sample_share": { "float": [0.5, 1.0] },
            "extra_trees": [false, true],
        }))
    }

    fn starts(&self, _task: TaskKind) -> Vec<StartPoint> {
        let start = |cost: u32, min_leaf: u32, features: f64, extra: bool| {
            let params = json!({
                "min_leaf": min_leaf, "features_per_split": features, "sample_share": 1.0, "extra_trees": extra,
            });
            StartPoint::new(cost, params)
        };
        vec![start(9, 5, 0.3, true), start(10, 5, 0.3, false), start(16, 1, 0.5, true)]
    }

    fn configure(&self, params: &Value) -> Result<Box<dyn Estimator>, Vec<ParamIssue>> {
        Ok(Box::new(RandomForest::parse(params)?))
    }
}

/// A forest before it is a model.
struct Forest {
    trees: Vec<ForestTree>,
    out_of_bag: OutOfBag,
}

impl Estimator for RandomForest {
    fn tasks(&self) -> &'static [TaskKind] {
        &[TaskKind::Binary, TaskKind::MultiClass, TaskKind::Regression]
    }

    fn params(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn needs_validation(&self) -> bool {
        false
    }

    fn fit(&self, data: &TrainingData<'_>) -> Result<FittedLearner, ComponentError> {
        let rows = data.train.rows();
        let bins = BinColumns::read(data, self.max_bin)?;
        let labels = data.train.labels();
        let centre = if *data.task == Task::Regression { centre_and_unit(labels).0 } else { 0.0 };
        let weights = data.train.weights();
        let of_rows = ForestRows {
            bins,
            labels: Labels::new(data.task, labels, centre),
            weights: weights.map(<[f64]>::to_vec),
            rows,
        };
        let binning = &of_rows.bins.binning;

        let forest = self.grow(data, &of_rows)?;
        data.progress.phase("judging");
        let model = model(data.task, &forest.trees, binning, centre)?;
        let predict = |block: &FeatureBlock| side_by_side(block, data.cancel, |part, _| model.predict(part));
        let judged = Judged::new(&predict, data)?;
        let mut sums = vec![[0.0; 2]; data.features.len()];
        forest.trees.iter().for_each(|tree| tree.add_importance(binning, &mut sums));
        let leaves: usize = forest.trees.iter().map(ForestTree::leaves).sum();
        let mut facts = Map::from_iter([
            ("trees".to_owned(), json!(self.trees)),
            ("leaves_per_tree".to_owned(), json!(leaves / forest.trees.len().max(1))),
        ]);
        let properties = Map::from_iter([("trees".to_owned(), json!(self.trees))]);
        let noun = if self.trees == 1 { "tree" } else { "trees" };
        let mut headline = format!("{} {noun}{}", self.trees, judged.headline);
        if let Some(metrics) = forest.out_of_bag.metrics(data.task, labels, weights, centre) {
            headline = format!("{} {noun}, out-of-bag {}", self.trees, loss_text(&metrics));
            if data.validation.is_some() {
                headline += &judged.headline;
            }
            facts.insert("out_of_bag".to_owned(), metrics.into());
        }
        Ok(FittedLearner {
            train_metrics: judged.train,
            validation_metrics: judged.validation,
            facts,
            properties,
            importance: Some(Importance {
                measures: vec![Measure { name: "gain", is_count: false }, Measure { name: "splits", is_count: true }],
                values: sums.into_iter().map(|sum| sum.to_vec()).collect(),
            }),
            headline,
            warnings: of_rows.bins.warnings(data.features),
            learner: tidemill_model::Learner::Forest(model),
        })
    }
}

impl RandomForest {
    fn grow(&self, data: &TrainingData<'_>, rows: &ForestRows) -> Result<Forest, ComponentError> {
        data.progress.total(u64::from(self.trees), "trees");
        let limits = Limits {
            max_depth: self.max_depth.unwrap_or(u32::MAX),
            min_leaf: self.min_leaf,
            min_split: self.min_split,
            tried: self.tried(rows.bins.columns.len(), *data.task == Task::Regression),
            extra_trees: self.extra_trees,
        };
        let seed =
            |stream: u64, tree: usize| SplitMix64::hash(data.seed ^ SplitMix64::hash(stream ^ (tree as u64) << 32));
        let mut forest = Forest { trees: Vec::new(), out_of_bag: OutOfBag::new(rows) };
        let mut nodes = 0;
        for first in (0..self.trees as usize).step_by(TOGETHER) {
            let numbers = first..(first + TOGETHER).min(self.trees as usize);
            let grown: Vec<(ForestTree, Vec<f64>)> = numbers
                .into_par_iter()
                .map(|number| {
                    data.cancel.check()?;
                    let counts = rows.draw(self.sample_share, self.replaces(), seed(ROWS_STREAM, number));
                    let tree = ForestTree::grow(rows, &counts, limits, seed(TREE_STREAM, number));
                    data.progress.advance(1);
                    Ok((tree, counts))
                })
                .collect::<Result<_, ComponentError>>()?;
            for (tree, counts) in grown {
                forest.out_of_bag.add(&tree, rows, &counts);
                nodes += 2 * tree.leaves() * rows.labels.sums();
                forest.trees.push(tree);
            }
            if nodes > NODES_MAX {
                let message = format!("the first {} trees have {nodes} nodes, too many to serve", forest.trees.len());
                return Err(ComponentError::new(Code::Params, message)
                    .with_hint("give fewer `trees`, a larger `min_leaf` or a `max_depth`"));
            }
            data.progress.phase(&format!("tree {} of {}", forest.trees.len(), self.trees));
        }
        Ok(forest)
    }
}

/// The mean of the trees, as sums of trees whose leaves are divided by their number.
pub(super) fn model(
    task: &Task,
    trees: &[ForestTree],
    binning: &Binning,
    centre: f64,
) -> Result<ForestModel, ComponentError> {
    let factor = 1.0 / trees.len().max(1) as f64;
    let sum = |at: usize| {
        let trees: Result<Vec<_>, ModelError> =
            trees.par_iter().map(|tree| tree.to_tree(binning, at, factor)).collect();
        TreeEnsemble::new(Task::Regression, binning.features, centre, trees?)
    };
    let sums = (0..task.columns()).map(sum).collect::<Result<_, ModelError>>()?;
    Ok(ForestModel::new(task.clone(), sums)?)
}
