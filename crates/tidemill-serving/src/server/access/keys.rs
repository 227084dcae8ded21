//! A file of hashed API keys.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use sha2::{Digest as _, Sha256};

use crate::ServeError;

type Hash = [u8; 32];

/// The keys of a file: a line is a name and the SHA-256 of a key; `#` begins a comment.
///
/// ```text
/// # printf %s "$KEY" | sha256sum
/// ci      9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
/// mobile  60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752
/// ```
///
/// Keys are looked up by their hash, so how long that takes says nothing about a key. They must be long and random: a
/// hash of a word can be guessed.
#[derive(Debug)]
pub(crate) struct ApiKeys {
    file: PathBuf,
    /// Names by hash.
    known: ArcSwap<HashMap<Hash, String>>,
    seen: Mutex<Option<SystemTime>>,
}

impl ApiKeys {
    pub(crate) fn read(file: &Path) -> Result<Self, ServeError> {
        let seen = Mutex::new(modified(file));
        let known = ArcSwap::from_pointee(read(file)?);
        Ok(Self { file: file.to_owned(), known, seen })
    }

    pub(crate) fn holds(&self, key: &[u8]) -> bool {
        self.known.load().contains_key(&hash(key))
    }

    /// Reads the file again if it has changed. One that is wrong changes nothing.
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

fn read(file: &Path) -> Result<HashMap<Hash, String>, ServeError> {
    let wrong = |reason: String| ServeError::ApiKeys { file: file.to_owned(), reason };
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    parse(&text).map_err(wrong)
}

fn parse(text: &str) -> Result<HashMap<Hash, String>, String> {
    let mut known = HashMap::new();
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        let line = line.split_once('#').map_or(line, |(line, _)| line).trim();
        if line.is_empty() {
            continue;
        }
        let mut words = line.split_whitespace();
        let (Some(name), Some(hash), None) = (words.next(), words.next(), words.next()) else {
            return Err(format!("line {number}: a line is a name and a hash"));
        };
        let hash = from_hex(hash).ok_or_else(|| format!("line {number}: the hash of `{name}` is not 64 hex digits"))?;
        if known.insert(hash, name.to_owned()).is_some() {
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
        assert_eq!(known.get(&hash(b"test")).map(String::as_str), Some("ci"));
        for (text, error) in [
            ("ci\n", "line 1: a line is a name and a hash"),
            ("\nci secret", "line 2: the hash of `ci` is not 64 hex digits"),
            (&format!("a {hash_of_test}\nb {hash_of_test}"), "line 2: the hash of `b` was there before"),
            ("# nothing", "there is no key in it"),
        ] {
            assert_eq!(parse(text).unwrap_err(), error);
        }
    }
}
