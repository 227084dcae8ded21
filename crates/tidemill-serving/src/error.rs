//! Errors of the server as a whole.

use std::net::SocketAddr;
use std::path::PathBuf;

use tidemill_core::{Code, Coded};

/// The server could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Another process listens on the address.
    #[error("port {} of `{}` is in use", address.port(), address.ip())]
    PortInUse {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The socket in the file system cannot be listened on.
    #[error("cannot listen on the socket `{}`", path.display())]
    Socket {
        /// The path asked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The metrics cannot be set up.
    #[error("cannot set up the metrics: {reason}")]
    Metrics {
        /// Why.
        reason: String,
    },
    /// The descriptions of the gRPC services cannot be read.
    #[error("cannot set up gRPC reflection: {reason}")]
    Reflection {
        /// Why.
        reason: String,
    },
    /// A certificate or a key cannot be used.
    #[error("TLS: {what} cannot be used: {reason}")]
    Tls {
        /// Which of them.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// The file of API keys cannot be used.
    #[error("the API keys in `{}` cannot be used: {reason}", file.display())]
    ApiKeys {
        /// The file.
        file: PathBuf,
        /// Why, with the line.
        reason: String,
    },
    /// Anyone could change what is served.
    #[error("model control is on, and everybody who reaches this machine could use it")]
    OpenModelControl,
    /// The key for hashes in the inference log is too short.
    #[error("the key for hashes in the inference log has {found} bytes, and at least {least} are needed")]
    HashKey {
        /// Its bytes.
        found: usize,
        /// How many it needs.
        least: usize,
    },
    /// The inference log cannot be written.
    #[error("the inference log cannot be written to `{}`", path.display())]
    InferenceLog {
        /// Its folder.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Traces cannot be sent.
    #[error("traces cannot be sent to `{endpoint}`: {reason}")]
    Traces {
        /// The collector.
        endpoint: String,
        /// Why.
        reason: String,
    },
    /// The task that loads models has stopped on its own.
    #[error("the task that loads models has ended")]
    ManagerEnded,
}

impl Coded for ServeError {
    fn code(&self) -> Code {
        match self {
            Self::PortInUse { .. } => Code::PortInUse,
            Self::Bind { .. } | Self::Socket { .. } | Self::InferenceLog { .. } => Code::ServerFailed,
            Self::OpenModelControl
            | Self::Tls { .. }
            | Self::ApiKeys { .. }
            | Self::HashKey { .. }
            | Self::Traces { .. } => Code::CommandLine,
            Self::Metrics { .. } | Self::Reflection { .. } | Self::ManagerEnded => Code::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::PortInUse { .. } => Some("stop the other process, or choose another port".to_owned()),
            Self::ApiKeys { .. } => Some(
                "a line is a name, the SHA-256 of a key in 64 hexadecimal digits, and roles: `ci 9f86d0… infer`"
                    .to_owned(),
            ),
            Self::OpenModelControl => {
                Some("give the server API keys (`--api_keys`), one of them with the role `admin`".to_owned())
            }
            _ => None,
        }
    }
}
