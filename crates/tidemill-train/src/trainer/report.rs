//! What is told of a training: facts for the package, the card, the end of the run.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use tidemill_core::{Properties, SummaryTable, Tone};
use tidemill_model::{FeatureSpec, PackageParts, Task, model_card};

use super::labels::Labels;
use crate::gbdt::{Fitted, Objective};

/// Features that the package names with their importance.
const NAMED: usize = 20;
/// Features that the end of a run shows.
const SHOWN: usize = 5;

/// Everything there is to tell.
pub(super) struct Report<'a> {
    pub(super) fitted: &'a Fitted,
    pub(super) objective: &'a dyn Objective,
    pub(super) features: &'a [FeatureSpec],
    /// Name and labels of the train and of the eval split.
    pub(super) splits: [(&'a str, &'a Labels); 2],
    pub(super) seed: u64,
}

impl Report<'_> {
    /// The facts that a package keeps: `rows`, `label_mean` and `metrics` by split, rounds, and the features that
    /// helped most with their gain and splits.
    pub(super) fn facts(&self) -> Value {
        let fitted = self.fitted;
        let by_split = |values: [Value; 2]| -> Value {
            self.splits.iter().map(|(name, _)| (*name).to_owned()).zip(values).collect::<Map<_, _>>().into()
        };
        let [train, eval] = self.splits.map(|(_, labels)| labels);
        let importance: Vec<Value> = self
            .ranked()
            .iter()
            .map(|(feature, gain, splits)| json!({ "feature": feature, "gain": gain, "splits": splits }))
            .collect();
        json!({
            "rows": by_split([train.values.len().into(), eval.values.len().into()]),
            "label_mean": by_split([train.mean().into(), eval.mean().into()]),
            "metrics": by_split([self.train_metrics().into(), self.eval_metrics().into()]),
            "trees": fitted.ensemble.trees().len(),
            "rounds": fitted.rounds,
            "best_round": fitted.best_round,
            "seed": self.seed,
            "importance": importance,
        })
    }

    /// "112 trees, eval log-loss 0.2093, best round 112 of 132".
    pub(super) fn headline(&self) -> String {
        let fitted = self.fitted;
        let trees = fitted.ensemble.trees().len();
        let mut text = format!("{trees} {}", if trees == 1 { "tree" } else { "trees" });
        if let Some(metric) = fitted.eval_metric {
            let _ = write!(text, ", eval {} {metric:.4}", self.objective.metric_name());
        }
        let _ = write!(text, ", best round {} of {}", fitted.best_round, fitted.rounds);
        text
    }

    /// Properties of the model artifact.
    pub(super) fn properties(&self) -> Properties {
        let fitted = self.fitted;
        let mut properties = Properties::from([
            ("learner".to_owned(), json!("gradient_boosting")),
            ("task".to_owned(), json!(self.objective.task().name())),
            ("trees".to_owned(), json!(fitted.ensemble.trees().len())),
            ("rounds".to_owned(), json!(fitted.rounds)),
            ("best_iteration".to_owned(), json!(fitted.best_round)),
        ]);
        for (split, metrics) in [("train", self.train_metrics()), ("eval", self.eval_metrics())] {
            properties.extend(metrics.into_iter().map(|(name, value)| (format!("{split}_{name}"), value)));
        }
        properties
    }

    /// The features that helped most.
    pub(super) fn table(&self) -> Option<SummaryTable> {
        let ranked = self.ranked();
        let total: f64 = self.fitted.importance.iter().map(|importance| importance.gain).sum();
        let row = |(feature, gain, splits): &(&str, f64, u64)| {
            (Tone::Plain, vec![(*feature).to_owned(), format!("{:.1} %", 100.0 * gain / total), splits.to_string()])
        };
        let rows: Vec<_> = ranked.iter().take(SHOWN).map(row).collect();
        (!rows.is_empty()).then(|| SummaryTable {
            title: "Most important features".to_owned(),
            columns: ["feature", "share of gain", "splits"].map(str::to_owned).to_vec(),
            rows,
        })
    }

    /// `CARD.md`: the package's own card with the owner and a table of the features that helped most.
    pub(super) fn card(&self, parts: &PackageParts, owner: Option<&str>) -> String {
        let mut plain = parts.clone();
        if let Value::Object(facts) = &mut plain.training {
            facts.remove("importance");
        }
        let mut card = model_card(&plain);
        if let Some(owner) = owner {
            card = card.replacen("owner: not stated", &format!("owner: {}", owner.replace('\n', " ")), 1);
        }
        let mut table = "## Importance\n\n| feature | gain | splits |\n|---|---|---|\n".to_owned();
        for (feature, gain, splits) in self.ranked() {
            let _ = writeln!(table, "| {} | {gain:.1} | {splits} |", feature.replace('|', "\\|"));
        }
        match card.find("## Limits") {
            Some(at) => card.insert_str(at, &format!("{table}\n")),
            None => card.push_str(&format!("\n{table}")),
        }
        card
    }

    /// Name, gain and splits of the features that helped, most first.
    fn ranked(&self) -> Vec<(&str, f64, u64)> {
        let mut ranked: Vec<(&str, f64, u64)> = self
            .features
            .iter()
            .zip(&self.fitted.importance)
            .filter(|(_, importance)| importance.splits > 0)
            .map(|(spec, importance)| (spec.name.as_str(), importance.gain, importance.splits))
            .collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked.truncate(NAMED);
        ranked
    }

    fn train_metrics(&self) -> Map<String, Value> {
        Map::from_iter([(self.metric_key(), json!(self.fitted.train_metric))])
    }

    fn eval_metrics(&self) -> Map<String, Value> {
        let mut metrics = Map::new();
        if let Some(metric) = self.fitted.eval_metric {
            metrics.insert(self.metric_key(), json!(metric));
        }
        if self.objective.task() == Task::Binary {
            metrics.insert("auc".to_owned(), json!(auc(&self.fitted.eval_scores, &self.splits[1].1.values)));
        }
        metrics
    }

    fn metric_key(&self) -> String {
        self.objective.metric_name().to_lowercase().replace('-', "_")
    }
}

/// Area under the ROC curve: the share of (positive, negative) pairs in the right order, ties counting half.
fn auc(scores: &[f64], labels: &[f64]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len().min(labels.len())).collect();
    order.sort_unstable_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let (mut below, mut pairs) = (0.0, 0.0);
    for ties in order.chunk_by(|a, b| scores[*a] == scores[*b]) {
        let positive = ties.iter().filter(|row| labels[**row] == 1.0).count() as f64;
        let negative = ties.len() as f64 - positive;
        pairs += positive * (below + negative / 2.0);
        below += negative;
    }
    pairs / (below * (order.len() as f64 - below))
}

#[cfg(test)]
mod tests {
    use super::auc;

    #[test]
    fn auc_counts_pairs() {
        assert_eq!(auc(&[0.1, 0.4, 0.35, 0.8], &[0.0, 0.0, 1.0, 1.0]), 0.75);
        assert_eq!(auc(&[1.0, 1.0, 1.0], &[0.0, 1.0, 0.0]), 0.5);
    }
}
