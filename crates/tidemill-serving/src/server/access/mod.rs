//! Who may ask: API keys, and the origins whose pages may read answers.

mod cors;
mod keys;

use std::path::Path;

use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, StatusCode};

pub(crate) use cors::Cors;
pub(crate) use keys::ApiKeys;

use crate::ServeError;
use crate::inference::request_error::RequestError;

/// The header for those who cannot set `Authorization`.
const API_KEY: &str = "x-api-key";

/// Who may ask. Nothing is checked where nothing is configured.
#[derive(Debug, Default)]
pub(crate) struct Access {
    keys: Option<ApiKeys>,
    cors: Option<Cors>,
}

impl Access {
    pub(crate) fn new(keys_file: Option<&Path>, cors_origins: &[String]) -> Result<Self, ServeError> {
        let keys = keys_file.map(ApiKeys::read).transpose()?;
        let cors = (!cors_origins.is_empty()).then(|| Cors::new(cors_origins));
        Ok(Self { keys, cors })
    }

    /// Refuses a request that brings no key of ours: `Authorization: Bearer KEY` or `X-API-Key: KEY`.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), RequestError> {
        let Some(keys) = &self.keys else { return Ok(()) };
        let bearer = headers.get(AUTHORIZATION).map(hyper::header::HeaderValue::as_bytes).and_then(bearer);
        let Some(key) = bearer.or_else(|| headers.get(API_KEY).map(hyper::header::HeaderValue::as_bytes)) else {
            let message = "an API key is needed: send `Authorization: Bearer KEY` or `X-API-Key: KEY`";
            return Err(RequestError::new(StatusCode::UNAUTHORIZED, message));
        };
        if keys.holds(key) {
            return Ok(());
        }
        Err(RequestError::new(StatusCode::UNAUTHORIZED, "the API key is not one of this server"))
    }

    pub(crate) fn keys(&self) -> Option<&ApiKeys> {
        self.keys.as_ref()
    }

    pub(crate) fn cors(&self) -> Option<&Cors> {
        self.cors.as_ref()
    }
}

/// The token of an `Authorization` header; the scheme is read in any case.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}
