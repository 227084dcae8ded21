//! What an artifact is made of, and the digest of it.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tidemill_core::Digest;

use crate::StoreError;

/// First line of the list that a digest is taken of. Another way of taking digests gets another number.
const HEADER: &str = "tidemill artifact 1\n";

const READ_BYTES: usize = 1 << 20;

/// The files of an artifact, by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contents {
    files: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    path: String,
    bytes: u64,
    digest: Digest,
}

/// Why a folder cannot be an artifact: the place in it, and what is wrong there.
pub(super) type Oddity = (String, &'static str);

impl Contents {
    /// Reads every file below `root`; `Err` inside: something there is not a plain file of a plain name.
    ///
    /// With `seal`, each file is also made read-only and forced to disk.
    pub(super) fn read(root: &Path, seal: bool) -> Result<Result<Self, Oddity>, StoreError> {
        let paths = match walk(root)? {
            Ok(paths) => paths,
            Err(oddity) => return Ok(Err(oddity)),
        };
        let next = AtomicUsize::new(0);
        let work = || -> Result<Vec<(usize, Entry)>, StoreError> {
            let mut done = Vec::new();
            let mut buffer = vec![0; READ_BYTES];
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some((name, path)) = paths.get(index) else { return Ok(done) };
                let (bytes, digest) = read_file(path, seal, &mut buffer)?;
                done.push((index, Entry { path: name.clone(), bytes, digest }));
            }
        };
        let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get).min(paths.len());
        let mut entries = thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut entries = work()?;
            for other in others {
                entries.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
            }
            Ok::<_, StoreError>(entries)
        })?;
        entries.sort_by_key(|(index, _)| *index);
        Ok(Ok(Self { files: entries.into_iter().map(|(_, entry)| entry).collect() }))
    }

    /// The list that the digest is taken of.
    pub(super) fn list(&self) -> String {
        let mut text = HEADER.to_owned();
        for Entry { path, bytes, digest } in &self.files {
            writeln!(text, "{digest} {bytes} {path}").expect("writing to a string cannot fail");
        }
        text
    }

    /// Reads a list; `None` if this version does not know the format.
    pub(super) fn parse(list: &[u8]) -> Option<Self> {
        let lines = std::str::from_utf8(list).ok()?.strip_prefix(HEADER)?.lines();
        let files = lines.map(|line| {
            let mut parts = line.splitn(3, ' ');
            let digest = parts.next()?.parse().ok()?;
            let bytes = parts.next()?.parse().ok()?;
            Some(Entry { path: parts.next()?.to_owned(), bytes, digest })
        });
        Some(Self { files: files.collect::<Option<_>>()? })
    }

    /// The first place where the folder is not what this says, in the order of paths.
    pub(super) fn compare(&self, root: &Path) -> Result<Option<Oddity>, StoreError> {
        let found = match walk(root)? {
            Ok(found) => found,
            Err(oddity) => return Ok(Some(oddity)),
        };
        let mut found = found.into_iter().peekable();
        let mut buffer = vec![0; READ_BYTES];
        for expected in &self.files {
            match found.next_if(|(name, _)| *name <= expected.path) {
                Some((name, path)) if name == expected.path => {
                    let (bytes, digest) = read_file(&path, false, &mut buffer)?;
                    if bytes != expected.bytes {
                        return Ok(Some((name, "has another size than was recorded")));
                    }
                    if digest != expected.digest {
                        return Ok(Some((name, "has other bytes than were recorded")));
                    }
                }
                Some((name, _)) => return Ok(Some((name, "does not belong there"))),
                None => return Ok(Some((expected.path.clone(), "is missing"))),
            }
        }
        Ok(found.next().map(|(name, _)| (name, "does not belong there")))
    }

    /// Size of all files together.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Number of files.
    pub(super) fn files(&self) -> u64 {
        self.files.len() as u64
    }
}

/// Every file below `root` with its relative path, in the byte order of those.
fn walk(root: &Path) -> Result<Result<Vec<(String, PathBuf)>, Oddity>, StoreError> {
    let mut files = Vec::new();
    let mut folders = vec![(String::new(), root.to_owned())];
    while let Some((prefix, folder)) = folders.pop() {
        let failed = |error| StoreError::unavailable(&folder, error);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if prefix.is_empty() && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Err((".".to_owned(), "is missing")));
            }
            Err(error) => return Err(failed(error)),
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let shown = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let name = match entry.file_name().into_string() {
                Ok(name) if !name.contains(|c: char| c.is_control() || c == '\\') => format!("{prefix}{name}"),
                _ => return Ok(Err((shown, "has a name that is not plain text"))),
            };
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                folders.push((format!("{name}/"), entry.path()));
            } else if kind.is_file() {
                files.push((name, entry.path()));
            } else if kind.is_symlink() {
                return Ok(Err((shown, "is a symbolic link")));
            } else {
                return Ok(Err((shown, "is not a plain file")));
            }
        }
    }
    files.sort();
    Ok(Ok(files))
}

fn read_file(path: &Path, seal: bool, buffer: &mut [u8]) -> Result<(u64, Digest), StoreError> {
    let mut read = || -> std::io::Result<(u64, Digest)> {
        let mut file = File::open(path)?;
        let mut hasher = blake3::Hasher::new();
        let mut bytes = 0;
        loop {
            match file.read(buffer)? {
                0 => break,
                count => {
                    hasher.update(&buffer[..count]);
                    bytes += count as u64;
                }
            }
        }
        if seal {
            let mut permissions = file.metadata()?.permissions();
            permissions.set_readonly(true);
            file.set_permissions(permissions)?;
            file.sync_all()?;
        }
        Ok((bytes, Digest::from_bytes(hasher.finalize().as_bytes())))
    };
    read().map_err(|error| StoreError::unavailable(path, error))
}
