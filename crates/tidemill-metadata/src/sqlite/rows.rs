//! Converts rows to records.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row as _, Sqlite, Type};
use tidemill_core::{ArtifactType, Digest};

use crate::{
    Actor, Alias, AliasMove, Approval, ApprovalState, Artifact, ArtifactState, Direction, Event, Execution,
    ExecutionState, ModelVersion, RegisteredModel, Run, RunState, RunValue, ScheduleState, StoreError, Tick, TickId,
    TickState, ValueKind, millis,
};

/// Columns of `runs` in the order of [`Run`].
macro_rules! run_columns {
    () => {
        "id, pipeline, state, started_at, finished_at, params, plan, summary, pid, lease, tick, environment"
    };
}

/// Columns of `executions x`.
macro_rules! execution_columns {
    () => {
        "x.id, x.run_id, x.step, x.component, x.component_version, x.state, x.fingerprint, x.fingerprint_parts, \
         x.params, x.started_at, x.finished_at, x.outcome, x.error, x.cached_from"
    };
}

/// Columns of `artifacts a`.
macro_rules! artifact_columns {
    () => {
        "a.id, a.artifact_type, a.digest, a.bytes, a.files, a.properties, a.state, a.created_at"
    };
}

pub(super) use {artifact_columns, execution_columns, run_columns};

/// A row with the kind of record it holds, for error messages.
struct Reader<'r> {
    kind: &'static str,
    row: &'r SqliteRow,
}

impl<'r> Reader<'r> {
    fn corrupt(&self, column: &str, reason: impl std::fmt::Display) -> StoreError {
        StoreError::Corrupt { kind: self.kind, reason: format!("`{column}`: {reason}") }
    }

    fn get<T: Decode<'r, Sqlite> + Type<Sqlite>>(&self, column: &str) -> Result<T, StoreError> {
        self.row.try_get(column).map_err(|error| self.corrupt(column, error))
    }

    fn text(&self, column: &str) -> Result<String, StoreError> {
        self.get(column)
    }

    fn number<N: TryFrom<i64>>(&self, column: &str) -> Result<N, StoreError> {
        let number: i64 = self.get(column)?;
        N::try_from(number).map_err(|_| self.corrupt(column, format!("{number} is out of range")))
    }

    fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        self.get::<&str>(column)?.parse().map_err(|error| self.corrupt(column, error))
    }

    fn time_option(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        self.get::<Option<&str>>(column)?
            .map(|text| text.parse().map_err(|error| self.corrupt(column, error)))
            .transpose()
    }

    fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        serde_json::from_str(self.get(column)?).map_err(|error| self.corrupt(column, error))
    }

    fn json_option<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, StoreError> {
        self.get::<Option<&str>>(column)?
            .map(|text| serde_json::from_str(text).map_err(|error| self.corrupt(column, error)))
            .transpose()
    }

    fn digest(&self, column: &str) -> Result<Digest, StoreError> {
        self.get::<&str>(column)?.parse().map_err(|error| self.corrupt(column, error))
    }
}

/// A value for a JSON column.
pub(super) fn json(kind: &'static str, value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt { kind, reason: error.to_string() })
}

/// A time for a column.
pub(super) fn time(time: Timestamp) -> String {
    millis::text(time)
}

pub(super) fn run(row: &SqliteRow) -> Result<Run, StoreError> {
    let row = Reader { kind: "run", row };
    Ok(Run {
        id: row.text("id")?.into(),
        pipeline: row.text("pipeline")?,
        state: RunState::from_name(row.get("state")?)?,
        started_at: row.time("started_at")?,
        finished_at: row.time_option("finished_at")?,
        params: row.json("params")?,
        plan: row.json("plan")?,
        summary: row.json_option("summary")?,
        pid: row.number("pid")?,
        lease: row.text("lease")?,
        tick: row.get::<Option<i64>>("tick")?.map(TickId),
        environment: row.json_option("environment")?,
    })
}

pub(super) fn execution(row: &SqliteRow) -> Result<Execution, StoreError> {
    let row = Reader { kind: "execution", row };
    Ok(Execution {
        id: row.text("id")?.into(),
        run_id: row.text("run_id")?.into(),
        step: row.text("step")?,
        component: row.text("component")?,
        component_version: row.number("component_version")?,
        state: ExecutionState::from_name(row.get("state")?)?,
        fingerprint: row.digest("fingerprint")?,
        fingerprint_parts: row.json("fingerprint_parts")?,
        params: row.json("params")?,
        started_at: row.time("started_at")?,
        finished_at: row.time_option("finished_at")?,
        outcome: row.json_option("outcome")?,
        error: row.json_option("error")?,
        cached_from: row.get::<Option<String>>("cached_from")?.map(Into::into),
    })
}

pub(super) fn artifact(row: &SqliteRow) -> Result<Artifact, StoreError> {
    let row = Reader { kind: "artifact", row };
    let artifact_type: ArtifactType =
        row.get::<&str>("artifact_type")?.parse().map_err(|error| row.corrupt("artifact_type", error))?;
    Ok(Artifact {
        id: row.text("id")?.into(),
        artifact_type,
        digest: row.digest("digest")?,
        bytes: row.number("bytes")?,
        files: row.number("files")?,
        properties: row.json("properties")?,
        state: ArtifactState::from_name(row.get("state")?)?,
        created_at: row.time("created_at")?,
    })
}

pub(super) fn event(row: &SqliteRow) -> Result<Event, StoreError> {
    let row = Reader { kind: "event", row };
    Ok(Event {
        execution_id: row.text("execution_id")?.into(),
        artifact_id: row.text("artifact_id")?.into(),
        direction: Direction::from_name(row.get("direction")?)?,
        key: row.text("key")?,
    })
}

pub(super) fn model(row: &SqliteRow) -> Result<RegisteredModel, StoreError> {
    let row = Reader { kind: "model", row };
    Ok(RegisteredModel {
        name: row.text("name")?,
        description: row.text("description")?,
        created_at: row.time("created_at")?,
        tags: row.json("tags")?,
    })
}

pub(super) fn model_version(row: &SqliteRow) -> Result<ModelVersion, StoreError> {
    let row = Reader { kind: "model version", row };
    Ok(ModelVersion {
        model: row.text("model")?,
        version: row.number("version")?,
        artifact_id: row.text("artifact_id")?.into(),
        run_id: row.text("run_id")?.into(),
        created_at: row.time("created_at")?,
        properties: row.json("properties")?,
        tags: row.json("tags")?,
    })
}

pub(super) fn alias(row: &SqliteRow) -> Result<Alias, StoreError> {
    let row = Reader { kind: "alias", row };
    Ok(Alias {
        model: row.text("model")?,
        alias: row.text("alias")?,
        version: row.number("version")?,
        moved_at: row.time("moved_at")?,
    })
}

pub(super) fn alias_move(row: &SqliteRow) -> Result<AliasMove, StoreError> {
    let row = Reader { kind: "alias move", row };
    let from_version: Option<i64> = row.get("from_version")?;
    Ok(AliasMove {
        model: row.text("model")?,
        alias: row.text("alias")?,
        from_version: from_version.map(|version| version as u64),
        version: row.number("version")?,
        moved_at: row.time("moved_at")?,
        by: Actor {
            actor: row.text("actor")?,
            run_id: row.get::<Option<String>>("run_id")?.map(Into::into),
            reason: row.get("reason")?,
        },
    })
}

pub(super) fn schedule(row: &SqliteRow) -> Result<ScheduleState, StoreError> {
    let row = Reader { kind: "schedule", row };
    Ok(ScheduleState {
        pipeline: row.text("pipeline")?,
        schedule: row.text("schedule")?,
        definition: row.text("definition")?,
        last: row.time("last")?,
        cursor: row.get("cursor")?,
        paused_by: row.get("paused_by")?,
        paused_at: row.time_option("paused_at")?,
    })
}

pub(super) fn tick(row: &SqliteRow) -> Result<Tick, StoreError> {
    let row = Reader { kind: "tick", row };
    Ok(Tick {
        id: TickId(row.get("seq")?),
        pipeline: row.text("pipeline")?,
        schedule: row.text("schedule")?,
        key: row.text("key")?,
        at: row.time("at")?,
        from: row.time("from")?,
        params: row.json("params")?,
        in_turn: row.get::<i64>("in_turn")? == 1,
        state: TickState::from_name(row.get("state")?)?,
        reason: row.get("reason")?,
        run_id: row.get::<Option<String>>("run_id")?.map(Into::into),
        recorded_at: row.time("recorded_at")?,
        ended_at: row.time_option("ended_at")?,
    })
}

pub(super) fn approval(row: &SqliteRow) -> Result<Approval, StoreError> {
    let row = Reader { kind: "approval", row };
    Ok(Approval {
        id: row.text("id")?.into(),
        pipeline: row.text("pipeline")?,
        step: row.text("step")?,
        subject: row.text("subject")?,
        run_id: row.get::<Option<String>>("run_id")?.map(Into::into),
        state: ApprovalState::from_name(row.get("state")?)?,
        requested_at: row.time("requested_at")?,
        expires_at: row.time_option("expires_at")?,
        on_timeout: ApprovalState::from_name(row.get("on_timeout")?)?,
        author: row.get("author")?,
        approvers: row.json("approvers")?,
        not_author: row.get::<i64>("not_author")? == 1,
        context: row.json("context")?,
        decided_at: row.time_option("decided_at")?,
        decided_by: row.get("decided_by")?,
        reason: row.get("reason")?,
    })
}

pub(super) fn run_value(row: &SqliteRow) -> Result<RunValue, StoreError> {
    let row = Reader { kind: "value of a run", row };
    let kind: &str = row.get("kind")?;
    let known = ValueKind::ALL.into_iter().find(|known| known.name() == kind);
    Ok(RunValue {
        kind: known.ok_or_else(|| row.corrupt("kind", format!("`{kind}` is not known")))?,
        key: row.text("key")?,
        text: row.text("text")?,
        step: row.get("step")?,
        at: row.time("at")?,
    })
}
