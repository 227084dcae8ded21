//! What can be said of a `Transform` step before it runs.

use std::collections::BTreeMap;

use arrow::datatypes::Schema as ArrowSchema;
use serde_json::Value;
use tidemill_core::{Coded as _, InputArtifact, ParamIssue, Preview, Schema};
use tidemill_data::{Examples, read_schema_artifact};

use crate::config::{FeatureConfig, FeatureSets, TransformConfig};
use crate::error::TransformError;
use crate::feature::FeatureFit;
use crate::fit::{ColumnKinds, check_feature_columns, check_label_columns, column_type};
use crate::serving::check_serving;

/// Names listed in one line, at most.
const LISTED_MAX: usize = 40;

/// The columns that requests need, those that nothing uses, and everything that would stop the step.
pub(crate) fn preview(params: &Value, sets: &dyn FeatureSets, inputs: &BTreeMap<String, InputArtifact>) -> Preview {
    let Ok(config) = TransformConfig::with_sets(params, sets) else { return Preview::default() };
    let mut needed: Vec<String> = Vec::new();
    for column in config.features.iter().flat_map(FeatureConfig::columns) {
        if !needed.contains(&column) {
            needed.push(column);
        }
    }
    let from_sets = config.sets().map(|set| format!("from {set}: {}", listed(&set.features)));
    let notes = std::iter::once(format!("requests need {}", listed(&needed))).chain(from_sets).collect();
    let mut preview = Preview { notes, problems: Vec::new() };
    let examples = inputs.get("examples").and_then(|examples| Examples::open(&examples.path).ok());
    let Some(examples) = examples else { return preview };
    let schema = inputs.get("schema").and_then(|schema| read_schema_artifact(&schema.path).ok());
    let columns = examples.schema();
    preview.problems = problems(&config, &columns, schema.as_ref());

    let label = config.label.parse().map(|label| label.columns()).unwrap_or_default();
    let weights: Vec<&String> = config.features.iter().flat_map(FeatureConfig::fitting_columns).collect();
    let is_unused = |name: &String| !needed.contains(name) && !label.contains(name) && !weights.contains(&name);
    let unused: Vec<String> = columns.fields().iter().map(|field| field.name().clone()).filter(is_unused).collect();
    if !unused.is_empty() {
        preview.notes.push(format!("no feature uses {}", listed(&unused)));
    }
    preview
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
        let carriers = feature.constants.iter().flat_map(|constants| constants.carriers(&feature.name));
        let all = carriers.chain(std::iter::once(feature.clone()));
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
