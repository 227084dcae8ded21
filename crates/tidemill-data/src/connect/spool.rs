//! Copies on this machine of what is elsewhere.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use tempfile::TempDir;

use super::split_url;
use crate::source::{Format, InputFile};
use crate::{BatchReader, DataError, write_table};

/// A temporary folder with copies, removed with this. The copy of `s3://bucket/key` is `s3/bucket/key` in it, so that
/// names and the folders they lie in are as they were.
#[derive(Debug)]
pub(crate) struct Spool {
    dir: TempDir,
    /// Copies that have another name than their original: rows of a query.
    names: BTreeMap<PathBuf, PathBuf>,
}

impl Spool {
    pub(crate) fn new() -> Result<Self, DataError> {
        let dir = tempfile::Builder::new().prefix("tidemill-").tempdir();
        let dir = dir.map_err(|error| DataError::write(&std::env::temp_dir(), error))?;
        Ok(Self { dir, names: BTreeMap::new() })
    }

    /// Where the copy of a URL stands; its folder is made.
    pub(crate) fn place(&self, url: &Path) -> Result<PathBuf, DataError> {
        let odd = || DataError::malformed(url, None, "a file cannot have this name");
        let (scheme, rest) = url.to_str().and_then(split_url).ok_or_else(odd)?;
        let plain = Path::new(rest).components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || rest.ends_with('/') {
            return Err(odd());
        }
        let path = self.dir.path().join(scheme).join(rest);
        let folder = path.parent().unwrap_or(&path);
        std::fs::create_dir_all(folder).map_err(|error| DataError::write(folder, error))?;
        Ok(path)
    }

    /// Where the copies of what is in a folder stand.
    pub(crate) fn folder(&self, url: &Path) -> PathBuf {
        let mut parts = url.components();
        let scheme = parts.next().map(|part| part.as_os_str().to_string_lossy().trim_end_matches(':').to_owned());
        self.dir.path().join(scheme.unwrap_or_default()).join(parts.as_path())
    }

    /// Keeps the rows of a query, as the `number`th file; `name` is what they are called.
    pub(crate) fn take_rows(&mut self, rows: BatchReader, name: &str, number: usize) -> Result<InputFile, DataError> {
        let path = self.dir.path().join(format!("query-{number}.parquet"));
        self.names.insert(path.clone(), PathBuf::from(name));
        let written = write_table(&path, rows).map_err(|error| self.tell(error))?;
        debug_assert!(written > 0, "a database gives rows or an error");
        Ok(InputFile { path, format: Format::Parquet, root: None })
    }

    /// What a copy is a copy of; the path itself where it is none.
    pub(crate) fn original(&self, path: &Path) -> PathBuf {
        if let Some(name) = self.names.get(path) {
            return name.clone();
        }
        let url = path.strip_prefix(self.dir.path()).ok().and_then(|inside| {
            let (scheme, rest) = inside.to_str()?.split_once('/')?;
            Some(PathBuf::from(format!("{scheme}://{rest}")))
        });
        url.unwrap_or_else(|| path.to_owned())
    }

    /// The error with the names of originals in it.
    pub(crate) fn tell(&self, mut error: DataError) -> DataError {
        for path in error.paths_mut() {
            *path = self.original(path);
        }
        error
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn copies_remember_what_they_are_copies_of() {
        let spool = Spool::new().unwrap();
        let url = Path::new("s3://bucket/a b/trips.csv");
        let place = spool.place(url).unwrap();
        assert!(place.ends_with("s3/bucket/a b/trips.csv"));
        assert_eq!(spool.original(&place).display().to_string(), "s3://bucket/a b/trips.csv");
        assert!(place.starts_with(spool.folder(Path::new("s3://bucket/a b"))));
        assert_eq!(spool.original(Path::new("/data/x.csv")), Path::new("/data/x.csv"));
        let error = spool.tell(DataError::malformed(&place, Some(3), "a quote is not closed"));
        assert_eq!(error.to_string(), "`s3://bucket/a b/trips.csv` line 3: a quote is not closed");
        for odd in ["s3://bucket/../x", "s3://bucket/a/", "s3:///etc/passwd"] {
            assert!(spool.place(Path::new(odd)).is_err(), "{odd}");
        }
    }
}
