//! The parameter `source` of `ExampleGen`: which files, and how they are written.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, Visitor};
use tidemill_core::{FeatureType, ParamIssue};

use super::sql::SqlSource;
use crate::source::{CsvOptions, Format, Header, ReadOptions, parse_decimal, parse_delimiter, parse_quote};

/// A source: its format and the path of a file, a folder or a glob, from the folder of the pipeline file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum SourceParams {
    /// Comma-separated values with a header; tabs between cells if the name ends in `.tsv`; gzip and Zstandard are
    /// recognised.
    Csv(PathOr<CsvFiles>),
    /// One JSON object a line; gzip and Zstandard are recognised.
    Json(PathOr<Files>),
    /// Apache Parquet.
    Parquet(PathOr<Files>),
    /// TFRecord of `tf.Example`; gzip is recognised.
    Tfrecord(PathOr<Files>),
    /// Avro object container files.
    Avro(PathOr<Files>),
    /// A folder of images: columns `path`, `label` (the folder in it), `image`, `width`, `height`, `channels`.
    Images(PathOr<Files>),
    /// A folder of texts: columns `path`, `label` (the folder in it), `text`.
    Texts(PathOr<Files>),
    /// The rows of a query to a database.
    Sql(SqlSource),
}

/// A source by how it is told: files of a format without options of its own, CSV files, or a database.
enum Told<'a> {
    Csv(&'a PathOr<CsvFiles>),
    Files(Format, &'a PathOr<Files>),
    Sql(&'a SqlSource),
}

impl SourceParams {
    fn told(&self) -> Told<'_> {
        match self {
            Self::Csv(files) => Told::Csv(files),
            Self::Json(files) => Told::Files(Format::Json, files),
            Self::Parquet(files) => Told::Files(Format::Parquet, files),
            Self::Tfrecord(files) => Told::Files(Format::TfRecord, files),
            Self::Avro(files) => Told::Files(Format::Avro, files),
            Self::Images(files) => Told::Files(Format::Images, files),
            Self::Texts(files) => Told::Files(Format::Texts, files),
            Self::Sql(sql) => Told::Sql(sql),
        }
    }

    pub(super) fn format(&self) -> Format {
        match self.told() {
            Told::Csv(_) => Format::Csv,
            Told::Files(format, _) => format,
            // What a database gives is kept so.
            Told::Sql(_) => Format::Parquet,
        }
    }

    /// The key it stands under.
    pub(super) fn key(&self) -> &'static str {
        match self.told() {
            Told::Sql(_) => "sql",
            Told::Csv(_) | Told::Files(..) => self.format().key(),
        }
    }

    /// The path or query of each split that was made before, or one without a split; none where neither or both are said.
    pub(super) fn parts(&self) -> Vec<(Option<&str>, &str)> {
        let (path, splits) = match self.told() {
            Told::Csv(PathOr::Path(path)) | Told::Files(_, PathOr::Path(path)) => (Some(path), None),
            Told::Csv(PathOr::Mapping(files)) => (files.path.as_ref(), files.splits.as_ref()),
            Told::Files(_, PathOr::Mapping(files)) => (files.path.as_ref(), files.splits.as_ref()),
            Told::Sql(sql) => return sql.parts(),
        };
        match (path, splits) {
            (Some(path), None) => vec![(None, path)],
            (None, Some(splits)) => splits.0.iter().map(|(name, path)| (Some(name.as_str()), path.as_str())).collect(),
            _ => Vec::new(),
        }
    }

    /// The source, if it is a database.
    pub(super) fn sql(&self) -> Option<&SqlSource> {
        match self {
            Self::Sql(sql) => Some(sql),
            _ => None,
        }
    }

    /// Whether the splits were made before.
    pub(super) fn is_made(&self) -> bool {
        self.parts().iter().any(|(name, _)| name.is_some())
    }

    /// How the files are read, or what is wrong with how they are written.
    pub(super) fn read_options(&self) -> Result<ReadOptions, ParamIssue> {
        let (csv, types) = match self.told() {
            Told::Csv(PathOr::Mapping(files)) => (files.options()?, Some(&files.types)),
            Told::Files(_, PathOr::Mapping(files)) => (CsvOptions::default(), Some(&files.types)),
            _ => (CsvOptions::default(), None),
        };
        let options = ReadOptions { format: Some(self.format()), csv, ..ReadOptions::default() };
        Ok(options.with_types(types.into_iter().flatten().map(|(name, of)| (name.clone(), *of))))
    }
}

/// A path alone, or a mapping that says more.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(untagged)]
pub(super) enum PathOr<M> {
    /// A file, a folder or a glob; `{SPAN}`, `{VERSION}`, `{YYYY}`, `{MM}` and `{DD}` stand for numbers in it.
    Path(String),
    /// The same with more to say, or the splits that were made before.
    Mapping(M),
}

/// Where files are: either `path` or `splits`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Files {
    /// A file, a folder or a glob; `{SPAN}`, `{VERSION}`, `{YYYY}`, `{MM}` and `{DD}` stand for numbers in it.
    path: Option<String>,
    /// The path of each split that was made before: `{ train: "train/*", eval: "eval/*" }`.
    splits: Option<InOrder<String>>,
    /// Types that columns are read as: `{ zip: string }`; from the schema or the values when absent.
    #[serde(default)]
    types: BTreeMap<String, FeatureType>,
}

/// Where files are, either `path` or `splits`, and how they are written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CsvFiles {
    /// A file, a folder or a glob; `{SPAN}`, `{VERSION}`, `{YYYY}`, `{MM}` and `{DD}` stand for numbers in it.
    path: Option<String>,
    /// The path of each split that was made before: `{ train: "train/*.csv", eval: "eval/*.csv" }`.
    splits: Option<InOrder<String>>,
    /// What stands between cells: one ASCII character, or `tab`; a comma when absent, a tab in `.tsv`.
    delimiter: Option<String>,
    /// What stands around cells that hold delimiters or line ends: one ASCII character, `"` when absent, or `none`.
    quote: Option<String>,
    /// Cells that are missing values, beside empty ones: `[NA, null]`.
    #[serde(default)]
    null_tokens: Vec<String>,
    /// The sign before decimals, `.` or `,`; a point when absent.
    decimal: Option<String>,
    /// Types that columns are read as: `{ zip: string }`; from the schema or the values when absent.
    #[serde(default)]
    types: BTreeMap<String, FeatureType>,
    /// Whether the first line names the columns.
    #[serde(default = "yes")]
    header: bool,
    /// The names of the columns of files without header; `column_1` and so on when absent.
    columns: Option<Vec<String>>,
}

const fn yes() -> bool {
    true
}

impl CsvFiles {
    fn options(&self) -> Result<CsvOptions, ParamIssue> {
        let issue = |key: &str, message: String| ParamIssue::new(["source", "csv", key], message);
        let header = match (self.header, &self.columns) {
            (true, None) => Header::FirstLine,
            (false, None) => Header::Numbered,
            (false, Some(names)) => Header::Names(names.clone()),
            (true, Some(_)) => {
                let issue = issue("columns", "the columns have names already, in the header".to_owned());
                return Err(issue.with_hint("for files without header say `header: false`"));
            }
        };
        let delimiter = self.delimiter.as_deref().map(parse_delimiter).transpose();
        let decimal = self.decimal.as_deref().map(parse_decimal).transpose();
        let quote = self.quote.as_deref().map_or(Ok(CsvOptions::default().quote), parse_quote);
        let options = CsvOptions {
            delimiter: delimiter.map_err(|message| issue("delimiter", message))?,
            quote: quote.map_err(|message| issue("quote", message))?,
            null_tokens: self.null_tokens.clone(),
            decimal: decimal.map_err(|message| issue("decimal", message))?.unwrap_or_default(),
            header,
        };
        let place = if self.columns.is_some() { "columns" } else { "delimiter" };
        options.check().map_err(|error| issue(place, error.to_string()))?;
        Ok(options)
    }
}

impl<'de, M: DeserializeOwned> Deserialize<'de> for PathOr<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrMap<M>(PhantomData<M>);

        impl<'de, M: DeserializeOwned> Visitor<'de> for TextOrMap<M> {
            type Value = PathOr<M>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or `{ path: … }` or `{ splits: … }`")
            }

            fn visit_str<E>(self, path: &str) -> Result<PathOr<M>, E> {
                Ok(PathOr::Path(path.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PathOr<M>, A::Error> {
                M::deserialize(MapAccessDeserializer::new(map)).map(PathOr::Mapping)
            }
        }

        deserializer.deserialize_any(TextOrMap(PhantomData))
    }
}

/// Names with values, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "std::collections::BTreeMap<String, T>", bound = "T: JsonSchema")]
pub(super) struct InOrder<T>(pub(super) Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for InOrder<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = InOrder<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from the names of splits, as in `{ train: …, eval: … }`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOrder<T>, A::Error> {
                let mut entries: Vec<(String, T)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, T>()? {
                    if entries.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom(format!("split `{name}` is there twice")));
                    }
                    entries.push((name, value));
                }
                Ok(InOrder(entries))
            }
        }

        deserializer.deserialize_map(Entries(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_its_key() {
        for format in Format::ALL {
            let source = serde_json::json!({ format.key(): "data/x" });
            let source: SourceParams = serde_json::from_value(source).expect("the key of the format is known");
            assert_eq!((source.format(), source.key()), (*format, format.key()));
        }
    }
}
