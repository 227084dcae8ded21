//! What can go wrong in training, beside reading the inputs.

use std::path::PathBuf;

use tidemill_core::{Code, Coded, TaskKind};
use tidemill_model::ModelError;

/// What can go wrong in training.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// Rows without a label.
    #[error(
        "label `{label}` is missing in {count} of {rows} rows of split `{split}`, first in row {row}",
        row = first_row + 1
    )]
    LabelMissing {
        /// The label's name.
        label: String,
        /// The split.
        split: String,
        /// How many rows lack it.
        count: u64,
        /// How many rows the split has.
        rows: u64,
        /// The first such row, from 0.
        first_row: u64,
    },
    /// A label that cannot be learned.
    #[error("label `{label}` is {value} in row {row} of split `{split}`, and {rule}", row = row + 1)]
    LabelValue {
        /// The label's name.
        label: String,
        /// The split.
        split: String,
        /// The first such row, from 0.
        row: u64,
        /// What it is there.
        value: f64,
        /// What it should be.
        rule: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The label and the task contradict each other.
    #[error("label `{label}` {reason}; its values in split `{split}` are {values}")]
    LabelTask {
        /// The label's name.
        label: String,
        /// The split.
        split: String,
        /// Why it cannot be learned so.
        reason: String,
        /// The values with the number of their rows.
        values: String,
        /// What to write.
        line: String,
    },
    /// A class that was not learned.
    #[error(
        "label `{label}` is `{class}` in {rows} rows of split `{split}` and in no row of the split that is learned from"
    )]
    UnknownClass {
        /// The label's name.
        label: String,
        /// The split.
        split: String,
        /// The class.
        class: String,
        /// How many rows of the split have it.
        rows: u64,
    },
    /// Text that is no class.
    #[error("label `{label}` has more than {texts} different texts, too many for classes")]
    TooManyTexts {
        /// The label's name.
        label: String,
        /// The largest number.
        texts: usize,
    },
    /// The learner does not learn the task that the label suggests.
    #[error("the learner `{learner}` cannot learn the task `{task}`, which the label suggests")]
    TaskNotLearned {
        /// The learner's name.
        learner: &'static str,
        /// The task.
        task: TaskKind,
    },
    /// A parameter that does not go with the task.
    #[error("`{param}` is for {wanted}, and the task is `{task}`")]
    NotForTask {
        /// The parameter.
        param: &'static str,
        /// What it needs.
        wanted: &'static str,
        /// The task.
        task: TaskKind,
    },
    /// The label cannot be computed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A label that never varies.
    #[error("label `{label}` is {value} in every row of split `{split}`")]
    LabelConstant {
        /// The label's name.
        label: String,
        /// The split.
        split: String,
        /// What it is.
        value: String,
    },
    /// A split without rows.
    #[error("split `{split}` has no rows")]
    SplitEmpty {
        /// The split.
        split: String,
    },
    /// More rows than are numbered.
    #[error("split `{split}` has {rows} rows, and at most {} can be learned from", u32::MAX)]
    TooManyRows {
        /// The split.
        split: String,
        /// Its rows.
        rows: u64,
    },
    /// A weight that is none.
    #[error("weight `{column}` {reason}{}", place(.split, *.row))]
    Weight {
        /// The column.
        column: String,
        /// The split.
        split: String,
        /// The first such row, from 0, where it is one row.
        row: Option<u64>,
        /// What is wrong.
        reason: String,
    },
    /// A column that cannot have its role.
    #[error("{role} `{column}` {reason}{}", place(.split, *.row))]
    Column {
        /// What it is for: `group`.
        role: &'static str,
        /// The column.
        column: String,
        /// The split.
        split: String,
        /// The first such row, from 0, where it is one row.
        row: Option<u64>,
        /// What is wrong.
        reason: String,
    },
    /// An offset that cannot be computed.
    #[error("offset `{expression}` {reason}")]
    Offset {
        /// The expression.
        expression: String,
        /// What is wrong.
        reason: String,
    },
    /// A model that training cannot start from.
    #[error("the model to start from does not fit: {reason}")]
    BaseModel {
        /// Why.
        reason: String,
    },
    /// A model to start from that cannot be read.
    #[error("cannot read the model `{}` to start from", path.display())]
    WarmStart {
        /// Where it should be.
        path: PathBuf,
        /// Why it cannot be read.
        source: std::io::Error,
    },
    /// An input that the learner or the task has no use for.
    #[error("the {what} has no `{key}`")]
    NoUse {
        /// The learner or the task.
        what: String,
        /// The parameter.
        key: &'static str,
    },
    /// Rows none of which counts.
    #[error("the weight of every row of split `{split}` is 0")]
    WeightsZero {
        /// The split.
        split: String,
    },
    /// A weight of a class that there is not.
    #[error("`class_weights` names `{class}`, which is no class of the task `{task}`")]
    ClassWeight {
        /// The name.
        class: String,
        /// The task.
        task: TaskKind,
        /// The classes.
        known: Vec<String>,
        /// A class of a similar name.
        nearest: Option<String>,
    },
    /// The operating system gives no threads.
    #[error("threads cannot be started")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

impl Coded for TrainError {
    fn code(&self) -> Code {
        match self {
            Self::LabelMissing { .. } => Code::LabelMissing,
            Self::LabelValue { .. }
            | Self::LabelTask { .. }
            | Self::UnknownClass { .. }
            | Self::TooManyTexts { .. } => Code::LabelValues,
            Self::TaskNotLearned { .. }
            | Self::NotForTask { .. }
            | Self::Offset { .. }
            | Self::BaseModel { .. }
            | Self::NoUse { .. } => Code::Params,
            Self::WarmStart { .. } => Code::SourceNotFound,
            Self::Model(error) => error.code(),
            Self::LabelConstant { .. } => Code::LabelConstant,
            Self::SplitEmpty { .. } => Code::EmptySplit,
            Self::TooManyRows { .. } | Self::ClassWeight { .. } => Code::Params,
            Self::Weight { row: None, .. } | Self::Column { row: None, .. } => Code::Params,
            Self::Weight { .. } | Self::Column { .. } | Self::WeightsZero { .. } => Code::LabelValues,
            Self::Threads(_) => Code::Io,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::LabelMissing { .. } => {
                Some("drop such rows before ingestion, or make the expression total with `coalesce`".to_owned())
            }
            Self::LabelValue { hint: Some(hint), .. } => Some(hint.clone()),
            Self::LabelValue { .. } => Some("for a label that is an amount, set `task: regression`".to_owned()),
            Self::LabelTask { line, .. } => Some(format!("write `{line}`")),
            Self::UnknownClass { .. } => Some(
                "give the split that is learned from a larger share, or put rare classes together with a `case` in the \
                 label's expression"
                    .to_owned(),
            ),
            Self::TooManyTexts { .. } => {
                Some("is it the right column? Else put classes together with a `case` in the label's expression".to_owned())
            }
            Self::TaskNotLearned { .. } => None,
            Self::Offset { .. } => Some("it is an expression over columns, as in `offset: ln(exposure)`".to_owned()),
            Self::BaseModel { .. } => Some("start from a model of the same pipeline, or leave `warm_start` out".to_owned()),
            Self::WarmStart { .. } => {
                Some("name the folder of a package, or a file of LightGBM or XGBoost, from the folder of the project".to_owned())
            }
            Self::NoUse { .. } | Self::NotForTask { .. } => Some("leave it out".to_owned()),
            Self::Model(error) => error.hint(),
            Self::LabelConstant { .. } => Some("check the label's expression and the shares of the splits".to_owned()),
            Self::SplitEmpty { .. } => Some("give the split a larger share".to_owned()),
            Self::TooManyRows { .. } => Some("give the split a smaller share".to_owned()),
            Self::Weight { row: None, .. } => Some("name a column of numbers: `weight: COLUMN`".to_owned()),
            Self::Column { row: None, .. } => Some("`tidemill inspect` lists the columns of the examples".to_owned()),
            Self::Weight { .. } | Self::Column { .. } => {
                Some("leave such rows out with `where` at the source".to_owned())
            }
            Self::WeightsZero { .. } => Some("name another column: `weight: COLUMN`".to_owned()),
            Self::ClassWeight { nearest: Some(nearest), .. } => Some(format!("did you mean `{nearest}`?")),
            Self::ClassWeight { known, .. } if known.is_empty() => Some("only classes have such weights".to_owned()),
            Self::ClassWeight { known, .. } => Some(format!("there are {}", known.join(", "))),
            Self::Threads(_) => None,
        }
    }
}

/// " in row 3 of split `train`".
fn place(split: &str, row: Option<u64>) -> String {
    row.map_or_else(String::new, |row| format!(" in row {} of split `{split}`", row + 1))
}
