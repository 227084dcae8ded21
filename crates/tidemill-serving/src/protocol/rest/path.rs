//! From method and path to an operation.
//!
//! Paths under `/v1` follow TF Serving's grammar, which no common router can express: keywords in any case, and a
//! verb after a colon. Paths under `/v2` are the Open Inference Protocol's.

use std::borrow::Cow;

use hyper::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use crate::inference::request_error::RequestError;
use crate::models::versions::Selector;
use crate::protocol::operation::Operation;

/// The parsed method and path of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RestPath {
    pub(crate) operation: Operation,
    /// The model's name; empty if the operation has no model.
    pub(crate) model: String,
    pub(crate) selector: Selector,
}

impl RestPath {
    /// Parses a path. Errors are 400 under `/v1`, as in TF Serving, and 404 elsewhere.
    pub(crate) fn parse(method: &Method, path: &str) -> Result<Self, RequestError> {
        let known = match path {
            "/" => Some(Operation::Alive),
            "/openapi.json" => Some(Operation::OpenApi),
            "/endpoints" => Some(Operation::Endpoints),
            "/jobs" => Some(Operation::Jobs),
            "/livez" => Some(Operation::Live),
            "/readyz" => Some(Operation::Ready),
            "/metrics" | "/monitoring/prometheus/metrics" => Some(Operation::Metrics),
            _ => None,
        };
        let get = method == Method::GET || method == Method::HEAD;
        if let Some(operation) = known.filter(|_| get) {
            return Ok(Self::server(operation));
        }
        if path == "/v1/feedback" && method == Method::POST {
            return Ok(Self::server(Operation::Feedback));
        }
        if let Some(name) = invoked(path).filter(|_| method == Method::POST) {
            let model = decoded(name).ok_or_else(|| RequestError::invalid("the name of the model is not UTF-8"))?;
            return Ok(Self { operation: Operation::Invocations, model, selector: Selector::Latest });
        }
        if let Some(name) = path.strip_prefix("/endpoints/").filter(|name| get && !name.contains('/')) {
            let model = decoded(name).ok_or_else(|| RequestError::invalid("the name of the endpoint is not UTF-8"))?;
            return Ok(Self { operation: Operation::EndpointStatus, model, selector: Selector::Latest });
        }
        if let Some(job) = path.strip_prefix("/jobs/").filter(|job| !job.is_empty() && !job.contains('/')) {
            return job_of(method, get, job)
                .ok_or_else(|| RequestError::new(StatusCode::NOT_FOUND, format!("no such path: {method} {path}")));
        }
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        if segments[0].eq_ignore_ascii_case("v1") {
            return parse_v1(method, get, &segments)
                .ok_or_else(|| RequestError::invalid(format!("Malformed request: {method} {path}")))?;
        }
        let route = if segments[0] == "v2" { parse_v2(method, get, &segments) } else { None };
        route.ok_or_else(|| RequestError::new(StatusCode::NOT_FOUND, format!("no such path: {method} {path}")))
    }

    /// A request without a model.
    pub(crate) fn server(operation: Operation) -> Self {
        Self { operation, model: String::new(), selector: Selector::Latest }
    }
}

/// A request about a job.
fn job_of(method: &Method, get: bool, job: &str) -> Option<RestPath> {
    let (id, operation) = match job.split_once(':') {
        None if get => (job, Operation::Job),
        None if method == Method::DELETE => (job, Operation::JobCancel),
        Some((id, "retry")) if method == Method::POST => (id, Operation::JobRetry),
        _ => return None,
    };
    Some(RestPath { operation, model: decoded(id)?, selector: Selector::Latest })
}

/// The model of MLflow's path; empty if it names none.
fn invoked(path: &str) -> Option<&str> {
    match path {
        "/invocations" => Some(""),
        path => path.strip_prefix("/endpoints/")?.strip_suffix("/invocations").filter(|name| !name.contains('/')),
    }
}

fn parse_v1(method: &Method, get: bool, segments: &[&str]) -> Option<Result<RestPath, RequestError>> {
    let rest = match segments {
        [_, models] if models.eq_ignore_ascii_case("models") && get => {
            return Some(Err(RequestError::invalid("Missing model name in request.")));
        }
        [_, models, rest @ ..] if models.eq_ignore_ascii_case("models") => rest,
        _ => return None,
    };
    let (last, front) = rest.split_last()?;
    let (path, operation): (Vec<&str>, Operation) = if method == Method::POST {
        let (last, verb) = last.rsplit_once(':')?;
        (front.iter().copied().chain([last]).collect(), inference_of(verb)?)
    } else if get && last.eq_ignore_ascii_case("metadata") && !front.is_empty() {
        (front.to_vec(), Operation::Metadata)
    } else if get {
        (rest.to_vec(), Operation::Status)
    } else {
        return None;
    };
    let (name, selector) = match path[..] {
        [name] => (name, Ok(Selector::Latest)),
        [name, word, version] if word.eq_ignore_ascii_case("versions") && is_digits(version) => {
            let parsed = version.parse().map(Selector::Version);
            let error = |_| RequestError::invalid(format!("Failed to convert version: {version} to numeric."));
            (name, parsed.map_err(error))
        }
        [name, word, label] if word.eq_ignore_ascii_case("labels") && !label.is_empty() => {
            (name, Ok(Selector::Label(decoded(label)?)))
        }
        _ => return None,
    };
    if name.is_empty() || name.contains(':') {
        return None;
    }
    let model = decoded(name)?;
    Some(selector.map(|selector| RestPath { operation, model, selector }))
}

fn inference_of(verb: &str) -> Option<Operation> {
    let verbs = [
        ("predict", Operation::Predict),
        ("submit", Operation::Submit),
        ("classify", Operation::Classify),
        ("regress", Operation::Regress),
        ("explain", Operation::Explain),
    ];
    verbs.into_iter().find_map(|(word, operation)| word.eq_ignore_ascii_case(verb).then_some(operation))
}

fn parse_v2(method: &Method, get: bool, segments: &[&str]) -> Option<RestPath> {
    match segments[1..] {
        [] | [""] if get => Some(RestPath::server(Operation::ServerMetadata)),
        ["health", "live"] if get => Some(RestPath::server(Operation::ServerLive)),
        ["health", "ready"] if get => Some(RestPath::server(Operation::ServerReady)),
        ["repository", "index"] if method == Method::POST => Some(RestPath::server(Operation::RepositoryIndex)),
        ["repository", "models", name, verb] if method == Method::POST && !name.is_empty() => {
            let operation = match verb {
                "load" => Operation::RepositoryLoad,
                "unload" => Operation::RepositoryUnload,
                _ => return None,
            };
            Some(RestPath { operation, model: decoded(name)?, selector: Selector::Latest })
        }
        ["models", name, ref rest @ ..] if !name.is_empty() => {
            let (selector, rest) = match rest {
                ["versions", version, rest @ ..] if !version.is_empty() => (selector_of(&decoded(version)?), rest),
                rest => (Selector::Latest, rest),
            };
            let operation = match rest {
                [] if get => Operation::ModelMetadata,
                ["ready"] if get => Operation::ModelReady,
                ["infer"] if method == Method::POST => Operation::Infer,
                _ => return None,
            };
            Some(RestPath { operation, model: decoded(name)?, selector })
        }
        _ => None,
    }
}

/// A version is text in the Open Inference Protocol: anything but a number is a label.
pub(crate) fn selector_of(version: &str) -> Selector {
    version.parse().map_or_else(|_| Selector::Label(version.to_owned()), Selector::Version)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn decoded(segment: &str) -> Option<String> {
    percent_decode_str(segment).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Result<RestPath, RequestError> {
        RestPath::parse(&Method::GET, path)
    }

    fn post(path: &str) -> Result<RestPath, RequestError> {
        RestPath::parse(&Method::POST, path)
    }

    fn route(operation: Operation, model: &str, selector: Selector) -> RestPath {
        RestPath { operation, model: model.to_owned(), selector }
    }

    #[test]
    fn the_grammar_of_tf_serving_is_read_in_any_case() {
        let label = || Selector::Label("Stable".to_owned());
        assert_eq!(post("/v1/models/half:predict").unwrap(), route(Operation::Predict, "half", Selector::Latest));
        assert_eq!(post("/V1/Models/half:Predict").unwrap(), route(Operation::Predict, "half", Selector::Latest));
        assert_eq!(
            post("/v1/models/m/versions/00012:regress").unwrap(),
            route(Operation::Regress, "m", Selector::Version(12))
        );
        assert_eq!(post("/v1/models/m/labels/Stable:classify").unwrap(), route(Operation::Classify, "m", label()));
        assert_eq!(get("/v1/models/m").unwrap(), route(Operation::Status, "m", Selector::Latest));
        assert_eq!(get("/v1/models/m/versions/3").unwrap(), route(Operation::Status, "m", Selector::Version(3)));
        assert_eq!(get("/v1/models/m/metadata").unwrap(), route(Operation::Metadata, "m", Selector::Latest));
        assert_eq!(get("/v1/models/m/LABELS/Stable/METADATA").unwrap(), route(Operation::Metadata, "m", label()));
        assert_eq!(get("/v1/models/a%20b").unwrap(), route(Operation::Status, "a b", Selector::Latest));
    }

    #[test]
    fn anything_else_under_v1_is_a_malformed_request() {
        for (method, path) in [
            (Method::POST, "/v1/models/half"),
            (Method::POST, "/v1/models/half:explode"),
            (Method::POST, "/v1/models/half/versions/x:predict"),
            (Method::POST, "/v1/models/half/versions/:predict"),
            (Method::POST, "/v1/models/a:b:predict"),
            (Method::POST, "/v1/models/:predict"),
            (Method::GET, "/v1/models/half:predict"),
            (Method::GET, "/v1/models/half/labels/a/b"),
            (Method::GET, "/v1"),
            (Method::GET, "/v1/other/m"),
            (Method::PUT, "/v1/models/half"),
        ] {
            let error = RestPath::parse(&method, path).unwrap_err();
            assert_eq!(error, RequestError::invalid(format!("Malformed request: {method} {path}")));
        }
        assert_eq!(get("/v1/models").unwrap_err().message, "Missing model name in request.");
        let huge = "99999999999999999999";
        let error = get(&format!("/v1/models/m/versions/{huge}")).unwrap_err();
        assert_eq!(error.message, format!("Failed to convert version: {huge} to numeric."));
    }

    #[test]
    fn the_paths_of_the_open_inference_protocol() {
        assert_eq!(get("/v2").unwrap(), route(Operation::ServerMetadata, "", Selector::Latest));
        assert_eq!(get("/v2/health/ready").unwrap(), route(Operation::ServerReady, "", Selector::Latest));
        assert_eq!(get("/v2/models/m/ready").unwrap(), route(Operation::ModelReady, "m", Selector::Latest));
        assert_eq!(post("/v2/models/m/versions/2/infer").unwrap(), route(Operation::Infer, "m", Selector::Version(2)));
        assert_eq!(post("/v2/repository/index").unwrap(), route(Operation::RepositoryIndex, "", Selector::Latest));
        assert_eq!(
            post("/v2/repository/models/m/unload").unwrap(),
            route(Operation::RepositoryUnload, "m", Selector::Latest)
        );
        let champion = Selector::Label("champion".to_owned());
        assert_eq!(post("/v2/models/m/versions/champion/infer").unwrap(), route(Operation::Infer, "m", champion));
        for path in ["/v2/models/m/infer", "/v2/models", "/v2/health", "/v2/models/m/versions", "//", "/v3", "/livez/"]
        {
            assert_eq!(get(path).unwrap_err().status, StatusCode::NOT_FOUND, "{path}");
        }
        assert_eq!(post("/livez").unwrap_err().status, StatusCode::NOT_FOUND);
        assert_eq!(get("/jobs/a1").unwrap(), route(Operation::Job, "a1", Selector::Latest));
        assert_eq!(post("/jobs/a1:retry").unwrap(), route(Operation::JobRetry, "a1", Selector::Latest));
        assert_eq!(post("/jobs/a1").unwrap_err().status, StatusCode::NOT_FOUND);
        assert_eq!(post("/v1/models/m:submit").unwrap(), route(Operation::Submit, "m", Selector::Latest));
    }
}
