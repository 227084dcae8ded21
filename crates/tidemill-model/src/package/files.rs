//! Reading and writing the files of a package.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_core::Digest;

use crate::ModelError;

/// Reads a file of at most `bytes_max` bytes.
pub fn read_bounded(path: &Path, bytes_max: u64) -> Result<Vec<u8>, ModelError> {
    let io = |source: std::io::Error| {
        if source.kind() == std::io::ErrorKind::NotFound {
            ModelError::Package { file: path.to_owned(), reason: "the file is missing".to_owned() }
        } else {
            ModelError::Io { action: "read", path: path.to_owned(), source }
        }
    };
    let file = fs::File::open(path).map_err(io)?;
    let refuse = |reason| ModelError::Package { file: path.to_owned(), reason };
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(refuse("this is not a file".to_owned()));
    }
    let too_large = || refuse(format!("the file is larger than {bytes_max} bytes"));
    if metadata.len() > bytes_max {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > bytes_max { Err(too_large()) } else { Ok(bytes) }
}

/// Reads JSON that carries a `format`, which must not be newer than `supported`.
pub(crate) fn read_versioned<T: DeserializeOwned>(bytes: &[u8], path: &Path, supported: u32) -> Result<T, ModelError> {
    #[derive(serde::Deserialize)]
    struct Format {
        format: u64,
    }
    let refuse = |error: serde_json::Error| ModelError::Package { file: path.to_owned(), reason: error.to_string() };
    let Format { format: found } = serde_json::from_slice(bytes).map_err(refuse)?;
    if found > u64::from(supported) {
        return Err(ModelError::NewerFormat { file: path.to_owned(), found, supported });
    }
    serde_json::from_slice(bytes).map_err(refuse)
}

/// Indented JSON with a newline at the end.
pub(crate) fn to_pretty_json<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("the types of this crate have string keys only");
    bytes.push(b'\n');
    bytes
}

/// Writes a complete file.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    fs::write(path, bytes).map_err(|source| ModelError::Io { action: "write", path: path.to_owned(), source })
}

/// The BLAKE3 digest of some bytes.
pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest::from_bytes(blake3::hash(bytes).as_bytes())
}
