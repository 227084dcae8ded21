//! The stores and databases a program can reach.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use tidemill_core::Code;

use super::{Database, FileStore, Listing, Query, RemoteFile, Spool, Tree, is_url, split_url};
use crate::source::{InputFile, ReadOptions, Table, resolve};
use crate::{BatchReader, DataError, write_table};

/// The stores and databases a program can reach; none by default.
#[derive(Debug, Clone, Default)]
pub struct Connectors {
    stores: Vec<Arc<dyn FileStore>>,
    databases: Vec<Arc<dyn Database>>,
}

impl Connectors {
    /// The same and a store of files.
    pub fn with_store(mut self, store: impl FileStore + 'static) -> Self {
        self.stores.push(Arc::new(store));
        self
    }

    /// The same and a database.
    pub fn with_database(mut self, database: impl Database + 'static) -> Self {
        self.databases.push(Arc::new(database));
        self
    }

    /// As [`crate::open_table`], where `path` may also be a URL of a store (`s3://bucket/data/*.csv`) or of a database
    /// with a query (`sqlite://rides.db?query=SELECT …`; everything after `query=` is the query).
    ///
    /// What is elsewhere is copied to a temporary folder first, which lasts as long as the reader.
    pub fn open_table(&self, path: &Path, options: &ReadOptions) -> Result<BatchReader, DataError> {
        self.table(path, options)?.read()
    }

    /// As [`Connectors::open_table`], to be read more than once.
    pub fn table(&self, path: &Path, options: &ReadOptions) -> Result<Table, DataError> {
        let Some(url) = path.to_str().filter(|text| split_url(text).is_some()) else {
            return Table::open(path, options);
        };
        if let Some((connection, query)) = url.split_once("?query=") {
            let query = Query::new(connection, query);
            let database = self.database(&query.connection)?;
            let mut spool = Spool::new()?;
            let input = spool.take_rows(database.rows(&query)?, &query.place(), 0)?;
            return Table::of_spooled(path, vec![input], options, Some(Arc::new(spool)));
        }
        if self.databases.iter().any(|database| serves(database.schemes(), url)) {
            let message = format!("`{}` is a database: say which rows", shown(url));
            let hint = format!("as in `{}?query=SELECT * FROM rides`", shown(url));
            return Err(DataError::Outside { code: Code::Query, message, hint: Some(hint), source: None });
        }
        let listing = self.listing(url)?;
        let inputs = resolve(&Tree::Listing(&listing), path, options.format)?;
        let remote: Vec<RemoteFile> = inputs.iter().filter_map(|input| listing.get(&input.path)).cloned().collect();
        let (inputs, spool) = self.bring(inputs, &remote)?;
        Table::of_spooled(path, inputs, options, spool)
    }

    /// As [`crate::write_table`], where `path` may also be a URL of a store: there the file appears when it is complete.
    pub fn write_table(
        &self,
        path: &Path,
        batches: impl Iterator<Item = Result<RecordBatch, DataError>>,
    ) -> Result<u64, DataError> {
        let Some(url) = path.to_str().filter(|text| split_url(text).is_some()) else {
            return write_table(path, batches);
        };
        let store = self.store(url)?;
        let spool = Spool::new()?;
        let copy = spool.place(path)?;
        let rows = write_table(&copy, batches).map_err(|error| spool.tell(error))?;
        store.send(&copy, url).map_err(|error| spool.tell(error))?;
        Ok(rows)
    }

    /// The store that `url` belongs to.
    pub fn store(&self, url: &str) -> Result<&dyn FileStore, DataError> {
        let found = self.stores.iter().find(|store| serves(store.schemes(), url));
        found.map(|store| &**store).ok_or_else(|| self.unknown(url))
    }

    /// The database that `url` belongs to.
    pub fn database(&self, url: &str) -> Result<&dyn Database, DataError> {
        let found = self.databases.iter().find(|database| serves(database.schemes(), url));
        found.map(|database| &**database).ok_or_else(|| self.unknown(url))
    }

    /// Everything that a path, a folder or a pattern at a store may stand for.
    pub(crate) fn listing(&self, url: &str) -> Result<Listing, DataError> {
        let store = self.store(url)?;
        Ok(Listing::new(store.list(literal_part(url))?))
    }

    /// Copies those files of a source that are elsewhere; `remote` has them as they were listed.
    pub(crate) fn bring(
        &self,
        mut inputs: Vec<InputFile>,
        remote: &[RemoteFile],
    ) -> Result<(Vec<InputFile>, Option<Arc<Spool>>), DataError> {
        if remote.is_empty() {
            return Ok((inputs, None));
        }
        let spool = Spool::new()?;
        for store in &self.stores {
            let mut files: Vec<(RemoteFile, PathBuf)> = Vec::new();
            for file in remote.iter().filter(|file| serves(store.schemes(), &file.path.to_string_lossy())) {
                files.push((file.clone(), spool.place(&file.path)?));
            }
            store.fetch(&files)?;
        }
        for input in inputs.iter_mut().filter(|input| is_url(&input.path)) {
            input.path = spool.place(&input.path)?;
            input.root = input.root.as_deref().map(|root| spool.folder(root));
        }
        Ok((inputs, Some(Arc::new(spool))))
    }

    /// Asks databases and keeps the rows of each query as a file, which errors call by the name given.
    pub(crate) fn ask(&self, queries: &[(String, Query)]) -> Result<(Vec<InputFile>, Option<Arc<Spool>>), DataError> {
        let mut spool = Spool::new()?;
        let mut inputs = Vec::with_capacity(queries.len());
        for (number, (name, query)) in queries.iter().enumerate() {
            let rows = self.database(&query.connection)?.rows(query)?;
            inputs.push(spool.take_rows(rows, name, number)?);
        }
        Ok((inputs, Some(Arc::new(spool))))
    }

    fn unknown(&self, url: &str) -> DataError {
        let schemes = self.stores.iter().flat_map(|store| store.schemes());
        let schemes = schemes.chain(self.databases.iter().flat_map(|database| database.schemes()));
        let known: Vec<String> = schemes.map(|scheme| format!("`{scheme}://`")).collect();
        let hint = if known.is_empty() {
            "only files are read here".to_owned()
        } else {
            format!("known are {}", known.join(", "))
        };
        let message = format!("`{}` is of no kind that is read", shown(url));
        DataError::Outside { code: Code::UnknownFormat, message, hint: Some(hint), source: None }
    }
}

fn serves(schemes: &[&str], url: &str) -> bool {
    split_url(url).is_some_and(|(scheme, _)| schemes.contains(&scheme))
}

/// Up to the last `/` before anything that stands for more than itself; the whole where nothing does.
fn literal_part(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    match url[start..].find(['*', '?', '[', '{']) {
        None => &url[..start + url[start..].trim_end_matches('/').len()],
        Some(at) => url[..start + at].rsplit_once('/').map_or(url, |(folder, _)| folder),
    }
}

/// What the rows at a path or URL are called: the name of the file, folder or database.
pub fn dataset_name(path: &Path) -> String {
    let shown = shown(&path.to_string_lossy());
    let name = if is_url(path) { Path::new(&shown).file_name() } else { path.file_name() };
    name.map_or(shown.clone(), |name| name.to_string_lossy().into_owned())
}

/// A URL as it may be shown: without a password, and without what follows `?`.
pub(crate) fn shown(url: &str) -> String {
    let url = url.split_once('?').map_or(url, |(url, _)| url);
    let Some((scheme, rest)) = split_url(url) else { return url.to_owned() };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    match authority.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split_once(':').map_or(user, |(user, _)| user);
            format!("{scheme}://{user}@{host}{path}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_is_what_stands_for_itself() {
        assert_eq!(literal_part("s3://b/data/trips.csv"), "s3://b/data/trips.csv");
        assert_eq!(literal_part("s3://b/data/"), "s3://b/data");
        assert_eq!(literal_part("s3://b/data/span-{SPAN}/*.csv"), "s3://b/data");
        assert_eq!(literal_part("s3://b/*.csv"), "s3://b");
        assert_eq!(literal_part("s3://"), "s3://");
        assert_eq!(literal_part("s3://b/a/**/x-[0-9].csv"), "s3://b/a");
    }

    #[test]
    fn no_password_is_shown() {
        assert_eq!(shown("postgres://me:secret@host:5432/db?sslmode=require"), "postgres://me@host:5432/db");
        assert_eq!(shown("postgres://host/db"), "postgres://host/db");
        assert_eq!(shown("postgres://me:s@cr@t@host/db"), "postgres://me@host/db");
        assert_eq!(shown("sqlite://data/rides.db"), "sqlite://data/rides.db");
    }

    #[test]
    fn schemes_nobody_serves_are_named() {
        let error = Connectors::default().table(Path::new("ftp://host/a.csv"), &ReadOptions::default()).unwrap_err();
        assert_eq!(error.to_string(), "`ftp://host/a.csv` is of no kind that is read");
    }
}
