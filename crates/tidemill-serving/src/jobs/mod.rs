//! Asynchronous requests: submitted now, answered later.
//!
//! A job is acknowledged when [`JobStore`] has it for certain. Workers lease jobs, call the same service as requests do, and
//! record the answer; a lease that runs out, because the process died, is given to another worker. An answer counts only if
//! its lease is still held, so a job has one answer, however often it was tried.

mod memory;
mod runner;
mod store;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, broadcast};

pub use memory::MemoryJobs;
pub(crate) use runner::run_jobs;
pub use store::{AddedJob, Job, JobAnswer, JobCounts, JobEnd, JobError, JobState, JobStore, LeasedJob, NewJob};

/// Answers that waiting clients may miss before they ask the store themselves.
const FINISHED_MAX: usize = 1024;

/// The queue of a server.
#[derive(Debug)]
pub(crate) struct Jobs {
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) options: JobOptions,
    /// There is a new job.
    work: Notify,
    /// Ids of jobs that have ended.
    finished: broadcast::Sender<String>,
}

/// How jobs are worked on.
#[derive(Debug, Clone, Copy)]
pub struct JobOptions {
    /// Jobs in work at the same time.
    pub workers: usize,
    /// How long a job and its answer are kept.
    pub ttl: Duration,
    /// How often a job is tried before it counts as dead.
    pub attempts_max: u32,
    /// How long a worker may be silent before its job is given to another one.
    pub lease: Duration,
    /// The pause before a failed job is tried again; it doubles each time.
    pub retry_first: Duration,
}

impl Default for JobOptions {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            ttl: Duration::from_hours(24),
            attempts_max: 5,
            lease: Duration::from_secs(20),
            retry_first: Duration::from_secs(1),
        }
    }
}

impl Jobs {
    pub(crate) fn new(store: Arc<dyn JobStore>, options: JobOptions) -> Self {
        Self { store, options, work: Notify::new(), finished: broadcast::Sender::new(FINISHED_MAX) }
    }

    /// Adds a job. It is certain to be worked on once this returns.
    pub(crate) async fn submit(&self, job: NewJob) -> Result<AddedJob, JobError> {
        let added = self.store.add(job).await?;
        self.work.notify_one();
        Ok(added)
    }

    /// The job; waits until it has ended, for at most `wait`.
    pub(crate) async fn wait_for(&self, id: &str, wait: Duration) -> Result<Option<Job>, JobError> {
        let mut finished = self.finished.subscribe();
        let end = tokio::time::Instant::now() + wait;
        loop {
            let job = self.store.job(id).await?;
            let is_open = job.as_ref().is_some_and(|job| matches!(job.state, JobState::Waiting | JobState::Running));
            if !is_open || wait.is_zero() {
                return Ok(job);
            }
            loop {
                match tokio::time::timeout_at(end, finished.recv()).await {
                    Ok(Ok(ended)) if ended != id => {}
                    // It has ended, or news were missed.
                    Ok(_) => break,
                    Err(_) => return self.store.job(id).await,
                }
            }
        }
    }

    /// Tells workers and waiting clients of a change that a client made.
    pub(crate) fn changed(&self, id: &str) {
        self.work.notify_one();
        // Nobody may be waiting.
        let _ = self.finished.send(id.to_owned());
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
