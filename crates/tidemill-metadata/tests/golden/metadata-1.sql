PRAGMA foreign_keys = OFF;
BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO "_sqlx_migrations" VALUES(1,'record','2026-01-31 08:00:00',1,X'C7E343FBADFA6195AAB20DF04B0170267111E9B1AFEE3B9DB4D0AB6C9BD11E54A96E5EAE49E4DA88D23E716CF7088F1F',100);
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
INSERT INTO "alias_moves" VALUES(1,'taxi-tips','champion',NULL,1,'2026-01-31T08:00:08.120Z','push','019c1300-0000-7000-8000-000000000001');
CREATE TABLE aliases (
    model    TEXT NOT NULL,
    alias    TEXT NOT NULL,
    version  INTEGER NOT NULL,
    moved_at TEXT NOT NULL,
    PRIMARY KEY (model, alias),
    FOREIGN KEY (model, version) REFERENCES model_versions (model, version)
) STRICT;
INSERT INTO "aliases" VALUES('taxi-tips','champion',1,'2026-01-31T08:00:08.120Z');
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
INSERT INTO "artifacts" VALUES(1,'019c1300-0000-7000-8000-000000000004','Examples','4444444444444444444444444444444444444444444444444444444444444444',1000,2,'{"rows":15002}','LIVE','2026-01-31T08:00:01.120Z');
INSERT INTO "artifacts" VALUES(2,'019c1300-0000-7000-8000-000000000005','Model','5555555555555555555555555555555555555555555555555555555555555555',1000,2,'{"auc":0.954}','LIVE','2026-01-31T08:00:03.120Z');
CREATE TABLE events (
    seq          INTEGER PRIMARY KEY,
    execution_id TEXT NOT NULL REFERENCES executions (id),
    artifact_id  TEXT NOT NULL REFERENCES artifacts (id),
    direction    TEXT NOT NULL CHECK (direction IN ('INPUT', 'OUTPUT')),
    key          TEXT NOT NULL,
    UNIQUE (execution_id, direction, key)
) STRICT;
INSERT INTO "events" VALUES(1,'019c1300-0000-7000-8000-000000000002','019c1300-0000-7000-8000-000000000004','OUTPUT','examples');
INSERT INTO "events" VALUES(2,'019c1300-0000-7000-8000-000000000003','019c1300-0000-7000-8000-000000000004','INPUT','examples');
INSERT INTO "events" VALUES(3,'019c1300-0000-7000-8000-000000000003','019c1300-0000-7000-8000-000000000005','OUTPUT','model');
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
INSERT INTO "executions" VALUES(1,'019c1300-0000-7000-8000-000000000002','019c1300-0000-7000-8000-000000000001','examples','ExampleGen',1,'COMPLETE','0000000000000000000000000000000000000000000000000000000000000000','{}','{}','2026-01-31T08:00:00.120Z','2026-01-31T08:00:01.120Z','{"properties": {}, "verdict": "pass", "headline": "15,002 rows in 2 splits", "tables": [], "warnings": []}','pass',NULL,NULL);
INSERT INTO "executions" VALUES(2,'019c1300-0000-7000-8000-000000000003','019c1300-0000-7000-8000-000000000001','train','Trainer',1,'COMPLETE','1111111111111111111111111111111111111111111111111111111111111111','{}','{}','2026-01-31T08:00:02.120Z','2026-01-31T08:00:03.120Z','{"properties": {}, "verdict": "pass", "headline": "AUC 0.954 on eval", "tables": [], "warnings": []}','pass',NULL,NULL);
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
INSERT INTO "model_versions" VALUES('taxi-tips',1,'019c1300-0000-7000-8000-000000000005','019c1300-0000-7000-8000-000000000001','2026-01-31T08:00:08.120Z','{"auc":0.954}','{"owner":"rides"}');
CREATE TABLE models (
    name        TEXT NOT NULL PRIMARY KEY,
    description TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    tags        TEXT NOT NULL
) STRICT;
INSERT INTO "models" VALUES('taxi-tips','will the rider tip','2026-01-31T08:00:08.120Z','{}');
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
INSERT INTO "runs" VALUES(1,'019c1300-0000-7000-8000-000000000001','taxi-tips','COMPLETE','2026-01-31T08:00:00.120Z','2026-01-31T08:00:09.120Z','{"rounds":300}','["examples","train"]','{"steps":2}',4242);
CREATE TABLE store (
    id         TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
INSERT INTO "store" VALUES('019c1300-0000-7000-8000-000000000000','2026-01-31T08:00:00.000Z');
CREATE INDEX runs_by_pipeline ON runs (pipeline, seq);
CREATE INDEX runs_at_work ON runs (pipeline) WHERE state = 'RUNNING';
CREATE INDEX executions_by_run ON executions (run_id);
CREATE INDEX executions_by_step ON executions (step, seq);
CREATE INDEX executions_by_fingerprint ON executions (fingerprint) WHERE state = 'COMPLETE';
CREATE INDEX artifacts_by_type ON artifacts (artifact_type, seq);
CREATE INDEX events_by_artifact ON events (artifact_id, direction);
CREATE INDEX alias_moves_by_model ON alias_moves (model, seq);
COMMIT;
PRAGMA user_version = 1;
