//! Networks as learners of the `Trainer`.

use schemars::{Schema, SchemaGenerator};
use serde_json::{Value, json};
use tidemill_core::{Code, ComponentError, ParamIssue, SplitMix64, Task, TaskKind, suggest};
use tidemill_model::{
    AmountScale, DenseLayer, FeatureBlock, FeatureKind, FeatureSpec, ModelError, NetworkInput, NetworkModel,
    NetworkParts, WideTerm,
};

use super::checkpoint::Checkpoints;
use super::fit::{Attempt, Trained, fit};
use super::importance::importance;
use super::inputs::RawColumns;
use super::net::{Net, shrink};
use super::params::{Mlp, WideAndDeep};
use super::recipe::Recipe;
use super::rows::EncodedRows;
use crate::learner::{
    Estimator, FittedLearner, Importance, Judged, Learner, Measure, SplitRows, StartPoint, TrainingData,
    centre_and_unit, object, side_by_side,
};

/// Numbers that the training rows may have: 12 bytes each while they are encoded.
const NUMBERS_MAX: u64 = 1 << 30;
const NET_STREAM: u64 = 0x6e65_7477;
const TASKS: &[TaskKind] = &[TaskKind::Binary, TaskKind::MultiClass, TaskKind::Regression];

/// Multi-layer perceptrons.
#[derive(Debug, Clone, Copy)]
pub struct MlpLearner;

impl Learner for MlpLearner {
    fn name(&self) -> &'static str {
        "mlp"
    }

    fn params_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Mlp>()
    }

    fn space(&self) -> Option<Value> {
        Some(tunable_network())
    }

    fn starts(&self, _task: TaskKind) -> Vec<StartPoint> {
        tunable_starts()
    }

    fn configure(&self, params: &Value) -> Result<Box<dyn Estimator>, Vec<ParamIssue>> {
        Ok(Box::new(Mlp::parse(params)?))
    }
}

impl Estimator for Mlp {
    fn tasks(&self) -> &'static [TaskKind] {
        TASKS
    }

    fn params(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn needs_validation(&self) -> bool {
        true
    }

    fn fit(&self, data: &TrainingData<'_>) -> Result<FittedLearner, ComponentError> {
        self.fit_with(data, Vec::new(), 0.0)
    }
}

/// Multi-layer perceptrons beside a wide linear part.
#[derive(Debug, Clone, Copy)]
pub struct WideAndDeepLearner;

impl Learner for WideAndDeepLearner {
    fn name(&self) -> &'static str {
        "wide_and_deep"
    }

    fn params_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<WideAndDeep>()
    }

    fn space(&self) -> Option<Value> {
        Some(tunable_network())
    }

    fn starts(&self, _task: TaskKind) -> Vec<StartPoint> {
        tunable_starts()
    }

    fn configure(&self, params: &Value) -> Result<Box<dyn Estimator>, Vec<ParamIssue>> {
        Ok(Box::new(WideAndDeep::parse(params)?))
    }
}

impl Estimator for WideAndDeep {
    fn tasks(&self) -> &'static [TaskKind] {
        TASKS
    }

    fn params(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn needs_validation(&self) -> bool {
        true
    }

    fn fit(&self, data: &TrainingData<'_>) -> Result<FittedLearner, ComponentError> {
        let terms = self.terms(data.features, data.task.columns())?;
        Mlp::from(self).fit_with(data, terms, self.wide_learning_rate)
    }
}

impl WideAndDeep {
    /// A term for every categorical feature, and for every combination that is asked for.
    fn terms(&self, features: &[FeatureSpec], scores: usize) -> Result<Vec<WideTerm>, ComponentError> {
        let single = features.iter().enumerate().filter(|(_, spec)| spec.kind != FeatureKind::Numeric);
        let mut lists: Vec<Vec<usize>> = single.map(|(at, _)| vec![at]).collect();
        for cross in &self.crosses {
            lists.push(cross.iter().map(|name| categorical(features, name)).collect::<Result<_, _>>()?);
        }
        if lists.is_empty() {
            let message = "no feature is a category, so `wide_and_deep` has nothing for its wide part";
            return Err(ComponentError::new(Code::Params, message)
                .with_hint("write `mlp`, or turn numbers into categories with the step `bucketize`"));
        }
        let term = |list: Vec<usize>| {
            let categories = list.iter().map(|at| match features[*at].kind {
                FeatureKind::Categorical { cardinality } => cardinality,
                FeatureKind::Numeric => 1,
            });
            let categories: Vec<u32> = categories.collect();
            WideTerm::new(list.iter().map(|at| *at as u32).collect(), categories, self.cross_buckets, scores)
        };
        Ok(lists.into_iter().map(term).collect())
    }
}

/// The number of the categorical feature `name`.
fn categorical(features: &[FeatureSpec], name: &str) -> Result<usize, ComponentError> {
    let refuse = |message: String| ComponentError::new(Code::Params, message);
    let Some(at) = features.iter().position(|spec| spec.name == name) else {
        let names = features.iter().filter(|spec| spec.kind != FeatureKind::Numeric).map(|spec| spec.name.as_str());
        let hint = match suggest(name, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("categorical features: {}", names.collect::<Vec<_>>().join(", ")),
        };
        return Err(refuse(format!("`crosses` names `{name}`, and no feature has this name")).with_hint(hint));
    };
    if features[at].kind == FeatureKind::Numeric {
        return Err(refuse(format!("`crosses` names `{name}`, which is a number"))
            .with_hint("only categories can be crossed; turn it into one with the step `bucketize`"));
    }
    Ok(at)
}

impl Mlp {
    /// Trains a network with the wide part `wide`.
    fn fit_with(
        &self,
        data: &TrainingData<'_>,
        wide: Vec<WideTerm>,
        wide_learning_rate: f64,
    ) -> Result<FittedLearner, ComponentError> {
        let rows = data.train.rows();
        if rows as u64 * data.features.len() as u64 > NUMBERS_MAX {
            let message = format!("{rows} rows of {} features are too many for a network", data.features.len());
            return Err(ComponentError::new(Code::Params, message).with_hint("give the split a smaller share"));
        }
        let validation_rows = data.validation.as_ref().map_or(0, SplitRows::rows);
        data.progress.total_rows((rows + validation_rows) as u64);
        data.progress.phase("scaling");
        let mut raw = RawColumns::new(data.features.len(), rows);
        data.train.each_block(|block| raw.push(block))?;
        let refuse = |reason: String| {
            ComponentError::new(Code::Params, reason).with_hint("use `hash_buckets` or another learner")
        };
        let inputs = raw.inputs(data.features, self, data.seed).map_err(refuse)?;
        let amount = amount_scale(data.task, data.train.labels());
        let encode = |rows: &SplitRows<'_>| {
            EncodedRows::new(data.features.len(), rows.labels(), rows.weights(), amount.centre, amount.unit)
        };
        let mut train = encode(&data.train);
        raw.encode(&inputs, &mut train);
        drop(raw);
        let mut validation = data.validation.as_ref().map(encode);
        if let (Some(encoded), Some(rows)) = (&mut validation, &data.validation) {
            rows.each_block(|block| encoded.push(block, &inputs))?;
        }

        let recipe = Recipe::new(self, wide_learning_rate, data.task, rows);
        let base = base_scores(data.task, &train);
        let seed = SplitMix64::hash(data.seed ^ SplitMix64::hash(NET_STREAM));
        let net = Net::new(data.task, recipe.activation, inputs, wide, &recipe.hidden, &base, seed);
        let trained = train_epochs(&recipe, net, data, &train, validation.as_ref(), amount.unit)?;
        data.progress.phase("judging");
        let judged_rows = validation.as_ref().unwrap_or(&train);
        let importance = importance(&trained.net, judged_rows, data.cancel)?;
        let model = model(&trained.net, amount)?;
        let predict = |block: &FeatureBlock| side_by_side(block, data.cancel, |part, _| model.predict(part));
        let judged = Judged::new(&predict, data)?;
        let weights = trained.net.dense.iter().map(Vec::len).sum::<usize>();
        let facts = json!({
            "weights": weights,
            "epochs": trained.epochs,
            "best_round": trained.best_epoch,
            "curve": curve(&trained, data.task, amount.unit),
        });
        let properties = json!({ "weights": weights, "epochs": trained.epochs, "best_epoch": trained.best_epoch });
        let best = match validation {
            Some(_) => format!(", best epoch {} of {}", trained.best_epoch, trained.epochs),
            None => format!(", {} epochs", trained.epochs),
        };
        Ok(FittedLearner {
            train_metrics: judged.train,
            validation_metrics: judged.validation,
            facts: object(facts),
            properties: object(properties),
            importance: importance.map(|rises| Importance {
                measures: vec![Measure { name: "permutation", is_count: false }],
                values: rises.into_iter().map(|rise| vec![rise]).collect(),
            }),
            headline: format!("{} weights{}{best}", tidemill_core::grouped(weights as u64), judged.headline),
            warnings: Vec::new(),
            learner: tidemill_model::Learner::Network(model),
        })
    }
}

/// What is worth searching of a network.
fn tunable_network() -> Value {
    json!({
        "hidden": [[256, 256, 256], [128, 128, 128], [512, 512], [64, 64]],
        "learning_rate": { "float": [0.005, 0.2], "log": true },
        "weight_decay": { "float": [0.0001, 0.1], "log": true },
        "dropout": { "float": [0.0, 0.4] },
        "number_embedding": [1, 4],
    })
}

/// Points of it to begin with: a small network, and one like `RealMLP`'s.
fn tunable_starts() -> Vec<StartPoint> {
    let start = |cost: u32, hidden: &[u32], dropout: f64, embedding: u32| {
        let params = json!({
            "hidden": hidden, "learning_rate": 0.04, "weight_decay": 0.001, "dropout": dropout,
            "number_embedding": embedding,
        });
        StartPoint::new(cost, params)
    };
    vec![start(15, &[64, 64], 0.0, 1), start(60, &[256, 256, 256], 0.1, 4)]
}

/// Runs the epochs, reporting each.
fn train_epochs(
    recipe: &Recipe,
    net: Net,
    data: &TrainingData<'_>,
    train: &EncodedRows,
    validation: Option<&EncodedRows>,
    unit: f64,
) -> Result<Trained, ComponentError> {
    data.progress.total(u64::from(recipe.epochs), "epochs");
    let mut shown = 0;
    let name = metric_title(data.task);
    let key = if *data.task == Task::Regression { "rmse" } else { "log_loss" };
    let is_over = || data.watch.is_over();
    let attempt = Attempt { seed: data.seed, checkpoints: data.work.map(Checkpoints::new), is_over: &is_over };
    let trained = fit(recipe, net, train, validation, attempt, |epoch| {
        data.progress.advance(u64::from(epoch.epoch - shown));
        shown = epoch.epoch;
        let loss = epoch.validation.map(|loss| if *data.task == Task::Regression { unit * loss } else { loss });
        let judged = loss.map_or_else(String::new, |loss| format!(" · validation {name} {loss:.4}"));
        data.progress.phase(&format!("epoch {} of {}{judged}", epoch.epoch, recipe.epochs));
        if let Some(loss) = loss {
            data.watch.report(key, u64::from(epoch.epoch), loss)?;
        }
        data.cancel.check()
    })?;
    if trained.net.dense.iter().flatten().any(|weight| !weight.is_finite()) {
        return Err(ComponentError::new(Code::Params, "the weights of the network left the finite numbers")
            .with_hint("give a smaller `learning_rate`"));
    }
    Ok(trained)
}

fn metric_title(task: &Task) -> &'static str {
    if *task == Task::Regression { "RMSE" } else { "log-loss" }
}

/// The loss after each epoch, for the training report.
fn curve(trained: &Trained, task: &Task, unit: f64) -> Value {
    let own = |curve: &[f64]| -> Vec<f64> {
        curve.iter().map(|loss| if *task == Task::Regression { unit * loss } else { *loss }).collect()
    };
    let validation = own(&trained.validation_curve);
    json!({
        "metric": metric_title(task),
        "unit": "epoch",
        "rounds": (1..=trained.epochs).collect::<Vec<_>>(),
        "validation": validation,
        "train": own(&trained.train_curve),
    })
}

/// An amount is learned in its own standard deviations, and predicted within the range of the training rows.
pub(super) fn amount_scale(task: &Task, labels: &[f64]) -> AmountScale {
    if *task != Task::Regression {
        return AmountScale::default();
    }
    let (centre, unit) = centre_and_unit(labels);
    let (low, high) =
        labels.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(*x), high.max(*x)));
    AmountScale { centre, unit, low, high }
}

/// The scores of a model without features: logarithms of the shares of classes, up to a constant.
pub(super) fn base_scores(task: &Task, train: &EncodedRows) -> Vec<f32> {
    let scores = task.columns();
    let classes = if *task == Task::Binary { 2 } else { scores };
    if *task == Task::Regression {
        return vec![0.0];
    }
    // One row more for every class, so that no logarithm is infinite.
    let mut sums = vec![1.0_f64; classes];
    for (row, target) in train.targets.iter().enumerate() {
        sums[*target as usize] += f64::from(train.weight(row));
    }
    if *task == Task::Binary {
        return vec![(sums[1] / sums[0]).ln() as f32];
    }
    let total: f64 = sums.iter().sum();
    sums.iter().map(|sum| (sum / total).ln() as f32).collect()
}

/// The network as it predicts: scales and factors are multiplied into the weights.
pub(super) fn model(net: &Net, amount: AmountScale) -> Result<NetworkModel, ModelError> {
    let mut layers = Vec::new();
    for (at, pair) in net.widths.windows(2).enumerate() {
        let [inputs, outputs] = [pair[0], pair[1]];
        let factor = f64::from(shrink(inputs));
        let scale = |input: usize| if at == 0 { f64::from(net.dense[0][input]) } else { 1.0 };
        let weights = net.dense[1 + 2 * at].iter().enumerate();
        let weights = weights.map(|(place, weight)| (f64::from(*weight) * factor * scale(place / outputs)) as f32);
        layers.push(DenseLayer { inputs, weights: weights.collect(), biases: net.dense[2 + 2 * at].clone() });
    }
    let inputs: Vec<NetworkInput> = net.inputs.clone();
    let parts = NetworkParts {
        task: net.task.clone(),
        inputs,
        activation: net.activation,
        layers,
        wide: net.wide.clone(),
        amount,
    };
    NetworkModel::new(parts)
}
