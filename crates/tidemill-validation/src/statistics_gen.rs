//! The component that computes statistics of every split.

use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tidemill_core::{
    ArtifactType, Component, ComponentError, ComponentSpec, Gate, InputSpec, Outcome, OutputSpec, ParamIssue,
    Properties, SplitStatistics, StepContext, parse_params,
};

use crate::artifact_file::{read_json, write_json};
use crate::statistics::{Computation, StatisticsOptions, is_sample_rate};
use crate::validation::{grouped, percent};
use tidemill_data::Examples;

/// The version of `statistics.json` that this code reads and writes.
const FORMAT_VERSION: u32 = 1;
/// The only file of a statistics artifact.
const FILE: &str = "statistics.json";

/// Computes the statistics of every split of the examples, in one pass over each.
///
/// The artifact is one file, `statistics.json`: a [`SplitStatistics`].
#[derive(Debug, Clone, Copy, Default)]
pub struct StatisticsGen;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The column with the weight of each example: statistics then have weighted twins.
    #[serde(default)]
    weight: Option<String>,
    /// Slices with statistics of their own: a column, or a list of columns, for each family. The 20 slices of the most rows
    /// of each family are kept.
    #[serde(default)]
    slices: Vec<Columns>,
    /// Correlation of every two of the first 50 numeric features.
    #[serde(default)]
    correlations: bool,
    /// The label: how much more often each value of a categorical feature occurs with each value of it than by chance.
    #[serde(default)]
    label: Option<String>,
    /// Where a numeric label is divided into ranges.
    #[serde(default)]
    label_boundaries: Vec<f64>,
    /// The chance of each row to be looked at, above 0 and at most 1, for data of which a part says enough.
    #[serde(default)]
    sample_rate: Option<f64>,
}

/// One column, or several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Columns {
    One(String),
    Several(Vec<String>),
}

impl Params {
    fn options(self) -> StatisticsOptions {
        let columns = |columns| match columns {
            Columns::One(column) => vec![column],
            Columns::Several(columns) => columns,
        };
        StatisticsOptions {
            weight: self.weight,
            slices: self.slices.into_iter().map(columns).collect(),
            correlations: self.correlations,
            label: self.label,
            label_boundaries: self.label_boundaries,
            sample_rate: self.sample_rate,
        }
    }

    fn issues(&self) -> Vec<ParamIssue> {
        let mut issues = Vec::new();
        for (index, columns) in self.slices.iter().enumerate() {
            if matches!(columns, Columns::Several(columns) if columns.is_empty()) {
                issues.push(ParamIssue::new(["slices".to_owned(), index.to_string()], "names no column"));
            }
        }
        if !self.label_boundaries.is_empty() && self.label.is_none() {
            issues.push(ParamIssue::new(["label_boundaries"], "there is no `label` to divide"));
        }
        if self.sample_rate.is_some_and(|rate| !is_sample_rate(rate)) {
            issues.push(ParamIssue::new(["sample_rate"], "is not above 0 and at most 1"));
        }
        issues
    }
}

impl Component for StatisticsGen {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec {
            name: "StatisticsGen".into(),
            version: 3,
            about: "Computes statistics of every feature of every split in one pass".into(),
            inputs: vec![InputSpec::required("examples", ArtifactType::Examples)],
            outputs: vec![OutputSpec::new("statistics", ArtifactType::Statistics)],
            gate: Gate::Open,
            writes_back: false,
            measures: false,
        }
    }

    fn params_schema(&self) -> schemars::Schema {
        schemars::schema_for!(Params)
    }

    fn check(&self, params: &Value) -> Vec<ParamIssue> {
        parse_params::<Params>(params).map_or_else(|issues| issues, |params| params.issues())
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let options = parse_params::<Params>(context.params)?.options();
        let examples = Examples::open(&context.input("examples")?.path)?;
        let mut all = SplitStatistics { version: FORMAT_VERSION, ..SplitStatistics::default() };
        let computation = Computation {
            options: &options,
            progress: context.progress,
            threads: context.threads,
            cancel: context.cancel,
        };
        for split in examples.splits() {
            context.progress.phase(&format!("statistics of `{}`", split.name));
            let open = |columns: Option<&[String]>| {
                let columns: Option<Vec<&str>> = columns.map(|columns| columns.iter().map(String::as_str).collect());
                examples.batches(&split.name, columns.as_deref())
            };
            let statistics = computation.run(&open, &split.name)?;
            all.splits.insert(split.name.clone(), statistics);
        }
        write_json(&context.output("statistics").join(FILE), &all)?;
        let rows: u64 = all.splits.values().map(|split| split.num_examples).sum();
        let features = all.splits.values().map(|split| split.features.len()).max().unwrap_or(0);
        let mut properties: Properties =
            [("rows".to_owned(), json!(rows)), ("features".to_owned(), json!(features))].into();
        properties.extend(options.sample_rate.map(|rate| ("sample_rate".to_owned(), json!(rate))));
        // Which data they are of, so that another version of it is known as one.
        let of = &context.input("examples")?.properties;
        properties.extend(
            ["span", "spans", "version"]
                .iter()
                .filter_map(|key| of.get_key_value(*key))
                .map(|(k, v)| (k.clone(), v.clone())),
        );
        Ok(Outcome {
            properties: [("statistics".to_owned(), properties)].into(),
            headline: format!(
                "{features} features of {} rows{} in {} splits",
                grouped(rows),
                options.sample_rate.map_or_else(String::new, |rate| format!(", a sample of {}", percent(rate))),
                all.splits.len()
            ),
            ..Outcome::default()
        })
    }
}

/// The statistics in the artifact folder `dir`.
pub fn read_statistics(dir: &Path) -> Result<SplitStatistics, ComponentError> {
    Ok(read_json(&dir.join(FILE), FORMAT_VERSION, |all: &SplitStatistics| all.version)?)
}
