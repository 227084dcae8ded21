//! Access control: API keys and their roles, rules for pages in browsers, and the paths that clients may name.

mod cors;
mod keys;
mod loopback;
mod roots;

use std::sync::Arc;

use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::{HeaderMap, StatusCode};

pub(crate) use cors::Cors;
pub(crate) use keys::ApiKeys;
pub(crate) use loopback::LoopbackGuard;
pub(crate) use roots::AllowedRoots;

use crate::inference::request_error::RequestError;
use crate::protocol::operation::{Operation, Permission};
use crate::{ServeError, ServerOptions};

/// The header for clients that cannot set `Authorization`.
const API_KEY: &str = "x-api-key";

/// The access rules. Without configuration everyone who reaches the server may use every enabled operation.
#[derive(Debug, Default)]
pub(crate) struct Access {
    keys: Option<ApiKeys>,
    cors: Option<Cors>,
    /// For a server without keys that only this machine reaches.
    loopback: Option<LoopbackGuard>,
}

/// Who sent a request: the name of the key, if the server has keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller(Option<Arc<str>>);

impl Caller {
    pub(crate) fn name(&self) -> &str {
        self.0.as_deref().unwrap_or("an anonymous client: the server has no keys")
    }
}

impl Access {
    pub(crate) fn new(options: &ServerOptions) -> Result<Self, ServeError> {
        let keys = options.api_keys_file.as_deref().map(ApiKeys::read).transpose()?;
        let cors = (!options.cors_origins.is_empty()).then(|| Cors::new(&options.cors_origins));
        let certified = options.tls.as_ref().is_some_and(|tls| tls.client_required);
        let is_local = options.rest_addr.ip().is_loopback() && keys.is_none() && !certified;
        let loopback = is_local.then(|| LoopbackGuard::new(&options.allowed_hosts, &options.cors_origins));
        Ok(Self { keys, cors, loopback })
    }

    /// Rejects a request without a valid key, or whose roles do not cover `operation`. Keys are sent as `Authorization:
    /// Bearer KEY` or `X-API-Key: KEY`.
    pub(crate) fn check(&self, headers: &HeaderMap, operation: Operation) -> Result<Caller, RequestError> {
        let permission = operation.permission();
        let Some(keys) = self.keys.as_ref().filter(|_| permission != Permission::Open) else {
            return Ok(Caller::default());
        };
        let bearer = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).and_then(bearer);
        let Some(key) = bearer.or_else(|| headers.get(API_KEY).map(HeaderValue::as_bytes)) else {
            let message = "an API key is needed: send `Authorization: Bearer KEY` or `X-API-Key: KEY`";
            return Err(RequestError::new(StatusCode::UNAUTHORIZED, message));
        };
        let Some(key) = keys.find(key) else {
            return Err(RequestError::new(StatusCode::UNAUTHORIZED, "the API key is not one of this server"));
        };
        if key.roles.allow(permission) {
            return Ok(Caller(Some(key.name)));
        }
        let (name, roles, needed) = (&key.name, key.roles, permission.role());
        let message = format!("the API key `{name}` has the role {roles}, and this needs {needed}");
        Err(RequestError::new(StatusCode::FORBIDDEN, message))
    }

    pub(crate) fn keys(&self) -> Option<&ApiKeys> {
        self.keys.as_ref()
    }

    pub(crate) fn cors(&self) -> Option<&Cors> {
        self.cors.as_ref()
    }

    pub(crate) fn loopback(&self) -> Option<&LoopbackGuard> {
        self.loopback.as_ref()
    }
}

/// The token of an `Authorization` header; the scheme is case-insensitive.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}
