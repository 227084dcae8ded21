//! The labels that are known, each with its history of corrections.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use arrow::array::{Array, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde::Serialize;
use serde_json::Value;
use tidemill_core::Feedback;
use tidemill_data::{ReadOptions, Table};

use super::feedback::{feedback_files, known_at, problem};
use crate::MonitorError;
use crate::config::LabelSpec;
use crate::log::{Micros, parse_time};

/// An hour.
const HOUR: Micros = 3_600_000_000;

/// What somebody said at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The label as a number: 1 and 0 for yes and no.
    pub value: f64,
    /// When it became known; the beginning of time if nobody says.
    pub at: Micros,
    /// Who said so.
    pub actor: Option<String>,
    /// A person decided it in the review queue: it outweighs others.
    pub review: bool,
}

/// What happened to the records of labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LabelCounts {
    /// Records.
    pub records: u64,
    /// The same label again.
    pub repeated: u64,
    /// Another label, later: it counts.
    pub corrected: u64,
    /// Different labels of the same time: none counts.
    pub conflicting: u64,
    /// Records that cannot be used, such as text where a number is needed.
    pub unusable: u64,
    /// Records of somebody who gave too many in an hour: they do not count.
    pub over_limit: u64,
    /// Labels of requests that are not in the log.
    pub unknown: u64,
    /// Where the first record that cannot be used is, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_problem: Option<String>,
}

/// The labels that are known, by what they belong to.
#[derive(Debug, Clone, Default)]
pub struct LabelBook {
    /// By request and row, or by join keys; in the order of time.
    by_key: HashMap<String, Vec<Label>>,
    /// Sums of event weights by request and row.
    events: HashMap<String, Vec<(Micros, f64)>>,
    /// What happened to the records.
    pub counts: LabelCounts,
}

/// What a label of a row belongs to.
pub(super) fn key_of_request(id: &str, row: u64) -> String {
    format!("{id}\u{1f}{row}")
}

impl LabelBook {
    /// Reads the labels of a monitor: files as `spec` says, relative to `base`, and the feedback of `log` on `model`.
    pub fn read(spec: &LabelSpec, base: &Path, log: &Path, model: &str) -> Result<Self, MonitorError> {
        let mut book = Self::default();
        let mut by_actor: HashMap<(String, Micros), u64> = HashMap::new();
        if let Some(files) = &spec.files {
            book.read_files(spec, &base.join(files), &mut by_actor)?;
        }
        if spec.feedback {
            for path in feedback_files(log)? {
                book.read_feedback(spec, &path, model, &mut by_actor)?;
            }
        }
        for labels in book.by_key.values_mut() {
            labels.sort_by_key(|label| label.at);
            for pair in labels.windows(2) {
                if pair[0].value == pair[1].value {
                    book.counts.repeated += 1;
                } else if pair[0].at < pair[1].at || pair[1].review {
                    book.counts.corrected += 1;
                } else {
                    book.counts.conflicting += 1;
                }
            }
        }
        Ok(book)
    }

    /// Forgets the labels of these people, and returns how many that were.
    pub fn forget(&mut self, actors: &BTreeSet<String>) -> u64 {
        let mut gone = 0;
        for labels in self.by_key.values_mut() {
            let before = labels.len();
            labels.retain(|label| label.review || label.actor.as_ref().is_none_or(|actor| !actors.contains(actor)));
            gone += (before - labels.len()) as u64;
        }
        self.by_key.retain(|_, labels| !labels.is_empty());
        gone
    }

    /// How many rows have a label or an event.
    pub fn len(&self) -> usize {
        self.by_key.len() + self.events.keys().filter(|key| !self.by_key.contains_key(*key)).count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty() && self.events.is_empty()
    }

    /// The keys of all labels.
    pub(super) fn keys(&self) -> impl Iterator<Item = &String> {
        self.by_key.keys().chain(self.events.keys())
    }

    /// All labels of a row, in the order of time.
    pub(super) fn of(&self, key: &str) -> &[Label] {
        self.by_key.get(key).map_or(&[], Vec::as_slice)
    }

    /// The label of a row as it was known at `as_of`: the last one, a decision of a review before others. `None` if
    /// there is none, or if several of the same time disagree.
    pub fn label(&self, key: &str, as_of: Micros, spec: &LabelSpec) -> Option<Label> {
        let known: Vec<&Label> = self.of(key).iter().filter(|label| label.at <= as_of).collect();
        let reviewed = known.iter().rev().find(|label| label.review);
        if let Some(last) = reviewed.or(known.last()) {
            let disagrees = |other: &&&Label| other.at == last.at && other.value != last.value;
            return (last.review || !known.iter().any(|other| disagrees(&other))).then(|| (*last).clone());
        }
        let rule = spec.events.as_ref()?;
        let events = self.events.get(key)?;
        let (at, sum) = events
            .iter()
            .filter(|(at, _)| *at <= as_of)
            .fold((None, 0.0), |(last, sum), (at, weight)| (last.max(Some(*at)), sum + weight));
        let value = rule.positive_from.map_or(sum, |from| f64::from(u8::from(sum >= from)));
        Some(Label { value, at: at?, actor: None, review: false })
    }

    fn add(&mut self, spec: &LabelSpec, key: String, label: Label, by_actor: &mut HashMap<(String, Micros), u64>) {
        if let (Some(most), Some(actor), false) = (spec.per_actor_per_hour, &label.actor, label.review) {
            let given = by_actor.entry((actor.clone(), label.at.div_euclid(HOUR))).or_default();
            *given += 1;
            if *given > most {
                self.counts.over_limit += 1;
                return;
            }
        }
        self.by_key.entry(key).or_default().push(label);
    }

    fn unusable(&mut self, place: impl FnOnce() -> String) {
        self.counts.unusable += 1;
        if self.counts.first_problem.is_none() {
            self.counts.first_problem = Some(place());
        }
    }

    fn read_feedback(
        &mut self,
        spec: &LabelSpec,
        path: &Path,
        model: &str,
        by_actor: &mut HashMap<(String, Micros), u64>,
    ) -> Result<(), MonitorError> {
        let text = std::fs::read_to_string(path).map_err(MonitorError::io(path))?;
        // A server may be writing the last line.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for (number, line) in whole.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            let place = |reason: &str| format!("line {} of `{}`: {reason}", number + 1, path.display());
            self.counts.records += 1;
            let record: Feedback = match serde_json::from_str(line) {
                Ok(record) => record,
                Err(error) => {
                    self.unusable(|| place(&error.to_string()));
                    continue;
                }
            };
            if record.model.as_ref().is_some_and(|of| of != model) {
                self.counts.records -= 1;
                continue;
            }
            if let Some(problem) = problem(&record) {
                self.unusable(|| place(&problem));
                continue;
            }
            let at = known_at(&record).unwrap_or(Micros::MIN);
            let key = key_of_request(record.request_id.as_deref().unwrap_or_default(), record.row.unwrap_or(0));
            if let Some(event) = &record.event {
                match spec.events.as_ref().and_then(|rule| rule.weights.get(event)) {
                    Some(weight) => self.events.entry(key).or_default().push((at, *weight)),
                    None => {
                        self.unusable(|| place(&format!("`events` of the monitor file has no weight for `{event}`")));
                    }
                }
                continue;
            }
            let value = match (&record.rating, &record.label) {
                (Some(rating), _) => match spec.ratings.get(rating) {
                    Some(value) => Some(*value),
                    None => {
                        self.unusable(|| place(&format!("`ratings` of the monitor file has no value for `{rating}`")));
                        continue;
                    }
                },
                (None, Some(Value::Number(number))) => number.as_f64(),
                (None, Some(Value::Bool(yes))) => Some(f64::from(u8::from(*yes))),
                (None, Some(Value::String(text))) => number_of(text, spec),
                _ => None,
            };
            match value.filter(|value| value.is_finite()) {
                Some(value) => {
                    let label = Label { value, at, actor: record.actor, review: record.review };
                    self.add(spec, key, label, by_actor);
                }
                None => self.unusable(|| {
                    place("the label is not a number; `positive` of the monitor file names the text that counts as 1")
                }),
            }
        }
        Ok(())
    }

    fn read_files(
        &mut self,
        spec: &LabelSpec,
        files: &Path,
        by_actor: &mut HashMap<(String, Micros), u64>,
    ) -> Result<(), MonitorError> {
        let table = match Table::open(files, &ReadOptions::default()) {
            Ok(table) => table,
            // Labels that are not there yet are late labels.
            Err(tidemill_data::DataError::SourceNotFound { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut row_number = 1;
        for batch in table.read()? {
            let batch = batch?;
            let column = |name: &str| -> Result<Texts<'_>, MonitorError> { Texts::of(&batch, name, files) };
            let labels = column(&spec.label)?;
            let keys = match &spec.request_id {
                Some(id) => vec![column(id)?],
                None => spec.keys.iter().map(|name| column(name)).collect::<Result<Vec<_>, _>>()?,
            };
            let rows = spec.row.as_deref().map(column).transpose()?;
            let times = spec.time.as_deref().map(column).transpose()?;
            let actors = batch.column_by_name(&spec.actor).map(|_| column(&spec.actor)).transpose()?;
            for row in 0..batch.num_rows() {
                row_number += 1;
                self.counts.records += 1;
                let place = |reason: &str| format!("row {row_number} of `{}`: {reason}", files.display());
                let parts: Option<Vec<String>> = keys.iter().map(|key| key.get(row)).collect();
                let Some(parts) = parts else {
                    self.unusable(|| place("it has no key"));
                    continue;
                };
                let key = match &spec.request_id {
                    Some(_) => {
                        let at = rows.as_ref().and_then(|rows| rows.get(row)).and_then(|text| text.parse().ok());
                        key_of_request(&parts[0], at.unwrap_or(0))
                    }
                    None => parts.join("\u{1f}"),
                };
                let Some(value) = labels.get(row).and_then(|text| number_of(&text, spec)) else {
                    self.unusable(|| place(&format!("`{}` is not a label", labels.get(row).unwrap_or_default())));
                    continue;
                };
                let at = match &times {
                    None => Micros::MIN,
                    Some(times) => match times.get(row).and_then(|text| parse_time(&text)) {
                        Some(at) => at,
                        None => {
                            self.unusable(|| place("its time is missing or is not like `2026-03-01T12:00:00Z`"));
                            continue;
                        }
                    },
                };
                let actor = actors.as_ref().and_then(|actors| actors.get(row));
                self.add(spec, key, Label { value, at, actor, review: false }, by_actor);
            }
        }
        Ok(())
    }

    /// Labels by who gave them.
    pub(super) fn actors(&self) -> BTreeMap<String, u64> {
        let mut actors = BTreeMap::new();
        for label in self.by_key.values().flatten() {
            *actors.entry(label.actor.clone().unwrap_or_default()).or_default() += 1;
        }
        actors
    }
}

/// A label as a number.
fn number_of(text: &str, spec: &LabelSpec) -> Option<f64> {
    if let Some(positive) = &spec.positive {
        return Some(f64::from(u8::from(text == positive)));
    }
    match text {
        "true" | "yes" => Some(1.0),
        "false" | "no" => Some(0.0),
        other => other.parse().ok().filter(|value: &f64| value.is_finite()),
    }
}

/// A column of any type as texts.
pub(super) struct Texts<'a> {
    column: &'a dyn Array,
    texts: ArrayFormatter<'a>,
}

impl<'a> Texts<'a> {
    pub(super) fn of(batch: &'a RecordBatch, name: &str, file: &Path) -> Result<Self, MonitorError> {
        let Some(column) = batch.column_by_name(name) else {
            let schema = batch.schema();
            let known: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            let near = tidemill_core::suggest(name, known.iter().copied());
            return Err(MonitorError::Feedback {
                message: format!("`{}` has no column `{name}`", file.display()),
                hint: Some(near.map_or_else(
                    || format!("columns found: {}", known.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                )),
            });
        };
        const OPTIONS: FormatOptions<'static> = FormatOptions::new();
        let texts = ArrayFormatter::try_new(column.as_ref(), &OPTIONS);
        let texts =
            texts.map_err(|error| MonitorError::log(format!("column `{name}` of `{}`: {error}", file.display())))?;
        Ok(Self { column: column.as_ref(), texts })
    }

    pub(super) fn get(&self, row: usize) -> Option<String> {
        (!self.column.is_null(row)).then(|| self.texts.value(row).to_string())
    }
}
