//! Load on a model server: open loop, latency as a client sees it.
//!
//! A [`Load`] says how much to send, [`Target`] where, and [`Requests`], made from [`Row`]s, what. [`run`] sends
//! requests when they are due, whether or not earlier ones are answered, and measures each from the moment it was
//! *due*: a server that stalls is charged for all requests that would have waited. [`find_capacity`] searches for the
//! highest rate at which latency stays within a bound.

mod capacity;
mod connection;
mod error;
mod grpc;
mod measure;
mod metadata;
mod pace;
mod requests;
mod rows;
mod run;
mod target;
mod tls;

pub use capacity::{Capacity, Goal, Probe, find_capacity};
pub use error::LoadError;
pub use measure::{HistogramBucket, Latency, Measured};
pub use metadata::{ModelInput, inputs, model_names};
pub use requests::Requests;
pub use rows::{Row, perturbed_rows, synthetic_rows};
pub use run::{Load, LoadProgress, Rate, run, try_request};
pub use target::{Protocol, Target};
pub use tls::Certificates;
