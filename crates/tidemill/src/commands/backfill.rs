//! `tidemill backfill`.

use std::sync::Arc;

use console::style;
use serde_json::json;
use tidemill_core::{Code, Failure, Kind};
use tidemill_metadata::RunState;
use tidemill_pipeline::RunReport;
use tidemill_project::{BackfillOptions, BackfillRequest, BackfillValue, backfill_values, plan_backfill, run_backfill};

use crate::cli::{BackfillArgs, Global};
use crate::commands::pipeline::{interrupted, threads};
use crate::commands::up::launchers;
use crate::commands::{find_project, print, say, talk};
use crate::ui::{Align, Quiet, Table, seconds};

pub async fn backfill(args: &BackfillArgs, global: &Global) -> Result<u8, Failure> {
    let (param, values) = &args.values;
    let request = BackfillRequest {
        name: args.name.clone().unwrap_or_else(|| param.clone()),
        param: param.clone(),
        values: backfill_values(values).map_err(|wrong| Failure::new(Code::CommandLine, wrong))?,
        params: args.params.clone(),
        parallel: args.parallel,
        retry_failed: args.retry_failed,
    };
    let project = find_project(None, global)?;
    let first = (param.clone(), request.values.first().cloned().unwrap_or_default());
    let params: Vec<(String, String)> = args.params.iter().cloned().chain([first]).collect();
    let pipeline = project.pipeline(None, &params)?;
    let workspace = project.open().await?;
    let planned = plan_backfill(&pipeline, &workspace, &request).await?;
    let left = planned.iter().filter(|value| is_left(value, args.retry_failed)).count();
    if args.dry_run {
        print(global, &values_json(&planned), || values_text(&planned, left))?;
        return Ok(0);
    }
    say(global, &format!("{left} of {} runs are left, {} at once", planned.len(), args.parallel));
    let notify: Arc<dyn Fn(&str, &Result<RunReport, Failure>) + Send + Sync> =
        if global.quiet { Arc::new(|_, _| {}) } else { Arc::new(|key, result| talk(&end_text(key, result))) };
    let options = BackfillOptions {
        threads: threads(args.threads, &project),
        steps_max: project.settings.steps_at_once.max(1),
        launcher: launchers(&project, args.launcher, args.threads, global),
        observer: Arc::new(Quiet),
        notify,
    };
    let (failed, stopped) = run_backfill(&project, &workspace, &request, &options, interrupted()).await?;
    let ended = plan_backfill(&pipeline, &workspace, &request).await?;
    let left = ended.iter().filter(|value| value.tick.state.is_open()).count();
    print(global, &values_json(&ended), || values_text(&ended, left))?;
    Ok(match (stopped, failed) {
        (true, _) => Kind::Interrupted.exit_code(),
        (false, 0) => 0,
        (false, _) => Kind::Verdict.exit_code(),
    })
}

fn is_left(value: &BackfillValue, retry_failed: bool) -> bool {
    value.tick.state.is_open() || (retry_failed && has_failed(value))
}

fn has_failed(value: &BackfillValue) -> bool {
    matches!(value.run, Some(RunState::Failed | RunState::Rejected | RunState::Canceled))
}

fn values_json(values: &[BackfillValue]) -> Vec<serde_json::Value> {
    values.iter().map(|value| json!({ "tick": value.tick, "run": value.run })).collect()
}

fn values_text(values: &[BackfillValue], left: usize) -> String {
    let mut table = Table::new(&[("value", Align::Left), ("run", Align::Left), ("state", Align::Left)]);
    for value in values {
        let run = value.tick.run_id.as_ref().map(|run| run.short().to_owned()).unwrap_or_default();
        let state = match value.run {
            Some(state) => state.name(),
            None => value.tick.state.name(),
        };
        table.row([value.tick.key.clone(), run, state.to_owned()]);
    }
    let failed = values.iter().filter(|value| has_failed(value)).count();
    let closing = match left {
        0 if failed > 0 => {
            format!("{failed} of {} values did not complete: `--retry-failed` runs them again", values.len())
        }
        0 => format!("{} all {} values have run", style("✓").green(), values.len()),
        left => format!("{left} of {} values are left: the same command goes on", values.len()),
    };
    format!("{table}\n{closing}\n")
}

fn end_text(key: &str, result: &Result<RunReport, Failure>) -> String {
    match result {
        Ok(report) => format!("  {key}  {}  {}", report.state, style(seconds(report.seconds)).dim().for_stderr()),
        Err(failure) => format!("  {key}  {}", failure.message),
    }
}
