//! Several processes on one store, and processes that die at the worst moment.
//!
//! The other processes are this test binary again; an environment variable selects their role.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;
use tidemill_core::{ArtifactType, Digest, Outcome, Properties};
use tidemill_metadata::{
    Actor, ArtifactFilter, ArtifactStore as _, Completed, ExecutionState, FolderArtifactStore, FolderLeases,
    MetadataStore as _, NewArtifact, NewExecution, NewRun, NewVersion, Run, RunFilter, RunLeases as _, RunState,
    SqliteStore, StoreError,
};

const ROLE: &str = "TIDEMILL_TEST_ROLE";
const DIR: &str = "TIDEMILL_TEST_DIR";

fn child(role: &str, dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::as_another_process", "--nocapture", "--test-threads=1"])
        .envs([(ROLE, role), (DIR, dir.to_str().unwrap())])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until the child says it is ready.
fn await_ready(child: &mut Child) {
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("ready")), "the child ended early");
}

#[tokio::test]
async fn as_another_process() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let dir = PathBuf::from(std::env::var_os(DIR).unwrap());
    match role.split_once(' ') {
        Some(("write", pipeline)) => write_runs(&open(&dir).await, pipeline, 5).await,
        Some(("hang", "run")) => hang_in_a_run(&dir).await,
        Some(("hang", "transaction")) => hang_in_a_transaction(&dir).await,
        _ => panic!("role `{role}` is not known"),
    }
}

async fn open(dir: &Path) -> SqliteStore {
    SqliteStore::open(&dir.join("metadata.db")).await.unwrap()
}

async fn begin(store: &SqliteStore, pipeline: &str) -> Run {
    store
        .create_run(NewRun { pipeline: pipeline.into(), params: json!({}), plan: json!([]), ..NewRun::default() })
        .await
        .unwrap()
}

fn digest(text: &str) -> Digest {
    Digest::from_bytes(blake3::hash(text.as_bytes()).as_bytes())
}

fn execution(run: &Run, step: &str) -> NewExecution {
    NewExecution {
        run_id: run.id.clone(),
        step: step.into(),
        component: "Trainer".into(),
        component_version: 1,
        fingerprint: digest(step),
        fingerprint_parts: json!({}),
        params: json!({}),
        inputs: Vec::new(),
    }
}

/// Whole runs, ten steps each, every third artifact the same for all writers; each run registers a version.
async fn write_runs(store: &SqliteStore, pipeline: &str, runs: usize) {
    for number in 0..runs {
        let run = begin(store, pipeline).await;
        for step in 0..10 {
            let id = store.start_execution(execution(&run, &format!("step {step}"))).await.unwrap();
            let shared = step % 3 == 0;
            let content = if shared { format!("{step}") } else { format!("{pipeline} {number} {step}") };
            let output = NewArtifact {
                artifact_type: ArtifactType::Model,
                digest: digest(&content),
                bytes: 1,
                files: 1,
                properties: Properties::new(),
            };
            let done = Completed {
                fingerprint: digest(&content),
                fingerprint_parts: json!({}),
                outcome: Outcome::default(),
                outputs: vec![("model".into(), output)],
            };
            let artifact = store.complete_execution(&id, done).await.unwrap().remove(0);
            if step == 9 {
                let new = NewVersion {
                    artifact_id: artifact.id,
                    run_id: run.id.clone(),
                    properties: Properties::new(),
                    tags: std::collections::BTreeMap::new(),
                    description: String::new(),
                };
                let version = store.register_version("shared", new).await.unwrap().version.version;
                let by = Actor { actor: pipeline.into(), run_id: Some(run.id.clone()), ..Actor::default() };
                store.set_alias("shared", "champion", version, by).await.unwrap();
            }
        }
        store.finish_run(&run.id, RunState::Complete, json!({})).await.unwrap();
    }
}

/// What 8 writers of 5 runs must leave behind.
async fn assert_all_written(store: &SqliteStore) {
    let complete = RunFilter { state: Some(RunState::Complete), ..RunFilter::default() };
    assert_eq!(store.runs(&complete, 1000).await.unwrap().len(), 8 * 5);
    let artifacts = store.artifacts(&ArtifactFilter::default(), 10_000).await.unwrap();
    assert_eq!(artifacts.len(), 8 * 5 * 6 + 4);
    let model = store.model("shared").await.unwrap();
    // Step 9 is one of those that are the same for all.
    assert_eq!(model.versions.len(), 1);
    assert_eq!(store.alias_history("shared").await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_pipelines_in_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(open(dir.path()).await);
    let writers: Vec<_> = (0..8)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { write_runs(&store, &format!("pipeline-{number}"), 5).await })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_all_written(&store).await;
}

#[tokio::test]
async fn eight_pipelines_in_eight_processes() {
    // Nobody has made the store before: they race for that too.
    let dir = tempfile::tempdir().unwrap();
    let children: Vec<_> = (0..8).map(|number| child(&format!("write pipeline-{number}"), dir.path())).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    assert_all_written(&open(dir.path()).await).await;
}

async fn hang_in_a_run(dir: &Path) {
    let _lock = FolderLeases::new(dir).acquire("taxi").unwrap();
    let store = open(dir).await;
    let run = begin(&store, "taxi").await;
    store.start_execution(execution(&run, "train")).await.unwrap();
    let artifacts = FolderArtifactStore::open(&dir.join("artifacts")).unwrap();
    // One artifact half-written, one committed and not yet recorded.
    let half = artifacts.stage().unwrap();
    std::fs::write(half.path().join("learner.bin"), b"tre").unwrap();
    let whole = artifacts.stage().unwrap();
    std::fs::write(whole.path().join("examples.json"), b"{}").unwrap();
    artifacts.commit(whole, ArtifactType::Examples).unwrap();
    hang();
}

async fn hang_in_a_transaction(dir: &Path) {
    drop(open(dir).await);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.join("metadata.db"));
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::raw_sql(
        "BEGIN IMMEDIATE; INSERT INTO runs (id, pipeline, state, started_at, params, plan, pid, lease) \
         VALUES ('x', 'taxi', 'RUNNING', '2026-01-01T00:00:00.000Z', '{}', '[]', 1, 'taxi')",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    hang();
}

fn hang() {
    println!("ready");
    std::io::stdout().flush().unwrap();
    let _ = std::io::stdin().read_line(&mut String::new());
}

#[tokio::test]
async fn a_killed_run_leaves_nothing_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = child("hang run", dir.path());
    await_ready(&mut child);
    match FolderLeases::new(dir.path()).acquire("taxi") {
        Err(StoreError::Busy { pid, .. }) => assert_eq!(pid, Some(child.id())),
        other => panic!("{other:?}"),
    }
    let artifacts = FolderArtifactStore::open(&dir.path().join("artifacts")).unwrap();
    assert_eq!(artifacts.sweep_staging().unwrap(), 0, "its process is alive");
    child.kill().unwrap();
    child.wait().unwrap();

    let _lock = FolderLeases::new(dir.path()).acquire("taxi").unwrap();
    let store = open(dir.path()).await;
    let recovered = store.recover("taxi", "taxi").await.unwrap();
    assert_eq!(recovered.len(), 1);
    let run = store.run("last").await.unwrap();
    assert_eq!((run.id.clone(), run.state), (recovered[0].clone(), RunState::Failed));
    let left = store.executions(&run.id).await.unwrap().remove(0).execution;
    assert_eq!(left.state, ExecutionState::Failed);
    assert!(left.error.unwrap().message.contains(&child.id().to_string()));
    assert_eq!(artifacts.sweep_staging().unwrap(), 1);
    assert!(store.artifacts(&ArtifactFilter::default(), 10).await.unwrap().is_empty());
    // What was committed without being recorded is used again.
    let again = artifacts.stage().unwrap();
    std::fs::write(again.path().join("examples.json"), b"{}").unwrap();
    let stored = artifacts.commit(again, ArtifactType::Examples).unwrap();
    artifacts.verify(ArtifactType::Examples, &stored.digest).unwrap();
}

#[tokio::test]
async fn a_transaction_cut_off_never_happened() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = child("hang transaction", dir.path());
    await_ready(&mut child);
    let store = open(dir.path()).await;
    assert!(store.runs(&RunFilter::default(), 10).await.unwrap().is_empty(), "readers do not wait");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(store.runs(&RunFilter::default(), 10).await.unwrap().is_empty());
    begin(&store, "taxi").await;
    assert_eq!(store.runs(&RunFilter::default(), 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_call_dropped_halfway_never_happened() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let run = begin(&store, "taxi").await;
    let mut finished = 0;
    for polls in 0..200 {
        let call = store.start_execution(execution(&run, "train"));
        tokio::select! {
            biased;
            result = call => { result.unwrap(); finished += 1; }
            () = yield_times(polls) => {}
        }
    }
    let recorded = store.executions(&run.id).await.unwrap().len();
    assert!(recorded >= finished, "{recorded} recorded, {finished} answered");
    // The store goes on, and no lock is left behind.
    store.finish_run(&run.id, RunState::Canceled, json!({})).await.unwrap();
    let other = open(dir.path()).await;
    begin(&other, "taxi").await;
}

async fn yield_times(times: usize) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}
