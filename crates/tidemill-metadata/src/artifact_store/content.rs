//! The content of an artifact, and its digest.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tidemill_core::Digest;

use super::{Damage, DamageKind};
use crate::StoreError;

/// First line of the list that the digest is computed from. Another way of computing digests needs another number.
const HEADER: &str = "tidemill artifact 1\n";

const READ_BYTES: usize = 1 << 20;

/// The files of an artifact with their sizes and digests, in the byte order of their paths. The artifact's digest is
/// that of the list's text:
///
/// ```text
/// tidemill artifact 1
/// <BLAKE3 of the file, 64 hexadecimal digits> <size in bytes> <path>
/// ```
///
/// Every line ends with a newline; the parts of a path are separated by `/`. The order in which files were written,
/// their times and their permissions do not count, nor do empty folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentList {
    files: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    path: String,
    bytes: u64,
    digest: Digest,
}

impl ContentList {
    /// Reads every file below `root`; the inner error names an entry that is not a regular file with a plain name.
    ///
    /// With `seal`, each file is also made read-only and forced to disk.
    pub fn read(root: &Path, seal: bool) -> Result<Result<Self, Damage>, StoreError> {
        let paths = match walk(root)? {
            Ok(paths) => paths,
            Err(damage) => return Ok(Err(damage)),
        };
        let entries = in_parallel(&paths, |(name, path), buffer| {
            let (bytes, digest) =
                read_file(path, seal, buffer).map_err(|error| StoreError::unavailable(path, error))?;
            Ok(Entry { path: name.clone(), bytes, digest })
        })?;
        Ok(Ok(Self { files: entries }))
    }

    /// The text that the digest is computed from.
    pub fn text(&self) -> String {
        let mut text = HEADER.to_owned();
        for Entry { path, bytes, digest } in &self.files {
            writeln!(text, "{digest} {bytes} {path}").expect("writing to a string cannot fail");
        }
        text
    }

    /// The artifact's digest.
    pub fn digest(&self) -> Digest {
        Self::digest_of(self.text().as_bytes())
    }

    /// The digest of an artifact whose list has this text.
    pub fn digest_of(text: &[u8]) -> Digest {
        Digest::from_bytes(blake3::hash(text).as_bytes())
    }

    /// Parses the text of a list; `None` if its format is unknown. No path in it leads out of the artifact's folder.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let lines = std::str::from_utf8(text).ok()?.strip_prefix(HEADER)?.lines();
        let files = lines.map(|line| {
            let mut parts = line.splitn(3, ' ');
            let digest = parts.next()?.parse().ok()?;
            let bytes = parts.next()?.parse().ok()?;
            let path = parts.next().filter(|path| is_plain(path))?;
            Some(Entry { path: path.to_owned(), bytes, digest })
        });
        Some(Self { files: files.collect::<Option<_>>()? })
    }

    /// The first difference, in the order of paths, between this list and the folder `root`.
    pub fn compare(&self, root: &Path) -> Result<Option<Damage>, StoreError> {
        let found = match walk(root)? {
            Ok(found) => found,
            Err(damage) => return Ok(Some(damage)),
        };
        let mut found = found.into_iter().peekable();
        let mut pairs = Vec::with_capacity(self.files.len());
        let mut difference = None;
        for expected in &self.files {
            match found.next_if(|(name, _)| *name <= expected.path) {
                Some((name, path)) if name == expected.path => pairs.push((expected, path)),
                Some((name, _)) => difference = Some(Damage::new(name, DamageKind::Unexpected)),
                None => {
                    let missing = Damage::new(&expected.path, DamageKind::Missing);
                    difference = Some(missing.expected(&expected.digest));
                }
            }
            if difference.is_some() {
                break;
            }
        }
        // A file before the first difference in names may be altered.
        let altered = in_parallel(&pairs, |(expected, path), buffer| Ok(expected.compare(path, buffer)))?;
        let altered = altered.into_iter().flatten().next();
        let extra = || found.next().map(|(name, _)| Damage::new(name, DamageKind::Unexpected));
        Ok(altered.or(difference).or_else(extra))
    }

    /// Total size of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Number of files.
    pub fn files(&self) -> u64 {
        self.files.len() as u64
    }

    /// The paths of the files, in their order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.path.as_str())
    }
}

impl Entry {
    fn compare(&self, path: &Path, buffer: &mut [u8]) -> Option<Damage> {
        let damage = |kind| Damage::new(&self.path, kind).expected(&self.digest);
        match read_file(path, false, buffer) {
            Ok((bytes, digest)) if bytes != self.bytes => Some(damage(DamageKind::Resized).found(&digest)),
            Ok((_, digest)) if digest != self.digest => Some(damage(DamageKind::Altered).found(&digest)),
            Ok(_) => None,
            Err(error) => Some(damage(DamageKind::Unreadable(tidemill_files::reason(&error)))),
        }
    }
}

/// Calls `work` for every item with a buffer per thread; results are in the order of the items.
fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T, &mut [u8]) -> Result<R, StoreError> + Sync,
) -> Result<Vec<R>, StoreError> {
    let next = AtomicUsize::new(0);
    let run = || -> Result<Vec<(usize, R)>, StoreError> {
        let mut done = Vec::new();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return Ok(done) };
            done.push((index, work(item, &mut buffer)?));
        }
    };
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get).min(items.len());
    let mut results = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut results = run()?;
        for other in others {
            results.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok::<_, StoreError>(results)
    })?;
    results.sort_by_key(|(index, _)| *index);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

/// Whether a path stays inside the folder it starts in.
fn is_plain(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | "..")) && !path.contains(is_forbidden)
}

fn is_forbidden(c: char) -> bool {
    c.is_control() || c == '\\'
}

/// Every file below `root` with its relative path, in byte order.
pub(super) fn walk(root: &Path) -> Result<Result<Vec<(String, PathBuf)>, Damage>, StoreError> {
    let mut files = Vec::new();
    let mut folders = vec![(String::new(), root.to_owned())];
    while let Some((prefix, folder)) = folders.pop() {
        let failed = |error| StoreError::unavailable(&folder, error);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if prefix.is_empty() && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Err(Damage::new(".", DamageKind::Missing)));
            }
            Err(error) if prefix.is_empty() && error.kind() == std::io::ErrorKind::NotADirectory => {
                return Ok(Err(Damage::new(".", DamageKind::NotAFile("is not a folder".to_owned()))));
            }
            Err(error) => return Err(failed(error)),
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let shown = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let odd = |what: &str| Ok(Err(Damage::new(shown.clone(), DamageKind::NotAFile(what.to_owned()))));
            let name = match entry.file_name().into_string() {
                Ok(name) if !name.contains(is_forbidden) => format!("{prefix}{name}"),
                _ => return odd("has a name that is not plain text"),
            };
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                folders.push((format!("{name}/"), entry.path()));
            } else if kind.is_file() {
                files.push((name, entry.path()));
            } else if kind.is_symlink() {
                return odd("is a symbolic link");
            } else {
                return odd("is not a regular file");
            }
        }
    }
    files.sort();
    Ok(Ok(files))
}

fn read_file(path: &Path, seal: bool, buffer: &mut [u8]) -> std::io::Result<(u64, Digest)> {
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
}
