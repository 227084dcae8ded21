//! Additive models as a learner of the `Trainer`.

use rayon::prelude::*;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Value, json};
use tidemill_core::{Code, ComponentError, ParamIssue, SplitMix64, Task, TaskKind, suggest};
use tidemill_model::{AdditiveModel, FeatureBlock};

use super::bag::{Bag, BagFit};
use super::gradients::Scored;
use super::pairs::{PairAxes, choose};
use super::params::Additive;
use super::rows::{AdditiveRows, Kind};
use super::shape;
use super::tidy::{Functions, mean};
use crate::bin_columns::BinColumns;
use crate::gbdt::Direction;
use crate::learner::{
    Estimator, FittedLearner, Importance, Judged, Learner, Measure, StartPoint, TrainingData, centre_and_unit,
    definitions, object,
};

const BAG_STREAM: u64 = 0x6261_6773;
const PAIR_STREAM: u64 = 0x7061_6972;
/// Rows for each pair at least by default: on tables of some hundred rows more pairs than that raise the loss on others.
const ROWS_OF_PAIR: usize = 200;

/// Additive models.
#[derive(Debug, Clone, Copy)]
pub struct AdditiveLearner;

impl Learner for AdditiveLearner {
    fn name(&self) -> &'static str {
        "additive"
    }

    fn params_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Additive>()
    }

    /// As the searches of `TabArena` (2025), with rates that take less time.
    fn space(&self) -> Option<Value> {
        Some(json!({
            "learning_rate": { "float": [0.005, 0.2], "log": true },
            "leaves": { "int": [2, 4] },
            "min_leaf": { "int": [2, 32], "log": true },
            "smoothing_rounds": { "int": [0, 500], "step": 50 },
            "interactions": { "int": [0, 30] },
        }))
    }

    fn starts(&self, _task: TaskKind) -> Vec<StartPoint> {
        let start = |cost: u32, learning_rate: f64, leaves: u32, pairs: u32| {
            let params = json!({
                "learning_rate": learning_rate, "leaves": leaves, "min_leaf": 4, "smoothing_rounds": 100,
                "interactions": pairs,
            });
            StartPoint::new(cost, params)
        };
        vec![start(12, 0.05, 2, 0), start(40, 0.02, 3, 10)]
    }

    fn configure(&self, params: &Value) -> Result<Box<dyn Estimator>, Vec<ParamIssue>> {
        Ok(Box::new(Additive::parse(params)?))
    }
}

/// The functions of all bags, averaged, and what came of each bag.
pub(super) struct Boosted {
    pub(super) functions: Functions,
    fits: Vec<BagFit>,
}

impl Estimator for Additive {
    fn tasks(&self) -> &'static [TaskKind] {
        &[TaskKind::Binary, TaskKind::MultiClass, TaskKind::Regression]
    }

    fn params(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn needs_validation(&self) -> bool {
        // Each bag keeps rows of its own aside, so that together they learn from all.
        false
    }

    fn fit(&self, data: &TrainingData<'_>) -> Result<FittedLearner, ComponentError> {
        let bins = BinColumns::read(data, self.max_bin)?;
        let warnings = bins.warnings(data.features);
        let labels = data.train.labels();
        let (centre, unit) = if *data.task == Task::Regression { centre_and_unit(labels) } else { (0.0, 1.0) };
        let rows = AdditiveRows {
            bins,
            targets: labels.iter().map(|label| ((label - centre) / unit) as f32).collect(),
            weights: data.train.weights().map(|weights| weights.iter().map(|weight| *weight as f32).collect()),
            scores: data.task.columns(),
            kind: match data.task {
                Task::Binary => Kind::Binary,
                Task::MultiClass { .. } => Kind::Classes,
                _ => Kind::Amount,
            },
        };
        let directions = self.directions(data, &rows)?;
        data.progress.total(2 * u64::from(self.bags), "bags");
        data.progress.phase("functions of features");
        let watch = |bag: Option<u32>| {
            if bag.is_some() {
                data.progress.advance(1);
            }
            data.cancel.check()
        };
        let free: Vec<usize> = (0..rows.bins.columns.len()).filter(|at| directions[*at] == 0.0).collect();
        let Boosted { mut functions, fits } = self.boost(data.task, &rows, &free, data.seed, watch)?;

        functions.centre(&rows);
        for (at, direction) in directions.iter().enumerate().filter(|(_, direction)| **direction != 0.0) {
            functions.make_monotone(&rows, at, *direction);
        }
        let of_unit = |values: &mut Vec<f64>| values.iter_mut().for_each(|value| *value *= unit);
        functions.single.iter_mut().for_each(of_unit);
        functions.pairs.iter_mut().for_each(|(_, values)| of_unit(values));
        of_unit(&mut functions.intercepts);
        functions.intercepts.iter_mut().for_each(|intercept| *intercept += centre);

        data.progress.phase("judging");
        let terms = shape::terms(&functions, &rows);
        let model = AdditiveModel::new(data.task.clone(), data.features.len(), functions.intercepts.clone(), terms)?;
        let predict = |block: &FeatureBlock| Ok(model.predict(block));
        let judged = Judged::new(&predict, data)?;
        let effects = functions.effects(&rows);
        let [shapes, interactions] = shape::facts(&functions, &rows, &definitions(data.train.graph), &effects);
        let mut of_feature = vec![0.0; data.features.len()];
        let number = |at: usize| rows.bins.binning.used[at].feature as usize;
        effects.0.iter().enumerate().for_each(|(at, effect)| of_feature[number(at)] += effect);
        for ((pair, _), effect) in functions.pairs.iter().zip(&effects.1) {
            [&pair.first, &pair.second].iter().for_each(|axis| of_feature[number(axis.used)] += effect / 2.0);
        }
        let pairs = functions.pairs.len();
        let facts = json!({
            "bags": self.bags,
            "curve": curve(data.task, &fits, unit),
            "interactions": interactions,
            "shapes": shapes,
        });
        let count = functions.single.len();
        Ok(FittedLearner {
            train_metrics: judged.train,
            validation_metrics: judged.validation,
            facts: object(facts),
            properties: object(json!({ "features": count, "pairs": pairs })),
            importance: Some(Importance {
                measures: vec![Measure { name: "effect", is_count: false }],
                values: of_feature.into_iter().map(|effect| vec![effect]).collect(),
            }),
            headline: format!("functions of {count} features and {pairs} pairs{}", judged.headline),
            warnings,
            learner: tidemill_model::Learner::Additive(model),
        })
    }
}

impl Additive {
    /// Boosts all bags, first features and then the pairs of `free` features that are chosen. `watch` is called often, and with the
    /// number of a bag when it is done; its error ends the training.
    pub(super) fn boost<E: Send>(
        &self,
        task: &Task,
        rows: &AdditiveRows,
        free: &[usize],
        seed: u64,
        watch: impl Fn(Option<u32>) -> Result<(), E> + Sync,
    ) -> Result<Boosted, E> {
        let base = rows.base(task);
        let seed = |stream: u64, bag: u32| SplitMix64::hash(seed ^ SplitMix64::hash(stream ^ u64::from(bag) << 32));
        let done: Vec<(Bag, BagFit)> = (0..self.bags)
            .into_par_iter()
            .map(|number| {
                let own = seed(BAG_STREAM, number);
                let mut bag = Bag::new(rows, &base, self.validation_share, own);
                let fit = bag.boost_features(rows, self, SplitMix64::hash(own), || watch(None))?;
                watch(Some(number))?;
                Ok((bag, fit))
            })
            .collect::<Result<_, E>>()?;
        let (mut bags, fits): (Vec<Bag>, Vec<BagFit>) = done.into_iter().unzip();
        let single = mean(fits.iter().map(|fit| &fit.values));
        let mut functions = Functions { intercepts: base, single, pairs: Vec::new() };

        let some = ((0.9 * free.len() as f64).round() as usize).min(rows.rows() / ROWS_OF_PAIR);
        let default = if task.columns() > 1 { 0 } else { some as u32 };
        let wanted = self.interactions.unwrap_or(default) as usize;
        let pairs =
            if wanted == 0 || free.len() < 2 { Vec::new() } else { self.choose(rows, &functions, free, wanted) };
        if !pairs.is_empty() {
            let of_bags: Vec<BagFit> = bags
                .par_iter_mut()
                .enumerate()
                .map(|(number, bag)| {
                    let fit = bag.boost_pairs(rows, self, &pairs, seed(PAIR_STREAM, number as u32), || watch(None))?;
                    watch(Some(number as u32))?;
                    Ok(fit)
                })
                .collect::<Result<_, E>>()?;
            functions.pairs = pairs.into_iter().zip(mean(of_bags.iter().map(|fit| &fit.values))).collect();
        }
        Ok(Boosted { functions, fits })
    }

    /// The pairs to learn, by what the averaged functions of features leave.
    fn choose(&self, rows: &AdditiveRows, functions: &Functions, free: &[usize], wanted: usize) -> Vec<PairAxes> {
        let mut scored = Scored::new((0..rows.rows() as u32).collect(), &functions.intercepts);
        for (column, values) in rows.bins.columns.iter().zip(&functions.single) {
            let cells: Vec<u16> = column.iter().map(|bin| u16::from(*bin)).collect();
            scored.add(&cells, values);
        }
        choose(rows, &scored, free, self.interaction_bins as usize, wanted, self.min_leaf)
    }

    /// By used feature: 1 if its function must rise, −1 if it must fall, 0 otherwise.
    fn directions(&self, data: &TrainingData<'_>, rows: &AdditiveRows) -> Result<Vec<f64>, ComponentError> {
        let refuse = |message: String| ComponentError::new(Code::Params, message);
        let mut directions = vec![0.0; rows.bins.columns.len()];
        if !self.monotone.is_empty() && rows.kind == Kind::Classes {
            return Err(refuse(
                "`monotone` is for two classes and for amounts: several classes have no order".to_owned(),
            )
            .with_hint("leave it out"));
        }
        for (name, direction) in &self.monotone {
            let Some(feature) = data.features.iter().position(|spec| spec.name == *name) else {
                let names = data.features.iter().map(|spec| spec.name.as_str());
                let hint = match suggest(name, names.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("features: {}", names.collect::<Vec<_>>().join(", ")),
                };
                return Err(refuse(format!("`monotone` names `{name}`, and no feature has this name")).with_hint(hint));
            };
            if data.features[feature].kind != tidemill_model::FeatureKind::Numeric {
                return Err(refuse(format!(
                    "`monotone` names `{name}`, which is a category, and categories have no order"
                ))
                .with_hint("leave it out, or make a number of it"));
            }
            // A feature that never varies keeps any direction.
            if let Some(used) = rows.bins.binning.used.iter().position(|used| used.feature as usize == feature) {
                directions[used] = if *direction == Direction::Increasing { 1.0 } else { -1.0 };
            }
        }
        Ok(directions)
    }
}

/// The mean of the bags' losses on their own validation rows after some rounds; a bag that has stopped counts with its best.
fn curve(task: &Task, fits: &[BagFit], unit: f64) -> Value {
    let longest = fits.iter().map(|fit| fit.curve.len()).max().unwrap_or(0);
    let is_recorded = |round: &usize| *round <= 10 || round.is_multiple_of(10) || *round == longest;
    let rounds: Vec<usize> = (1..=longest).filter(is_recorded).collect();
    let at = |fit: &BagFit, round: usize| {
        let best = || fit.curve.get((fit.best_round as usize).saturating_sub(1)).copied().unwrap_or(f64::NAN);
        fit.curve.get(round - 1).copied().unwrap_or_else(best)
    };
    let mean = |round: &usize| {
        let loss = fits.iter().map(|fit| at(fit, *round)).sum::<f64>() / fits.len().max(1) as f64;
        if *task == Task::Regression { unit * loss.sqrt() } else { loss }
    };
    let metric = if *task == Task::Regression { "RMSE" } else { "log-loss" };
    json!({ "metric": metric, "rounds": rounds, "validation": rounds.iter().map(mean).collect::<Vec<_>>() })
}
