//! `hash_buckets` and `keyed_hash`, which ONNX cannot express.

use tidemill_model::steps::{HashBuckets, KeyedHash};

use super::ExportStep;

impl ExportStep for HashBuckets {
    fn refusal(&self) -> Option<String> {
        Some("`hash_buckets` hashes with XXH3, which ONNX has no operator for".to_owned())
    }
}

impl ExportStep for KeyedHash {
    fn refusal(&self) -> Option<String> {
        Some("`keyed_hash` hashes with SipHash, which ONNX has no operator for".to_owned())
    }
}
