//! Digests of secrets.

use std::fs;
use std::path::Path;

use tidemill_core::Digest;

use crate::StoreError;

/// The key for digests of secrets, so that nobody who reads the store can guess a secret and compare digests.
///
/// It is stored beside the database in `secret.key`: 64 hexadecimal digits, readable only by the owner. It is part of a
/// backup. Without it, steps that read secrets run again.
#[derive(Clone)]
pub struct SecretKey([u8; 32]);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

impl SecretKey {
    /// A random key that is never stored, for a store in memory.
    pub fn generate() -> Self {
        // Each holds 74 bits of the operating system's generator.
        let mut hasher = blake3::Hasher::new();
        for _ in 0..8 {
            hasher.update(uuid::Uuid::now_v7().as_bytes());
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// Reads the key from a file; generates one if the file does not exist.
    pub(crate) fn load(path: &Path) -> Result<Self, StoreError> {
        loop {
            match fs::read_to_string(path) {
                Ok(text) => {
                    let digits = text.trim().parse::<Digest>().ok();
                    let bytes = digits.and_then(|digits| bytes_of(&digits));
                    let odd = || StoreError::unavailable(path, "it does not hold 64 hexadecimal digits");
                    return bytes.map(Self).ok_or_else(odd);
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::create(path)?,
                Err(error) => return Err(StoreError::unavailable(path, error)),
            }
        }
    }

    fn create(path: &Path) -> Result<(), StoreError> {
        use std::io::Write as _;

        let text = format!("{}\n", Digest::from_bytes(&Self::generate().0));
        let mut file = tidemill_files::AtomicFile::create(path)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let owner = fs::Permissions::from_mode(0o600);
            file.file().set_permissions(owner).map_err(|error| StoreError::unavailable(path, error))?;
        }
        file.write_all(text.as_bytes()).map_err(|error| StoreError::unavailable(path, error))?;
        // Another process may have generated one at the same time: then that one is used.
        file.commit_new()?;
        Ok(())
    }

    /// The digest under which a secret is recorded, computed from the secret's own digest.
    pub fn digest(&self, secret: &Digest) -> Digest {
        Digest::from_bytes(blake3::keyed_hash(&self.0, secret.as_str().as_bytes()).as_bytes())
    }
}

fn bytes_of(digits: &Digest) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.as_str().get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_and_is_the_stores_own() {
        let dir = tempfile::tempdir().expect("a folder");
        let secret = Digest::from_bytes(blake3::hash(b"hunter2").as_bytes());
        let (first, second) = (dir.path().join("a.key"), dir.path().join("b.key"));
        let digest = SecretKey::load(&first).expect("made").digest(&secret);
        assert_eq!(SecretKey::load(&first).expect("read").digest(&secret), digest);
        assert_ne!(SecretKey::load(&second).expect("made").digest(&secret), digest);
        assert_ne!(digest, secret);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&first).expect("there").permissions().mode() & 0o777, 0o600);
        }
        fs::write(&first, "short").expect("writable");
        assert!(SecretKey::load(&first).is_err());
    }
}
