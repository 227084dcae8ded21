//! A table from stored predictions: any file with a label and a score, from any program.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use tidemill_core::{Task, TaskKind};
use tidemill_data::DataError;

use super::builder::{numbers, numeric_index};
use super::gaps::Gaps;
use super::labels::{LabelColumns, StoredLabels, bracketed, shown};
use super::{EvaluationTable, TableBuilder, TableColumns};
use crate::EvaluateError;
use crate::metrics::middle;

/// Scores outside 0 and 1 by no more than this are probabilities with rounding errors.
const UNCLEAN_MAX: f64 = 1e-3;
/// The roles of a file's columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PredictionColumns {
    /// The task. By default several labels if there are columns of several, quantiles if the columns of predictions are called
    /// by levels, classes if they are called by classes, binary if the label has two values and every prediction is a
    /// probability, otherwise regression. A ranking is named, and has a `group`.
    pub task: Option<TaskKind>,
    /// The column of labels: numbers, booleans or text. Several labels are a list `a,b`, or `NAME` for the columns
    /// `NAME[LABEL]`.
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
    /// A column for each class, label or level.
    Several(Vec<(String, usize)>),
}

impl Scores {
    fn find(schema: &Schema, name: &str, place: &'static str) -> Result<Self, EvaluateError> {
        if schema.index_of(name).is_err() {
            let classes = bracketed(schema, name);
            if classes.len() > 1 {
                for (_, at) in &classes {
                    numeric_index(schema, schema.field(*at).name(), place)?;
                }
                return Ok(Self::Several(classes));
            }
        }
        numeric_index(schema, name, place).map(Self::One)
    }

    fn indexes(&self) -> Vec<usize> {
        match self {
            Self::One(at) => vec![*at],
            Self::Several(classes) => classes.iter().map(|(_, at)| *at).collect(),
        }
    }

    /// What each column stands for; empty for a single one.
    fn names(&self) -> Vec<String> {
        match self {
            Self::One(_) => Vec::new(),
            Self::Several(columns) => columns.iter().map(|(name, _)| name.clone()).collect(),
        }
    }

    fn columns(&self, batch: &RecordBatch) -> Vec<Vec<f64>> {
        self.indexes().into_iter().map(|at| numbers(batch.column(at))).collect()
    }
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
        let label = LabelColumns::find(schema, &columns.label)?;
        let scores = Scores::find(schema, &columns.prediction, "prediction")?;
        let baseline = columns.baseline.as_deref().map(|name| Scores::find(schema, name, "baseline")).transpose()?;
        let mut builder = TableBuilder::new(Task::Regression, name, &columns.label, schema, &columns.keep)?;
        let role =
            |role: &'static str, indexes: Vec<usize>| indexes.into_iter().map(move |index| Gaps::new(role, index));
        let mut gaps: Vec<Gaps> = role("label", label.indexes()).collect();
        gaps.extend(role("prediction", scores.indexes()));
        gaps.extend(baseline.iter().flat_map(|scores| role("baseline", scores.indexes())));
        let mut labels = StoredLabels::default();
        let mut stored: [Vec<Vec<f64>>; 2] = [Vec::new(), Vec::new()];
        for batch in batches {
            let batch = batch?;
            for gaps in &mut gaps {
                gaps.add_column(batch.column(gaps.index));
            }
            let (own, other) = (scores.columns(&batch), baseline.as_ref().map(|scores| scores.columns(&batch)));
            let first = |columns: &[Vec<f64>]| columns.first().cloned().unwrap_or_default();
            let read = label.read(&batch, &mut labels);
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
        let names = scores.names();
        if baseline.as_ref().is_some_and(|baseline| baseline.names() != names) {
            let reason = if names.is_empty() {
                "has one column of predictions, and the baseline has several"
            } else {
                "is of classes, and the baseline has other columns of probabilities"
            };
            let hint = "name columns of the same classes".to_owned();
            return Err(contradiction(&table, &labels, reason.to_owned(), hint));
        }
        let [own, other] = stored;
        match (label, levels_of(&names).filter(|_| columns.task != Some(TaskKind::MultiClass) && !labels.is_text)) {
            (LabelColumns::Several(label), _) => {
                let labels: Vec<String> = label.into_iter().map(|(name, _)| name).collect();
                table.become_labels(labels, &names, own, other)?;
            }
            (LabelColumns::One(_), Some(order)) => table.become_quantiles(&names, &order, own, other),
            (LabelColumns::One(_), None) if !names.is_empty() => table.become_classes(names, own, other, &labels)?,
            (LabelColumns::One(_), None) if columns.task == Some(TaskKind::Ranking) => match &columns.keep.group {
                Some(group) => table.task = Task::Ranking { group: group.clone() },
                None => {
                    let hint = "name the column of the query with `--group`".to_owned();
                    let reason = "is of a ranking, whose rows belong to queries".to_owned();
                    return Err(contradiction(&table, &labels, reason, hint));
                }
            },
            (LabelColumns::One(_), None) => table.decide_task(columns.task, &labels)?,
        }
        Ok(table)
    }

    /// Several labels a row, and a column of probabilities for each.
    fn become_labels(
        &mut self,
        labels: Vec<String>,
        names: &[String],
        own: Vec<Vec<f64>>,
        other: Vec<Vec<f64>>,
    ) -> Result<(), EvaluateError> {
        let order: Option<Vec<usize>> =
            labels.iter().map(|label| names.iter().position(|name| name == label)).collect();
        let Some(order) = order.filter(|order| order.len() == names.len()) else {
            let has =
                if names.is_empty() { "one column".to_owned() } else { format!("columns for {}", names.join(", ")) };
            return Err(EvaluateError::LabelColumns {
                labels: labels.join(", "),
                problem: format!("there are {has} of predictions"),
                rows_of: self.rows_of(),
            });
        };
        if let Some(row) = self.labels.iter().position(|label| label.is_nan()) {
            return Err(EvaluateError::LabelColumns {
                labels: labels.join(", "),
                problem: format!("one of them is neither 0 nor 1 in row {}", row + 1),
                rows_of: self.rows_of(),
            });
        }
        self.task = Task::MultiLabel { labels };
        self.task.check().map_err(|problem| EvaluateError::LabelColumns {
            labels: self.label.clone(),
            problem,
            rows_of: self.rows_of(),
        })?;
        self.take_columns(&order, own, other, 0, true);
        Ok(())
    }

    /// A column for each quantile, in the order of the levels.
    fn become_quantiles(&mut self, names: &[String], order: &[usize], own: Vec<Vec<f64>>, other: Vec<Vec<f64>>) {
        self.task = Task::Quantiles { levels: order.iter().map(|at| names[*at].clone()).collect() };
        let shown = middle(&self.task.levels());
        self.take_columns(order, own, other, shown, false);
    }

    /// Takes columns in an order; that at `shown` stands for all where one number is wanted.
    fn take_columns(
        &mut self,
        order: &[usize],
        own: Vec<Vec<f64>>,
        other: Vec<Vec<f64>>,
        shown: usize,
        are_probabilities: bool,
    ) {
        let mut mended = 0;
        let mut ordered = |columns: Vec<Vec<f64>>| -> Vec<Vec<f64>> {
            let mut columns: Vec<Option<Vec<f64>>> = columns.into_iter().map(Some).collect();
            let mut taken: Vec<Vec<f64>> =
                order.iter().filter_map(|at| columns.get_mut(*at).and_then(Option::take)).collect();
            if are_probabilities {
                mended += taken.iter_mut().map(|column| clean(column)).sum::<u64>();
            }
            taken
        };
        (self.class_predictions, self.class_baseline) = (ordered(own), ordered(other));
        self.predictions = self.class_predictions[shown].clone();
        self.baseline = self.class_baseline.get(shown).cloned();
        self.note_corrections(mended);
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
        self.note_sums(&own);
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
        if asked == Some(TaskKind::MultiLabel) {
            let hint = "list the columns of the labels: `--label drama,comedy`";
            return refuse(self, "is one column, and several labels are several", hint);
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

    /// Reports rows whose probabilities are not those of one class of all.
    fn note_sums(&mut self, columns: &[Vec<f64>]) {
        let sum = |row: usize| columns.iter().map(|column| column[row]).sum::<f64>();
        let mut off = (0..self.labels.len()).filter(|row| (sum(*row) - 1.0).abs() > UNCLEAN_MAX);
        if let Some(first) = off.next() {
            let rows = 1 + off.count();
            self.notes.push(format!(
                "the probabilities of {rows} of {} rows do not sum to 1: in row {} to {:.3}",
                self.labels.len(),
                first + 1,
                sum(first)
            ));
        }
    }

    fn note_corrections(&mut self, mended: u64) {
        if mended > 0 {
            let cells = if mended == 1 { "prediction lies" } else { "predictions lie" };
            self.notes.push(format!("{mended} {cells} slightly outside 0 and 1 and count as 0 or 1"));
        }
    }
}

/// The order of columns by rising level, if they are called by levels between 0 and 1, all different.
fn levels_of(names: &[String]) -> Option<Vec<usize>> {
    let levels: Option<Vec<f64>> =
        names.iter().map(|name| name.parse::<f64>().ok().filter(|level| *level > 0.0 && *level < 1.0)).collect();
    let levels = levels.filter(|levels| levels.len() > 1)?;
    let mut order: Vec<usize> = (0..levels.len()).collect();
    order.sort_by(|a, b| levels[*a].total_cmp(&levels[*b]));
    order.windows(2).all(|pair| levels[pair[0]] < levels[pair[1]]).then_some(order)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BooleanArray, Float64Array, StringArray};
    use arrow::datatypes::{DataType, Field};
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
