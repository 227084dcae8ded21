//! Opens, creates and migrates the file.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqlSafeStr as _, SqlitePool};
use tempfile::TempDir;

use crate::{StoreError, StoreId, millis};

/// Version of the tables: the number of the last migration, kept in `PRAGMA user_version`.
pub const SCHEMA_VERSION: i64 = 2;

/// Number, name and statements of every migration. The macro of sqlx would embed them too, and have the database driver
/// compiled a second time for it.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "record", include_str!("../../migrations/0001_record.sql")),
    (2, "schedules", include_str!("../../migrations/0002_schedules.sql")),
];

fn migrator() -> Migrator {
    let migration = |(number, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(*number, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(MIGRATIONS.iter().map(migration).collect())
}

/// How long a writer waits for another process to finish its transaction.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Opens the store; if it is up to date, this reads only one `PRAGMA`.
pub(super) async fn open(path: &Path) -> Result<SqlitePool, StoreError> {
    if !path.exists() || needs_migration(path, version(path).await?)? {
        prepare(path).await?;
    }
    pool(path, options(path)).await
}

/// Opens an existing store, even if nothing can be written: on a full or read-only disk.
///
/// Returns the folder of the copy to read, if one is needed.
pub(super) async fn open_to_read(path: &Path) -> Result<(SqlitePool, Option<TempDir>), StoreError> {
    let refused = match version(path).await {
        // A store of an older version has to be migrated first.
        Ok(found) if needs_migration(path, found)? => return Ok((open(path).await?, None)),
        Ok(_) => return Ok((pool(path, options(path)).await?, None)),
        Err(refused) => refused,
    };
    // The write-ahead log needs an index beside it, which cannot be created here. If the log is empty, the file alone
    // is complete.
    let log = with_suffix(path, "-wal");
    if !fs::metadata(&log).is_ok_and(|found| found.len() > 0) {
        let alone = options(path).read_only(true).immutable(true);
        return pool(path, alone).await.map(|pool| (pool, None)).map_err(|_| refused);
    }
    for folder in [std::env::temp_dir(), PathBuf::from("/dev/shm")] {
        let Ok(copy) = tempfile::tempdir_in(folder) else { continue };
        let to = copy.path().join("metadata.db");
        if fs::copy(path, &to).is_ok()
            && fs::copy(&log, with_suffix(&to, "-wal")).is_ok()
            && let Ok(pool) = pool(&to, options(&to)).await
        {
            return Ok((pool, Some(copy)));
        }
    }
    Err(refused)
}

async fn pool(path: &Path, options: SqliteConnectOptions) -> Result<SqlitePool, StoreError> {
    SqlitePoolOptions::new()
        .max_connections(8)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(|error| StoreError::unavailable(path, error))
}

/// `metadata.db` → `metadata.db-wal`.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(super) fn options(path: &Path) -> SqliteConnectOptions {
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

/// Creates or migrates the file, while other processes that want the same wait.
async fn prepare(path: &Path) -> Result<(), StoreError> {
    tidemill_files::create_parent(path)?;
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
        // A migration may build a table again that others refer to.
        let options = options(path).foreign_keys(false);
        let mut connection = options.connect().await.map_err(|error| StoreError::unavailable(path, error))?;
        migrate(path, &mut connection).await?;
        connection.close().await.map_err(|error| StoreError::unavailable(path, error))?;
    }
    Ok(())
}

/// Creates the file under another name first: a process that finds it under its final name finds it complete.
async fn create(path: &Path) -> Result<(), StoreError> {
    let failed = |error: sqlx::Error| StoreError::unavailable(path, error);
    let draft = path.with_extension("db.new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(StoreError::unavailable(&draft, error));
        }
        _ => {}
    }
    // Without a log at first, so that the file alone is complete when it is renamed.
    let options = options(&draft).create_if_missing(true).foreign_keys(false).journal_mode(SqliteJournalMode::Memory);
    let mut connection = options.connect().await.map_err(failed)?;
    migrate(path, &mut connection).await?;
    connection.close().await.map_err(failed)?;
    File::open(&draft).and_then(|file| file.sync_all()).map_err(|error| StoreError::unavailable(&draft, error))?;
    fs::rename(&draft, path).map_err(|error| StoreError::unavailable(path, error))?;
    Ok(tidemill_files::sync_folder(path.parent().unwrap_or(Path::new(".")))?)
}

/// Applies the missing migrations, gives the store an id, and switches to write-ahead logging, which the file
/// remembers.
async fn migrate(path: &Path, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let failed = |error| StoreError::unavailable(path, error);
    migrator().run_direct(None, connection, false).await.map_err(|error| StoreError::unavailable(path, error))?;
    sqlx::query("INSERT INTO store (id, created_at) SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM store)")
        .bind(StoreId::generate().as_str())
        .bind(millis::text(millis::now()))
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    enable_log(connection).await.map_err(failed)
}

async fn enable_log(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("PRAGMA journal_mode = WAL").execute(connection).await.map(|_| ())
}

/// Prepares a file restored from a backup: it is complete on its own, so write-ahead logging is switched on again.
pub(crate) async fn prepare_restored(path: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::unavailable(path, error);
    needs_migration(path, version(path).await?)?;
    let mut connection = options(path).connect().await.map_err(failed)?;
    enable_log(&mut connection).await.map_err(failed)?;
    connection.close().await.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_version_is_the_last_migration() {
        assert_eq!(MIGRATIONS.iter().map(|(number, ..)| *number).max(), Some(SCHEMA_VERSION));
    }
}
