//! The components the binary knows: the only place where all of them meet.

mod pusher;

use tidemill_data::{ExampleGen, ExampleValidator, SchemaGen, StatisticsGen};
use tidemill_evaluate::Evaluator;
use tidemill_pipeline::{Components, Workspace};
use tidemill_serving::InfraValidator;
use tidemill_train::Trainer;
use tidemill_transform::Transform;

use self::pusher::Pusher;

/// Every component. Without a workspace the pusher can be checked but not run.
pub fn all(workspace: Option<Workspace>) -> Components {
    Components::new()
        .with(ExampleGen)
        .with(StatisticsGen)
        .with(SchemaGen)
        .with(ExampleValidator)
        .with(Transform)
        .with(Trainer)
        .with(Evaluator)
        .with(InfraValidator)
        .with(Pusher::new(workspace))
}
