//! Reading `schema.yaml`, with every mistake located.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::granit_parser::{Event, Parser};
use tidemill_core::{
    AnomalyType, Code, Coded, DatasetConstraints, Diagnostic, Feature, InvalidEntry, InvalidFile, ParamIssue, Schema,
    Severity, SparseFeature, WeightedFeature, parse_params,
};

use super::check::{problems, slips};
use super::pbtxt::schema_from_pbtxt;

/// Why a schema could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The file is not a schema. Everything found wrong is listed.
    #[error("{}", listed(.file, .issues))]
    Invalid {
        /// The file, as the user named it.
        file: PathBuf,
        /// At least one.
        issues: Vec<SchemaIssue>,
        /// The same with the text of the file, to draw the places.
        places: Box<InvalidFile>,
    },
    /// The file is there but cannot be read, or cannot be written.
    #[error("cannot {action} `{}`", .file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// `read` or `write`.
        action: &'static str,
        /// What the operating system said.
        source: std::io::Error,
    },
}

impl Coded for SchemaError {
    fn code(&self) -> Code {
        match self {
            Self::Invalid { .. } => Code::SchemaFile,
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Code::SourceNotFound,
            Self::Io { .. } => Code::Io,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Invalid { issues, .. } => issues.iter().find_map(|issue| issue.hint.clone()),
            Self::Io { file, source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Some(format!("`tidemill infer-schema DATA --out {}` writes one from data", file.display()))
            }
            Self::Io { .. } => None,
        }
    }

    fn invalid_file(&self) -> Option<&InvalidFile> {
        match self {
            Self::Invalid { places, .. } => Some(places),
            Self::Io { .. } => None,
        }
    }
}

impl SchemaError {
    /// Mistakes in the text of a file.
    pub(crate) fn invalid(file: &Path, text: &str, issues: Vec<SchemaIssue>) -> Self {
        let diagnostic = |issue: &SchemaIssue| {
            let start = offset(text, issue.line, issue.column);
            let rest = &text[start..];
            let length = rest.find(|c: char| c.is_whitespace() || c == ',' || c == '}').unwrap_or(rest.len());
            Diagnostic::new(start..start + length, &issue.message).with_hint(issue.hint.clone())
        };
        let diagnostics = issues.iter().map(diagnostic).collect();
        let places = InvalidFile { path: file.to_owned(), text: text.to_owned(), diagnostics };
        Self::Invalid { file: file.to_owned(), issues, places: Box::new(places) }
    }
}

/// The byte at a line and a column, both from 1, the column in characters.
fn offset(text: &str, line: u64, column: u64) -> usize {
    let mut start = 0;
    for (number, content) in (1..).zip(text.split_inclusive('\n')) {
        if number == line {
            let within = content.char_indices().nth(column.saturating_sub(1) as usize);
            return start + within.map_or(content.trim_end_matches('\n').len(), |(at, _)| at);
        }
        start += content.len();
    }
    text.len()
}

/// One mistake in a schema file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaIssue {
    /// Line, from 1.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for SchemaIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} column {}: {}", self.line, self.column, self.message)
    }
}

fn listed(file: &Path, issues: &[SchemaIssue]) -> String {
    let lines: Vec<String> = issues.iter().map(|issue| format!("`{}` {issue}", file.display())).collect();
    lines.join("\n")
}

/// The schema in the file at `path`: YAML, or TensorFlow Metadata's text form where the name ends in `.pbtxt`.
pub fn read_schema(path: &Path) -> Result<Schema, SchemaError> {
    Ok(read_schema_with_notes(path)?.0)
}

/// The schema in the file at `path`, with notes on what the file says that was left out.
pub fn read_schema_with_notes(path: &Path) -> Result<(Schema, Vec<String>), SchemaError> {
    parse_by_name(&read_text(path)?, path)
}

/// Reads the file at `path` for [`parse_by_name`] and its like.
pub(crate) fn read_text(path: &Path) -> Result<String, SchemaError> {
    std::fs::read_to_string(path).map_err(|source| SchemaError::Io { file: path.to_owned(), action: "read", source })
}

/// The schema in the text of `file`, by the ending of its name, with notes on what was left out.
pub(crate) fn parse_by_name(text: &str, file: &Path) -> Result<(Schema, Vec<String>), SchemaError> {
    if is_pbtxt(file) { schema_from_pbtxt(text, file) } else { Ok((parse_schema(text, file)?, Vec::new())) }
}

/// Whether a file is named as TensorFlow Metadata's text form is.
pub(crate) fn is_pbtxt(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("pbtxt"))
}

/// The schema in `text`; `file` is what messages call it.
///
/// All mistakes that can be told apart come back at once: one for each feature, and contradictions between parts.
pub fn parse_schema(text: &str, file: &Path) -> Result<Schema, SchemaError> {
    parse(text, file, true)
}

/// A schema that this program wrote, which may name columns that are not in it.
pub(crate) fn parse_written_schema(text: &str, file: &Path) -> Result<Schema, SchemaError> {
    parse(text, file, false)
}

fn parse(text: &str, file: &Path, by_hand: bool) -> Result<Schema, SchemaError> {
    let places = Places::of(text);
    let invalid = |issues: Vec<SchemaIssue>| SchemaError::invalid(file, text, issues);
    // `y`, `no` and `on` are words, as in YAML 1.2: Norway is no truth value.
    let options = serde_saphyr::options! { strict_booleans: true };
    let root: Value = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let error = error.without_snippet();
        let at = error.location();
        invalid(vec![SchemaIssue {
            line: at.map_or(1, |at| at.line().max(1)),
            column: at.map_or(1, |at| at.column().max(1)),
            message: syntax_message(&error.to_string()),
            hint: None,
        }])
    })?;
    let mut issues = Vec::new();
    let schema = read_parts(&root, &mut |issue| issues.push(places.locate(issue)));
    if issues.is_empty() {
        for problem in problems(&schema).into_iter().chain(if by_hand { slips(&schema) } else { Vec::new() }) {
            let issue = ParamIssue { path: problem.path, message: problem.message, hint: problem.hint };
            issues.push(places.locate(issue));
        }
    }
    if issues.is_empty() {
        return Ok(schema);
    }
    issues.sort_by_key(|issue| (issue.line, issue.column));
    Err(invalid(issues))
}

/// Everything of a schema but the features, which are read one by one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame {
    version: u32,
    #[serde(default)]
    features: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    domains: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    sparse_features: BTreeMap<String, SparseFeature>,
    #[serde(default)]
    weighted_features: BTreeMap<String, WeightedFeature>,
    #[serde(default)]
    environments: Vec<String>,
    #[serde(default)]
    dataset: Option<DatasetConstraints>,
    #[serde(default)]
    severity: BTreeMap<AnomalyType, Severity>,
    #[serde(default)]
    invalid: BTreeMap<String, Vec<InvalidEntry>>,
}

fn read_parts(root: &Value, report: &mut dyn FnMut(ParamIssue)) -> Schema {
    if !root.is_object() {
        report(ParamIssue::new::<String>([], "a schema is a map with `version` and `features`"));
        return Schema::default();
    }
    let frame: Frame = match parse_params(root) {
        Ok(frame) => frame,
        Err(issues) => {
            issues.into_iter().for_each(report);
            return Schema::default();
        }
    };
    if frame.version != 1 {
        let message = format!("version {} is not known; this program reads version 1", frame.version);
        report(ParamIssue::new(["version"], message));
    }
    let mut features = BTreeMap::new();
    for (name, value) in frame.features.unwrap_or_default() {
        match parse_params::<Feature>(&value) {
            Ok(feature) => {
                features.insert(name, feature);
            }
            Err(issues) => {
                for mut issue in issues {
                    if issue.message.contains("expected a string") && issue.hint.is_none() {
                        issue.hint = Some("put the value in quotes".to_owned());
                    }
                    issue.message = format!("`{name}`: {}", issue.message);
                    issue.path.splice(0..0, ["features".to_owned(), name.clone()]);
                    report(issue);
                }
            }
        }
    }
    Schema {
        version: 1,
        features,
        domains: frame.domains,
        sparse_features: frame.sparse_features,
        weighted_features: frame.weighted_features,
        environments: frame.environments,
        dataset: frame.dataset,
        severity: frame.severity,
        invalid: frame.invalid,
    }
}

/// The message of a YAML error without the place, which is told apart.
fn syntax_message(text: &str) -> String {
    let first = text.lines().next().unwrap_or(text);
    let cut = first.find(" at line ").or_else(|| first.find(": line ")).unwrap_or(first.len());
    let cut = if cut == 0 { first.len() } else { cut };
    let message = first[..cut].trim_end_matches([',', ' ']);
    let mut chars = message.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// Where each key and item of a YAML document stands.
#[derive(Debug, Default)]
struct Places(BTreeMap<Vec<String>, (u64, u64)>);

/// A collection that is being read.
enum Open {
    Map { key: Option<String> },
    List { next: usize },
}

impl Places {
    fn of(text: &str) -> Self {
        let mut places = Self::default();
        let mut path: Vec<String> = Vec::new();
        let mut open: Vec<Open> = Vec::new();
        for item in Parser::new_from_str(text) {
            let Ok((event, span)) = item else { break };
            let at = (span.start.line() as u64, span.start.col() as u64 + 1);
            match event {
                Event::Scalar(value, ..) => {
                    if let Some(Open::Map { key: key @ None }) = open.last_mut() {
                        *key = Some(value.to_string());
                        path.push(value.into_owned());
                        places.0.insert(path.clone(), at);
                        continue;
                    }
                    places.enter(&mut path, &open, at);
                    leave(&mut path, &mut open);
                }
                Event::Alias(_) => {
                    places.enter(&mut path, &open, at);
                    leave(&mut path, &mut open);
                }
                Event::MappingStart(..) => {
                    places.enter(&mut path, &open, at);
                    open.push(Open::Map { key: None });
                }
                Event::SequenceStart(..) => {
                    places.enter(&mut path, &open, at);
                    open.push(Open::List { next: 0 });
                }
                Event::MappingEnd | Event::SequenceEnd => {
                    open.pop();
                    leave(&mut path, &mut open);
                }
                _ => {}
            }
        }
        places
    }

    /// Begins a value: an item of a list gets its index as a key.
    fn enter(&mut self, path: &mut Vec<String>, open: &[Open], at: (u64, u64)) {
        if let Some(Open::List { next }) = open.last() {
            path.push(next.to_string());
            self.0.insert(path.clone(), at);
        }
    }

    fn locate(&self, issue: ParamIssue) -> SchemaIssue {
        // The place itself, or the nearest one around it that stands in the text.
        let at = (0..=issue.path.len()).rev().find_map(|length| self.0.get(&issue.path[..length]));
        let (line, column) = at.copied().unwrap_or((1, 1));
        SchemaIssue { line, column, message: issue.message, hint: issue.hint }
    }
}

/// Ends a value.
fn leave(path: &mut Vec<String>, open: &mut [Open]) {
    match open.last_mut() {
        Some(Open::Map { key }) => {
            *key = None;
            path.pop();
        }
        Some(Open::List { next }) => {
            *next += 1;
            path.pop();
        }
        None => {}
    }
}
