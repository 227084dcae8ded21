//! The plan: which steps would run, and why.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use tidemill_core::{Gate, InputArtifact, ParamIssue, Preview};
use tidemill_metadata::ExecutionError;

use crate::fingerprint::FingerprintInputs;
use crate::inputs::{Outputs, resolve};
use crate::pipeline::{InputBinding, Origin, Pipeline, Step};
use crate::runner::CachePolicy;
use crate::workspace::{DamagedVersion, Workspace};

/// What a run would do now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The pipeline's name.
    pub pipeline: String,
    /// Steps in the order in which they can run.
    pub steps: Vec<PlannedStep>,
    /// Model versions with an alias whose package is damaged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damaged_versions: Vec<DamagedVersion>,
}

/// What a run would do with one step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedStep {
    /// The step's name.
    pub step: String,
    /// Its component.
    pub component: String,
    /// Whether it would run.
    pub action: Action,
    /// Why, a line each. Empty for a cached step.
    pub reasons: Vec<String>,
    /// Steps it reads from or waits for.
    pub after: Vec<String>,
    /// The component's notes before the run, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Why it would fail, as far as can be known before it runs, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// Whether a step would run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Its outputs already exist.
    Cached,
    /// It would run.
    Run,
    /// It would not run: an earlier step that it waits for was rejected.
    Skip,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cached => "cached",
            Self::Run => "run",
            Self::Skip => "skip",
        })
    }
}

impl Plan {
    /// Computes what a run would do: reads sources and records but changes nothing.
    pub async fn make(pipeline: &Pipeline, workspace: &Workspace, cache: &CachePolicy) -> Result<Self, ExecutionError> {
        let mut done = Outputs::new();
        let mut rejected = BTreeSet::new();
        let mut steps: Vec<PlannedStep> = Vec::with_capacity(pipeline.steps.len());
        for (index, step) in pipeline.steps.iter().enumerate() {
            let (action, reasons) = if let Some(why) = blocked_by(step, &steps, &rejected) {
                (Action::Skip, vec![why])
            } else {
                let reasons = reasons(pipeline, index, &steps, &mut done, &mut rejected, workspace, cache).await?;
                (if reasons.is_empty() { Action::Cached } else { Action::Run }, reasons)
            };
            // A step that has succeeded with the same inputs has no problem.
            let Preview { notes, problems } = preview(step, &done, workspace);
            let told = |problem: &ParamIssue| step.source_map.locate(&problem.path, &problem.message);
            let problems = if action == Action::Cached { Vec::new() } else { problems.iter().map(told).collect() };
            steps.push(PlannedStep {
                notes,
                problems,
                step: step.name.clone(),
                component: step.spec.name.to_string(),
                action,
                reasons,
                after: after(pipeline, step),
            });
        }
        let damaged_versions = workspace.damaged_versions().await.map_err(crate::inputs::recorded)?;
        Ok(Self { pipeline: pipeline.name.clone(), steps, damaged_versions })
    }

    /// Whether a step would fail, as far as can be known before it runs.
    pub fn has_problems(&self) -> bool {
        self.steps.iter().any(|step| !step.problems.is_empty())
    }

    /// How many steps would run.
    pub fn runs(&self) -> usize {
        self.steps.iter().filter(|step| step.action == Action::Run).count()
    }
}

/// The notes of a step's component, given the existing artifacts.
fn preview(step: &Step, done: &Outputs, workspace: &Workspace) -> Preview {
    let input = |binding: &InputBinding| {
        let Origin::Step { step, output } = &binding.from else { return None };
        let artifact = done.get(step)?.get(output)?;
        let handed = InputArtifact {
            artifact_type: artifact.artifact_type,
            digest: artifact.digest.clone(),
            path: workspace.artifacts.get(artifact.artifact_type, &artifact.digest).ok()?,
            properties: artifact.properties.clone(),
        };
        Some((binding.key.clone(), handed))
    };
    step.component.preview(&step.params, &step.bindings.iter().filter_map(input).collect())
}

/// The names of the steps that `step` reads from or waits for, in their order.
pub(crate) fn after(pipeline: &Pipeline, step: &Step) -> Vec<String> {
    before(step).into_iter().map(|index| pipeline.steps[index].name.clone()).collect()
}

/// The steps that `step` reads from or waits for.
fn before(step: &Step) -> BTreeSet<usize> {
    let read = step.bindings.iter().filter_map(|binding| match binding.from {
        Origin::Step { step, .. } => Some(step),
        Origin::LatestBlessedModel | Origin::LastAccepted { .. } => None,
    });
    read.chain(step.waits_for.iter().copied()).collect()
}

/// The step that keeps `step` from running: one that was rejected, or one that would not run itself.
fn blocked_by(step: &Step, planned: &[PlannedStep], rejected: &BTreeSet<usize>) -> Option<String> {
    before(step).into_iter().find_map(|other| {
        let name = &planned[other].step;
        if rejected.contains(&other) {
            return Some(format!("`{name}` did not pass"));
        }
        (planned[other].action == Action::Skip).then(|| format!("`{name}` does not run"))
    })
}

/// Why a step would run; empty if it is cached. For a cached step, adds its outputs to `done`, and adds the step to
/// `rejected` if its verdict stops others.
async fn reasons(
    pipeline: &Pipeline,
    index: usize,
    planned: &[PlannedStep],
    done: &mut Outputs,
    rejected: &mut BTreeSet<usize>,
    workspace: &Workspace,
    cache: &CachePolicy,
) -> Result<Vec<String>, ExecutionError> {
    let step = &pipeline.steps[index];
    let upstream = running_upstream(step, planned);
    if !upstream.is_empty() {
        let mut reasons = own_changes(pipeline, step, workspace).await?;
        let names: Vec<String> = upstream.iter().map(|name| format!("`{name}`")).collect();
        reasons.push(format!(
            "reads from {}, which {}",
            names.join(", "),
            if names.len() == 1 { "runs" } else { "run" }
        ));
        return Ok(reasons);
    }
    let resolved = resolve(pipeline, step, done, workspace).await?;
    if cache.skips(&step.name) {
        return Ok(vec!["the cache is switched off for it".to_owned()]);
    }
    let cached = workspace
        .cached(&step.spec, &resolved.fingerprint_inputs.fingerprint())
        .await
        .map_err(crate::inputs::recorded)?;
    if !cached.damaged.is_empty() {
        return Ok(cached.damaged.iter().map(ToString::to_string).collect());
    }
    if let Some(record) = cached.record {
        let outcome = record.execution.outcome.as_ref();
        if step.spec.gate != Gate::Open && outcome.is_some_and(|outcome| !outcome.verdict.passed()) {
            rejected.insert(index);
        }
        done.insert(index, record.outputs.into_iter().collect());
        return Ok(Vec::new());
    }
    Ok(match last_fingerprint_inputs(pipeline, step, workspace).await? {
        None => vec!["has not run before".to_owned()],
        Some(earlier) => {
            let changes = resolved.fingerprint_inputs.changes_since(&earlier);
            match changes.is_empty() {
                false => changes,
                true if step.spec.measures => vec!["a no that was measured is measured again".to_owned()],
                true => vec!["its outputs are no longer in the store".to_owned()],
            }
        }
    })
}

/// The steps it reads from that would run, in their order.
fn running_upstream(step: &Step, planned: &[PlannedStep]) -> Vec<String> {
    let read = step.bindings.iter().filter_map(|binding| match binding.from {
        Origin::Step { step, .. } if planned[step].action == Action::Run => Some(step),
        _ => None,
    });
    let read: BTreeSet<usize> = read.collect();
    read.into_iter().map(|step| planned[step].step.clone()).collect()
}

/// Changes of the step's own parameters, for a step whose inputs are not known yet.
async fn own_changes(pipeline: &Pipeline, step: &Step, workspace: &Workspace) -> Result<Vec<String>, ExecutionError> {
    let Some(mut earlier) = last_fingerprint_inputs(pipeline, step, workspace).await? else { return Ok(Vec::new()) };
    let inputs = std::mem::take(&mut earlier.inputs);
    let now = FingerprintInputs::new(&pipeline.name, step, inputs, Vec::new(), &workspace.secrets);
    earlier.inputs.clone_from(&now.inputs);
    earlier.external.clear();
    Ok(now.changes_since(&earlier))
}

async fn last_fingerprint_inputs(
    pipeline: &Pipeline,
    step: &Step,
    workspace: &Workspace,
) -> Result<Option<FingerprintInputs>, ExecutionError> {
    let last = workspace.metadata.last_execution(&pipeline.name, &step.name).await.map_err(crate::inputs::recorded)?;
    // Another version may have recorded another shape, which cannot be compared.
    Ok(last.and_then(|record| serde_json::from_value(record.execution.fingerprint_parts).ok()))
}
