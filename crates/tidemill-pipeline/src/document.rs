//! Another YAML file of a project, parsed with source positions like the pipeline file.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tidemill_core::{Diagnostic, InvalidFile, ParamIssue, line_and_column};

use crate::source_map::located;
use crate::yaml::{Node, NodeKind};

/// A YAML file whose values have their source positions.
#[derive(Debug, Clone)]
pub struct Document {
    path: PathBuf,
    text: String,
    root: Node,
}

impl Document {
    /// Parses `text`, the content of `path`, which must be a mapping.
    pub fn parse(path: &Path, text: &str) -> Result<Self, InvalidFile> {
        let invalid =
            |diagnostic| InvalidFile { path: path.to_owned(), text: text.to_owned(), diagnostics: vec![diagnostic] };
        let root = Node::parse(text).map_err(invalid)?;
        if !matches!(root.kind, NodeKind::Map(_)) {
            let message = format!("a mapping is expected here, this is {}", root.describe());
            return Err(invalid(Diagnostic::new(root.span, message)));
        }
        Ok(Self { path: path.to_owned(), text: text.to_owned(), root })
    }

    /// The content; mappings keep their order.
    pub fn value(&self) -> Value {
        self.root.to_value()
    }

    /// The position of the key at `keys`: `features.yaml:5:3`. If the key does not exist, that of its nearest existing
    /// parent.
    pub fn place(&self, keys: &[String]) -> String {
        let span = self.root.key_span_at(keys).unwrap_or_else(|| self.root.span_at(keys));
        let (line, column) = line_and_column(&self.text, span.start);
        format!("{}:{line}:{column}", self.path.display())
    }

    /// The issues of parts of the file, each with its position, in the order of the file.
    pub fn invalid(self, issues: Vec<ParamIssue>) -> InvalidFile {
        let whole = self.start()..self.start();
        let mut diagnostics: Vec<Diagnostic> =
            issues.into_iter().map(|issue| located(issue, &self.root, None, &whole)).collect();
        diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
        InvalidFile { path: self.path, text: self.text, diagnostics }
    }

    /// The text without the lines of the top-level entries called `keys`.
    pub fn text_without(&self, keys: &[&str]) -> String {
        let lines: Vec<Range<usize>> = self
            .root
            .entries()
            .iter()
            .filter(|(key, _)| keys.contains(&key.name.as_str()))
            .map(|(key, value)| self.line_of(key.span.start)..self.line_of(value.span.start.max(key.span.start)) + 1)
            .collect();
        let kept = self.text.split_inclusive('\n').enumerate();
        kept.filter(|(at, _)| !lines.iter().any(|lines| lines.contains(at))).map(|(_, line)| line).collect()
    }

    /// Where the first entry begins, in bytes.
    pub fn start(&self) -> usize {
        self.root.entries().first().map_or(self.root.span.start, |(key, _)| key.span.start)
    }

    fn line_of(&self, offset: usize) -> usize {
        line_and_column(&self.text, offset).0 - 1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// For any file content, the parser returns a document or an error, and removing an entry removes whole lines.
        #[test]
        fn any_text_is_read_or_refused(text in "([a-c]: |- |[\\[\\]{},:#&*!|>'\"%@\u{feff}é\t ]|[a-z0-9]|\\r?\n|---\n|\\.\\.\\.\n){0,24}") {
            let Ok(document) = Document::parse(Path::new("a.yaml"), &text) else { return Ok(()) };
            let rest = document.text_without(&["a"]);
            prop_assert!(rest.lines().all(|line| text.lines().any(|other| other == line)));
            prop_assert!(text.is_char_boundary(document.start()));
            let _ = Document::parse(Path::new("a.yaml"), &rest).map(|rest| rest.start());
        }
    }

    #[test]
    fn entries_are_taken_out_by_their_lines_and_places_are_told() {
        let text = "# a comment\n---\nname: x\n# kept\nfeatures:\n  fare: z_score\n  miles: [log]\n";
        let document = Document::parse(Path::new("a.yaml"), text).unwrap();
        assert_eq!(
            document.text_without(&["name"]),
            "# a comment\n---\n# kept\nfeatures:\n  fare: z_score\n  miles: [log]\n"
        );
        assert_eq!(document.start(), 16);
        let keys = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect::<Vec<_>>();
        assert_eq!(document.place(&keys(&["features", "miles"])), "a.yaml:7:3");
        assert_eq!(document.place(&keys(&["features", "gone"])), "a.yaml:5:1");
        let issue = ParamIssue::new(["features", "miles", "0"], "no");
        assert_eq!(document.invalid(vec![issue]).to_string(), "a.yaml:7:11: no");
        assert!(Document::parse(Path::new("a.yaml"), "- 1\n").unwrap_err().to_string().contains("a list"));
    }
}
