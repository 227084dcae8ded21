//! Opening the file, making it, and bringing it up to date.

use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqlitePool};

use crate::StoreError;

/// Version of the tables: the number of the last migration, kept in `PRAGMA user_version`.
pub const SCHEMA_VERSION: i64 = 1;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// How long a writer waits for another process to finish its transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Opens the store; nothing but one `PRAGMA` is read when it is up to date.
pub(super) async fn open(path: &Path) -> Result<SqlitePool, StoreError> {
    if !path.exists() || needs_migration(path, version(path).await?)? {
        prepare(path).await?;
    }
    SqlitePoolOptions::new()
        .max_connections(8)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options(path))
        .await
        .map_err(|error| StoreError::unavailable(path, error))
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .synchronous(SqliteSynchronous::Normal)
        .disable_statement_logging()
}

async fn version(path: &Path) -> Result<i64, StoreError> {
    let failed = |error| StoreError::unavailable(path, error);
    let mut connection = options(path).connect().await.map_err(failed)?;
    let version = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await.map_err(failed)?;
    connection.close().await.map_err(failed)?;
    Ok(version)
}

fn needs_migration(path: &Path, found: i64) -> Result<bool, StoreError> {
    if found > SCHEMA_VERSION {
        return Err(StoreError::Version { path: path.to_owned(), found, known: SCHEMA_VERSION });
    }
    Ok(found < SCHEMA_VERSION)
}

/// Makes the file or brings it up to date, while other processes that want the same wait.
async fn prepare(path: &Path) -> Result<(), StoreError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| StoreError::unavailable(folder, error))?;
    }
    let lock_path = path.with_extension("lock");
    let waiting = lock_path.clone();
    let _lock = tokio::task::spawn_blocking(move || -> std::io::Result<File> {
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(waiting)?;
        lock.lock()?;
        Ok(lock)
    })
    .await
    .map_err(|error| StoreError::unavailable(&lock_path, error))?
    .map_err(|error| StoreError::unavailable(&lock_path, error))?;

    if !path.exists() {
        return create(path).await;
    }
    if needs_migration(path, version(path).await?)? {
        let mut connection = options(path).connect().await.map_err(|error| StoreError::unavailable(path, error))?;
        migrate(path, &mut connection).await?;
        connection.close().await.map_err(|error| StoreError::unavailable(path, error))?;
    }
    Ok(())
}

/// Makes the file under another name first: whoever finds it under its own finds it whole.
async fn create(path: &Path) -> Result<(), StoreError> {
    let failed = |error: sqlx::Error| StoreError::unavailable(path, error);
    let draft = path.with_extension("db.new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(StoreError::unavailable(&draft, error));
        }
        _ => {}
    }
    // Without a log at first, so that the file alone holds everything when it is renamed.
    let options = options(&draft).create_if_missing(true).journal_mode(SqliteJournalMode::Memory);
    let mut connection = options.connect().await.map_err(failed)?;
    migrate(path, &mut connection).await?;
    connection.close().await.map_err(failed)?;
    fs::rename(&draft, path).map_err(|error| StoreError::unavailable(path, error))
}

/// Applies the migrations that are missing, and switches to write-ahead logging, which the file remembers.
async fn migrate(path: &Path, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    MIGRATIONS.run_direct(None, connection, false).await.map_err(|error| StoreError::unavailable(path, error))?;
    sqlx::query("PRAGMA journal_mode = WAL")
        .execute(connection)
        .await
        .map_err(|error| StoreError::unavailable(path, error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_version_is_the_last_migration() {
        assert_eq!(MIGRATIONS.iter().map(|migration| migration.version).max(), Some(SCHEMA_VERSION));
    }
}
