//! The parameters of `ExampleGen`.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params};

use crate::source::Format;

/// Splits, at most: a row's split is kept in 16 bits, and nobody reads a thousand evaluations.
const SPLITS_MAX: usize = 1_000;

/// The parameters of `ExampleGen`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Where the rows come from.
    pub(super) source: SourceParams,
    /// The splits and their shares: `{ train: 2, eval: 1 }` puts two thirds of the rows into `train`.
    #[serde(default)]
    pub(super) splits: Splits,
    /// Columns whose values decide the split of a row, so that all rows of a user or a session stay together; the
    /// whole row when absent.
    #[serde(default)]
    pub(super) split_by: Vec<String>,
}

/// A source: its format and the path of a file, a folder or a glob, from the folder of the pipeline file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum SourceParams {
    /// Comma-separated values with a header; tabs between cells if the name ends in `.tsv`; gzip is recognised.
    Csv(String),
    /// One JSON object a line; gzip is recognised.
    Json(String),
    /// Apache Parquet.
    Parquet(String),
}

impl SourceParams {
    /// The format and the path as written.
    pub(super) fn parts(&self) -> (Format, &str) {
        match self {
            Self::Csv(path) => (Format::Csv, path),
            Self::Json(path) => (Format::Json, path),
            Self::Parquet(path) => (Format::Parquet, path),
        }
    }
}

/// Names and shares of splits, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "std::collections::BTreeMap<String, u32>")]
pub(super) struct Splits(pub(super) Vec<(String, u32)>);

impl Default for Splits {
    fn default() -> Self {
        Self(vec![("train".to_owned(), 2), ("eval".to_owned(), 1)])
    }
}

impl<'de> Deserialize<'de> for Splits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Splits;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("split names with their shares, as in `{ train: 2, eval: 1 }`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Splits, A::Error> {
                let mut splits: Vec<(String, u32)> = Vec::new();
                while let Some((name, share)) = map.next_entry::<String, u32>()? {
                    if splits.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom(format!("split `{name}` is there twice")));
                    }
                    splits.push((name, share));
                }
                Ok(Splits(splits))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

impl Params {
    /// Reads and checks parameters: everything that can be known without data.
    pub(super) fn parse(params: &Value) -> Result<Self, Vec<ParamIssue>> {
        let params: Self = parse_params(params)?;
        let issues = params.issues();
        if issues.is_empty() { Ok(params) } else { Err(issues) }
    }

    fn issues(&self) -> Vec<ParamIssue> {
        let mut issues = Vec::new();
        if self.source.parts().1.trim().is_empty() {
            issues.push(ParamIssue::new(["source"], "the path of the source is empty"));
        }
        if self.splits.0.is_empty() {
            issues.push(ParamIssue::new(["splits"], "there must be at least one split"));
        }
        if self.splits.0.len() > SPLITS_MAX {
            let message = format!("{} splits are more than {SPLITS_MAX}", self.splits.0.len());
            issues.push(ParamIssue::new(["splits"], message));
        }
        for (name, share) in &self.splits.0 {
            // The name becomes a folder.
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
                let issue = ParamIssue::new(["splits", name], format!("`{name}` cannot be the name of a split"));
                issues.push(issue.with_hint("use up to 64 letters, digits, `_` and `-`"));
            }
            if *share == 0 {
                let issue =
                    ParamIssue::new(["splits", name], format!("split `{name}` has a share of 0 and would be empty"));
                issues.push(issue.with_hint("give it a share of at least 1, or leave it out"));
            }
        }
        for (i, column) in self.split_by.iter().enumerate() {
            if self.split_by[..i].contains(column) {
                let message = format!("column `{column}` is there twice");
                issues.push(ParamIssue::new(["split_by".to_owned(), i.to_string()], message));
            }
        }
        issues
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn splits_keep_their_order_and_have_a_default() {
        let parse = |value| Params::parse(&value).unwrap().splits.0;
        let names = |splits: Vec<(String, u32)>| splits.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(parse(json!({ "source": { "csv": "a.csv" } })), Splits::default().0);
        let splits = json!({ "source": { "parquet": "a" }, "splits": { "z": 6, "a": 2, "m": 2 } });
        assert_eq!(names(parse(splits)), ["z", "a", "m"]);
    }

    #[test]
    fn what_is_wrong_is_located() {
        let issues = |value| {
            Params::parse(&value).unwrap_err().into_iter().map(|i| (i.path.join("."), i.message)).collect::<Vec<_>>()
        };
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
    }
}
