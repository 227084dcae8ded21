//! A first pipeline for data that nobody has described: what to predict, from which columns, judged on which rows.
//!
//! [`Draft::new`] reads the data and decides; [`Draft::pipeline`] is the pipeline file, with a comment behind every
//! decision; [`try_out`] trains it once, so that the thresholds of the file are ones that a first model meets.

mod columns;
mod label;
mod splits;
pub(crate) mod text;
mod trial;
mod yaml;

use std::path::Path;

use serde::Serialize;
use serde_json::json;
use tidemill_core::{Code, Failure, Progress, TaskKind};
use tidemill_data::{ReadOptions, Table};
use tidemill_transform::{ColumnChoice, FitOptions, TableRows, TransformConfig, choose_features};

use columns::ColumnFacts;

pub use label::LabelDraft;
pub use splits::{SplitDraft, SplitRequest};
pub(crate) use trial::ended;
pub use trial::{Trial, try_out};

/// The parts of training and evaluation rows.
const PARTS: [u32; 2] = [3, 1];
/// Columns that the evaluation is sliced by, at most.
const SLICES_MAX: usize = 3;

/// What was decided about a table.
#[derive(Debug, Clone, Serialize)]
pub struct Draft {
    /// The name of the pipeline and of the model.
    pub name: String,
    /// Rows of the table.
    pub rows: u64,
    /// What is predicted.
    pub label: LabelDraft,
    /// Which rows the model is judged on.
    pub split: SplitDraft,
    /// How many parts of the rows are for training, and how many for evaluation.
    pub parts: [u32; 2],
    /// What becomes of every other column.
    pub columns: Vec<ColumnChoice>,
    /// Things worth knowing about columns.
    pub warnings: Vec<String>,
    /// Columns by which the evaluation is sliced.
    pub slices: Vec<String>,
    /// The format of the files, and how they are written where that is unusual.
    #[serde(skip)]
    source: yaml::SourceText,
}

/// What a draft should be made of.
#[derive(Debug)]
pub struct DraftRequest<'a> {
    /// The data: a file, a folder or a glob.
    pub path: &'a Path,
    /// How it is read.
    pub read: &'a ReadOptions,
    /// The column to predict; guessed where it is not named.
    pub label: Option<&'a str>,
    /// The name of the pipeline.
    pub name: &'a str,
    /// How rows come to splits; decided from the data where it is not said.
    pub split: Option<SplitRequest<'a>>,
    /// Threads that may be kept busy.
    pub threads: usize,
}

impl Draft {
    /// Reads the table and decides.
    pub fn new(table: &Table, request: &DraftRequest<'_>, progress: &dyn Progress) -> Result<Self, Failure> {
        let label = LabelDraft::new(table, request.path, request.label)?;
        if let Some(column) = request.split.as_ref().map(SplitRequest::column) {
            label::require_column(table, request.path, column)?;
        }
        let choices = choose(table, request, &label, progress)?;
        let facts = ColumnFacts::read(table, &label)?;
        let split = match request.split {
            Some(asked) => SplitDraft::asked(&facts, asked),
            None => SplitDraft::new(&facts, &choices.columns),
        };
        let mut columns = choices.columns;
        if let Some((column, why)) = split.column_left_out() {
            for choice in columns.iter_mut().filter(|choice| choice.column == column) {
                (choice.used, choice.why) = (false, why.clone());
            }
        }
        let (columns, label_columns): (Vec<_>, Vec<_>) =
            columns.into_iter().partition(|choice| choice.column != label.column);
        debug_assert!(label_columns.len() <= 1);
        if !columns.iter().any(|choice| choice.used) {
            let reasons: Vec<String> =
                columns.iter().map(|choice| format!("`{}`: {}", choice.column, choice.why)).collect();
            let message = format!("no column can predict `{}`: {}", label.column, reasons.join("; "));
            return Err(Failure::new(Code::TransformGraph, message));
        }
        let slices = facts
            .slices()
            .into_iter()
            .filter(|name| columns.iter().any(|choice| choice.used && choice.column == *name));
        Ok(Self {
            name: request.name.to_owned(),
            rows: facts.rows,
            slices: slices.take(SLICES_MAX).collect(),
            source: yaml::SourceText::new(table.format(), request.read),
            label,
            split,
            parts: PARTS,
            columns,
            warnings: choices.warnings,
        })
    }

    /// How rows are split, in a line.
    pub fn split_summary(&self) -> String {
        self.split.summary(self.parts)
    }

    /// The kind of model.
    pub fn task(&self) -> TaskKind {
        self.label.task
    }

    /// The pipeline file. `source` is the path of the data from the folder of the file.
    pub fn pipeline(&self, source: &str, trial: Option<&Trial>) -> String {
        yaml::pipeline(self, source, trial)
    }

    /// The same file with the lines of the `Trainer`: `component: …`, `learner: …`, indented as they are there.
    pub(crate) fn pipeline_with(&self, source: &str, learner: &str, trial: Option<&Trial>) -> String {
        yaml::with_learner(self, source, learner, trial, "the model")
    }

    /// The steps of the file up to the features.
    pub(crate) fn features(&self, source: &str) -> String {
        yaml::features(self, source)
    }

    /// The line of the task among the parameters of a `Trainer` or a `Tuner`.
    pub(crate) fn task_line(&self) -> String {
        yaml::task(self)
    }
}

struct Choices {
    columns: Vec<ColumnChoice>,
    warnings: Vec<String>,
}

/// What `features: auto` makes of every column.
fn choose(
    table: &Table,
    request: &DraftRequest<'_>,
    label: &LabelDraft,
    progress: &dyn Progress,
) -> Result<Choices, Failure> {
    let params = json!({ "label": label.params(), "features": "auto" });
    let config = TransformConfig::from_params(&params).map_err(|issues| {
        let issues: Vec<String> = issues.iter().map(ToString::to_string).collect();
        Failure::new(
            Code::Internal,
            format!("the label `{}` cannot be written down: {}", label.column, issues.join("; ")),
        )
    })?;
    let rows = TableRows::of(table.clone(), request.path, request.read.clone());
    let options = FitOptions { split: "train", threads: request.threads, progress, cancel: None, schema: None };
    let (columns, warnings) = choose_features(&config, &rows, &options)?;
    Ok(Choices { columns, warnings })
}
