//! Artifact queries, in memory.

use std::collections::HashSet;

use tidemill_core::{ArtifactType, Digest};

use super::Tables;
use crate::{
    Artifact, ArtifactFilter, ArtifactId, ArtifactRecord, Direction, Event, Execution, ExecutionState,
    LineageDirection, LineageGraph, Producer, StoreError, rules,
};

impl Tables {
    pub(super) fn artifact(&self, spec: &str) -> Result<Artifact, StoreError> {
        let (artifact_type, start) = rules::artifact_spec(spec);
        let fits = |a: &&Artifact| {
            artifact_type.is_none_or(|wanted| a.artifact_type == wanted)
                && (a.id.as_str() == start || (!start.is_empty() && a.digest.as_str().starts_with(&start)))
        };
        let found: Vec<Artifact> = self.artifacts.iter().rev().filter(fits).cloned().collect();
        rules::only("artifact", spec, found, rules::artifact_name, [])
    }

    pub(super) fn artifacts(&self, filter: &ArtifactFilter, limit: usize) -> Vec<ArtifactRecord> {
        let admits = |a: &&Artifact| filter.artifact_type.is_none_or(|wanted| a.artifact_type == wanted);
        let with_producer = |artifact: &Artifact| {
            let producer = self.newest_producer(artifact, filter)?;
            Some(ArtifactRecord { artifact: artifact.clone(), producer })
        };
        self.artifacts.iter().rev().filter(admits).filter_map(with_producer).take(limit).collect()
    }

    fn newest_producer(&self, artifact: &Artifact, filter: &ArtifactFilter) -> Option<Producer> {
        let events = self.events.iter().rev();
        let mut outputs = events.filter(|e| e.artifact_id == artifact.id && e.direction == Direction::Output);
        outputs.find_map(|event| {
            let execution = self.execution(&event.execution_id).ok()?;
            let pipeline = self.pipeline_of(&execution.run_id)?;
            let admitted = filter.pipeline.as_ref().is_none_or(|wanted| pipeline == wanted)
                && filter.run_id.as_ref().is_none_or(|wanted| execution.run_id == *wanted);
            admitted.then(|| Producer {
                execution_id: execution.id.clone(),
                run_id: execution.run_id.clone(),
                pipeline: pipeline.to_owned(),
                step: execution.step.clone(),
                key: event.key.clone(),
            })
        })
    }

    pub(super) fn latest_blessed_model(&self, pipeline: &str, excluding: &[Digest]) -> Option<Artifact> {
        let model_of = |execution: &Execution| {
            let event = self.events_of(execution, Direction::Input).find(|event| event.key == "model")?;
            self.artifact_by_id(&event.artifact_id).ok()
        };
        let blesses = |execution: &Execution| {
            execution.state.has_outputs()
                && execution.outcome.as_ref().is_some_and(|outcome| outcome.verdict.passed())
                && self.pipeline_of(&execution.run_id) == Some(pipeline)
                && self.events_of(execution, Direction::Output).any(|event| {
                    self.artifact_by_id(&event.artifact_id).is_ok_and(|a| a.artifact_type == ArtifactType::Blessing)
                })
        };
        let refused = |model: &Artifact, blessing: &Execution| {
            self.executions.iter().any(|execution| {
                execution.run_id == blessing.run_id
                    && (execution.state == ExecutionState::Failed
                        || execution.outcome.as_ref().is_some_and(|outcome| !outcome.verdict.passed()))
                    && model_of(execution).is_some_and(|read| read.id == model.id)
            })
        };
        self.executions.iter().rev().filter(|execution| blesses(execution)).find_map(|execution| {
            let model = model_of(execution).filter(|a| a.artifact_type == ArtifactType::Model)?;
            (!excluding.contains(&model.digest) && !refused(model, execution)).then(|| model.clone())
        })
    }

    pub(super) fn last_accepted_input(
        &self,
        pipeline: &str,
        step: &str,
        key: &str,
        excluding: &[Digest],
    ) -> Option<Artifact> {
        let accepts = |execution: &&Execution| {
            execution.step == step
                && execution.state.has_outputs()
                && execution.outcome.as_ref().is_some_and(|outcome| outcome.verdict.passed())
                && self.pipeline_of(&execution.run_id) == Some(pipeline)
        };
        self.executions.iter().rev().filter(accepts).find_map(|execution| {
            let event = self.events_of(execution, Direction::Input).find(|event| event.key == key)?;
            let read = self.artifact_by_id(&event.artifact_id).ok()?;
            (!excluding.contains(&read.digest)).then(|| read.clone())
        })
    }

    fn events_of<'a>(&'a self, execution: &'a Execution, direction: Direction) -> impl Iterator<Item = &'a Event> {
        self.events.iter().filter(move |event| event.execution_id == execution.id && event.direction == direction)
    }

    pub(super) fn lineage(
        &self,
        id: &ArtifactId,
        direction: LineageDirection,
        max_hops: u32,
    ) -> Result<LineageGraph, StoreError> {
        let (near, far) = match direction {
            LineageDirection::Up => (Direction::Output, Direction::Input),
            LineageDirection::Down => (Direction::Input, Direction::Output),
        };
        let mut graph = LineageGraph { artifacts: vec![self.artifact_by_id(id)?.clone()], ..LineageGraph::default() };
        let mut seen_artifacts = HashSet::from([id.clone()]);
        let mut seen_executions = HashSet::new();
        let mut frontier = HashSet::from([id.clone()]);
        for _ in 0..max_hops {
            let touches =
                |execution: &Execution| self.events_of(execution, near).any(|e| frontier.contains(&e.artifact_id));
            let mut reached = HashSet::new();
            for execution in self.executions.iter().filter(|x| x.state == ExecutionState::Complete && touches(x)) {
                if seen_executions.insert(execution.id.clone()) {
                    reached.insert(execution.id.clone());
                    graph.executions.push(execution.clone());
                }
            }
            let events = self.events.iter().filter(|e| e.direction == far && reached.contains(&e.execution_id));
            frontier =
                events.map(|event| event.artifact_id.clone()).filter(|id| !seen_artifacts.contains(id)).collect();
            seen_artifacts.extend(frontier.iter().cloned());
            graph.artifacts.extend(self.artifacts.iter().filter(|a| frontier.contains(&a.id)).cloned());
            if frontier.is_empty() {
                break;
            }
        }
        let inside = |e: &&Event| seen_executions.contains(&e.execution_id) && seen_artifacts.contains(&e.artifact_id);
        graph.events = self.events.iter().filter(inside).cloned().collect();
        Ok(graph)
    }
}
