//! Alerts: when they fire, who is told, and that nobody is told twice.

mod bodies;
mod book;
mod deliver;
mod queue;

pub use bodies::{Context, alertmanager, pagerduty, signature, slack, webhook};
pub use book::{Acknowledgement, Alert, AlertBook, AlertState, Change, Outcome, Silence};
pub use deliver::{Delivered, Postman};
pub use queue::{Letter, Queue};
