//! Rolling-origin evaluation: a learner judged as it would have forecast.
//!
//! For each of several origins in time the learner learns from the rows until then, and forecasts those of one horizon after
//! it. Its errors stand beside those of forecasts that need no model. The model of the package learns from all rows, as
//! without this.

mod errors;
mod params;
mod series;

use arrow::array::{Array, ArrayRef};
use arrow::buffer::BooleanBuffer;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Value, json};
use tidemill_core::calendar::DatePart;
use tidemill_core::{Code, ComponentError, SummaryTable, Tone, span_of_seconds};
use tidemill_model::{FeatureBlock, FeatureSpec, Task, steps::seconds};

use errors::Errors;
pub(super) use params::RollingOrigin;
use series::{Baseline, Series};

use super::RowSource;
use super::labels::Labels;
use crate::learner::{Estimator, TrainingData, Unwatched, predictions};

/// The share of the newest rows of a fold that a learner decides on.
const VALIDATION_SHARE: f64 = 0.2;
/// Rows that a fold must have to learn from.
const ROWS_MIN: usize = 10;

/// What is common to the folds.
pub(super) struct Folds<'a> {
    pub(super) source: &'a RowSource<'a>,
    pub(super) estimator: &'a dyn Estimator,
    pub(super) features: &'a [FeatureSpec],
    pub(super) has_offset: bool,
    pub(super) task: &'a Task,
    pub(super) split: &'a str,
    /// The labels of all rows of the split, as they are learned.
    pub(super) labels: &'a Labels,
    pub(super) seed: u64,
}

/// The errors over all folds.
#[derive(Debug)]
pub(super) struct Judged {
    horizon: u64,
    folds: Vec<Fold>,
    /// By forecaster, the model first: its name and its mean errors.
    means: Vec<(&'static str, Errors)>,
}

/// The forecasts after one origin.
#[derive(Debug)]
struct Fold {
    origin: f64,
    until: f64,
    learned: usize,
    rows: usize,
    /// By forecaster, the model first.
    errors: Vec<(&'static str, Errors)>,
}

impl Folds<'_> {
    /// Trains and judges fold by fold.
    pub(super) fn judge(&self, params: &RollingOrigin, label_horizon: u64) -> Result<Judged, ComponentError> {
        let Some(horizon) = params.horizon_seconds(label_horizon) else {
            let message = "nothing says how far ahead is forecast";
            let hint = "write `horizon: 7d` in `rolling_origin`, or in `forecast` of the `Transform`";
            return Err(ComponentError::new(Code::Params, message).with_hint(hint));
        };
        let series = self.read(params)?;
        let newest = series.times.iter().copied().filter(|time| !time.is_nan()).fold(f64::NEG_INFINITY, f64::max);
        if !newest.is_finite() {
            let message = format!("no row of split `{}` has a time in `{}`", self.split, params.time);
            return Err(ComponentError::new(Code::Params, message)
                .with_hint("a time is a number of seconds since 1970, or ISO text"));
        }
        let mut baselines = vec![("last_value", Baseline::Last)];
        baselines
            .extend(params.season_seconds().map(|season| ("seasonal_last_value", Baseline::Seasonal(season as f64))));
        let mut folds = Vec::new();
        for fold in 0..params.folds {
            let number = fold + 1;
            self.source.progress.phase(&format!("fold {number} of {}", params.folds));
            let back = |folds: u32| newest - (f64::from(folds)) * horizon as f64;
            let (origin, until) = (back(params.folds - fold), back(params.folds - fold - 1));
            folds.push(self.fold(&series, origin, until, &baselines)?);
        }
        let names: Vec<&'static str> =
            std::iter::once("model").chain(baselines.iter().map(|(name, _)| *name)).collect();
        let mean = |(at, name): (usize, &'static str)| {
            (name, Errors::mean(&folds.iter().map(|fold| &fold.errors[at].1).collect::<Vec<_>>()))
        };
        let means = names.into_iter().enumerate().map(mean).collect();
        Ok(Judged { horizon, folds, means })
    }

    /// Learns from the rows until `origin` and forecasts those after it until `until`.
    fn fold(
        &self,
        series: &Series,
        origin: f64,
        until: f64,
        baselines: &[(&'static str, Baseline)],
    ) -> Result<Fold, ComponentError> {
        let rows = |chosen: &dyn Fn(f64) -> bool| series.times.iter().map(|time| chosen(*time)).collect::<Vec<bool>>();
        let known = rows(&|time| time <= origin);
        let judged = rows(&|time| time > origin && time <= until);
        let count = |chosen: &[bool]| chosen.iter().filter(|chosen| **chosen).count();
        if count(&known) < ROWS_MIN || count(&judged) == 0 {
            let message = format!(
                "the fold from {} until {} has {} rows to learn from and {} to forecast",
                date(origin),
                date(until),
                count(&known),
                count(&judged)
            );
            return Err(
                ComponentError::new(Code::Params, message).with_hint("use fewer `folds`, or a shorter `horizon`")
            );
        }
        // A learner that decides something decides it on the newest rows.
        let boundary = if self.estimator.needs_validation() { newest_part(series, &known) } else { origin };
        let aside = rows(&|time| time > boundary && time <= origin);
        let learned = rows(&|time| time <= boundary);
        let [learned, aside, judged] = [&learned, &aside, &judged].map(|chosen| self.part(chosen));
        let source = self.source;
        let data = TrainingData {
            task: self.task,
            features: self.features,
            has_offset: self.has_offset,
            base_model: None,
            train: source.rows(self.split, &learned.labels, Some(&learned.chosen), true),
            validation: (!aside.labels.values.is_empty())
                .then(|| source.rows(self.split, &aside.labels, Some(&aside.chosen), true)),
            seed: self.seed,
            project_dir: source.project_dir,
            job: None,
            work: None,
            progress: source.progress,
            cancel: source.cancel,
            watch: &Unwatched,
        };
        let learner = self.estimator.fit(&data)?.learner;
        let ahead = source.rows(self.split, &judged.labels, Some(&judged.chosen), true);
        let forecasts = predictions(&|block: &FeatureBlock| Ok(learner.predict(block)?), self.task, &ahead)?;

        let scale = baselines.last().map_or(Baseline::Last, |(_, baseline)| *baseline);
        let step = series.step_size(origin, scale);
        let truth = &judged.labels.values;
        let mean = learned.labels.mean();
        let mut errors = vec![("model", Errors::of(&forecasts[0], truth, step))];
        for (name, baseline) in baselines {
            let guessed: Vec<f64> = judged.rows().map(|row| series.forecast(row, origin, *baseline, mean)).collect();
            errors.push((*name, Errors::of(&guessed, truth, step)));
        }
        Ok(Fold { origin, until, learned: learned.labels.values.len(), rows: truth.len(), errors })
    }

    /// The rows that `chosen` says, with their labels.
    fn part(&self, chosen: &[bool]) -> Part {
        Part { labels: self.labels.only(chosen, self.split), chosen: BooleanBuffer::from(chosen.to_vec()) }
    }

    /// Reads times and keys of all rows.
    fn read(&self, params: &RollingOrigin) -> Result<Series, ComponentError> {
        let mut columns: Vec<&str> = vec![&params.time];
        columns.extend(params.keys().iter().map(String::as_str));
        let rows = self.labels.values.len();
        let (mut times, mut keys) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        let mut batch_times = Vec::new();
        for batch in self.source.examples.batches(self.split, Some(&columns))? {
            self.source.cancel.check()?;
            let batch = batch?;
            let column = |name: &str| -> Result<&ArrayRef, ComponentError> {
                batch.column_by_name(name).ok_or_else(|| {
                    ComponentError::new(Code::Params, format!("`rolling_origin` names `{name}`, which is not a column"))
                })
            };
            let time = column(&params.time)?;
            if !seconds(time, &mut batch_times) {
                let message = format!("`{}` holds {}, and not times", params.time, time.data_type());
                return Err(ComponentError::new(Code::Params, message)
                    .with_hint("a time is a number of seconds since 1970, or ISO text"));
            }
            times.extend_from_slice(&batch_times);
            let options = FormatOptions::default();
            let parts = params.keys().iter().map(|name| column(name)).collect::<Result<Vec<_>, _>>()?;
            let parts = parts
                .iter()
                .map(|array| ArrayFormatter::try_new(array.as_ref(), &options))
                .collect::<Result<Vec<_>, _>>()
                .map_err(tidemill_model::ModelError::from)?;
            // The lengths keep apart what would read the same one after the other.
            let key = |row: usize| {
                parts.iter().map(|part| part.value(row).to_string()).fold(String::new(), |mut key, part| {
                    key.push_str(&format!("{}:{part}", part.len()));
                    key
                })
            };
            keys.extend((0..batch.num_rows()).map(key));
        }
        Ok(Series::new(keys, times, self.labels.values.clone()))
    }
}

/// Some rows of a split.
struct Part {
    labels: Labels,
    chosen: BooleanBuffer,
}

impl Part {
    fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        self.chosen.set_indices()
    }
}

/// The time after which the newest fifth of the rows begins.
fn newest_part(series: &Series, known: &[bool]) -> f64 {
    let mut times: Vec<f64> =
        series.times.iter().zip(known).filter(|(_, known)| **known).map(|(time, _)| *time).collect();
    times.sort_by(f64::total_cmp);
    let newest = times.last().copied().unwrap_or(f64::NAN);
    let at = times[((times.len() as f64 * (1.0 - VALIDATION_SHARE)) as usize).min(times.len() - 1)];
    // Rows of one time stay together; where all are of the last, nothing is kept aside.
    if at < newest { at } else { times.iter().rev().find(|time| **time < newest).copied().unwrap_or(newest) }
}

/// `2024-03-01`, with the time of day if there is one.
fn date(seconds: f64) -> String {
    let part = |part: DatePart| part.of(seconds);
    let day = format!("{:04}-{:02}-{:02}", part(DatePart::Year), part(DatePart::Month), part(DatePart::Day));
    let [hour, minute] = [DatePart::Hour, DatePart::Minute].map(part);
    if hour == 0.0 && minute == 0.0 { day } else { format!("{day}T{hour:02}:{minute:02}") }
}

impl Judged {
    /// For the package and the report.
    pub(super) fn facts(&self) -> Value {
        let by_name = |errors: &[(&'static str, Errors)]| -> Value {
            errors
                .iter()
                .map(|(name, errors)| ((*name).to_owned(), errors.facts()))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let fold = |fold: &Fold| {
            json!({
                "after": date(fold.origin),
                "until": date(fold.until),
                "learned": fold.learned,
                "rows": fold.rows,
                "errors": by_name(&fold.errors),
            })
        };
        json!({
            "horizon": span_of_seconds(self.horizon),
            "folds": self.folds.iter().map(fold).collect::<Vec<_>>(),
            "mean": by_name(&self.means),
        })
    }

    /// ", rolling MAE 3.1200 over 5 folds (last value 4.5000)".
    pub(super) fn headline(&self) -> String {
        let of = |at: usize| self.means.get(at).and_then(|(name, errors)| Some((title(name), errors.get("mae")?)));
        let (Some((_, model)), Some((name, baseline))) = (of(0), self.best_baseline().and_then(of)) else {
            return String::new();
        };
        format!(", rolling MAE {model:.4} over {} folds ({name} {baseline:.4})", self.folds.len())
    }

    /// The number of the baseline with the smallest error.
    fn best_baseline(&self) -> Option<usize> {
        let mae = |at: &usize| self.means[*at].1.get("mae").unwrap_or(f64::INFINITY);
        (1..self.means.len()).min_by(|a, b| mae(a).total_cmp(&mae(b)))
    }

    /// What to say if forecasts without a model are as good.
    pub(super) fn warning(&self) -> Option<String> {
        let (name, baseline) = &self.means[self.best_baseline()?];
        let (model, floor) = (self.means[0].1.get("mae")?, baseline.get("mae")?);
        (model >= floor).then(|| {
            format!(
                "the model forecasts no better than the {}: MAE {model:.4}, and {floor:.4} without a model",
                title(name)
            )
        })
    }

    /// The mean errors by forecaster.
    pub(super) fn table(&self) -> SummaryTable {
        let columns = ["mae", "rmse", "mape", "smape", "mase"];
        let row = |(name, errors): &(&'static str, Errors)| {
            let cell = |metric: &&str| errors.get(metric).map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
            (Tone::Plain, std::iter::once(title(name).to_owned()).chain(columns.iter().map(cell)).collect::<Vec<_>>())
        };
        let titles = ["forecast", "MAE", "RMSE", "MAPE", "sMAPE", "MASE"];
        SummaryTable {
            title: format!("Rolling origin, means of {} folds of {}", self.folds.len(), span_of_seconds(self.horizon)),
            columns: titles.map(str::to_owned).to_vec(),
            rows: self.means.iter().map(row).collect(),
        }
    }
}

/// A forecaster in words.
fn title(name: &str) -> &str {
    match name {
        "last_value" => "last value",
        "seasonal_last_value" => "seasonal last value",
        other => other,
    }
}
