//! The order of found runs.

use std::cmp::Ordering;

use super::filter::Entity;
use super::{FoundRun, RunSearch, SearchError};

/// `KEY [ASC|DESC]`
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "plain data")]
pub struct OrderBy {
    pub entity: Entity,
    pub key: String,
    pub descending: bool,
}

impl OrderBy {
    /// Parses `metrics.auc DESC`.
    pub fn parse(text: &str) -> Result<Self, SearchError> {
        let trimmed = text.trim();
        let lower = trimmed.to_ascii_lowercase();
        let (key, descending) = match (lower.strip_suffix(" desc"), lower.strip_suffix(" asc")) {
            (Some(key), _) => (&trimmed[..key.len()], true),
            (_, Some(key)) => (&trimmed[..key.len()], false),
            _ => (trimmed, false),
        };
        // The grammar of keys is that of filters.
        let clause = ["> 0", "= ''", "> '2026-01-01'"].iter().find_map(|rest| {
            let mut parsed = RunSearch::parse(&format!("{key} {rest}")).ok()?;
            (parsed.clauses.len() == 1).then(|| parsed.clauses.remove(0))
        });
        let wrong = || {
            SearchError::new(format!("`{trimmed}` is not an order"))
                .with_hint("write a key and ASC or DESC: `metrics.auc DESC`")
        };
        let clause = clause.ok_or_else(wrong)?;
        Ok(Self { entity: clause.entity, key: clause.key, descending })
    }

    fn compare(&self, a: &FoundRun, b: &FoundRun) -> Ordering {
        let ordering = match &self.entity {
            Entity::Value(kind) => {
                let key =
                    |found: &FoundRun| found.value(*kind, &self.key).map(|value| (value.number(), value.text.clone()));
                match (key(a), key(b)) {
                    (None, None) => return Ordering::Equal,
                    // Missing values come last, in either direction.
                    (None, Some(_)) => return Ordering::Greater,
                    (Some(_), None) => return Ordering::Less,
                    (Some((Some(x), _)), Some((Some(y), _))) => match (x.is_nan(), y.is_nan()) {
                        (true, true) => Ordering::Equal,
                        (true, false) => return Ordering::Greater,
                        (false, true) => return Ordering::Less,
                        (false, false) => x.total_cmp(&y),
                    },
                    (Some((_, x)), Some((_, y))) => x.cmp(&y),
                }
            }
            Entity::Attribute => match self.key.as_str() {
                "run_id" => a.run.id.cmp(&b.run.id),
                "pipeline" => a.run.pipeline.cmp(&b.run.pipeline),
                "status" => a.run.state.name().cmp(b.run.state.name()),
                "end_time" => match (a.run.finished_at, b.run.finished_at) {
                    (Some(x), Some(y)) => x.cmp(&y),
                    (x, y) => return y.is_some().cmp(&x.is_some()),
                },
                _ => a.run.started_at.cmp(&b.run.started_at),
            },
        };
        if self.descending { ordering.reverse() } else { ordering }
    }
}

/// Sorts runs by the orders, and those that are equal by start, newest first.
pub fn order_runs(runs: &mut [FoundRun], orders: &[OrderBy]) {
    runs.sort_by(|a, b| {
        let by_orders = orders.iter().map(|order| order.compare(a, b)).find(|ordering| ordering.is_ne());
        by_orders.unwrap_or_else(|| b.run.id.cmp(&a.run.id))
    });
}
