//! Values of runs in SQLite, and the search of runs as one query.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::{QueryBuilder, Row as _, Sqlite};

use super::SqliteStore;
use super::rows;
use crate::search::{Clause, Comparator, Entity, FoundRun, Literal, OrderBy, RunSearch, RunValue, ValueKind, time_of};
use crate::values::RunValues;
use crate::{RunId, StoreError};

/// Runs whose values are read in one query.
const RUNS_AT_ONCE: usize = 500;

#[async_trait]
impl RunValues for SqliteStore {
    async fn log_values(&self, run: &RunId, values: Vec<RunValue>) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        self.require_run(&mut write.tx, run).await?;
        for value in values {
            let number = value.number().filter(|number| !number.is_nan());
            match value.kind {
                ValueKind::Metric => {
                    sqlx::query(
                        "INSERT INTO run_metrics (run_id, key, step, at, text) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    )
                    .bind(run.as_str())
                    .bind(&value.key)
                    .bind(value.step)
                    .bind(rows::time(value.at))
                    .bind(&value.text)
                    .execute(&mut *write.tx)
                    .await
                    .map_err(|error| self.failed(error))?;
                }
                ValueKind::Param => {
                    let set: Option<String> = sqlx::query_scalar(
                        "SELECT text FROM run_values WHERE run_id = ? AND kind = 'param' AND key = ?",
                    )
                    .bind(run.as_str())
                    .bind(&value.key)
                    .fetch_optional(&mut *write.tx)
                    .await
                    .map_err(|error| self.failed(error))?;
                    if let Some(set) = set.filter(|set| *set != value.text) {
                        return Err(StoreError::ParamIsSet { key: value.key, set });
                    }
                }
                ValueKind::Tag => {}
            }
            sqlx::query(
                "INSERT INTO run_values (run_id, kind, key, step, at, text, number) VALUES (?, ?, ?, ?, ?, ?, ?) \
                 ON CONFLICT (run_id, kind, key) DO UPDATE SET step = excluded.step, at = excluded.at, \
                 text = excluded.text, number = excluded.number WHERE excluded.step >= run_values.step",
            )
            .bind(run.as_str())
            .bind(value.kind.name())
            .bind(&value.key)
            .bind(value.step)
            .bind(rows::time(value.at))
            .bind(&value.text)
            .bind(number)
            .execute(&mut *write.tx)
            .await
            .map_err(|error| self.failed(error))?;
        }
        self.commit(write).await
    }

    async fn run_values(&self, run: &RunId) -> Result<Vec<RunValue>, StoreError> {
        let found = self.values_of(std::slice::from_ref(run)).await?;
        Ok(found.into_values().next().unwrap_or_default())
    }

    async fn metric_history(&self, run: &RunId, key: &str) -> Result<Vec<RunValue>, StoreError> {
        let found = sqlx::query(
            "SELECT 'metric' AS kind, key, step, at, text FROM run_metrics WHERE run_id = ? AND key = ? ORDER BY step, at, rowid",
        )
        .bind(run.as_str())
        .bind(key)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failed(error))?;
        found.iter().map(rows::run_value).collect()
    }

    async fn search_runs(
        &self,
        search: &RunSearch,
        orders: &[OrderBy],
        limit: usize,
    ) -> Result<Vec<FoundRun>, StoreError> {
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new("SELECT * FROM runs r WHERE 1");
        for clause in &search.clauses {
            query.push(" AND ");
            push_clause(&mut query, clause);
        }
        query.push(" ORDER BY ");
        for order in orders {
            push_order(&mut query, order);
            query.push(", ");
        }
        query.push("r.seq DESC LIMIT ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let found = query.build().fetch_all(&self.pool).await.map_err(|error| self.failed(error))?;
        let runs = found.iter().map(rows::run).collect::<Result<Vec<_>, _>>()?;
        let ids: Vec<RunId> = runs.iter().map(|run| run.id.clone()).collect();
        let mut values = self.values_of(&ids).await?;
        Ok(runs.into_iter().map(|run| FoundRun { values: values.remove(&run.id).unwrap_or_default(), run }).collect())
    }
}

impl SqliteStore {
    /// The newest values of runs.
    async fn values_of(&self, runs: &[RunId]) -> Result<HashMap<RunId, Vec<RunValue>>, StoreError> {
        let mut values: HashMap<RunId, Vec<RunValue>> = HashMap::new();
        for some in runs.chunks(RUNS_AT_ONCE) {
            let mut query: QueryBuilder<Sqlite> =
                QueryBuilder::new("SELECT run_id, kind, key, step, at, text FROM run_values WHERE run_id IN (");
            let mut ids = query.separated(", ");
            some.iter().for_each(|id| {
                ids.push_bind(id.as_str());
            });
            query.push(") ORDER BY run_id, kind, key");
            let found = query.build().fetch_all(&self.pool).await.map_err(|error| self.failed(error))?;
            for row in &found {
                let id: String = row.try_get("run_id").map_err(|error| self.failed(error))?;
                values.entry(id.into()).or_default().push(rows::run_value(row)?);
            }
        }
        Ok(values)
    }
}

fn sign(comparator: Comparator) -> &'static str {
    match comparator {
        Comparator::Equal => " = ",
        Comparator::NotEqual => " <> ",
        Comparator::Less => " < ",
        Comparator::LessOrEqual => " <= ",
        Comparator::Greater => " > ",
        Comparator::GreaterOrEqual => " >= ",
        Comparator::Like | Comparator::ILike => " LIKE ",
        Comparator::In => " IN ",
        Comparator::NotIn => " NOT IN ",
        Comparator::IsNull => " IS NULL",
        Comparator::IsNotNull => " IS NOT NULL",
    }
}

fn push_clause(query: &mut QueryBuilder<Sqlite>, clause: &Clause) {
    match &clause.entity {
        Entity::Value(kind) => {
            // What is absent is different from everything.
            let absent = matches!(clause.comparator, Comparator::NotEqual | Comparator::NotIn | Comparator::IsNull);
            query.push(if absent { "NOT EXISTS (" } else { "EXISTS (" });
            query.push("SELECT 1 FROM run_values v WHERE v.run_id = r.id AND v.kind = ").push_bind(kind.name());
            query.push(" AND v.key = ").push_bind(clause.key.as_str());
            let positive = match clause.comparator {
                Comparator::NotEqual => Comparator::Equal,
                Comparator::NotIn => Comparator::In,
                other => other,
            };
            if !matches!(positive, Comparator::IsNull | Comparator::IsNotNull) {
                query.push(" AND ");
                let column = if matches!(clause.literal, Literal::Number(_)) { "v.number" } else { "v.text" };
                push_comparison(query, column, positive, &clause.literal);
            }
            query.push(")");
        }
        Entity::Attribute => {
            let column = match clause.key.as_str() {
                "run_id" => "r.id",
                "pipeline" => "r.pipeline",
                "status" => "r.state",
                "start_time" => "r.started_at",
                "end_time" => "r.finished_at",
                _ => "json_extract(r.environment, '$.user')",
            };
            query.push("(");
            if matches!(clause.key.as_str(), "start_time" | "end_time") {
                // It was checked when the filter was parsed.
                let time = time_of(&clause.literal).unwrap_or_default();
                query.push(column).push(sign(clause.comparator)).push_bind(time);
            } else {
                push_comparison(query, column, clause.comparator, &clause.literal);
                if matches!(clause.comparator, Comparator::NotEqual | Comparator::NotIn) {
                    query.push(" OR ").push(column).push(" IS NULL");
                }
            }
            query.push(")");
        }
    }
}

fn push_comparison(query: &mut QueryBuilder<Sqlite>, column: &'static str, comparator: Comparator, literal: &Literal) {
    match (comparator, literal) {
        // SQLite's LIKE ignores case, its GLOB does not.
        (Comparator::Like, Literal::Text(text)) => {
            query.push(column).push(" GLOB ").push_bind(glob_of(text));
        }
        (Comparator::ILike, Literal::Text(text)) => {
            query.push("lower(").push(column).push(") GLOB ").push_bind(glob_of(&text.to_lowercase()));
        }
        (_, Literal::Number(number)) => {
            query.push(column).push(sign(comparator)).push_bind(*number);
        }
        (_, Literal::Text(text)) => {
            query.push(column).push(sign(comparator)).push_bind(text.as_str());
        }
        (_, Literal::Texts(texts)) => {
            query.push(column).push(sign(comparator)).push("(");
            let mut items = query.separated(", ");
            texts.iter().for_each(|text| {
                items.push_bind(text.as_str());
            });
            query.push(")");
        }
        (_, Literal::Nothing) => {
            query.push(column).push(sign(comparator));
        }
    }
}

/// A LIKE pattern as a GLOB pattern, which minds case.
fn glob_of(like: &str) -> String {
    like.chars()
        .map(|c| match c {
            '%' => "*".to_owned(),
            '_' => "?".to_owned(),
            '*' | '?' | '[' => format!("[{c}]"),
            c => c.to_string(),
        })
        .collect()
}

fn push_order(query: &mut QueryBuilder<Sqlite>, order: &OrderBy) {
    let direction = if order.descending { " DESC NULLS LAST" } else { " ASC NULLS LAST" };
    match &order.entity {
        Entity::Value(kind) => {
            for column in ["number", "text"] {
                // A metric has an order by its number alone: NaN has none, and comes last.
                if column == "text" && *kind == ValueKind::Metric {
                    continue;
                }
                if column == "text" {
                    query.push(", ");
                }
                query.push("(SELECT v.").push(column).push(" FROM run_values v WHERE v.run_id = r.id AND v.kind = ");
                query.push_bind(kind.name()).push(" AND v.key = ").push_bind(order.key.as_str()).push(")");
                query.push(direction);
            }
        }
        Entity::Attribute => {
            let column = match order.key.as_str() {
                "run_id" => "r.id",
                "pipeline" => "r.pipeline",
                "status" => "r.state",
                "end_time" => "r.finished_at",
                _ => "r.started_at",
            };
            query.push(column).push(direction);
        }
    }
}
