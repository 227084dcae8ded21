-- Schedules with their ticks, approvals, runs that wait for one; deleted artifacts; reasons of alias moves.

-- Runs can be WAITING, belong to a tick, and know their lease and where they ran. SQLite cannot change a CHECK: the table
-- is built again. References to it go by its name. Foreign keys are off while a store is migrated.
CREATE TABLE runs_2 (
    seq         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    pipeline    TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('RUNNING', 'WAITING', 'COMPLETE', 'REJECTED', 'FAILED', 'CANCELED')),
    started_at  TEXT NOT NULL,
    finished_at TEXT,
    params      TEXT NOT NULL,
    plan        TEXT NOT NULL,
    summary     TEXT,
    pid         INTEGER NOT NULL,
    -- The lease that the process of the run holds: whoever else holds it knows that the process is dead.
    lease       TEXT NOT NULL,
    tick        INTEGER REFERENCES ticks (seq),
    -- Code, machine and user, as JSON.
    environment TEXT
) STRICT;
INSERT INTO runs_2 SELECT seq, id, pipeline, state, started_at, finished_at, params, plan, summary, pid, pipeline, NULL, NULL FROM runs;
DROP TABLE runs;
ALTER TABLE runs_2 RENAME TO runs;
CREATE INDEX runs_by_pipeline ON runs (pipeline, seq);
CREATE INDEX runs_at_work ON runs (pipeline) WHERE state = 'RUNNING';
CREATE INDEX runs_by_tick ON runs (tick) WHERE tick IS NOT NULL;

CREATE TABLE schedules (
    pipeline   TEXT NOT NULL,
    schedule   TEXT NOT NULL,
    -- The trigger as written in the file: an edited one begins anew.
    definition TEXT NOT NULL,
    -- The last tick that was recorded. The next one is computed from it, never from the clock.
    last       TEXT NOT NULL,
    -- What a trigger saw last: the id of an artifact, the time of a move.
    cursor     TEXT,
    paused_by  TEXT,
    paused_at  TEXT,
    PRIMARY KEY (pipeline, schedule)
) STRICT;

-- One row for each time that a schedule should run its pipeline, whatever became of it.
CREATE TABLE ticks (
    seq         INTEGER PRIMARY KEY,
    pipeline    TEXT NOT NULL,
    schedule    TEXT NOT NULL,
    -- The time of the tick, or what a trigger saw: a tick is recorded once.
    key         TEXT NOT NULL,
    at          TEXT NOT NULL,
    "from"      TEXT NOT NULL,
    params      TEXT NOT NULL,
    in_turn     INTEGER NOT NULL CHECK (in_turn IN (0, 1)),
    state       TEXT NOT NULL CHECK (state IN ('PENDING', 'STARTED', 'DONE', 'MISSED', 'SKIPPED')),
    reason      TEXT,
    run_id      TEXT REFERENCES runs (id),
    recorded_at TEXT NOT NULL,
    ended_at    TEXT,
    UNIQUE (pipeline, schedule, key)
) STRICT;
CREATE INDEX ticks_open ON ticks (pipeline, seq) WHERE state IN ('PENDING', 'STARTED');
CREATE INDEX ticks_by_run ON ticks (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE approvals (
    seq          INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    pipeline     TEXT NOT NULL,
    step         TEXT NOT NULL,
    -- What is to be approved: the digest of an artifact.
    subject      TEXT NOT NULL,
    run_id       TEXT REFERENCES runs (id),
    state        TEXT NOT NULL CHECK (state IN ('WAITING', 'APPROVED', 'REJECTED')),
    requested_at TEXT NOT NULL,
    expires_at   TEXT,
    -- The decision at `expires_at`.
    on_timeout   TEXT NOT NULL CHECK (on_timeout IN ('APPROVED', 'REJECTED')),
    -- Who started what is to be approved; and who may decide, as a JSON list, none for everybody.
    author       TEXT,
    approvers    TEXT NOT NULL,
    not_author   INTEGER NOT NULL CHECK (not_author IN (0, 1)),
    context      TEXT NOT NULL,
    decided_at   TEXT,
    decided_by   TEXT,
    reason       TEXT,
    UNIQUE (pipeline, step, subject)
) STRICT;
CREATE INDEX approvals_waiting ON approvals (seq) WHERE state = 'WAITING';

-- The bytes of an artifact can be deleted; its record stays for lineage.
CREATE TABLE artifacts_2 (
    seq           INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    artifact_type TEXT NOT NULL,
    digest        TEXT NOT NULL,
    bytes         INTEGER NOT NULL,
    files         INTEGER NOT NULL,
    properties    TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('LIVE', 'DELETED')),
    created_at    TEXT NOT NULL,
    UNIQUE (digest, artifact_type)
) STRICT;
INSERT INTO artifacts_2 SELECT seq, id, artifact_type, digest, bytes, files, properties, state, created_at FROM artifacts;
DROP TABLE artifacts;
ALTER TABLE artifacts_2 RENAME TO artifacts;
CREATE INDEX artifacts_by_type ON artifacts (artifact_type, seq);

-- Why an alias was moved.
ALTER TABLE alias_moves ADD COLUMN reason TEXT;

-- Metrics, settings and labels of runs: the newest value of each key, and the history of metrics. `number` is for search;
-- NaN has none.
CREATE TABLE run_values (
    run_id TEXT NOT NULL REFERENCES runs (id),
    kind   TEXT NOT NULL CHECK (kind IN ('metric', 'param', 'tag')),
    key    TEXT NOT NULL,
    step   INTEGER NOT NULL,
    at     TEXT NOT NULL,
    text   TEXT NOT NULL,
    number REAL,
    PRIMARY KEY (run_id, kind, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE run_metrics (
    run_id TEXT NOT NULL REFERENCES runs (id),
    key    TEXT NOT NULL,
    step   INTEGER NOT NULL,
    at     TEXT NOT NULL,
    text   TEXT NOT NULL,
    UNIQUE (run_id, key, step, at, text)
) STRICT;

PRAGMA user_version = 2;
