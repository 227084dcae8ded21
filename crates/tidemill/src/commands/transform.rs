//! `tidemill transform`: the features of every row of a file.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use serde_json::json;
use tidemill_core::{CancelFlag, Code, Failure, InvalidFile, NoProgress};
use tidemill_data::{DataError, ReadOptions, Table};
use tidemill_model::{Model, TransformGraph, input_type};
use tidemill_pipeline::Document;
use tidemill_project::{connectors, cores};
use tidemill_transform::{FeatureTable, FitOptions, RankedFeature, Ranking, TableRows, TransformConfig, fit, rank};

use crate::cli::{Global, TransformArgs};
use crate::commands::input::open_input;
use crate::commands::model::find_package;
use crate::commands::predict::refuse_input;
use crate::commands::{find_project, make_parent, print, say};
use crate::ui::{self, Align, count};

/// The file of a transform graph.
const GRAPH_FILE: &str = "transform.json";

pub async fn transform(args: &TransformArgs, global: &Global) -> Result<u8, Failure> {
    refuse_input(&args.file, &args.out)?;
    let table = open_input(&args.file, &args.input.options(), global)?;
    let (graph, fitted) = match features_file(&args.features) {
        Some(file) => (fit_on(file, &table, args, global)?, true),
        None => (graph_of(&args.features, global).await?, false),
    };
    if let Some(dir) = &args.save {
        let file = dir.join(GRAPH_FILE);
        make_parent(&file)?;
        graph.save(&file)?;
        say(global, &format!("graph: `{}`", file.display()));
    }
    let reader = table.reopen(&args.file, &read_options(&graph, &table, args)?)?.read()?;
    let mut features = FeatureTable::new(&graph, &reader.schema(), args.label, &[])?;
    let mut rows_done = 0;
    let mut failure = None;
    // The features of a part are made when the writer asks for them: many columns of a whole batch are large.
    let parts = reader.flat_map(|batch| match batch {
        Ok(batch) => FeatureTable::slices(&batch).into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    });
    let parts = parts.map(|part| {
        let made = part.map_err(Failure::from).and_then(|part| {
            let first_row = args.training.then_some(rows_done);
            rows_done += part.num_rows() as u64;
            Ok(features.batch(&part, first_row)?)
        });
        made.map_err(|error| {
            // What went wrong is told below; this only makes the writer give up and leave nothing behind.
            let stop = ArrowError::ComputeError(error.message.clone());
            failure = Some(error);
            DataError::Arrow(stop)
        })
    });
    let written = connectors().write_table(&args.out, parts);
    if let Some(failure) = failure {
        return Err(failure);
    }
    let rows = written?;
    let columns = graph.features().len() + usize::from(args.label);
    let ranking = if args.rank { Some(ranking(&graph, &table, args)?) } else { None };
    let mut value = json!({ "rows": rows, "columns": columns, "fitted": fitted, "file": args.out });
    if let Some(ranking) = &ranking {
        value["ranking"] = json!(ranking.features);
    }
    print(global, &value, || {
        let ranked = ranking.as_ref().map(|ranking| ranked(ranking).to_string() + "\n").unwrap_or_default();
        format!("{ranked}wrote {} rows of {columns} columns to `{}`\n", count(rows), args.out.display())
    })?;
    Ok(0)
}

/// The features by what they say about the label in the rows of the file.
fn ranking(graph: &TransformGraph, table: &Table, args: &TransformArgs) -> Result<Ranking, Failure> {
    let options = args.input.options();
    let rows = TableRows::of(table.reopen(&args.file, &options)?, &args.file, options);
    Ok(rank(graph, &rows, &fit_options(args.threads, None))?)
}

fn fit_options(threads: Option<usize>, cancel: Option<&CancelFlag>) -> FitOptions<'_> {
    FitOptions {
        split: "train",
        threads: threads.filter(|threads| *threads > 0).unwrap_or_else(cores),
        progress: &NoProgress,
        cancel,
        schema: None,
    }
}

fn ranked(ranking: &Ranking) -> ui::Table {
    let mut table = ui::Table::new(&[
        ("feature", Align::Left),
        ("adjusted bits", Align::Right),
        ("bits", Align::Right),
        ("by chance", Align::Right),
        ("buckets", Align::Right),
    ]);
    for RankedFeature { feature, mutual_information, by_chance, adjusted, buckets } in &ranking.features {
        let bits = |bits: &f64| format!("{bits:.6}");
        table.row([feature.clone(), bits(adjusted), bits(mutual_information), bits(by_chance), buckets.to_string()]);
    }
    table
}

/// A file that says which features to fit, if `features` is one.
fn features_file(features: &str) -> Option<&Path> {
    let path = Path::new(features);
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
    let is_text = matches!(extension.as_deref(), Some("yaml" | "yml" | "json"));
    (is_text && path.file_name().is_some_and(|name| name != GRAPH_FILE)).then_some(path)
}

/// The graph in a folder, in a file, or of a model.
async fn graph_of(features: &str, global: &Global) -> Result<TransformGraph, Failure> {
    let path = Path::new(features);
    if path.is_file() {
        return Ok(TransformGraph::load(path)?);
    }
    let file = path.join(GRAPH_FILE);
    if file.is_file() && !path.join("model.json").is_file() {
        return Ok(TransformGraph::load(file)?);
    }
    let package = find_package(Some(features), global).await?;
    Ok(Model::load(&package.path)?.graph().clone())
}

/// Fits what `file` says on the rows of `table`.
fn fit_on(file: &Path, table: &Table, args: &TransformArgs, global: &Global) -> Result<TransformGraph, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::io(file, &error))?;
    let document = Document::parse(file, &text).map_err(refused)?;
    let sets = find_project(None, global)?.feature_sets();
    let config =
        TransformConfig::with_sets(&document.value(), &sets).map_err(|issues| refused(document.invalid(issues)))?;
    let options = args.input.options();
    let rows = TableRows::of(table.reopen(&args.file, &options)?, &args.file, options);
    let cancel = CancelFlag::default();
    let fitted = fit(&config, &rows, &fit_options(args.threads, Some(&cancel)))?;
    for warning in &fitted.warnings {
        say(global, &format!("warning: {warning}"));
    }
    let features = fitted.graph.features().len();
    let scans = if fitted.scans == 1 { "one scan".to_owned() } else { format!("{} scans", fitted.scans) };
    say(global, &format!("fitted {features} features in {scans}"));
    Ok(fitted.graph)
}

/// Every mistake of the features file, each at its place.
fn refused(invalid: InvalidFile) -> Failure {
    Failure::in_file(Code::Params, invalid)
}

/// What of the file is read: the columns of the graph, in the types it wants, for a text file has no types of its own;
/// and those of the label, where it is asked for.
fn read_options(graph: &TransformGraph, table: &Table, args: &TransformArgs) -> Result<ReadOptions, Failure> {
    let present = table.schema();
    let mut columns: Vec<String> = graph.inputs().iter().map(|input| input.name.clone()).collect();
    if args.label {
        let label = graph.label().map(tidemill_model::LabelSpec::parse).transpose()?;
        for column in label.map(|label| label.columns()).unwrap_or_default() {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
    }
    columns.retain(|column| present.index_of(column).is_ok());
    let wanted = graph.inputs().iter().filter(|input| columns.contains(&input.name));
    let fields: Vec<Field> = wanted.map(|input| Field::new(&input.name, input_type(input), true)).collect();
    let types = Some(Arc::new(Schema::new(fields)));
    let options = ReadOptions { columns: Some(columns), types, ..args.input.options() };
    Ok(options.with_types(args.input.types.iter().cloned()))
}
