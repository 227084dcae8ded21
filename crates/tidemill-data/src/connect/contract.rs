//! What a program brings along to reach data that is elsewhere.

use std::fmt;
use std::path::{Path, PathBuf};

use tidemill_core::Digest;

use super::connectors::shown;
use crate::{BatchReader, DataError};

/// An object of a store, as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its URL: `s3://bucket/data/trips.csv`.
    pub path: PathBuf,
    /// Its bytes.
    pub size: u64,
    /// What changes when its content does, as the store says it: entity tag, version, time.
    pub tag: String,
    /// The entity tag alone, to ask for these very bytes.
    pub e_tag: Option<String>,
}

impl RemoteFile {
    /// Stands for the content without a look at it: equal where tag and size are.
    pub fn digest(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"tidemill object v1\n").update(&self.size.to_le_bytes()).update(self.tag.as_bytes());
        Digest::from_bytes(hasher.finalize().as_bytes())
    }
}

/// Stores of files that have URLs: `s3://bucket/key`.
///
/// Calls block, and may come from any thread.
pub trait FileStore: Send + Sync + fmt::Debug {
    /// The schemes of its URLs: `s3`.
    fn schemes(&self) -> &[&'static str];

    /// The object at `url`, if there is one, and every object below the folder `url`; in any order.
    ///
    /// Nothing there is an empty list. No credentials, no such bucket, no permission are errors.
    fn list(&self, url: &str) -> Result<Vec<RemoteFile>, DataError>;

    /// Copies objects to new files, whose folders exist.
    ///
    /// An object that is no longer the one that was listed is an error.
    fn fetch(&self, files: &[(RemoteFile, PathBuf)]) -> Result<(), DataError>;

    /// Copies a file to `url`, where it appears when it is complete.
    fn send(&self, from: &Path, url: &str) -> Result<(), DataError>;
}

/// A question to a database. Values are bound, never part of the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Query {
    /// Where: `sqlite://rides.db`, `postgres://user@host/db`.
    pub connection: String,
    /// The folder that a relative path in the URL starts at.
    pub base: PathBuf,
    /// The password, where the URL does not hold it.
    pub password: Option<String>,
    /// Pieces of the text; between two of them stands a value.
    pub pieces: Vec<String>,
    /// The values: one fewer than there are pieces.
    pub values: Vec<QueryValue>,
}

impl Query {
    /// A query without values; relative paths start at the current folder.
    pub fn new(connection: &str, text: &str) -> Self {
        let (connection, pieces) = (connection.to_owned(), vec![text.to_owned()]);
        Self { connection, base: PathBuf::new(), password: None, pieces, values: Vec::new() }
    }

    /// The connection as it may be shown: no password, no options.
    pub fn place(&self) -> String {
        shown(&self.connection)
    }
}

/// A value that is bound to a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryValue {
    /// A whole number.
    Int(i64),
    /// A date as in `2024-02-29`.
    Date(String),
}

impl fmt::Debug for Query {
    /// Leaves out the connection and the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query").field("pieces", &self.pieces).field("values", &self.values).finish_non_exhaustive()
    }
}

/// Databases that have URLs: `sqlite://rides.db`.
///
/// Calls block, and may come from any thread. A query can only read: the connection refuses anything else.
pub trait Database: Send + Sync + fmt::Debug {
    /// The schemes of its URLs: `sqlite`.
    fn schemes(&self) -> &[&'static str];

    /// The rows of a query in the order the database gives them, all of one state of the database.
    ///
    /// No row at all is [`DataError::SourceEmpty`].
    fn rows(&self, query: &Query) -> Result<BatchReader, DataError>;

    /// Stands for everything the query would give now, whatever the order of rows.
    ///
    /// Equal rows give an equal digest; it may change where the rows have not.
    fn digest(&self, query: &Query) -> Result<Digest, DataError>;

    /// The only value of the only row of a query, as text; `None` where it is null.
    fn value(&self, query: &Query) -> Result<Option<String>, DataError>;
}
