//! Endpoints: one name, and a file that says what answers for it.
//!
//! [`spec`] has the keys of the file. `build` makes a target of it and of the loaded models: rules (`route`) choose a
//! model for each row; a `graph` calls it, through the cache of predictions (`memory`), its limits and circuit breaker
//! (`guard`), and fallbacks (`fallback`); `shadow` sends copies. `registry` keeps the endpoints of a server, and
//! builds them again whenever a file or a model changes.
//!
//! Everything that can be answered at once is answered on the thread that reads the request, without a task or an
//! allocation per rule: see `call::Step`.

mod breaker;
mod build;
mod cache;
mod call;
pub(crate) mod condition;
mod expression;
mod fallback;
mod features;
mod fixed;
mod graph;
mod guard;
mod memory;
mod model;
mod parallel;
mod paths;
pub(crate) mod registry;
mod remote;
mod rollout;
mod route;
mod rows;
mod sequence;
mod shadow;
mod signature;
pub mod spec;
mod split;
mod state;
mod status;
mod target;

pub use build::path_model_name;
pub use paths::{endpoint_signature_of_files, path_servables, signature_at};
pub use remote::fetch_json;
pub(crate) use remote::remote_address;
pub use signature::{EndpointSignature, endpoint_signature};
