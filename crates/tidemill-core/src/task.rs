//! What a model predicts.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{DataType, TensorGroup, TensorSpec};

/// What a model predicts, with everything that belongs to it: the names of classes, the group of a ranking.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// The probability that the label is true.
    Binary,
    /// The probability of each class.
    MultiClass {
        /// Names of the classes, in the order of the probabilities. At least two, all different.
        classes: Vec<String>,
    },
    /// For each of several labels, the probability that it is true.
    MultiLabel {
        /// Names of the labels, in the order of the probabilities.
        labels: Vec<String>,
    },
    /// The label's value.
    Regression,
    /// Several quantiles of the label's value, ascending: a regression of more than one number.
    Quantiles {
        /// The levels as text, ascending: `0.1`.
        levels: Vec<String>,
    },
    /// A score that orders the rows of a group, the best highest.
    Ranking {
        /// The column whose equal values make a group.
        group: String,
    },
}

/// The kind of a [`Task`], without its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// See [`Task::Binary`].
    Binary,
    /// See [`Task::MultiClass`].
    #[serde(alias = "multiclass")]
    MultiClass,
    /// See [`Task::MultiLabel`].
    #[serde(alias = "multilabel")]
    MultiLabel,
    /// See [`Task::Regression`].
    Regression,
    /// See [`Task::Ranking`].
    Ranking,
}

impl TaskKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Binary, Self::MultiClass, Self::MultiLabel, Self::Regression, Self::Ranking];

    /// The name used in files and tables: `multi_class`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::MultiClass => "multi_class",
            Self::MultiLabel => "multi_label",
            Self::Regression => "regression",
            Self::Ranking => "ranking",
        }
    }
}

impl From<Task> for TaskKind {
    fn from(task: Task) -> Self {
        task.kind()
    }
}

impl From<&Task> for TaskKind {
    fn from(task: &Task) -> Self {
        task.kind()
    }
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Task {
    /// The output with the most probable class of a multi-class model.
    pub const CLASS: &'static str = "class";
    /// The output with the probabilities of all classes or labels.
    pub const PROBABILITIES: &'static str = "probabilities";
    /// The output with all quantiles.
    pub const QUANTILES: &'static str = "quantiles";

    /// The kind, without the data.
    pub const fn kind(&self) -> TaskKind {
        match self {
            Self::Binary => TaskKind::Binary,
            Self::MultiClass { .. } => TaskKind::MultiClass,
            Self::MultiLabel { .. } => TaskKind::MultiLabel,
            Self::Regression | Self::Quantiles { .. } => TaskKind::Regression,
            Self::Ranking { .. } => TaskKind::Ranking,
        }
    }

    /// The kind's name in files and tables.
    pub const fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// The name of the output that a learner's numbers become: `probability`, `prediction`, `probabilities`,
    /// `quantiles` or `score`.
    pub const fn output_name(&self) -> &'static str {
        match self {
            Self::Binary => "probability",
            Self::Regression => "prediction",
            Self::MultiClass { .. } | Self::MultiLabel { .. } => Self::PROBABILITIES,
            Self::Quantiles { .. } => Self::QUANTILES,
            Self::Ranking { .. } => "score",
        }
    }

    /// Names of the classes of a multi-class model; empty for any other.
    pub fn classes(&self) -> &[String] {
        match self {
            Self::MultiClass { classes } => classes,
            _ => &[],
        }
    }

    /// What each number of a row stands for, where there are several: classes, labels or levels.
    pub fn names(&self) -> &[String] {
        match self {
            Self::MultiClass { classes: names }
            | Self::MultiLabel { labels: names }
            | Self::Quantiles { levels: names } => names,
            _ => &[],
        }
    }

    /// How many numbers a learner gives for a row.
    pub fn columns(&self) -> usize {
        self.names().len().max(1)
    }

    /// The levels of several quantiles; empty for any other task.
    pub fn levels(&self) -> Vec<f64> {
        match self {
            Self::Quantiles { levels } => levels.iter().map(|level| level.parse().unwrap_or(f64::NAN)).collect(),
            _ => Vec::new(),
        }
    }

    /// The outputs of a model with this task, and which of them are one tensor to a client.
    ///
    /// One number is one column. A multi-class model gives the most probable class, then a tensor of the probabilities of
    /// all classes, whose columns are called `probabilities[NAME]`. Several quantiles are a tensor `quantiles[LEVEL]`.
    pub fn outputs(&self) -> (Vec<TensorSpec>, Vec<TensorGroup>) {
        let number = |name: String| TensorSpec::new(name, DataType::Fp64, false);
        let names = self.names();
        if names.is_empty() {
            return (vec![number(self.output_name().to_owned())], Vec::new());
        }
        let mut outputs = Vec::with_capacity(names.len() + 1);
        if matches!(self, Self::MultiClass { .. }) {
            outputs.push(TensorSpec::new(Self::CLASS, DataType::Bytes, false));
        }
        let tensor = self.output_name();
        let group = TensorGroup { name: tensor.to_owned(), first: outputs.len(), count: names.len() };
        outputs.extend(names.iter().map(|name| number(format!("{tensor}[{name}]"))));
        (outputs, vec![group])
    }

    /// Why the data of this task cannot be, if it cannot.
    pub fn check(&self) -> Result<(), String> {
        let (what, least) = match self {
            Self::MultiClass { .. } => ("classes", 2),
            Self::MultiLabel { labels } if labels.len() > LabelSet::LABELS_MAX => {
                return Err(format!("{} labels are more than {}", labels.len(), LabelSet::LABELS_MAX));
            }
            Self::MultiLabel { .. } => ("labels", 1),
            Self::Quantiles { .. } => ("levels", 2),
            _ => return Ok(()),
        };
        let names = self.names();
        if names.len() < least {
            return Err(format!("a {} model has {least} {what} or more, and {} are named", self.name(), names.len()));
        }
        let mut seen = std::collections::HashSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(format!("`{twice}` is twice among the {what}"));
        }
        let levels = self.levels();
        if let Some(level) = levels.iter().find(|level| !(**level > 0.0 && **level < 1.0)) {
            return Err(format!("a level is above 0 and below 1, and one is {level}"));
        }
        if levels.is_sorted() { Ok(()) } else { Err("the levels of quantiles are not ascending".to_owned()) }
    }
}

/// Which of several labels are true for a row, as one whole number that a floating-point number holds exactly: bit `n` is the
/// label `n` of [`Task::MultiLabel`]. So a row has one label value whatever the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LabelSet(u64);

impl LabelSet {
    /// Labels at most: the bits of a whole number that is exact in 64-bit floating point.
    pub const LABELS_MAX: usize = 52;

    /// The set that a label value stands for.
    pub fn from_value(value: f64) -> Self {
        Self(value as u64)
    }

    /// The label value.
    pub fn value(self) -> f64 {
        self.0 as f64
    }

    /// Whether the label `at` is true.
    pub fn has(self, at: usize) -> bool {
        self.0 >> at & 1 == 1
    }

    /// How many labels are true.
    pub fn count(self) -> u32 {
        self.0.count_ones()
    }
}

impl FromIterator<bool> for LabelSet {
    fn from_iter<I: IntoIterator<Item = bool>>(labels: I) -> Self {
        Self(labels.into_iter().take(Self::LABELS_MAX).enumerate().fold(0, |set, (at, is)| set | u64::from(is) << at))
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn penguins() -> Task {
        Task::MultiClass { classes: vec!["Adelie".into(), "Gentoo".into()] }
    }

    #[test]
    fn one_number_is_a_word_and_several_name_their_classes() {
        assert_eq!(serde_json::to_value(Task::Binary).unwrap(), json!("binary"));
        let written = serde_json::to_value(penguins()).unwrap();
        assert_eq!(written, json!({ "multi_class": { "classes": ["Adelie", "Gentoo"] } }));
        assert_eq!(serde_json::from_value::<Task>(written).unwrap(), penguins());
    }

    #[test]
    fn outputs_follow_from_the_task() {
        let (outputs, groups) = Task::Binary.outputs();
        assert_eq!((outputs[0].name.as_str(), outputs.len(), groups.len()), ("probability", 1, 0));
        let (outputs, groups) = penguins().outputs();
        let names: Vec<&str> = outputs.iter().map(|output| output.name.as_str()).collect();
        assert_eq!(names, ["class", "probabilities[Adelie]", "probabilities[Gentoo]"]);
        assert_eq!(groups, [TensorGroup { name: "probabilities".into(), first: 1, count: 2 }]);
    }

    #[test]
    fn classes_are_two_or_more_and_all_different() {
        assert_eq!(penguins().check(), Ok(()));
        let twice = Task::MultiClass { classes: vec!["a".into(), "a".into()] };
        assert_eq!(twice.check().unwrap_err(), "`a` is twice among the classes");
        assert!(Task::MultiClass { classes: vec!["a".into()] }.check().is_err());
    }

    #[test]
    fn quantiles_are_a_regression_of_a_tensor() {
        let levels =
            |levels: &[&str]| Task::Quantiles { levels: levels.iter().map(|&level| level.to_owned()).collect() };
        let task = levels(&["0.1", "0.9"]);
        assert_eq!((task.kind(), task.columns(), task.levels()), (TaskKind::Regression, 2, vec![0.1, 0.9]));
        let (outputs, groups) = task.outputs();
        let names: Vec<&str> = outputs.iter().map(|output| output.name.as_str()).collect();
        assert_eq!((names, groups[0].name.as_str()), (vec!["quantiles[0.1]", "quantiles[0.9]"], "quantiles"));
        assert_eq!(task.check(), Ok(()));
        for bad in [levels(&["0.9", "0.1"]), levels(&["0.5"]), levels(&["0", "0.5"]), levels(&["x", "0.5"])] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_set_of_labels_is_one_number() {
        let set: LabelSet = [true, false, true].into_iter().collect();
        assert_eq!((set.value(), set.has(0), set.has(1), set.has(2), set.count()), (5.0, true, false, true, 2));
        let all: LabelSet = std::iter::repeat_n(true, LabelSet::LABELS_MAX).collect();
        assert_eq!(LabelSet::from_value(all.value()), all);
    }
}
