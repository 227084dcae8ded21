//! The REST form of asynchronous requests.
//!
//! | request | response |
//! |---|---|
//! | `POST /v1/models/X:submit`, `POST /v2/models/X/infer?async` | 202 with the job's id and where to ask |
//! | `GET /jobs/ID[?wait=SECONDS]` | the answer as to a synchronous request; 202 if there is none yet; 410 if it was cancelled |
//! | `DELETE /jobs/ID` | cancels |
//! | `POST /jobs/ID:retry` | tries a dead or cancelled job again |
//! | `GET /jobs` | how many jobs there are in each state |

use std::time::Duration;

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue, LOCATION};
use hyper::{HeaderMap, StatusCode};
use serde_json::json;

use crate::inference::request_error::RequestError;
use crate::inference::service::InferenceService;
use crate::jobs::{JobError, JobState, Jobs, NewJob, now_ms};
use crate::models::versions::Selector;
use crate::protocol::operation::Operation;
use crate::protocol::rest::inference::RestInference;
use crate::protocol::rest::server::{Reply, body_reply, json_reply};

/// The client's key: a second request with the same key is the first one.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// A longer key is rejected.
const KEY_BYTES_MAX: usize = 255;
/// The longest that a client may wait in one request.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// The queue, or the error of a server without one.
pub(crate) fn jobs(service: &InferenceService) -> Result<&Jobs, RequestError> {
    let message = "this server has no queue for asynchronous requests: it was not started in a project";
    service.jobs.as_deref().ok_or_else(|| RequestError::new(StatusCode::NOT_IMPLEMENTED, message))
}

fn failed(error: JobError) -> RequestError {
    let status = match error {
        JobError::Full(_) => StatusCode::TOO_MANY_REQUESTS,
        JobError::Failed(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    RequestError::new(status, error.to_string())
}

/// Whether a request to infer asks for an answer later.
pub(crate) fn is_async(query: Option<&str>) -> bool {
    query.is_some_and(|query| query.split('&').any(|part| matches!(part, "async" | "async=true" | "async=1")))
}

/// Takes a request for later: 202 with the id of its job. The body is checked now: what can never be answered is an error
/// at once.
pub(crate) async fn submit(
    service: &InferenceService,
    operation: Operation,
    (model, selector): (&str, &Selector),
    headers: &HeaderMap,
    body: Bytes,
    json_bytes: Option<usize>,
) -> Result<Reply, RequestError> {
    let jobs = jobs(service)?;
    let target = match operation {
        Operation::Infer => service.resolve_v2(model, selector),
        _ => service.resolve(model, selector),
    }?;
    let call = RestInference { operation, body: body.clone(), json_bytes };
    service.off_thread(move || call.decode(target.signature()).map(drop)).await?;
    let key = match headers.get(IDEMPOTENCY_KEY).map(|key| key.to_str()) {
        None => None,
        Some(Ok(key)) if !key.is_empty() && key.len() <= KEY_BYTES_MAX => Some(format!("{model}\n{key}")),
        Some(_) => {
            let message = format!("the header `Idempotency-Key` is a text of at most {KEY_BYTES_MAX} ASCII characters");
            return Err(RequestError::invalid(message));
        }
    };
    let created = now_ms();
    let job = NewJob {
        id: random_id()?,
        key,
        path: path(operation, model, selector),
        body: body.to_vec(),
        json_bytes: json_bytes.map(|bytes| bytes as u64),
        created,
        expires: created.saturating_add(jobs.options.ttl.as_millis() as i64),
    };
    let added = jobs.submit(job).await.map_err(failed)?;
    let url = format!("/jobs/{}", added.id);
    let body = json!({ "job": added.id, "status_url": url, "expires": time(added.expires), "is_new": added.is_new });
    let mut reply = json_reply(StatusCode::ACCEPTED, &body);
    if let Ok(url) = HeaderValue::from_str(&url) {
        reply.headers_mut().insert(LOCATION, url);
    }
    Ok(reply)
}

/// The answer to a job, or what is known of it.
pub(crate) async fn status(service: &InferenceService, id: &str, query: Option<&str>) -> Result<Reply, RequestError> {
    let wait = query.into_iter().flat_map(|query| query.split('&')).find_map(|part| part.strip_prefix("wait="));
    let wait = match wait {
        None => Duration::ZERO,
        Some(text) => match text.parse::<f64>() {
            Ok(secs) if (0.0..1e6).contains(&secs) => Duration::from_secs_f64(secs).min(WAIT_MAX),
            _ => return Err(RequestError::invalid("`wait` is a number of seconds")),
        },
    };
    let job = jobs(service)?.wait_for(id, wait).await.map_err(failed)?.ok_or_else(|| unknown(id))?;
    let mut body = json!({
        "job": id,
        "state": job.state.name(),
        "attempts": job.attempts,
        "expires": time(job.expires),
    });
    if let Some(error) = &job.error {
        body["last_error"] = json!(error);
    }
    Ok(match (job.state, job.answer) {
        (JobState::Done, Some(answer)) => {
            let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let content_type =
                if answer.content_type == "application/json" { "application/json" } else { "application/octet-stream" };
            body_reply(status, content_type, answer.body)
        }
        (JobState::Waiting | JobState::Running, _) => json_reply(StatusCode::ACCEPTED, &body),
        (JobState::Cancelled, _) => json_reply(StatusCode::GONE, &body),
        // It was tried as often as it may be: a person may let it be tried again.
        (JobState::Dead | JobState::Done, _) => json_reply(StatusCode::BAD_GATEWAY, &body),
    })
}

/// Cancels a job.
pub(crate) async fn cancel(service: &InferenceService, id: &str) -> Result<Reply, RequestError> {
    let jobs = jobs(service)?;
    change(jobs, id, jobs.store.cancel(id).await, "cancelled", "it has ended already").await
}

/// Lets a dead or cancelled job be tried again.
pub(crate) async fn retry(service: &InferenceService, id: &str) -> Result<Reply, RequestError> {
    let jobs = jobs(service)?;
    change(jobs, id, jobs.store.retry(id, now_ms()).await, "waiting", "it is neither dead nor cancelled").await
}

async fn change(
    jobs: &Jobs,
    id: &str,
    done: Result<bool, JobError>,
    state: &str,
    why_not: &str,
) -> Result<Reply, RequestError> {
    if done.map_err(failed)? {
        jobs.changed(id);
        return Ok(json_reply(StatusCode::OK, &json!({ "job": id, "state": state })));
    }
    let job = jobs.store.job(id).await.map_err(failed)?.ok_or_else(|| unknown(id))?;
    let message = format!("job `{id}` is {}: {why_not}", job.state);
    Err(RequestError::new(StatusCode::CONFLICT, message))
}

/// How many jobs there are in each state.
pub(crate) async fn counts(service: &InferenceService) -> Result<Reply, RequestError> {
    let counts = jobs(service)?.store.counts().await.map_err(failed)?;
    let counts = JobState::ALL.iter().zip(counts).map(|(state, count)| (state.name().to_owned(), json!(count)));
    Ok(json_reply(StatusCode::OK, &serde_json::Value::Object(counts.collect())))
}

fn unknown(id: &str) -> RequestError {
    RequestError::new(StatusCode::NOT_FOUND, format!("there is no job `{id}`, or it has expired"))
}

/// The path of the request, to be parsed again when it is answered.
fn path(operation: Operation, model: &str, selector: &Selector) -> String {
    let encoded =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let name = encoded(model);
    if operation == Operation::Infer {
        let version = match selector {
            Selector::Latest => String::new(),
            Selector::Version(version) => format!("/versions/{version}"),
            Selector::Label(label) => format!("/versions/{}", encoded(label)),
        };
        return format!("/v2/models/{name}{version}/infer");
    }
    let version = match selector {
        Selector::Latest => String::new(),
        Selector::Version(version) => format!("/versions/{version}"),
        Selector::Label(label) => format!("/labels/{}", encoded(label)),
    };
    format!("/v1/models/{name}{version}:predict")
}

/// An id that nobody can guess.
fn random_id() -> Result<String, RequestError> {
    let mut bytes = [0; 16];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut bytes).map_err(|_| RequestError::internal("the system has no random numbers"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |time| format!("{time:.0}"))
}
