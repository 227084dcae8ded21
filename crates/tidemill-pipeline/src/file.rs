//! Parses `pipeline.yaml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tidemill_core::{Code, Coded, Diagnostic, InvalidFile, suggest};

use crate::components::Components;
use crate::condition::Condition;
use crate::expectations;
use crate::pipeline::{Pipeline, StepOptions};
use crate::references::{self, Params, Scope};
use crate::schedules;
use crate::source_map::{SourceMap, located};
use crate::wiring::{self, UnwiredStep};
use crate::yaml::{Key, Node, NodeKind};

/// The file name of a pipeline in a folder.
pub const FILE_NAME: &str = "pipeline.yaml";

/// The keys of every step; all others are parameters of its component.
const STEP_KEYS: [&str; 6] = ["component", "inputs", "retries", "optional", "cleanup", "if"];
/// The maximum number of retries of a step.
const RETRIES_MAX: u32 = 100;

const KEYS: [&str; 6] = ["version", "pipeline", "description", "params", "steps", "schedules"];

/// A pipeline could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no file.
    #[error("there is no pipeline file at `{0}`")]
    NotFound(PathBuf),
    /// The file cannot be read.
    #[error("cannot read `{path}`")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file has errors, each with its position.
    #[error(transparent)]
    Invalid(#[from] InvalidFile),
}

impl Coded for LoadError {
    fn code(&self) -> Code {
        match self {
            Self::NotFound(_) => Code::PipelineNotFound,
            Self::Unreadable { .. } => Code::Io,
            Self::Invalid(_) => Code::PipelineFile,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound(_) => {
                Some("name a folder that holds `pipeline.yaml`, or start one with `tidemill init taxi`".into())
            }
            _ => None,
        }
    }

    fn invalid_file(&self) -> Option<&InvalidFile> {
        match self {
            Self::Invalid(invalid) => Some(invalid),
            _ => None,
        }
    }
}

/// The pipeline file that a path from a user means: the file itself, or the one in the folder.
pub fn find(path: &Path) -> Result<PathBuf, LoadError> {
    let file = if path.is_dir() { path.join(FILE_NAME) } else { path.to_owned() };
    if file.is_file() { Ok(file) } else { Err(LoadError::NotFound(file)) }
}

impl Pipeline {
    /// Reads and checks the pipeline at `path`, a file or a folder that contains one.
    ///
    /// `overrides` are `NAME=VALUE` pairs for parameters that the file defines; values are parsed as YAML.
    pub fn load(path: &Path, components: &Components, overrides: &[(String, String)]) -> Result<Self, LoadError> {
        let file = find(path)?;
        let text =
            std::fs::read_to_string(&file).map_err(|source| LoadError::Unreadable { path: file.clone(), source })?;
        let env = |name: &str| std::env::var(name).ok();
        Ok(Self::parse(&file, &text, components, overrides, &env)?)
    }

    /// Checks the text of a pipeline file. Returns all errors at once, in the order of the file.
    pub fn parse(
        file: &Path,
        text: &str,
        components: &Components,
        overrides: &[(String, String)],
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, InvalidFile> {
        let mut diagnostics = Vec::new();
        let pipeline = Node::parse(text)
            .map_err(|diagnostic| diagnostics.push(diagnostic))
            .ok()
            .and_then(|root| read_root(&root, (file, text), components, overrides, env, &mut diagnostics));
        match pipeline {
            Some(pipeline) if diagnostics.is_empty() => Ok(pipeline),
            _ => {
                diagnostics.sort_by_key(|d| d.span.start);
                Err(InvalidFile { path: file.to_owned(), text: text.to_owned(), diagnostics })
            }
        }
    }
}

fn read_root(
    root: &Node,
    (file, text): (&Path, &str),
    components: &Components,
    overrides: &[(String, String)],
    env: &dyn Fn(&str) -> Option<String>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Pipeline> {
    if !matches!(root.kind, NodeKind::Map(_)) {
        diagnostics.push(
            Diagnostic::new(root.span.clone(), format!("a pipeline file is a mapping, this is {}", root.describe()))
                .with_hint(Some("it starts with `version: 1`, `pipeline: NAME` and `steps:`")),
        );
        return None;
    }
    unknown_keys(root, &KEYS, diagnostics);
    read_version(root, diagnostics);
    let name = read_name(root, diagnostics);
    let description = root.get("description").and_then(Node::as_str).map(str::to_owned);
    let params = read_params(root, overrides, env, diagnostics);
    let scope = Scope { params: &params, env };
    let drafts = read_steps(root, components, &scope, overrides, diagnostics);
    // Binding errors that involve a step that could not be parsed would only repeat its error.
    let broken = root.get("steps").map_or(0, |steps| steps.entries().len()) > drafts.len();
    let mut steps = if broken { Vec::new() } else { wiring::wire(drafts, diagnostics) };
    expectations::check(&steps, root, diagnostics);
    for step in &mut steps {
        step.source_map = SourceMap::new(file, text, root, &step.name);
    }
    let is_schedule_name = |name: &str| is_name(name) && !name.contains('.');
    let of = (name.as_deref(), &steps[..]);
    let schedules = schedules::read(root, of, &params.recorded, is_schedule_name, diagnostics);
    Some(Pipeline { name: name?, description, params: params.recorded, file: file.to_owned(), steps, schedules })
}

fn unknown_keys(node: &Node, known: &[&str], diagnostics: &mut Vec<Diagnostic>) {
    for (key, _) in node.entries() {
        if !known.contains(&key.name.as_str()) {
            let hint = suggest(&key.name, known.iter().copied())
                .map_or_else(|| format!("known keys: {}", known.join(", ")), |near| format!("did you mean `{near}`?"));
            diagnostics
                .push(Diagnostic::new(key.span.clone(), format!("unknown key `{}`", key.name)).with_hint(Some(hint)));
        }
    }
}

fn read_version(root: &Node, diagnostics: &mut Vec<Diagnostic>) {
    match root.get("version") {
        None => diagnostics
            .push(Diagnostic::new(0..0, "`version` is missing").with_hint(Some("start the file with `version: 1`"))),
        Some(node) if node.to_value() == 1 => {}
        Some(node) => diagnostics.push(
            Diagnostic::new(node.span.clone(), format!("version {} is not known", node.to_value()))
                .with_hint(Some("this Tidemill reads version 1")),
        ),
    }
}

fn read_name(root: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
    let Some(node) = root.get("pipeline") else {
        diagnostics.push(
            Diagnostic::new(0..0, "`pipeline` is missing")
                .with_hint(Some("name the pipeline, as in `pipeline: taxi-tips`")),
        );
        return None;
    };
    let name = node.as_str().filter(|name| is_name(name));
    if name.is_none() {
        diagnostics.push(
            Diagnostic::new(node.span.clone(), "the pipeline's name must be 1 to 63 letters, digits, `-`, `_` or `.`")
                .with_hint(None::<String>),
        );
    }
    name.map(str::to_owned)
}

fn is_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Parameters in the order of the file; each may refer to the environment or to a parameter above it.
fn read_params(
    root: &Node,
    overrides: &[(String, String)],
    env: &dyn Fn(&str) -> Option<String>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Params {
    let node = root.get("params");
    let mut params = Params::default();
    if let Some(node) = node.filter(|node| !matches!(node.kind, NodeKind::Null | NodeKind::Map(_))) {
        let message = format!("`params` is a mapping of names to values, this is {}", node.describe());
        diagnostics.push(Diagnostic::new(node.span.clone(), message));
    }
    for (key, value) in node.map_or(&[][..], Node::entries) {
        let value = match overrides.iter().rev().find(|(name, _)| *name == key.name) {
            Some((_, text)) => {
                let value = Node::parse(text).map_or_else(|_| Value::String(text.clone()), |value| value.to_value());
                (value.clone(), value)
            }
            None => Scope { params: &params, env }.resolve(value, diagnostics),
        };
        params.insert(&key.name, value);
    }
    for (name, _) in overrides.iter().filter(|(name, _)| !params.used.contains_key(name)) {
        let known: Vec<&str> = params.used.keys().map(String::as_str).collect();
        let hint = match suggest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "the file defines none".to_owned(),
            None => format!("it has: {}", known.join(", ")),
        };
        let span = node.map_or(0..0, |n| n.span.clone());
        diagnostics.push(
            Diagnostic::new(span, format!("the file has no parameter `{name}` to override")).with_hint(Some(hint)),
        );
    }
    params
}

fn read_steps<'a>(
    root: &'a Node,
    components: &Components,
    scope: &Scope<'_>,
    overrides: &[(String, String)],
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<UnwiredStep<'a>> {
    let Some(steps) = root.get("steps") else {
        diagnostics
            .push(Diagnostic::new(0..0, "`steps` is missing").with_hint(Some("a pipeline is a mapping of steps")));
        return Vec::new();
    };
    if steps.entries().is_empty() {
        let message = match steps.kind {
            NodeKind::Map(_) => "`steps` holds no step".to_owned(),
            _ => format!("`steps` is a mapping of steps by name, this is {}", steps.describe()),
        };
        diagnostics.push(Diagnostic::new(steps.span.clone(), message));
    }
    // Values from flags have no position in the file.
    let params = root.get("params").map(|params| without(params, overrides));
    let read = |(key, node): &'a (Key, Node)| read_step(key, node, components, scope, params.as_ref(), diagnostics);
    steps.entries().iter().filter_map(read).collect()
}

/// The parameters whose value comes from the file, not from a flag.
fn without(params: &Node, overrides: &[(String, String)]) -> Node {
    let is_ours = |(key, _): &&(Key, Node)| overrides.iter().all(|(name, _)| *name != key.name);
    let entries = params.entries().iter().filter(is_ours).cloned().collect();
    Node { kind: NodeKind::Map(entries), span: params.span.clone() }
}

fn read_step<'a>(
    key: &'a Key,
    node: &'a Node,
    components: &Components,
    scope: &Scope<'_>,
    params_node: Option<&Node>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<UnwiredStep<'a>> {
    // A dot separates a step and its output in `inputs:`.
    if !is_name(&key.name) || key.name.contains('.') {
        let message = format!("`{}` cannot name a step: use 1 to 63 letters, digits, `-` and `_`", key.name);
        diagnostics.push(Diagnostic::new(key.span.clone(), message));
    }
    let component_node = node.get("component");
    let Some(component_name) = component_node.and_then(Node::as_str) else {
        let (span, message) = match component_node {
            Some(other) => (other.span.clone(), format!("`component` is a name, this is {}", other.describe())),
            None => (key.span.clone(), format!("step `{}` names no component", key.name)),
        };
        let known = components.names().collect::<Vec<_>>().join(", ");
        diagnostics.push(Diagnostic::new(span, message).with_hint(Some(format!("components: {known}"))));
        return None;
    };
    let Some(component) = components.get(component_name) else {
        let hint = suggest(component_name, components.names()).map_or_else(
            || format!("components: {}", components.names().collect::<Vec<_>>().join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        let span = component_node.map_or(key.span.clone(), |n| n.span.clone());
        diagnostics.push(Diagnostic::new(span, format!("unknown component `{component_name}`")).with_hint(Some(hint)));
        return None;
    };
    let options = StepOptions {
        retries: read_retries(node, scope, diagnostics),
        optional: read_switch(node, "optional", diagnostics),
        cleanup: read_switch(node, "cleanup", diagnostics),
        condition: read_condition(node, diagnostics),
    };
    let condition_span = node.get("if").map(|node| node.span.clone());
    let before = diagnostics.len();
    let mut params = Params::default();
    for (name, value) in node.entries() {
        if !STEP_KEYS.contains(&name.name.as_str()) {
            params.insert(&name.name, scope.resolve(value, diagnostics));
        }
    }
    let (params, recorded) = (Value::Object(params.used), Value::Object(params.recorded));
    let mut environment = BTreeMap::new();
    references::environment(&recorded, scope.env, &mut environment);
    // An unresolved reference has become a null: the component's own error would only repeat it.
    if diagnostics.len() == before {
        let issues = component.check(&params);
        diagnostics.extend(issues.into_iter().map(|issue| located(issue, node, params_node, &key.span)));
    }
    let (inputs, component, spec) = (node.get("inputs"), component.clone(), component.spec());
    Some(UnwiredStep { key, inputs, component, spec, params, recorded, environment, options, condition_span })
}

/// `KEY: true` or `false`.
fn read_switch(step: &Node, key: &str, diagnostics: &mut Vec<Diagnostic>) -> bool {
    let Some(node) = step.get(key) else { return false };
    node.to_value().as_bool().unwrap_or_else(|| {
        diagnostics.push(Diagnostic::new(node.span.clone(), format!("`{key}` is `true` or `false`")));
        false
    })
}

fn read_condition(step: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Condition> {
    let node = step.get("if")?;
    let parsed = match node.as_str() {
        Some(text) => Condition::parse(text),
        None => Err(format!("a condition is a text such as `evaluate.auc > 0.9`, this is {}", node.describe())),
    };
    parsed.map_err(|wrong| diagnostics.push(Diagnostic::new(node.span.clone(), wrong))).ok()
}

fn read_retries(step: &Node, scope: &Scope<'_>, diagnostics: &mut Vec<Diagnostic>) -> u32 {
    let Some(node) = step.get("retries") else { return 0 };
    let retries = scope.resolve(node, diagnostics).0.as_u64().and_then(|retries| u32::try_from(retries).ok());
    retries.filter(|retries| *retries <= RETRIES_MAX).unwrap_or_else(|| {
        let message = format!("`retries` is a whole number from 0 to {RETRIES_MAX}");
        let hint = "a step is tried again only after an error of its surroundings: a network, a disk, a busy store";
        diagnostics.push(Diagnostic::new(node.span.clone(), message).with_hint(Some(hint)));
        0
    })
}
