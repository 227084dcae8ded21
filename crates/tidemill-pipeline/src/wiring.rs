//! Wires steps by artifact type.
//!
//! A step takes the nearest artifact of each type it needs from the steps above it. Among the steps above that write
//! the type, one that another of them is made from counts as farther; if more than one remains, the choice is ambiguous
//! and `inputs:` must decide.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;
use tidemill_core::{
    ArtifactType, Component, ComponentSpec, Diagnostic, Digest, Gate, InputSource, InputSpec, suggest,
};

use crate::pipeline::{InputBinding, Origin, Step, StepOptions};
use crate::source_map::SourceMap;
use crate::yaml::{Key, Node, NodeKind};

/// A step whose inputs are not wired yet.
pub(crate) struct UnwiredStep<'a> {
    pub key: &'a Key,
    pub inputs: Option<&'a Node>,
    pub component: Arc<dyn Component>,
    pub spec: ComponentSpec,
    pub params: Value,
    pub recorded: Value,
    pub environment: BTreeMap<String, Digest>,
    pub options: StepOptions,
    /// Where `if:` is written.
    pub condition_span: Option<Range<usize>>,
}

/// Wires the steps and puts them in an order in which they can run.
pub(crate) fn wire(drafts: Vec<UnwiredStep<'_>>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Step> {
    let before = diagnostics.len();
    let explicit: Vec<Vec<InputBinding>> =
        drafts.iter().map(|draft| explicit_bindings(draft, &drafts, diagnostics)).collect();
    let mut bindings: Vec<Vec<InputBinding>> = explicit;
    for index in 0..drafts.len() {
        let spec = drafts[index].spec.clone();
        for input in &spec.inputs {
            if bindings[index].iter().any(|binding| binding.key == input.key) {
                continue;
            }
            match implicit_binding(index, input, &drafts, &bindings) {
                Ok(Some(binding)) => bindings[index].push(binding),
                Ok(None) => {}
                Err(diagnostic) => diagnostics.push(diagnostic),
            }
        }
    }
    if diagnostics.len() > before {
        return Vec::new();
    }
    let mut gates = gates_before(&drafts, &bindings);
    for (index, draft) in drafts.iter().enumerate() {
        let Some(condition) = &draft.options.condition else { continue };
        for name in condition.steps() {
            match drafts.iter().position(|other| other.key.name == name).filter(|other| *other != index) {
                Some(other) => gates[index].push(other),
                None => diagnostics.push(no_such_step(name, draft, &drafts)),
            }
        }
    }
    if diagnostics.len() > before {
        return Vec::new();
    }
    let Some(order) = topological(&drafts, &bindings, &gates, diagnostics) else { return Vec::new() };
    assemble(drafts, &bindings, &gates, &order)
}

fn no_such_step(name: &str, draft: &UnwiredStep<'_>, drafts: &[UnwiredStep<'_>]) -> Diagnostic {
    let span = draft.condition_span.clone().unwrap_or(draft.key.span.clone());
    let known = drafts.iter().map(|other| other.key.name.as_str()).filter(|other| *other != draft.key.name);
    let hint = suggest(name, known).map(|near| format!("did you mean `{near}`?"));
    Diagnostic::new(span, format!("the condition is about `{name}`, and there is no other step of that name"))
        .with_hint(hint)
}

/// The gates that each step waits for: those above it in the file, except a gate that is itself made from the step.
fn gates_before(drafts: &[UnwiredStep<'_>], bindings: &[Vec<InputBinding>]) -> Vec<Vec<usize>> {
    let gates = (0..drafts.len()).filter(|index| drafts[*index].spec.gate == Gate::Below);
    let gates: Vec<(usize, BTreeSet<usize>)> = gates.map(|gate| (gate, ancestors(gate, bindings))).collect();
    let before = |step| gates.iter().filter(move |(gate, made_from)| *gate < step && !made_from.contains(&step));
    (0..drafts.len()).map(|step| before(step).map(|(gate, _)| *gate).collect()).collect()
}

fn reads(bindings: &[InputBinding]) -> impl Iterator<Item = usize> {
    bindings.iter().filter_map(|binding| match binding.from {
        Origin::Step { step, .. } => Some(step),
        Origin::LatestBlessedModel | Origin::LastAccepted { .. } => None,
    })
}

/// All steps that `step` is made from.
fn ancestors(step: usize, bindings: &[Vec<InputBinding>]) -> BTreeSet<usize> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<usize> = reads(&bindings[step]).collect();
    while let Some(next) = open.pop() {
        if seen.insert(next) {
            open.extend(reads(&bindings[next]));
        }
    }
    seen
}

/// The outputs that a step below may take without naming them.
fn implicit_outputs(draft: &UnwiredStep<'_>, artifact_type: ArtifactType) -> Vec<String> {
    let outputs =
        draft.spec.outputs.iter().filter(|output| output.artifact_type == artifact_type && !output.only_named);
    outputs.map(|output| output.key.to_string()).collect()
}

fn outputs_of(draft: &UnwiredStep<'_>, artifact_type: ArtifactType) -> Vec<String> {
    let outputs = draft.spec.outputs.iter().filter(|output| output.artifact_type == artifact_type);
    outputs.map(|output| output.key.to_string()).collect()
}

fn implicit_binding(
    index: usize,
    input: &InputSpec,
    drafts: &[UnwiredStep<'_>],
    bindings: &[Vec<InputBinding>],
) -> Result<Option<InputBinding>, Diagnostic> {
    let key = input.key.to_string();
    match &input.source {
        InputSource::Wired => {}
        InputSource::Named => return Ok(None),
        InputSource::LatestBlessedModel => return Ok(Some(InputBinding { key, from: Origin::LatestBlessedModel })),
        InputSource::LastAccepted(of) => {
            return Ok(Some(InputBinding { key, from: Origin::LastAccepted { of: of.to_string() } }));
        }
    }
    let step = &drafts[index].key.name;
    let candidates: Vec<(usize, String)> = (0..index)
        .flat_map(|above| {
            implicit_outputs(&drafts[above], input.artifact_type).into_iter().map(move |key| (above, key))
        })
        .collect();
    let farther: BTreeSet<usize> = candidates.iter().flat_map(|(above, _)| ancestors(*above, bindings)).collect();
    let nearest: Vec<&(usize, String)> = candidates.iter().filter(|(above, _)| !farther.contains(above)).collect();
    match nearest.as_slice() {
        [(above, output)] => {
            Ok(Some(InputBinding { key, from: Origin::Step { step: *above, output: output.clone() } }))
        }
        [] if !input.required => Ok(None),
        [] => {
            let message =
                format!("step `{step}` needs {} and no step above writes it", with_article(input.artifact_type));
            Err(Diagnostic::new(drafts[index].key.span.clone(), message).with_hint(below_hint(index, input, drafts)))
        }
        several => {
            let names: Vec<String> =
                several.iter().map(|(above, out)| format!("{}.{out}", drafts[*above].key.name)).collect();
            let message = format!(
                "step `{step}` can take its {} from {}: they are equally near",
                input.artifact_type,
                join_or(&names)
            );
            let hint = format!("say which: `inputs: {{ {}: {} }}`", input.key, names.last().map_or("", String::as_str));
            Err(Diagnostic::new(drafts[index].key.span.clone(), message).with_hint(Some(hint)))
        }
    }
}

fn below_hint(index: usize, input: &InputSpec, drafts: &[UnwiredStep<'_>]) -> Option<String> {
    let below = drafts[index + 1..].iter().find(|draft| !implicit_outputs(draft, input.artifact_type).is_empty());
    below.map(|draft| format!("`{}` writes it but comes later: move it up", draft.key.name))
}

fn with_article(artifact_type: ArtifactType) -> String {
    let name = artifact_type.name();
    let article = if name.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
    if name.ends_with('s') { format!("`{name}`") } else { format!("{article} `{name}`") }
}

fn join_or(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(" or ")
}

fn explicit_bindings(
    draft: &UnwiredStep<'_>,
    drafts: &[UnwiredStep<'_>],
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<InputBinding> {
    let Some(node) = draft.inputs else { return Vec::new() };
    if !matches!(node.kind, NodeKind::Map(_)) {
        let message =
            format!("`inputs` is a mapping such as `{{ examples: enrich.examples }}`, this is {}", node.describe());
        diagnostics.push(Diagnostic::new(node.span.clone(), message));
        return Vec::new();
    }
    let mut bindings = Vec::new();
    for (key, value) in node.entries() {
        let keys = || draft.spec.inputs.iter().map(|input| &*input.key);
        let Some(input) = draft.spec.inputs.iter().find(|input| input.key == key.name) else {
            let known = keys().collect::<Vec<_>>().join(", ");
            let hint = suggest(&key.name, keys())
                .map_or_else(|| format!("its inputs: {known}"), |near| format!("did you mean `{near}`?"));
            let message = format!("`{}` has no input `{}`", draft.spec.name, key.name);
            diagnostics.push(Diagnostic::new(key.span.clone(), message).with_hint(Some(hint)));
            continue;
        };
        match resolve(value, input, drafts) {
            Ok(from) => bindings.push(InputBinding { key: key.name.clone(), from }),
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    bindings
}

fn resolve(value: &Node, input: &InputSpec, drafts: &[UnwiredStep<'_>]) -> Result<Origin, Diagnostic> {
    let span: Range<usize> = value.span.clone();
    let Some(text) = value.as_str() else {
        let message = format!("an input is written `STEP` or `STEP.OUTPUT`, this is {}", value.describe());
        return Err(Diagnostic::new(span, message));
    };
    let (step_name, output) = text.split_once('.').map_or((text, None), |(step, output)| (step, Some(output)));
    let Some(step) = drafts.iter().position(|draft| draft.key.name == step_name) else {
        let hint = suggest(step_name, drafts.iter().map(|d| d.key.name.as_str()))
            .map(|near| format!("did you mean `{near}`?"));
        return Err(Diagnostic::new(span, format!("there is no step `{step_name}`")).with_hint(hint));
    };
    let fitting = outputs_of(&drafts[step], input.artifact_type);
    let chosen = match output {
        Some(output) => fitting.iter().find(|key| *key == output),
        None => fitting.first().filter(|_| fitting.len() == 1),
    };
    chosen.map(|output| Origin::Step { step, output: output.clone() }).ok_or_else(|| {
        let message = format!("`{text}` is not {}", with_article(input.artifact_type));
        let hint = if fitting.is_empty() {
            let all: Vec<&str> = drafts[step].spec.outputs.iter().map(|o| &*o.key).collect();
            format!("`{step_name}` writes: {}", all.join(", "))
        } else {
            format!("it can be {}", join_or(&fitting.iter().map(|o| format!("{step_name}.{o}")).collect::<Vec<_>>()))
        };
        Diagnostic::new(span, message).with_hint(Some(hint))
    })
}

/// An order in which every step follows those it reads and the gates it waits for; file order where that is free.
fn topological(
    drafts: &[UnwiredStep<'_>],
    bindings: &[Vec<InputBinding>],
    gates: &[Vec<usize>],
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Vec<usize>> {
    let before: Vec<Vec<usize>> =
        bindings.iter().zip(gates).map(|(w, g)| reads(w).chain(g.iter().copied()).collect()).collect();
    let mut order: Vec<usize> = Vec::with_capacity(drafts.len());
    while order.len() < drafts.len() {
        let next = (0..drafts.len())
            .find(|step| !order.contains(step) && before[*step].iter().all(|other| order.contains(other)));
        match next {
            Some(step) => order.push(step),
            None => {
                diagnostics.push(cycle(drafts, &before, &order));
                return None;
            }
        }
    }
    Some(order)
}

/// Walks backwards along edges that cannot be satisfied until a step comes up twice.
fn cycle(drafts: &[UnwiredStep<'_>], before: &[Vec<usize>], done: &[usize]) -> Diagnostic {
    let mut path = vec![(0..drafts.len()).find(|step| !done.contains(step)).unwrap_or(0)];
    loop {
        let last = path[path.len() - 1];
        let next = before[last].iter().copied().find(|other| !done.contains(other)).unwrap_or(last);
        if let Some(start) = path.iter().position(|step| *step == next) {
            let names: Vec<&str> = path[start..].iter().chain([&next]).map(|s| drafts[*s].key.name.as_str()).collect();
            let message = format!("steps wait for each other in a circle: {}", names.join(" ← "));
            let span = drafts[path[start]].inputs.map_or(drafts[path[start]].key.span.clone(), |n| n.span.clone());
            return Diagnostic::new(span, message).with_hint(Some("cut one of these inputs"));
        }
        path.push(next);
    }
}

fn assemble(
    drafts: Vec<UnwiredStep<'_>>,
    bindings: &[Vec<InputBinding>],
    gates: &[Vec<usize>],
    order: &[usize],
) -> Vec<Step> {
    let place = |draft: usize| order.iter().position(|step| *step == draft).unwrap_or(draft);
    let mut steps: Vec<(usize, Step)> = drafts
        .into_iter()
        .enumerate()
        .map(|(index, draft)| {
            let waits_for = gates[index].iter().map(|gate| place(*gate)).collect();
            let bindings = bindings[index].iter().map(|binding| match &binding.from {
                Origin::Step { step, output } => InputBinding {
                    key: binding.key.clone(),
                    from: Origin::Step { step: place(*step), output: output.clone() },
                },
                Origin::LatestBlessedModel | Origin::LastAccepted { .. } => binding.clone(),
            });
            let step = Step {
                name: draft.key.name.clone(),
                component: draft.component,
                spec: draft.spec,
                params: draft.params,
                recorded: draft.recorded,
                environment: draft.environment,
                options: draft.options,
                bindings: bindings.collect(),
                waits_for,
                source_map: SourceMap::default(),
            };
            (place(index), step)
        })
        .collect();
    steps.sort_by_key(|(place, _)| *place);
    steps.into_iter().map(|(_, step)| step).collect()
}
