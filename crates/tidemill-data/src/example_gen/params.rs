//! The parameters of `ExampleGen`.

use std::fmt;
use std::path::PathBuf;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params};

use super::pattern::{Pattern, days_since_1970};
use super::shares::Shares;
use super::source::SourceParams;
use super::template::Template;

/// Splits, at most: a row's split is kept in 16 bits, and nobody reads a thousand evaluations.
const SPLITS_MAX: usize = 1_000;

/// The parameters of `ExampleGen`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Where the rows come from.
    pub(super) source: SourceParams,
    /// The splits and their shares: `{ train: 2, eval: 1 }`, the default, puts two thirds of the rows into `train`, and so
    /// does `2/1`. Fractions count in the same way: `{ train: 0.8, eval: 0.2 }`. Not beside a source whose splits were
    /// made before.
    #[serde(default)]
    splits: Option<Shares>,
    /// Columns whose values decide the split of a row, so that all rows of a user or a session stay together; the
    /// whole row when absent.
    #[serde(default)]
    pub(super) split_by: Vec<String>,
    /// Columns that do not decide the split of a row: the label, and what is corrected later. Not beside `split_by`.
    #[serde(default)]
    pub(super) split_except: Vec<String>,
    /// A column of dates, times or numbers by which rows are split: the oldest are in the first split, the newest in the
    /// last. Not beside `split_by` and `split_except`.
    #[serde(default)]
    pub(super) split_by_time: Option<String>,
    /// Which rows of the source become examples: a condition in SQL, such as `fare > 0 AND company IS NOT NULL`; all
    /// when absent.
    #[serde(default, rename = "where")]
    pub(super) condition: Option<String>,
    /// The schema whose types decide how columns are read, relative to the pipeline file; `schema.yaml` when absent, if it
    /// is there.
    #[serde(default)]
    pub(super) schema: Option<PathBuf>,
    /// The span to read where the path has `{SPAN}` or a date: a number, or a date as in `2024-02-29`; the newest when
    /// absent.
    #[serde(default)]
    span: Option<SpanParam>,
    /// Several spans to read together: `{ latest: 3 }`, or `{ start: 1, end: 3 }` with both ends included.
    #[serde(default)]
    range: Option<RangeParams>,
}

/// A span: its number, or its date as text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
enum SpanParam {
    Number(i64),
    Date(String),
}

impl SpanParam {
    fn number(&self) -> Result<i64, String> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Date(text) => match (text.parse::<i64>(), text.parse::<Date>()) {
                (Ok(number), _) => Ok(number),
                (_, Ok(date)) => Ok(days_since_1970(date)),
                _ => Err(format!("`{text}` is neither a number nor a date that exists, as in `2024-02-29`")),
            },
        }
    }
}

/// Several spans.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RangeParams {
    /// So many of the newest spans.
    latest: Option<u32>,
    /// The first span.
    start: Option<SpanParam>,
    /// The last span.
    end: Option<SpanParam>,
}

/// Which spans to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Select {
    /// So many of the newest.
    Latest(u32),
    /// From the first to the last, both included.
    Between(i64, i64),
}

impl fmt::Display for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest(_) => f.write_str("span with files"),
            Self::Between(start, end) if start == end => write!(f, "span {start}"),
            Self::Between(start, end) => write!(f, "span from {start} to {end}"),
        }
    }
}

impl Params {
    /// Reads and checks parameters: everything that can be known without data.
    pub(super) fn parse(params: &Value) -> Result<Self, Vec<ParamIssue>> {
        let params: Self = parse_params(params)?;
        let issues = params.issues();
        if issues.is_empty() { Ok(params) } else { Err(issues) }
    }

    /// Names and shares of the splits to make, in the order of the file.
    pub(super) fn shares(&self) -> Vec<(String, u32)> {
        match &self.splits {
            Some(splits) => splits.0.clone(),
            None => vec![("train".to_owned(), 2), ("eval".to_owned(), 1)],
        }
    }

    /// The names of all splits.
    pub(super) fn split_names(&self) -> Vec<String> {
        if self.source.is_made() {
            return self.source.parts().into_iter().filter_map(|(name, _)| name.map(str::to_owned)).collect();
        }
        self.shares().into_iter().map(|(name, _)| name).collect()
    }

    /// Which spans to read.
    pub(super) fn select(&self) -> Select {
        self.selected().unwrap_or(Select::Latest(1))
    }

    fn selected(&self) -> Result<Select, ParamIssue> {
        let number =
            |param: &SpanParam, path: &[&str]| param.number().map_err(|m| ParamIssue::new(path.iter().copied(), m));
        match (&self.span, &self.range) {
            (None, None) => Ok(Select::Latest(1)),
            (Some(_), Some(_)) => Err(ParamIssue::new(["range"], "`span` and `range` exclude each other")),
            (Some(span), None) => number(span, &["span"]).map(|span| Select::Between(span, span)),
            (None, Some(range)) => match (range.latest, &range.start, &range.end) {
                (Some(0), None, None) => Err(ParamIssue::new(["range", "latest"], "0 spans are none")),
                (Some(latest), None, None) => Ok(Select::Latest(latest)),
                (None, Some(start), Some(end)) => {
                    let (start, end) = (number(start, &["range", "start"])?, number(end, &["range", "end"])?);
                    if start > end {
                        return Err(ParamIssue::new(["range"], "the range ends before it starts"));
                    }
                    Ok(Select::Between(start, end))
                }
                _ => {
                    let issue = ParamIssue::new(["range"], "a range has either `latest` or both `start` and `end`");
                    Err(issue.with_hint("as in `{ latest: 3 }` or `{ start: 1, end: 3 }`"))
                }
            },
        }
    }

    fn issues(&self) -> Vec<ParamIssue> {
        let mut issues = self.source_issues();
        issues.extend(self.source.read_options().err());
        issues.extend(self.selected().err());
        let made_again = [
            ("splits", self.splits.is_some()),
            ("split_by", !self.split_by.is_empty()),
            ("split_except", !self.split_except.is_empty()),
            ("split_by_time", self.split_by_time.is_some()),
        ];
        if self.source.is_made()
            && let Some((key, _)) = made_again.into_iter().find(|(_, said)| *said)
        {
            let issue = ParamIssue::new([key], "the source has its splits already");
            issues.push(issue.with_hint(format!("leave out `{key}`, or give the source one path")));
        }
        let shares = self.shares();
        if shares.is_empty() {
            issues.push(ParamIssue::new(["splits"], "there must be at least one split"));
        }
        if shares.len() > SPLITS_MAX {
            let message = format!("{} splits are more than {SPLITS_MAX}", shares.len());
            issues.push(ParamIssue::new(["splits"], message));
        }
        for (name, share) in &shares {
            issues.extend(name_issue(name, vec!["splits".to_owned(), name.clone()]));
            if *share == 0 {
                let issue =
                    ParamIssue::new(["splits", name], format!("split `{name}` has a share of 0 and would be empty"));
                issues.push(issue.with_hint("give it a share of at least 1, or leave it out"));
            }
        }
        for (key, columns) in [("split_by", &self.split_by), ("split_except", &self.split_except)] {
            for (i, column) in columns.iter().enumerate() {
                if columns[..i].contains(column) {
                    let message = format!("column `{column}` is there twice");
                    issues.push(ParamIssue::new([key.to_owned(), i.to_string()], message));
                }
            }
        }
        if self.split_by_time.is_some()
            && let Some((key, _)) = made_again.into_iter().skip(1).take(2).find(|(_, said)| *said)
        {
            let issue = ParamIssue::new(["split_by_time"], format!("`split_by_time` and `{key}` exclude each other"));
            issues.push(issue.with_hint("with `split_by_time`, only the time decides the split"));
        }
        if self.condition.as_ref().is_some_and(|condition| condition.trim().is_empty()) {
            issues.push(ParamIssue::new(["where"], "the condition is empty").with_hint("as in `where: \"fare > 0\"`"));
        }
        if !self.split_by.is_empty() && !self.split_except.is_empty() {
            let issue = ParamIssue::new(["split_except"], "`split_by` and `split_except` exclude each other");
            issues.push(issue.with_hint("with `split_by`, no other column decides the split"));
        }
        issues
    }

    /// What is wrong with the paths.
    fn source_issues(&self) -> Vec<ParamIssue> {
        let parts = self.source.parts();
        let mut issues = Vec::new();
        let mut spans = 0;
        for (name, path) in &parts {
            let mut place = vec!["source".to_owned(), self.source.key().to_owned()];
            if let Some(name) = name {
                place.extend(["splits".to_owned(), (*name).to_owned()]);
                issues.extend(name_issue(name, place.clone()));
            }
            if path.trim().is_empty() {
                issues.push(ParamIssue::new(place, "the path of the source is empty"));
                continue;
            }
            let has_span = match self.source.sql() {
                Some(_) => Template::parse(path).map(|template| template.has_span()),
                None => Pattern::parse(path).map(|pattern| pattern.is_some()),
            };
            match has_span {
                Ok(has_span) => spans += usize::from(has_span),
                Err(message) => issues.push(ParamIssue::new(place, message)),
            }
        }
        if parts.is_empty() && self.source.sql().is_some() {
            issues.push(ParamIssue::new(["source", "sql"], "there must be either a `query` or `splits`"));
        } else if parts.is_empty() {
            let issue = ParamIssue::new(["source", self.source.key()], "there must be either a `path` or `splits`");
            issues.push(issue.with_hint("as in `{ path: data.csv }` or `{ splits: { train: a.csv, eval: b.csv } }`"));
        }
        if parts.len() > SPLITS_MAX {
            let message = format!("{} splits are more than {SPLITS_MAX}", parts.len());
            issues.push(ParamIssue::new(["source", self.source.key(), "splits"], message));
        }
        if !issues.is_empty() {
            return issues;
        }
        if spans == 0 && (self.span.is_some() || self.range.is_some()) {
            let key = if self.span.is_some() { "span" } else { "range" };
            let (message, hint) = match self.source.sql() {
                Some(_) => ("the query of the source has no place for a span", "as in `WHERE day = {DATE}`"),
                None => (
                    "the path of the source has no `{SPAN}` and no date",
                    "as in `data/span-{SPAN}/*.csv` or `data/{YYYY}-{MM}-{DD}.csv`",
                ),
            };
            issues.push(ParamIssue::new([key], message).with_hint(hint));
        }
        if spans > 0 && spans < parts.len() {
            let message = "some splits have a place for a span and some do not";
            issues.push(ParamIssue::new(["source", self.source.key(), "splits"], message));
        }
        if let Some(sql) = self.source.sql()
            && spans > 0
            && !sql.knows_newest()
            && matches!(self.selected(), Ok(Select::Latest(_)))
        {
            let issue = ParamIssue::new(["source", "sql"], "nothing says which span to read");
            let hint = "say `span: 2024-02-29`, or how to find it: `newest: \"SELECT max(day) FROM rides\"`";
            issues.push(issue.with_hint(hint));
        }
        issues
    }
}

/// The name of a split becomes a folder.
fn name_issue(name: &str, place: Vec<String>) -> Option<ParamIssue> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        let issue = ParamIssue::new(place, format!("`{name}` cannot be the name of a split"));
        return Some(issue.with_hint("use up to 64 letters, digits, `_` and `-`"));
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn issues(value: Value) -> Vec<(String, String)> {
        let issues = Params::parse(&value).unwrap_err();
        issues.into_iter().map(|issue| (issue.path.join("."), issue.message)).collect()
    }

    #[test]
    fn splits_keep_their_order_and_have_a_default() {
        let names = |value| {
            let params = Params::parse(&value).unwrap();
            params.shares().into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(names(json!({ "source": { "csv": "a.csv" } })), ["train", "eval"]);
        let splits = json!({ "source": { "parquet": "a" }, "splits": { "z": 6, "a": 2, "m": 2 } });
        assert_eq!(names(splits), ["z", "a", "m"]);
        let made = json!({ "source": { "csv": { "splits": { "z": "z/*", "a": "a/*" } } } });
        let params = Params::parse(&made).unwrap();
        assert_eq!(params.source.parts(), [(Some("z"), "z/*"), (Some("a"), "a/*")]);
    }

    #[test]
    fn what_is_wrong_is_located() {
        let source = json!({ "csv": "a.csv" });
        let found = issues(json!({ "source": source, "splits": { "train": 0, "../x": 1 }, "split_by": ["a", "a"] }));
        assert_eq!(
            found,
            [
                ("splits.train", "split `train` has a share of 0 and would be empty"),
                ("splits.../x", "`../x` cannot be the name of a split"),
                ("split_by.1", "column `a` is there twice"),
            ]
            .map(|(path, message)| (path.to_owned(), message.to_owned()))
        );
        assert_eq!(issues(json!({ "source": source, "splits": {} }))[0].1, "there must be at least one split");
        assert_eq!(issues(json!({ "source": source, "splits": { "train": -1 } }))[0].0, "splits.train");
        assert!(issues(json!({ "source": { "jsonl": "a" } }))[0].1.contains("unknown variant `jsonl`"));
        assert!(issues(json!({ "splits": { "a": 1 } }))[0].1.contains("missing field `source`"));
        assert!(issues(json!({ "source": { "csv": " " } }))[0].1.contains("is empty"));
        assert!(issues(json!({ "source": { "csv": { "split": {} } } }))[0].1.contains("unknown field `split`"));
        let made = json!({ "csv": { "splits": { "train": "a" } } });
        assert_eq!(issues(json!({ "source": made, "splits": { "a": 1 } }))[0].0, "splits");
        assert_eq!(issues(json!({ "source": made, "split_by": ["x"] }))[0].0, "split_by");
        assert_eq!(issues(json!({ "source": { "csv": { "splits": { "a b": "a" } } } }))[0].0, "source.csv.splits.a b");
    }

    #[test]
    fn spans_are_selected() {
        let select = |value: Value| {
            let mut params = json!({ "source": { "csv": "{SPAN}.csv" } });
            params.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
            Params::parse(&params).map(|params| params.select()).map_err(|issues| issues[0].message.clone())
        };
        assert_eq!(select(json!({})), Ok(Select::Latest(1)));
        assert_eq!(select(json!({ "span": null })), Ok(Select::Latest(1)));
        assert_eq!(select(json!({ "span": 3 })), Ok(Select::Between(3, 3)));
        assert_eq!(select(json!({ "span": "2024-02-29" })), Ok(Select::Between(19_782, 19_782)));
        assert_eq!(select(json!({ "range": { "latest": 3 } })), Ok(Select::Latest(3)));
        assert_eq!(select(json!({ "range": { "start": 1, "end": "5" } })), Ok(Select::Between(1, 5)));
        for (value, message) in [
            (json!({ "span": "2023-02-29" }), "neither a number nor a date that exists"),
            (json!({ "span": 1, "range": { "latest": 1 } }), "exclude each other"),
            (json!({ "range": { "latest": 0 } }), "0 spans are none"),
            (json!({ "range": { "start": 1 } }), "either `latest` or both"),
            (json!({ "range": { "latest": 1, "end": 1 } }), "either `latest` or both"),
            (json!({ "range": { "start": 2, "end": 1 } }), "ends before it starts"),
        ] {
            let error = select(value.clone()).unwrap_err();
            assert!(error.contains(message), "{value}: {error}");
        }
        assert!(issues(json!({ "source": { "csv": "a.csv" }, "span": 1 }))[0].1.contains("has no `{SPAN}`"));
        let mixed = json!({ "source": { "csv": { "splits": { "a": "{SPAN}.csv", "b": "b.csv" } } } });
        assert!(issues(mixed)[0].1.contains("some splits have a place for a span"));
        assert!(issues(json!({ "source": { "csv": "{VERSION}.csv" } }))[0].1.contains("no `{SPAN}` or date"));
    }
}
