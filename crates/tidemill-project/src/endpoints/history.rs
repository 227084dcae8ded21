//! The endpoints that were applied in a project: every revision, who made it and why.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tidemill_core::{Code, Digest, Failure, suggest};

use super::file::EndpointFile;

/// The format of the files.
const FORMAT: u32 = 1;
/// How often a number is tried that another process takes first.
const ATTEMPTS: usize = 20;

/// The endpoints of a project. Each revision is a file that never changes; the one with the highest number is in force:
///
/// ```text
/// .tidemill/endpoints/
///   taxi/
///     000001.json     { "format": 1, "revision": 1, "action": "apply", "by": …, "at": …, "text": … }
///     000002.json
/// ```
#[derive(Debug, Clone)]
pub struct EndpointFolder {
    dir: PathBuf,
}

/// What made a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointAction {
    /// A file was applied.
    Apply,
    /// An earlier revision was put in force again.
    Rollback {
        /// That revision.
        to: u64,
    },
    /// Single values were set.
    Set {
        /// Their keys.
        keys: Vec<String>,
    },
    /// The endpoint was removed.
    Remove,
}

/// One revision of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointRevision {
    /// The format of the file.
    pub format: u32,
    /// The endpoint.
    pub endpoint: String,
    /// Counted from 1.
    pub revision: u64,
    /// What made it.
    pub action: EndpointAction,
    /// Who made it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why, in the words of who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The digest of the text.
    pub digest: Digest,
    /// The folder that paths in the text are relative to.
    pub folder: PathBuf,
    /// The endpoint file; empty if the endpoint was removed.
    pub text: String,
}

impl EndpointRevision {
    /// The file of the revision; `None` if the endpoint was removed.
    pub fn file(&self) -> Result<Option<EndpointFile>, Failure> {
        if self.action == EndpointAction::Remove {
            return Ok(None);
        }
        let path = PathBuf::from(format!("{} revision {}", self.endpoint, self.revision));
        EndpointFile::parse(&path, &self.text, &self.folder).map(Some)
    }
}

impl EndpointFolder {
    /// In `dir`, which need not exist.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The names of all endpoints that were ever applied.
    pub fn names(&self) -> Result<Vec<String>, Failure> {
        let mut names = entries(&self.dir)?;
        names.sort();
        Ok(names)
    }

    /// The revision in force of every endpoint that was not removed.
    pub fn current(&self) -> Result<Vec<EndpointRevision>, Failure> {
        let mut current = Vec::new();
        for name in self.names()? {
            let latest = self.latest(&name)?;
            current.extend(latest.filter(|revision| revision.action != EndpointAction::Remove));
        }
        Ok(current)
    }

    /// The last revision of an endpoint; `None` if there is none.
    pub fn latest(&self, endpoint: &str) -> Result<Option<EndpointRevision>, Failure> {
        let last = self.numbers(endpoint)?.last().copied();
        last.map(|number| self.read(endpoint, number)).transpose()
    }

    /// Every revision of an endpoint, newest first.
    pub fn history(&self, endpoint: &str) -> Result<Vec<EndpointRevision>, Failure> {
        let numbers = self.numbers(endpoint)?;
        if numbers.is_empty() {
            return Err(self.unknown(endpoint)?);
        }
        numbers.into_iter().rev().map(|number| self.read(endpoint, number)).collect()
    }

    /// One revision.
    pub fn read(&self, endpoint: &str, number: u64) -> Result<EndpointRevision, Failure> {
        let path = self.path(endpoint, number);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if self.numbers(endpoint)?.is_empty() {
                    return Err(self.unknown(endpoint)?);
                }
                let message = format!("the endpoint `{endpoint}` has no revision {number}");
                let hint = format!("`tidemill endpoint history {endpoint}` lists them");
                return Err(Failure::new(Code::EndpointNotFound, message).with_hint(hint));
            }
            Err(error) => return Err(Failure::io(&path, &error)),
        };
        let damaged = |why: String| {
            let message = format!("`{}` is damaged: {why}", path.display());
            let hint = "apply the endpoint file again";
            Failure::new(Code::EndpointFile, message).with_hint(hint)
        };
        let revision: EndpointRevision = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if revision.format != FORMAT {
            let message =
                format!("`{}` has format {}, and this Tidemill reads {FORMAT}", path.display(), revision.format);
            return Err(Failure::new(Code::StoreVersion, message));
        }
        if revision.digest != digest_of(&revision.text) {
            return Err(damaged("its text is not the one that was applied".to_owned()));
        }
        Ok(revision)
    }

    /// Adds a revision with this text. Of two processes that do so at the same time, both revisions are kept.
    pub fn add(
        &self,
        file: &EndpointFile,
        action: EndpointAction,
        by: &str,
        reason: Option<&str>,
    ) -> Result<EndpointRevision, Failure> {
        let folder = std::path::absolute(file.folder()).map_err(|error| Failure::io(file.folder(), &error))?;
        self.write(&file.spec.endpoint, action, by, reason, &folder, &file.text)
    }

    /// Removes an endpoint; its revisions are kept.
    pub fn remove(&self, endpoint: &str, by: &str, reason: Option<&str>) -> Result<EndpointRevision, Failure> {
        let latest = self.latest(endpoint)?.filter(|revision| revision.action != EndpointAction::Remove);
        let Some(latest) = latest else { return Err(self.unknown(endpoint)?) };
        self.write(endpoint, EndpointAction::Remove, by, reason, &latest.folder, "")
    }

    fn write(
        &self,
        endpoint: &str,
        action: EndpointAction,
        by: &str,
        reason: Option<&str>,
        folder: &Path,
        text: &str,
    ) -> Result<EndpointRevision, Failure> {
        tidemill_files::create_folder(&self.dir.join(endpoint))?;
        for _ in 0..ATTEMPTS {
            let number = self.numbers(endpoint)?.last().map_or(1, |last| last + 1);
            let revision = EndpointRevision {
                format: FORMAT,
                endpoint: endpoint.to_owned(),
                revision: number,
                action: action.clone(),
                by: by.to_owned(),
                at: Timestamp::now(),
                reason: reason.map(str::to_owned),
                digest: digest_of(text),
                folder: folder.to_owned(),
                text: text.to_owned(),
            };
            let json = serde_json::to_vec_pretty(&revision)
                .map_err(|error| Failure::new(Code::Internal, format!("a revision cannot be written: {error}")))?;
            if tidemill_files::create_new(&self.path(endpoint, number), json)? {
                return Ok(revision);
            }
        }
        let message = format!("others change the endpoint `{endpoint}` at the same time");
        Err(Failure::new(Code::StoreBusy, message).with_hint("try again"))
    }

    /// The error that there is no such endpoint.
    pub fn unknown(&self, endpoint: &str) -> Result<Failure, Failure> {
        let names = self.names()?;
        let failure = Failure::new(Code::EndpointNotFound, format!("no endpoint `{endpoint}` was applied"));
        Ok(match suggest(endpoint, names.iter().map(String::as_str)) {
            Some(near) => failure.with_hint(format!("did you mean `{near}`?")),
            None if names.is_empty() => failure.with_hint("`tidemill endpoint apply FILE` applies the first"),
            None => failure.with_hint(format!("there are {}", names.join(", "))),
        })
    }

    fn path(&self, endpoint: &str, number: u64) -> PathBuf {
        self.dir.join(endpoint).join(format!("{number:06}.json"))
    }

    /// The numbers of an endpoint's revisions, ascending.
    fn numbers(&self, endpoint: &str) -> Result<Vec<u64>, Failure> {
        // A name from the command line must not lead elsewhere.
        if endpoint.contains(['/', '\\']) || endpoint.starts_with('.') {
            return Ok(Vec::new());
        }
        let names = entries(&self.dir.join(endpoint))?;
        let number = |name: &String| name.strip_suffix(".json")?.parse().ok();
        let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }
}

fn digest_of(text: &str) -> Digest {
    Digest::from_bytes(blake3::hash(text.as_bytes()).as_bytes())
}

fn entries(dir: &Path) -> Result<Vec<String>, Failure> {
    let found = match std::fs::read_dir(dir) {
        Ok(found) => found,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) => return Err(Failure::io(dir, &error)),
    };
    let names = found.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(|name| !name.starts_with('.')).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "version: 1\nendpoint: taxi\nmodels: { rules: { expression: \"1.0\" } }\n";

    fn file() -> EndpointFile {
        EndpointFile::parse(Path::new("endpoint.yaml"), TEXT, Path::new(".")).unwrap()
    }

    #[test]
    fn revisions_are_kept_and_the_last_is_in_force() {
        let dir = tempfile::tempdir().unwrap();
        let folder = EndpointFolder::new(dir.path().join("endpoints"));
        assert!(folder.current().unwrap().is_empty());
        assert_eq!(folder.history("taxi").unwrap_err().code, Code::EndpointNotFound);
        let add = |action| folder.add(&file(), action, "me", Some("why")).unwrap();
        assert_eq!(add(EndpointAction::Apply).revision, 1);
        assert_eq!(add(EndpointAction::Rollback { to: 1 }).revision, 2);
        assert_eq!(folder.current().unwrap()[0].revision, 2);
        assert_eq!(folder.remove("taxi", "me", None).unwrap().revision, 3);
        assert!(folder.current().unwrap().is_empty());
        assert!(folder.remove("taxi", "me", None).is_err());
        let revisions: Vec<u64> = folder.history("taxi").unwrap().iter().map(|revision| revision.revision).collect();
        assert_eq!(revisions, [3, 2, 1]);
        assert!(folder.read("taxi", 9).is_err() && folder.read("../taxi", 1).is_err());
    }

    #[test]
    fn a_damaged_revision_is_an_error_that_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let folder = EndpointFolder::new(dir.path().to_owned());
        folder.add(&file(), EndpointAction::Apply, "me", None).unwrap();
        let path = dir.path().join("taxi/000001.json");
        let text = std::fs::read_to_string(&path).unwrap();
        for damaged in [text.replace("rules", "rulez"), text[..text.len() / 2].to_owned(), String::new()] {
            std::fs::write(&path, damaged).unwrap();
            let error = folder.read("taxi", 1).unwrap_err();
            assert!(error.message.contains("000001.json"), "{error}");
        }
        std::fs::write(&path, text.replace("\"format\": 1", "\"format\": 2")).unwrap();
        assert_eq!(folder.read("taxi", 1).unwrap_err().code, Code::StoreVersion);
    }
}
