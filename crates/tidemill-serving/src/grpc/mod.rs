//! gRPC: TF Serving's services, the Open Inference Protocol's, health and reflection.
//!
//! Messages into tensors and predictions into messages is all that is done here; what is asked of the models, and how,
//! is REST's too ([`crate::engine`], [`crate::tensor`]).

mod body;
mod call;
mod error;
mod health;
mod oip;
pub mod proto;
mod router;
mod tfs;

pub(crate) use router::Router;
