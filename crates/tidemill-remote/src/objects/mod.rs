//! Object stores: S3 and compatible stores, Google Cloud Storage, Azure Blob Storage.

mod client;
mod explain;
mod place;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::buffered::BufWriter;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _};
use tidemill_data::{DataError, FileStore, RemoteFile};
use tokio::io::{AsyncWriteExt as _, BufWriter as Buffered};

use self::client::client;
use self::explain::{changed, explain, too_many, unwritable};
use self::place::Place;
use crate::background::wait;

/// The maximum number of objects listed: a million entries take some hundred megabytes.
const LISTED_MAX: usize = 1_000_000;

/// Bytes per request for an object.
const PIECE_BYTES: u64 = 64 << 20;

/// How many objects are copied at a time.
const AT_ONCE: usize = 8;

/// Objects at `s3://`, `gs://` and `az://` URLs, with credentials and endpoints from the usual environment variables.
#[derive(Debug, Default)]
pub struct ObjectStores {
    clients: Mutex<HashMap<String, Arc<dyn ObjectStore>>>,
}

impl ObjectStores {
    fn open(&self, url: &str) -> Result<(Place, Arc<dyn ObjectStore>), DataError> {
        let place = Place::parse(url)?;
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&place.root) {
            return Ok((place, client.clone()));
        }
        let made = client(&place)?;
        clients.insert(place.root.clone(), made.clone());
        Ok((place, made))
    }
}

impl FileStore for ObjectStores {
    fn schemes(&self) -> &[&'static str] {
        place::SCHEMES
    }

    fn list(&self, url: &str) -> Result<Vec<RemoteFile>, DataError> {
        let (place, client) = self.open(url)?;
        wait(list(place, client))
    }

    fn fetch(&self, files: &[(RemoteFile, PathBuf)]) -> Result<(), DataError> {
        let mut copies = Vec::with_capacity(files.len());
        for (file, to) in files {
            let (place, client) = self.open(&file.path.to_string_lossy())?;
            copies.push(fetch(place, client, file.clone(), to.clone()));
        }
        wait(async move { stream::iter(copies).buffer_unordered(AT_ONCE).try_collect().await })
    }

    fn send(&self, from: &Path, url: &str) -> Result<(), DataError> {
        let (place, client) = self.open(url)?;
        wait(send(from.to_owned(), place, client))
    }
}

async fn list(place: Place, client: Arc<dyn ObjectStore>) -> Result<Vec<RemoteFile>, DataError> {
    let mut denied = None;
    if !place.key.as_ref().is_empty() {
        match client.head(&place.key).await {
            // An empty object may only mark a folder.
            Ok(found) if found.size > 0 => return Ok(vec![remote_file(&place, &found)]),
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => denied = Some(error),
        }
    }
    let mut files = Vec::new();
    let prefix = (!place.key.as_ref().is_empty()).then_some(&place.key);
    let mut objects = client.list(prefix);
    while let Some(found) = objects.next().await {
        files.push(remote_file(&place, &found.map_err(|error| explain(&place, error))?));
        if files.len() > LISTED_MAX {
            return Err(too_many(&place, LISTED_MAX));
        }
    }
    match denied {
        Some(error) if files.is_empty() => Err(explain(&place, error)),
        _ => Ok(files),
    }
}

/// The listed object as a [`RemoteFile`].
fn remote_file(place: &Place, meta: &ObjectMeta) -> RemoteFile {
    let e_tag = meta.e_tag.as_deref().map(unquoted);
    let tag = match (&e_tag, &meta.version) {
        (Some(tag), _) => format!("tag {tag}"),
        (None, Some(version)) => format!("version {version}"),
        (None, None) => format!("time {}", meta.last_modified.timestamp_micros()),
    };
    let path = PathBuf::from(format!("{}/{}", place.root, meta.location));
    RemoteFile { path, size: meta.size, tag, e_tag }
}

/// An entity tag without quotes: some responses have them, some do not.
fn unquoted(tag: &str) -> String {
    tag.trim_matches('"').to_owned()
}

/// Copies one object, one piece per request; memory is bounded by the size of the pieces.
async fn fetch(place: Place, client: Arc<dyn ObjectStore>, file: RemoteFile, to: PathBuf) -> Result<(), DataError> {
    let unwritable = |error| unwritable(&to, error);
    let mut copy = Buffered::with_capacity(1 << 20, tokio::fs::File::create(&to).await.map_err(unwritable)?);
    let mut at = 0;
    while at < file.size {
        let end = file.size.min(at + PIECE_BYTES);
        let options = GetOptions { range: Some(GetRange::Bounded(at..end)), ..GetOptions::default() };
        let answer = client.get_opts(&place.key, options).await.map_err(|error| changed_or(&place, error))?;
        let e_tag = answer.meta.e_tag.as_deref().map(unquoted);
        if answer.meta.size != file.size || (e_tag.is_some() && file.e_tag.is_some() && e_tag != file.e_tag) {
            return Err(changed(&place, "it is another one now"));
        }
        let mut pieces = answer.into_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| changed_or(&place, error))?;
            at += piece.len() as u64;
            copy.write_all(&piece).await.map_err(unwritable)?;
        }
        if at != end {
            return Err(changed(&place, &format!("{at} of {} bytes came", file.size)));
        }
    }
    copy.shutdown().await.map_err(unwritable)
}

/// An error for an object that was listed: if it is missing or too short, it has changed.
fn changed_or(place: &Place, error: object_store::Error) -> DataError {
    match error {
        object_store::Error::NotFound { .. } => changed(place, "it is gone"),
        object_store::Error::Precondition { .. } => changed(place, "it is another one now"),
        error if error.to_string().contains("416") => changed(place, "it is shorter now"),
        error => explain(place, error),
    }
}

/// Copies a file to a store; an incomplete upload never becomes visible.
async fn send(from: PathBuf, place: Place, client: Arc<dyn ObjectStore>) -> Result<(), DataError> {
    let unreadable = |error| DataError::SourceUnreadable { path: from.clone(), source: error };
    let mut file = tokio::fs::File::open(&from).await.map_err(unreadable)?;
    let mut object = BufWriter::new(client, place.key.clone());
    let sent = match tokio::io::copy(&mut file, &mut object).await {
        // An upload that cannot be completed ends there, and must not be aborted again.
        Ok(_) => object.shutdown().await,
        Err(error) => {
            // Report the error that led here, not that of the abort.
            let _ = object.abort().await;
            Err(error)
        }
    };
    sent.map_err(|error| match error.downcast::<object_store::Error>() {
        Ok(error) => explain(&place, error),
        Err(error) => unreadable(error),
    })
}
