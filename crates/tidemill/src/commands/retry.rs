//! `tidemill retry`: continue a run that waited, or repeat one that did not complete.

use std::sync::Arc;
use std::time::Duration;

use tidemill_core::{Code, Failure};
use tidemill_metadata::{ApprovalState, RunState};
use tidemill_pipeline::check_same_pipeline;
use tidemill_project::{overrides, waiting_approvals};

use crate::cli::{CacheArgs, Global, PipelineArgs, RetryArgs, RunArgs, SelectionArgs};
use crate::commands::find_project;
use crate::commands::pipeline::{interrupted, run_once};

pub async fn retry(args: &RetryArgs, global: &Global) -> Result<u8, Failure> {
    let project = find_project(None, global)?;
    let workspace = project.open().await?;
    workspace.metadata.expire_approvals(jiff::Timestamp::now()).await?;
    let run = workspace.metadata.run(&args.run).await?;
    let params = overrides(&run);
    let pipeline = Arc::new(project.pipeline(Some(&workspace), &params)?);
    let short = run.id.short().to_owned();
    let mut resume = None;
    match run.state {
        RunState::Waiting => {
            check_same_pipeline(&pipeline, &run)?;
            let waiting = waiting_approvals(&*workspace.metadata, run).await?;
            if let Some(open) = waiting.approvals.iter().find(|asked| asked.state == ApprovalState::Waiting) {
                let id = open.id.short();
                return Err(Failure::new(Code::Waiting, format!("run {short} still waits for approval {id}"))
                    .with_hint(format!("`tidemill approvals show {id}`")));
            }
            resume = Some(waiting.run.id);
        }
        RunState::Failed | RunState::Canceled | RunState::Rejected => {}
        RunState::Running => {
            return Err(Failure::new(Code::StoreBusy, format!("run {short} is going on")));
        }
        RunState::Complete => {
            return Err(Failure::new(Code::CommandLine, format!("run {short} is COMPLETE: there is nothing to retry"))
                .with_hint("`tidemill run` starts another one"));
        }
    }
    let run_args = RunArgs {
        pipeline: PipelineArgs { path: None, params },
        cache: CacheArgs { no_cache: Vec::new() },
        threads: args.threads,
        launcher: args.launcher,
        selection: SelectionArgs::default(),
        watch: false,
        every: Duration::ZERO,
    };
    run_once(&project, workspace, pipeline, &run_args, resume, global, interrupted()).await
}
