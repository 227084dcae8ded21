//! Lineage in SQLite: breadth first, one query for the executions and one for the artifacts of a hop.

use std::collections::HashSet;

use super::SqliteStore;
use super::rows::{self, artifact_columns, execution_columns};
use crate::{ArtifactId, Direction, ExecutionId, LineageDirection, LineageGraph, StoreError};

impl SqliteStore {
    pub(super) async fn walk(
        &self,
        id: &ArtifactId,
        direction: LineageDirection,
        max_hops: u32,
    ) -> Result<LineageGraph, StoreError> {
        let (near, far) = match direction {
            LineageDirection::Up => (Direction::Output, Direction::Input),
            LineageDirection::Down => (Direction::Input, Direction::Output),
        };
        let mut tx = self.read().await?;
        let start = self.artifact_by_id(&mut tx, id).await?;
        let mut seen_artifacts: HashSet<ArtifactId> = HashSet::from([id.clone()]);
        let mut seen_executions: HashSet<ExecutionId> = HashSet::new();
        let mut frontier = vec![id.clone()];
        let mut graph = LineageGraph { artifacts: vec![start], ..LineageGraph::default() };
        for _ in 0..max_hops {
            let found = sqlx::query(concat!(
                "SELECT ",
                execution_columns!(),
                " FROM executions x WHERE x.state = 'COMPLETE' AND x.id IN (SELECT e.execution_id FROM events e \
                 WHERE e.direction = ? AND e.artifact_id IN (SELECT value FROM json_each(?))) ORDER BY x.seq"
            ))
            .bind(near.name())
            .bind(rows::json("artifact", &frontier)?)
            .fetch_all(&mut *tx)
            .await
            .map_err(|error| self.failed(error))?;
            let mut reached = Vec::new();
            for row in &found {
                let execution = rows::execution(row)?;
                if seen_executions.insert(execution.id.clone()) {
                    reached.push(execution.id.clone());
                    graph.executions.push(execution);
                }
            }
            let found = sqlx::query(concat!(
                "SELECT ",
                artifact_columns!(),
                " FROM artifacts a WHERE a.id IN (SELECT e.artifact_id FROM events e \
                 WHERE e.direction = ? AND e.execution_id IN (SELECT value FROM json_each(?))) ORDER BY a.seq"
            ))
            .bind(far.name())
            .bind(rows::json("execution", &reached)?)
            .fetch_all(&mut *tx)
            .await
            .map_err(|error| self.failed(error))?;
            frontier.clear();
            for row in &found {
                let artifact = rows::artifact(row)?;
                if seen_artifacts.insert(artifact.id.clone()) {
                    frontier.push(artifact.id.clone());
                    graph.artifacts.push(artifact);
                }
            }
            if frontier.is_empty() {
                break;
            }
        }
        let found = sqlx::query(
            "SELECT execution_id, artifact_id, direction, key FROM events \
             WHERE execution_id IN (SELECT value FROM json_each(?)) ORDER BY seq",
        )
        .bind(rows::json("execution", &seen_executions)?)
        .fetch_all(&mut *tx)
        .await
        .map_err(|error| self.failed(error))?;
        for row in &found {
            let event = rows::event(row)?;
            if seen_artifacts.contains(&event.artifact_id) {
                graph.events.push(event);
            }
        }
        Ok(graph)
    }
}
