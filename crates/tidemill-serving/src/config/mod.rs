//! TF Serving's configuration files: protocol buffers as text.

mod batching;
mod error;
mod models;
mod server;
mod text;

pub use error::ConfigError;
pub use models::ModelConfig;
pub(crate) use models::model_configs;
pub use server::MonitoringConfig;
#[cfg(feature = "fuzzing")]
pub(crate) use text::parse_any;
