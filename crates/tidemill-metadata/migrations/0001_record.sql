-- What happened, and the model registry.
--
-- `seq` numbers the rows of a table in the order they were recorded: "newest" means the highest.
-- Times are RFC 3339 in UTC with milliseconds. Parameters, plans, outcomes and properties are JSON.

-- One row: which store this is, whatever folder it is moved to.
CREATE TABLE store (
    id         TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE runs (
    seq         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    pipeline    TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('RUNNING', 'COMPLETE', 'REJECTED', 'FAILED', 'CANCELED')),
    started_at  TEXT NOT NULL,
    finished_at TEXT,
    params      TEXT NOT NULL,
    plan        TEXT NOT NULL,
    summary     TEXT,
    pid         INTEGER NOT NULL
) STRICT;
CREATE INDEX runs_by_pipeline ON runs (pipeline, seq);
CREATE INDEX runs_at_work ON runs (pipeline) WHERE state = 'RUNNING';

CREATE TABLE executions (
    seq               INTEGER PRIMARY KEY,
    id                TEXT NOT NULL UNIQUE,
    run_id            TEXT NOT NULL REFERENCES runs (id),
    step              TEXT NOT NULL,
    component         TEXT NOT NULL,
    component_version INTEGER NOT NULL,
    state             TEXT NOT NULL CHECK (state IN ('NEW', 'RUNNING', 'COMPLETE', 'FAILED', 'CACHED', 'CANCELED')),
    fingerprint       TEXT NOT NULL,
    fingerprint_parts TEXT NOT NULL,
    params            TEXT NOT NULL,
    started_at        TEXT NOT NULL,
    finished_at       TEXT,
    outcome           TEXT,
    -- The verdict inside `outcome`, to look for.
    verdict           TEXT CHECK (verdict IN ('pass', 'fail')),
    error             TEXT,
    cached_from       TEXT REFERENCES executions (id)
) STRICT;
CREATE INDEX executions_by_run ON executions (run_id);
CREATE INDEX executions_by_step ON executions (step, seq);
CREATE INDEX executions_by_fingerprint ON executions (fingerprint) WHERE state = 'COMPLETE';

CREATE TABLE artifacts (
    seq           INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    artifact_type TEXT NOT NULL,
    digest        TEXT NOT NULL,
    bytes         INTEGER NOT NULL,
    files         INTEGER NOT NULL,
    properties    TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('LIVE')),
    created_at    TEXT NOT NULL,
    UNIQUE (digest, artifact_type)
) STRICT;
CREATE INDEX artifacts_by_type ON artifacts (artifact_type, seq);

CREATE TABLE events (
    seq          INTEGER PRIMARY KEY,
    execution_id TEXT NOT NULL REFERENCES executions (id),
    artifact_id  TEXT NOT NULL REFERENCES artifacts (id),
    direction    TEXT NOT NULL CHECK (direction IN ('INPUT', 'OUTPUT')),
    key          TEXT NOT NULL,
    UNIQUE (execution_id, direction, key)
) STRICT;
CREATE INDEX events_by_artifact ON events (artifact_id, direction);

CREATE TABLE models (
    name        TEXT NOT NULL PRIMARY KEY,
    description TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    tags        TEXT NOT NULL
) STRICT;

CREATE TABLE model_versions (
    model       TEXT NOT NULL REFERENCES models (name),
    version     INTEGER NOT NULL,
    artifact_id TEXT NOT NULL REFERENCES artifacts (id),
    run_id      TEXT NOT NULL REFERENCES runs (id),
    created_at  TEXT NOT NULL,
    properties  TEXT NOT NULL,
    tags        TEXT NOT NULL,
    PRIMARY KEY (model, version),
    UNIQUE (model, artifact_id)
) STRICT;

CREATE TABLE aliases (
    model    TEXT NOT NULL,
    alias    TEXT NOT NULL,
    version  INTEGER NOT NULL,
    moved_at TEXT NOT NULL,
    PRIMARY KEY (model, alias),
    FOREIGN KEY (model, version) REFERENCES model_versions (model, version)
) STRICT;

CREATE TABLE alias_moves (
    seq          INTEGER PRIMARY KEY,
    model        TEXT NOT NULL,
    alias        TEXT NOT NULL,
    from_version INTEGER,
    version      INTEGER NOT NULL,
    moved_at     TEXT NOT NULL,
    actor        TEXT NOT NULL,
    run_id       TEXT REFERENCES runs (id),
    FOREIGN KEY (model, version) REFERENCES model_versions (model, version)
) STRICT;
CREATE INDEX alias_moves_by_model ON alias_moves (model, seq);

-- Read before anything else when the store is opened; see `SCHEMA_VERSION`.
PRAGMA user_version = 1;
