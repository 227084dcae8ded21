//! A first model, to know what can be asked of the next ones.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use tidemill_core::{ArtifactType, Code, Failure, NoProgress, Progress, TaskKind, grouped};
use tidemill_data::{Table, write_table};
use tidemill_evaluate::{Evaluation, Metric};
use tidemill_metadata::{Run, RunState};
use tidemill_pipeline::{FILE_NAME, Observer, Pipeline, RunOptions, StepReport};

use super::Draft;
use crate::{Project, RunSupervisor};

/// A trial is made with so many rows at most.
const ROWS_MAX: u64 = 200_000;

/// How good a first model is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// The metric that thresholds are about.
    pub metric: &'static str,
    /// Its value on the rows of the split `eval`.
    pub value: f64,
    /// The 95 % interval around it.
    pub interval: (f64, f64),
    /// Rows that it was measured on.
    pub rows: u64,
    /// The bound that the pipeline file asks for.
    pub bound: f64,
    /// Whether the model is better than guessing without looking at the columns.
    pub beats_guessing: bool,
}

/// Trains and evaluates the draft once in a folder that is gone afterwards. Large data is thinned out.
pub async fn try_out(draft: &Draft, table: &Table, source: &Path, threads: usize) -> Result<Trial, Failure> {
    let folder = tempfile::tempdir().map_err(|error| Failure::io(&std::env::temp_dir(), &error))?;
    let source = if draft.rows > ROWS_MAX { thinned(table, draft.rows, folder.path())? } else { absolute(source)? };
    let mut draft = draft.clone();
    if draft.rows > ROWS_MAX {
        draft.source =
            super::yaml::SourceText::new(tidemill_data::Format::Parquet, &tidemill_data::ReadOptions::default());
    }
    let file = folder.path().join(FILE_NAME);
    tidemill_files::write(&file, draft.pipeline(&source.to_string_lossy(), None))?;
    let project = Project::find(Some(folder.path()), None)?;
    let workspace = project.open().await?;
    let pipeline = Arc::new(project.pipeline(Some(&workspace), &[])?);
    let options = RunOptions { threads, ..RunOptions::default() };
    let run = RunSupervisor::default().start(workspace.clone(), pipeline, options, Arc::new(Silent)).await?;
    let report = run.wait().await?;
    if report.state != RunState::Complete {
        return Err(ended(&report.steps));
    }
    let outputs = report.steps.iter().flat_map(|step| &step.outputs);
    let found = outputs.into_iter().find(|output| output.artifact_type == ArtifactType::Evaluation);
    let Some(found) = found else { return Err(Failure::new(Code::Internal, "the trial gave no evaluation")) };
    let evaluation = Evaluation::read(&workspace.artifacts.get(found.artifact_type, &found.digest)?)?;
    Trial::of(&evaluation, draft.task())
}

impl Trial {
    /// What the evaluation of a model says.
    pub(crate) fn of(evaluation: &Evaluation, task: TaskKind) -> Result<Self, Failure> {
        let metric = match task {
            TaskKind::Binary => Metric::Auc,
            TaskKind::MultiClass | TaskKind::MultiLabel => Metric::Accuracy,
            TaskKind::Regression | TaskKind::Ranking => Metric::Rmse,
        };
        let overall = evaluation.overall();
        let value = overall.and_then(|all| all.metrics.get(metric)).filter(|value| value.is_finite());
        let (Some(overall), Some(value)) = (overall, value) else {
            let message = format!("`{metric}` is undefined on the {} rows of the split `eval`", evaluation.rows);
            return Err(
                Failure::new(Code::LabelValues, message).with_hint("a label that hardly varies cannot be judged")
            );
        };
        let of = |metric: Metric| overall.metrics.get(metric);
        let interval = overall.intervals.as_ref().and_then(|intervals| intervals.get(&metric));
        let interval = interval.map_or((value, value), |interval| (interval.low, interval.high));
        let is_loss = metric == Metric::Rmse;
        let (bound, beats_guessing) = match task {
            TaskKind::Binary => (rounded(interval.0, false).max(0.5), value > 0.5),
            TaskKind::Regression | TaskKind::Ranking => {
                (rounded(interval.1, true), of(Metric::R2).is_none_or(|r2| r2 > 0.0))
            }
            _ => {
                let frequent = evaluation.classes.as_ref().and_then(|classes| {
                    let rows: f64 = classes.iter().map(|class| class.rows).sum();
                    classes.iter().map(|class| class.rows / rows.max(1.0)).max_by(f64::total_cmp)
                });
                (rounded(interval.0, false), frequent.is_none_or(|frequent| value > frequent))
            }
        };
        // A bound that the model itself misses would reject it for want of rows.
        let bound = if is_loss { bound.max(rounded(value, true)) } else { bound.min(rounded(value, false)) };
        Ok(Self { metric: metric.name(), value, interval, rows: evaluation.rows, bound, beats_guessing })
    }

    /// What the first model reached, in a line.
    pub fn summary(&self) -> String {
        self.summary_of("a first model")
    }

    /// What a model reached, in a line.
    pub(super) fn summary_of(&self, model: &str) -> String {
        let (low, high) = self.interval;
        let guess = if self.beats_guessing { "" } else { ", which is no better than guessing" };
        format!(
            "{model} reached {} {} (95 % interval {} to {}) on {} rows{guess}",
            self.metric,
            shown(self.value),
            shown(low),
            shown(high),
            grouped(self.rows)
        )
    }

    /// The threshold as YAML has it.
    pub(super) fn threshold(&self) -> String {
        let (metric, bound) = (self.metric, shown(self.bound));
        if metric == Metric::Rmse.name() {
            return format!("{metric}: {{ at_most: {bound}, no_worse_than_baseline_by_percent: 5 }}");
        }
        format!("{metric}: {{ at_least: {bound}, no_worse_than_baseline_by: 0.02 }}")
    }
}

/// Two significant digits of a loss, two decimals of a share, towards the side that is easier to reach.
fn rounded(value: f64, is_loss: bool) -> f64 {
    if !is_loss {
        return (value * 100.0).floor() / 100.0;
    }
    if value <= 0.0 {
        return 0.0;
    }
    let unit = 10_f64.powi(value.log10().floor() as i32 - 1);
    (value / unit).ceil() * unit
}

/// A figure as a person writes it: four significant digits.
fn shown(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let decimals = (3 - value.abs().log10().floor() as i32).max(0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::io(path, &error))
}

/// Every so many rows of the table, as Parquet in `folder`.
fn thinned(table: &Table, rows: u64, folder: &Path) -> Result<PathBuf, Failure> {
    let path = folder.join("rows.parquet");
    let stride = rows.div_ceil(ROWS_MAX);
    let mut first = 0_u64;
    let kept = table.read()?.map(|batch| {
        let batch = batch?;
        let mask: arrow::array::BooleanArray =
            (0..batch.num_rows()).map(|row| Some((first + row as u64).is_multiple_of(stride))).collect();
        first += batch.num_rows() as u64;
        Ok(arrow::compute::filter_record_batch(&batch, &mask)?)
    });
    write_table(&path, kept)?;
    Ok(path)
}

/// Why a run has no result.
pub(crate) fn ended(steps: &[StepReport]) -> Failure {
    if let Some((step, error)) = steps.iter().find_map(|step| Some((step, step.error.as_ref()?))) {
        let failure = Failure::new(error.code, format!("{} failed: {}", step.step, error.message));
        return match &error.hint {
            Some(hint) => failure.with_hint(hint.clone()),
            None => failure,
        };
    }
    let rejected = steps.iter().find(|step| step.is_rejected());
    let by = rejected.map_or("a step", |step| step.step.as_str());
    let why =
        rejected.and_then(|step| step.outcome.as_ref()).map(|outcome| outcome.headline.clone()).unwrap_or_default();
    Failure::new(
        rejected.and_then(|step| step.rejected_with).unwrap_or(Code::Rejected),
        format!("{by} rejected: {why}"),
    )
}

/// Nobody watches a trial.
struct Silent;

impl Observer for Silent {
    fn run_started(&self, _run: &Run, _pipeline: &Pipeline) {}

    fn step_started(&self, _step: usize) -> Arc<dyn Progress> {
        Arc::new(NoProgress)
    }

    fn step_ended(&self, _step: usize, _report: &StepReport) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_round_and_easier_than_the_figure() {
        assert_eq!(
            (rounded(0.8479, false), shown(rounded(71.3, true)), shown(rounded(0.004_21, true))),
            (0.84, "72".to_owned(), "0.0043".to_owned())
        );
        assert_eq!(
            (shown(0.845), shown(12_345.6), shown(53.2), shown(100.0)),
            ("0.845".to_owned(), "12346".to_owned(), "53.2".to_owned(), "100".to_owned())
        );
    }
}
