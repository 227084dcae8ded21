//! What a task means for boosting: what is minimised, which labels fit, what the trees become.

use serde_json::{Map, Value, json};
use tidemill_core::{Code, ComponentError, RankedQuery, Task, TaskKind};
use tidemill_model::trees::Link;
use tidemill_model::{ClassTrees, SumRule, TreeEnsemble};

use super::learner::Extras;
use super::metric::{macro_auc, mean_of_queries};
use super::{
    AbsoluteError, Fair, Fitted, Gamma, GradientBoosting, Huber, LabelledRows, LambdaOptions, LambdaRank, LogLoss,
    Loss, Objective, OneVsAll, PercentageError, Poisson, Quantile, Quantiles, Softmax, SquaredError, StopMetric,
    Tweedie, XeNdcg,
};
use crate::learner::{SplitRows, TrainingData, class_metrics};

impl GradientBoosting {
    /// What is minimised for a task.
    pub(super) fn objective_for(
        &self,
        task: &Task,
        train: &LabelledRows,
        extras: Extras,
    ) -> Result<Box<dyn Objective>, ComponentError> {
        let queries = || train.queries.clone().unwrap_or_default();
        Ok(match (task, self.objective) {
            (Task::Binary, Loss::SquaredError) => Box::new(LogLoss),
            (Task::MultiClass { classes }, Loss::SquaredError) => Box::new(Softmax::new(classes.len())),
            (Task::MultiClass { classes }, Loss::OneVsAll) => Box::new(OneVsAll::of_classes(classes.len())),
            (Task::MultiLabel { labels }, Loss::SquaredError) => Box::new(OneVsAll::of_labels(labels.len())),
            (Task::Ranking { .. }, Loss::SquaredError | Loss::Lambdarank) => {
                let options = LambdaOptions {
                    truncation: self.truncation_level as usize,
                    norm: self.lambdarank_norm,
                    gains: self.gains(),
                    hessian: extras.ranking_hessian,
                };
                Box::new(LambdaRank::new(queries(), &train.labels, options))
            }
            (Task::Ranking { .. }, Loss::RankXendcg) => Box::new(XeNdcg::new(queries())),
            (Task::Quantiles { .. }, _) => Box::new(Quantiles::new(self.quantile_level.all())),
            (Task::Regression, loss) => self.amount(loss).ok_or_else(|| wrong_loss(task))?,
            _ => return Err(wrong_loss(task)),
        })
    }

    /// A loss of amounts.
    fn amount(&self, loss: Loss) -> Option<Box<dyn Objective>> {
        Some(match loss {
            Loss::SquaredError => Box::new(SquaredError),
            Loss::AbsoluteError => Box::new(AbsoluteError),
            Loss::PercentageError => Box::new(PercentageError),
            Loss::Huber => Box::new(Huber { delta: self.huber_delta }),
            Loss::Fair => Box::new(Fair { c: self.fair_c }),
            Loss::Quantile => Box::new(Quantile { level: self.quantile_level.all().first().copied()? }),
            Loss::Poisson => Box::new(Poisson { max_delta_step: self.poisson_max_delta_step }),
            Loss::Gamma => Box::new(Gamma),
            Loss::Tweedie => Box::new(Tweedie { variance_power: self.tweedie_power }),
            Loss::OneVsAll | Loss::Lambdarank | Loss::RankXendcg => return None,
        })
    }

    /// What the metric is called that rounds are judged by.
    pub(super) fn metric_title(&self, objective: &dyn Objective) -> String {
        match self.metric.or(objective.stop_metric()) {
            Some(metric @ (StopMetric::Ndcg | StopMetric::Map)) => {
                format!("{}@{}", metric.title(), self.deciding_place())
            }
            Some(metric) => metric.title().to_owned(),
            None => objective.metric_name().to_owned(),
        }
    }

    /// The sums of trees that training continues; none for a new model.
    pub(super) fn previous<'a>(&self, data: &TrainingData<'a>) -> Result<&'a [TreeEnsemble], ComponentError> {
        let Some(model) = data.base_model else { return Ok(&[]) };
        let refuse = |message: String, hint: &str| Err(ComponentError::new(Code::Params, message).with_hint(hint));
        let (sums, count) = (model.tree_sums(), data.task.columns());
        if sums.is_empty() {
            let message =
                format!("the model to start from is of the kind `{}`, and only trees are continued", model.kind());
            return refuse(message, "leave `warm_start` out");
        }
        let links = self.amount(self.objective).filter(|_| *data.task == Task::Regression);
        let link = match data.task {
            Task::Binary => Link::Logistic,
            _ => links.map_or(Link::Identity, |loss| loss.link()),
        };
        let same_rule = match model {
            tidemill_model::Learner::ClassTrees(trees) => Some(trees.rule()) == self.rule(data.task),
            _ => self.rule(data.task).is_none(),
        };
        let same_scores = same_rule && sums.len() == count && sums.iter().all(|sum| sum.link() == link);
        if model.task().kind() != data.task.kind() || model.task().names() != data.task.names() || !same_scores {
            let message = format!(
                "the model to start from has the task `{}` and other classes or scores than this one, whose task is `{}`",
                model.task(),
                data.task
            );
            return refuse(message, "start from a model of the same label and objective");
        }
        if sums.iter().any(|sum| sum.offset().is_some() != data.has_offset) {
            let message =
                "one of the model to start from and this one has an offset, and the other has none".to_owned();
            return refuse(message, "give both the same `offset`");
        }
        Ok(sums)
    }

    /// Refuses labels that the objective cannot learn.
    pub(super) fn check_labels(&self, data: &TrainingData<'_>) -> Result<(), ComponentError> {
        if data.task.kind() == TaskKind::Ranking {
            return self.check_relevances(data);
        }
        let Some(rule) = self.amount(self.objective).filter(|_| *data.task == Task::Regression) else { return Ok(()) };
        let Some((is_fine, rule)) = rule.label_rule() else { return Ok(()) };
        let rows = std::iter::once(&data.train).chain(&data.validation);
        match rows.flat_map(SplitRows::labels).find(|label| !is_fine(**label)) {
            Some(label) => Err(ComponentError::new(Code::LabelValues, format!("{rule}, and one is {label}"))
                .with_hint("choose another `objective`, or leave such rows out with `where` at the source")),
            None => Ok(()),
        }
    }

    /// Refuses relevances without a gain, and rows among which nothing stands above anything else.
    fn check_relevances(&self, data: &TrainingData<'_>) -> Result<(), ComponentError> {
        let gains = self.gains().len();
        let validation = data.validation.as_ref().map(|rows| (rows, "validation rows"));
        for (rows, part) in std::iter::once((&data.train, "rows learned from")).chain(validation) {
            let has_gain = |label: f64| label >= 0.0 && label.fract() == 0.0 && label < gains as f64;
            if let Some(label) = rows.labels().iter().find(|label| !has_gain(**label)) {
                let message = format!(
                    "the label of a ranking is a whole number from 0 to {}, the more relevant the larger, and one is {label}",
                    gains - 1
                );
                let hint = "make it so with the label's expression, or give larger labels a gain with `label_gain`";
                return Err(ComponentError::new(Code::LabelValues, message).with_hint(hint));
            }
            let Some(groups) = rows.groups() else {
                return Err(ComponentError::new(Code::Internal, "a ranking has no queries"));
            };
            let mut first = std::collections::HashMap::new();
            let mut labels = rows.labels().iter().zip(groups);
            if !labels.any(|(label, group)| first.entry(*group).or_insert(*label) != label) {
                let message = format!("no query of the {part} has rows of different labels, so no order is better");
                let hint = "is `group` the column of the query, with several rows for each of its values?";
                return Err(ComponentError::new(Code::LabelValues, message).with_hint(hint));
            }
        }
        Ok(())
    }

    /// Metrics beside the one that decides.
    pub(super) fn more_metrics(&self, task: &Task, scores: &[Vec<f64>], rows: &LabelledRows) -> Map<String, Value> {
        let (labels, weights) = (&rows.labels, rows.weights.as_deref());
        match (task, &rows.queries) {
            (Task::Ranking { .. }, Some(queries)) => {
                let gains = self.gains();
                let gain = |label: f64| gains.get(label as usize).copied().unwrap_or_default();
                let mean = |of: &(dyn Fn(&RankedQuery) -> Option<f64> + Sync)| {
                    json!(mean_of_queries(queries, &scores[0], labels, weights, of))
                };
                let at_place = |at: &u32| {
                    let ndcg = move |query: &RankedQuery| query.ndcg(Some(*at as usize), gain);
                    (format!("ndcg@{at}"), mean(&ndcg))
                };
                let all = ("map".to_owned(), mean(&|query: &RankedQuery| query.average_precision(None)));
                self.eval_at.iter().map(at_place).chain([all]).collect()
            }
            (Task::MultiLabel { .. }, _) => {
                macro_auc(scores, labels).map(|auc| ("auc".to_owned(), json!(auc))).into_iter().collect()
            }
            _ => class_metrics(task, scores, labels),
        }
    }

    /// What predictions are of several sums; none for a task of one.
    fn rule(&self, task: &Task) -> Option<SumRule> {
        match task {
            Task::MultiClass { .. } if self.objective == Loss::OneVsAll => Some(SumRule::OneVsAll),
            Task::MultiClass { .. } => Some(SumRule::Softmax),
            Task::MultiLabel { .. } => Some(SumRule::Each),
            Task::Quantiles { .. } => Some(SumRule::Ascending),
            Task::Binary | Task::Regression | Task::Ranking { .. } => None,
        }
    }

    /// The model of the trees.
    pub(super) fn learner(&self, task: &Task, mut fitted: Fitted) -> Result<tidemill_model::Learner, ComponentError> {
        if let Some(rule) = self.rule(task) {
            let trees = ClassTrees::with_rule(rule, task.names().to_vec(), fitted.sums)?;
            return Ok(tidemill_model::Learner::ClassTrees(trees));
        }
        let sum = fitted.sums.swap_remove(0);
        let sum = if let Task::Ranking { .. } = task { sum.for_task(task.clone())? } else { sum };
        Ok(tidemill_model::Learner::Trees(sum))
    }
}

fn wrong_loss(task: &Task) -> ComponentError {
    let message = format!("`objective` says what is minimised for an amount, and the task is `{}`", task.kind());
    let hint = match task.kind() {
        TaskKind::MultiClass => "leave it out, write `one_vs_all`, or write `task: regression` next to `learner`",
        TaskKind::Ranking => "leave it out, or write `lambdarank` or `rank_xendcg`",
        _ => "leave it out, or write `task: regression` next to `learner`",
    };
    ComponentError::new(Code::Params, message).with_hint(hint)
}
