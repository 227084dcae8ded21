//! `tidemill run --watch`: a run whenever something that the steps read has changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tidemill_cli::serve::stop_signal;
use tidemill_core::{Failure, Kind};
use tidemill_pipeline::{Pipeline, WatchedInputs, Workspace};
use tidemill_project::Project;

use crate::cli::{Global, RunArgs};
use crate::commands::pipeline::{interrupted, run_once};
use crate::commands::{say, talk};
use crate::ui::error_text;

/// Looking takes at most one part in so many of the time.
const LOOKS_SHARE: u32 = 20;

/// What a look found.
#[derive(PartialEq)]
struct Seen {
    /// The text of the pipeline file; nothing if it cannot be read.
    file: Option<String>,
    sources: WatchedInputs,
}

/// Runs the pipeline now, and again after every change, until it is asked to stop. The exit code is that of the last
/// run that was stopped, else 0.
///
/// A change starts a run once nothing has changed for one interval, so that a file still being copied is not taken
/// for whole. A run that fails or says no is told, and the next change starts another.
pub async fn watch(
    project: &Project,
    workspace: &Workspace,
    mut pipeline: Arc<Pipeline>,
    args: &RunArgs,
    global: &Global,
) -> Result<u8, Failure> {
    let mut before = see(project, &pipeline).await;
    loop {
        match run_once(project, workspace.clone(), Arc::clone(&pipeline), args, None, global, interrupted()).await {
            Ok(code) if code == Kind::Interrupted.exit_code() => return Ok(code),
            Ok(_) => {}
            Err(failure) => talk(&error_text(&failure)),
        }
        let next = async {
            let after = see(project, &pipeline).await;
            let dealt_with = Seen { file: before.file, sources: before.sources.acknowledge(&after.sources) };
            say(global, &format!("watching what the steps read, every {}; Ctrl-C ends it", in_words(args.every)));
            change(project, workspace, dealt_with, &mut pipeline, args).await
        };
        let (news, now) = tokio::select! {
            () = stop_signal() => return Ok(0),
            next = next => next,
        };
        say(global, &format!("{}: running again", news.join(", ")));
        before = now;
    }
}

/// Waits until something is different from `known` and has stayed so for one interval: what it is, and how things
/// stand. The pipeline becomes what its file now says; a file that cannot be read is told and waited for.
async fn change(
    project: &Project,
    workspace: &Workspace,
    mut known: Seen,
    pipeline: &mut Arc<Pipeline>,
    args: &RunArgs,
) -> (Vec<String>, Seen) {
    let mut last: Option<Seen> = None;
    let mut wait = args.every;
    loop {
        tokio::time::sleep(wait).await;
        let began = Instant::now();
        let mut now = see(project, pipeline).await;
        let mut news = known.sources.changes_since(&now.sources);
        if now.file != known.file {
            match project.pipeline(Some(workspace), &args.pipeline.params) {
                Ok(read) => {
                    *pipeline = Arc::new(read);
                    now.sources = WatchedInputs::scan(pipeline).await;
                    news = vec![format!("`{}`", project.file.display())];
                }
                Err(failure) => {
                    talk(&error_text(&failure));
                    known.file.clone_from(&now.file);
                }
            }
        }
        wait = args.every.max(began.elapsed() * LOOKS_SHARE);
        if !news.is_empty() && last.as_ref() == Some(&now) {
            return (news, now);
        }
        last = Some(now);
    }
}

async fn see(project: &Project, pipeline: &Pipeline) -> Seen {
    Seen { file: std::fs::read_to_string(&project.file).ok(), sources: WatchedInputs::scan(pipeline).await }
}

fn in_words(every: Duration) -> String {
    jiff::SignedDuration::try_from(every).map_or_else(|_| format!("{every:?}"), |every| format!("{every:#}"))
}
