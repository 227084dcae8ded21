//! What each command does. A command returns the exit code, or a failure that becomes one.

mod approvals;
mod automl;
mod backfill;
mod bless;
mod cells;
mod data;
mod diff;
mod diff_runs;
mod drift;
mod endpoint;
mod evaluate;
mod explain_prediction;
mod explore;
mod features;
mod feedback;
mod history;
mod inference_log;
mod init;
mod input;
mod inspect;
mod lineage;
mod loadtest;
mod log;
mod model;
mod model_bench;
mod model_import;
mod model_run;
mod models;
mod monitor;
mod pipeline;
mod predict;
mod report;
mod reproduce;
mod retry;
mod rows;
mod runs;
mod sample;
mod schedules;
mod schema;
mod serve;
#[cfg(feature = "sql")]
mod sql;
#[cfg(not(feature = "sql"))]
#[path = "sql_absent.rs"]
mod sql;
mod statistics;
mod step;
mod store;
mod transform;
mod trials;
mod up;
mod warmup;
mod watch;

use std::path::Path;

pub use tidemill_cli::{print, say, talk, write_out};
use tidemill_core::Failure;
use tidemill_project::{Project, user as actor};

use crate::cli::{Cli, Command, Global};

/// Runs the command.
pub async fn dispatch(cli: Cli) -> Result<u8, Failure> {
    let global = &cli.global;
    match cli.command {
        Command::Init(args) => init::init(&args, global).await,
        Command::Automl(args) => automl::automl(&args, global).await,
        Command::Explore(args) => explore::explore(&args, global),
        Command::Check(args) => pipeline::check(&args, global),
        Command::Plan(args) => pipeline::plan(&args, global).await,
        Command::Run(args) => pipeline::run(&args, global).await,
        Command::Up(args) => up::up(&args, global).await,
        Command::Schedules(args) => schedules::schedules(&args, global).await,
        Command::Retry(args) => retry::retry(&args, global).await,
        Command::Approvals(args) => approvals::approvals(&args, global).await,
        Command::Backfill(args) => backfill::backfill(&args, global).await,
        Command::Step(command) => step::step(&command, global).await,
        Command::Status(args) => inspect::status(&args, global).await,
        Command::Runs(args) => runs::runs(&args, global).await,
        Command::Log(args) => log::log(&args, global).await,
        Command::Artifacts(args) => inspect::artifacts(&args, global).await,
        Command::Trials(args) => trials::trials(&args, global).await,
        Command::Report(args) => report::report(&args, global).await,
        Command::Models(args) => models::models(&args, global).await,
        Command::Reproduce(args) => reproduce::reproduce(&args, global).await,
        Command::Bless(args) => bless::bless(&args, global).await,
        Command::Rollback(args) => models::rollback(&args, global).await,
        Command::Alias(args) => models::alias(&args, global).await,
        Command::Lineage(args) => lineage::lineage(&args, global).await,
        Command::Serve(args) => serve::serve(&args, global).await,
        Command::Endpoint(command) => endpoint::endpoint(&command, global).await,
        Command::Loadtest(args) => loadtest::loadtest(&args, global).await,
        Command::InferenceLog(command) => inference_log::inference_log(&command, global).await,
        Command::Monitor(command) => monitor::monitor(&command, global).await,
        Command::Feedback(command) => feedback::feedback(&command, global),
        Command::Predict(args) => predict::predict(&args, global).await,
        Command::Transform(args) => transform::transform(&args, global).await,
        Command::History(args) => history::history(&args, global),
        Command::Features(command) => features::features(&command, global).await,
        Command::Evaluate(args) => evaluate::evaluate(&args, global),
        Command::ExplainPrediction(args) => explain_prediction::explain_prediction(&args, global).await,
        Command::Model(command) => model::model(&command, global).await,
        Command::Stats(args) => data::stats(&args, global),
        Command::InferSchema(args) => data::infer_schema(&args, global),
        Command::Validate(args) => data::validate(&args, global),
        Command::Drift(args) => drift::drift(&args, global),
        Command::Sql(args) => sql::sql(&args, global).await,
        Command::Diff(args) => diff::diff(&args, global).await,
        Command::Sample(command) => sample::sample(&command, global),
        Command::Schema(command) => schema::schema(&command, global),
        Command::Store(command) => store::store(&command, global).await,
        Command::Explain(args) => tidemill_cli::explain(&args, global),
        Command::Completions(args) => tidemill_cli::completions::<Cli>(&args, global),
    }
}

/// The project that a command works on: the one at `path`, or the one that the flags name, or the one around the
/// current folder.
pub fn find_project(path: Option<&Path>, global: &Global) -> Result<Project, Failure> {
    Project::find(path.or(global.project.as_deref()), global.profile.as_deref())
}

/// Makes the folder a file is going to stand in.
fn make_parent(path: &Path) -> Result<(), Failure> {
    Ok(tidemill_files::create_parent(path)?)
}
