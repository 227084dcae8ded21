//! Jobs in memory: they end with the process.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{AddedJob, Job, JobCounts, JobEnd, JobError, JobState, JobStore, LeasedJob, NewJob};

/// Jobs in memory, for tests.
#[derive(Debug, Default)]
pub struct MemoryJobs(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    jobs: BTreeMap<String, Kept>,
    by_key: HashMap<String, String>,
}

#[derive(Debug)]
struct Kept {
    new: NewJob,
    job: Job,
    token: i64,
    /// When it may be leased.
    due: i64,
}

impl MemoryJobs {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl JobStore for MemoryJobs {
    async fn add(&self, new: NewJob) -> Result<AddedJob, JobError> {
        let mut inner = self.inner();
        let known = new.key.as_ref().and_then(|key| inner.by_key.get(key)).and_then(|id| inner.jobs.get_key_value(id));
        if let Some((id, kept)) = known {
            return Ok(AddedJob { id: id.clone(), is_new: false, expires: kept.job.expires });
        }
        let added = AddedJob { id: new.id.clone(), is_new: true, expires: new.expires };
        inner.by_key.extend(new.key.clone().map(|key| (key, new.id.clone())));
        let job = Job { state: JobState::Waiting, attempts: 0, expires: new.expires, answer: None, error: None };
        let due = new.created;
        inner.jobs.insert(new.id.clone(), Kept { new, job, token: 0, due });
        Ok(added)
    }

    async fn lease(&self, now: i64, until: i64, most: usize) -> Result<Vec<LeasedJob>, JobError> {
        let mut inner = self.inner();
        let is_free =
            |kept: &&mut Kept| matches!(kept.job.state, JobState::Waiting | JobState::Running) && kept.due <= now;
        let mut free: Vec<&mut Kept> = inner.jobs.values_mut().filter(is_free).collect();
        free.sort_by_key(|kept| kept.new.created);
        let lease = |kept: &mut Kept| {
            kept.job.state = JobState::Running;
            kept.job.attempts += 1;
            kept.token += 1;
            kept.due = until;
            LeasedJob {
                id: kept.new.id.clone(),
                path: kept.new.path.clone(),
                body: kept.new.body.clone(),
                json_bytes: kept.new.json_bytes,
                attempt: kept.job.attempts,
                token: kept.token,
            }
        };
        Ok(free.into_iter().take(most).map(lease).collect())
    }

    async fn renew(&self, id: &str, token: i64, until: i64) -> Result<bool, JobError> {
        let mut inner = self.inner();
        let held = inner.jobs.get_mut(id).filter(|kept| kept.job.state == JobState::Running && kept.token == token);
        Ok(held.map(|kept| kept.due = until).is_some())
    }

    async fn finish(&self, id: &str, token: i64, end: JobEnd) -> Result<bool, JobError> {
        let mut inner = self.inner();
        let held = inner.jobs.get_mut(id).filter(|kept| kept.job.state == JobState::Running && kept.token == token);
        let Some(kept) = held else { return Ok(false) };
        match end {
            JobEnd::Answered(answer) => {
                kept.job.state = JobState::Done;
                kept.job.answer = Some(answer);
                kept.job.error = None;
            }
            JobEnd::Again { due, error } => {
                kept.job.state = JobState::Waiting;
                kept.job.error = Some(error);
                kept.due = due;
            }
            JobEnd::Dead { error } => {
                kept.job.state = JobState::Dead;
                kept.job.error = Some(error);
            }
        }
        Ok(true)
    }

    async fn job(&self, id: &str) -> Result<Option<Job>, JobError> {
        Ok(self.inner().jobs.get(id).map(|kept| kept.job.clone()))
    }

    async fn cancel(&self, id: &str) -> Result<bool, JobError> {
        let mut inner = self.inner();
        let open = |kept: &&mut Kept| matches!(kept.job.state, JobState::Waiting | JobState::Running);
        Ok(inner.jobs.get_mut(id).filter(open).map(|kept| kept.job.state = JobState::Cancelled).is_some())
    }

    async fn retry(&self, id: &str, now: i64) -> Result<bool, JobError> {
        let mut inner = self.inner();
        let ended = |kept: &&mut Kept| matches!(kept.job.state, JobState::Dead | JobState::Cancelled);
        let Some(kept) = inner.jobs.get_mut(id).filter(ended) else { return Ok(false) };
        kept.job.state = JobState::Waiting;
        kept.job.attempts = 0;
        kept.due = now;
        Ok(true)
    }

    async fn sweep(&self, now: i64) -> Result<u64, JobError> {
        let mut inner = self.inner();
        let before = inner.jobs.len();
        inner.jobs.retain(|_, kept| kept.job.expires > now);
        let Inner { jobs, by_key } = &mut *inner;
        by_key.retain(|_, id| jobs.contains_key(id));
        Ok((before - inner.jobs.len()) as u64)
    }

    async fn counts(&self) -> Result<JobCounts, JobError> {
        let mut counts = [0; 5];
        for kept in self.inner().jobs.values() {
            counts[kept.job.state as usize] += 1;
        }
        Ok(counts)
    }
}
