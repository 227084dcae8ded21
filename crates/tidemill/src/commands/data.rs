//! `tidemill stats`, `infer-schema` and `validate`: the parts of a pipeline alone, on any file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use console::style;
use serde_json::json;
use tidemill_core::markup::About;
use tidemill_core::{
    Anomalies, Anomaly, CancelFlag, Code, DatasetStatistics, Failure, FeatureStatistics, Schema, Severity,
};
use tidemill_data::{Format, ReadOptions, Table as Source, dataset_name};
use tidemill_project::cores;
use tidemill_validation::{
    Computation, Offer, RowSource, RuleEngine as _, StatisticsOptions, infer_schema as infer, inferred_yaml,
    look_at_rows, read_rules, render_report, semantic_offers, statistics_in, validate as check, write_statistics_file,
};

use crate::cli::{Global, InferSchemaArgs, InputArgs, StatsArgs, ValidateArgs};
use crate::commands::input::{open_input, open_pair};
use crate::commands::report::of_files;
use crate::commands::schema::{read, refuse_to_replace, text_for};
use crate::commands::statistics::{alerts_text, beyond_features, percent};
use crate::commands::{print, say};
use crate::ui::{Align, Table, count, number, printable, running_bar};

pub fn stats(args: &StatsArgs, global: &Global) -> Result<u8, Failure> {
    let threads = args.threads.filter(|threads| *threads > 0).unwrap_or_else(cores);
    let options = StatisticsOptions {
        weight: args.weight.clone(),
        slices: args
            .slice
            .iter()
            .map(|columns| columns.split(',').map(|name| name.trim().to_owned()).collect())
            .collect(),
        correlations: args.correlations,
        label: args.label.clone(),
        label_boundaries: args.label_boundaries.clone(),
        sample_rate: args.sample_rate,
    };
    let read = args.input.options_by(args.schema.as_deref(), global)?;
    let of = |file: &PathBuf| statistics_with(file, &read, &options, threads, global);
    let datasets = args.files.iter().map(of).collect::<Result<Vec<_>, _>>()?;
    if let Some(path) = &args.html {
        let about = of_files(args.files.iter().map(|file| ("File", file.as_path())));
        write_report(path, &datasets, None, &about, global)?;
    }
    if let Some(path) = &args.out {
        write_statistics_file(path, &datasets)?;
        say(global, &format!("statistics: `{}`", path.display()));
    }
    match datasets.as_slice() {
        [one] => print(global, one, || stats_text(one))?,
        several => print(global, &several, || several.iter().map(stats_text).collect::<Vec<_>>().join("\n"))?,
    }
    Ok(0)
}

/// The statistics of data, or those that a file holds; by the weights in a column, where one is named.
pub(super) fn statistics(
    file: &Path,
    read: &ReadOptions,
    weight: Option<&String>,
    threads: usize,
    global: &Global,
) -> Result<DatasetStatistics, Failure> {
    if let Some(found) = statistics_in(file) {
        return weighed(file, one_of(file, found?)?, weight);
    }
    let options = StatisticsOptions { weight: weight.cloned(), ..StatisticsOptions::default() };
    statistics_with(file, read, &options, threads, global)
}

/// The statistics of two datasets that are compared, each of data or from a file. A column of data is read as what it is
/// in `schema`, and as the same type in both.
pub(super) fn statistics_of_pair(
    files: [&Path; 2],
    input: &InputArgs,
    schema: Option<&Schema>,
    weight: Option<&String>,
    threads: usize,
    global: &Global,
) -> Result<[DatasetStatistics; 2], Failure> {
    let options = StatisticsOptions { weight: weight.cloned(), ..StatisticsOptions::default() };
    let read = match schema {
        Some(schema) => input.options().with_hints(schema),
        None => input.options(),
    };
    let known = files.map(statistics_in);
    if known.iter().all(Option::is_none) {
        let [a, b] = open_pair(files, &read, global)?;
        let read = read.with_schema(&a.common_types(&b));
        let of = |source: &Source, file: &Path| statistics_of(source, file, &read, &options, threads, global);
        return Ok([of(&a, files[0])?, of(&b, files[1])?]);
    }
    let [a, b] = known;
    let [a, b] = [(a, files[0]), (b, files[1])].map(|(known, file)| {
        let Some(found) = known else { return Ok((None, file)) };
        Ok::<_, Failure>((Some(weighed(file, one_of(file, found?)?, weight)?), file))
    });
    let (a, b) = (a?, b?);
    // Data beside statistics is read as what they say.
    let of = |file: &Path, other: Option<&DatasetStatistics>| {
        let types = other.into_iter().flat_map(|other| &other.features).map(|of| (of.name.clone(), of.feature_type));
        let hints = ReadOptions::default().with_types(types).types;
        let read = ReadOptions { hints: read.hints.clone().or(hints), ..read.clone() };
        statistics_with(file, &read, &options, threads, global)
    };
    Ok(match (a, b) {
        ((Some(a), _), (Some(b), _)) => [a, b],
        ((Some(a), _), (None, file)) => {
            let b = of(file, Some(&a))?;
            [a, b]
        }
        ((None, file), (b, other)) => {
            let a = of(file, b.as_ref())?;
            let b = match b {
                Some(b) => b,
                None => of(other, Some(&a))?,
            };
            [a, b]
        }
    })
}

/// Statistics read from a file, which must have weights where they are asked for.
fn weighed(file: &Path, read: DatasetStatistics, weight: Option<&String>) -> Result<DatasetStatistics, Failure> {
    // A file of TFDV does not say of which column they are.
    let fits = |column: &str| read.weight_column().is_some_and(|found| found == column || found.is_empty());
    match weight.filter(|weight| !fits(weight)) {
        None => Ok(read),
        Some(weight) => {
            let message = format!("`{}` holds no statistics by the weights in `{weight}`", file.display());
            Err(Failure::new(Code::StatisticsFile, message)
                .with_hint("write them with `tidemill stats FILE --weight COLUMN`"))
        }
    }
}

fn statistics_with(
    file: &Path,
    read: &ReadOptions,
    options: &StatisticsOptions,
    threads: usize,
    global: &Global,
) -> Result<DatasetStatistics, Failure> {
    if *options == StatisticsOptions::default()
        && let Some(found) = statistics_in(file)
    {
        return one_of(file, found?);
    }
    statistics_of(&open_input(file, read, global)?, file, read, options, threads, global)
}

pub(super) fn statistics_of(
    source: &Source,
    file: &Path,
    read: &ReadOptions,
    options: &StatisticsOptions,
    threads: usize,
    global: &Global,
) -> Result<DatasetStatistics, Failure> {
    let name = dataset_name(file);
    let open = |columns: Option<&[String]>| match columns {
        // Other formats are read whole for a few columns too.
        Some(columns) if source.format() == Format::Parquet => {
            source.reopen(file, &ReadOptions { columns: Some(columns.to_vec()), ..read.clone() })?.read()
        }
        _ => source.read(),
    };
    let (bar, progress) = running_bar(&name, global);
    let cancel = CancelFlag::default();
    let statistics = Computation { options, progress: &*progress, threads, cancel: &cancel }.run(&open, &name);
    bar.finish_and_clear();
    Ok(statistics?)
}

/// The only dataset of a file of statistics; of several the first where it is the whole and the others are its slices.
pub(super) fn one_of(file: &Path, datasets: Vec<DatasetStatistics>) -> Result<DatasetStatistics, Failure> {
    let count = datasets.len();
    let rows = |dataset: &DatasetStatistics| dataset.num_examples;
    let whole = datasets.iter().map(rows).max() == datasets.first().map(rows);
    match datasets.into_iter().next() {
        Some(first) if count == 1 || (whole && file.extension().is_some_and(|of| of != "json")) => Ok(first),
        _ => Err(Failure::new(
            Code::StatisticsFile,
            format!("`{}` holds the statistics of {count} datasets, one is needed", file.display()),
        )
        .with_hint("write it with `tidemill stats FILE -o json`, of one file")),
    }
}

pub(super) fn write_report(
    path: &Path,
    datasets: &[DatasetStatistics],
    anomalies: Option<&Anomalies>,
    about: &About,
    global: &Global,
) -> Result<(), Failure> {
    let datasets: Vec<&DatasetStatistics> = datasets.iter().collect();
    let html = render_report(&datasets, anomalies, Some(about));
    tidemill_files::write(path, html)?;
    say(global, &format!("report: `{}`", path.display()));
    Ok(())
}

fn stats_text(dataset: &DatasetStatistics) -> String {
    columns_text(dataset) + &alerts_text(dataset)
}

/// Every column, and what there is beyond single columns.
pub(super) fn columns_text(dataset: &DatasetStatistics) -> String {
    let title = style(&dataset.name).bold();
    let features = dataset.features.len();
    let drawn = dataset.sample_rate.map_or_else(String::new, |rate| format!(" ({} of all)", percent(rate)));
    let mut text = format!("{title}  {} rows{drawn}, {features} features\n", count(dataset.num_examples));
    let numeric: Vec<&FeatureStatistics> =
        dataset.features.iter().filter(|feature| feature.numeric.is_some()).collect();
    if !numeric.is_empty() {
        let heads = ["numeric", "missing", "mean", "std", "zeros", "min", "median", "max"];
        let mut table = columns(&heads).with_optional(&["zeros", "std", "median"]);
        for feature in numeric {
            let Some(values) = &feature.numeric else { continue };
            // Means and bounds are those of the finite values; where there are none there is nothing to show.
            let finite = feature.common.num_non_missing > values.num_nan + values.num_inf;
            let number = |x: f64| if finite { number(x) } else { style("–").dim().to_string() };
            let odd = [(values.num_nan, "NaN"), (values.num_inf, "infinite")];
            let odd: Vec<String> =
                odd.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", count(*n))).collect();
            let odd = if odd.is_empty() { String::new() } else { format!(" ({})", odd.join(", ")) };
            table.row([
                format!("{}{}", printable(&feature.name), style(odd).yellow()),
                missing(feature),
                number(values.mean),
                number(values.std_dev),
                share(values.num_zeros, feature.common.num_non_missing),
                number(values.min),
                number(values.median),
                number(values.max),
            ]);
        }
        text.push_str(&format!("\n{table}"));
    }
    let other: Vec<&FeatureStatistics> = dataset.features.iter().filter(|feature| feature.numeric.is_none()).collect();
    if !other.is_empty() {
        let mut table = Table::new(&[
            ("categorical", Align::Left),
            ("missing", Align::Right),
            ("unique", Align::Right),
            ("most frequent", Align::Left),
        ]);
        for feature in other {
            let unique = feature.string.as_ref().map(|values| values.unique);
            let unique = unique.or(feature.bytes.as_ref().map(|bytes| bytes.unique)).map_or_else(String::new, count);
            table.row([printable(&feature.name).into_owned(), missing(feature), unique, top(feature)]);
        }
        text.push_str(&format!("\n{table}"));
    }
    text.push_str(&beyond_features(dataset));
    text
}

fn columns(heads: &[&'static str]) -> Table {
    let side = |index: usize| if index == 0 { Align::Left } else { Align::Right };
    let columns: Vec<(&str, Align)> = heads.iter().enumerate().map(|(index, head)| (*head, side(index))).collect();
    Table::new(&columns)
}

fn missing(feature: &FeatureStatistics) -> String {
    let (missing, present) = (feature.common.num_missing, feature.common.num_non_missing);
    let text = share(missing, missing + present);
    // A column that is mostly not there deserves the eye.
    if missing > present { style(text).red().to_string() } else { text }
}

fn share(part: u64, whole: u64) -> String {
    match part {
        0 => style("–").dim().to_string(),
        _ => format!("{:.1} %", 100.0 * part as f64 / whole.max(1) as f64),
    }
}

/// The most frequent values with their counts, or the share of true.
fn top(feature: &FeatureStatistics) -> String {
    let counted = |value: &str, n: u64| format!("{value} {}", style(count(n)).dim());
    if let Some(values) = &feature.boolean {
        return [counted("true", values.num_true), counted("false", values.num_false)].join(" · ");
    }
    let Some(values) = &feature.string else { return String::new() };
    let shown = values.top_values.iter().take(3).map(|top| {
        let value: String = printable(&top.value).chars().take(24).collect();
        counted(&value, top.frequency)
    });
    shown.collect::<Vec<_>>().join(" · ")
}

pub fn infer_schema(args: &InferSchemaArgs, global: &Global) -> Result<u8, Failure> {
    let dataset = statistics(&args.file, &args.input.options(), args.weight.as_ref(), cores(), global)?;
    let schema = infer(&[&dataset]);
    let offers = semantic_offers(&[&dataset]);
    let yaml = inferred_yaml(&schema, &offers);
    match &args.out {
        Some(path) => {
            refuse_to_replace(path, args.force)?;
            let text = text_for(path, &schema, || yaml, global);
            tidemill_files::write(path, text)?;
            let done = json!({ "file": path, "features": schema.features.len(), "offered": offers });
            print(global, &done, || {
                let mut text =
                    format!("wrote the schema of {} features to `{}`\n", schema.features.len(), path.display());
                for (name, Offer { semantic, reason }) in &offers {
                    text.push_str(&format!("`{}` may be `semantic: {}`: {reason}\n", printable(name), semantic.name()));
                }
                text
            })?;
        }
        None => print(global, &schema, || yaml)?,
    }
    Ok(0)
}

pub fn validate(args: &ValidateArgs, global: &Global) -> Result<u8, Failure> {
    let schema = read(&args.schema, global)?;
    let rules = args.rules.as_deref().map(read_rules).transpose()?.unwrap_or_default();
    let options = args.input.options().with_hints(&schema);
    // Statistics stand for rows that are not at hand.
    let (dataset, rows): (_, Option<Arc<dyn RowSource>>) = match statistics_in(&args.file) {
        Some(found) => (weighed(&args.file, one_of(&args.file, found?)?, args.weight.as_ref())?, None),
        None => {
            let table = open_input(&args.file, &options, global)?;
            let asked = StatisticsOptions { weight: args.weight.clone(), ..StatisticsOptions::default() };
            (statistics_of(&table, &args.file, &options, &asked, cores(), global)?, Some(Arc::new(table)))
        }
    };
    let mut anomalies = check(&dataset, &schema, &args.environment);
    if let Some(rows) = &rows {
        let known: Vec<String> = dataset.features.iter().map(|feature| feature.name.clone()).collect();
        // The page shows rows; the terminal only if asked.
        let shown = if args.html.is_some() { args.show_rows.max(5) } else { args.show_rows };
        let (place, weight) = (&dataset.name, dataset.weight_column());
        look_at_rows(&mut anomalies, &schema, place, &known, weight, shown, |columns| rows.read(columns))?;
    }
    anomalies.extend(tidemill_project::rules().judge(&rules, rows, &dataset)?);
    if let Some(path) = &args.html {
        let by_name = Anomalies { version: 1, splits: [(dataset.name.clone(), anomalies.clone())].into() };
        let about = of_files([("File", args.file.as_path()), ("Schema", args.schema.as_path())]);
        write_report(path, std::slice::from_ref(&dataset), Some(&by_name), &about, global)?;
    }
    let errors = anomalies.iter().filter(|anomaly| anomaly.severity == Severity::Error).count();
    print(
        global,
        &json!({ "file": args.file, "schema": args.schema, "rows": dataset.num_examples, "anomalies": anomalies }),
        || anomalies_text(&args.file, &dataset, &anomalies, errors, args.show_rows),
    )?;
    Ok(u8::from(errors > 0))
}

fn anomalies_text(
    file: &Path,
    dataset: &DatasetStatistics,
    anomalies: &[Anomaly],
    errors: usize,
    rows: usize,
) -> String {
    let facts = format!("`{}`: {} rows", file.display(), count(dataset.num_examples));
    if anomalies.is_empty() {
        return format!("{} {facts}, no anomalies\n", style("✓").green());
    }
    let mut table = Table::new(&[("feature", Align::Left), ("severity", Align::Left), ("what", Align::Left)]);
    for anomaly in anomalies {
        let severity = match anomaly.severity {
            Severity::Error => style("ERROR").red().to_string(),
            Severity::Warning => style("WARNING").yellow().to_string(),
        };
        table.row([printable(&anomaly.feature).into_owned(), severity, printable(&anomaly.description).into_owned()]);
        for row in anomaly.evidence.iter().take(rows) {
            let value =
                if row.value.is_empty() { "missing".to_owned() } else { format!("`{}`", printable(&row.value)) };
            let line = format!("  {} row {}: {value}", printable(&row.file), count(row.row));
            table.row([String::new(), String::new(), style(line).dim().to_string()]);
        }
    }
    let mark = if errors > 0 { style("✗").red() } else { style("✓").green() };
    let warnings = anomalies.len() - errors;
    format!("{table}\n{mark} {facts}, {errors} errors, {warnings} warnings\n")
}
