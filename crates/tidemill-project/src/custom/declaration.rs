//! The declaration of a custom component.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tidemill_core::{ArtifactType, ParamIssue, parse_params_partly};

/// A declaration that was checked.
#[derive(Debug, Clone)]
pub(super) struct Declaration {
    pub about: String,
    pub run: Vec<String>,
    pub inputs: BTreeMap<String, Input>,
    pub outputs: BTreeMap<String, ArtifactType>,
    pub params: BTreeMap<String, Param>,
    pub code: Option<Vec<PathBuf>>,
    pub env: BTreeMap<String, String>,
    pub gate: bool,
    pub version_of_outputs: u32,
    pub timeout_secs: u64,
    pub memory_mib: Option<u64>,
    pub grace_secs: u64,
}

/// An input.
#[derive(Debug, Clone)]
pub(super) struct Input {
    pub artifact_type: ArtifactType,
    pub optional: bool,
}

/// A parameter.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Param {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default)]
    pub default: Option<Value>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    minimum: Option<f64>,
    #[serde(default)]
    maximum: Option<f64>,
    #[serde(default, rename = "enum")]
    one_of: Option<Vec<Value>>,
}

/// The type of a parameter, as in JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Integer,
    Number,
    String,
    Boolean,
    Array,
    Object,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Number => "number",
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Array => "array",
            Self::Object => "object",
        }
    }

    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::String => value.is_string(),
            Self::Boolean => value.is_boolean(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
        }
    }
}

impl Param {
    /// The parameter as JSON Schema.
    pub(super) fn schema(&self) -> Value {
        let mut schema = Map::from_iter([("type".to_owned(), json!(self.kind.name()))]);
        let mut add = |key: &str, value: Option<Value>| schema.extend(value.map(|value| (key.to_owned(), value)));
        add("description", self.description.clone().map(Value::from));
        add("default", self.default.clone());
        add("minimum", self.minimum.map(Value::from));
        add("maximum", self.maximum.map(Value::from));
        add("enum", self.one_of.clone().map(Value::from));
        Value::Object(schema)
    }
}

/// What is wrong with a value, if anything.
pub(super) fn check_value(param: &Param, value: &Value) -> Option<String> {
    if !param.kind.fits(value) {
        return Some(format!("{value} is not of type {}", param.kind.name()));
    }
    if let Some(values) = param.one_of.as_ref().filter(|values| !values.contains(value)) {
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        return Some(format!("{value} is not one of {}", values.join(", ")));
    }
    let number = value.as_f64();
    match (number.zip(param.minimum), number.zip(param.maximum)) {
        (Some((number, minimum)), _) if number < minimum => Some(format!("{value} is below {minimum}")),
        (_, Some((number, maximum))) if number > maximum => Some(format!("{value} is above {maximum}")),
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    version: u32,
    #[serde(default)]
    about: String,
    run: Vec<String>,
    #[serde(default)]
    inputs: BTreeMap<String, RawInput>,
    outputs: BTreeMap<String, String>,
    #[serde(default)]
    params: BTreeMap<String, Param>,
    #[serde(default)]
    code: Option<Vec<PathBuf>>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    gate: bool,
    #[serde(default = "one")]
    outputs_version: u32,
    #[serde(default = "an_hour")]
    timeout_secs: u64,
    #[serde(default)]
    memory_mib: Option<u64>,
    #[serde(default = "ten")]
    grace_secs: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawInput {
    Type(String),
    Full(FullInput),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FullInput {
    #[serde(rename = "type")]
    artifact_type: String,
    #[serde(default)]
    optional: bool,
}

const fn one() -> u32 {
    1
}

const fn an_hour() -> u64 {
    3600
}

const fn ten() -> u64 {
    10
}

/// Keys of a step that are not parameters.
const RESERVED: [&str; 6] = ["component", "inputs", "retries", "optional", "cleanup", "if"];

impl Declaration {
    /// Reads the declaration of the component called `name`. Returns all mistakes at once.
    pub(super) fn parse(name: &str, value: &Value) -> Result<Self, Vec<ParamIssue>> {
        let (raw, mut issues) = parse_params_partly::<Raw>(value);
        let Some(raw) = raw else { return Err(issues) };
        let nowhere = <[&str; 0]>::default();
        if name.parse::<ArtifactType>().is_err() {
            let message =
                format!("`{name}` cannot name a component: start with a capital letter, use letters and digits");
            issues.push(ParamIssue::new(nowhere, message).with_hint("the name of the file is that of the component"));
        }
        if raw.version != 1 {
            issues.push(ParamIssue::new(["version"], format!("version {} is not known", raw.version)));
        }
        if raw.run.first().is_none_or(|program| program.trim().is_empty()) {
            issues
                .push(ParamIssue::new(["run"], "`run` names no program").with_hint("as in `run: [python3, join.py]`"));
        }
        if raw.outputs.is_empty() {
            issues.push(ParamIssue::new(["outputs"], "a component writes at least one output"));
        }
        if raw.timeout_secs == 0 {
            issues.push(ParamIssue::new(["timeout_secs"], "`timeout_secs` must be 1 or above"));
        }
        let parse = |place: [&str; 2], text: &str, issues: &mut Vec<ParamIssue>| {
            text.parse::<ArtifactType>().map_err(|error| issues.push(ParamIssue::new(place, error.to_string()))).ok()
        };
        let mut inputs = BTreeMap::new();
        for (key, input) in raw.inputs {
            let (text, optional) = match input {
                RawInput::Type(text) => (text, false),
                RawInput::Full(FullInput { artifact_type, optional }) => (artifact_type, optional),
            };
            let found = parse(["inputs", &key], &text, &mut issues);
            inputs.extend(found.map(|artifact_type| (key, Input { artifact_type, optional })));
        }
        let mut outputs = BTreeMap::new();
        for (key, text) in &raw.outputs {
            let found = parse(["outputs", key], text, &mut issues);
            outputs.extend(found.map(|artifact_type| (key.clone(), artifact_type)));
        }
        for key in inputs.keys().chain(outputs.keys()).filter(|key| !is_key(key)) {
            issues.push(ParamIssue::new(
                nowhere,
                format!("`{key}` cannot name an input or output: use a-z, 0-9 and `_`"),
            ));
        }
        for (key, param) in &raw.params {
            if RESERVED.contains(&key.as_str()) {
                issues.push(ParamIssue::new(["params", key], format!("`{key}` is a key of every step")));
            }
            if let Some(wrong) = param.default.as_ref().and_then(|default| check_value(param, default)) {
                issues.push(ParamIssue::new(["params", key, "default"], wrong));
            }
        }
        let outside = |file: &PathBuf| {
            file.is_absolute() || file.components().any(|part| part == std::path::Component::ParentDir)
        };
        for (at, file) in raw.code.iter().flatten().enumerate().filter(|(_, file)| outside(file)) {
            let message = format!("`{}` is not a file inside the project", file.display());
            issues.push(ParamIssue::new(["code", &at.to_string()], message));
        }
        if !issues.is_empty() {
            return Err(issues);
        }
        Ok(Self {
            about: raw.about,
            run: raw.run,
            inputs,
            outputs,
            params: raw.params,
            code: raw.code,
            env: raw.env,
            gate: raw.gate,
            version_of_outputs: raw.outputs_version,
            timeout_secs: raw.timeout_secs,
            memory_mib: raw.memory_mib,
            grace_secs: raw.grace_secs,
        })
    }
}

/// A key that can stand in the name of an environment variable.
fn is_key(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
