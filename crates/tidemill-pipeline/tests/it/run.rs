//! Runs of toy pipelines: caching, verdicts, failures, stops.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::common::{Described, PIPELINE, Project, Recorder};
use tidemill_core::{Code, Properties};
use tidemill_metadata::{Actor, ExecutionState, NewVersion, RunState};
use tidemill_pipeline::{
    Action, CachePolicy, Pipeline, Plan, RunOptions, RunReport, StepOutput, StepState, begin_run, run_step,
};

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
    assert!(report.steps[1].is_rejected());
    assert_eq!(report.steps[2].skipped_because.as_deref(), Some("`validate` did not pass"));
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
    assert_eq!(plan.steps[2].reasons, ["`validate` did not pass"]);
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
    assert_eq!((report.state, report.exit_code()), (RunState::Failed, 2));
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
    let path = project.artifacts.path(output.artifact_type, &output.digest);
    std::fs::remove_dir_all(path).unwrap();
    let plan = Plan::make(&project.pipeline(PIPELINE), &project.workspace, &CachePolicy::Use).await.unwrap();
    assert_eq!(plan.steps[2].reasons, ["its outputs are no longer in the store"]);
    let report = project.run(PIPELINE).await;
    assert_eq!(report.steps[2].state, StepState::Complete);
    assert_eq!(report.steps[3].state, StepState::Cached);
}

/// Changes the number in an artifact behind the store's back.
fn damage(project: &Project, output: &StepOutput, number: &str) {
    let path = project.artifacts.path(output.artifact_type, &output.digest).join("number");
    std::fs::remove_file(&path).unwrap();
    std::fs::write(path, number).unwrap();
}

#[tokio::test]
async fn a_damaged_output_is_named_and_made_again() {
    let project = Project::new();
    let first = project.run(PIPELINE).await;
    let (transformed, trained) = (&first.steps[2].outputs[0], &first.steps[3].outputs[0]);
    damage(&project, transformed, "500");
    // What depends on it would be trained on other numbers.
    let changed = PIPELINE.replace("amount: 10", "amount: 20");
    let plan = Plan::make(&project.pipeline(&changed), &project.workspace, &CachePolicy::Use).await.unwrap();
    assert_eq!((plan.steps[1].action, plan.steps[2].action), (Action::Cached, Action::Run));
    let reason = &plan.steps[2].reasons[0];
    assert!(
        reason.starts_with("TransformGraph artifact `") && reason.contains("`number` has another size"),
        "{reason}"
    );
    let report = project.run(&changed).await;
    assert_eq!((report.state, report.steps[2].state), (RunState::Complete, StepState::Complete));
    let warning = &report.steps[2].outcome.as_ref().unwrap().warnings[0];
    assert!(warning.contains(transformed.digest.short()) && warning.ends_with("; the step runs again"), "{warning}");
    assert_eq!(report.steps[2].outputs[0].digest, transformed.digest, "the same work gives the same bytes");
    assert_eq!(report.steps[3].outcome.as_ref().unwrap().headline, "23", "trained on what was recorded");
    // Said once: what is taken from the cache later is sound.
    let again = project.run(&changed).await;
    assert_eq!(states(&again), all(StepState::Cached));
    assert!(again.steps[2].outcome.as_ref().unwrap().warnings.is_empty());

    // A damaged model is not what the next one is compared with, and does not keep it from being judged.
    damage(&project, trained, "1000");
    damage(&project, &report.steps[3].outputs[0], "1000");
    let other = PIPELINE.replace("amount: 10", "amount: 30");
    let report = project.run(&other).await;
    assert_eq!(report.state, RunState::Complete);
    let evaluated = report.steps[4].outcome.as_ref().unwrap();
    assert_eq!(evaluated.headline, "no baseline");
    assert_eq!(evaluated.warnings.len(), 2);
    assert!(evaluated.warnings[0].contains("is damaged") && evaluated.warnings[0].ends_with("it is not compared with"));
}

#[tokio::test]
async fn a_damaged_model_with_an_alias_is_never_nothing_to_do() {
    let project = Project::new();
    let first = project.run(PIPELINE).await;
    let metadata = &project.workspace.metadata;
    let trained = &first.steps[3].outputs[0];
    let artifact = metadata.artifact(&format!("Model:{}", trained.digest)).await.unwrap();
    let version = NewVersion {
        artifact_id: artifact.id,
        run_id: first.run_id.clone(),
        properties: Properties::new(),
        tags: std::collections::BTreeMap::default(),
        description: String::new(),
    };
    metadata.register_version("toy", version).await.unwrap();
    let by = Actor { actor: "ada".into(), ..Actor::default() };
    metadata.set_alias("toy", "champion", 1, by).await.unwrap();
    let changed = PIPELINE.replace("amount: 10", "amount: 20");
    assert_eq!(project.run(&changed).await.exit_code(), 0);

    // A run that makes it mends it.
    damage(&project, trained, "1000");
    let mended = project.run(PIPELINE).await;
    assert_eq!((mended.steps[3].state, mended.exit_code()), (StepState::Complete, 0));
    // A run that makes another model cannot, and says so.
    damage(&project, trained, "1000");
    let plan = Plan::make(&project.pipeline(&changed), &project.workspace, &CachePolicy::Use).await.unwrap();
    assert_eq!((plan.steps[3].action, plan.damaged_versions.len()), (Action::Cached, 1));
    let report = project.run(&changed).await;
    assert_eq!((report.state, report.steps[3].state, report.exit_code()), (RunState::Complete, StepState::Cached, 3));
    let damaged = &report.damaged_versions[0];
    assert_eq!(
        (damaged.model.as_str(), damaged.version, &damaged.aliases[..]),
        ("toy", 1, &["champion".to_owned()][..])
    );
    assert!(damaged.to_string().starts_with("the package of toy version 1 (@champion) is damaged: `number`"));
    std::fs::remove_dir_all(project.artifacts.path(trained.artifact_type, &trained.digest)).unwrap();
    let report = project.run(&changed).await;
    assert!(report.damaged_versions[0].damage.is_missing(), "lost is no better than damaged");
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

#[tokio::test]
async fn an_error_of_the_surroundings_is_tried_again_and_every_attempt_is_on_record() {
    let project = Project::new();
    let flaky = |retries: u32| {
        PIPELINE.replace("amount: '${params.amount}'", &format!("amount: 1, trouble: flaky, retries: {retries}"))
    };
    let report = project.run(&flaky(1)).await;
    assert_eq!((report.state, report.exit_code()), (RunState::Failed, 3));
    assert_eq!((report.steps[3].state, report.steps[3].attempts), (StepState::Failed, 2));
    // The third attempt of all works. How often a step is tried again does not change its fingerprint.
    let report = project.run(&flaky(2)).await;
    assert_eq!((report.state, report.steps[3].attempts), (RunState::Complete, 1));
    assert_eq!(project.run(&flaky(5)).await.steps[3].state, StepState::Cached);

    let project = Project::new();
    let report = project.run(&flaky(2)).await;
    assert_eq!((report.state, report.steps[3].attempts), (RunState::Complete, 3));
    let executions = project.workspace.metadata.executions(&report.run_id).await.unwrap();
    let of_train = executions.iter().filter(|record| record.execution.step == "train");
    let states: Vec<ExecutionState> = of_train.map(|record| record.execution.state).collect();
    assert_eq!(states, [ExecutionState::Failed, ExecutionState::Failed, ExecutionState::Complete]);
}

#[tokio::test]
async fn broken_input_bugs_and_verdicts_are_never_tried_again() {
    for (from, to, state) in [
        ("amount: 2", "amount: 2, trouble: fail, retries: 3", RunState::Failed),
        ("amount: 2", "amount: 2, trouble: panic, retries: 3", RunState::Failed),
        ("at_most: 100 ", "at_most: 0, retries: 3 ", RunState::Rejected),
    ] {
        let project = Project::new();
        let report = project.run(&PIPELINE.replace(from, to)).await;
        assert_eq!(report.state, state, "{to}");
        assert!(report.steps.iter().all(|step| step.attempts == 1), "{to}");
    }
}

#[tokio::test]
async fn one_step_of_a_run_can_be_run_by_itself() {
    let project = Project::new();
    let pipeline = Arc::new(project.pipeline(PIPELINE));
    let metadata = &project.workspace.metadata;
    let run = begin_run(&pipeline, &project.workspace).await.unwrap();
    let step = async |name: &str| {
        let options = RunOptions::default();
        let observer = Arc::new(Recorder::default());
        let index = pipeline.step_index(name).unwrap();
        let workspace = project.workspace.clone();
        run_step(pipeline.clone(), workspace, options, &run.id, index, observer, std::future::pending()).await
    };
    // Before its inputs are there, a step says which one is missing.
    let early = step("transform").await.unwrap();
    assert_eq!((early.state, early.exit_code()), (StepState::Failed, 2));
    assert_eq!(early.error.unwrap().message, "step `read` has written no `examples`");
    for name in ["read", "validate", "transform", "train", "evaluate"] {
        let report = step(name).await.unwrap();
        assert_eq!((report.state, report.exit_code()), (StepState::Complete, 0), "{name}");
    }
    metadata.finish_run(&run.id, RunState::Complete, serde_json::Value::Null).await.unwrap();
    let late = step("push").await.unwrap_err();
    assert!(late.message.contains("has ended"), "{late}");
}

#[tokio::test]
async fn a_component_with_names_that_no_code_knows_takes_part_in_a_pipeline() {
    let project = Project::new();
    let description = serde_json::json!({
        "name": "Embed", "about": "Doubles a number.", "input": "rows", "reads": "Examples", "output": "vectors",
        "writes": "Embedding",
    });
    let reader = serde_json::json!({
        "name": "Search", "about": "Doubles it again.", "input": "vectors", "reads": "Embedding", "output": "index",
        "writes": "SearchIndex",
    });
    let components = project.components().with(Described(description)).with(Described(reader));
    let text = "version: 1\npipeline: toy\nsteps:\n  read: { component: Read, file: number.txt }\n  \
                embed: { component: Embed }\n  search: { component: Search }\n";
    let file = project.dir.path().join("pipeline.yaml");
    let pipeline = Pipeline::parse(&file, text, &components, &[], &|_| None).unwrap();
    let observer = Arc::new(Recorder::default());
    let (workspace, options) = (project.workspace.clone(), RunOptions::default());
    let report = tidemill_pipeline::run(pipeline.into(), workspace, options, observer, std::future::pending());
    let report = report.await.unwrap();
    assert_eq!(report.state, RunState::Complete, "{report:?}");
    let output = &report.steps[2].outputs[0];
    assert_eq!((output.key.as_str(), output.artifact_type.name()), ("index", "SearchIndex"));
    let path = project.artifacts.path(output.artifact_type, &output.digest);
    assert_eq!(std::fs::read_to_string(path.join("number")).unwrap(), "4");
}
