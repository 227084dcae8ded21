//! Fitting the members one after the other.

use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use tidemill_core::{Code, ComponentError, ParamIssue, TaskKind};
use tidemill_model::{EnsembleMember, EnsembleModel, FeatureBlock};

use super::params::{Ensemble, ReadyMember, parse};
use crate::learner::{Estimator, FittedLearner, Importance, Judged, Learner, Measure, TrainingData};

/// Several learners, averaged.
#[derive(Debug, Clone, Copy)]
pub struct EnsembleLearner;

impl Learner for EnsembleLearner {
    fn name(&self) -> &'static str {
        "ensemble"
    }

    fn params_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Ensemble>()
    }

    fn configure(&self, params: &Value) -> Result<Box<dyn Estimator>, Vec<ParamIssue>> {
        Ok(Box::new(Members(parse(params)?)))
    }
}

/// The members of an ensemble.
struct Members(Vec<ReadyMember>);

impl Estimator for Members {
    fn tasks(&self) -> &'static [TaskKind] {
        &[TaskKind::Binary, TaskKind::MultiClass, TaskKind::Regression]
    }

    fn params(&self) -> Value {
        let of = |member: &ReadyMember| json!({ "learner": { member.name: member.estimator.params() }, "weight": member.weight });
        json!({ "members": self.0.iter().map(of).collect::<Vec<_>>() })
    }

    fn needs_validation(&self) -> bool {
        self.0.iter().any(|member| member.estimator.needs_validation())
    }

    fn fit(&self, data: &TrainingData<'_>) -> Result<FittedLearner, ComponentError> {
        let kind = data.task.kind();
        if let Some(member) = self.0.iter().find(|member| !member.estimator.tasks().contains(&kind)) {
            let message = format!("`{}` is a member of the ensemble and cannot learn the task `{kind}`", member.name);
            return Err(ComponentError::new(Code::Params, message));
        }
        let count = self.0.len();
        let mut fitted = Vec::with_capacity(count);
        for (at, member) in self.0.iter().enumerate() {
            data.progress.phase(&format!("member {} of {count}: {}", at + 1, member.name));
            // What one member keeps of its work, another must not find.
            let work = data.work.map(|work| work.join(at.to_string()));
            fitted.push(member.estimator.fit(&TrainingData { work: work.as_deref(), ..*data })?);
            data.cancel.check()?;
        }
        let members = self
            .0
            .iter()
            .zip(&fitted)
            .map(|(member, fitted)| EnsembleMember { weight: member.weight, learner: fitted.learner.clone() });
        let model = tidemill_model::Learner::Ensemble(EnsembleModel::new(members.collect())?);
        data.progress.phase("judging");
        let predict = |block: &FeatureBlock| Ok(model.predict(block)?);
        let judged = Judged::new(&predict, data)?;
        let total: f64 = self.0.iter().map(|member| member.weight).sum();
        let fact = |(member, fitted): (&ReadyMember, &FittedLearner)| {
            let mut facts = Map::new();
            facts.insert("learner".to_owned(), json!(member.name));
            facts.insert("share".to_owned(), json!(member.weight / total));
            facts.insert("validation".to_owned(), Value::Object(fitted.validation_metrics.clone()));
            for name in ["best_round", "trees", "epochs"] {
                facts.extend(fitted.facts.get(name).map(|value| (name.to_owned(), value.clone())));
            }
            Value::Object(facts)
        };
        let facts = self.0.iter().zip(&fitted).map(fact).collect::<Vec<_>>();
        let importance = self.importance(&fitted, data.features.len());
        let mut warnings: Vec<String> = Vec::new();
        for warning in fitted.into_iter().flat_map(|fitted| fitted.warnings) {
            // Members have much to say that is the same.
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        let noun = if count == 1 { "member" } else { "members" };
        Ok(FittedLearner {
            learner: model,
            train_metrics: judged.train,
            validation_metrics: judged.validation,
            facts: Map::from_iter([("members".to_owned(), json!(facts))]),
            properties: Map::from_iter([("members".to_owned(), json!(count))]),
            importance,
            headline: format!("{count} {noun}{}", judged.headline),
            warnings,
        })
    }
}

impl Members {
    /// The mean of how much each feature matters to the members that can say it, each as a share of 1.
    fn importance(&self, fitted: &[FittedLearner], features: usize) -> Option<Importance> {
        let mut values = vec![vec![0.0]; features];
        let mut weights = 0.0;
        for (member, fitted) in self.0.iter().zip(fitted) {
            let Some(importance) = &fitted.importance else { continue };
            let firsts: Vec<f64> = importance.values.iter().filter_map(|values| values.first().copied()).collect();
            let total: f64 = firsts.iter().sum();
            if firsts.len() != features || !(total > 0.0 && total.is_finite()) {
                continue;
            }
            weights += member.weight;
            values.iter_mut().zip(firsts).for_each(|(sum, first)| sum[0] += member.weight * first / total);
        }
        values.iter_mut().for_each(|value| value[0] /= weights);
        let measure = Measure { name: "importance", is_count: false };
        (weights > 0.0).then(|| Importance { measures: vec![measure], values })
    }
}
