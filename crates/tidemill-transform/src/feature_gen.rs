//! The `FeatureGen` step of a pipeline.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tidemill_core::{
    ArtifactType, Component, ComponentError, ComponentSpec, Gate, InputSpec, Outcome, OutputSpec, ParamIssue,
    Properties, StepContext, parse_params,
};
use tidemill_data::{Examples, ExamplesWriter};
use tidemill_model::TransformGraph;

use crate::component::{GRAPH_FILE, SPLIT};
use crate::feature_table::FeatureTable;

/// Writes the features of every row as examples of their own.
///
/// ```yaml
/// features:            { component: FeatureGen, keep: [trip_id] }
/// feature_statistics:  { component: StatisticsGen, inputs: { examples: features } }
/// ```
///
/// Reads `examples` and `transform`, writes `examples`: the same rows in the same splits, with the features, the label and the
/// columns to keep. Rows of the train split have what a learner is trained on. A step reads them only where it names them under
/// `inputs:`, for they have not the columns of the data.
#[derive(Debug, Clone, Copy, Default)]
pub struct FeatureGen;

/// Parameters of a `FeatureGen` step.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FeatureGenParams {
    /// Whether the label is a column too.
    #[serde(default = "yes")]
    label: bool,
    /// Columns of the data that are kept as they are: an identifier, a weight.
    #[serde(default)]
    keep: Vec<String>,
}

fn yes() -> bool {
    true
}

impl Component for FeatureGen {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec {
            name: "FeatureGen".into(),
            version: 1,
            about: "Writes the features of every row, as a learner sees them".into(),
            inputs: vec![
                InputSpec::required("examples", ArtifactType::Examples),
                InputSpec::required("transform", ArtifactType::TransformGraph),
            ],
            outputs: vec![OutputSpec::new("examples", ArtifactType::Examples).only_named()],
            gate: Gate::Open,
            writes_back: false,
            measures: false,
        }
    }

    fn params_schema(&self) -> schemars::Schema {
        schemars::schema_for!(FeatureGenParams)
    }

    fn check(&self, params: &Value) -> Vec<ParamIssue> {
        parse_params::<FeatureGenParams>(params).err().unwrap_or_default()
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let params: FeatureGenParams = parse_params(context.params)?;
        let examples = Examples::open(&context.input("examples")?.path)?;
        let graph = TransformGraph::load(context.input("transform")?.path.join(GRAPH_FILE))?;
        let in_keep = |error: ComponentError| ComponentError { place: vec!["keep".to_owned()], ..error };
        let table = FeatureTable::new(&graph, &examples.schema(), params.label, &params.keep);
        let mut table = table.map_err(|error| in_keep(error.into()))?;
        let splits: Vec<(String, u32)> =
            examples.splits().iter().map(|split| (split.name.clone(), split.share)).collect();
        let mut writer = ExamplesWriter::new(context.output("examples"), table.schema(), &splits);
        for (at, split) in examples.splits().iter().enumerate() {
            context.progress.phase(&format!("writing split {}", split.name));
            context.progress.total_rows(split.rows);
            let mut row = 0;
            for piece in examples.pieces(&split.name) {
                if let Some(span) = piece.span {
                    writer.begin_span(span)?;
                }
                for batch in examples.piece_batches(&split.name, &piece, None)? {
                    context.cancel.check()?;
                    let batch = batch?;
                    for part in FeatureTable::slices(&batch) {
                        let features = table.batch(&part, (split.name == SPLIT).then_some(row))?;
                        writer.write(&features, &vec![at as u16; features.num_rows()])?;
                        row += part.num_rows() as u64;
                    }
                    context.progress.advance(batch.num_rows() as u64);
                }
            }
        }
        let written = writer.finish(examples.manifest().provenance())?;
        let (rows, columns) = (written.rows, written.columns.len());
        let properties = Properties::from([
            ("rows".to_owned(), json!(rows)),
            ("columns".to_owned(), json!(columns)),
            ("features".to_owned(), json!(graph.features().len())),
        ]);
        Ok(Outcome {
            properties: [("examples".to_owned(), properties)].into(),
            headline: format!("{rows} rows of {} features in {} splits", graph.features().len(), splits.len()),
            ..Outcome::default()
        })
    }
}
