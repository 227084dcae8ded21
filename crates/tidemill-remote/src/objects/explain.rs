//! Turns errors of an object store into helpful messages.

use std::io;
use std::path::Path;

use object_store::Error;
use tidemill_core::Code;
use tidemill_data::DataError;

use super::client::has_credentials;
use super::place::Place;

/// An error that names the URL and suggests a remedy.
pub(super) fn explain(place: &Place, error: Error) -> DataError {
    let said = with_causes(&error);
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let url = place.url();
    let bucket = &place.root;
    let told = |code, message: String, hint: String| DataError::Outside {
        code,
        message,
        hint: Some(hint),
        source: Some(said.clone().into()),
    };
    if says(&["NoSuchBucket", "ContainerNotFound", "bucket does not exist", "container does not exist"]) {
        let hint = "check the spelling, the account, the region and the endpoint";
        return told(Code::SourceNotFound, format!("there is no bucket `{bucket}`"), hint.to_owned());
    }
    if !has_credentials(place.scheme) && !matches!(error, Error::NotFound { .. }) {
        let first = match place.scheme {
            "s3" => "`AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`; for a public bucket `AWS_SKIP_SIGNATURE=true`",
            "gs" => "`GOOGLE_APPLICATION_CREDENTIALS`; for a public bucket `GOOGLE_SKIP_SIGNATURE=true`",
            _ => "`AZURE_STORAGE_ACCOUNT_NAME` and `AZURE_STORAGE_ACCOUNT_KEY`",
        };
        return told(Code::SourceDenied, format!("there are no credentials for `{url}`"), format!("set {first}"));
    }
    if matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. })
        || says(&["403 Forbidden", "401 Unauthorized", "AccessDenied", "ExpiredToken", "TokenRefreshRequired"])
    {
        let hint = if says(&["InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthenticationFailed"]) {
            "the credentials are not valid here: check key, secret and endpoint"
        } else if says(&["ExpiredToken", "TokenRefreshRequired"]) {
            "the session has ended: get new credentials"
        } else {
            "the credentials are valid but may not do this: reading needs permission to list and to get objects"
        };
        return told(Code::SourceDenied, format!("access to `{url}` is denied"), hint.to_owned());
    }
    if matches!(error, Error::NotFound { .. }) {
        return DataError::SourceNotFound { path: url.into() };
    }
    if says(&["redirect without LOCATION", "PermanentRedirect", "AuthorizationHeaderMalformed"]) {
        let hint = "set `AWS_REGION` to the region of the bucket";
        return told(Code::SourceUnreachable, format!("`{bucket}` is in another region"), hint.to_owned());
    }
    let hint = match place.scheme {
        "s3" => "check the network, `AWS_ENDPOINT_URL` and, for an endpoint with `http:`, `AWS_ALLOW_HTTP=true`",
        "gs" => "check the network and `GOOGLE_BASE_URL`",
        _ => "check the network, `AZURE_STORAGE_ACCOUNT_NAME` and `AZURE_STORAGE_ENDPOINT`",
    };
    told(Code::SourceUnreachable, format!("the store of `{url}` does not answer as it should"), hint.to_owned())
}

/// The error for an object that has changed since it was listed.
pub(super) fn changed(place: &Place, how: &str) -> DataError {
    DataError::Outside {
        code: Code::SourceUnreadable,
        message: format!("`{}` changed while it was read: {how}", place.url()),
        hint: Some("run again when it is not being written".to_owned()),
        source: None,
    }
}

/// The error for a folder with more objects than the limit.
pub(super) fn too_many(place: &Place, most: usize) -> DataError {
    DataError::Outside {
        code: Code::SourceUnreadable,
        message: format!("there are more than {most} objects below `{}`", place.url()),
        hint: Some("begin the path with a longer folder that has no `*`, `?`, `[` or `{` in it".to_owned()),
        source: None,
    }
}

/// The error for a local copy that cannot be written.
pub(super) fn unwritable(path: &Path, error: io::Error) -> DataError {
    DataError::Write { path: path.to_owned(), source: Box::new(error) }
}

/// The error and its causes, each once, on one line.
fn with_causes(error: &Error) -> String {
    let mut said = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        next = cause.source();
    }
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}
