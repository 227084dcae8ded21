//! `tidemill log`: record work that was done elsewhere as a run.

use std::path::Path;

use serde_json::json;
use tidemill_core::{ArtifactType, Code, Digest, Failure, Outcome, Properties};
use tidemill_metadata::{
    Completed, MetadataStore, NewArtifact, NewExecution, NewRun, Run, RunState, RunValue, ValueKind,
};
use tidemill_pipeline::Workspace;
use tidemill_project::environment;

use crate::cli::{Global, LogRunArgs};
use crate::commands::{find_project, print};

pub async fn log(args: &LogRunArgs, global: &Global) -> Result<u8, Failure> {
    let values = values(args)?;
    let project = find_project(None, global)?;
    let workspace = project.open().await?;
    let metadata = &workspace.metadata;
    let run = match (&args.run, &args.experiment) {
        (Some(spec), _) => {
            let run = metadata.run(spec).await?;
            metadata.log_values(&run.id, values).await?;
            run
        }
        (None, experiment) => {
            let experiment = experiment.as_deref().unwrap_or_default();
            tidemill_metadata::check_model_name(experiment).map_err(|_| {
                let message = format!("`{experiment}` is not a name: use letters, digits, `-`, `_` and `.`");
                Failure::new(Code::CommandLine, message)
            })?;
            for file in args.files.iter().filter(|file| !file.exists()) {
                return Err(Failure::new(Code::SourceNotFound, format!("there is no file `{}`", file.display())));
            }
            let environment = environment(&project.dir).await;
            new_run(&workspace, experiment, environment, values, args).await?
        }
    };
    let values = metadata.run_values(&run.id).await?;
    print(global, &json!({ "run": run, "values": values }), || {
        format!("run {} of {}: {} values\n", run.id.short(), run.pipeline, values.len())
    })?;
    Ok(0)
}

/// The values on the command line. Nothing is recorded if one is wrong.
fn values(args: &LogRunArgs) -> Result<Vec<RunValue>, Failure> {
    let mut values = Vec::new();
    values.extend(args.params.iter().map(|(key, text)| RunValue::text(ValueKind::Param, key, text)));
    values.extend(args.tags.iter().map(|(key, text)| RunValue::text(ValueKind::Tag, key, text)));
    for (key, text) in &args.metrics {
        let wrong = |what: &str| {
            Failure::new(Code::CommandLine, format!("metric `{key}`: `{what}` is not a number"))
                .with_hint("write NAME=NUMBER or NAME=NUMBER@STEP; NaN, inf and -inf are numbers")
        };
        let (number, step) = match text.rsplit_once('@') {
            Some((number, step)) => (number, step.parse::<i64>().map_err(|_| wrong(step))?),
            None => (text.as_str(), 0),
        };
        values.push(RunValue::metric(key, number.parse().map_err(|_| wrong(number))?, step));
    }
    Ok(values)
}

async fn new_run(
    workspace: &Workspace,
    experiment: &str,
    environment: serde_json::Value,
    values: Vec<RunValue>,
    args: &LogRunArgs,
) -> Result<Run, Failure> {
    let metadata = &workspace.metadata;
    let params = values.iter().filter(|value| value.kind == ValueKind::Param);
    let params = params.map(|value| (value.key.clone(), value.text.clone().into()));
    let new = NewRun {
        pipeline: experiment.to_owned(),
        params: serde_json::Value::Object(params.collect()),
        plan: json!([]),
        // No run of a pipeline takes it for one of its own that died.
        lease: format!("{experiment}.log"),
        environment: Some(environment),
        ..NewRun::default()
    };
    let run = metadata.create_run(new).await?;
    let recorded = async {
        metadata.log_values(&run.id, values).await?;
        for file in &args.files {
            keep(workspace, &**metadata, &run, file).await?;
        }
        Ok::<(), Failure>(())
    };
    let failure = recorded.await.err();
    let state = if args.failed || failure.is_some() { RunState::Failed } else { RunState::Complete };
    let ended = metadata.finish_run(&run.id, state, json!({ "logged": true })).await?;
    failure.map_or(Ok(ended), Err)
}

/// Keeps a file or folder as an artifact of the run.
async fn keep(workspace: &Workspace, metadata: &dyn MetadataStore, run: &Run, path: &Path) -> Result<(), Failure> {
    let name = path.file_name().map_or_else(|| "files".to_owned(), |name| name.to_string_lossy().into_owned());
    let artifact_type: ArtifactType = "Files".parse().expect("it is a name of a type");
    let staged = workspace.artifacts.stage()?;
    copy(path, &staged.path().join(&name)).map_err(|error| Failure::io(path, &error))?;
    let stored = workspace.artifacts.commit(staged, artifact_type)?;
    let fingerprint: Digest = stored.digest.clone();
    let new = NewExecution {
        run_id: run.id.clone(),
        step: name.clone(),
        component: "log".to_owned(),
        component_version: 1,
        fingerprint: fingerprint.clone(),
        fingerprint_parts: json!({ "file": name }),
        params: json!({}),
        inputs: Vec::new(),
    };
    let id = metadata.start_execution(new).await?;
    let artifact = NewArtifact {
        artifact_type,
        digest: stored.digest,
        bytes: stored.bytes,
        files: stored.files,
        properties: Properties::from([("name".to_owned(), json!(name))]),
    };
    let done = Completed {
        fingerprint,
        fingerprint_parts: json!({ "file": name }),
        outcome: Outcome { headline: name, ..Outcome::default() },
        outputs: vec![("files".to_owned(), artifact)],
    };
    metadata.complete_execution(&id, done).await?;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if !from.is_dir() {
        return std::fs::copy(from, to).map(|_| ());
    }
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
