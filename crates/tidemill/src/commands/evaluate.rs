//! `tidemill evaluate`: stored predictions, whatever made them, judged like a model of a pipeline.

use arrow::datatypes::Schema;
use console::style;
use tidemill_core::{Code, Failure, Task, TaskKind};
use tidemill_data::dataset_name;
use tidemill_evaluate::finder::SearchOptions;
use tidemill_evaluate::slices::SliceSpec;
use tidemill_evaluate::{
    Blessing, EvaluateOptions, Evaluation, EvaluationTable, PredictionColumns, TableColumns, Thresholds,
    render_evaluation_report, summary_tables,
};

use crate::cli::{EvaluateArgs, Global, OutputFormat, TaskName};
use crate::commands::input::open_input;
use crate::commands::report::of_files;
use crate::commands::{make_parent, print, say};
use crate::ui::{Table, count};

pub fn evaluate(args: &EvaluateArgs, global: &Global) -> Result<u8, Failure> {
    let thresholds = thresholds(args)?;
    if !(0.0..=1.0).contains(&args.decision_threshold) {
        let message = format!("`--decision-threshold` is {}, which is not between 0 and 1", args.decision_threshold);
        return Err(Failure::new(Code::CommandLine, message));
    }
    let table = table(args, global)?;
    table.notes.iter().for_each(|note| say(global, note));
    let evaluation = tidemill_evaluate::evaluate(&table, &options(args))?;
    let blessing = tidemill_evaluate::check_thresholds(&evaluation, &thresholds)?;
    if let Some(path) = &args.html {
        let judged = (!thresholds.is_empty()).then_some(&blessing);
        make_parent(path)?;
        let about = of_files([("File", args.file.as_path())]);
        tidemill_files::write(path, render_evaluation_report(&evaluation, judged, Some(&about)))?;
        say(global, &format!("report: `{}`", path.display()));
    }
    print(global, &evaluation, || text(&evaluation, &blessing))?;
    if global.output == OutputFormat::Json {
        blessing.reasons.iter().for_each(|reason| say(global, reason));
    }
    Ok(u8::from(!blessing.blessed))
}

fn thresholds(args: &EvaluateArgs) -> Result<Thresholds, Failure> {
    let thresholds = Thresholds::parse(&args.thresholds)?;
    if thresholds.needs_baseline() && args.baseline.is_none() {
        let message = "a threshold compares with a baseline, and there is none";
        return Err(Failure::new(Code::ThresholdInvalid, message)
            .with_hint("name the column of the other model's predictions with `--baseline`"));
    }
    Ok(thresholds)
}

fn options(args: &EvaluateArgs) -> EvaluateOptions {
    EvaluateOptions {
        slices: args.slices.iter().map(|columns| SliceSpec::over(columns_of(columns))).collect(),
        min_slice_size: args.min_slice_size.max(1),
        decision_threshold: args.decision_threshold,
        find_slices: (args.find_slices > 0)
            .then(|| SearchOptions { top: args.find_slices, ..SearchOptions::default() }),
        ..EvaluateOptions::default()
    }
}

fn table(args: &EvaluateArgs, global: &Global) -> Result<EvaluationTable, Failure> {
    let input = open_input(&args.file, &args.input.options(), global)?;
    let schema = input.schema();
    let columns = columns(args, &schema);
    // A column that the file lacks is named by the reading of the table, with the nearest there is.
    Ok(EvaluationTable::from_batches(&dataset_name(&args.file), &schema, input.read()?, &columns)?)
}

fn columns(args: &EvaluateArgs, schema: &Schema) -> PredictionColumns {
    let mut slices: Vec<String> = Vec::new();
    for column in args.slices.iter().flat_map(|columns| columns_of(columns)) {
        if !slices.contains(&column) {
            slices.push(column);
        }
    }
    let told = [Some(&args.label), Some(&args.prediction), args.baseline.as_ref(), args.weight.as_ref()];
    let others = || {
        let names = schema.fields().iter().map(|field| field.name());
        names.filter(|name| !told.contains(&Some(*name))).cloned().collect()
    };
    let finder = match (&args.find_in, args.find_slices) {
        (_, 0) => Vec::new(),
        (Some(columns), _) => columns.clone(),
        (None, _) => others(),
    };
    PredictionColumns {
        task: args.task.map(|task| match task {
            TaskName::Binary => TaskKind::Binary,
            TaskName::MultiClass => TaskKind::MultiClass,
            TaskName::Regression => TaskKind::Regression,
        }),
        label: args.label.clone(),
        prediction: args.prediction.clone(),
        baseline: args.baseline.clone(),
        keep: TableColumns { slices, finder, weight: args.weight.clone(), group: None, rows: 0 },
    }
}

fn columns_of(text: &str) -> Vec<String> {
    text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

fn text(evaluation: &Evaluation, blessing: &Blessing) -> String {
    let kind = match evaluation.task {
        Task::Binary => "binary label",
        Task::MultiClass { .. } => "label of classes",
        _ => "label of numbers",
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
