//! What to predict.

use std::collections::HashMap;
use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema};
use serde::Serialize;
use serde_json::{Value, json};
use tidemill_core::{Code, Failure, TaskKind, grouped, shortened, suggest};
use tidemill_data::Table;

use super::text;

/// Different values that are counted; a label with more is an amount, or none at all.
const COUNTED_MAX: usize = 1000;
/// Whole numbers of at most so many values are classes, as the `Trainer` takes them.
const CLASSES_OF_NUMBERS_MAX: usize = 20;
/// Values that a line shows.
const SHOWN: usize = 6;
/// What people call the column to predict.
const NAMES: [&str; 18] = [
    "label",
    "target",
    "class",
    "y",
    "outcome",
    "response",
    "churn",
    "churned",
    "survived",
    "species",
    "diagnosis",
    "default",
    "defaulted",
    "fraud",
    "is_fraud",
    "is_spam",
    "income",
    "quality",
];
/// The value of two that is usually asked for.
const POSITIVES: [&str; 16] = [
    "yes",
    "y",
    "true",
    "t",
    "1",
    "positive",
    "pos",
    "malignant",
    "m",
    "bad",
    "fraud",
    "spam",
    "churned",
    "sick",
    "success",
    ">50k",
];

/// The column to predict, and what it holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelDraft {
    /// The column.
    pub column: String,
    /// Why this column was taken, if nobody named it.
    pub guessed: Option<String>,
    /// What a model of it is.
    pub task: TaskKind,
    /// The value that a model of two classes gives the probability of, where the label is not a truth value already.
    pub positive: Option<String>,
    /// The values with their number of rows, the most frequent first; none for an amount.
    pub values: Vec<(String, u64)>,
    /// Rows without a value.
    pub missing: u64,
    /// The condition that is the label; the column alone where there is none.
    #[serde(skip)]
    expression: Option<String>,
}

/// What a pass over a column found.
struct Counts {
    /// The values with their number of rows; none where there are too many.
    values: Option<Vec<(String, u64)>>,
    rows: u64,
    missing: u64,
    is_text: bool,
    is_bool: bool,
    /// Whether all numbers are whole.
    is_whole: bool,
}

impl LabelDraft {
    /// The label that was named, or the one that the columns suggest.
    pub(super) fn new(table: &Table, path: &Path, named: Option<&str>) -> Result<Self, Failure> {
        let schema = table.schema();
        let (column, guessed) = match named {
            Some(name) if schema.index_of(name).is_ok() => (name.to_owned(), None),
            Some(name) => return Err(no_such_column(path, name, &schema)),
            None => guess(&schema, path)?,
        };
        let counts = Counts::read(table, &column)?;
        Self::of(column, guessed, &counts)
    }

    fn of(column: String, guessed: Option<String>, counts: &Counts) -> Result<Self, Failure> {
        let bad = |what: String, code: Code| {
            let hint = match &guessed {
                Some(why) => format!("`{column}` was taken since {why}; name another: `--label COLUMN`"),
                None => "name another column: `--label COLUMN`".to_owned(),
            };
            Failure::new(code, format!("column `{column}` {what}")).with_hint(hint)
        };
        let found = counts.rows - counts.missing;
        if found == 0 {
            return Err(bad("has no value in any row, so it cannot be predicted".to_owned(), Code::LabelMissing));
        }
        let draft = |task, values: &[(String, u64)]| Self {
            column: column.clone(),
            guessed: guessed.clone(),
            task,
            positive: None,
            values: values.to_vec(),
            missing: counts.missing,
            expression: None,
        };
        let Some(values) = &counts.values else {
            if counts.is_text {
                let what = format!("is text with more than {COUNTED_MAX} different values, so it is no label");
                return Err(bad(what, Code::LabelValues));
            }
            return Ok(draft(TaskKind::Regression, &[]));
        };
        match values.as_slice() {
            [(only, _)] => {
                let what = format!("is `{}` in every row, so there is nothing to learn", shortened(only));
                Err(bad(what, Code::LabelConstant))
            }
            [_, _] if counts.is_bool || is_zero_and_one(values) => Ok(draft(TaskKind::Binary, values)),
            [a, b] => {
                let positive = positive(a, b);
                let value = if counts.is_text { text::literal(positive) } else { positive.to_owned() };
                let expression = format!("{} = {value}", text::column(&column));
                Ok(Self {
                    positive: Some(positive.to_owned()),
                    expression: Some(expression),
                    ..draft(TaskKind::Binary, values)
                })
            }
            several if counts.is_text => {
                if several.len() as u64 * 2 > found {
                    let what =
                        format!("is text with {} different values in {found} rows, so it is no label", several.len());
                    return Err(bad(what, Code::LabelValues));
                }
                Ok(draft(TaskKind::MultiClass, several))
            }
            several if counts.is_whole && several.len() <= CLASSES_OF_NUMBERS_MAX => {
                Ok(draft(TaskKind::MultiClass, several))
            }
            _ => Ok(draft(TaskKind::Regression, &[])),
        }
    }

    /// The label as the parameters of a `Transform` have it.
    pub(super) fn params(&self) -> Value {
        match &self.expression {
            Some(expression) => json!({ "name": self.column, "expression": expression }),
            None => json!({ "column": self.column }),
        }
    }

    /// The same as one line of YAML.
    pub(super) fn yaml(&self) -> String {
        match &self.expression {
            Some(expression) => {
                format!("{{ name: {}, expression: {} }}", text::yaml(&self.column), text::quoted(expression))
            }
            None => format!("{{ column: {} }}", text::yaml(&self.column)),
        }
    }

    /// The condition of rows that have a label.
    pub(super) fn is_there(&self) -> String {
        format!("{} IS NOT NULL", text::sql_column(&self.column))
    }

    /// What is predicted, in a line: `2 classes: no (1,866), yes (1,134)`.
    pub fn summary(&self) -> String {
        let shown = |(value, rows): &(String, u64)| format!("{} ({})", shortened(value), grouped(*rows));
        let mut listed: Vec<String> = self.values.iter().take(SHOWN).map(shown).collect();
        if self.values.len() > SHOWN {
            listed.push(format!("{} more", self.values.len() - SHOWN));
        }
        match self.task {
            TaskKind::Regression => "an amount".to_owned(),
            _ => format!("{} classes: {}", self.values.len(), listed.join(", ")),
        }
    }
}

impl Counts {
    fn read(table: &Table, column: &str) -> Result<Self, Failure> {
        let mut counts: HashMap<String, u64> = HashMap::new();
        let mut is_full = false;
        let mut found = Self { values: None, rows: 0, missing: 0, is_text: false, is_bool: false, is_whole: true };
        let mut add = |value: String, is_full: &mut bool| {
            if let Some(count) = counts.get_mut(&value) {
                *count += 1;
            } else if counts.len() < COUNTED_MAX {
                counts.insert(value, 1);
            } else {
                *is_full = true;
            }
        };
        for batch in table.select(&[column])?.read()? {
            let batch = batch?;
            let values = batch.column(0);
            found.rows += values.len() as u64;
            found.missing += values.null_count() as u64;
            match values.data_type() {
                DataType::Utf8 => {
                    found.is_text = true;
                    values.as_string::<i32>().iter().flatten().for_each(|value| add(value.to_owned(), &mut is_full));
                }
                DataType::Boolean => {
                    found.is_bool = true;
                    values.as_boolean().iter().flatten().for_each(|value| add(value.to_string(), &mut is_full));
                }
                DataType::Int64 => {
                    let numbers = values.as_primitive::<Int64Type>();
                    numbers.iter().flatten().for_each(|value| add(value.to_string(), &mut is_full));
                }
                DataType::Float64 => {
                    for value in values.as_primitive::<Float64Type>().iter().flatten() {
                        if value.is_nan() {
                            found.missing += 1;
                            continue;
                        }
                        found.is_whole &= value.fract() == 0.0;
                        add((value + 0.0).to_string(), &mut is_full);
                    }
                }
                other => {
                    let message = format!("column `{column}` is of type {other}, which cannot be predicted");
                    return Err(Failure::new(Code::LabelValues, message).with_hint("name another: `--label COLUMN`"));
                }
            }
        }
        if !is_full {
            let mut values: Vec<(String, u64)> = counts.into_iter().collect();
            values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            found.values = Some(values);
        }
        Ok(found)
    }
}

fn is_zero_and_one(values: &[(String, u64)]) -> bool {
    values.iter().all(|(value, _)| value == "0" || value == "1")
}

/// Of two values the one to give the probability of: what is usually asked for, or the rarer one.
fn positive<'a>(a: &'a (String, u64), b: &'a (String, u64)) -> &'a str {
    let rank = |value: &str| POSITIVES.iter().position(|known| *known == value.trim().to_lowercase());
    match (rank(&a.0), rank(&b.0)) {
        (Some(_), None) => &a.0,
        (None, Some(_)) => &b.0,
        (Some(first), Some(second)) if first != second => {
            if first < second {
                &a.0
            } else {
                &b.0
            }
        }
        // The most frequent comes first.
        _ => &b.0,
    }
}

/// The column that is called like a label, or the last one.
fn guess(schema: &Schema, path: &Path) -> Result<(String, Option<String>), Failure> {
    let can = |data_type: &DataType| {
        matches!(data_type, DataType::Utf8 | DataType::Boolean | DataType::Int64 | DataType::Float64)
    };
    let columns: Vec<&str> =
        schema.fields().iter().filter(|field| can(field.data_type())).map(|field| field.name().as_str()).collect();
    let rank = |name: &str| NAMES.iter().position(|known| *known == name.trim().to_lowercase());
    if let Some(name) = columns.iter().filter(|name| rank(name).is_some()).min_by_key(|name| rank(name)) {
        return Ok(((*name).to_owned(), Some("its name says so".to_owned())));
    }
    match columns.last() {
        Some(last) => Ok(((*last).to_owned(), Some("it is the last column".to_owned()))),
        None => Err(Failure::new(Code::LabelMissing, format!("no column of `{}` can be predicted", path.display()))),
    }
}

/// Refuses a column that the table does not have.
pub(super) fn require_column(table: &Table, path: &Path, name: &str) -> Result<(), Failure> {
    let schema = table.schema();
    if schema.index_of(name).is_ok() { Ok(()) } else { Err(no_such_column(path, name, &schema)) }
}

fn no_such_column(path: &Path, name: &str, schema: &Schema) -> Failure {
    let known: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let failure = Failure::new(Code::ColumnNotFound, format!("`{}` has no column `{name}`", path.display()));
    failure.with_hint(match suggest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "its columns: {}",
            known.iter().take(40).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        ),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn label(values: &[(&str, u64)], is_text: bool, is_whole: bool) -> Result<LabelDraft, Failure> {
        let values: Vec<(String, u64)> = values.iter().map(|(value, rows)| ((*value).to_owned(), *rows)).collect();
        let rows = values.iter().map(|(_, rows)| rows).sum();
        let counts = Counts { values: Some(values), rows, missing: 0, is_text, is_bool: false, is_whole };
        LabelDraft::of("out come".to_owned(), None, &counts)
    }

    #[test]
    fn the_values_decide_the_task() {
        let churn = label(&[("no", 60), ("yes", 40)], true, true).unwrap();
        assert_eq!((churn.task, churn.positive.as_deref()), (TaskKind::Binary, Some("yes")));
        assert_eq!(churn.yaml(), r#"{ name: "out come", expression: "\"out come\" = 'yes'" }"#);
        assert_eq!(churn.summary(), "2 classes: no (60), yes (40)");
        let rare = label(&[("blue", 60), ("green", 40)], true, true).unwrap();
        assert_eq!(rare.positive.as_deref(), Some("green"));
        let codes = label(&[("1", 60), ("2", 40)], false, true).unwrap();
        assert_eq!(codes.params()["expression"], "\"out come\" = 1");
        assert_eq!(label(&[("0", 60), ("1", 40)], false, true).unwrap().params(), json!({ "column": "out come" }));
        let kinds = [("a", 50), ("b", 50), ("c", 50)];
        assert_eq!(label(&kinds, true, true).unwrap().task, TaskKind::MultiClass);
        assert_eq!(label(&[("1", 5), ("2", 5), ("3", 5)], false, true).unwrap().task, TaskKind::MultiClass);
        assert_eq!(label(&[("1.5", 5), ("2", 5), ("3", 5)], false, false).unwrap().task, TaskKind::Regression);
        assert_eq!(label(&[("a", 9)], true, true).unwrap_err().code, Code::LabelConstant);
        let names: Vec<(String, u64)> = (0..30).map(|i| (format!("name {i}"), 1)).collect();
        let names: Vec<(&str, u64)> = names.iter().map(|(name, rows)| (name.as_str(), *rows)).collect();
        assert_eq!(label(&names, true, true).unwrap_err().code, Code::LabelValues);
    }
}
