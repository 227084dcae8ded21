//! A file of hashed API keys.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use sha2::{Digest as _, Sha256};

use crate::ServeError;
use crate::protocol::operation::Permission;

type Hash = [u8; 32];

/// The keys of a file: a line has a name, the SHA-256 of a key, and the roles of the key (default: `infer`); `#` begins
/// a comment.
///
/// ```text
/// # printf %s "$KEY" | sha256sum
/// mobile      60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752
/// prometheus  9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  metrics
/// release     d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa  infer,admin
/// ```
///
/// Keys are looked up by their hash, so the time of a lookup reveals nothing about a key. They must be long and random:
/// a hash of a word can be guessed.
#[derive(Debug)]
pub(crate) struct ApiKeys {
    file: PathBuf,
    known: ArcSwap<HashMap<Hash, ApiKey>>,
    seen: Mutex<Option<SystemTime>>,
}

/// One key; only its hash is stored.
#[derive(Debug, Clone)]
pub(crate) struct ApiKey {
    pub(crate) name: Arc<str>,
    pub(crate) roles: Roles,
}

/// The permissions of a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Roles {
    infer: bool,
    metrics: bool,
    admin: bool,
}

impl Roles {
    /// Parses `infer,metrics`; the error is the word that is not a role.
    fn parse(text: &str) -> Result<Self, &str> {
        let mut roles = Self::default();
        for word in text.split(',').filter(|word| !word.is_empty()) {
            match word {
                "infer" => roles.infer = true,
                "metrics" => roles.metrics = true,
                "admin" => roles.admin = true,
                _ => return Err(word),
            }
        }
        Ok(roles)
    }

    /// An admin may do everything.
    pub(crate) fn allow(self, permission: Permission) -> bool {
        self.admin
            || match permission {
                Permission::Open => true,
                Permission::Infer => self.infer,
                Permission::Metrics => self.metrics,
                Permission::Admin => false,
            }
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [(self.infer, "infer"), (self.metrics, "metrics"), (self.admin, "admin")];
        let words: Vec<String> = all.into_iter().filter(|(has, _)| *has).map(|(_, word)| format!("`{word}`")).collect();
        f.write_str(&words.join(", "))
    }
}

impl ApiKeys {
    pub(crate) fn read(file: &Path) -> Result<Self, ServeError> {
        let seen = Mutex::new(modified(file));
        let known = ArcSwap::from_pointee(read(file)?);
        Ok(Self { file: file.to_owned(), known, seen })
    }

    pub(crate) fn find(&self, key: &[u8]) -> Option<ApiKey> {
        self.known.load().get(&hash(key)).cloned()
    }

    /// Reads the file again if it has changed. An invalid file changes nothing.
    pub(crate) fn refresh(&self) {
        let modified = modified(&self.file);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == modified {
            return;
        }
        *seen = modified;
        match read(&self.file) {
            Ok(known) => {
                tracing::info!(file = %self.file.display(), keys = known.len(), "API keys are read again");
                self.known.store(Arc::new(known));
            }
            Err(error) => tracing::warn!(%error, "API keys are kept as they were"),
        }
    }
}

fn hash(key: &[u8]) -> Hash {
    Sha256::digest(key).into()
}

fn modified(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok()
}

fn read(file: &Path) -> Result<HashMap<Hash, ApiKey>, ServeError> {
    let wrong = |reason: String| ServeError::ApiKeys { file: file.to_owned(), reason };
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    parse(&text).map_err(wrong)
}

fn parse(text: &str) -> Result<HashMap<Hash, ApiKey>, String> {
    let mut known = HashMap::new();
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        let line = line.split_once('#').map_or(line, |(line, _)| line).trim();
        if line.is_empty() {
            continue;
        }
        let mut words = line.split_whitespace();
        let (Some(name), Some(hash), roles, None) = (words.next(), words.next(), words.next(), words.next()) else {
            return Err(format!("line {number}: a line is a name, a hash and roles: `ci 9f86d0… infer,admin`"));
        };
        let roles = Roles::parse(roles.unwrap_or("infer"))
            .map_err(|word| format!("line {number}: `{word}` is not a role: `infer`, `metrics` or `admin`"))?;
        let hash = from_hex(hash).ok_or_else(|| format!("line {number}: the hash of `{name}` is not 64 hex digits"))?;
        if known.insert(hash, ApiKey { name: name.into(), roles }).is_some() {
            return Err(format!("line {number}: the hash of `{name}` was there before"));
        }
    }
    if known.is_empty() {
        return Err("there is no key in it".to_owned());
    }
    Ok(known)
}

fn from_hex(text: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digit = |at: usize| char::from(digits[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_names_and_hashes() {
        // printf %s test | sha256sum
        let hash_of_test = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let known = parse(&format!("# keys\n\n ci {hash_of_test}  # of the build\n")).unwrap();
        let key = &known[&hash(b"test")];
        assert_eq!((&*key.name, key.roles), ("ci", Roles { infer: true, ..Roles::default() }));
        let known = parse(&format!("ci {hash_of_test} metrics,admin\n")).unwrap();
        let roles = known[&hash(b"test")].roles;
        assert_eq!(roles.to_string(), "`metrics`, `admin`");
        assert!(roles.allow(Permission::Admin) && roles.allow(Permission::Infer), "an admin may do everything");
        let metrics = Roles::parse("metrics").unwrap();
        assert!(metrics.allow(Permission::Metrics) && !metrics.allow(Permission::Infer));
        for (text, error) in [
            ("ci\n", "line 1: a line is a name, a hash and roles: `ci 9f86d0… infer,admin`"),
            (&format!("a {hash_of_test} root"), "line 1: `root` is not a role: `infer`, `metrics` or `admin`"),
            ("\nci secret", "line 2: the hash of `ci` is not 64 hex digits"),
            (&format!("a {hash_of_test}\nb {hash_of_test}"), "line 2: the hash of `b` was there before"),
            ("# nothing", "there is no key in it"),
        ] {
            assert_eq!(parse(text).unwrap_err(), error);
        }
    }
}
