//! The search for good parameters.
//!
//! A [`Space`] says which parameters there are and which values they may take. A [`Study`] runs trials: a [`Sampler`]
//! proposes the parameters of each, an [`Objective`] measures them, successive halving ends bad ones early, and the study
//! ends when its [`Budget`] is spent or when more trials no longer promise more ([`Plateau`]).
//!
//! Nothing here knows what is tuned.

mod front;
mod importance;
mod normal;
mod pruning;
mod sampler;
mod space;
mod stop;
mod study;
mod trial;

pub use front::pareto_front;
pub use importance::importance;
pub use pruning::Halving;
pub use sampler::{Sampler, SamplerKind};
pub use space::{Condition, Dimension, Domain, Params, Point, Space, space_schema};
pub use stop::{Budget, Plateau, Stop, StopReason};
pub use study::{Ended, Study, StudyEvents};
pub use trial::{Direction, Measured, Objective, Steps, Trial, TrialError, TrialState};
