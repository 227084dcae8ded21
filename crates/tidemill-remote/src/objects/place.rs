//! URLs of object stores.

use object_store::path::Path as Key;
use tidemill_core::Code;
use tidemill_data::DataError;

/// The schemes of object stores.
pub(super) const SCHEMES: &[&str] = &["s3", "gs", "az"];

/// A parsed URL: a location in an object store.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Which kind of store.
    pub scheme: &'static str,
    /// The bucket, or container.
    pub bucket: String,
    /// Scheme and bucket: `s3://bucket`.
    pub root: String,
    /// The object or folder; empty for the whole bucket.
    pub key: Key,
}

impl Place {
    /// Parses `s3://bucket/key`. The key is taken literally, including spaces.
    pub(super) fn parse(url: &str) -> Result<Self, DataError> {
        let wrong = |message: String| {
            let hint = Some("write `s3://BUCKET/KEY`, `gs://BUCKET/KEY` or `az://CONTAINER/KEY`".to_owned());
            DataError::Outside { code: Code::CommandLine, message, hint, source: None }
        };
        let parts = url.split_once("://");
        let scheme = parts.and_then(|(scheme, _)| SCHEMES.iter().find(|known| **known == scheme));
        let (Some((_, rest)), Some(scheme)) = (parts, scheme) else {
            return Err(wrong(format!("`{url}` is not a URL of an object store")));
        };
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '$');
        if bucket.is_empty() || !bucket.chars().all(plain) {
            return Err(wrong(format!("`{url}` names no bucket")));
        }
        let key = Key::parse(key).map_err(|error| wrong(format!("`{url}` is not a URL of an object: {error}")))?;
        Ok(Self { scheme, bucket: bucket.to_owned(), root: format!("{scheme}://{bucket}"), key })
    }

    /// The URL.
    pub(super) fn url(&self) -> String {
        if self.key.as_ref().is_empty() { self.root.clone() } else { format!("{}/{}", self.root, self.key) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_a_bucket_and_a_key() {
        let place = Place::parse("s3://my-bucket/data/a b/trips%20.csv").unwrap();
        assert_eq!(
            (place.scheme, place.bucket.as_str(), place.key.as_ref()),
            ("s3", "my-bucket", "data/a b/trips%20.csv")
        );
        assert_eq!(place.url(), "s3://my-bucket/data/a b/trips%20.csv");
        assert_eq!(Place::parse("gs://b").unwrap().url(), "gs://b");
        assert_eq!(Place::parse("az://c/folder/").unwrap().key.as_ref(), "folder");
        for (url, message) in [
            ("s3://", "names no bucket"),
            ("s3:///key", "names no bucket"),
            ("s3://me@b/key", "names no bucket"),
            ("http://b/key", "is not a URL of an object store"),
            ("s3://b/a//c", "is not a URL of an object: "),
            ("s3://b/../c", "is not a URL of an object: "),
        ] {
            let error = Place::parse(url).unwrap_err().to_string();
            assert!(error.contains(message), "{url}: {error}");
        }
    }
}
