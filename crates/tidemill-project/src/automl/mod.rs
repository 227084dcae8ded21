//! From a table to the best model that a budget allows.
//!
//! The search is a pipeline of its own, `search.yaml`: the draft's steps up to the features, and a `Tuner`. What it finds becomes the
//! `pipeline.yaml` of the project, with the same steps before it, so a run of that begins with what the search has made. The winner
//! is judged on the split `eval`, which no trial has read.

mod board;
mod files;
mod judged;
mod learners;

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tidemill_core::{Code, Failure, TaskKind, suggest};

use crate::draft::Draft;

pub use board::{Board, BoardRow};
pub use files::{PIPELINE_FILE, SEARCH_FILE};
pub use judged::{JudgedScore, completed};
pub use learners::learners;

/// What can be made as good as possible, by task; the first is the default.
pub const METRICS: [(TaskKind, &[&str]); 3] = [
    (TaskKind::Binary, &["log_loss", "auc"]),
    (TaskKind::MultiClass, &["log_loss", "accuracy"]),
    (TaskKind::Regression, &["rmse", "mae", "r2"]),
];
/// The share of a budget that the search may take; the rest is for fitting the winner and judging it.
const SEARCH_SHARE: f64 = 0.8;
/// The share of the search that one trial may take.
const TRIAL_SHARE: f64 = 0.3;
/// Fewer rows are judged in folds, and still fewer in folds that are repeated.
const FOLDS_ROWS_MAX: u64 = 3_000;
const REPEATS_ROWS_MAX: u64 = 500;

/// The parts of the rows for training and evaluation: the more rows there are, the fewer of them tell what a model is worth.
pub fn automl_parts(rows: u64) -> [u32; 2] {
    match rows {
        rows if rows < 1_000 => [3, 1],
        rows if rows < 20_000 => [4, 1],
        _ => [9, 1],
    }
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AutomlChoices {
    /// The metric; the loss of the task where none is named.
    pub metric: Option<String>,
    /// The time of all together.
    #[serde(skip)]
    pub budget: Option<Duration>,
    /// Trials at most.
    pub trials: Option<u64>,
    /// Trials at once.
    pub parallel: usize,
    /// What a row may take from raw input to prediction, in milliseconds.
    pub latency_ms_max: Option<f64>,
    /// Only models whose prediction is a sum of what each column adds.
    pub explain_only: bool,
    /// Seed of the search.
    pub seed: u64,
}

/// A search for the best model of a draft.
#[derive(Debug, Clone)]
pub struct Automl<'a> {
    draft: &'a Draft,
    choices: &'a AutomlChoices,
    metric: String,
    /// The path of the data from the folder of the project.
    source: String,
    /// How the search was asked for, as `search.yaml` keeps it.
    request: String,
}

impl<'a> Automl<'a> {
    /// A search. `source`: the path of the data from the folder of the project; `data`: as it was named.
    pub fn new(draft: &'a Draft, choices: &'a AutomlChoices, source: String, data: &str) -> Result<Self, Failure> {
        let task = draft.task();
        let known = METRICS.iter().find(|(of, _)| *of == task).map_or(&[][..], |(_, metrics)| metrics);
        let metric = match &choices.metric {
            None => known.first().copied().unwrap_or("log_loss").to_owned(),
            Some(metric) if known.contains(&metric.as_str()) => metric.clone(),
            Some(metric) => {
                let message = format!("`{metric}` cannot be searched for: the label makes this a task of {task}");
                let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
                return Err(Failure::new(Code::CommandLine, message).with_hint(
                    match suggest(metric, known.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`? There are {}", names.join(", ")),
                        None => format!("name one of {}", names.join(", ")),
                    },
                ));
            }
        };
        let mut request = json!(choices);
        request["data"] = json!(data);
        request["label"] = json!(draft.label.column);
        request["split"] = json!(draft.split);
        request["seconds"] = json!(choices.budget.map(|budget| budget.as_secs_f64()));
        Ok(Self { draft, choices, metric, source, request: request.to_string() })
    }

    /// What is made as good as possible.
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// The time that the search may take of what is left of the budget, in whole seconds.
    pub fn search_time(&self, left: Duration) -> Duration {
        Duration::from_secs((left.as_secs_f64() * SEARCH_SHARE).floor().max(1.0) as u64)
    }

    /// How trials are judged: the folds and how often they are repeated; none where the rows kept aside are enough, or time
    /// decides.
    fn folds(&self) -> Option<(usize, usize)> {
        let is_by_time = matches!(self.draft.split, crate::draft::SplitDraft::Time { .. });
        match self.draft.rows {
            _ if is_by_time => None,
            rows if rows < REPEATS_ROWS_MAX => Some((5, 3)),
            rows if rows < FOLDS_ROWS_MAX => Some((5, 1)),
            _ => None,
        }
    }
}
