//! The component that holds every split against the schema.

mod drift;
mod outcome;
mod params;
mod splits;

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tidemill_core::{
    Anomalies, Anomaly, AnomalyType, ArtifactType, Code, Component, ComponentError, ComponentSpec, DatasetStatistics,
    Gate, InputSource, InputSpec, Outcome, OutputSpec, ParamIssue, Schema, StepContext, parse_params,
};

use crate::artifact_file::{read_json, write_json};
use crate::rules::{RowSource, Rule, RuleEngine, SplitRows, check_rules};
use crate::schema_gen::{read_schema_artifact, split};
use crate::statistics_gen::read_statistics;
use crate::validation::{finish, look_at_rows, validate};
use tidemill_data::{DataError, Examples};

pub use drift::Distances;
use drift::References;
use outcome::outcome;
use params::Params;

/// The version of `anomalies.json` that this code reads and writes.
const FORMAT_VERSION: u32 = 1;
/// The files of an anomalies artifact.
const FILE: &str = "anomalies.json";
const DISTANCES: &str = "distances.json";
/// Rows shown for an anomaly.
const ROWS_MAX: usize = 5;

/// Finds where the splits break the schema, and where they lie too far from the data before or from the data served.
/// An ERROR anomaly stops every step below, unless told to warn only.
///
/// ```yaml
/// component: ExampleValidator
/// on_anomaly: stop              # or warn; or { error: stop, warning: warn }
/// severity: { SCHEMA_NEW_COLUMN: ERROR }
/// environment: TRAINING
/// splits: [train, eval]         # the default is every split
/// drift: schema                 # by the comparators of the schema; defaults: also where it has none; off
/// skew: defaults
/// inputs: { serving: served }   # statistics of the data served, for skew
/// ```
///
/// Drift is measured from the statistics that this step accepted last (`baseline`, unless `inputs:` names others), split by split.
///
/// The artifact is `anomalies.json`, an [`Anomalies`], and `distances.json` with every distance measured, whether it has a threshold
/// or not. Where the examples are at hand, each anomaly carries the first rows that show it, and text with too many distinct
/// values for statistics is looked up there.
///
/// Rules of one's own are queries, for a validator that has an engine for them:
///
/// ```yaml
/// rules: [ { name: fares, sql: "SELECT * FROM data WHERE fare < 0", severity: WARNING } ]
/// ```
#[derive(Debug, Clone, Default)]
pub struct ExampleValidator {
    engine: Option<Arc<dyn RuleEngine>>,
}

impl ExampleValidator {
    /// A validator that can also judge `rules`.
    pub fn new(engine: impl RuleEngine + 'static) -> Self {
        Self { engine: Some(Arc::new(engine)) }
    }

    /// The rules that a split breaks.
    fn judge(
        &self,
        rules: &[Rule],
        examples: Option<&Examples>,
        split: &str,
        statistics: &DatasetStatistics,
    ) -> Result<Vec<Anomaly>, DataError> {
        if rules.is_empty() {
            return Ok(Vec::new());
        }
        let Some(engine) = &self.engine else {
            return Err(DataError::Params { message: "there is no query engine for `rules` here".to_owned() });
        };
        let has_split = |examples: &&Examples| examples.splits().iter().any(|info| info.name == split);
        let rows = examples
            .filter(has_split)
            .map(|examples| -> Arc<dyn RowSource> { Arc::new(SplitRows::new(examples.clone(), split)) });
        engine.judge(rules, rows, statistics)
    }
}

impl Component for ExampleValidator {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec {
            name: "ExampleValidator".into(),
            version: 2,
            about: "Holds every split against the schema and stops the run on errors".into(),
            inputs: vec![
                InputSpec::required("statistics", ArtifactType::Statistics),
                InputSpec::required("schema", ArtifactType::Schema),
                InputSpec::optional("examples", ArtifactType::Examples),
                InputSpec::optional("baseline", ArtifactType::Statistics)
                    .from(InputSource::LastAccepted("statistics".into())),
                InputSpec::optional("serving", ArtifactType::Statistics).from(InputSource::Named),
            ],
            outputs: vec![OutputSpec::new("anomalies", ArtifactType::Anomalies)],
            gate: Gate::Below,
            writes_back: false,
            measures: false,
        }
    }

    fn rejection_code(&self) -> Code {
        Code::Anomalous
    }

    fn params_schema(&self) -> schemars::Schema {
        schemars::schema_for!(Params)
    }

    fn check(&self, params: &Value) -> Vec<ParamIssue> {
        match parse_params::<Params>(params) {
            Ok(params) => {
                check_rules(&params.rules).err().map(|said| ParamIssue::new(["rules"], said)).into_iter().collect()
            }
            Err(issues) => issues,
        }
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let params: Params = parse_params(context.params)?;
        let statistics = read_statistics(&context.input("statistics")?.path)?;
        let mut schema = read_schema_artifact(&context.input("schema")?.path)?;
        // What this step says counts for it, before what the schema says for all.
        for (kind, severity) in &params.severity {
            schema.severity.insert(*kind, *severity);
            for feature in schema.features.values_mut() {
                feature.severity.remove(kind);
            }
        }
        let examples = context.inputs.get("examples").map(|input| Examples::open(&input.path)).transpose()?;
        let references = References::read(context, &params)?;
        let names: Vec<String> = match &params.splits {
            Some(named) => named.clone(),
            None => statistics.splits.keys().cloned().collect(),
        };
        let mut anomalies = Anomalies { version: FORMAT_VERSION, ..Anomalies::default() };
        let mut distances = Distances { version: FORMAT_VERSION, ..Distances::default() };
        for name in names {
            context.cancel.check()?;
            context.progress.phase(&format!("validating `{name}`"));
            let dataset = split(&statistics, &name)?;
            let mut found = validate(dataset, &schema, &params.environment);
            if let Some(examples) = &examples {
                look_up(&mut found, &schema, examples, dataset)?;
            }
            let reports = references.compare(dataset, &schema, &params.environment)?;
            // A column of another type is told once.
            let told: Vec<String> = found
                .iter()
                .filter(|anomaly| anomaly.anomaly_type == AnomalyType::UnexpectedDataType)
                .map(|anomaly| anomaly.feature.clone())
                .collect();
            let again = |anomaly: &&Anomaly| {
                anomaly.anomaly_type == AnomalyType::UnexpectedDataType && told.contains(&anomaly.feature)
            };
            let further = reports.iter().flat_map(|report| &report.anomalies).filter(|anomaly| !again(anomaly));
            found.extend(further.cloned());
            finish(&mut found, &schema);
            found.extend(self.judge(&params.rules, examples.as_ref(), &name, dataset)?);
            anomalies.splits.insert(name.clone(), found);
            if !reports.is_empty() {
                distances.splits.insert(name, reports);
            }
        }
        let folder = context.output("anomalies");
        write_json(&folder.join(FILE), &anomalies)?;
        write_json(&folder.join(DISTANCES), &distances)?;
        let mut outcome = outcome(&anomalies, &distances, params.on_anomaly.policy());
        outcome.warnings.extend(splits::differences(&statistics));
        Ok(outcome)
    }
}

fn look_up(
    found: &mut Vec<Anomaly>,
    schema: &Schema,
    examples: &Examples,
    statistics: &DatasetStatistics,
) -> Result<(), DataError> {
    let split = statistics.name.as_str();
    if !examples.splits().iter().any(|info| info.name == split) {
        return Ok(());
    }
    let known: Vec<String> = examples.schema().fields().iter().map(|field| field.name().clone()).collect();
    let weight = statistics.weight_column();
    look_at_rows(found, schema, split, &known, weight, ROWS_MAX, |columns| examples.batches(split, Some(columns)))
}

/// The anomalies in the artifact folder `dir`.
pub fn read_anomalies(dir: &Path) -> Result<Anomalies, ComponentError> {
    Ok(read_json(&dir.join(FILE), FORMAT_VERSION, |anomalies: &Anomalies| anomalies.version)?)
}

/// The distances in the artifact folder `dir`: none where the artifact was written before there were any.
pub fn read_distances(dir: &Path) -> Result<Distances, ComponentError> {
    let path = dir.join(DISTANCES);
    if !path.exists() {
        return Ok(Distances { version: FORMAT_VERSION, ..Distances::default() });
    }
    Ok(read_json(&path, FORMAT_VERSION, |distances: &Distances| distances.version)?)
}
