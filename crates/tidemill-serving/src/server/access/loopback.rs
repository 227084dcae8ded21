//! Protects a server without keys on a loopback address: web pages in browsers on this machine can reach it too.
//!
//! A page can send requests to any address of the machine, and a name that its owner resolves to 127.0.0.1 makes the
//! server part of the page's own origin (DNS rebinding). So requests must use a known name of the server, and a page of
//! another origin must not change anything.

use std::net::IpAddr;

use hyper::header::{HOST, ORIGIN};
use hyper::{HeaderMap, Method, StatusCode, Uri};

use crate::inference::request_error::RequestError;
use crate::protocol::operation::{Operation, Permission};

/// Checks the `Host` and the `Origin` of requests.
#[derive(Debug)]
pub(crate) struct LoopbackGuard {
    hosts: Vec<String>,
    origins: Vec<String>,
    /// Pages of any origin may read responses, and so request predictions.
    any_origin: bool,
}

impl LoopbackGuard {
    pub(crate) fn new(hosts: &[String], origins: &[String]) -> Self {
        let hosts = hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        let any_origin = origins.iter().any(|origin| origin == "*");
        let origins = origins.iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()).collect();
        Self { hosts, origins, any_origin }
    }

    /// Rejects a request that a page of another origin may have sent.
    pub(crate) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        operation: Operation,
    ) -> Result<(), RequestError> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(HOST).or_else(|| uri.authority().map(hyper::http::uri::Authority::as_str));
        let refused = |message: String| Err(RequestError::new(StatusCode::FORBIDDEN, message));
        if operation.permission() != Permission::Open
            && let Some(host) = host
            && !self.is_known_name(name_of(host))
        {
            return refused(format!("`{}` is not a name of this server: see `--allowed-host`", name_of(host)));
        }
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
        let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
        let own = origin
            .split_once("://")
            .is_some_and(|(_, authority)| host.is_some_and(|host| authority.eq_ignore_ascii_case(host)));
        let any = self.any_origin && operation.permission() != Permission::Admin;
        if own || any || self.origins.contains(&origin) {
            return Ok(());
        }
        refused(format!("pages of `{origin}` may not ask this server for anything: see `--cors-origin`"))
    }

    /// An address cannot be rebound, and `localhost` never is.
    fn is_known_name(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let address = name.trim_start_matches('[').trim_end_matches(']');
        let local = name == "localhost" || name.ends_with(".localhost");
        local || address.parse::<IpAddr>().is_ok() || self.hosts.contains(&name)
    }
}

/// The host without the port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(guard: &LoopbackGuard, operation: Operation, host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::from_iter([(HOST, host.parse().unwrap())]);
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        guard.check(&Method::POST, &Uri::from_static("/"), &headers, operation).is_ok()
    }

    #[test]
    fn a_name_that_may_have_been_rebound_is_refused() {
        let guard = LoopbackGuard::new(&["Models.example".to_owned()], &[]);
        let known = |host| check(&guard, Operation::Predict, host, None);
        for host in ["localhost", "localhost:8501", "127.0.0.1:8501", "[::1]:8501", "a.localhost", "models.example:80"]
        {
            assert!(known(host), "{host}");
        }
        for host in ["evil.example", "evil.example:8501", "localhost.evil.example", "127.0.0.1.evil.example", ""] {
            assert!(!known(host), "{host}");
        }
        assert!(check(&guard, Operation::Live, "evil.example", None), "there is nothing to learn");
    }

    #[test]
    fn pages_of_other_origins_change_nothing() {
        let (host, own) = ("127.0.0.1:8501", Some("http://127.0.0.1:8501"));
        let other = Some("https://evil.example");
        let closed = LoopbackGuard::new(&[], &[]);
        assert!(check(&closed, Operation::Predict, host, own) && check(&closed, Operation::RepositoryLoad, host, None));
        for origin in [other, Some("null"), Some("http://127.0.0.1:3000")] {
            assert!(!check(&closed, Operation::Predict, host, origin), "{origin:?}");
        }
        let named = LoopbackGuard::new(&[], &["https://App.example/".to_owned()]);
        assert!(check(&named, Operation::RepositoryLoad, host, Some("https://app.example")));
        let any = LoopbackGuard::new(&[], &["*".to_owned()]);
        assert!(check(&any, Operation::Predict, host, other));
        assert!(!check(&any, Operation::RepositoryLoad, host, other), "that is too much for anybody");
    }
}
