//! Jobs of the model server in a SQLite file.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Row as _, SqliteConnection, SqlitePool};
use tidemill_core::{Code, Failure};
use tidemill_serving::jobs::{
    AddedJob, Job, JobAnswer, JobCounts, JobEnd, JobError, JobState, JobStore, LeasedJob, NewJob,
};
use tokio::sync::{mpsc, oneshot};

/// The version of the tables, in `PRAGMA user_version`.
const FORMAT: i64 = 1;
/// Changes that are written in one transaction: what arrives while the disk works goes together.
const GROUP_MAX: usize = 256;
/// Jobs that may wait; more are refused.
const WAITING_MAX: u64 = 1_000_000;
/// How long another process may hold the write lock.
const BUSY: Duration = Duration::from_secs(30);

const SCHEMA: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS jobs (
        id TEXT PRIMARY KEY,
        key TEXT,
        path TEXT NOT NULL,
        body BLOB NOT NULL,
        json_bytes INTEGER,
        state INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        token INTEGER NOT NULL,
        due INTEGER NOT NULL,
        created INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        status INTEGER,
        content_type TEXT,
        answer BLOB,
        error TEXT
    ) STRICT",
    "CREATE UNIQUE INDEX IF NOT EXISTS jobs_key ON jobs(key) WHERE key IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS jobs_due ON jobs(state, due)",
];

/// Jobs in `.tidemill/jobs.db`. Several servers may share the file.
///
/// A job is acknowledged after the transaction that holds it has reached the disk (WAL, `synchronous = FULL`). One task writes:
/// changes that arrive while the disk works are written together, so the disk bounds transactions, not jobs.
#[derive(Debug)]
pub struct SqliteJobs {
    changes: mpsc::Sender<Change>,
    readers: SqlitePool,
}

type Reply<T> = oneshot::Sender<Result<T, JobError>>;

#[derive(Debug)]
enum Change {
    Add(NewJob, Reply<AddedJob>),
    Lease { now: i64, until: i64, most: usize, reply: Reply<Vec<LeasedJob>> },
    Renew { id: String, token: i64, until: i64, reply: Reply<bool> },
    Finish { id: String, token: i64, end: JobEnd, reply: Reply<bool> },
    Cancel(String, Reply<bool>),
    Retry { id: String, now: i64, reply: Reply<bool> },
    Sweep(i64, Reply<u64>),
}

/// What is sent once the transaction is on disk.
enum Done {
    Added(Reply<AddedJob>, Result<AddedJob, JobError>),
    Leased(Reply<Vec<LeasedJob>>, Result<Vec<LeasedJob>, JobError>),
    Changed(Reply<bool>, Result<bool, JobError>),
    Swept(Reply<u64>, Result<u64, JobError>),
}

impl SqliteJobs {
    /// Opens the file, and makes it if it does not exist.
    pub async fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |error: sqlx::Error| {
            let message = format!("the queue of jobs `{}` cannot be opened", path.display());
            Failure::new(Code::StoreUnavailable, message).with_cause(error)
        };
        tidemill_files::create_parent(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY);
        let mut connection = options.connect().await.map_err(failed)?;
        let version: i64 =
            sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await.map_err(failed)?;
        if version > FORMAT {
            let message = format!(
                "the queue of jobs `{}` has format {version}, and this Tidemill reads {FORMAT}",
                path.display()
            );
            return Err(Failure::new(Code::StoreVersion, message));
        }
        for statement in SCHEMA {
            sqlx::query(statement).execute(&mut connection).await.map_err(failed)?;
        }
        sqlx::query("PRAGMA user_version = 1").execute(&mut connection).await.map_err(failed)?;
        let readers = SqlitePoolOptions::new().max_connections(4).connect_with(options).await.map_err(failed)?;
        let (changes, inbox) = mpsc::channel(4 * GROUP_MAX);
        tokio::spawn(write(connection, inbox));
        Ok(Self { changes, readers })
    }

    async fn change<T>(&self, change: impl FnOnce(Reply<T>) -> Change) -> Result<T, JobError> {
        let gone = || JobError::Failed("its writer has ended".to_owned());
        let (reply, answered) = oneshot::channel();
        self.changes.send(change(reply)).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

fn failed(error: sqlx::Error) -> JobError {
    JobError::Failed(error.to_string())
}

/// Writes changes, as many as have arrived in one transaction. Nobody is told of a change before it is on disk.
async fn write(mut connection: SqliteConnection, mut inbox: mpsc::Receiver<Change>) {
    while let Some(first) = inbox.recv().await {
        let mut group = vec![first];
        while group.len() < GROUP_MAX
            && let Ok(next) = inbox.try_recv()
        {
            group.push(next);
        }
        let mut done = Vec::with_capacity(group.len());
        let written = write_group(&mut connection, group, &mut done).await;
        if let Err(error) = &written {
            tracing::error!(%error, "jobs could not be written");
            // What was begun is undone; if nothing was, this fails.
            let _ = sqlx::query("ROLLBACK").execute(&mut connection).await;
        }
        let lost = written.err();
        for done in done {
            done.send(lost.as_ref());
        }
    }
}

async fn write_group(
    connection: &mut SqliteConnection,
    group: Vec<Change>,
    done: &mut Vec<Done>,
) -> Result<(), JobError> {
    let begun = sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await.map_err(failed);
    for change in group {
        let ready = match &begun {
            Ok(_) => Ok(&mut *connection),
            Err(error) => Err(error.clone()),
        };
        done.push(apply(ready, change).await);
    }
    begun?;
    sqlx::query("COMMIT").execute(&mut *connection).await.map_err(failed).map(drop)
}

impl Done {
    fn send(self, lost: Option<&JobError>) {
        fn tell<T>(reply: Reply<T>, result: Result<T, JobError>, lost: Option<&JobError>) {
            // The caller may have left.
            let _ = reply.send(lost.map_or(result, |lost| Err(lost.clone())));
        }
        match self {
            Self::Added(reply, result) => tell(reply, result, lost),
            Self::Leased(reply, result) => tell(reply, result, lost),
            Self::Changed(reply, result) => tell(reply, result, lost),
            Self::Swept(reply, result) => tell(reply, result, lost),
        }
    }
}

async fn apply(connection: Result<&mut SqliteConnection, JobError>, change: Change) -> Done {
    match change {
        Change::Add(job, reply) => {
            let result = match connection {
                Ok(connection) => add(connection, job).await,
                Err(error) => Err(error),
            };
            Done::Added(reply, result)
        }
        Change::Lease { now, until, most, reply } => {
            let result = match connection {
                Ok(connection) => lease(connection, now, until, most).await,
                Err(error) => Err(error),
            };
            Done::Leased(reply, result)
        }
        Change::Sweep(now, reply) => {
            let result = match connection {
                Ok(connection) => {
                    let query = sqlx::query("DELETE FROM jobs WHERE expires <= ?").bind(now);
                    query.execute(connection).await.map(|result| result.rows_affected()).map_err(failed)
                }
                Err(error) => Err(error),
            };
            Done::Swept(reply, result)
        }
        Change::Renew { id, token, until, reply } => {
            let query = "UPDATE jobs SET due = ? WHERE id = ? AND token = ? AND state = 1";
            let result = match connection {
                Ok(connection) => affected(sqlx::query(query).bind(until).bind(id).bind(token), connection).await,
                Err(error) => Err(error),
            };
            Done::Changed(reply, result)
        }
        Change::Finish { id, token, end, reply } => {
            let result = match connection {
                Ok(connection) => finish(connection, id, token, end).await,
                Err(error) => Err(error),
            };
            Done::Changed(reply, result)
        }
        Change::Cancel(id, reply) => {
            let query = "UPDATE jobs SET state = 3 WHERE id = ? AND state IN (0, 1)";
            let result = match connection {
                Ok(connection) => affected(sqlx::query(query).bind(id), connection).await,
                Err(error) => Err(error),
            };
            Done::Changed(reply, result)
        }
        Change::Retry { id, now, reply } => {
            let query = "UPDATE jobs SET state = 0, attempts = 0, due = ? WHERE id = ? AND state IN (3, 4)";
            let result = match connection {
                Ok(connection) => affected(sqlx::query(query).bind(now).bind(id), connection).await,
                Err(error) => Err(error),
            };
            Done::Changed(reply, result)
        }
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

async fn affected(query: Query<'_>, connection: &mut SqliteConnection) -> Result<bool, JobError> {
    query.execute(connection).await.map(|result| result.rows_affected() > 0).map_err(failed)
}

async fn add(connection: &mut SqliteConnection, job: NewJob) -> Result<AddedJob, JobError> {
    if let Some(key) = &job.key {
        let known = sqlx::query("SELECT id, expires FROM jobs WHERE key = ?").bind(key);
        if let Some(row) = known.fetch_optional(&mut *connection).await.map_err(failed)? {
            return Ok(AddedJob { id: row.get(0), is_new: false, expires: row.get(1) });
        }
    }
    let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 0 LIMIT ?)")
        .bind(WAITING_MAX as i64)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if waiting as u64 >= WAITING_MAX {
        return Err(JobError::Full(WAITING_MAX));
    }
    let added = AddedJob { id: job.id.clone(), is_new: true, expires: job.expires };
    sqlx::query(
        "INSERT INTO jobs (id, key, path, body, json_bytes, state, attempts, token, due, created, expires)
         VALUES (?, ?, ?, ?, ?, 0, 0, 0, ?, ?, ?)",
    )
    .bind(job.id)
    .bind(job.key)
    .bind(job.path)
    .bind(job.body)
    .bind(job.json_bytes.map(|bytes| bytes as i64))
    .bind(job.created)
    .bind(job.created)
    .bind(job.expires)
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(added)
}

async fn lease(
    connection: &mut SqliteConnection,
    now: i64,
    until: i64,
    most: usize,
) -> Result<Vec<LeasedJob>, JobError> {
    let rows = sqlx::query(
        "UPDATE jobs SET state = 1, attempts = attempts + 1, token = token + 1, due = ?
         WHERE id IN (SELECT id FROM jobs WHERE state IN (0, 1) AND due <= ? AND expires > ? ORDER BY created LIMIT ?)
         RETURNING id, path, body, json_bytes, attempts, token",
    )
    .bind(until)
    .bind(now)
    .bind(now)
    .bind(most as i64)
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    let job = |row: &SqliteRow| LeasedJob {
        id: row.get(0),
        path: row.get(1),
        body: row.get(2),
        json_bytes: row.get::<Option<i64>, _>(3).map(|bytes| bytes as u64),
        attempt: row.get::<i64, _>(4) as u32,
        token: row.get(5),
    };
    Ok(rows.iter().map(job).collect())
}

async fn finish(connection: &mut SqliteConnection, id: String, token: i64, end: JobEnd) -> Result<bool, JobError> {
    let query = match end {
        JobEnd::Answered(answer) => {
            let query = "UPDATE jobs SET state = 2, status = ?, content_type = ?, answer = ?, error = NULL
                         WHERE id = ? AND token = ? AND state = 1";
            sqlx::query(query).bind(i64::from(answer.status)).bind(answer.content_type).bind(answer.body)
        }
        JobEnd::Again { due, error } => {
            let query = "UPDATE jobs SET state = 0, due = ?, error = ? WHERE id = ? AND token = ? AND state = 1";
            sqlx::query(query).bind(due).bind(error)
        }
        JobEnd::Dead { error } => {
            let query = "UPDATE jobs SET state = 4, error = ? WHERE id = ? AND token = ? AND state = 1";
            sqlx::query(query).bind(error)
        }
    };
    affected(query.bind(id).bind(token), connection).await
}

#[async_trait]
impl JobStore for SqliteJobs {
    async fn add(&self, job: NewJob) -> Result<AddedJob, JobError> {
        self.change(|reply| Change::Add(job, reply)).await
    }

    async fn lease(&self, now: i64, until: i64, most: usize) -> Result<Vec<LeasedJob>, JobError> {
        // Most of the time there is nothing to do: then nothing is written.
        let query = "SELECT EXISTS (SELECT 1 FROM jobs WHERE state IN (0, 1) AND due <= ?)";
        let any: bool = sqlx::query_scalar(query).bind(now).fetch_one(&self.readers).await.map_err(failed)?;
        if !any {
            return Ok(Vec::new());
        }
        self.change(|reply| Change::Lease { now, until, most, reply }).await
    }

    async fn renew(&self, id: &str, token: i64, until: i64) -> Result<bool, JobError> {
        let id = id.to_owned();
        self.change(|reply| Change::Renew { id, token, until, reply }).await
    }

    async fn finish(&self, id: &str, token: i64, end: JobEnd) -> Result<bool, JobError> {
        let id = id.to_owned();
        self.change(|reply| Change::Finish { id, token, end, reply }).await
    }

    async fn job(&self, id: &str) -> Result<Option<Job>, JobError> {
        let query = "SELECT state, attempts, expires, status, content_type, answer, error FROM jobs WHERE id = ?";
        let row = sqlx::query(query).bind(id).fetch_optional(&self.readers).await.map_err(failed)?;
        let Some(row) = row else { return Ok(None) };
        let state = usize::try_from(row.get::<i64, _>(0)).ok().and_then(|state| JobState::ALL.get(state).copied());
        let state = state.ok_or_else(|| JobError::Failed(format!("the state of job `{id}` is damaged")))?;
        let answer = match (row.get::<Option<i64>, _>(3), row.get(4), row.get(5)) {
            (Some(status), Some(content_type), Some(body)) => {
                Some(JobAnswer { status: u16::try_from(status).unwrap_or(500), content_type, body })
            }
            _ => None,
        };
        let attempts = row.get::<i64, _>(1) as u32;
        Ok(Some(Job { state, attempts, expires: row.get(2), answer, error: row.get(6) }))
    }

    async fn cancel(&self, id: &str) -> Result<bool, JobError> {
        let id = id.to_owned();
        self.change(|reply| Change::Cancel(id, reply)).await
    }

    async fn retry(&self, id: &str, now: i64) -> Result<bool, JobError> {
        let id = id.to_owned();
        self.change(|reply| Change::Retry { id, now, reply }).await
    }

    async fn sweep(&self, now: i64) -> Result<u64, JobError> {
        self.change(|reply| Change::Sweep(now, reply)).await
    }

    async fn counts(&self) -> Result<JobCounts, JobError> {
        let rows = sqlx::query("SELECT state, count(*) FROM jobs GROUP BY state");
        let mut counts = [0; 5];
        for row in rows.fetch_all(&self.readers).await.map_err(failed)? {
            let state = usize::try_from(row.get::<i64, _>(0)).ok();
            if let Some(count) = state.and_then(|state| counts.get_mut(state)) {
                *count = row.get::<i64, _>(1) as u64;
            }
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidemill_serving::jobs::MemoryJobs;

    use super::*;

    fn job(id: &str, key: Option<&str>, created: i64) -> NewJob {
        let (id, key) = (id.to_owned(), key.map(str::to_owned));
        let (path, body) = ("/v1/models/m:predict".to_owned(), b"{}".to_vec());
        NewJob { id, key, path, body, json_bytes: None, created, expires: created + 1000 }
    }

    fn answer(text: &str) -> JobEnd {
        let (status, content_type) = (200, "application/json".to_owned());
        JobEnd::Answered(JobAnswer { status, content_type, body: text.as_bytes().to_vec() })
    }

    /// What every store must do.
    async fn suite(store: &dyn JobStore) {
        assert_eq!(
            store.add(job("a", Some("k"), 0)).await.unwrap(),
            AddedJob { id: "a".into(), is_new: true, expires: 1000 }
        );
        let again = store.add(job("b", Some("k"), 5)).await.unwrap();
        assert_eq!((again.id.as_str(), again.is_new), ("a", false));
        store.add(job("c", None, 10)).await.unwrap();
        // The oldest first, as many as wanted, and none twice.
        let leased = store.lease(20, 100, 1).await.unwrap();
        assert_eq!((leased.len(), leased[0].id.as_str(), leased[0].attempt), (1, "a", 1));
        assert_eq!(store.lease(20, 100, 9).await.unwrap().len(), 1);
        assert!(store.lease(99, 200, 9).await.unwrap().is_empty());
        // The worker of `a` has died: another one gets it, and the first one's answer does not count.
        let second = store.lease(100, 200, 1).await.unwrap();
        assert_eq!((second[0].id.as_str(), second[0].attempt), ("a", 2));
        assert!(!store.finish("a", leased[0].token, answer("late")).await.unwrap());
        assert!(!store.renew("a", leased[0].token, 900).await.unwrap());
        assert!(store.renew("a", second[0].token, 300).await.unwrap());
        assert!(store.finish("a", second[0].token, answer("first")).await.unwrap());
        assert!(!store.finish("a", second[0].token, answer("second")).await.unwrap());
        let done = store.job("a").await.unwrap().unwrap();
        assert_eq!((done.state, done.answer.unwrap().body), (JobState::Done, b"first".to_vec()));
        assert!(!store.cancel("a").await.unwrap() && !store.retry("a", 0).await.unwrap());
        // Failures, until it is dead; then a person lets it be tried again, and cancels it.
        let third = store.lease(150, 160, 9).await.unwrap();
        assert_eq!(third[0].id, "c");
        let again = JobEnd::Again { due: 500, error: "no".into() };
        assert!(store.finish("c", third[0].token, again).await.unwrap());
        assert!(store.lease(499, 600, 9).await.unwrap().is_empty());
        let fourth = store.lease(500, 600, 9).await.unwrap();
        assert!(store.finish("c", fourth[0].token, JobEnd::Dead { error: "no more".into() }).await.unwrap());
        let dead = store.job("c").await.unwrap().unwrap();
        assert_eq!((dead.state, dead.error.as_deref(), dead.attempts), (JobState::Dead, Some("no more"), 3));
        assert!(store.retry("c", 600).await.unwrap());
        assert!(store.cancel("c").await.unwrap());
        assert!(store.lease(700, 800, 9).await.unwrap().is_empty());
        assert_eq!(store.counts().await.unwrap(), [0, 0, 1, 1, 0]);
        assert_eq!(store.sweep(1005).await.unwrap(), 1);
        assert!(store.job("a").await.unwrap().is_none());
        // Its key may be used again.
        assert!(store.add(job("d", Some("k"), 2000)).await.unwrap().is_new);
    }

    #[tokio::test]
    async fn stores_keep_what_they_promise() {
        suite(&MemoryJobs::default()).await;
        let dir = tempfile::tempdir().unwrap();
        suite(&SqliteJobs::open(&dir.path().join("jobs.db")).await.unwrap()).await;
    }

    #[tokio::test]
    async fn jobs_survive_and_many_are_written_together() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store/jobs.db");
        let store = Arc::new(SqliteJobs::open(&path).await.unwrap());
        let mut adding = tokio::task::JoinSet::new();
        for number in 0..2000 {
            let store = Arc::clone(&store);
            adding.spawn(async move { store.add(job(&format!("job-{number}"), None, number)).await });
        }
        while let Some(added) = adding.join_next().await {
            assert!(added.unwrap().unwrap().is_new);
        }
        drop(store);
        let store = SqliteJobs::open(&path).await.unwrap();
        assert_eq!(store.counts().await.unwrap(), [2000, 0, 0, 0, 0]);
        std::fs::write(dir.path().join("text.db"), "not a database, and long enough to be read as the head of one")
            .unwrap();
        assert!(SqliteJobs::open(&dir.path().join("text.db")).await.unwrap_err().message.contains("text.db"));
    }
}
