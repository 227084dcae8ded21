//! From method and path to what is asked for.
//!
//! Paths under `/v1` follow TF Serving's grammar, which no common router can express: keywords in any case, and a
//! verb after a colon. Paths under `/v2` are the Open Inference Protocol's.

use std::borrow::Cow;

use hyper::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use crate::inference::request_error::RequestError;
use crate::models::versions::Selector;

/// What is asked for, without of whom; also the word in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Endpoint {
    /// Whether the process lives.
    Live,
    /// `KServe` v1: whether the process lives, at the root.
    Alive,
    /// Whether every model is served.
    Ready,
    /// Prometheus text.
    Metrics,
    /// TF Serving: the states of a model's versions.
    Status,
    /// TF Serving: the signature.
    Metadata,
    /// `KServe` v1: the names of all models, where the server answers as it.
    Models,
    /// TF Serving: predict.
    Predict,
    /// TF Serving: classify.
    Classify,
    /// TF Serving: regress.
    Regress,
    /// `KServe`: what each feature adds to the score.
    Explain,
    /// TF Serving: several of classify and regress at once (gRPC only).
    MultiInference,
    /// TF Serving: tensors fed and fetched by name (gRPC only).
    SessionRun,
    /// TF Serving: a new configuration (gRPC only).
    Reload,
    /// Open Inference Protocol: whether the process lives.
    ServerLive,
    /// Open Inference Protocol: whether every model is served.
    ServerReady,
    /// Open Inference Protocol: what the server is.
    ServerMetadata,
    /// Open Inference Protocol: the signature.
    ModelMetadata,
    /// Open Inference Protocol: whether a model is served.
    ModelReady,
    /// Open Inference Protocol: inference.
    Infer,
    /// Open Inference Protocol: every model that is known.
    RepositoryIndex,
    /// Open Inference Protocol: load a model.
    RepositoryLoad,
    /// Open Inference Protocol: unload a model.
    RepositoryUnload,
    /// gRPC's own question whether requests may come.
    Health,
    /// What the server's messages look like (gRPC only).
    Reflection,
    /// No such path.
    Unknown,
}

impl Endpoint {
    /// The word in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Alive => "alive",
            Self::Ready => "ready",
            Self::Metrics => "metrics",
            Self::Status => "status",
            Self::Metadata => "metadata",
            Self::Models => "models",
            Self::Predict => "predict",
            Self::Classify => "classify",
            Self::Regress => "regress",
            Self::Explain => "explain",
            Self::MultiInference => "multi_inference",
            Self::SessionRun => "session_run",
            Self::Reload => "reload",
            Self::ServerLive => "v2_live",
            Self::ServerReady => "v2_ready",
            Self::ServerMetadata => "v2_server_metadata",
            Self::ModelMetadata => "v2_model_metadata",
            Self::ModelReady => "v2_model_ready",
            Self::Infer => "v2_infer",
            Self::RepositoryIndex => "v2_repository_index",
            Self::RepositoryLoad => "v2_repository_load",
            Self::RepositoryUnload => "v2_repository_unload",
            Self::Health => "health",
            Self::Reflection => "reflection",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it is answered to everybody: those who watch over the process have no key.
    pub(crate) const fn is_open(self) -> bool {
        matches!(self, Self::Live | Self::Alive | Self::Ready | Self::ServerLive | Self::ServerReady | Self::Health)
    }

    /// Whether it is work, of which there may be too much.
    pub(crate) const fn is_inference(self) -> bool {
        matches!(
            self,
            Self::Predict
                | Self::Classify
                | Self::Regress
                | Self::Explain
                | Self::MultiInference
                | Self::SessionRun
                | Self::Infer
        )
    }

    /// The API label of TF Serving's own metrics; they count inference only.
    pub(crate) const fn tfs_api(self) -> Option<&'static str> {
        match self {
            Self::Predict | Self::Infer => Some("predict"),
            Self::Classify => Some("classify"),
            Self::Regress => Some("regress"),
            Self::MultiInference => Some("multi_inference"),
            Self::SessionRun => Some("session_run"),
            _ => None,
        }
    }
}

/// A request's method and path, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) endpoint: Endpoint,
    /// The model's name; empty where the endpoint is not about one.
    pub(crate) model: String,
    pub(crate) selector: Selector,
}

impl Route {
    /// Understands a path, or says why not: 400 under `/v1` as TF Serving does, 404 elsewhere.
    pub(crate) fn parse(method: &Method, path: &str) -> Result<Self, RequestError> {
        let known = match path {
            "/" => Some(Endpoint::Alive),
            "/livez" => Some(Endpoint::Live),
            "/readyz" => Some(Endpoint::Ready),
            "/metrics" | "/monitoring/prometheus/metrics" => Some(Endpoint::Metrics),
            _ => None,
        };
        let get = method == Method::GET || method == Method::HEAD;
        if let Some(endpoint) = known.filter(|_| get) {
            return Ok(Self::server(endpoint));
        }
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        if segments[0].eq_ignore_ascii_case("v1") {
            return parse_v1(method, get, &segments)
                .ok_or_else(|| RequestError::invalid(format!("Malformed request: {method} {path}")))?;
        }
        let route = if segments[0] == "v2" { parse_v2(method, get, &segments) } else { None };
        route.ok_or_else(|| RequestError::new(StatusCode::NOT_FOUND, format!("no such path: {method} {path}")))
    }

    /// A request that is about no model.
    pub(crate) fn server(endpoint: Endpoint) -> Self {
        Self { endpoint, model: String::new(), selector: Selector::Latest }
    }
}

fn parse_v1(method: &Method, get: bool, segments: &[&str]) -> Option<Result<Route, RequestError>> {
    let rest = match segments {
        [_, models] if models.eq_ignore_ascii_case("models") && get => {
            return Some(Err(RequestError::invalid("Missing model name in request.")));
        }
        [_, models, rest @ ..] if models.eq_ignore_ascii_case("models") => rest,
        _ => return None,
    };
    let (last, front) = rest.split_last()?;
    let (path, endpoint): (Vec<&str>, Endpoint) = if method == Method::POST {
        let (last, verb) = last.rsplit_once(':')?;
        (front.iter().copied().chain([last]).collect(), inference_of(verb)?)
    } else if get && last.eq_ignore_ascii_case("metadata") && !front.is_empty() {
        (front.to_vec(), Endpoint::Metadata)
    } else if get {
        (rest.to_vec(), Endpoint::Status)
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
    Some(selector.map(|selector| Route { endpoint, model, selector }))
}

fn inference_of(verb: &str) -> Option<Endpoint> {
    let verbs = [
        ("predict", Endpoint::Predict),
        ("classify", Endpoint::Classify),
        ("regress", Endpoint::Regress),
        ("explain", Endpoint::Explain),
    ];
    verbs.into_iter().find_map(|(word, endpoint)| word.eq_ignore_ascii_case(verb).then_some(endpoint))
}

fn parse_v2(method: &Method, get: bool, segments: &[&str]) -> Option<Route> {
    match segments[1..] {
        [] | [""] if get => Some(Route::server(Endpoint::ServerMetadata)),
        ["health", "live"] if get => Some(Route::server(Endpoint::ServerLive)),
        ["health", "ready"] if get => Some(Route::server(Endpoint::ServerReady)),
        ["repository", "index"] if method == Method::POST => Some(Route::server(Endpoint::RepositoryIndex)),
        ["repository", "models", name, verb] if method == Method::POST && !name.is_empty() => {
            let endpoint = match verb {
                "load" => Endpoint::RepositoryLoad,
                "unload" => Endpoint::RepositoryUnload,
                _ => return None,
            };
            Some(Route { endpoint, model: decoded(name)?, selector: Selector::Latest })
        }
        ["models", name, ref rest @ ..] if !name.is_empty() => {
            let (selector, rest) = match rest {
                ["versions", version, rest @ ..] if !version.is_empty() => (selector_of(&decoded(version)?), rest),
                rest => (Selector::Latest, rest),
            };
            let endpoint = match rest {
                [] if get => Endpoint::ModelMetadata,
                ["ready"] if get => Endpoint::ModelReady,
                ["infer"] if method == Method::POST => Endpoint::Infer,
                _ => return None,
            };
            Some(Route { endpoint, model: decoded(name)?, selector })
        }
        _ => None,
    }
}

/// A version is text in the Open Inference Protocol: what is no number is a label.
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

    fn get(path: &str) -> Result<Route, RequestError> {
        Route::parse(&Method::GET, path)
    }

    fn post(path: &str) -> Result<Route, RequestError> {
        Route::parse(&Method::POST, path)
    }

    fn route(endpoint: Endpoint, model: &str, selector: Selector) -> Route {
        Route { endpoint, model: model.to_owned(), selector }
    }

    #[test]
    fn the_grammar_of_tf_serving_is_read_in_any_case() {
        let label = || Selector::Label("Stable".to_owned());
        assert_eq!(post("/v1/models/half:predict").unwrap(), route(Endpoint::Predict, "half", Selector::Latest));
        assert_eq!(post("/V1/Models/half:Predict").unwrap(), route(Endpoint::Predict, "half", Selector::Latest));
        assert_eq!(
            post("/v1/models/m/versions/00012:regress").unwrap(),
            route(Endpoint::Regress, "m", Selector::Version(12))
        );
        assert_eq!(post("/v1/models/m/labels/Stable:classify").unwrap(), route(Endpoint::Classify, "m", label()));
        assert_eq!(get("/v1/models/m").unwrap(), route(Endpoint::Status, "m", Selector::Latest));
        assert_eq!(get("/v1/models/m/versions/3").unwrap(), route(Endpoint::Status, "m", Selector::Version(3)));
        assert_eq!(get("/v1/models/m/metadata").unwrap(), route(Endpoint::Metadata, "m", Selector::Latest));
        assert_eq!(get("/v1/models/m/LABELS/Stable/METADATA").unwrap(), route(Endpoint::Metadata, "m", label()));
        assert_eq!(get("/v1/models/a%20b").unwrap(), route(Endpoint::Status, "a b", Selector::Latest));
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
            let error = Route::parse(&method, path).unwrap_err();
            assert_eq!(error, RequestError::invalid(format!("Malformed request: {method} {path}")));
        }
        assert_eq!(get("/v1/models").unwrap_err().message, "Missing model name in request.");
        let huge = "99999999999999999999";
        let error = get(&format!("/v1/models/m/versions/{huge}")).unwrap_err();
        assert_eq!(error.message, format!("Failed to convert version: {huge} to numeric."));
    }

    #[test]
    fn the_paths_of_the_open_inference_protocol() {
        assert_eq!(get("/v2").unwrap(), route(Endpoint::ServerMetadata, "", Selector::Latest));
        assert_eq!(get("/v2/health/ready").unwrap(), route(Endpoint::ServerReady, "", Selector::Latest));
        assert_eq!(get("/v2/models/m/ready").unwrap(), route(Endpoint::ModelReady, "m", Selector::Latest));
        assert_eq!(post("/v2/models/m/versions/2/infer").unwrap(), route(Endpoint::Infer, "m", Selector::Version(2)));
        assert_eq!(post("/v2/repository/index").unwrap(), route(Endpoint::RepositoryIndex, "", Selector::Latest));
        assert_eq!(
            post("/v2/repository/models/m/unload").unwrap(),
            route(Endpoint::RepositoryUnload, "m", Selector::Latest)
        );
        let champion = Selector::Label("champion".to_owned());
        assert_eq!(post("/v2/models/m/versions/champion/infer").unwrap(), route(Endpoint::Infer, "m", champion));
        for path in ["/v2/models/m/infer", "/v2/models", "/v2/health", "/v2/models/m/versions", "//", "/v3", "/livez/"]
        {
            assert_eq!(get(path).unwrap_err().status, StatusCode::NOT_FOUND, "{path}");
        }
        assert_eq!(post("/livez").unwrap_err().status, StatusCode::NOT_FOUND);
    }
}
