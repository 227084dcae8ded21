//! The target of a load.

use hyper::Uri;

use crate::tls::Tls;
use crate::{Certificates, LoadError};

/// The format of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// TF Serving's REST: `POST /v1/models/NAME:predict`.
    TfServing,
    /// The Open Inference Protocol over REST: `POST /v2/models/NAME/infer`.
    OpenInference,
    /// The Open Inference Protocol over gRPC: `ModelInfer`.
    Grpc,
    /// Any body, sent as it is.
    Raw,
}

impl Protocol {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TfServing => "TF Serving REST",
            Self::OpenInference => "Open Inference REST",
            Self::Grpc => "Open Inference gRPC",
            Self::Raw => "HTTP POST",
        }
    }
}

/// A server, a path and a protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The URL as given, for reports.
    pub url: String,
    /// `host:port`.
    pub authority: String,
    /// The path of requests; empty until the model is known.
    pub path: String,
    /// The format of requests.
    pub protocol: Protocol,
    /// The model, if it is known.
    pub model: Option<String>,
    /// Headers that go with every request.
    pub headers: Vec<(String, String)>,
    /// How to verify the server with TLS.
    pub(crate) tls: Option<Tls>,
    /// The path before `/v1` and `/v2`.
    prefix: String,
}

const GRPC_PATH: &str = "/inference.GRPCInferenceService/ModelInfer";

impl Target {
    /// Parses the URL of a server (`http://localhost:8501`, `grpc://localhost:8500`), of a model's endpoint
    /// (`…/v1/models/NAME:predict`, `…/v2/models/NAME/infer`), or any other for [`Protocol::Raw`]. With TLS the schemes
    /// are `https` and `grpcs`; the server is verified with the authorities of this machine, unless
    /// [`certified`](Self::certified) sets others.
    ///
    /// `protocol` and `model` supply what the URL leaves open.
    pub fn parse(url: &str, protocol: Option<Protocol>, model: Option<&str>) -> Result<Self, LoadError> {
        let refuse = |reason: &str| LoadError::Url { url: url.to_owned(), reason: reason.to_owned() };
        let with_scheme = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let uri: Uri = with_scheme.parse().map_err(|error| refuse(&format!("{error}")))?;
        let scheme = uri.scheme_str().unwrap_or("http");
        let (grpc, secure) = match scheme {
            "http" => (false, false),
            "https" => (false, true),
            "grpc" => (true, false),
            "grpcs" => (true, true),
            _ => return Err(refuse("the scheme must be `http`, `https`, `grpc` or `grpcs`")),
        };
        let authority = uri.authority().ok_or_else(|| refuse("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(refuse("it holds a user name; send credentials with `--header`"));
        }
        if authority.as_str() != authority.host() && authority.port_u16().is_none() {
            return Err(refuse("its port is none"));
        }
        let usual = match (grpc, secure) {
            (true, _) => 8500,
            (false, true) => 443,
            (false, false) => 80,
        };
        let port = authority.port_u16().unwrap_or(usual);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let endpoint = if grpc { None } else { endpoint(path) };
        let given = match (&endpoint, grpc, path) {
            (Some((found, ..)), ..) => Some(*found),
            (None, true, _) => Some(Protocol::Grpc),
            (None, false, "/" | "") => None,
            _ => Some(Protocol::Raw),
        };
        if let (Some(given), Some(asked)) = (given, protocol)
            && given != asked
            && asked != Protocol::Raw
        {
            return Err(refuse(&format!("it speaks {}, and {} is asked for", given.name(), asked.name())));
        }
        let protocol = protocol.or(given).unwrap_or(Protocol::TfServing);
        let mut target = Self {
            url: url.to_owned(),
            authority: format!("{}:{port}", authority.host()),
            path: String::new(),
            protocol,
            model: None,
            headers: Vec::new(),
            tls: if secure { Some(Tls::new(&Certificates::default())?) } else { None },
            prefix: String::new(),
        };
        if let Some((_, prefix, name)) = endpoint {
            prefix.clone_into(&mut target.prefix);
            target.model = Some(name.to_owned());
            path.clone_into(&mut target.path);
        } else if protocol == Protocol::Raw {
            path.clone_into(&mut target.path);
        } else if let Some(model) = model {
            target.name_model(model);
        }
        Ok(target)
    }

    /// Sets the certificates of server and client; an error if the target does not use TLS.
    pub fn certified(&mut self, certificates: &Certificates) -> Result<(), LoadError> {
        if self.tls.is_none() {
            let reason = "certificates are for `https` and `grpcs`".to_owned();
            return Err(LoadError::Url { url: self.url.clone(), reason });
        }
        self.tls = Some(Tls::new(certificates)?);
        Ok(())
    }

    /// Sets the model.
    pub fn name_model(&mut self, model: &str) {
        self.path = match self.protocol {
            Protocol::TfServing => format!("{}/v1/models/{}:predict", self.prefix, segment(model)),
            Protocol::OpenInference => format!("{}/v2/models/{}/infer", self.prefix, segment(model)),
            Protocol::Grpc => GRPC_PATH.to_owned(),
            Protocol::Raw => std::mem::take(&mut self.path),
        };
        self.model = Some(model.to_owned());
    }

    /// The metadata path of the model in the same protocol; none over gRPC.
    pub(crate) fn metadata_path(&self) -> Option<String> {
        match self.protocol {
            Protocol::TfServing => Some(format!("{}/metadata", self.path.rsplit_once(':')?.0)),
            Protocol::OpenInference => Some(self.path.strip_suffix("/infer")?.to_owned()),
            Protocol::Grpc | Protocol::Raw => None,
        }
    }

    /// The path of the list of models.
    pub(crate) fn index_path(&self) -> String {
        format!("{}/v2/repository/index", self.prefix)
    }
}

/// Protocol, prefix and model of an endpoint's path.
fn endpoint(path: &str) -> Option<(Protocol, &str, &str)> {
    if let Some(at) = path.find("/v1/models/")
        && let Some((resource, _)) = path.rsplit_once(':')
    {
        let name = resource.get(at + "/v1/models/".len()..)?.split('/').next()?;
        return Some((Protocol::TfServing, &path[..at], name));
    }
    let at = path.find("/v2/models/")?;
    let rest = path[at + "/v2/models/".len()..].strip_suffix("/infer")?;
    Some((Protocol::OpenInference, &path[..at], rest.split('/').next()?))
}

/// A name as a segment of a path.
fn segment(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Target, LoadError> {
        Target::parse(url, None, Some("taxi tips"))
    }

    #[test]
    fn a_server_an_endpoint_or_anything() {
        let cases = [
            ("localhost:8501", Protocol::TfServing, "localhost:8501", "/v1/models/taxi%20tips:predict"),
            ("http://h", Protocol::TfServing, "h:80", "/v1/models/taxi%20tips:predict"),
            ("grpc://h", Protocol::Grpc, "h:8500", GRPC_PATH),
            (
                "http://h:1/p/v1/models/m/versions/3:predict",
                Protocol::TfServing,
                "h:1",
                "/p/v1/models/m/versions/3:predict",
            ),
            (
                "http://h:1/v2/models/m/versions/3/infer",
                Protocol::OpenInference,
                "h:1",
                "/v2/models/m/versions/3/infer",
            ),
            ("http://h:1/score?x=1", Protocol::Raw, "h:1", "/score?x=1"),
        ];
        for (url, protocol, authority, path) in cases {
            let target = parse(url).unwrap();
            assert_eq!((target.protocol, &*target.authority, &*target.path), (protocol, authority, path), "{url}");
        }
        for (url, authority, http2) in [("https://h", "h:443", false), ("grpcs://h", "h:8500", true)] {
            let target = parse(url).unwrap();
            assert_eq!((&*target.authority, target.protocol == Protocol::Grpc), (authority, http2));
            assert!(target.tls.is_some());
        }
        let target = parse("http://h:1/p/v1/models/m/versions/3:predict").unwrap();
        assert_eq!(target.model.as_deref(), Some("m"));
        assert_eq!(target.metadata_path().as_deref(), Some("/p/v1/models/m/versions/3/metadata"));
        assert_eq!(target.index_path(), "/p/v2/repository/index");
    }

    #[test]
    fn what_cannot_be_asked_is_said() {
        for url in ["ftp://h", "httpss://h", "http://u:p@h", "http://", "http://h:99999", "a b"] {
            assert!(matches!(parse(url), Err(LoadError::Url { .. })), "{url}");
        }
        let asked = Target::parse("http://h/v2/models/m/infer", Some(Protocol::TfServing), None);
        assert!(matches!(asked, Err(LoadError::Url { .. })));
    }
}
