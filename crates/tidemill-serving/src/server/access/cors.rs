//! Cross-origin resource sharing: which pages of browsers may read answers.

use hyper::HeaderMap;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderValue, VARY,
};

use crate::inference::request_error::RequestError;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, OPTIONS");
const HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, inference-header-content-length, traceparent, tracestate, x-api-key, x-request-id",
);
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "inference-header-content-length, retry-after, tidemill-error-code, traceparent, x-request-id",
);
/// How long browsers may cache a preflight response: a day.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");

/// Origins whose pages may read answers.
#[derive(Debug)]
pub(crate) struct Cors {
    /// Any of them, if none is named.
    origins: Option<Vec<String>>,
}

impl Cors {
    /// Parses origins as browsers write them (`https://app.example.org`); `*` stands for all.
    pub(crate) fn new(origins: &[String]) -> Self {
        let any = origins.iter().any(|origin| origin == "*");
        let plain = |origin: &String| origin.trim_end_matches('/').to_ascii_lowercase();
        Self { origins: (!any).then(|| origins.iter().map(plain).collect()) }
    }

    /// The headers of the response to a request from `origin`.
    pub(crate) fn allow(&self, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
        let Some(origins) = &self.origins else {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
            return;
        };
        // Caches must keep responses for different origins apart.
        answer.append(VARY, HeaderValue::from_static("origin"));
        let Some(origin) = origin else { return };
        let Ok(text) = origin.to_str() else { return };
        if origins.iter().any(|known| known.eq_ignore_ascii_case(text)) {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }

    /// The response to a browser's preflight request.
    pub(crate) fn preflight(origin: Option<&HeaderValue>, answer: &mut HeaderMap) -> Result<(), RequestError> {
        if origin.is_none() {
            return Err(RequestError::invalid("an OPTIONS request needs the header `Origin`"));
        }
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        answer.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        Ok(())
    }
}
