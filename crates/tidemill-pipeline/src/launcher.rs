//! Runs attempts at steps: in this process, or each in a process of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tidemill_core::Code;
use tidemill_metadata::{Artifact, ExecutionError, ExecutionState, RunId, StoreError};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::inputs::recorded;
use crate::report::{StepReport, StepState};
use crate::step::Attempt;

/// Runs attempts at steps, on behalf of the scheduler.
#[async_trait]
pub trait Launcher: fmt::Debug + Send + Sync {
    /// Runs one attempt and records it. Errors are in the report.
    async fn launch(&self, attempt: Attempt) -> StepResult;
}

/// The result of an attempt.
#[derive(Debug, Clone)]
pub struct StepResult {
    /// The report of the step.
    pub report: StepReport,
    /// The artifacts it wrote, by output key.
    pub outputs: BTreeMap<String, Artifact>,
}

/// Runs every step in this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct InProcess;

#[async_trait]
impl Launcher for InProcess {
    async fn launch(&self, attempt: Attempt) -> StepResult {
        attempt.execute().await
    }
}

/// Runs every step in a child process: a crash, a leak or a memory limit affects only one step.
///
/// The child runs the attempt with [`run_step`](crate::run_step) and prints its [`StepReport`] as one JSON document on
/// standard output. It stops when its standard input is closed, which also happens if this process dies.
pub struct ChildProcess {
    command: Box<dyn Fn(&RunId, &str) -> Command + Send + Sync>,
}

impl ChildProcess {
    /// A launcher that runs `command` with the run and the name of the step.
    pub fn new(command: impl Fn(&RunId, &str) -> Command + Send + Sync + 'static) -> Self {
        Self { command: Box::new(command) }
    }
}

impl fmt::Debug for ChildProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChildProcess")
    }
}

#[async_trait]
impl Launcher for ChildProcess {
    async fn launch(&self, attempt: Attempt) -> StepResult {
        let _progress = attempt.started();
        let mut command = (self.command)(attempt.run_id(), attempt.step_name());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let ended = match command.spawn() {
            Ok(child) => wait_for(child, &attempt).await,
            Err(error) => {
                Err(process_error(format!("cannot start a process for step `{}`", attempt.step_name()), error))
            }
        };
        let result = match ended {
            Ok(report) => with_outputs(&attempt, report).await,
            Err(error) => Err(error),
        };
        match result {
            Ok(result) => result,
            Err(error) => {
                let error = fail_lost_execution(&attempt, error).await;
                StepResult { report: attempt.failed(error), outputs: BTreeMap::new() }
            }
        }
    }
}

/// The last lines that a child wrote to standard error, for its error message.
const STDERR_LINES_MAX: usize = 5;

/// Waits until the child has exited, and reads its report.
async fn wait_for(mut child: Child, attempt: &Attempt) -> Result<StepReport, ExecutionError> {
    let mut stdin = child.stdin.take();
    let stdout = child.stdout.take();
    let stderr = child.stderr.take();
    let read_report = async {
        let mut text = String::new();
        if let Some(mut stdout) = stdout {
            // A truncated report is not valid JSON: `parse` reports that.
            let _ = stdout.read_to_string(&mut text).await;
        }
        text
    };
    let read_messages = async {
        let mut last: Vec<String> = Vec::new();
        if let Some(stderr) = stderr {
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                last.push(line);
                if last.len() > STDERR_LINES_MAX {
                    last.remove(0);
                }
            }
        }
        last
    };
    let ended = async { tokio::join!(child.wait(), read_report, read_messages) };
    let mut ended = std::pin::pin!(ended);
    let (status, text, messages) = tokio::select! {
        ended = &mut ended => ended,
        () = attempt.stop_requested() => {
            // The child treats the end of its input as a request to stop.
            drop(stdin.take());
            ended.await
        }
    };
    let name = attempt.step_name();
    let status =
        status.map_err(|error| process_error(format!("cannot wait for the process of step `{name}`"), error))?;
    serde_json::from_str(&text).map_err(|_| no_report(name, status, messages))
}

fn no_report(step: &str, status: ExitStatus, messages: Vec<String>) -> ExecutionError {
    ExecutionError {
        code: Code::StepProcess,
        message: format!("the process of step `{step}` ended without a result ({status})"),
        hint: None,
        causes: if messages.is_empty() { Vec::new() } else { vec![messages.join("\n")] },
    }
}

fn process_error(message: String, error: std::io::Error) -> ExecutionError {
    ExecutionError { code: Code::StepProcess, message, hint: None, causes: vec![error.to_string()] }
}

/// Finds the artifacts of a report in the store.
async fn with_outputs(attempt: &Attempt, report: StepReport) -> Result<StepResult, ExecutionError> {
    let mut outputs = BTreeMap::new();
    for output in &report.outputs {
        let name = format!("{}:{}", output.artifact_type, output.digest);
        let artifact = attempt.workspace().metadata.artifact(&name).await.map_err(recorded)?;
        outputs.insert(output.key.clone(), artifact);
    }
    Ok(StepResult { report, outputs })
}

/// Records that the execution of a dead process has failed.
async fn fail_lost_execution(attempt: &Attempt, mut error: ExecutionError) -> ExecutionError {
    let metadata = &attempt.workspace().metadata;
    let record = async {
        for record in metadata.executions(attempt.run_id()).await? {
            let execution = record.execution;
            if execution.step == attempt.step_name() && execution.state == ExecutionState::Running {
                metadata.fail_execution(&execution.id, ExecutionState::Failed, error.clone()).await?;
            }
        }
        Ok::<(), StoreError>(())
    };
    if let Err(trouble) = record.await {
        error.causes.push(format!("and it could not be recorded: {trouble}"));
    }
    error
}

/// When a failed step is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryDelay {
    /// The delay before the second attempt. Each further delay is twice the one before.
    pub first: Duration,
    /// The longest delay.
    pub max: Duration,
}

impl Default for RetryDelay {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), max: Duration::from_mins(1) }
    }
}

impl RetryDelay {
    /// The delay after attempt number `attempt`, counted from 1.
    pub fn after(&self, attempt: u32) -> Duration {
        self.first.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1))).min(self.max)
    }
}

/// Runs attempts until one succeeds, until the step has no retries left, or until an error that a retry cannot fix:
/// verdicts, broken input and bugs are not retried.
pub(crate) async fn launch_with_retries(launcher: Arc<dyn Launcher>, attempt: Attempt) -> StepResult {
    let mut number = 1;
    loop {
        let mut result = launcher.launch(attempt.clone()).await;
        result.report.attempts = number;
        let error = result.report.error.as_ref().filter(|_| result.report.state == StepState::Failed);
        let Some(error) = error.filter(|error| error.code.retryable() && number <= attempt.retries()) else {
            return result;
        };
        let delay = attempt.retry_delay().after(number);
        attempt.retried(number, error, delay);
        tokio::select! {
            () = tokio::time::sleep(delay) => number += 1,
            () = attempt.stop_requested() => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let delay = RetryDelay { first: Duration::from_secs(1), max: Duration::from_secs(10) };
        let seconds = [1, 2, 3, 4, 5, 40, u32::MAX].map(|attempt| delay.after(attempt).as_secs());
        assert_eq!(seconds, [1, 2, 4, 8, 10, 10, 10]);
    }
}
