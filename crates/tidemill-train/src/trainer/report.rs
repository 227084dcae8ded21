//! What is reported of a training: facts for the package, the card, the end of the run.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use tidemill_core::{LabelSet, Properties, SummaryTable, Task, Tone};
use tidemill_model::{FeatureSpec, PackageParts, model_card};

use super::labels::Labels;
use crate::learner::{FittedLearner, Importance};

/// Features that the package names with their importance.
const IMPORTANCES_IN_PACKAGE: usize = 20;
/// Features that the end of a run shows.
const IMPORTANCES_SHOWN: usize = 5;

/// Everything there is to report.
pub(super) struct Report<'a> {
    pub(super) fitted: &'a FittedLearner,
    /// The learner's name in the pipeline file.
    pub(super) learner: &'a str,
    pub(super) task: &'a Task,
    pub(super) features: &'a [FeatureSpec],
    /// The labels of the rows learned from.
    pub(super) train: &'a Labels,
    /// Those of the validation rows.
    pub(super) validation: Option<&'a Labels>,
    pub(super) seed: u64,
}

impl Report<'_> {
    /// The facts that a package keeps: `rows`, `label_mean` (or `classes`) and `metrics` of `train` and `validation`, those of
    /// the learner, and the features that matter most.
    pub(super) fn facts(&self) -> Value {
        let by_part = |train: Value, validation: Option<Value>| -> Value {
            let validation = validation.map(|value| ("validation".to_owned(), value));
            [("train".to_owned(), train)].into_iter().chain(validation).collect::<Map<_, _>>().into()
        };
        let of_labels = |of: &dyn Fn(&Labels) -> Value| by_part(of(self.train), self.validation.map(of));
        let mut facts = Map::new();
        facts.insert("rows".to_owned(), of_labels(&|labels| labels.values.len().into()));
        if let Task::MultiLabel { labels: names } = self.task {
            facts.insert("labels".to_owned(), of_labels(&|labels| label_counts(names, labels)));
        } else if self.task.classes().is_empty() {
            facts.insert("label_mean".to_owned(), of_labels(&|labels| labels.mean().into()));
        } else {
            facts.insert("classes".to_owned(), of_labels(&|labels| self.class_counts(labels)));
        }
        let validation = self.validation.map(|_| self.fitted.validation_metrics.clone().into());
        facts.insert("metrics".to_owned(), by_part(self.fitted.train_metrics.clone().into(), validation));
        facts.extend(self.fitted.facts.clone());
        facts.insert("seed".to_owned(), self.seed.into());
        if let Some(importance) = &self.fitted.importance {
            let one = |(feature, values): (&str, &[f64])| {
                let measures = importance.measures.iter().zip(values);
                let measured = measures.map(|(measure, value)| (measure.name.to_owned(), measure.fact(*value)));
                Value::Object([("feature".to_owned(), json!(feature))].into_iter().chain(measured).collect())
            };
            facts.insert("importance".to_owned(), self.ranked(importance).into_iter().map(one).collect());
        }
        facts.into()
    }

    /// Rows by class.
    fn class_counts(&self, labels: &Labels) -> Value {
        let classes = self.task.classes();
        let mut counts = vec![0_u64; classes.len()];
        labels.values.iter().for_each(|class| counts[*class as usize] += 1);
        classes.iter().cloned().zip(counts.into_iter().map(Value::from)).collect::<Map<_, _>>().into()
    }

    /// Properties of the model artifact.
    pub(super) fn properties(&self) -> Properties {
        let mut properties = Properties::from([
            ("learner".to_owned(), json!(self.learner)),
            ("task".to_owned(), json!(self.task.name())),
        ]);
        properties.extend(self.fitted.properties.clone());
        for (part, metrics) in [("train", &self.fitted.train_metrics), ("validation", &self.fitted.validation_metrics)]
        {
            properties.extend(metrics.iter().map(|(name, value)| (format!("{part}_{name}"), value.clone())));
        }
        properties
    }

    /// The features that matter most.
    pub(super) fn table(&self) -> Option<SummaryTable> {
        let importance = self.fitted.importance.as_ref()?;
        let (first, others) = importance.measures.split_first()?;
        let total: f64 = importance.values.iter().filter_map(|values| values.first()).sum();
        let row = |(feature, values): (&str, &[f64])| {
            let share = format!("{:.1} %", 100.0 * values[0] / total);
            let rest = others.iter().zip(&values[1..]).map(|(measure, value)| measure.text(*value));
            (Tone::Plain, [feature.to_owned(), share].into_iter().chain(rest).collect::<Vec<String>>())
        };
        let rows: Vec<_> = self.ranked(importance).into_iter().take(IMPORTANCES_SHOWN).map(row).collect();
        let others = others.iter().map(|measure| measure.name.to_owned());
        (!rows.is_empty()).then(|| SummaryTable {
            title: "Most important features".to_owned(),
            columns: ["feature".to_owned(), format!("share of {}", first.name)].into_iter().chain(others).collect(),
            rows,
        })
    }

    /// `CARD.md`: the package's own card with the owner and a table of the features that matter most.
    pub(super) fn card(&self, parts: &PackageParts, owner: Option<&str>) -> String {
        let mut plain = parts.clone();
        if let Value::Object(facts) = &mut plain.training {
            for key in ["importance", "curve", "coefficients", "path", "calibration", "rolling_origin", "shapes"] {
                facts.remove(key);
            }
        }
        let mut card = model_card(&plain);
        if let Some(owner) = owner {
            card = card.replacen("owner: not stated", &format!("owner: {}", owner.replace('\n', " ")), 1);
        }
        let Some(importance) = &self.fitted.importance else { return card };
        let names: Vec<&str> = importance.measures.iter().map(|measure| measure.name).collect();
        let mut table =
            format!("## Importance\n\n| feature | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
        for (feature, values) in self.ranked(importance) {
            let cells: Vec<String> =
                importance.measures.iter().zip(values).map(|(measure, value)| measure.text(*value)).collect();
            let _ = writeln!(table, "| {} | {} |", feature.replace('|', "\\|"), cells.join(" | "));
        }
        match card.find("## Limits") {
            Some(at) => card.insert_str(at, &format!("{table}\n")),
            None => card.push_str(&format!("\n{table}")),
        }
        card
    }

    /// The features that matter with the values of their measures, most first.
    fn ranked<'b>(&'b self, importance: &'b Importance) -> Vec<(&'b str, &'b [f64])> {
        let of = |values: &[f64]| values.first().copied().unwrap_or_default();
        let mut ranked: Vec<(&str, &[f64])> = self
            .features
            .iter()
            .zip(&importance.values)
            .filter(|(_, values)| of(values) > 0.0)
            .map(|(spec, values)| (spec.name.as_str(), values.as_slice()))
            .collect();
        ranked.sort_by(|a, b| of(b.1).total_cmp(&of(a.1)));
        ranked.truncate(IMPORTANCES_IN_PACKAGE);
        ranked
    }
}

/// Rows that have each of several labels.
fn label_counts(names: &[String], labels: &Labels) -> Value {
    let count = |at: usize| labels.values.iter().filter(|value| LabelSet::from_value(**value).has(at)).count();
    names.iter().enumerate().map(|(at, name)| (name.clone(), json!(count(at)))).collect::<Map<_, _>>().into()
}
