//! Where jobs are kept.

use std::fmt;

use async_trait::async_trait;

/// A job to add. Times are milliseconds since 1970.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its id: random, 32 hexadecimal digits.
    pub id: String,
    /// The client's key: a second job with the same key is the first one.
    pub key: Option<String>,
    /// The path of the request: `/v1/models/rides:predict`.
    pub path: String,
    /// The body of the request.
    pub body: Vec<u8>,
    /// How many bytes of it are JSON, if others follow.
    pub json_bytes: Option<u64>,
    /// When it was submitted.
    pub created: i64,
    /// When it and its answer may be forgotten.
    pub expires: i64,
}

/// What became of adding a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedJob {
    /// The id: of the job that was added, or of the earlier one with the same key.
    pub id: String,
    /// Whether it is new.
    pub is_new: bool,
    /// When it may be forgotten.
    pub expires: i64,
}

/// A job that a worker works on.
#[derive(Debug, Clone)]
pub struct LeasedJob {
    /// Its id.
    pub id: String,
    /// The path of the request.
    pub path: String,
    /// The body of the request.
    pub body: Vec<u8>,
    /// How many bytes of it are JSON, if others follow.
    pub json_bytes: Option<u64>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// The lease: it ends when the job is given to another worker.
    pub token: i64,
}

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobState {
    /// It waits for a worker.
    Waiting,
    /// A worker has it.
    Running,
    /// It has its answer.
    Done,
    /// A client has cancelled it.
    Cancelled,
    /// It failed too often: it waits for a person.
    Dead,
}

impl JobState {
    /// Every state, in the order of their numbers in stores.
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Running, Self::Done, Self::Cancelled, Self::Dead];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Dead => "dead",
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The answer to a job: that to the same request sent synchronously.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The content type.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub enum JobEnd {
    /// With an answer.
    Answered(JobAnswer),
    /// It failed, and is tried again at this time.
    Again {
        /// When.
        due: i64,
        /// Why it failed.
        error: String,
    },
    /// It failed for the last time.
    Dead {
        /// Why.
        error: String,
    },
}

/// A job, for clients.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its state.
    pub state: JobState,
    /// Attempts so far.
    pub attempts: u32,
    /// When it may be forgotten.
    pub expires: i64,
    /// The answer, if it is done.
    pub answer: Option<JobAnswer>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// How many jobs there are in each state, in the order of [`JobState::ALL`].
pub type JobCounts = [u64; 5];

/// A store of jobs could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// Too many jobs wait.
    #[error("{0} jobs wait already: try again later")]
    Full(u64),
    /// The disk, or whatever it is kept on, failed.
    #[error("the queue of jobs does not work: {0}")]
    Failed(String),
}

/// Keeps jobs. A job is there for certain when [`add`](Self::add) returns, whatever happens to the process afterwards.
#[async_trait]
pub trait JobStore: fmt::Debug + Send + Sync + 'static {
    /// Adds a job, unless there is one with its key.
    async fn add(&self, job: NewJob) -> Result<AddedJob, JobError>;

    /// Gives up to `most` jobs to a worker: those that are due, and those whose lease has ended. They are the worker's until
    /// `until`.
    async fn lease(&self, now: i64, until: i64, most: usize) -> Result<Vec<LeasedJob>, JobError>;

    /// Prolongs a lease. `false`: it is held no longer.
    async fn renew(&self, id: &str, token: i64, until: i64) -> Result<bool, JobError>;

    /// Records how an attempt ended. `false`: the lease is held no longer, and nothing was recorded.
    async fn finish(&self, id: &str, token: i64, end: JobEnd) -> Result<bool, JobError>;

    /// A job, unless it was forgotten.
    async fn job(&self, id: &str) -> Result<Option<Job>, JobError>;

    /// Cancels a job that has not ended. `false`: it has, or there is none.
    async fn cancel(&self, id: &str) -> Result<bool, JobError>;

    /// Lets a dead or cancelled job be tried again. `false`: it is neither.
    async fn retry(&self, id: &str, now: i64) -> Result<bool, JobError>;

    /// Forgets jobs whose time is over.
    async fn sweep(&self, now: i64) -> Result<u64, JobError>;

    /// How many jobs there are.
    async fn counts(&self) -> Result<JobCounts, JobError>;
}
