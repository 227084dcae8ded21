//! Networks of rows in memory, for benchmarks and tests.

use tidemill_core::{ComponentError, Task};
use tidemill_model::{AmountScale, FeatureBlock, FeatureSpec, ModelError, NetworkModel};

use super::fit::{Attempt, fit};
use super::inputs::RawColumns;
use super::learner::{amount_scale, base_scores, model};
use super::net::Net;
use super::params::Mlp;
use super::recipe::Recipe;
use super::rows::EncodedRows;

/// Rows with a label each.
#[derive(Debug, Clone, Copy)]
pub struct NetworkRows<'a> {
    /// The features.
    pub block: &'a FeatureBlock,
    /// 0 and 1, numbers of classes, or amounts.
    pub labels: &'a [f64],
}

/// A network with the losses on the validation rows after each epoch, in units of the label.
#[derive(Debug)]
pub struct NetworkFit {
    /// The network of the best epoch.
    pub model: NetworkModel,
    /// The loss after each epoch.
    pub curve: Vec<f64>,
}

/// Trains a network as the learner `mlp` does.
pub fn fit_network(
    params: &Mlp,
    task: &Task,
    features: &[FeatureSpec],
    train: NetworkRows<'_>,
    validation: Option<NetworkRows<'_>>,
    seed: u64,
) -> Result<NetworkFit, ModelError> {
    let mut raw = RawColumns::new(features.len(), train.block.rows);
    raw.push(train.block);
    let inputs = raw.inputs(features, params, seed).map_err(|reason| ModelError::Learner { reason })?;
    let amount: AmountScale = amount_scale(task, train.labels);
    let encoded = |rows: NetworkRows<'_>| {
        let mut encoded = EncodedRows::new(features.len(), rows.labels, None, amount.centre, amount.unit);
        encoded.push(rows.block, &inputs);
        encoded
    };
    let (train, validation) = (encoded(train), validation.map(encoded));
    let recipe = Recipe::new(params, 0.0, task, train.rows());
    let base = base_scores(task, &train);
    let net = Net::new(task, recipe.activation, inputs.clone(), Vec::new(), &recipe.hidden, &base, seed);
    let trained = fit::<ComponentError>(&recipe, net, &train, validation.as_ref(), Attempt::whole(seed), |_| Ok(()));
    let trained = trained.map_err(|error| ModelError::Learner { reason: error.to_string() })?;
    let unit = if *task == Task::Regression { amount.unit } else { 1.0 };
    let curve = trained.validation_curve.iter().map(|loss| unit * loss).collect();
    Ok(NetworkFit { model: model(&trained.net, amount)?, curve })
}
