//! Runs of toy pipelines: caching, verdicts, failures, stops.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::sync::atomic::Ordering;

use common::{PIPELINE, Project};
use tidemill_core::Code;
use tidemill_metadata::{ExecutionState, RunState};
use tidemill_pipeline::{Action, CachePolicy, Plan, RunReport, StepState};

fn states(report: &RunReport) -> Vec<(&str, StepState)> {
    report.steps.iter().map(|step| (step.step.as_str(), step.state)).collect()
}

fn all(state: StepState) -> Vec<(&'static str, StepState)> {
    ["read", "validate", "transform", "train", "evaluate", "push"].map(|step| (step, state)).to_vec()
}

#[tokio::test]
async fn a_second_run_is_cached_whole() {
    let project = Project::new();
    let first = project.run(PIPELINE).await;
    assert_eq!((first.state, states(&first)), (RunState::Complete, all(StepState::Complete)));
    assert_eq!(first.steps[3].outcome.as_ref().unwrap().headline, "13");
    let second = project.run(PIPELINE).await;
    assert_eq!((second.state, states(&second)), (RunState::Complete, all(StepState::Cached)));
    assert_eq!(second.exit_code(), 0);
    assert_eq!(second.steps[3].outcome.as_ref().unwrap().headline, "13");
    assert_eq!((project.trained.load(Ordering::SeqCst), project.transformed.load(Ordering::SeqCst)), (1, 1));
}

#[tokio::test]
async fn a_changed_parameter_reruns_only_what_depends_on_it_and_the_plan_names_it() {
    let project = Project::new();
    project.run(PIPELINE).await;
    let changed = PIPELINE.replace("amount: 10", "amount: 20");
    let plan = Plan::make(&project.pipeline(&changed), &project.workspace, &CachePolicy::Use).await.unwrap();
    let actions: Vec<Action> = plan.steps.iter().map(|step| step.action).collect();
    assert_eq!(actions, [Action::Cached, Action::Cached, Action::Cached, Action::Run, Action::Run, Action::Run]);
    assert_eq!(plan.steps[3].reasons, ["parameter `amount` is 20, was 10"]);
    assert_eq!(plan.steps[4].reasons, ["reads from `train`, which runs"]);
    let report = project.run(&changed).await;
    assert_eq!(report.steps[2].state, StepState::Cached);
    assert_eq!(report.steps[3].state, StepState::Complete);
    // The candidate is judged against the model blessed before, never against itself.
    assert_eq!(report.steps[4].outcome.as_ref().unwrap().headline, "baseline 13");
    let again = project.run(&changed).await;
    assert_eq!(states(&again), all(StepState::Cached));
}

#[tokio::test]
async fn a_changed_source_reruns_everything_and_an_unchanged_output_stops_the_wave() {
    let project = Project::new();
    project.run(PIPELINE).await;
    let file = project.dir.path().join("number.txt");
    std::fs::write(&file, "5\n").unwrap();
    assert_eq!(states(&project.run(PIPELINE).await), all(StepState::Complete));
    // Other bytes, the same number: what was read is the same artifact as before.
    std::fs::write(&file, "  5  \n").unwrap();
    let report = project.run(PIPELINE).await;
    assert_eq!(report.steps[0].state, StepState::Complete);
    assert!(report.steps[1..].iter().all(|step| step.state == StepState::Cached), "{:?}", states(&report));
}

#[tokio::test]
async fn bad_data_reaches_nothing_below_the_gate() {
    let project = Project::new();
    let report = project.run(&PIPELINE.replace("at_most: 100 ", "at_most: 0 ")).await;
    assert_eq!((report.state, report.exit_code()), (RunState::Rejected, 1));
    assert_eq!(report.steps[1].state, StepState::Complete);
    assert!(report.steps[1].refused());
    assert_eq!(report.steps[2].skipped_because.as_deref(), Some("`validate` said no"));
    assert_eq!(project.transformed.load(Ordering::SeqCst), 0);
    // A cached no is still a no.
    let again = project.run(&PIPELINE.replace("at_most: 100 ", "at_most: 0 ")).await;
    assert_eq!((again.state, again.steps[1].state), (RunState::Rejected, StepState::Cached));
    // And the plan does not promise what it stops.
    let pipeline = project.pipeline(&PIPELINE.replace("at_most: 100 ", "at_most: 0 "));
    let plan = Plan::make(&pipeline, &project.workspace, &CachePolicy::Use).await.unwrap();
    let actions: Vec<Action> = plan.steps.iter().map(|step| step.action).collect();
    assert_eq!((&actions[..2], plan.runs()), (&[Action::Cached, Action::Cached][..], 0));
    assert!(actions[2..].iter().all(|action| *action == Action::Skip));
    assert_eq!(plan.steps[2].reasons, ["`validate` said no"]);
}

#[tokio::test]
async fn a_model_that_is_not_blessed_is_not_pushed_and_is_no_baseline() {
    let project = Project::new();
    let strict = PIPELINE.replace("at_most: 1000", "at_most: 5");
    let report = project.run(&strict).await;
    assert_eq!(report.state, RunState::Rejected);
    assert_eq!(report.steps[5].state, StepState::Skipped);
    let report = project.run(&PIPELINE.replace("amount: 10", "amount: 11")).await;
    assert_eq!(report.steps[4].outcome.as_ref().unwrap().headline, "no baseline");
}

#[tokio::test]
async fn a_failed_step_is_recorded_and_the_next_run_goes_on_behind_what_worked() {
    let project = Project::new();
    let failing = PIPELINE.replace("amount: '${params.amount}'", "amount: 1, trouble: fail");
    let report = project.run(&failing).await;
    assert_eq!((report.state, report.exit_code()), (RunState::Failed, 1));
    let error = report.steps[3].error.as_ref().unwrap();
    assert_eq!((error.code, error.hint.as_deref()), (Code::TransformGraph, Some("remove it")));
    assert_eq!(report.steps[4].skipped_because.as_deref(), Some("`train` failed"));
    let executions = project.workspace.metadata.executions(&report.run_id).await.unwrap();
    assert_eq!(executions.last().unwrap().execution.state, ExecutionState::Failed);
    let report = project.run(PIPELINE).await;
    assert_eq!(report.state, RunState::Complete);
    assert_eq!(report.steps[2].state, StepState::Cached);
}

#[tokio::test]
async fn a_panic_is_a_fault_with_its_message_and_leaves_nothing_staged() {
    let project = Project::new();
    let report = project.run(&PIPELINE.replace("amount: 2", "amount: 2, trouble: panic")).await;
    let error = report.steps[2].error.as_ref().unwrap();
    assert_eq!((error.code, report.exit_code()), (Code::Internal, 4));
    assert!(error.message.contains("a planted panic"), "{}", error.message);
    let staging = project.dir.path().join("artifacts/staging");
    let left = std::fs::read_dir(staging).map_or(0, |entries| entries.flatten().count());
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_missing_source_fails_its_step_by_name() {
    let project = Project::new();
    std::fs::remove_file(project.dir.path().join("number.txt")).unwrap();
    let report = project.run(PIPELINE).await;
    assert_eq!(report.steps[0].error.as_ref().unwrap().message, "there is no file `number.txt`");
    assert_eq!(report.steps[0].state, StepState::Failed);
}

#[tokio::test]
async fn a_stopped_run_ends_cancelled_and_the_next_goes_on() {
    let project = Project::new();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let trained = project.trained.clone();
    tokio::spawn(async move {
        while trained.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        stop.send(()).unwrap();
    });
    let waiting = PIPELINE.replace("amount: '${params.amount}'", "amount: 1, trouble: wait");
    let report = project.run_until(&waiting, async { stopped.await.unwrap() }).await;
    assert_eq!((report.state, report.exit_code()), (RunState::Canceled, 130));
    assert_eq!(report.steps[3].state, StepState::Canceled);
    assert_eq!(report.steps[4].skipped_because.as_deref(), Some("the run was stopped"));
    assert_eq!(project.run(PIPELINE).await.state, RunState::Complete);
}

#[tokio::test]
async fn outputs_that_were_removed_are_made_again() {
    let project = Project::new();
    let first = project.run(PIPELINE).await;
    let output = &first.steps[2].outputs[0];
    let path = project.workspace.artifacts.path(output.artifact_type, &output.digest);
    std::fs::remove_dir_all(path).unwrap();
    let plan = Plan::make(&project.pipeline(PIPELINE), &project.workspace, &CachePolicy::Use).await.unwrap();
    assert_eq!(plan.steps[2].reasons, ["its outputs are no longer in the store"]);
    let report = project.run(PIPELINE).await;
    assert_eq!(report.steps[2].state, StepState::Complete);
    assert_eq!(report.steps[3].state, StepState::Cached);
}

#[tokio::test]
async fn the_cache_can_be_switched_off_for_a_step() {
    let project = Project::new();
    project.run(PIPELINE).await;
    let cache = CachePolicy::OffFor(["train".to_owned()].into());
    let plan = Plan::make(&project.pipeline(PIPELINE), &project.workspace, &cache).await.unwrap();
    assert_eq!(plan.steps[3].reasons, ["the cache is switched off for it"]);
    assert_eq!(plan.runs(), 3);
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_read_is_not_stored_under_what_it_was() {
    let project = Project::new();
    let report = project.run(&PIPELINE.replace("file: number.txt", "file: number.txt, meddle: true")).await;
    let error = report.steps[0].error.as_ref().unwrap();
    assert_eq!(error.message, "`number.txt` has changed while it was read");
    assert_eq!((error.code, report.exit_code()), (Code::SourceUnreadable, 3));
    // As it was again, it is read again.
    std::fs::write(project.dir.path().join("number.txt"), "1\n").unwrap();
    assert_eq!(project.run(PIPELINE).await.steps[0].state, StepState::Complete);
}
