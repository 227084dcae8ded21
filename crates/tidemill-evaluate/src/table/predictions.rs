//! A table from stored predictions: any file with a label and a score, from any program.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use tidemill_core::{Task, TaskKind, shortened};
use tidemill_data::DataError;
use tidemill_model::class_name;

use super::builder::{column_index, numbers, numeric_index};
use super::{EvaluationTable, TableBuilder, TableColumns};
use crate::EvaluateError;

/// Scores outside 0 and 1 by no more than this are probabilities with rounding errors.
const UNCLEAN_MAX: f64 = 1e-3;
/// The maximum number of label values in a message.
const VALUES_SHOWN: usize = 12;

/// The roles of a file's columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PredictionColumns {
    /// The task. By default classes if there are columns of probabilities by class, binary if the label has two values
    /// and every prediction is a probability, otherwise regression.
    pub task: Option<TaskKind>,
    /// The column of labels: numbers, booleans or text.
    pub label: String,
    /// The column of predictions: probabilities, or values. `NAME` stands for the columns `NAME[CLASS]` if there is no
    /// column of that name.
    pub prediction: String,
    /// The column of another model's predictions, to compare with.
    pub baseline: Option<String>,
    /// Other columns to keep.
    pub keep: TableColumns,
}

/// The columns of one model's predictions.
enum Scores {
    /// One number a row.
    One(usize),
    /// A column of probabilities for each class.
    Classes(Vec<(String, usize)>),
}

impl Scores {
    fn find(schema: &Schema, name: &str, place: &'static str) -> Result<Self, EvaluateError> {
        if schema.index_of(name).is_err() {
            let of_class =
                |field: &str| Some(field.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?.to_owned());
            let fields = schema.fields().iter().enumerate();
            let classes: Vec<(String, usize)> =
                fields.filter_map(|(at, field)| Some((of_class(field.name())?, at))).collect();
            if classes.len() > 1 {
                for (_, at) in &classes {
                    numeric_index(schema, schema.field(*at).name(), place)?;
                }
                return Ok(Self::Classes(classes));
            }
        }
        numeric_index(schema, name, place).map(Self::One)
    }

    fn indexes(&self) -> Vec<usize> {
        match self {
            Self::One(at) => vec![*at],
            Self::Classes(classes) => classes.iter().map(|(_, at)| *at).collect(),
        }
    }

    fn columns(&self, batch: &RecordBatch) -> Vec<Vec<f64>> {
        self.indexes().into_iter().map(|at| numbers(batch.column(at))).collect()
    }
}

/// Labels as read: numbers, or the numbers of texts.
#[derive(Default)]
struct StoredLabels {
    numbers_of_texts: HashMap<String, usize>,
    texts: Vec<String>,
    is_text: bool,
}

impl StoredLabels {
    fn read(&mut self, column: &ArrayRef) -> Vec<f64> {
        if column.data_type() != &DataType::Utf8 {
            return numbers(column);
        }
        self.is_text = true;
        let number = |text: Option<&str>| {
            let Some(text) = text else { return f64::NAN };
            if let Some(number) = self.numbers_of_texts.get(text) {
                return *number as f64;
            }
            self.texts.push(text.to_owned());
            self.numbers_of_texts.insert(text.to_owned(), self.texts.len() - 1);
            (self.texts.len() - 1) as f64
        };
        column.as_string::<i32>().iter().map(number).collect()
    }

    fn name(&self, value: f64) -> String {
        if self.is_text { self.texts[value as usize].clone() } else { class_name(value) }
    }

    /// The values with their names and the number of their rows: numbers by size, text by the alphabet.
    fn counts(&self, labels: &[f64]) -> Vec<(f64, String, u64)> {
        let mut counts: HashMap<u64, u64> = HashMap::new();
        for label in labels {
            *counts.entry((label + 0.0).to_bits()).or_default() += 1;
        }
        let named = |(bits, rows)| (f64::from_bits(bits), self.name(f64::from_bits(bits)), rows);
        let mut counts: Vec<(f64, String, u64)> = counts.into_iter().map(named).collect();
        counts.sort_by(|a, b| if self.is_text { a.1.cmp(&b.1) } else { a.0.total_cmp(&b.0) });
        counts
    }
}

/// "no (120), yes (61)".
fn shown(counts: &[(f64, String, u64)]) -> String {
    let some = counts.iter().take(VALUES_SHOWN);
    let mut shown: Vec<String> = some.map(|(_, name, rows)| format!("{} ({rows})", shortened(name))).collect();
    if counts.len() > VALUES_SHOWN {
        shown.push(format!("and {} more", counts.len() - VALUES_SHOWN));
    }
    shown.join(", ")
}

impl EvaluationTable {
    /// Builds a table from the rows of `batches`, which have `schema`. `name` stands for the rows in messages: that of
    /// the file. Rows without a label or a prediction are an error, which gives their number.
    ///
    /// Two values of a label other than 0 and 1 are taken as no and yes in their order, and probabilities with rounding
    /// errors are corrected; [`notes`](Self::notes) reports both.
    pub fn from_batches(
        name: &str,
        schema: &Schema,
        batches: impl IntoIterator<Item = Result<RecordBatch, DataError>>,
        columns: &PredictionColumns,
    ) -> Result<Self, EvaluateError> {
        let label = column_index(schema, &columns.label, "label")?;
        if schema.field(label).data_type() != &DataType::Utf8 {
            numeric_index(schema, &columns.label, "label")?;
        }
        let scores = Scores::find(schema, &columns.prediction, "prediction")?;
        let baseline = columns.baseline.as_deref().map(|name| Scores::find(schema, name, "baseline")).transpose()?;
        let mut builder = TableBuilder::new(Task::Regression, name, &columns.label, schema, &columns.keep)?;
        let role = |role: &'static str, scores: &Scores| {
            scores.indexes().into_iter().map(|index| Gaps::new(role, index)).collect::<Vec<_>>()
        };
        let mut gaps = vec![Gaps::new("label", label)];
        gaps.extend(role("prediction", &scores));
        gaps.extend(baseline.iter().flat_map(|scores| role("baseline", scores)));
        let mut labels = StoredLabels::default();
        let mut stored: [Vec<Vec<f64>>; 2] = [Vec::new(), Vec::new()];
        for batch in batches {
            let batch = batch?;
            for gaps in &mut gaps {
                gaps.add_column(batch.column(gaps.index));
            }
            let (own, other) = (scores.columns(&batch), baseline.as_ref().map(|scores| scores.columns(&batch)));
            let first = |columns: &[Vec<f64>]| columns.first().cloned().unwrap_or_default();
            let read = labels.read(batch.column(label));
            builder.push(&batch, &read, &first(&own), other.as_deref().map(first).as_deref())?;
            for (whole, part) in stored.iter_mut().zip([own, other.unwrap_or_default()]) {
                whole.resize_with(part.len(), Vec::new);
                whole.iter_mut().zip(part).for_each(|(column, part)| column.extend(part));
            }
        }
        let mut table = builder.finish();
        table.stored = true;
        if let Some(gaps) = gaps.iter().find(|gaps| gaps.missing > 0) {
            return Err(EvaluateError::CellsMissing {
                column: schema.field(gaps.index).name().clone(),
                role: gaps.role,
                missing: gaps.missing,
                rows: gaps.rows,
                first: gaps.first,
                rows_of: table.rows_of(),
            });
        }
        match (scores, baseline) {
            (Scores::Classes(classes), baseline) => {
                let [own, other] = stored;
                let names: Vec<String> = classes.into_iter().map(|(name, _)| name).collect();
                let same = match &baseline {
                    None => true,
                    Some(Scores::Classes(others)) => others.iter().map(|(name, _)| name).eq(&names),
                    Some(Scores::One(_)) => false,
                };
                if !same {
                    let reason = "is of classes, and the baseline has other columns of probabilities".to_owned();
                    return Err(contradiction(&table, &labels, reason, "name columns of the same classes".to_owned()));
                }
                table.become_classes(names, own, other, &labels)?;
            }
            (Scores::One(_), _) => table.decide_task(columns.task, &labels)?,
        }
        Ok(table)
    }

    /// Labels as numbers of classes, and all probabilities.
    fn become_classes(
        &mut self,
        names: Vec<String>,
        mut own: Vec<Vec<f64>>,
        mut other: Vec<Vec<f64>>,
        labels: &StoredLabels,
    ) -> Result<(), EvaluateError> {
        for row in 0..self.labels.len() {
            let name = labels.name(self.labels[row]);
            let Some(class) = names.iter().position(|known| *known == name) else {
                return Err(EvaluateError::UnknownClass {
                    label: self.label.clone(),
                    class: name,
                    row: row as u64 + 1,
                    rows_of: self.rows_of(),
                    known: names,
                });
            };
            self.labels[row] = class as f64;
        }
        let mended: u64 = own.iter_mut().chain(&mut other).map(|column| clean(column)).sum();
        self.note_corrections(mended);
        let truth = |columns: &[Vec<f64>]| -> Vec<f64> {
            self.labels.iter().enumerate().map(|(row, class)| columns[*class as usize][row]).collect()
        };
        self.predictions = truth(&own);
        self.baseline = (!other.is_empty()).then(|| truth(&other));
        (self.class_predictions, self.class_baseline) = (own, other);
        self.task = Task::MultiClass { classes: names };
        Ok(())
    }

    /// Decides between a binary label and a quantity.
    fn decide_task(&mut self, asked: Option<TaskKind>, labels: &StoredLabels) -> Result<(), EvaluateError> {
        let is_binary = |label: &f64| *label == 0.0 || *label == 1.0;
        let refuse = |table: &Self, reason: &str, hint: &str| {
            Err(contradiction(table, labels, reason.to_owned(), hint.to_owned()))
        };
        if asked == Some(TaskKind::Regression) {
            if labels.is_text {
                return refuse(
                    self,
                    "is text, and a regression compares numbers",
                    "name a column of numbers, or leave `--task` out",
                );
            }
            self.task = Task::Regression;
            return Ok(());
        }
        if asked == Some(TaskKind::MultiClass) {
            let hint = "name the columns by the part before `[CLASS]`: `--prediction probabilities`";
            return refuse(self, "is of classes, and there is one column of predictions, not one for each class", hint);
        }
        let nearly = |score: &f64| (-UNCLEAN_MAX..=1.0 + UNCLEAN_MAX).contains(score);
        let outside =
            self.predictions.iter().chain(self.baseline.iter().flatten()).find(|score| !nearly(score)).copied();
        let plain = !labels.is_text && self.labels.iter().all(is_binary);
        let counts = if plain { Vec::new() } else { labels.counts(&self.labels) };
        let two = plain || counts.len() == 2;
        match (asked, outside) {
            _ if labels.is_text && !two => {
                let hint = "for several classes, name columns of probabilities by what stands before `[CLASS]`: \
                            `--prediction probabilities`";
                return refuse(
                    self,
                    "is text that has not two values, and one column of predictions is of a label of two",
                    hint,
                );
            }
            // `check` reports such a score with its row.
            (Some(TaskKind::Binary), _) | (None, None) if two => {}
            (Some(_), _) => {
                return refuse(
                    self,
                    "has not two values, and a binary label has",
                    "write `--task regression` to compare values",
                );
            }
            (None, Some(score)) if plain || labels.is_text => {
                let reason = format!("has two values, and a prediction is {score}, which is not a probability");
                let hint = "turn the predictions into probabilities, or write `--task regression` to compare values";
                return Err(contradiction(self, labels, reason, hint.to_owned()));
            }
            (None, _) => {
                self.task = Task::Regression;
                return Ok(());
            }
        }
        self.task = Task::Binary;
        if let [(_, negative, _), (positive, name, _)] = counts.as_slice() {
            self.notes.push(format!(
                "label `{}` has two values, {}: `{name}` is taken for yes, `{negative}` for no",
                self.label,
                shown(&counts)
            ));
            self.labels.iter_mut().for_each(|label| *label = f64::from(u8::from(*label == *positive)));
        }
        let mended = clean(&mut self.predictions) + self.baseline.as_mut().map_or(0, |scores| clean(scores));
        self.note_corrections(mended);
        Ok(())
    }

    fn note_corrections(&mut self, mended: u64) {
        if mended > 0 {
            let cells = if mended == 1 { "prediction lies" } else { "predictions lie" };
            self.notes.push(format!("{mended} {cells} slightly outside 0 and 1 and count as 0 or 1"));
        }
    }
}

/// Corrects probabilities with rounding errors, and counts them.
fn clean(scores: &mut [f64]) -> u64 {
    let mut mended = 0;
    for score in scores {
        if (-UNCLEAN_MAX..=1.0 + UNCLEAN_MAX).contains(score) && !(0.0..=1.0).contains(score) {
            *score = score.clamp(0.0, 1.0);
            mended += 1;
        }
    }
    mended
}

fn contradiction(table: &EvaluationTable, labels: &StoredLabels, reason: String, hint: String) -> EvaluateError {
    EvaluateError::LabelTask {
        label: table.label.clone(),
        reason,
        rows_of: table.rows_of(),
        values: shown(&labels.counts(&table.labels)),
        hint,
    }
}

/// Empty cells of one column, counted over all rows so that one message reports all.
struct Gaps {
    role: &'static str,
    index: usize,
    rows: u64,
    missing: u64,
    first: u64,
}

impl Gaps {
    fn new(role: &'static str, index: usize) -> Self {
        Self { role, index, rows: 0, missing: 0, first: 0 }
    }

    fn add_column(&mut self, column: &ArrayRef) {
        if self.missing == 0
            && let Some(row) = (0..column.len()).find(|row| column.is_null(*row))
        {
            self.first = self.rows + row as u64 + 1;
        }
        self.rows += column.len() as u64;
        self.missing += column.null_count() as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Float64Array, StringArray};
    use arrow::datatypes::Field;
    use tidemill_core::{Code, Coded};

    use super::*;
    use crate::slices::{SliceSpec, SliceValue};
    use crate::{EvaluateOptions, Metric, evaluate};

    fn batch() -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("tipped", DataType::Boolean, true),
            Field::new("score", DataType::Float64, true),
            Field::new("payment", DataType::Utf8, true),
        ]);
        RecordBatch::try_new(
            Arc::new(schema),
            vec![
                Arc::new(BooleanArray::from(vec![true, false, true, false])),
                Arc::new(Float64Array::from(vec![0.9, 0.2, 0.4, 0.6])),
                Arc::new(StringArray::from(vec![Some("Cash"), Some("Cash"), None, None])),
            ],
        )
        .unwrap()
    }

    fn columns() -> PredictionColumns {
        PredictionColumns {
            label: "tipped".into(),
            prediction: "score".into(),
            keep: TableColumns { slices: vec!["payment".into()], ..TableColumns::default() },
            ..PredictionColumns::default()
        }
    }

    #[test]
    fn a_label_and_a_score_suffice() {
        let table = EvaluationTable::from_batches("file", &batch().schema(), [Ok(batch())], &columns()).unwrap();
        assert_eq!(table.task, Task::Binary);
        let options = EvaluateOptions { slices: vec![SliceSpec::over(["payment"])], ..EvaluateOptions::default() };
        let evaluation = evaluate(&table, &options).unwrap();
        assert_eq!(evaluation.overall().unwrap().metrics.get(Metric::Auc), Some(0.75));
        let missing = &evaluation.slices[2];
        assert_eq!(missing.slice.terms()[0].value, SliceValue::Missing);
        assert_eq!(missing.metrics.get(Metric::Auc), Some(0.0));
    }

    #[test]
    fn rows_without_a_score_are_counted() {
        let scores = Arc::new(Float64Array::from(vec![Some(0.9), None, Some(0.4), None]));
        let mut columns_of = batch().columns().to_vec();
        columns_of[1] = scores;
        let gappy = RecordBatch::try_new(batch().schema(), columns_of).unwrap();
        let error = EvaluationTable::from_batches("p.csv", &batch().schema(), [Ok(gappy)], &columns()).unwrap_err();
        assert_eq!(error.code(), Code::PredictionValues);
        let expected = "column `score` (prediction) has no value in 2 of 4 rows of `p.csv`, first in row 2";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_misspelt_column_and_a_column_of_text_are_named() {
        let wrong = PredictionColumns { label: "tiped".into(), ..columns() };
        let error = EvaluationTable::from_batches("file", &batch().schema(), [Ok(batch())], &wrong).unwrap_err();
        assert_eq!(error.code(), Code::ColumnNotFound);
        assert_eq!(error.hint().as_deref(), Some("did you mean `tipped`?"));
        let wrong = PredictionColumns { prediction: "payment".into(), ..columns() };
        let error = EvaluationTable::from_batches("file", &batch().schema(), [Ok(batch())], &wrong).unwrap_err();
        assert_eq!(error.code(), Code::ColumnType);
        let mut wrong = columns();
        wrong.keep.slices = vec!["score".into()];
        let error = EvaluationTable::from_batches("file", &batch().schema(), [Ok(batch())], &wrong).unwrap_err();
        assert_eq!(error.code(), Code::ColumnType);
        assert!(error.hint().unwrap().contains("find_slices"));
    }

    fn stored(
        labels: ArrayRef,
        scores: &[(&str, Vec<f64>)],
        task: Option<TaskKind>,
    ) -> Result<EvaluationTable, EvaluateError> {
        let mut fields = vec![Field::new("y", labels.data_type().clone(), true)];
        let mut arrays = vec![labels];
        for (name, values) in scores {
            fields.push(Field::new(*name, DataType::Float64, true));
            arrays.push(Arc::new(Float64Array::from(values.clone())));
        }
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).unwrap();
        let columns =
            PredictionColumns { task, label: "y".into(), prediction: "p".into(), ..PredictionColumns::default() };
        EvaluationTable::from_batches("p.csv", &schema, [Ok(batch)], &columns)
    }

    #[test]
    fn other_spellings_of_two_classes_and_unclean_scores_are_said() {
        let texts = Arc::new(StringArray::from(vec!["yes", "no", "yes", "no"]));
        let scores = vec![0.9, -1e-9, 1.000_000_1, 0.3];
        let table = stored(texts, &[("p", scores.clone())], None).unwrap();
        assert_eq!((&table.task, &table.labels), (&Task::Binary, &vec![1.0, 0.0, 1.0, 0.0]));
        assert_eq!(table.predictions, [0.9, 0.0, 1.0, 0.3]);
        assert_eq!(table.notes[0], "label `y` has two values, no (2), yes (2): `yes` is taken for yes, `no` for no");
        assert_eq!(table.notes[1], "2 predictions lie slightly outside 0 and 1 and count as 0 or 1");

        let ones_and_twos = Arc::new(Float64Array::from(vec![2.0, 1.0, 2.0, 1.0]));
        let table = stored(ones_and_twos, &[("p", scores)], None).unwrap();
        assert_eq!((&table.task, &table.labels), (&Task::Binary, &vec![1.0, 0.0, 1.0, 0.0]));

        let log_odds = vec![2.5, -3.0, 0.1, -0.5];
        let labels = || Arc::new(Float64Array::from(vec![1.0, 0.0, 1.0, 0.0]));
        let error = stored(labels(), &[("p", log_odds.clone())], None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "label `y` has two values, and a prediction is 2.5, which is not a probability; its values in `p.csv` are 0 (2), 1 (2)"
        );
        assert!(error.hint().unwrap().contains("`--task regression`"));
        assert_eq!(stored(labels(), &[("p", log_odds)], Some(TaskKind::Regression)).unwrap().task, Task::Regression);
    }

    #[test]
    fn classes_have_a_column_each() {
        let texts = || Arc::new(StringArray::from(vec!["a", "b", "c", "a"]));
        let column = |values: [f64; 4]| values.to_vec();
        let classes = [
            ("p[a]", column([0.7, 0.2, 0.1, 0.3])),
            ("p[b]", column([0.2, 0.5, 0.3, 0.6])),
            ("p[c]", column([0.1, 0.3, 0.6, 0.1])),
        ];
        let table = stored(texts(), &classes, None).unwrap();
        assert_eq!(table.task.classes(), ["a", "b", "c"]);
        assert_eq!(table.predictions, [0.7, 0.5, 0.6, 0.3]);
        let evaluation = evaluate(&table, &EvaluateOptions::default()).unwrap();
        assert_eq!(evaluation.overall().unwrap().metrics.get(Metric::Accuracy), Some(0.75));
        assert_eq!(evaluation.classes.unwrap()[0].predicted["b"], 1.0);

        let error = stored(texts(), &[("p", column([0.1, 0.2, 0.3, 0.4]))], None).unwrap_err();
        assert!(error.to_string().ends_with("its values in `p.csv` are a (2), b (1), c (1)"), "{error}");
        let error = stored(texts(), &classes[..2], None).unwrap_err();
        assert_eq!(error.to_string(), "label `y` is `c` in row 3 of `p.csv`, a class that the model does not know");
    }
}
