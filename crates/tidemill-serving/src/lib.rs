//! The model server: sources, versions, routes; TF Serving and Open Inference Protocol.
//!
//! A [`Source`] lists the model versions to serve; [`Server`] loads them and serves them over REST, with the APIs of TF
//! Serving (`/v1/models/…`) and of the Open Inference Protocol (`/v2/…`) plus `/livez`, `/readyz` and `/metrics`, and
//! over gRPC, with the same two APIs plus health and reflection ([`proto`] has the messages and clients).
//! [`InfraValidator`] runs a candidate model in this same server before it may be pushed.
//!
//! ```no_run
//! # async fn serve() -> Result<(), tidemill_serving::ServeError> {
//! use std::sync::Arc;
//! use tidemill_serving::{FolderSource, Server, ServerOptions};
//!
//! let source = Arc::new(FolderSource::new("taxi-tips", "/models/taxi-tips"));
//! let server = Server::bind(ServerOptions::default(), source).await?;
//! let handle = server.handle();
//! println!("listening on {}", handle.local_addr());
//! server.run(std::future::pending()).await
//! # }
//! ```

#[cfg(test)]
extern crate self as tidemill_serving;

mod config;
pub mod endpoint;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod inference;
mod infra_validator;
pub mod jobs;
mod models;
mod observability;
mod protocol;
mod server;

pub use config::{ConfigError, ModelConfig, MonitoringConfig};
pub use error::ServeError;
pub use inference::batching::{Batching, BatchingOptions};
pub use inference::input_check::InputPolicy;
pub use infra_validator::InfraValidator;
pub use models::source::{ConfiguredSource, FolderSource, Servable, Source, SourceError, StaticSource, VersionPolicy};
pub use models::versions::{ModelStatus, VersionState, VersionStatus};
pub use models::warmup::{warmup_file, warmup_requests};
pub use observability::inference_log::{HashKey, InferenceLogOptions, LogFormat, ModelLog};
pub use observability::traces::TraceOptions;
pub use protocol::grpc::proto;
pub use server::{Handle, Server, ServerOptions, TlsOptions, V1Dialect};
pub use tidemill_onnx::{OnnxEngine, OnnxOptions, OnnxRuntimeError};
