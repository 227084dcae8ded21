//! The positions of a step's parameters in the pipeline file.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidemill_core::{Diagnostic, ParamIssue, line_and_column};

use crate::references::parameter;
use crate::yaml::Node;

/// References to parameters that refer to each other are followed up to this depth.
const HOPS_MAX: usize = 16;

/// The positions of a step's parameters in the pipeline file.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceMap(Option<Arc<File>>);

#[derive(Debug)]
struct File {
    path: PathBuf,
    text: String,
    step: Node,
    params: Option<Node>,
}

impl SourceMap {
    /// For the step called `name` in a file parsed as `root`.
    pub(crate) fn new(path: &Path, text: &str, root: &Node, name: &str) -> Self {
        let Some(step) = root.get("steps").and_then(|steps| steps.get(name)) else { return Self::default() };
        let (step, params) = (step.clone(), root.get("params").cloned());
        Self(Some(Arc::new(File { path: path.to_owned(), text: text.to_owned(), step, params })))
    }

    /// `message` after the position of a parameter: `pipeline.yaml:16:35: …`; unchanged if there is none.
    pub(crate) fn locate(&self, path: &[String], message: &str) -> String {
        let Some(file) = self.0.as_ref().filter(|file| path.first().is_some_and(|key| file.step.get(key).is_some()))
        else {
            return message.to_owned();
        };
        let span = value_span(&file.step, path, file.params.as_ref());
        let (line, column) = line_and_column(&file.text, span.start);
        format!("{}:{line}:{column}: {message}", file.path.display())
    }
}

/// The span of the deepest existing part of `path` in a step; for a reference to a parameter, that of its value.
pub(crate) fn value_span(step: &Node, path: &[String], params: Option<&Node>) -> Range<usize> {
    let mut span = step.span_at(path);
    let mut node = step.deepest(path);
    for _ in 0..HOPS_MAX {
        let named = node.as_str().and_then(parameter);
        let Some(value) = named.and_then(|name| params?.get(name)) else { break };
        (span, node) = (value.span.clone(), value);
    }
    span
}

/// An issue about a part of `node` as a diagnostic at its position; at `fallback` if it concerns all of it.
pub(crate) fn located(issue: ParamIssue, node: &Node, params: Option<&Node>, fallback: &Range<usize>) -> Diagnostic {
    let unknown = issue.message.starts_with("unknown field");
    let span = if unknown { node.key_span_at(&issue.path) } else { None }
        .or_else(|| (!issue.path.is_empty()).then(|| value_span(node, &issue.path, params)))
        .unwrap_or(fallback.clone());
    let message = match (unknown, issue.path.last()) {
        (true, Some(name)) => format!("unknown key `{name}`"),
        _ => issue.message,
    };
    Diagnostic::new(span, message).with_hint(issue.hint)
}
