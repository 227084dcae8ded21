//! Nearest neighbours as a learner of the `Trainer`.

use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use tidemill_core::{Code, ComponentError, ParamIssue, TaskKind};
use tidemill_model::{FeatureBlock, FeatureKind, FeatureSpec, NeighborFeature, NeighborsModel, Power};

use super::params::Neighbors;
use crate::learner::{
    Estimator, FittedLearner, Learner, StartPoint, TrainingData, centre_and_unit, loss_text, metrics_of, side_by_side,
};

/// Numbers of the training rows at most: they are in the package and in the memory of the server, 8 bytes each.
const NUMBERS_MAX: usize = 1 << 24;
/// Training rows that are judged, each by all others.
const JUDGED_ROWS: usize = 2000;

/// The k nearest rows.
#[derive(Debug, Clone, Copy)]
pub struct NeighborsLearner;

impl Learner for NeighborsLearner {
    fn name(&self) -> &'static str {
        "neighbors"
    }

    fn params_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Neighbors>()
    }

    fn space(&self) -> Option<Value> {
        Some(json!({
            "k": { "int": [1, 100], "log": true },
            "weights": ["uniform", "distance"],
            "p": [1, 1.5, 2],
        }))
    }

    fn starts(&self, _task: TaskKind) -> Vec<StartPoint> {
        let start = |cost: u32, k: u32, weights: &str, p: f64| {
            StartPoint::new(cost, json!({ "k": k, "weights": weights, "p": p }))
        };
        vec![start(5, 25, "uniform", 2.0), start(8, 10, "distance", 1.0)]
    }

    fn configure(&self, params: &Value) -> Result<Box<dyn Estimator>, Vec<ParamIssue>> {
        Ok(Box::new(Neighbors::parse(params)?))
    }
}

impl Estimator for Neighbors {
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
        let refuse = |message: String, hint: &str| ComponentError::new(Code::Params, message).with_hint(hint);
        let (labels, weights) = (data.train.labels(), data.train.weights());
        let numbers = labels.len() * data.features.len();
        if numbers > NUMBERS_MAX {
            let message = format!(
                "{} rows of {} features have {numbers} numbers, and a model of neighbours keeps up to {NUMBERS_MAX}",
                labels.len(),
                data.features.len()
            );
            return Err(refuse(message, "give the split a smaller share, or use another learner"));
        }
        // A row that counts nothing is no neighbour.
        let counts = |row: &usize| weights.is_none_or(|weights| weights[*row] > 0.0);
        let kept: Vec<usize> = (0..labels.len()).filter(counts).collect();
        if kept.len() <= self.k as usize {
            let message = format!("`k` is {}, and there are {} rows to learn from", self.k, kept.len());
            return Err(refuse(message, "give a smaller `k`"));
        }
        data.progress.total_rows(labels.len() as u64);
        data.progress.phase("reading rows");
        let mut columns = vec![Vec::with_capacity(labels.len()); data.features.len()];
        data.train.each_block(|block| {
            columns.iter_mut().zip(&block.columns).for_each(|(all, part)| all.extend_from_slice(&part[..block.rows]));
        })?;
        let raw = FeatureBlock { rows: labels.len(), columns };
        let model = self.model(data, &raw, &kept)?;

        data.progress.phase("judging");
        let stride = kept.len().div_ceil(JUDGED_ROWS);
        let judged: Vec<usize> = (0..kept.len()).step_by(stride).collect();
        let of = |column: &Vec<f64>| judged.iter().map(|at| column[kept[*at]]).collect();
        let block = FeatureBlock { rows: judged.len(), columns: raw.columns.iter().map(of).collect() };
        let predicted = side_by_side(&block, data.cancel, |part, from| {
            model.predict_without(part, |row| Some(judged[from + row]))
        })?;
        let of = |values: &[f64]| judged.iter().map(|at| values[kept[*at]]).collect::<Vec<f64>>();
        let floor = |_: usize| f64::EPSILON;
        let train = metrics_of(data.task, &predicted, &of(labels), weights.map(of).as_deref(), floor);
        let mut validation = Map::new();
        if let Some(rows) = &data.validation {
            let mut all = vec![Vec::with_capacity(rows.rows()); data.task.columns()];
            let mut trouble = None;
            rows.each_block(|block| match side_by_side(block, data.cancel, |part, _| model.predict(part)) {
                Ok(predicted) => all.iter_mut().zip(predicted).for_each(|(all, part)| all.extend(part)),
                Err(error) => trouble = Some(error),
            })?;
            trouble.map_or(Ok(()), Err)?;
            validation = metrics_of(data.task, &all, rows.labels(), rows.weights(), floor);
        }
        let (part, metrics) =
            if validation.is_empty() { ("leave-one-out", &train) } else { ("validation", &validation) };
        let headline = format!("{} rows, {part} {}", tidemill_core::grouped(kept.len() as u64), loss_text(metrics));
        let facts = Map::from_iter([("neighbors_of".to_owned(), json!(kept.len()))]);
        Ok(FittedLearner {
            train_metrics: train,
            validation_metrics: validation,
            properties: facts.clone(),
            facts,
            importance: None,
            headline,
            warnings: Vec::new(),
            learner: tidemill_model::Learner::Neighbors(model),
        })
    }
}

impl Neighbors {
    /// The model of the rows `kept`.
    fn model(
        &self,
        data: &TrainingData<'_>,
        raw: &FeatureBlock,
        kept: &[usize],
    ) -> Result<NeighborsModel, ComponentError> {
        let features = data.features.iter().zip(&raw.columns).map(|(spec, column)| feature(spec, column, kept));
        let (labels, weights) = (data.train.labels(), data.train.weights());
        let model = NeighborsModel::new(
            data.task.clone(),
            self.k as usize,
            self.weights,
            Power::new(self.p).unwrap_or(Power::Two),
            features.collect(),
            kept.iter().map(|row| labels[*row]).collect(),
            kept.iter().map(|row| weights.map_or(1.0, |weights| weights[*row])).collect(),
        )?;
        Ok(model)
    }
}

/// A feature of the rows `kept`: numbers less their mean and in their standard deviations.
fn feature(spec: &FeatureSpec, column: &[f64], kept: &[usize]) -> NeighborFeature {
    let number = (spec.kind == FeatureKind::Numeric).then(|| {
        let finite: Vec<f64> = kept.iter().map(|row| column[*row]).filter(|value| value.is_finite()).collect();
        centre_and_unit(&finite)
    });
    let values = kept.iter().map(|row| NeighborFeature::stored(number, column[*row])).collect();
    NeighborFeature { number, values }
}

#[cfg(test)]
pub(super) fn of_block(
    params: &Neighbors,
    task: &tidemill_core::Task,
    block: &FeatureBlock,
    labels: &[f64],
) -> NeighborsModel {
    let kept: Vec<usize> = (0..block.rows).collect();
    let spec = FeatureSpec { name: "f".to_owned(), kind: FeatureKind::Numeric };
    let features = block.columns.iter().map(|column| feature(&spec, column, &kept)).collect();
    let power = Power::new(params.p).unwrap_or(Power::Two);
    let counts = vec![1.0; labels.len()];
    NeighborsModel::new(task.clone(), params.k as usize, params.weights, power, features, labels.to_vec(), counts)
        .expect("rows that fit")
}
