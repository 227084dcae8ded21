//! The pipeline step that evaluates candidate and baseline on the same rows.

mod asked;
mod confidence;
mod find_slices;
mod params;
mod scan;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tidemill_core::{
    ArtifactType, Code, Component, ComponentError, ComponentSpec, Digest, Expectation, ExternalInput, Gate,
    InputArtifact, InputSource, InputSpec, Outcome, OutputSpec, ParamIssue, Promise, Properties, StepContext, TaskKind,
    Wanted, add_issues,
};
use tidemill_data::Examples;
use tidemill_model::{Model, ModelError, Task};
use tidemill_onnx::load_package;

use crate::behaviour::{Probe, run_tests};
use crate::effects::effects;
use crate::metrics::no_better_than_guessing;
use crate::suspicions::suspicions;
use crate::tfma::read_eval_config;
use crate::{
    Blessing, EvaluateError, Evaluation, Metric, TableColumns, check_thresholds, evaluate, needs, summary_headline,
    summary_tables,
};

pub use asked::{AskedMetric, asked_metrics, own_metrics};
pub use confidence::ConfidenceIntervals;
pub use find_slices::FindSlices;
pub use params::EvaluatorParams;

/// Evaluates the exported model package on a split, slice by slice and beside the last blessed model, and says
/// whether it may be pushed.
///
/// Reads `examples`, `model` and, if there is one, `baseline`; writes `evaluation` ([`Evaluation`]) and `blessing`
/// ([`Blessing`]). A negative verdict stops the steps that read these.
#[derive(Debug, Clone, Copy, Default)]
pub struct Evaluator;

impl Component for Evaluator {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec {
            name: "Evaluator".into(),
            version: 4,
            about: "Evaluates a model on held-out rows, slice by slice, against thresholds and the last blessed model"
                .into(),
            inputs: vec![
                InputSpec::required("examples", ArtifactType::Examples),
                InputSpec::required("model", ArtifactType::Model),
                InputSpec::optional("baseline", ArtifactType::Model).from(InputSource::LatestBlessedModel),
            ],
            outputs: vec![
                OutputSpec::new("evaluation", ArtifactType::Evaluation),
                OutputSpec::new("blessing", ArtifactType::Blessing),
            ],
            gate: Gate::Dependents,
            writes_back: false,
            measures: false,
        }
    }

    fn rejection_code(&self) -> Code {
        Code::NotBlessed
    }

    fn params_schema(&self) -> schemars::Schema {
        schemars::schema_for!(EvaluatorParams)
    }

    fn check(&self, params: &Value) -> Vec<ParamIssue> {
        let (params, mut issues) = EvaluatorParams::parse_partly(params);
        add_issues(&mut issues, params.and_then(|params| params.read_thresholds().err()).unwrap_or_default());
        issues
    }

    fn expectations(&self, params: &Value) -> Vec<Expectation> {
        let Ok(params) = EvaluatorParams::parse(params) else { return Vec::new() };
        let split = Expectation::split(&params.split, ["split"]).with_hint("name the split to judge on: `split: NAME`");
        let metric = |(path, metric): (Vec<String>, Metric)| {
            let tasks = TaskKind::ALL.into_iter().filter(|task| metric.applies_to(*task));
            let any_of: Vec<String> = tasks.map(|task| task.name().to_owned()).collect();
            Expectation {
                topic: Promise::TASK,
                otherwise: format!("`{metric}` is a metric of {} models", listed(&any_of)),
                wanted: Wanted::AnyOf(any_of),
                path,
                hint: None,
            }
        };
        let own = own_metrics(&params.metrics);
        let of = |name: &String| own.iter().copied().find(|own| own.name() == name).or_else(|| name.parse().ok());
        let bounds =
            params.thresholds.keys().filter_map(|name| Some((vec!["thresholds".into(), name.clone()], of(name)?)));
        let asked = params.metrics.iter().enumerate().filter_map(|(index, asked)| {
            let metric = match asked {
                AskedMetric::Named(name) => name.parse().ok()?,
                AskedMetric::Own(own) => Metric::own(own),
            };
            Some((vec!["metrics".into(), index.to_string()], metric))
        });
        let metrics = bounds.chain(asked);
        [split, Expectation::not_learned_from(&params.split, ["split"])]
            .into_iter()
            .chain(metrics.map(metric))
            .collect()
    }

    fn external_inputs(&self, params: &Value, project_dir: &Path) -> Result<Vec<ExternalInput>, ComponentError> {
        let Some(file) = EvaluatorParams::parse(params)?.eval_config else { return Ok(Vec::new()) };
        let path = project_dir.join(&file);
        let bytes = std::fs::read(&path).map_err(|source| EvaluateError::Io { path, action: "read", source })?;
        // A configuration that cannot be run is refused before anything is.
        let text = String::from_utf8_lossy(&bytes);
        read_eval_config(&file, &text, &Task::Binary)?;
        let digest = Digest::from_bytes(blake3::hash(&bytes).as_bytes());
        Ok(vec![ExternalInput { name: file.display().to_string(), digest }])
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let params = EvaluatorParams::parse(context.params)?;
        params.read_thresholds()?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(context.threads.max(1))
            .build()
            .map_err(EvaluateError::Threads)?;
        pool.install(|| run(context, params))
    }
}

fn run(context: &StepContext<'_>, written: EvaluatorParams) -> Result<Outcome, ComponentError> {
    let examples = Examples::open(&context.input("examples")?.path).map_err(EvaluateError::Data)?;
    let rows = split_rows(&examples, &written.split)?;
    let candidate = context.input("model")?;
    let model = load_package(&candidate.path).map_err(EvaluateError::Model)?;
    let mut warnings = Vec::new();
    let params = with_eval_config(context, written, model.task(), &mut warnings)?;
    let params = &params;
    let thresholds = &params.read_thresholds()?;
    thresholds.check_task(model.task().kind())?;
    let mut unusable = None;
    let baseline = match context.inputs.get("baseline") {
        None => None,
        Some(artifact) => {
            // An unreadable baseline must not count as an absent one.
            let loaded = load_package(&artifact.path).map_err(|error| damaged_baseline(artifact, &error))?;
            incomparable(&loaded, &model, &examples).map_or(Some(loaded), |reason| {
                unusable = Some(reason);
                None
            })
        }
    };

    context.progress.total_rows(rows);
    context.progress.phase("predicting");
    let columns = kept_columns(params, &model, &examples, rows);
    let scan =
        scan::Scan { examples: &examples, split: &params.split, model: &model, baseline: baseline.as_ref(), columns };
    let table = scan.run(context.progress, context.cancel)?;
    context.cancel.check()?;

    context.progress.phase("evaluating");
    let threshold = |model: &Model| model.manifest().decision_threshold;
    let options = params.options(model.task().kind(), threshold(&model), baseline.as_ref().and_then(threshold));
    let mut evaluation = evaluate(&table, &options)?;
    context.cancel.check()?;
    evaluation.model = Some(candidate.digest.clone());
    evaluation.baseline =
        baseline.as_ref().and_then(|_| context.inputs.get("baseline")).map(|found| found.digest.clone());
    context.progress.phase("probing");
    let probe = Probe { examples: &examples, split: &params.split, model: &model };
    evaluation.behaviour = run_tests(&probe, &params.behaviour, context.cancel)?;
    if params.explain {
        evaluation.effects = effects(&probe, rows, context.cancel)?;
    }
    let found = suspicions(&probe, rows, context.cancel)?;
    warnings.extend(found.warnings(&params.split));
    evaluation.suspicions = Some(found);
    let mut blessing = check_thresholds(&evaluation, thresholds)?;
    blessing.judge_behaviour(&evaluation.behaviour);
    if let Some(reason) = unusable {
        blessing.explain_missing_baseline(&reason);
    }
    evaluation.write(context.output("evaluation"))?;
    blessing.write(context.output("blessing"))?;

    warnings.extend(empty_values(params, &evaluation));
    if let Some((metric, value, guess)) = no_better_than_guessing(&evaluation) {
        warnings.push(format!(
            "the model is no better than guessing: {metric} {value:.4}, and {guess:.4} for the same prediction in every row"
        ));
    }
    warnings.extend(blessing.notes.iter().cloned());
    Ok(Outcome {
        properties: properties(&evaluation, &blessing),
        verdict: blessing.as_verdict(),
        headline: summary_headline(&evaluation, &blessing),
        tables: summary_tables(&evaluation, &blessing),
        warnings,
    })
}

/// The parameters of the `EvalConfig`, if there is one, and what it says that has no meaning here.
fn with_eval_config(
    context: &StepContext<'_>,
    written: EvaluatorParams,
    task: &Task,
    warnings: &mut Vec<String>,
) -> Result<EvaluatorParams, ComponentError> {
    let Some(file) = &written.eval_config else { return Ok(written) };
    let path = context.project_dir.join(file);
    let text = std::fs::read_to_string(&path).map_err(|source| EvaluateError::Io { path, action: "read", source })?;
    let converted = read_eval_config(file, &text, task)?;
    warnings.extend(converted.notes);
    Ok(EvaluatorParams { split: written.split, ..converted.params })
}

fn split_rows(examples: &Examples, split: &str) -> Result<u64, EvaluateError> {
    let splits = examples.splits();
    match splits.iter().find(|known| known.name == split) {
        None => Err(EvaluateError::UnknownSplit {
            split: split.to_owned(),
            known: splits.iter().map(|known| known.name.clone()).collect(),
        }),
        Some(known) if known.rows == 0 => Err(EvaluateError::EmptySplit { rows_of: format!("split `{split}`") }),
        Some(known) => Ok(known.rows),
    }
}

/// "a, b and c".
fn listed(names: &[String]) -> String {
    match names {
        [some @ .., last] if !some.is_empty() => format!("{} and {last}", some.join(", ")),
        one => one.join(""),
    }
}

/// Why the last blessed model cannot be compared on these rows, if it cannot.
fn incomparable(baseline: &Model, model: &Model, examples: &Examples) -> Option<String> {
    if baseline.task().kind() != model.task().kind() {
        return Some(format!("it is a {} model and the candidate is not", baseline.task()));
    }
    if baseline.task() != model.task() {
        return Some("it knows other classes than the candidate".to_owned());
    }
    if baseline.graph().label() != model.graph().label() {
        return Some("it predicts another label".to_owned());
    }
    baseline.graph().bind(&examples.schema()).err().map(|error| error.to_string())
}

fn damaged_baseline(artifact: &InputArtifact, error: &ModelError) -> ComponentError {
    let digest = artifact.digest.short();
    let message = format!("the last blessed model, `{digest}`, cannot be read: {error}");
    ComponentError::new(Code::ArtifactDamaged, message)
        .with_hint("restore the store from a copy: without it the candidate cannot be compared")
}

/// The columns that the scan keeps. By default the search covers the columns that the model reads and those used for
/// slices, but not the columns of the label, by which every slice would look bad or good.
fn kept_columns(params: &EvaluatorParams, model: &Model, examples: &Examples, rows: u64) -> TableColumns {
    let mut slices: Vec<String> = Vec::new();
    let metrics = params.all_metrics(model.task().kind());
    let (kept, compared) = needs(&metrics, params.series.as_ref());
    for column in params.all_slices().into_iter().flat_map(|spec| spec.columns).chain(compared) {
        if !slices.contains(&column) {
            slices.push(column);
        }
    }
    let mut finder: Vec<String> = Vec::new();
    if params.find_slices.options().is_some() {
        let schema = examples.schema();
        let wanted: Vec<String> = match params.find_slices.columns() {
            Some(columns) => columns.to_vec(),
            None => {
                let inputs = model.graph().inputs().iter().map(|input| input.name.clone());
                inputs.chain(slices.iter().cloned()).filter(|name| schema.index_of(name).is_ok()).collect()
            }
        };
        for column in wanted {
            if !finder.contains(&column) {
                finder.push(column);
            }
        }
    }
    let group = match model.task() {
        Task::Ranking { group } => Some(group.clone()),
        _ => params.interval_group().map(str::to_owned),
    };
    // What is wrong with a row of a query or with one of its labels is no single loss.
    let finder =
        if matches!(model.task(), Task::Ranking { .. } | Task::MultiLabel { .. }) { Vec::new() } else { finder };
    TableColumns { slices, finder, weight: params.weight.clone(), group, kept, rows }
}

/// Values in `slices` that no row has: likely misspelt.
fn empty_values(params: &EvaluatorParams, evaluation: &Evaluation) -> Vec<String> {
    let mut warnings = Vec::new();
    for spec in params.slices.iter().filter(|_| params.min_slice_size <= 1) {
        for (column, values) in &spec.values {
            for value in values {
                let found = evaluation.slices.iter().flat_map(|slice| slice.slice.terms());
                if !found.into_iter().any(|term| term.column == *column && value.means(&term.value)) {
                    warnings.push(format!("no row has the value `{value}` in `{column}`, which `slices` names"));
                }
            }
        }
    }
    warnings
}

fn properties(evaluation: &Evaluation, blessing: &Blessing) -> BTreeMap<String, Properties> {
    let mut measured = Properties::new();
    measured.insert("split".into(), evaluation.split.clone().into());
    measured.insert("rows".into(), evaluation.rows.into());
    measured.insert("slices".into(), evaluation.slices.len().into());
    for (metric, value) in evaluation.overall().into_iter().flat_map(|overall| overall.metrics.iter()) {
        if let Some(value) = value {
            measured.insert(metric.name().into(), value.into());
        }
    }
    let mut judged = Properties::new();
    judged.insert("blessed".into(), blessing.blessed.into());
    judged.insert("verdict".into(), serde_json::to_value(blessing.verdict).unwrap_or_default());
    judged.insert("reasons".into(), blessing.reasons.clone().into());
    if let Some(model) = &blessing.model {
        judged.insert("model".into(), model.to_string().into());
    }
    if let Some(baseline) = &blessing.baseline {
        judged.insert("baseline".into(), baseline.to_string().into());
    }
    BTreeMap::from([("evaluation".into(), measured), ("blessing".into(), judged)])
}
