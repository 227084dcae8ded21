//! What is learned: the task that the label and the parameters say, or that the label suggests.

use std::collections::HashMap;

use tidemill_core::{LabelSet, Task, TaskKind, shortened};
use tidemill_model::{LabelKind, LabelPart, LabelSpec, class_name};

use super::asked::AskedTask;
use super::error::TrainError;
use super::labels::{Labels, Texts};

/// Derivatives are kept in 32 bits, whose largest number is about 3.4e38.
const LABEL_MAX: f64 = 1e30;
/// Whole numbers of no more values than this are taken for classes where nobody says what they are.
const CLASSES_GUESSED_MAX: usize = 20;
/// More classes than this are refused.
const CLASSES_MAX: usize = 1000;
/// The largest relevance: 2 to its power is a number that sums stay exact with.
const RELEVANCE_MAX: f64 = 60.0;
/// Values that a message shows.
const VALUES_SHOWN: usize = 12;

/// What is learned, and what labels become for it.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) task: Task,
    /// The label as the package keeps it: a label of two values becomes a condition.
    pub(super) label: LabelSpec,
    /// What was guessed, with the line that says otherwise.
    pub(super) guess: Option<String>,
    encoding: Encoding,
    /// The label's two values, where it became a condition.
    values: Option<[String; 2]>,
}

/// What becomes of label values.
#[derive(Debug)]
enum Encoding {
    /// They stay as they are.
    AsTheyAre,
    /// 1 for the second value, 0 for the first.
    Second([f64; 2]),
    /// The place of the value in this list.
    Place(Vec<f64>),
}

impl Decision {
    /// Decides from the training rows. A label that contradicts `asked` is an error that shows its values and the line to
    /// write.
    pub(super) fn new(
        asked: Option<&AskedTask>,
        spec: &LabelSpec,
        labels: &Labels,
        texts: &Texts,
    ) -> Result<Self, TrainError> {
        if let Some(AskedTask::Ranking(options)) = asked {
            return Self::ranking(&options.group, spec, labels, texts);
        }
        if let Some(AskedTask::MultiLabel(parts)) = asked {
            return Self::several(parts, spec, labels);
        }
        let asked = asked.map(AskedTask::kind);
        let values = Values { labels, texts, counts: labels.counts(CLASSES_MAX) };
        let is_text = labels.kind == LabelKind::Text;
        let decision = |task, encoding| Self { task, label: spec.clone(), guess: None, encoding, values: None };
        if labels.values.iter().all(|value| *value == 0.0 || *value == 1.0) && !is_text {
            match asked {
                None | Some(TaskKind::Binary) => return Ok(decision(Task::Binary, Encoding::AsTheyAre)),
                Some(_) => {}
            }
        }
        match asked {
            Some(TaskKind::Binary) => values.two_classes(spec, false).ok_or_else(|| values.not_binary()),
            Some(TaskKind::Regression) if is_text => {
                Err(values.contradiction("is text, and a regression learns numbers".to_owned(), "task: multi_class"))
            }
            Some(TaskKind::Regression) => {
                labels.require(
                    |value| value.abs() <= LABEL_MAX,
                    || "a regression label must lie within ±1e30".to_owned(),
                )?;
                Ok(decision(Task::Regression, Encoding::AsTheyAre))
            }
            Some(TaskKind::MultiClass) => values.classes(spec),
            Some(other) => {
                Err(values
                    .contradiction(format!("cannot be learned as `{other}` by this version"), "task: multi_class"))
            }
            None => {
                if let Some(two) = values.two_classes(spec, true) {
                    return Ok(two);
                }
                if is_text {
                    return values.classes(spec);
                }
                let few = values.counts.as_ref().filter(|counts| counts.len() <= CLASSES_GUESSED_MAX);
                let whole = few.is_some_and(|counts| counts.iter().all(|(value, _)| value.fract() == 0.0));
                if whole {
                    let mut classes = values.classes(spec)?;
                    classes.guess = Some(format!(
                        "label `{}` has {} whole numbers, {}: they are learned as classes; if it is an amount, write \
                         `task: regression`",
                        spec.name,
                        classes.task.columns(),
                        values.shown()
                    ));
                    return Ok(classes);
                }
                labels.require(
                    |value| value.abs() <= LABEL_MAX,
                    || "a regression label must lie within ±1e30".to_owned(),
                )?;
                Ok(decision(Task::Regression, Encoding::AsTheyAre))
            }
        }
    }

    /// The label says how relevant a row is to its query.
    fn ranking(group: &str, spec: &LabelSpec, labels: &Labels, texts: &Texts) -> Result<Self, TrainError> {
        if labels.kind == LabelKind::Text {
            let values = Values { labels, texts, counts: labels.counts(CLASSES_MAX) };
            let reason = "is text, and a ranking learns from numbers, the more relevant the larger".to_owned();
            return Err(values.contradiction(reason, "label: { expression: case … end }"));
        }
        let task = Task::Ranking { group: group.to_owned() };
        Self::check_relevance(labels)?;
        Ok(Self { task, label: spec.clone(), guess: None, encoding: Encoding::AsTheyAre, values: None })
    }

    /// Several labels, each of which varies.
    fn several(parts: &[LabelPart], spec: &LabelSpec, labels: &Labels) -> Result<Self, TrainError> {
        for (at, part) in parts.iter().enumerate() {
            let has = |value: f64| LabelSet::from_value(value).has(at);
            if let Some(first) = labels.values.first().copied().map(has)
                && labels.values.iter().all(|value| has(*value) == first)
            {
                return Err(TrainError::LabelConstant {
                    label: part.name.clone(),
                    split: labels.split.clone(),
                    value: first.to_string(),
                });
            }
        }
        let task = Task::MultiLabel { labels: parts.iter().map(|part| part.name.clone()).collect() };
        Ok(Self { task, label: spec.clone(), guess: None, encoding: Encoding::AsTheyAre, values: None })
    }

    /// Refuses relevances below 0.
    fn check_relevance(labels: &Labels) -> Result<(), TrainError> {
        let rule =
            || format!("the label of a ranking lies between 0 and {RELEVANCE_MAX}, the more relevant the larger");
        labels.require(|value| (0.0..=RELEVANCE_MAX).contains(&value), rule)
    }

    /// The names of each class, by its number; none for an amount. Two classes have those of the label's values too.
    pub(super) fn class_names(&self) -> Vec<Vec<String>> {
        match &self.task {
            Task::Binary => {
                let mut names =
                    [("0", "false"), ("1", "true")].map(|(number, word)| vec![number.to_owned(), word.to_owned()]);
                for (names, value) in names.iter_mut().zip(self.values.iter().flatten()) {
                    // The label's own values come first: where they are 1 and 2, `1` is the first class.
                    *names = vec![value.clone()];
                }
                names.to_vec()
            }
            other => other.classes().iter().map(|class| vec![class.clone()]).collect(),
        }
    }

    /// Turns the labels of a split into what is learned. A class that the training rows do not have is an error.
    pub(super) fn encode(&self, labels: &mut Labels, texts: &Texts) -> Result<(), TrainError> {
        match &self.encoding {
            Encoding::AsTheyAre if self.task == Task::Binary => {
                labels.require(|value| value == 0.0 || value == 1.0, || "a binary label must be 0 or 1".to_owned())
            }
            Encoding::AsTheyAre if self.task.kind() == TaskKind::Ranking => Self::check_relevance(labels),
            Encoding::AsTheyAre if self.task.kind() == TaskKind::MultiLabel => Ok(()),
            Encoding::AsTheyAre => labels
                .require(|value| value.abs() <= LABEL_MAX, || "a regression label must lie within ±1e30".to_owned()),
            Encoding::Second(values) => into_places(values, labels, texts),
            Encoding::Place(order) => into_places(order, labels, texts),
        }
    }
}

/// Puts the place of each value in `order` in its place.
fn into_places(order: &[f64], labels: &mut Labels, texts: &Texts) -> Result<(), TrainError> {
    let key = |value: f64| (value + 0.0).to_bits();
    let places: HashMap<u64, usize> = order.iter().enumerate().map(|(place, value)| (key(*value), place)).collect();
    if let Some(unknown) = labels.values.iter().find(|value| !places.contains_key(&key(**value))) {
        return Err(TrainError::UnknownClass {
            label: labels.label.clone(),
            split: labels.split.clone(),
            class: name(*unknown, labels.kind, texts),
            rows: labels.values.iter().filter(|value| *value == unknown).count() as u64,
        });
    }
    for value in &mut labels.values {
        *value = places.get(&key(*value)).copied().unwrap_or_default() as f64;
    }
    Ok(())
}

/// The values of the label in the training rows.
struct Values<'a> {
    labels: &'a Labels,
    texts: &'a Texts,
    /// `None` where there are too many for classes.
    counts: Option<Vec<(f64, u64)>>,
}

impl Values<'_> {
    /// Values with their names: numbers by size, text by the alphabet.
    fn ordered(&self) -> Vec<(f64, String, u64)> {
        let counts = self.counts.iter().flatten();
        let mut named: Vec<(f64, String, u64)> =
            counts.map(|(value, rows)| (*value, name(*value, self.labels.kind, self.texts), *rows)).collect();
        if self.labels.kind == LabelKind::Text {
            named.sort_by(|a, b| a.1.cmp(&b.1));
        }
        named
    }

    /// "0 (178), 1 (182), 2 (177)".
    fn shown(&self) -> String {
        let Some(counts) = &self.counts else { return format!("more than {CLASSES_MAX} values") };
        let some = self.ordered().into_iter().take(VALUES_SHOWN);
        let mut shown: Vec<String> = some.map(|(_, name, rows)| format!("{} ({rows})", shortened(&name))).collect();
        if counts.len() > VALUES_SHOWN {
            shown.push(format!("and {} more", counts.len() - VALUES_SHOWN));
        }
        shown.join(", ")
    }

    /// The label that is true where it has the larger of its two values.
    fn two_classes(&self, spec: &LabelSpec, guessed: bool) -> Option<Decision> {
        let ordered = self.ordered();
        let [(first, negative, _), (second, name, _)] = ordered.as_slice() else { return None };
        let literal =
            if self.labels.kind == LabelKind::Text { format!("'{}'", name.replace('\'', "''")) } else { name.clone() };
        let label = spec.equal_to(&literal);
        let guess = guessed.then(|| {
            format!(
                "label `{}` has two values, {}: the model gives the probability of `{name}`; for that of `{negative}`, write \
                 the label as a condition",
                spec.name,
                self.shown()
            )
        });
        let values = Some([negative.clone(), name.clone()]);
        Some(Decision { task: Task::Binary, label, guess, encoding: Encoding::Second([*first, *second]), values })
    }

    /// Every value is a class.
    fn classes(&self, spec: &LabelSpec) -> Result<Decision, TrainError> {
        let is_text = self.labels.kind == LabelKind::Text;
        if self.counts.is_none() {
            let line = if is_text { "label: { expression: case … end }" } else { "task: regression" };
            return Err(self.contradiction(format!("has more than {CLASSES_MAX} values, too many for classes"), line));
        }
        let ordered = self.ordered();
        if let Some((value, ..)) = ordered.iter().find(|(value, ..)| value.fract() != 0.0) {
            let reason = format!("is {value} in some rows, and a class is a whole number or text");
            return Err(self.contradiction(reason, "task: regression"));
        }
        let task = Task::MultiClass { classes: ordered.iter().map(|(_, name, _)| name.clone()).collect() };
        let encoding = Encoding::Place(ordered.into_iter().map(|(value, ..)| value).collect());
        Ok(Decision { task, label: spec.clone(), guess: None, encoding, values: None })
    }

    fn not_binary(&self) -> TrainError {
        let labels = self.labels;
        let line = match &self.counts {
            Some(counts) if counts.iter().all(|(value, _)| value.fract() == 0.0) => "task: multi_class",
            _ => "task: regression",
        };
        let rule = || format!("a binary label must be 0 or 1, or have two values; it has {}", self.shown());
        let hint = Some(format!("write `{line}`, or make the label a condition"));
        match labels.require(|value| value == 0.0 || value == 1.0, rule) {
            Err(TrainError::LabelValue { label, split, row, value, rule, .. }) if labels.kind != LabelKind::Text => {
                TrainError::LabelValue { label, split, row, value, rule, hint }
            }
            _ => self.contradiction("is text of more than two values, and a binary label has two".to_owned(), line),
        }
    }

    fn contradiction(&self, reason: String, line: &str) -> TrainError {
        TrainError::LabelTask {
            label: self.labels.label.clone(),
            split: self.labels.split.clone(),
            reason,
            values: self.shown(),
            line: line.to_owned(),
        }
    }
}

fn name(value: f64, kind: LabelKind, texts: &Texts) -> String {
    match kind {
        LabelKind::Text => texts.names.get(value as usize).cloned().unwrap_or_default(),
        _ => class_name(value),
    }
}
