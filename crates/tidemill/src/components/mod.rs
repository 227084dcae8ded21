//! The components the binary knows: the only place where all of them meet.

mod pusher;

use tidemill_data::{Connectors, ExampleGen, ExampleValidator, SchemaGen, StatisticsGen};
use tidemill_engine::SqlRules;
use tidemill_evaluate::Evaluator;
use tidemill_pipeline::{Components, Workspace};
use tidemill_serving::InfraValidator;
use tidemill_train::Trainer;
use tidemill_transform::{HistoryGen, Transform};

use self::pusher::Pusher;
use crate::settings::cores;

/// Every component. Without a workspace the pusher can be checked but not run.
pub fn all(workspace: Option<Workspace>) -> Components {
    Components::new()
        .with(ExampleGen::new(connectors()))
        .with(StatisticsGen)
        .with(SchemaGen)
        .with(ExampleValidator::new(SqlRules { threads: cores() }))
        .with(HistoryGen)
        .with(Transform)
        .with(Trainer)
        .with(Evaluator)
        .with(InfraValidator)
        .with(Pusher::new(workspace))
}

/// The object stores and databases that data is read from.
pub fn connectors() -> Connectors {
    tidemill_remote::connectors()
}
