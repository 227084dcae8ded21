//! The model server: sources, versions, routes; TF Serving and Open Inference Protocol.
//!
//! A [`Source`] lists what should be served; [`Server`] makes it so and answers for it over REST, in the dialects of
//! TF Serving (`/v1/models/…`) and of the Open Inference Protocol (`/v2/…`), with `/livez`, `/readyz` and `/metrics`
//! beside them, and over gRPC, in the same two dialects, with health and reflection beside them ([`proto`] has the
//! messages and clients). [`InfraValidator`] runs a candidate model in this very server before it may be pushed.
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

mod access;
mod admission;
mod batching;
mod body;
mod config;
mod control;
mod dispatch;
mod engine;
mod error;
mod explain;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod grpc;
mod infer;
mod inference_log;
mod inflate;
mod input_check;
mod json;
mod metrics;
mod oip;
mod pool;
mod request_error;
mod route;
mod server;
mod source;
mod status;
mod tensor;
mod tfs;
mod traces;
mod trail;
mod validator;
mod versions;
mod warmup;

pub use batching::{Batching, BatchingOptions};
pub use config::{ConfigError, ModelConfig, MonitoringConfig};
pub use error::ServeError;
pub use grpc::proto;
pub use inference_log::{InferenceLogOptions, LogFormat, ModelLog};
pub use input_check::InputPolicy;
pub use server::{Handle, Server, ServerOptions, TlsOptions, V1Dialect};
pub use source::{ConfiguredSource, FolderSource, Servable, Source, SourceError, StaticSource, VersionPolicy};
pub use tidemill_model::{OnnxEngine, OnnxOptions, OnnxRuntimeError};
pub use traces::TraceOptions;
pub use validator::InfraValidator;
pub use versions::{ModelStatus, VersionState, VersionStatus};
pub use warmup::{warmup_file, warmup_requests};
