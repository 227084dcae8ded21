//! Workers: lease jobs, answer them, record the answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};
use tokio::sync::Semaphore;

use super::{JobAnswer, JobEnd, Jobs, LeasedJob, now_ms};
use crate::inference::request_error::RequestError;
use crate::inference::service::InferenceService;
use crate::protocol::operation::Operation;
use crate::protocol::rest::inference::{self, RestInference};
use crate::protocol::rest::path::RestPath;
use crate::protocol::rest::server::{Reply, error_reply, reply_parts};

/// How often the store is asked for jobs that became due, or whose worker has died.
const POLL: Duration = Duration::from_millis(500);
/// How often jobs whose time is over are forgotten.
const SWEEP: Duration = Duration::from_mins(1);
/// Longest pause before a failed job is tried again.
const RETRY_MAX: Duration = Duration::from_mins(5);

/// Works on jobs until it is dropped: those in work are then leased to others, later.
pub(crate) async fn run_jobs(service: Arc<InferenceService>, jobs: Arc<Jobs>) {
    let places = Arc::new(Semaphore::new(jobs.options.workers.max(1)));
    let mut swept = Instant::now();
    loop {
        let free = places.available_permits();
        let leased = if free > 0 {
            let now = now_ms();
            jobs.store.lease(now, now + jobs.options.lease.as_millis() as i64, free).await
        } else {
            Ok(Vec::new())
        };
        let leased = leased.unwrap_or_else(|error| {
            tracing::error!(%error, "no jobs can be taken");
            Vec::new()
        });
        let any = !leased.is_empty();
        for job in leased {
            let place = Arc::clone(&places).acquire_owned().await;
            let (service, jobs) = (Arc::clone(&service), Arc::clone(&jobs));
            tokio::spawn(async move {
                work(&service, &jobs, job).await;
                drop(place);
                jobs.work.notify_one();
            });
        }
        if swept.elapsed() > SWEEP {
            swept = Instant::now();
            if let Err(error) = jobs.store.sweep(now_ms()).await {
                tracing::warn!(%error, "old jobs cannot be removed");
            }
        }
        if !any {
            // Nothing is lost if both happen at once: the store is asked again.
            let _ = tokio::time::timeout(POLL, jobs.work.notified()).await;
        }
    }
}

/// Works on one job, and keeps its lease meanwhile.
async fn work(service: &Arc<InferenceService>, jobs: &Jobs, job: LeasedJob) {
    let (id, token, attempt) = (job.id.clone(), job.token, job.attempt);
    let options = jobs.options;
    let end = if attempt > options.attempts_max {
        // Its attempts ended with the process.
        JobEnd::Dead { error: format!("{} attempts ended without an answer", attempt - 1) }
    } else {
        let answered = {
            let service = Arc::clone(service);
            // A panic must not take the worker with it.
            let task = tokio::spawn(async move { answer(&service, job).await });
            let abort = task.abort_handle();
            tokio::select! {
                answered = task => answered.unwrap_or_else(|_| Err(RequestError::internal("answering the job panicked"))),
                () = keep_lease(jobs, &id, token) => {
                    // Another worker has it, or it was cancelled.
                    abort.abort();
                    return;
                }
            }
        };
        match answered {
            Ok(answer) => JobEnd::Answered(answer),
            Err(error) if attempt >= options.attempts_max => JobEnd::Dead { error: error.for_client().message },
            Err(error) => {
                let pause = options.retry_first.saturating_mul(1 << (attempt - 1).min(16)).min(RETRY_MAX);
                JobEnd::Again { due: now_ms() + pause.as_millis() as i64, error: error.for_client().message }
            }
        }
    };
    match jobs.store.finish(&id, token, end).await {
        Ok(true) => {
            // Nobody may be waiting.
            let _ = jobs.finished.send(id);
        }
        Ok(false) => tracing::debug!(id, "a job was finished by another worker"),
        // Its lease ends, and it is tried again.
        Err(error) => tracing::error!(id, %error, "the answer of a job cannot be recorded"),
    }
}

/// Prolongs a lease again and again; returns when it is lost.
async fn keep_lease(jobs: &Jobs, id: &str, token: i64) {
    loop {
        tokio::time::sleep(jobs.options.lease / 3).await;
        let until = now_ms() + jobs.options.lease.as_millis() as i64;
        match jobs.store.renew(id, token, until).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::warn!(id, %error, "the lease of a job cannot be prolonged"),
        }
    }
}

/// The answer to the request of a job. An error is one of the server; mistakes of clients are answers.
async fn answer(service: &Arc<InferenceService>, job: LeasedJob) -> Result<JobAnswer, RequestError> {
    let route = RestPath::parse(&Method::POST, &job.path)?;
    let mut headers = HeaderMap::new();
    if let Ok(id) = HeaderValue::from_str(&job.id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    let context = service.context(&headers, Instant::now());
    let target = match route.operation {
        Operation::Infer => service.resolve_v2(&route.model, &route.selector),
        _ => service.resolve(&route.model, &route.selector),
    };
    let body = Bytes::from(job.body);
    let (bytes, json_bytes) = (body.len(), job.json_bytes.map(|bytes| bytes as usize));
    let call = RestInference { operation: route.operation, body, json_bytes };
    let answered: Result<Reply, RequestError> = match target {
        Ok(target) => {
            let decode = move |target: &_| call.decode(target);
            service.infer(&context, route.operation, target, bytes, decode, inference::encode).await
        }
        Err(error) => Err(error),
    };
    let reply = match answered {
        Ok(reply) => reply,
        Err(error) if error.status.is_client_error() && !error.is_overload() && error.status.as_u16() != 404 => {
            error_reply(error)
        }
        Err(error) => return Err(error),
    };
    let (status, content_type, body) = reply_parts(reply).await;
    Ok(JobAnswer { status, content_type, body })
}
