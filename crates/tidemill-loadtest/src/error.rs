//! Why a load test could not run.

use tidemill_core::{Code, Coded};

/// The load test could not run. Failures of single requests are not errors: they are counted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The URL is invalid.
    #[error("`{url}` cannot be put under load: {reason}")]
    Url {
        /// The URL as given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No model was named, and the server does not list exactly one.
    #[error("which model of `{server}`? {}", known(names))]
    Model {
        /// The server.
        server: String,
        /// The models that the server lists.
        names: Vec<String>,
    },
    /// The server cannot be reached, or closes the connection.
    #[error("`{server}` does not answer")]
    Unreachable {
        /// The server.
        server: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server answers the first request with an error.
    #[error("`{server}` answers the first request with {status}: {answer}")]
    Refused {
        /// The server.
        server: String,
        /// The status, in the protocol's terms.
        status: String,
        /// The beginning of the response.
        answer: String,
    },
    /// The server's metadata of the model is not valid.
    #[error("the metadata of the model cannot be used: {reason}")]
    Metadata {
        /// Why.
        reason: String,
    },
    /// The rows cannot become requests.
    #[error("no requests can be made of the rows: {reason}")]
    Rows {
        /// Why.
        reason: String,
    },
    /// A certificate or a key is not usable.
    #[error("TLS: {what} cannot be used: {reason}")]
    Tls {
        /// Which of them.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// An invalid setting.
    #[error("{reason}")]
    Setting {
        /// The setting and the reason.
        reason: String,
    },
}

fn known(names: &[String]) -> String {
    match names {
        [] => "it does not list its models".to_owned(),
        names => format!("it has `{}`", names.join("`, `")),
    }
}

impl Coded for LoadError {
    fn code(&self) -> Code {
        match self {
            Self::Url { .. } | Self::Model { .. } | Self::Tls { .. } | Self::Setting { .. } => Code::CommandLine,
            Self::Unreachable { .. } => Code::LoadTarget,
            Self::Refused { .. } | Self::Metadata { .. } | Self::Rows { .. } => Code::LoadRequest,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Url { .. } => {
                "such as `http://localhost:8501` or `grpc://localhost:8500` (with TLS `https`, `grpcs`), with `--model`"
                    .to_owned()
            }
            Self::Model { .. } => "name it with `--model`".to_owned(),
            Self::Unreachable { .. } => "is the server running, and is this its port?".to_owned(),
            Self::Refused { .. } => {
                "give rows that suit the model: `--package` takes those recorded in training, `--rows` a file"
                    .to_owned()
            }
            _ => return None,
        })
    }
}

/// The server does not respond, with the reason.
pub(crate) fn unreachable(server: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> LoadError {
    LoadError::Unreachable { server: server.to_owned(), source: source.into() }
}
