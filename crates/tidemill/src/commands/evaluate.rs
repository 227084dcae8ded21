//! `tidemill evaluate`: stored predictions, whatever made them, judged like a model of a pipeline.

mod models;

use arrow::datatypes::Schema;
use console::style;
use serde_json::json;
use tidemill_core::{Code, Failure, ParamIssue, Task, TaskKind};
use tidemill_data::dataset_name;
use tidemill_evaluate::finder::SearchOptions;
use tidemill_evaluate::slices::SliceSpec;
use tidemill_evaluate::{
    AskedMetric, Blessing, EvaluateOptions, Evaluation, EvaluationTable, EvaluatorParams, PredictionColumns,
    TableColumns, Thresholds, is_eval_config, needs, own_metrics, read_eval_config, render_evaluation_report,
    summary_tables,
};
use tidemill_pipeline::Document;

use crate::cli::{EvaluateArgs, Global, OutputFormat, TaskName};
use crate::commands::input::open_input;
use crate::commands::report::of_files;
use crate::commands::{make_parent, print, say};
use crate::ui::{Table, count};

use models::{Judged, side_by_side};

pub fn evaluate(args: &EvaluateArgs, global: &Global) -> Result<u8, Failure> {
    let job = Job::new(args, global)?;
    let mut models = Vec::new();
    for (number, prediction) in args.predictions.iter().enumerate() {
        // Every further model is compared with the first.
        let baseline = if number == 0 { args.baseline.as_ref() } else { args.predictions.first() };
        models.push(job.judge(prediction, baseline, number == 0, global)?);
    }
    let [first, others @ ..] = models.as_slice() else { return Ok(0) };
    if let Some(path) = &args.html {
        let judged = (!job.thresholds.is_empty()).then_some(&first.blessing);
        make_parent(path)?;
        let about = of_files([("File", args.file.as_path())]);
        tidemill_files::write(path, render_evaluation_report(&first.evaluation, judged, Some(&about)))?;
        say(global, &format!("report: `{}`", path.display()));
    }
    if others.is_empty() {
        print(global, &first.evaluation, || text(&first.evaluation, &first.blessing))?;
    } else {
        let value: Vec<_> = models
            .iter()
            .map(|model| json!({ "prediction": model.prediction, "evaluation": model.evaluation, "blessing": model.blessing }))
            .collect();
        print(global, &json!({ "models": value }), || {
            format!("{}\n{}", text(&first.evaluation, &first.blessing), side_by_side(&models))
        })?;
    }
    if global.output == OutputFormat::Json {
        first.blessing.reasons.iter().for_each(|reason| say(global, reason));
    }
    Ok(u8::from(!first.blessing.blessed))
}

/// What the command line and the file of parameters ask for.
struct Job<'a> {
    args: &'a EvaluateArgs,
    params: EvaluatorParams,
    thresholds: Thresholds,
}

impl<'a> Job<'a> {
    fn new(args: &'a EvaluateArgs, global: &Global) -> Result<Self, Failure> {
        let (mut params, mut thresholds) = match &args.config {
            // The task is known when the file is read; all that is of TFMA's files is of metrics by class.
            Some(file) if is_eval_config(file) => from_eval_config(file, &task_of(args), global)?,
            Some(file) => from_file(file)?,
            None => (EvaluatorParams::default(), Thresholds::default()),
        };
        params.metrics.extend(args.metrics.iter().cloned().map(AskedMetric::Named));
        params.slices.extend(args.slices.iter().map(|columns| SliceSpec::over(columns_of(columns))));
        params.min_slice_size = args.min_slice_size.unwrap_or(params.min_slice_size).max(1);
        if let Some(threshold) = args.decision_threshold {
            if !(0.0..=1.0).contains(&threshold) {
                let message = format!("`--decision-threshold` is {threshold}, which is not between 0 and 1");
                return Err(Failure::new(Code::CommandLine, message));
            }
            params.decision_threshold = Some(threshold);
        }
        // What the file says was checked with its places; what is left is of the command line.
        params.read_thresholds().map_err(of_flags)?;
        let written = Thresholds::parse_with(&args.thresholds, &own_metrics(&params.metrics))?;
        thresholds.overall.extend(written.overall);
        if thresholds.needs_baseline() && args.baseline.is_none() {
            let message = "a threshold compares with a baseline, and there is none";
            return Err(Failure::new(Code::ThresholdInvalid, message)
                .with_hint("name the column of the other model's predictions with `--baseline`"));
        }
        Ok(Self { args, params, thresholds })
    }

    fn judge(
        &self,
        prediction: &str,
        baseline: Option<&String>,
        is_first: bool,
        global: &Global,
    ) -> Result<Judged, Failure> {
        let input = open_input(&self.args.file, &self.args.input.options(), global)?;
        let schema = input.schema();
        let columns = self.columns(&schema, prediction, baseline);
        // A column that the file lacks is named by the reading of the table, with the nearest there is.
        let name = dataset_name(&self.args.file);
        let table = EvaluationTable::from_batches(&name, &schema, input.read()?, &columns)?;
        if is_first {
            table.notes.iter().for_each(|note| say(global, note));
        }
        let evaluation = tidemill_evaluate::evaluate(&table, &self.options(table.task.kind()))?;
        let blessing = tidemill_evaluate::check_thresholds(&evaluation, &self.thresholds)?;
        Ok(Judged { prediction: prediction.to_owned(), evaluation, blessing })
    }

    fn options(&self, task: TaskKind) -> EvaluateOptions {
        let mut options = self.params.options(task, None, None);
        let bounds = self.thresholds.metrics().map(|(metric, _)| metric).filter(|metric| metric.is_on_request());
        for metric in bounds {
            if !options.metrics.contains(&metric) {
                options.metrics.push(metric);
            }
        }
        if self.args.find_slices > 0 {
            options.find_slices = Some(SearchOptions { top: self.args.find_slices, ..SearchOptions::default() });
        }
        if task != TaskKind::Ranking && options.interval_group.is_none() {
            options.interval_group.clone_from(&self.args.group);
        }
        options
    }

    fn columns(&self, schema: &Schema, prediction: &str, baseline: Option<&String>) -> PredictionColumns {
        let args = self.args;
        // Row columns of metrics do not depend on the task.
        let options = self.options(TaskKind::Binary);
        let (kept, groups) = needs(&options.metrics, options.series.as_ref());
        let mut slices: Vec<String> = Vec::new();
        for column in options.slices.iter().flat_map(|spec| spec.columns.iter().cloned()).chain(groups) {
            if !slices.contains(&column) {
                slices.push(column);
            }
        }
        let told: Vec<&String> = [Some(&args.label), args.baseline.as_ref(), args.weight.as_ref(), args.group.as_ref()]
            .into_iter()
            .flatten()
            .chain(&args.predictions)
            .collect();
        let others = || {
            let names = schema.fields().iter().map(|field| field.name());
            names.filter(|name| !told.contains(name)).cloned().collect()
        };
        let finder = match (&args.find_in, &options.find_slices) {
            (_, None) => Vec::new(),
            (Some(columns), _) => columns.clone(),
            (None, _) => self.params.find_slices.columns().map_or_else(others, <[String]>::to_vec),
        };
        PredictionColumns {
            task: args.task.map(|task| match task {
                TaskName::Binary => TaskKind::Binary,
                TaskName::MultiClass => TaskKind::MultiClass,
                TaskName::MultiLabel => TaskKind::MultiLabel,
                TaskName::Regression => TaskKind::Regression,
                TaskName::Ranking => TaskKind::Ranking,
            }),
            label: args.label.clone(),
            prediction: prediction.to_owned(),
            baseline: baseline.cloned(),
            keep: TableColumns {
                slices,
                finder,
                weight: args.weight.clone().or_else(|| self.params.weight.clone()),
                group: args.group.clone().or_else(|| self.params.interval_group().map(str::to_owned)),
                kept,
                rows: 0,
            },
        }
    }
}

/// Parameters in a file, every mistake at its place.
fn from_file(file: &std::path::Path) -> Result<(EvaluatorParams, Thresholds), Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::io(file, &error))?;
    let document = Document::parse(file, &text).map_err(|invalid| Failure::in_file(Code::Params, invalid))?;
    let params = EvaluatorParams::parse(&document.value());
    let read = params.and_then(|params| params.read_thresholds().map(|thresholds| (params, thresholds)));
    read.map_err(|issues| Failure::in_file(Code::Params, document.invalid(issues)))
}

/// The task of the flags, a binary label without one.
fn task_of(args: &EvaluateArgs) -> Task {
    match args.task {
        Some(TaskName::Regression) => Task::Regression,
        Some(TaskName::Ranking) => Task::Ranking { group: args.group.clone().unwrap_or_default() },
        Some(TaskName::MultiClass) => Task::MultiClass { classes: Vec::new() },
        Some(TaskName::MultiLabel) => Task::MultiLabel { labels: Vec::new() },
        Some(TaskName::Binary) | None => Task::Binary,
    }
}

/// An `EvalConfig` of TensorFlow Model Analysis. The columns are those of the flags.
fn from_eval_config(
    file: &std::path::Path,
    task: &Task,
    global: &Global,
) -> Result<(EvaluatorParams, Thresholds), Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::io(file, &error))?;
    let converted = read_eval_config(file, &text, task)?;
    converted.notes.iter().for_each(|note| say(global, note));
    let thresholds = converted.params.read_thresholds().map_err(of_flags)?;
    Ok((converted.params, thresholds))
}

/// The first mistake of the flags.
fn of_flags(issues: Vec<ParamIssue>) -> Failure {
    let Some(issue) = issues.into_iter().next() else {
        return Failure::new(Code::Internal, "a check of parameters failed and named no mistake");
    };
    let failure = Failure::new(Code::CommandLine, issue.message);
    match issue.hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

fn columns_of(text: &str) -> Vec<String> {
    text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

fn text(evaluation: &Evaluation, blessing: &Blessing) -> String {
    let kind = match evaluation.task {
        Task::Binary => "binary label",
        Task::MultiClass { .. } => "label of classes",
        Task::MultiLabel { .. } => "labels",
        Task::Ranking { .. } => "relevance",
        Task::Quantiles { .. } => "label of numbers, quantiles,",
        Task::Regression => "label of numbers",
    };
    let facts = format!("{} rows, {kind} `{}`", count(evaluation.rows), evaluation.label);
    let mut text = format!("{}  {}\n", style(&evaluation.split).bold(), style(facts).dim());
    for table in summary_tables(evaluation, blessing) {
        text.push_str(&format!("\n{}\n{}", style(&table.title).bold(), Table::from(&table)));
    }
    let bounds = blessing.checks.len();
    let thresholds =
        if bounds == 1 { "the threshold holds".into() } else { format!("{bounds} of {bounds} thresholds hold") };
    if !blessing.blessed {
        text.push('\n');
        blessing.reasons.iter().for_each(|reason| text.push_str(&format!("  • {reason}\n")));
        text.push_str(&format!("\n{} the answer is no\n", style("✗").red()));
    } else if bounds > 0 {
        text.push_str(&format!("\n{} {thresholds}\n", style("✓").green()));
    }
    text
}
