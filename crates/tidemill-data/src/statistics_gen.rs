//! The component that computes statistics of every split.

use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tidemill_core::{
    ArtifactType, Component, ComponentError, ComponentSpec, Gate, InputSpec, Outcome, OutputSpec, ParamIssue,
    SplitStatistics, StepContext, parse_params,
};

use crate::Examples;
use crate::artifact_file::{read_json, write_json};
use crate::statistics::compute_until;
use crate::validation::grouped;

/// The version of `statistics.json` that this code reads and writes.
const FORMAT_VERSION: u32 = 1;
/// The only file of a statistics artifact.
const FILE: &str = "statistics.json";

/// Computes the statistics of every split of the examples, in one pass over each.
///
/// The artifact is one file, `statistics.json`: a [`SplitStatistics`]. It has no parameters.
#[derive(Debug, Clone, Copy, Default)]
pub struct StatisticsGen;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {}

impl Component for StatisticsGen {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec {
            name: "StatisticsGen",
            version: 1,
            about: "Computes statistics of every feature of every split in one pass",
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
        parse_params::<Params>(params).err().unwrap_or_default()
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let examples = Examples::open(&context.input("examples")?.path)?;
        let mut all = SplitStatistics { version: FORMAT_VERSION, ..SplitStatistics::default() };
        for split in examples.splits() {
            context.progress.phase(&format!("statistics of `{}`", split.name));
            let reader = examples.batches(&split.name, None)?;
            let statistics = compute_until(reader, &split.name, context.progress, context.threads, context.cancel)?;
            all.splits.insert(split.name.clone(), statistics);
        }
        write_json(&context.output("statistics").join(FILE), &all)?;
        let rows: u64 = all.splits.values().map(|split| split.num_examples).sum();
        let features = all.splits.values().map(|split| split.features.len()).max().unwrap_or(0);
        let properties = [("rows".to_owned(), json!(rows)), ("features".to_owned(), json!(features))].into();
        Ok(Outcome {
            properties: [("statistics".to_owned(), properties)].into(),
            headline: format!("{features} features of {} rows in {} splits", grouped(rows), all.splits.len()),
            ..Outcome::default()
        })
    }
}

/// The statistics in the artifact folder `dir`.
pub fn read_statistics(dir: &Path) -> Result<SplitStatistics, ComponentError> {
    Ok(read_json(&dir.join(FILE), FORMAT_VERSION, |all: &SplitStatistics| all.version)?)
}
