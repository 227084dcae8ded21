//! Every component: the only place where all of them meet.

mod approval;
mod pusher;

use std::sync::Arc;

use tidemill_data::{Connectors, ExampleGen};
use tidemill_evaluate::Evaluator;
use tidemill_pipeline::{Components, Workspace};
use tidemill_serving::InfraValidator;
use tidemill_train::{ModelSelector, Trainer, Tuner};
use tidemill_transform::{AnalyzerCache, FeatureGen, HistoryGen, Transform};
use tidemill_validation::{ExampleValidator, SchemaGen, StatisticsGen};

use self::approval::Approval;
use self::pusher::Pusher;
use crate::alias_policy::AliasPolicy;
use crate::feature_sets::FeatureSetFolder;
use crate::sql;

/// Every component. Without a workspace the pusher can be checked but not run; without feature sets there are none.
pub fn all(workspace: Option<Workspace>, sets: Option<FeatureSetFolder>) -> Components {
    all_with(workspace, sets, AliasPolicy::default())
}

/// Every component, with a policy for the aliases that the pusher moves.
pub fn all_with(workspace: Option<Workspace>, sets: Option<FeatureSetFolder>, policy: AliasPolicy) -> Components {
    let transform = match sets {
        Some(sets) => Transform::default().with_sets(Arc::new(sets)),
        None => Transform::default(),
    };
    let transform = match &workspace {
        Some(Workspace { cache_dir: Some(dir), .. }) => transform.with_cache(AnalyzerCache::new(dir.join("analyzers"))),
        _ => transform,
    };
    let components = match &workspace {
        Some(Workspace { cache_dir: Some(dir), .. }) => Components::new().with(Trainer.with_jobs(dir.join("jobs"))),
        _ => Components::new().with(Trainer),
    };
    components
        .with(ExampleGen::new(connectors()).with_conditions(sql::conditions()))
        .with(StatisticsGen)
        .with(SchemaGen)
        .with(ExampleValidator::new(sql::rules()))
        .with(HistoryGen)
        .with(transform)
        .with(FeatureGen)
        .with(Tuner)
        .with(ModelSelector)
        .with(Evaluator)
        .with(InfraValidator)
        .with(Approval::new(workspace.clone()))
        .with(Pusher::new(workspace, policy))
}

/// The object stores and databases that data is read from.
pub fn connectors() -> Connectors {
    tidemill_remote::connectors()
}
