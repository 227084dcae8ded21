//! Runs of this process: start one, attach to it by its id, cancel it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidemill_core::{Code, Failure, Progress};
use tidemill_metadata::{ExecutionError, Run, RunId};
use tidemill_pipeline::{Observer, Pipeline, RunOptions, RunReport, StepReport, Workspace};
use tokio::sync::{oneshot, watch};

/// The runs that this process has started. Clones share them.
#[derive(Clone, Default)]
pub struct RunSupervisor {
    runs: Arc<Mutex<BTreeMap<String, RunHandle>>>,
}

impl RunSupervisor {
    /// Starts a run of `pipeline` and returns once it is recorded. The run goes on in the background.
    ///
    /// A lease has one run at a time, and without [`RunOptions::lease`] it is that of the pipeline: while another one is
    /// going on, in this process or elsewhere, this is [`Code::StoreBusy`].
    pub async fn start(
        &self,
        workspace: Workspace,
        pipeline: Arc<Pipeline>,
        options: RunOptions,
        observer: Arc<dyn Observer>,
    ) -> Result<RunHandle, Failure> {
        let lease = workspace.leases.acquire(options.lease.as_deref().unwrap_or(&pipeline.name))?;
        let (cancel, canceled) = watch::channel(false);
        let (finish, finished) = watch::channel(None);
        let (began, begun) = oneshot::channel();
        let ended = Arc::new(Mutex::new(Vec::new()));
        let observer = Arc::new(Supervised { observer, began: Mutex::new(Some(began)), ended: Arc::clone(&ended) });
        let name = pipeline.name.clone();
        let runs = Arc::clone(&self.runs);
        tokio::spawn(async move {
            let stop = requested(canceled);
            let result = tidemill_pipeline::run(pipeline, workspace, options, observer, stop).await;
            drop(lease);
            if let Ok(report) = &result {
                guard(&runs).remove(report.run_id.as_str());
            }
            finish.send_replace(Some(result));
        });
        // The sender goes away if the run ends before it is recorded.
        let Ok(id) = begun.await else {
            return Err(outcome(finished).await.err().unwrap_or_else(lost));
        };
        let handle = RunHandle { id: id.clone(), pipeline: name, cancel: Arc::new(cancel), finished, ended };
        guard(&self.runs).insert(id.to_string(), handle.clone());
        // A run that was over before it was in the list would stay there.
        if handle.finished.borrow().is_some() {
            guard(&self.runs).remove(id.as_str());
        }
        Ok(handle)
    }

    /// The run of this process whose id starts with `id`, while it is going on.
    pub fn attach(&self, id: &str) -> Option<RunHandle> {
        let runs = guard(&self.runs);
        let mut found = runs.range(id.to_owned()..).take_while(|(other, _)| other.starts_with(id));
        let (_, handle) = found.next()?;
        found.next().is_none().then(|| handle.clone())
    }

    /// The runs that are going on, oldest first.
    pub fn running(&self) -> Vec<RunHandle> {
        guard(&self.runs).values().cloned().collect()
    }
}

/// A run that this process has started.
#[derive(Clone)]
pub struct RunHandle {
    id: RunId,
    pipeline: String,
    cancel: Arc<watch::Sender<bool>>,
    finished: watch::Receiver<Option<Result<RunReport, Failure>>>,
    ended: Arc<Mutex<Vec<StepReport>>>,
}

impl RunHandle {
    /// The id of the run.
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// The name of its pipeline.
    pub fn pipeline(&self) -> &str {
        &self.pipeline
    }

    /// The reports of the steps that have ended so far.
    pub fn steps(&self) -> Vec<StepReport> {
        guard(&self.ended).clone()
    }

    /// Asks the run to stop: nothing new starts, and running steps end as soon as they can.
    pub fn cancel(&self) {
        self.cancel.send_replace(true);
    }

    /// Whether the run has ended.
    pub fn has_ended(&self) -> bool {
        self.finished.borrow().is_some()
    }

    /// Waits until the run has ended.
    pub async fn wait(&self) -> Result<RunReport, Failure> {
        outcome(self.finished.clone()).await
    }
}

async fn outcome(mut finished: watch::Receiver<Option<Result<RunReport, Failure>>>) -> Result<RunReport, Failure> {
    let ended = finished.wait_for(Option::is_some).await.map(|ended| ended.clone());
    ended.ok().flatten().unwrap_or_else(|| Err(lost()))
}

/// Resolves when the run is asked to stop.
async fn requested(mut canceled: watch::Receiver<bool>) {
    if canceled.wait_for(|canceled| *canceled).await.is_err() {
        // Nobody can ask any more.
        std::future::pending::<()>().await;
    }
}

/// The task of a run went away without a result: it panicked.
fn lost() -> Failure {
    Failure::new(Code::Internal, "the run stopped unexpectedly")
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Passes everything on, and keeps what the handle shows.
struct Supervised {
    observer: Arc<dyn Observer>,
    began: Mutex<Option<oneshot::Sender<RunId>>>,
    ended: Arc<Mutex<Vec<StepReport>>>,
}

impl Observer for Supervised {
    fn run_started(&self, run: &Run, pipeline: &Pipeline) {
        self.observer.run_started(run, pipeline);
        if let Some(began) = guard(&self.began).take() {
            // Whoever started the run may have gone away.
            let _ = began.send(run.id.clone());
        }
    }

    fn step_started(&self, step: usize) -> Arc<dyn Progress> {
        self.observer.step_started(step)
    }

    fn step_retried(&self, step: usize, attempt: u32, error: &ExecutionError, delay: Duration) {
        self.observer.step_retried(step, attempt, error, delay);
    }

    fn step_ended(&self, step: usize, report: &StepReport) {
        guard(&self.ended).push(report.clone());
        self.observer.step_ended(step, report);
    }
}
