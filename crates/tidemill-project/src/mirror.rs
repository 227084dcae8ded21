//! Model versions in an object store, kept in a folder of this machine for the server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tidemill_data::{Connectors, DataError, RemoteFile};
use tidemill_serving::{Servable, Source, SourceError};

/// Versions below a URL such as `s3://bucket/models/taxi-tips`, in the layout of a folder of versions.
///
/// The newest version is copied to a folder of the cache, where another source serves it from. A copy appears in one
/// step when it is complete, and again when the objects of the version change; copies of versions that are gone
/// are removed. While a version is still being uploaded, its copy does not load; the next copy will.
pub struct Mirror<S> {
    connectors: Connectors,
    url: String,
    folder: PathBuf,
    inner: S,
}

impl<S: Source> Mirror<S> {
    /// A mirror of `url` in a folder of its own below `cache`; `inner` is made to serve that folder.
    pub fn new(connectors: Connectors, url: &str, cache: &Path, inner: impl FnOnce(&Path) -> S) -> Self {
        let url = url.trim_end_matches('/').to_owned();
        // Any stable name will do.
        let name: String = url.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
        let folder = cache.join("models").join(name);
        let inner = inner(&folder);
        Self { connectors, url, folder, inner }
    }
}

#[async_trait]
impl<S: Source> Source for Mirror<S> {
    async fn list(&self) -> Result<Vec<Servable>, SourceError> {
        let (connectors, url, folder) = (self.connectors.clone(), self.url.clone(), self.folder.clone());
        let copied = tokio::task::spawn_blocking(move || refresh(&connectors, &url, &folder)).await;
        match copied {
            Ok(Ok(())) => self.inner.list().await,
            Ok(Err(error)) => {
                Err(SourceError::new(format!("cannot copy models from `{}`", self.url)).with_source(error))
            }
            Err(error) => Err(SourceError::new("copying models was interrupted").with_source(error)),
        }
    }
}

/// Makes the folder have the newest version of the URL as it is now.
fn refresh(connectors: &Connectors, url: &str, folder: &Path) -> Result<(), DataError> {
    let versions = versions(url, connectors.store(url)?.list(url)?);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: std::io::Error| DataError::Write { path, source: Box::new(error) }
    };
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    for entry in std::fs::read_dir(folder).map_err(failed(folder))?.flatten() {
        let known = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if known.is_some_and(|version: u64| !versions.contains_key(&version)) {
            std::fs::remove_dir_all(entry.path()).map_err(failed(&entry.path()))?;
        }
    }
    let Some((version, files)) = versions.last_key_value() else { return Ok(()) };
    let of = state(files);
    let (copy, note) = (folder.join(version.to_string()), folder.join(format!(".{version}-is")));
    if copy.is_dir() && std::fs::read_to_string(&note).is_ok_and(|known| known == of) {
        return Ok(());
    }
    let draft = folder.join(format!(".draft-{version}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&draft);
    let mut wanted = Vec::with_capacity(files.len());
    for (inside, file) in files {
        let to = draft.join(inside);
        let parent = to.parent().unwrap_or(&draft);
        std::fs::create_dir_all(parent).map_err(failed(parent))?;
        wanted.push((file.clone(), to));
    }
    let made = connectors.store(url)?.fetch(&wanted).and_then(|()| {
        if copy.exists() {
            std::fs::remove_dir_all(&copy).map_err(failed(&copy))?;
        }
        std::fs::rename(&draft, &copy).map_err(failed(&copy))?;
        // Last: a copy without it is made again.
        tidemill_files::write(&note, of).map_err(|error| failed(&note)(error.into_io()))
    });
    if made.is_err() {
        // What is half-written is of no use; the next round begins anew.
        let _ = std::fs::remove_dir_all(&draft);
    }
    made
}

/// The files of each version by their path in it. Names that are no number are passed over, as in a folder.
fn versions(url: &str, files: Vec<RemoteFile>) -> BTreeMap<u64, BTreeMap<PathBuf, RemoteFile>> {
    let mut versions: BTreeMap<u64, BTreeMap<PathBuf, RemoteFile>> = BTreeMap::new();
    for file in files {
        let Ok(inside) = file.path.strip_prefix(url) else { continue };
        let mut parts = inside.components();
        let version = parts
            .next()
            .and_then(|part| part.as_os_str().to_str())
            .filter(|name| name.bytes().all(|b| b.is_ascii_digit()));
        let rest = parts.as_path();
        let plain = rest.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if let Some(version) = version.and_then(|digits| digits.parse().ok())
            && plain
            && rest.file_name().is_some()
        {
            versions.entry(version).or_default().insert(rest.to_owned(), file);
        }
    }
    versions
}

/// Names and digests of all files: what a copy is a copy of.
fn state(files: &BTreeMap<PathBuf, RemoteFile>) -> String {
    let lines: Vec<String> =
        files.iter().map(|(inside, file)| format!("{} {}", file.digest(), inside.display())).collect();
    lines.join("\n")
}
