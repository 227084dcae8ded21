//! Checkpoints, copies and checks of the file.

use std::path::Path;

use sqlx::Row as _;

use super::SqliteStore;
use super::open::BUSY_TIMEOUT;
use crate::StoreError;

/// How long a checkpoint waits for readers. The next checkpoint moves what it leaves.
const CHECKPOINT_TIMEOUT_MILLIS: u32 = 250;

impl SqliteStore {
    /// Moves the write-ahead log into the file and forces it to disk, so that a copy of the file alone is complete.
    ///
    /// Best effort: a reader of an old state, or a full disk, keeps the log as it is, and nothing is lost.
    pub async fn checkpoint(&self) {
        let Ok(mut connection) = self.pool.acquire().await else { return };
        let timeout = BUSY_TIMEOUT.as_millis();
        for statement in [
            format!("PRAGMA busy_timeout = {CHECKPOINT_TIMEOUT_MILLIS}"),
            "PRAGMA wal_checkpoint(TRUNCATE)".to_owned(),
            format!("PRAGMA busy_timeout = {timeout}"),
        ] {
            let _ = sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut *connection).await;
        }
    }

    /// Writes a copy of the current database to `to`, which must not exist, while other processes keep using it.
    pub async fn copy_to(&self, to: &Path) -> Result<(), StoreError> {
        self.require_file()?;
        let target = to.to_str().ok_or_else(|| StoreError::unavailable(to, "its path is not UTF-8"))?;
        sqlx::query("VACUUM INTO ?")
            .bind(target)
            .execute(&self.pool)
            .await
            .map_err(|error| StoreError::unavailable(to, error))?;
        Ok(())
    }

    /// Problems of the database, a line each: pages, indexes, rows that refer to nothing.
    pub async fn integrity(&self) -> Result<Vec<String>, StoreError> {
        self.require_file()?;
        let mut problems = Vec::new();
        let lines: Result<Vec<String>, _> = sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&self.pool).await;
        match lines {
            Ok(lines) => problems.extend(lines.into_iter().filter(|line| line != "ok")),
            Err(error) => problems.push(self.failed(error).to_string()),
        }
        match sqlx::query("PRAGMA foreign_key_check").fetch_all(&self.pool).await {
            Ok(rows) => {
                for row in rows {
                    let table: String = row.try_get(0).unwrap_or_default();
                    let parent: String = row.try_get(2).unwrap_or_default();
                    problems.push(format!("a row of `{table}` refers to a row of `{parent}` that is not there"));
                }
            }
            Err(error) => problems.push(self.failed(error).to_string()),
        }
        Ok(problems)
    }
}
