//! What can be said of a `Transform` step before it runs.

use std::collections::BTreeMap;

use arrow::datatypes::Schema as ArrowSchema;
use serde_json::Value;
use tidemill_core::{Coded as _, InputArtifact, NoProgress, ParamIssue, Preview, Schema};
use tidemill_data::Examples;
use tidemill_validation::read_schema_artifact;

use crate::auto;
use crate::component::SPLIT;
use crate::config::{FeatureConfig, FeatureSets, TransformConfig};
use crate::error::TransformError;
use crate::feature::FeatureFit;
use crate::fit::{ColumnKinds, FitOptions, check_feature_columns, check_label_columns, column_type};
use crate::serving::check_serving;

/// Names listed in one line, at most.
const LISTED_MAX: usize = 40;
/// Rows of the train split that are read to choose features for a preview, at most.
const ROWS_MAX: u64 = 500_000;

/// The columns that requests need, those that nothing uses, and everything that would stop the step.
pub(crate) fn preview(params: &Value, sets: &dyn FeatureSets, inputs: &BTreeMap<String, InputArtifact>) -> Preview {
    let Ok(config) = TransformConfig::with_sets(params, sets) else { return Preview::default() };
    let mut needed = columns_of(&config);
    let from_sets = config.sets().map(|set| format!("from {set}: {}", listed(&set.features)));
    let notes = std::iter::once(requests_need(&needed)).chain(from_sets).collect();
    let mut preview = Preview { notes, problems: Vec::new() };
    let examples = inputs.get("examples").and_then(|examples| Examples::open(&examples.path).ok());
    let Some(examples) = examples else { return preview };
    let schema = inputs.get("schema").and_then(|schema| read_schema_artifact(&schema.path).ok());
    let columns = examples.schema();
    let (config, problems_of_names) = if config.open.is_empty() {
        (config, Vec::new())
    } else {
        match named(&config, &examples, schema.as_ref()) {
            Ok(Some(named)) => {
                let columns = |used: bool| named.choices.iter().filter(move |choice| choice.used == used);
                let used: Vec<String> =
                    columns(true).map(|choice| format!("`{}` {}", choice.column, choice.why)).collect();
                if !used.is_empty() {
                    preview.notes.push(format!("chosen: {}", used.join("; ")));
                }
                preview
                    .notes
                    .extend(columns(false).map(|choice| format!("left out `{}`: {}", choice.column, choice.why)));
                preview.notes.extend(named.warnings);
                (named.config, Vec::new())
            }
            Ok(None) => {
                preview.notes.push("features are chosen when the step runs".to_owned());
                return preview;
            }
            Err(issues) => (config, issues),
        }
    };
    needed = columns_of(&config);
    if let Some(first) = preview.notes.first_mut() {
        *first = requests_need(&needed);
    }
    preview.problems = problems(&config, &columns, schema.as_ref());
    preview.problems.extend(problems_of_names);

    let label = config.label.parse().map(|label| label.columns()).unwrap_or_default();
    let weights: Vec<&String> = config.features.iter().flat_map(FeatureConfig::fitting_columns).collect();
    let is_unused = |name: &String| !needed.contains(name) && !label.contains(name) && !weights.contains(&name);
    let unused: Vec<String> = columns.fields().iter().map(|field| field.name().clone()).filter(is_unused).collect();
    if !unused.is_empty() {
        preview.notes.push(format!("no feature uses {}", listed(&unused)));
    }
    preview
}

fn requests_need(columns: &[String]) -> String {
    if columns.is_empty() {
        return "what requests need is known when features are chosen".to_owned();
    }
    format!("requests need {}", listed(columns))
}

/// The columns of features, each once.
fn columns_of(config: &TransformConfig) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for column in config.features.iter().flat_map(FeatureConfig::columns) {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    columns
}

/// The configuration with all features named; `None` if the split is too long to read for a preview.
fn named(
    config: &TransformConfig,
    examples: &Examples,
    schema: Option<&Schema>,
) -> Result<Option<auto::Resolved>, Vec<ParamIssue>> {
    let issue = |error: TransformError| {
        let hint = error.hint();
        ParamIssue { hint, ..ParamIssue::new(error.place(), error.to_string()) }
    };
    let columns = examples.schema();
    let unmatched = auto::unmatched(config, &columns);
    if !unmatched.is_empty() {
        let no_match = |(place, pattern): (Vec<String>, String)| issue(auto::no_match(place, &pattern, &columns));
        return Err(unmatched.into_iter().map(no_match).collect());
    }
    let rows = examples.splits().iter().find(|split| split.name == SPLIT).map_or(0, |split| split.rows);
    if rows > ROWS_MAX {
        return Ok(None);
    }
    let options = FitOptions { split: SPLIT, threads: 1, progress: &NoProgress, cancel: None, schema };
    auto::resolve(config, examples, &options).map(Some).map_err(|error| vec![issue(error)])
}

/// Columns that are not there, are not expected at serving, or are of a type that a step does not apply to.
fn problems(config: &TransformConfig, columns: &ArrowSchema, schema: Option<&Schema>) -> Vec<ParamIssue> {
    let label = config.label.parse().map(|label| label.columns()).unwrap_or_default();
    let issue = |error: TransformError| {
        let (place, message) = config.placed(error.place(), error.to_string());
        let issue = ParamIssue::new(place, message);
        ParamIssue { hint: error.hint(), ..issue }
    };
    // What is missing is told feature by feature, each at its place.
    let mut problems: Vec<ParamIssue> = config
        .features
        .iter()
        .filter_map(|feature| check_feature_columns(feature, columns).err())
        .chain(check_label_columns(config, &label, columns).err())
        .map(issue)
        .collect();
    for feature in &config.features {
        let mut datatypes = ColumnKinds::new();
        let mut is_there = true;
        for column in feature.columns() {
            if columns.index_of(&column).is_err() {
                is_there = false;
                continue;
            }
            if let Err(error) = check_serving(&feature.name, &column, schema) {
                problems.push(issue(error));
            }
            match column_type(&feature.name, &column, columns) {
                Ok(datatype) => {
                    datatypes.insert(column, datatype);
                }
                Err(error) => {
                    problems.push(issue(error));
                    is_there = false;
                }
            }
        }
        let constants = feature.constants.iter().flat_map(|constants| constants.constant_fits(&feature.name));
        let all = constants.chain(std::iter::once(feature.clone()));
        let has_columns =
            |feature: &FeatureConfig| feature.fitting_columns().all(|column| columns.index_of(column).is_ok());
        let refused = |feature: FeatureConfig| FeatureFit::new(&feature, columns, &datatypes).err();
        if is_there && has_columns(feature) {
            problems.extend(all.into_iter().find_map(refused).map(issue));
        }
    }
    problems
}

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(LISTED_MAX).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(LISTED_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
