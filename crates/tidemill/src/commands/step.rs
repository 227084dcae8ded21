//! `tidemill step run`: one step of a run as a process of its own, and the launcher that starts such processes.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use tidemill_core::{Code, Failure, suggest};
use tidemill_pipeline::{CachePolicy, ChildProcess, InProcess, Launcher, Pipeline, RunOptions, run_step};
use tidemill_project::Project;

use crate::cli::{Global, LauncherName, StepCommand, StepRunArgs};
use crate::commands::pipeline::{interrupted, threads};
use crate::commands::{find_project, print};
use crate::ui::{Quiet, step_line};

pub async fn step(command: &StepCommand, global: &Global) -> Result<u8, Failure> {
    match command {
        StepCommand::Run(args) => run(args, global).await,
    }
}

async fn run(args: &StepRunArgs, global: &Global) -> Result<u8, Failure> {
    let project = find_project(args.pipeline.path.as_deref(), global)?;
    let workspace = project.open().await?;
    let pipeline = Arc::new(project.pipeline(Some(&workspace), &args.pipeline.params)?);
    let step = step_index(&pipeline, &args.step)?;
    let run_id = workspace.metadata.run(&args.run).await?.id;
    let options = RunOptions {
        threads: threads(args.threads, &project),
        cache: if args.no_cache { CachePolicy::Off } else { CachePolicy::Use },
        ..RunOptions::default()
    };
    let stop = async {
        tokio::select! {
            () = interrupted() => {}
            () = stdin_closed(), if args.stop_with_stdin => {}
        }
    };
    let report = run_step(pipeline, workspace, options, &run_id, step, Arc::new(Quiet), stop).await?;
    print(global, &report, || format!("{}\n", step_line(&report, report.step.chars().count())))?;
    Ok(report.exit_code())
}

/// The index of the step called `name`, or an error with the nearest name.
pub fn step_index(pipeline: &Pipeline, name: &str) -> Result<usize, Failure> {
    pipeline.step_index(name).ok_or_else(|| {
        let known = || pipeline.steps.iter().map(|step| step.name.as_str());
        let hint = suggest(name, known()).map_or_else(
            || format!("steps: {}", known().collect::<Vec<_>>().join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        Failure::new(Code::CommandLine, format!("there is no step `{name}`")).with_hint(hint)
    })
}

/// Resolves when nobody holds the other end of standard input any more.
async fn stdin_closed() {
    let read = || {
        let mut bytes = [0; 64];
        // What is written to it means nothing; an error is an end.
        while std::io::stdin().lock().read(&mut bytes).is_ok_and(|read| read > 0) {}
    };
    // If the thread cannot be waited for, nobody is told to stop.
    if tokio::task::spawn_blocking(read).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The launcher that a flag names, for runs with these parameters that use the cache.
pub fn make_launcher(
    project: &Project,
    launcher: LauncherName,
    threads: Option<usize>,
    params: &[(String, String)],
    global: &Global,
) -> Result<Arc<dyn Launcher>, Failure> {
    Ok(match launcher {
        LauncherName::InProcess => Arc::new(InProcess),
        LauncherName::Process => Arc::new(child_launcher(project, threads, params, &CachePolicy::Use, global)?),
    })
}

/// A launcher that runs this binary for every step, with the settings of this run.
pub fn child_launcher(
    project: &Project,
    threads_max: Option<usize>,
    params: &[(String, String)],
    cache: &CachePolicy,
    global: &Global,
) -> Result<ChildProcess, Failure> {
    let binary = std::env::current_exe()
        .map_err(|error| Failure::new(Code::Io, "cannot find the file of this program").with_cause(error))?;
    let mut arguments: Vec<String> = Vec::new();
    if let Some(profile) = &global.profile {
        arguments.extend(["--profile".to_owned(), profile.clone()]);
    }
    arguments.extend(["--threads".to_owned(), threads(threads_max, project).to_string()]);
    for (name, value) in params {
        arguments.extend(["--param".to_owned(), format!("{name}={value}")]);
    }
    let file: PathBuf = project.file.clone();
    let cache = cache.clone();
    Ok(ChildProcess::new(move |run, step| {
        let mut command = tokio::process::Command::new(&binary);
        command.args(["step", "run", "--stop-with-stdin", "-o", "json", "--run", run.as_str(), "--step", step]);
        command.args(&arguments);
        if cache.skips(step) {
            command.arg("--no-cache");
        }
        command.arg("--").arg(&file);
        command
    }))
}
