//! The parameter `source: { sql: … }` of `ExampleGen`: rows of a query.

use std::fmt;
use std::path::Path;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Deserialize;
use tidemill_core::Digest;

use super::params::Select;
use super::pattern::days_since_1970;
use super::source::InOrder;
use super::template::{Template, date_of};
use crate::DataError;
use crate::connect::{Connectors, Query, QueryValue};
use crate::examples::SpanInfo;

/// Spans of a window, at most: each is on record.
const SPANS_MAX: i64 = 10_000;

/// The rows of a query to a database: either `query`, or `splits` with a query each.
///
/// `{SPAN}`, `{DATE}`, `{START}`, `{END}`, `{START_DATE}` and `{END_DATE}` in a query are bound as values.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SqlSource {
    /// Which database: `sqlite://data/rides.db`, `postgres://user@host:5432/database`; from the environment as a
    /// whole: `${env.DATABASE_URL}`.
    connection: String,
    /// The password, if it does not stand in the connection: `${env.PGPASSWORD}`. It is not recorded.
    password: Option<String>,
    /// The query.
    query: Option<String>,
    /// The query of each split that was made before.
    splits: Option<InOrder<String>>,
    /// A query that gives the newest span, a number or a date, which is read where `span` says no other.
    newest: Option<String>,
}

impl fmt::Debug for SqlSource {
    /// Leaves out the connection and the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlSource").field("query", &self.query).field("splits", &self.splits).finish_non_exhaustive()
    }
}

impl SqlSource {
    /// The query of each split that was made before, or one without a split; none where neither or both are said.
    pub(super) fn parts(&self) -> Vec<(Option<&str>, &str)> {
        match (&self.query, &self.splits) {
            (Some(query), None) => vec![(None, query)],
            (None, Some(splits)) => splits.0.iter().map(|(name, text)| (Some(name.as_str()), text.as_str())).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether the newest span can be found.
    pub(super) fn knows_newest(&self) -> bool {
        self.newest.is_some()
    }

    fn ask(&self, project_dir: &Path, pieces: Vec<String>, values: Vec<QueryValue>) -> Query {
        let (connection, password) = (self.connection.clone(), self.password.clone());
        Query { connection, base: project_dir.to_owned(), password, pieces, values }
    }

    /// The queries with their values, and the spans they ask for.
    pub(super) fn queries(
        &self,
        select: Select,
        project_dir: &Path,
        connectors: &Connectors,
    ) -> Result<(Vec<Asked>, Vec<SpanInfo>), DataError> {
        let wrong = |message| DataError::Params { message };
        let mut templates = Vec::new();
        for (name, text) in self.parts() {
            templates.push((name, Template::parse(text).map_err(wrong)?));
        }
        let (mut start, mut end) = (0, 0);
        let mut spans = Vec::new();
        if templates.iter().any(|(_, template)| template.has_span()) {
            (start, end) = match select {
                Select::Between(start, end) => (start, end),
                Select::Latest(count) => {
                    let newest = self.newest(project_dir, connectors)?;
                    (newest.saturating_sub(i64::from(count) - 1), newest)
                }
            };
            if end.saturating_sub(start) >= SPANS_MAX {
                return Err(wrong(format!("more than {SPANS_MAX} spans are asked for, from {start} to {end}")));
            }
            let has_dates = templates.iter().any(|(_, template)| template.has_dates());
            for span in start..=end {
                let date = if has_dates { Some(date_of(span).map_err(wrong)?.to_string()) } else { None };
                spans.push(SpanInfo { span, date, version: None });
            }
        }
        let mut asked = Vec::new();
        for (name, template) in templates {
            let (pieces, values) = template.filled(start, end).map_err(wrong)?;
            let query = self.ask(project_dir, pieces, values);
            let label = name.map_or_else(|| query.place(), |name| format!("{}#{name}", query.place()));
            asked.push(Asked { split: name.map(str::to_owned), label, query });
        }
        Ok((asked, spans))
    }

    fn newest(&self, project_dir: &Path, connectors: &Connectors) -> Result<i64, DataError> {
        let text = self.newest.clone().unwrap_or_default();
        let query = self.ask(project_dir, vec![text], Vec::new());
        let place = query.place();
        let found = connectors.database(&query.connection)?.value(&query)?;
        let Some(found) = found else {
            return Err(DataError::Params { message: format!("`{place}`: the query `newest` gives no span") });
        };
        // A moment counts as its day.
        let day = found.get(..10).unwrap_or(&found);
        match (found.parse::<i64>(), day.parse::<Date>()) {
            (Ok(span), _) => Ok(span),
            (_, Ok(date)) => Ok(days_since_1970(date)),
            _ => {
                let message =
                    format!("`{place}`: the query `newest` gives `{found}`, which is neither a number nor a date");
                Err(DataError::Params { message })
            }
        }
    }
}

/// A query that is asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// The split its rows belong to, where splits were made before.
    pub(super) split: Option<String>,
    /// What its rows are called: the database, and the split.
    pub(super) label: String,
    pub(super) query: Query,
}

impl Asked {
    /// Stands for the question and for what the database would answer now.
    pub(super) fn digest(&self, connectors: &Connectors) -> Result<Digest, DataError> {
        let content = connectors.database(&self.query.connection)?.digest(&self.query)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"tidemill query v1\n");
        for piece in &self.query.pieces {
            hasher.update(&(piece.len() as u64).to_le_bytes()).update(piece.as_bytes());
        }
        hasher.update(format!("{:?}\n{content}", self.query.values).as_bytes());
        Ok(Digest::from_bytes(hasher.finalize().as_bytes()))
    }
}
