//! The `HistoryGen` step of a pipeline.

use serde_json::{Value, json};
use tidemill_core::{
    ArtifactType, Component, ComponentError, ComponentSpec, Gate, InputSpec, Outcome, OutputSpec, ParamIssue,
    Properties, StepContext,
};
use tidemill_data::{Examples, ExamplesWriter};

use super::join::{HistoryJoin, HistoryOptions};
use super::params::HistoryGenParams;

/// Gives each row of the examples what came before it in the rows of the same entity, as columns of lists.
///
/// ```yaml
/// component: HistoryGen
/// entity: [store, item]
/// time: date
/// columns: [sales, price]
/// length: 60w
/// ```
///
/// Reads `examples`, writes `examples`: the same rows in the same splits, with `past_date`, `past_sales` and `past_price`.
#[derive(Debug, Clone, Copy, Default)]
pub struct HistoryGen;

impl Component for HistoryGen {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec {
            name: "HistoryGen".into(),
            version: 1,
            about: "Gives each row what came before it in the rows of the same entity".into(),
            inputs: vec![InputSpec::required("examples", ArtifactType::Examples)],
            outputs: vec![OutputSpec::new("examples", ArtifactType::Examples)],
            gate: Gate::Open,
            writes_back: false,
            measures: false,
        }
    }

    fn params_schema(&self) -> schemars::Schema {
        schemars::schema_for!(HistoryGenParams)
    }

    fn check(&self, params: &Value) -> Vec<ParamIssue> {
        HistoryOptions::from_params(params).err().unwrap_or_default()
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let options = HistoryOptions::from_params(context.params)?;
        let examples = Examples::open(&context.input("examples")?.path)?;
        let join = HistoryJoin::read(&examples, &options, context.progress, Some(context.cancel))?;
        let splits: Vec<(String, u32)> =
            examples.splits().iter().map(|split| (split.name.clone(), split.share)).collect();
        let mut writer = ExamplesWriter::new(context.output("examples"), join.schema(), &splits)
            .with_histories([examples.manifest().histories.clone(), vec![options.info()]].concat());
        for (at, split) in examples.splits().iter().enumerate() {
            context.progress.phase(&format!("writing split {}", split.name));
            context.progress.total_rows(split.rows);
            for piece in examples.pieces(&split.name) {
                if let Some(span) = piece.span {
                    writer.begin_span(span)?;
                }
                for batch in examples.piece_batches(&split.name, &piece, None)? {
                    context.cancel.check()?;
                    for part in join.batches(&batch?)? {
                        writer.write(&part, &vec![at as u16; part.num_rows()])?;
                        context.progress.advance(part.num_rows() as u64);
                    }
                }
            }
        }
        let written = writer.finish(examples.manifest().provenance())?;
        Ok(outcome(&options, &join, written.rows))
    }
}

fn outcome(options: &HistoryOptions, join: &HistoryJoin, rows: u64) -> Outcome {
    let histories: Vec<String> = options.columns.iter().map(|column| options.name_of(column)).collect();
    let properties = Properties::from([
        ("rows".to_owned(), json!(rows)),
        ("entities".to_owned(), json!(join.entities())),
        ("histories".to_owned(), json!(histories)),
    ]);
    let mut warnings = Vec::new();
    if join.rows_apart() > 0 {
        let count = join.rows_apart();
        warnings.push(format!("{count} rows lack a time or an entity: they have no past and are in nobody's"));
    }
    Outcome {
        properties: [("examples".to_owned(), properties)].into(),
        headline: format!("the past of {} in {rows} rows of {} entities", options.columns.join(", "), join.entities()),
        warnings,
        ..Outcome::default()
    }
}
