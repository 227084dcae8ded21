//! `tidemill drift`: how far one dataset lies from another.

use console::style;
use tidemill_core::{AnomalyType, Code, DatasetStatistics, Failure, Severity};
use tidemill_project::cores;
use tidemill_validation::{
    Comparison, DriftReport, FeatureDrift, compare, infer_schema, movement, render_drift_report,
};

use crate::cli::{DriftArgs, Global};
use crate::commands::data::statistics_of_pair;
use crate::commands::report::of_files;
use crate::commands::schema::read;
use crate::commands::{print, say};
use crate::ui::{Align, Table, count, printable};

pub fn drift(args: &DriftArgs, global: &Global) -> Result<u8, Failure> {
    let schema = args.schema.as_ref().map(|path| read(path, global)).transpose()?;
    let threads = args.threads.filter(|threads| *threads > 0).unwrap_or_else(cores);
    let files = [args.baseline.as_path(), args.current.as_path()];
    let [mut baseline, mut current] =
        statistics_of_pair(files, &args.input, schema.as_ref(), args.weight.as_ref(), threads, global)?;
    if baseline.name == current.name {
        // Two days of a file with the same name: the folders tell them apart.
        (baseline.name, current.name) = (args.baseline.display().to_string(), args.current.display().to_string());
    }
    let comparison = match (args.skew, args.new_version) {
        (true, _) => Comparison::Skew,
        (false, true) => Comparison::Version,
        (false, false) => Comparison::Drift,
    };
    let schema = schema.unwrap_or_else(|| default_schema(&baseline, comparison));
    let report = compare(&baseline, &current, &schema, &args.environment, comparison);
    if report.features.is_empty() && report.anomalies.is_empty() {
        let (a, b) = (args.baseline.display(), args.current.display());
        let message = format!("`{a}` and `{b}` have no feature in common: there is nothing to compare");
        return Err(Failure::new(Code::SchemasDiffer, message)
            .with_hint("name the columns alike; statistics are written with `tidemill stats FILE -o json`"));
    }
    if let Some(path) = &args.html {
        let about = of_files([("Baseline", args.baseline.as_path()), ("Current", args.current.as_path())]);
        tidemill_files::write(path, render_drift_report(&baseline, &current, &report, Some(&about)))?;
        say(global, &format!("report: `{}`", path.display()));
    }
    print(global, &report, || text(&report, &baseline, &current))?;
    let errors = report.anomalies.iter().filter(|anomaly| anomaly.severity == Severity::Error).count();
    Ok(u8::from(errors > 0))
}

/// The comparators that would be inferred from the baseline.
fn default_schema(baseline: &DatasetStatistics, comparison: Comparison) -> tidemill_core::Schema {
    let mut schema = infer_schema(&[baseline]);
    if comparison == Comparison::Skew {
        for feature in schema.features.values_mut() {
            feature.skew = feature.drift.take();
        }
    }
    schema
}

fn text(report: &DriftReport, baseline: &DatasetStatistics, current: &DatasetStatistics) -> String {
    let mut table = Table::new(&[
        ("feature", Align::Left),
        ("JS", Align::Right),
        ("PSI", Align::Right),
        ("L∞", Align::Right),
        ("KS", Align::Right),
        ("missing", Align::Right),
        ("threshold", Align::Left),
        ("verdict", Align::Left),
    ]);
    for feature in &report.features {
        let distance = &feature.distance;
        table.row([
            distance.feature.clone(),
            amount(Some(distance.jensen_shannon)),
            amount(Some(distance.population_stability_index)),
            amount(distance.l_infinity),
            amount(distance.kolmogorov_smirnov),
            points(distance.missing_difference),
            thresholds(feature),
            verdict(feature, report.comparison),
        ]);
    }
    let moved = report.features.iter().filter(|feature| feature.exceeded()).filter_map(|feature| {
        let name = feature.distance.feature.as_str();
        let text = movement(baseline.feature(name)?, current.feature(name)?, report.by_weight);
        (!text.is_empty()).then(|| format!("`{}`: {}\n", printable(name), printable(&text)))
    });
    let moved: String = moved.collect();
    let moved = if moved.is_empty() { moved } else { format!("\n{moved}") };
    // What the table does not show.
    let shown = |kind: AnomalyType| {
        matches!(
            kind,
            AnomalyType::ComparatorLInftyHigh
                | AnomalyType::ComparatorJensenShannonDivergenceHigh
                | AnomalyType::ComparatorNormalizedAbsoluteDifferenceHigh
                | AnomalyType::CustomValidation
        )
    };
    let others: Vec<String> = report
        .anomalies
        .iter()
        .filter(|anomaly| !shown(anomaly.anomaly_type))
        .map(|anomaly| format!("{} {}\n", severity(anomaly.severity), anomaly.description))
        .collect();
    let left_out = report
        .not_compared
        .iter()
        .map(|column| format!("{} `{}`: {}\n", style("not compared").dim(), column.feature, column.reason));
    let others: Vec<String> = others.into_iter().chain(left_out).collect();
    let others = if others.is_empty() { String::new() } else { format!("\n{}", others.concat()) };
    let errors = report.anomalies.iter().filter(|anomaly| anomaly.severity == Severity::Error).count();
    let mark = if errors > 0 { style("✗").red() } else { style("✓").green() };
    let apart = report.features.iter().filter(|feature| feature.exceeded()).count();
    format!(
        "{table}{moved}{others}\n{mark} `{}` ({} rows) against `{}` ({} rows): {}\n",
        current.name,
        count(current.num_examples),
        baseline.name,
        count(baseline.num_examples),
        match apart {
            0 if errors > 0 => format!("{errors} error{}", if errors == 1 { "" } else { "s" }),
            0 => format!("no {}", report.comparison.name()),
            1 => "1 feature beyond its threshold".to_owned(),
            several => format!("{several} features beyond their thresholds"),
        }
    )
}

fn severity(severity: Severity) -> String {
    match severity {
        Severity::Error => style("ERROR").red().to_string(),
        Severity::Warning => style("WARNING").yellow().to_string(),
    }
}

fn amount(value: Option<f64>) -> String {
    match value {
        None => style("–").dim().to_string(),
        Some(value) if value < 0.000_05 => "0".to_owned(),
        Some(value) => format!("{value:.4}"),
    }
}

fn points(difference: f64) -> String {
    if difference.abs() < 0.0005 { style("–").dim().to_string() } else { format!("{:+.1} pts", difference * 100.0) }
}

fn thresholds(feature: &FeatureDrift) -> String {
    let listed = feature.measured.iter().map(|measured| format!("{} {}", measured.distance, measured.threshold));
    listed.collect::<Vec<_>>().join(", ")
}

fn verdict(feature: &FeatureDrift, comparison: Comparison) -> String {
    if feature.is_undecided() {
        return style("too few rows to say").yellow().to_string();
    }
    match (feature.exceeded(), feature.measured.is_empty()) {
        (true, _) => style(comparison.name()).red().to_string(),
        (false, true) => style("–").dim().to_string(),
        (false, false) => style("ok").green().to_string(),
    }
}
