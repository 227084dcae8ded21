//! Executions, their events and the artifacts they write, in memory.

use tidemill_core::Digest;

use super::Tables;
use crate::{
    Artifact, ArtifactId, ArtifactState, Completed, Direction, Event, Execution, ExecutionError, ExecutionId,
    ExecutionRecord, ExecutionState, NewArtifact, NewExecution, RunId, StoreError, millis, rules,
};

impl Tables {
    pub(super) fn insert_execution(
        &mut self,
        new: NewExecution,
        cached_from: Option<&ExecutionId>,
    ) -> Result<ExecutionId, StoreError> {
        rules::check_keys(new.inputs.iter().map(|(key, _)| key.as_str()))?;
        self.running_run(&new.run_id)?;
        let source = match cached_from {
            Some(from) => match self.execution(from)? {
                source if source.state == ExecutionState::Complete => Some(source.clone()),
                source => return Err(rules::not_complete(from.as_str(), source.state)),
            },
            None => None,
        };
        for (_, artifact) in &new.inputs {
            self.artifact_by_id(artifact)?;
        }
        let id = ExecutionId::generate();
        let now = millis::now();
        let event =
            |artifact_id: ArtifactId, direction, key| Event { execution_id: id.clone(), artifact_id, direction, key };
        let outputs = self
            .events
            .iter()
            .filter(|event| Some(&event.execution_id) == cached_from && event.direction == Direction::Output)
            .map(|output| event(output.artifact_id.clone(), Direction::Output, output.key.clone()));
        let outputs: Vec<Event> = outputs.collect();
        let inputs = new.inputs.into_iter().map(|(key, artifact)| event(artifact, Direction::Input, key));
        self.events.extend(inputs.chain(outputs));
        self.executions.push(Execution {
            id: id.clone(),
            run_id: new.run_id,
            step: new.step,
            component: new.component,
            component_version: new.component_version,
            state: if source.is_some() { ExecutionState::Cached } else { ExecutionState::Running },
            fingerprint: new.fingerprint,
            fingerprint_parts: new.fingerprint_parts,
            params: new.params,
            started_at: now,
            finished_at: source.as_ref().map(|_| now),
            outcome: source.and_then(|source| source.outcome),
            error: None,
            cached_from: cached_from.cloned(),
        });
        Ok(id)
    }

    pub(super) fn complete(&mut self, id: &ExecutionId, done: Completed) -> Result<Vec<Artifact>, StoreError> {
        rules::check_keys(done.outputs.iter().map(|(key, _)| key.as_str()))?;
        let execution = self.running_execution(id)?;
        execution.state = ExecutionState::Complete;
        execution.fingerprint = done.fingerprint;
        execution.fingerprint_parts = done.fingerprint_parts;
        execution.finished_at = Some(millis::now());
        execution.outcome = Some(done.outcome);
        let mut artifacts = Vec::with_capacity(done.outputs.len());
        for (key, output) in done.outputs {
            let artifact = self.insert_artifact(output);
            let artifact_id = artifact.id.clone();
            self.events.push(Event { execution_id: id.clone(), artifact_id, direction: Direction::Output, key });
            artifacts.push(artifact);
        }
        Ok(artifacts)
    }

    pub(super) fn fail(
        &mut self,
        id: &ExecutionId,
        state: ExecutionState,
        error: ExecutionError,
    ) -> Result<(), StoreError> {
        rules::check_failure(state)?;
        let execution = self.running_execution(id)?;
        execution.state = state;
        execution.finished_at = Some(millis::now());
        execution.error = Some(error);
        Ok(())
    }

    pub(super) fn find_cached(&self, fingerprint: &Digest) -> Option<ExecutionRecord> {
        let fits = |x: &&Execution| x.fingerprint == *fingerprint && x.state == ExecutionState::Complete;
        self.executions.iter().rev().find(fits).map(|execution| self.record(execution))
    }

    pub(super) fn last_execution(&self, pipeline: &str, step: &str) -> Option<ExecutionRecord> {
        let fits = |x: &&Execution| {
            x.step == step && x.state.has_outputs() && self.pipeline_of(&x.run_id).is_some_and(|name| name == pipeline)
        };
        self.executions.iter().rev().find(fits).map(|execution| self.record(execution))
    }

    pub(super) fn executions(&self, run: &RunId) -> Vec<ExecutionRecord> {
        self.executions.iter().filter(|x| x.run_id == *run).map(|execution| self.record(execution)).collect()
    }

    pub(super) fn execution_events(&self, id: &ExecutionId) -> Result<Vec<Event>, StoreError> {
        self.execution(id)?;
        let mut events: Vec<Event> = self.events.iter().filter(|event| event.execution_id == *id).cloned().collect();
        events.sort_by_key(|event| event.direction);
        Ok(events)
    }

    pub(super) fn pipeline_of(&self, run: &RunId) -> Option<&str> {
        self.runs.iter().find(|known| known.id == *run).map(|run| run.pipeline.as_str())
    }

    pub(super) fn execution(&self, id: &ExecutionId) -> Result<&Execution, StoreError> {
        self.executions
            .iter()
            .find(|execution| execution.id == *id)
            .ok_or_else(|| StoreError::not_found("execution", id.as_str(), []))
    }

    pub(super) fn artifact_by_id(&self, id: &ArtifactId) -> Result<&Artifact, StoreError> {
        self.artifacts
            .iter()
            .find(|artifact| artifact.id == *id)
            .ok_or_else(|| StoreError::not_found("artifact", id.as_str(), []))
    }

    fn running_execution(&mut self, id: &ExecutionId) -> Result<&mut Execution, StoreError> {
        match self.executions.iter_mut().find(|execution| execution.id == *id) {
            Some(execution) if execution.state == ExecutionState::Running => Ok(execution),
            Some(execution) => Err(rules::not_running("execution", id.as_str(), execution.state.name())),
            None => Err(StoreError::not_found("execution", id.as_str(), [])),
        }
    }

    pub(super) fn delete_artifacts(&mut self, ids: &[ArtifactId]) -> Result<(), StoreError> {
        for id in ids {
            let artifact = self.artifact_by_id(id)?;
            let aliases =
                self.models.values().flat_map(|record| record.aliases.iter().map(move |alias| (record, alias)));
            let alias = aliases.into_iter().find_map(|(record, alias)| {
                let version = record.versions.iter().find(|version| version.version == alias.version)?;
                (version.artifact_id == *id).then(|| format!("{}@{}", alias.model, alias.alias))
            });
            rules::check_deletion(artifact, alias.as_deref())?;
        }
        for artifact in self.artifacts.iter_mut().filter(|artifact| ids.contains(&artifact.id)) {
            artifact.state = ArtifactState::Deleted;
        }
        Ok(())
    }

    fn insert_artifact(&mut self, new: NewArtifact) -> Artifact {
        let same = |known: &&Artifact| known.digest == new.digest && known.artifact_type == new.artifact_type;
        if let Some(known) = self.artifacts.iter_mut().find(|known| same(&&**known)) {
            known.state = ArtifactState::Live;
            return known.clone();
        }
        let artifact = Artifact {
            id: ArtifactId::generate(),
            artifact_type: new.artifact_type,
            digest: new.digest,
            bytes: new.bytes,
            files: new.files,
            properties: new.properties,
            state: ArtifactState::Live,
            created_at: millis::now(),
        };
        self.artifacts.push(artifact.clone());
        artifact
    }

    fn record(&self, execution: &Execution) -> ExecutionRecord {
        let side = |direction| {
            let events = self.events.iter().filter(|event| event.execution_id == execution.id);
            let events = events.filter(|event| event.direction == direction);
            events
                .filter_map(|event| Some((event.key.clone(), self.artifact_by_id(&event.artifact_id).ok()?.clone())))
                .collect()
        };
        ExecutionRecord {
            execution: execution.clone(),
            inputs: side(Direction::Input),
            outputs: side(Direction::Output),
        }
    }
}
