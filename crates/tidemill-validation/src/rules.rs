//! Rules of one's own, written as queries: what a validator asks of an engine that can answer them.
//!
//! This crate has no query engine. A program that wants rules hands [`crate::ExampleValidator`] a [`RuleEngine`].

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidemill_core::{Anomaly, Code, DatasetStatistics, Severity};

use tidemill_data::{BatchReader, DataError, Examples, Table};

/// The column of `data` with the number of the row, from 1.
pub const ROW_COLUMN: &str = "_row";

/// A rule that data must keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it is called.
    pub name: String,
    /// A query over `data` (the rows) or `statistics` (a feature a row). It gives the rows that break the rule, or one
    /// boolean that says whether the rule is kept.
    pub sql: String,
    /// How bad it is when the rule is broken: ERROR, the default, or WARNING.
    #[serde(default = "error")]
    pub severity: Severity,
    /// What to say then.
    #[serde(default)]
    pub message: Option<String>,
}

fn error() -> Severity {
    Severity::Error
}

/// Rows that can be read again and again, a few columns at a time.
pub trait RowSource: Send + Sync + fmt::Debug {
    /// The columns.
    fn schema(&self) -> SchemaRef;

    /// The rows from the first, with these columns, at least one, in this order.
    fn read(&self, columns: &[&str]) -> Result<BatchReader, DataError>;

    /// Where a row is, counted from 1: the file or split, and its number there.
    fn locate(&self, row: u64) -> (String, u64);
}

/// Answers the queries of rules.
pub trait RuleEngine: Send + Sync + fmt::Debug {
    /// The rules that are broken, each with the first rows that break it. Without `rows` there is no table `data`.
    ///
    /// A query that is not valid is an error that names the rule.
    fn judge(
        &self,
        rules: &[Rule],
        rows: Option<Arc<dyn RowSource>>,
        statistics: &DatasetStatistics,
    ) -> Result<Vec<Anomaly>, DataError>;
}

impl RowSource for Table {
    fn schema(&self) -> SchemaRef {
        Self::schema(self)
    }

    fn read(&self, columns: &[&str]) -> Result<BatchReader, DataError> {
        self.select(columns)?.read()
    }

    fn locate(&self, row: u64) -> (String, u64) {
        let mut before = 0;
        let files = self.files();
        for file in files {
            let rows = file.rows.unwrap_or(u64::MAX);
            if row - before <= rows || files.len() == 1 {
                return (self.original(&file.path).display().to_string(), row - before);
            }
            before += rows;
        }
        (String::new(), row)
    }
}

/// The rows of a split.
#[derive(Debug)]
pub struct SplitRows {
    examples: Examples,
    split: String,
}

impl SplitRows {
    /// The rows of `split` of an artifact.
    pub fn new(examples: Examples, split: &str) -> Self {
        Self { examples, split: split.to_owned() }
    }
}

impl RowSource for SplitRows {
    fn schema(&self) -> SchemaRef {
        self.examples.schema()
    }

    fn read(&self, columns: &[&str]) -> Result<BatchReader, DataError> {
        self.examples.batches(&self.split, Some(columns))
    }

    fn locate(&self, row: u64) -> (String, u64) {
        (self.split.clone(), row)
    }
}

/// The rules of a file with `rules:` and a list below it.
pub fn read_rules(path: &Path) -> Result<Vec<Rule>, DataError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        rules: Vec<Rule>,
    }
    let text = std::fs::read_to_string(path).map_err(|error| DataError::unreadable(path, error))?;
    let options = serde_saphyr::options! { strict_booleans: true };
    let file: File = serde_saphyr::from_str_with_options(&text, options).map_err(|error| {
        let message = format!("`{}`: {error}", path.display());
        let hint = Some("as in `rules: [ { name: fares, sql: \"SELECT * FROM data WHERE fare < 0\" } ]`".to_owned());
        DataError::Outside { code: Code::Params, message, hint, source: None }
    })?;
    check_rules(&file.rules)
        .map_err(|message| DataError::Params { message: format!("`{}`: {message}", path.display()) })?;
    Ok(file.rules)
}

/// What is wrong with rules that can be known without data, as a sentence.
pub(crate) fn check_rules(rules: &[Rule]) -> Result<(), String> {
    for (i, rule) in rules.iter().enumerate() {
        if rule.name.trim().is_empty() {
            return Err(format!("rule {} has no name", i + 1));
        }
        if rules[..i].iter().any(|other| other.name == rule.name) {
            return Err(format!("there are two rules `{}`", rule.name));
        }
        if rule.sql.trim().is_empty() {
            return Err(format!("rule `{}` has no query", rule.name));
        }
    }
    Ok(())
}
