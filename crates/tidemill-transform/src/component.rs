//! The `Transform` step of a pipeline.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tidemill_core::{
    ArtifactType, Coded as _, Component, ComponentError, ComponentSpec, Expectation, ExternalInput, Gate,
    InputArtifact, InputSpec, Outcome, OutputSpec, ParamIssue, Preview, Promise, Properties, StepContext, SummaryTable,
    TaskKind, Tone,
};
use tidemill_data::Examples;
use tidemill_model::Expression;
use tidemill_validation::read_schema_artifact;

use crate::auto::ColumnChoice;
use crate::cache::AnalyzerCache;
use crate::config::{FeatureSets, NoSets, TransformConfig, TransformParams, sets_of};
use crate::error::TransformError;
use crate::fit::{FitOptions, Fitted, fit_cached};
use crate::label::differing_rates;
use crate::preview::preview;
use crate::rank::{RankedFeature, Ranking, rank};

/// The split that constants are fitted on.
pub(crate) const SPLIT: &str = "train";
/// The file of a transform graph artifact.
pub(crate) const GRAPH_FILE: &str = "transform.json";
/// Features of a ranking that a run shows.
const SHOWN: usize = 10;

/// Fits a transform graph on the train split and checks the label in all splits.
///
/// Reads `examples` and, where a step provides it, `schema`; writes `transform`: a folder with `transform.json`, and with
/// `rank: true` `ranking.json`.
///
/// With a cache, what is seen of the spans of the examples is kept, and the next fit reads those that are new. Feature sets
/// that a step uses are part of its fingerprint, by their digests, and of the graph, by name and version.
#[derive(Debug, Clone)]
pub struct Transform {
    cache: Option<AnalyzerCache>,
    sets: Arc<dyn FeatureSets>,
}

impl Default for Transform {
    fn default() -> Self {
        Self { cache: None, sets: Arc::new(NoSets) }
    }
}

impl Transform {
    /// The same, keeping what it sees of spans.
    #[must_use]
    pub fn with_cache(self, cache: AnalyzerCache) -> Self {
        Self { cache: Some(cache), ..self }
    }

    /// The same, with feature sets that steps may use.
    #[must_use]
    pub fn with_sets(self, sets: Arc<dyn FeatureSets>) -> Self {
        Self { sets, ..self }
    }
}

impl Component for Transform {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec {
            name: "Transform".into(),
            version: 3,
            about: "Fits the features on the train split, once, for training and serving alike".into(),
            inputs: vec![
                InputSpec::required("examples", ArtifactType::Examples),
                InputSpec::optional("schema", ArtifactType::Schema),
            ],
            outputs: vec![OutputSpec::new("transform", ArtifactType::TransformGraph)],
            gate: Gate::Open,
            writes_back: false,
            measures: false,
        }
    }

    fn params_schema(&self) -> schemars::Schema {
        schemars::schema_for!(TransformParams)
    }

    fn check(&self, params: &Value) -> Vec<ParamIssue> {
        TransformConfig::with_sets(params, &*self.sets).err().unwrap_or_default()
    }

    fn promises(&self, params: &Value) -> Vec<Promise> {
        let label = TransformConfig::with_sets(params, &*self.sets).ok().and_then(|config| config.label.parse().ok());
        label.filter(Expression::is_condition).map(|_| Promise::task(TaskKind::Binary)).into_iter().collect()
    }

    fn expectations(&self, _: &Value) -> Vec<Expectation> {
        vec![
            Expectation::split::<String>(SPLIT, [])
                .with_hint("features are fitted on the split `train`: give one split that name"),
        ]
    }

    fn external_inputs(&self, params: &Value, _: &Path) -> Result<Vec<ExternalInput>, ComponentError> {
        let used = sets_of(params, &*self.sets)?;
        Ok(used.into_iter().map(|set| ExternalInput { name: set.to_string(), digest: set.digest }).collect())
    }

    fn preview(&self, params: &Value, inputs: &BTreeMap<String, InputArtifact>) -> Preview {
        preview(params, &*self.sets, inputs)
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let config = TransformConfig::with_sets(context.params, &*self.sets)?;
        let examples = Examples::open(&context.input("examples")?.path)?;
        let schema = match context.inputs.get("schema") {
            Some(schema) => Some(read_schema_artifact(&schema.path)?),
            None => None,
        };
        let options = FitOptions {
            split: SPLIT,
            threads: context.threads,
            progress: context.progress,
            cancel: Some(context.cancel),
            schema: schema.as_ref(),
        };
        let placed = |error: TransformError| {
            let (place, message) = config.placed(error.place(), error.to_string());
            ComponentError { place, message, ..ComponentError::from(error) }
        };
        let fitted = fit_cached(&config, &examples, &options, self.cache.as_ref()).map_err(placed)?;
        fitted.graph.save(context.output("transform").join(GRAPH_FILE))?;
        let ranking = if config.rank { Some(rank(&fitted.graph, &examples, &options)?) } else { None };
        if let Some(ranking) = &ranking {
            ranking.save(context.output("transform"))?;
        }
        Ok(outcome(&config, fitted, ranking.as_ref()))
    }
}

fn outcome(config: &TransformConfig, fitted: Fitted, ranking: Option<&Ranking>) -> Outcome {
    let label = &config.label.name;
    let (features, columns) = (fitted.graph.features().len(), fitted.graph.inputs().len());
    let train = fitted.labels.iter().find(|summary| summary.split == SPLIT);
    let described = train.map_or_else(String::new, |summary| {
        if summary.is_binary {
            format!(" {:.1} % positive", summary.mean * 100.0)
        } else if summary.mean.is_nan() {
            " of text".to_owned()
        } else {
            format!(" mean {:.4}", summary.mean)
        }
    });
    let sets: Vec<String> = config.sets().map(ToString::to_string).collect();
    let using = if sets.is_empty() { String::new() } else { format!(", with {}", sets.join(", ")) };
    let means: Map<String, Value> =
        fitted.labels.iter().map(|summary| (summary.split.clone(), json!(summary.mean))).collect();
    let spans = match (fitted.spans, fitted.spans_read) {
        (0, _) => String::new(),
        (spans, 0) => format!(", none of {} read again", count(spans, "span")),
        (spans, read) => format!(", {read} of {} read", count(spans, "span")),
    };
    let mut properties = Properties::from([
        ("features".to_owned(), json!(features)),
        ("columns".to_owned(), json!(columns)),
        ("label".to_owned(), json!(label)),
        ("label_mean".to_owned(), Value::Object(means)),
        ("scans".to_owned(), json!(fitted.scans)),
    ]);
    if !fitted.choices.is_empty() {
        let chosen = |used: bool| -> Map<String, Value> {
            let of = fitted.choices.iter().filter(|choice| choice.used == used);
            of.map(|choice| (choice.column.clone(), json!(choice.why))).collect()
        };
        properties.insert("chosen".to_owned(), Value::Object(chosen(true)));
        properties.insert("left_out".to_owned(), Value::Object(chosen(false)));
    }
    if !sets.is_empty() {
        properties.insert("feature_sets".to_owned(), json!(sets));
    }
    if fitted.spans > 0 {
        properties.insert("spans".to_owned(), json!(fitted.spans));
        properties.insert("spans_read".to_owned(), json!(fitted.spans_read));
    }
    Outcome {
        properties: [("transform".to_owned(), properties)].into(),
        headline: format!(
            "{} from {}, label {label}{described}{using}{spans}",
            count(features, "feature"),
            count(columns, "column")
        ),
        warnings: [fitted.warnings, differing_rates(&fitted.labels, label, SPLIT)].concat(),
        tables: left_out(&fitted.choices).into_iter().chain(ranking.map(table)).collect(),
        ..Outcome::default()
    }
}

/// The columns that no feature was made of, with the reasons.
fn left_out(choices: &[ColumnChoice]) -> Option<SummaryTable> {
    let row = |choice: &ColumnChoice| (Tone::Plain, vec![choice.column.clone(), choice.why.clone()]);
    let rows: Vec<_> = choices.iter().filter(|choice| !choice.used).map(row).collect();
    (!rows.is_empty()).then(|| SummaryTable {
        title: "Columns left out".to_owned(),
        columns: ["column", "reason"].map(str::to_owned).to_vec(),
        rows,
    })
}

/// The features that say most.
fn table(ranking: &Ranking) -> SummaryTable {
    let row = |ranked: &RankedFeature| {
        let bits = |bits: f64| format!("{bits:.5}");
        (Tone::Plain, vec![ranked.feature.clone(), bits(ranked.adjusted), bits(ranked.mutual_information)])
    };
    SummaryTable {
        title: format!("Bits about {}", ranking.label),
        columns: ["feature", "adjusted", "mutual information"].map(str::to_owned).to_vec(),
        rows: ranking.features.iter().take(SHOWN).map(row).collect(),
    }
}

fn count(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
