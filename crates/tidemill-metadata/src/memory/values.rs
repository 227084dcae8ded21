//! Values of runs in memory.

use async_trait::async_trait;

use super::MemoryStore;
use crate::search::{FoundRun, OrderBy, RunSearch, RunValue, ValueKind, order_runs};
use crate::values::RunValues;
use crate::{RunId, StoreError};

#[async_trait]
impl RunValues for MemoryStore {
    async fn log_values(&self, run: &RunId, values: Vec<RunValue>) -> Result<(), StoreError> {
        let mut tables = self.tables();
        tables.require_run(run)?;
        let same = |a: &(RunId, RunValue), b: &RunValue| a.0 == *run && a.1.kind == b.kind && a.1.key == b.key;
        for value in values.iter().filter(|value| value.kind == ValueKind::Param) {
            let set = tables.values.iter().find(|known| same(known, value)).map(|known| known.1.text.clone());
            if let Some(set) = set.filter(|set| *set != value.text) {
                return Err(StoreError::ParamIsSet { key: value.key.clone(), set });
            }
        }
        for value in values {
            let mut value = value;
            value.at = crate::millis::rounded(value.at);
            let known = |entry: &(RunId, RunValue)| entry.0 == *run && entry.1 == value;
            if value.kind == ValueKind::Metric && !tables.metrics.iter().any(known) {
                tables.metrics.push((run.clone(), value.clone()));
            }
            match tables.values.iter_mut().find(|known| same(known, &value)) {
                Some(known) if value.step >= known.1.step => known.1 = value,
                Some(_) => {}
                None => tables.values.push((run.clone(), value)),
            }
        }
        Ok(())
    }

    async fn run_values(&self, run: &RunId) -> Result<Vec<RunValue>, StoreError> {
        Ok(self.tables().values_of(run))
    }

    async fn metric_history(&self, run: &RunId, key: &str) -> Result<Vec<RunValue>, StoreError> {
        let tables = self.tables();
        let mine = tables.metrics.iter().filter(|(id, value)| id == run && value.key == key);
        let mut values: Vec<RunValue> = mine.map(|(_, value)| value.clone()).collect();
        values.sort_by_key(|value| (value.step, value.at));
        Ok(values)
    }

    async fn search_runs(
        &self,
        search: &RunSearch,
        orders: &[OrderBy],
        limit: usize,
    ) -> Result<Vec<FoundRun>, StoreError> {
        let tables = self.tables();
        let found =
            tables.runs.iter().rev().map(|run| FoundRun { values: tables.values_of(&run.id), run: run.clone() });
        let mut found: Vec<FoundRun> = found.filter(|found| search.admits(found)).collect();
        order_runs(&mut found, orders);
        found.truncate(limit);
        Ok(found)
    }
}

impl super::Tables {
    fn values_of(&self, run: &RunId) -> Vec<RunValue> {
        let mine = self.values.iter().filter(|(id, _)| id == run);
        let mut values: Vec<RunValue> = mine.map(|(_, value)| value.clone()).collect();
        values.sort_by(|a, b| (a.kind.name(), &a.key).cmp(&(b.kind.name(), &b.key)));
        values
    }
}
