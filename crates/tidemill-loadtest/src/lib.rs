//! Load on a model server: open loop, latency as a client sees it.
//!
//! A [`Load`] says how much; [`Target`] where; [`Requests`] what is sent, made of [`Row`]s. [`run`] sends requests when
//! they are due whether or not the ones before are answered, and measures each from the moment it was *due*: a server
//! that stalls is charged for everybody who would have been waiting. [`find_capacity`] searches the highest rate at
//! which latency stays within a bound.

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
