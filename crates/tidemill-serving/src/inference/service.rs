//! The service behind every protocol: finds the target of a request, applies limits, runs it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use hyper::{HeaderMap, StatusCode};
use tokio::sync::{oneshot, watch};

use crate::inference::compute_pool::{Cancelled, ComputePool, late};
use crate::inference::context::{RequestAttributes, RequestContext, RequestIds};
use crate::inference::input_check::{InputChecker, InputFindings, InputPolicy};
use crate::inference::request::InferenceRequest;
use crate::inference::request_error::RequestError;
use crate::inference::response::InferenceResponse;
use crate::inference::signature::TargetSignature;
use crate::inference::target::{Inference, Target, Thread};
use crate::jobs::Jobs;
use crate::models::control::ModelControl;
use crate::models::versions::{Models, ResolveError, Selector, versions_text};
use crate::observability::feedback::FeedbackLog;
use crate::observability::inference_log::{LogPermit, Logs};
use crate::observability::metrics::Metrics;
use crate::observability::traces::Traces;
use crate::protocol::operation::Operation;
use crate::protocol::status::Status;
use crate::server::access::Access;
use crate::server::admission::Admission;

/// How often the API key file is checked for changes.
const KEYS_INTERVAL: Duration = Duration::from_secs(1);

/// Limits of a request.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) body_bytes_max: usize,
    pub(crate) body_timeout: Duration,
    pub(crate) inline_bytes_max: usize,
    pub(crate) request_timeout: Duration,
}

/// The models and how they are called; shared by all protocols of a server.
#[derive(Debug)]
pub(crate) struct InferenceService {
    pub(crate) models: Arc<Models>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) limits: Limits,
    pub(crate) admission: Arc<Admission>,
    pub(crate) access: Access,
    pub(crate) control: ModelControl,
    pool: ComputePool,
    pub(crate) logs: Logs,
    /// Where feedback goes, if it is taken.
    pub(crate) feedback: Option<Arc<FeedbackLog>>,
    pub(crate) traces: Option<Traces>,
    /// The queue for asynchronous requests, if there is one.
    pub(crate) jobs: Option<Arc<Jobs>>,
    names: RequestIds,
    input_policy: InputPolicy,
    draining: watch::Sender<bool>,
    /// A copy of `draining` that costs only an atomic load.
    is_draining: AtomicBool,
}

impl InferenceService {
    #[expect(clippy::too_many_arguments, reason = "the parts of a server, put together in one place")]
    pub(crate) fn new(
        models: Arc<Models>,
        metrics: Arc<Metrics>,
        limits: Limits,
        admission: Arc<Admission>,
        pool: ComputePool,
        access: Access,
        control: ModelControl,
        logs: Logs,
    ) -> Self {
        Self {
            models,
            metrics,
            limits,
            admission,
            access,
            control,
            pool,
            logs,
            feedback: None,
            traces: None,
            jobs: None,
            names: RequestIds::new(),
            input_policy: InputPolicy::default(),
            draining: watch::Sender::default(),
            is_draining: AtomicBool::new(false),
        }
    }

    /// What to do with inputs that the schema of the training data does not allow.
    pub(crate) fn checking(mut self, input_policy: InputPolicy) -> Self {
        self.input_policy = input_policy;
        self
    }

    /// Takes feedback into this log, if given.
    pub(crate) fn taking_feedback(mut self, feedback: Option<FeedbackLog>) -> Self {
        self.feedback = feedback.map(Arc::new);
        self
    }

    /// Takes asynchronous requests too, if there is a queue.
    pub(crate) fn with_jobs(mut self, jobs: Option<Arc<Jobs>>) -> Self {
        self.jobs = jobs;
        self
    }

    /// Records traces of requests too, if given.
    pub(crate) fn with_traces(mut self, traces: Option<Traces>) -> Self {
        self.traces = traces;
        self
    }

    /// Reloads the API keys whenever their file changes. Never returns if there are any.
    pub(crate) async fn follow_keys(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(KEYS_INTERVAL);
        while let Some(keys) = self.access.keys() {
            ticks.tick().await;
            keys.refresh();
        }
    }

    /// The context of a request that started at `started`. It gets an id only if the inference log is on.
    pub(crate) fn context(&self, headers: &HeaderMap, started: Instant) -> RequestContext {
        let names = self.logs.is_on().then_some(&self.names);
        let mut context = RequestContext::of(headers, started, names);
        if self.input_policy != InputPolicy::Off {
            context.flags = Some(InputFindings::default());
        }
        if !self.models.targets.is_empty() {
            let headers = if self.models.endpoints.look_at_headers() { headers.clone() } else { HeaderMap::new() };
            let id = context.id.clone();
            context.attributes = Some(Arc::new(RequestAttributes { headers, id, ..RequestAttributes::default() }));
        }
        context
    }

    /// Records that a request for `model` was answered: the one place that counts it and adds it to its trace.
    pub(crate) fn record_response(&self, context: &RequestContext, model: &str, operation: Operation, status: Status) {
        self.metrics.record_response(model, operation, status, context.started.elapsed());
        if let Some(traces) = &self.traces {
            traces.record_response(context, model, operation, status);
        }
    }

    /// All counters as Prometheus text; those of a version only while it is loaded.
    pub(crate) fn render_metrics(&self) -> String {
        let mut text = self.metrics.render();
        text.push_str(&versions_text(&self.models.snapshot()));
        text.push_str(&self.models.endpoints.metrics_text());
        text
    }

    /// Starts draining: the server takes no more requests.
    pub(crate) fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
        self.draining.send_replace(true);
    }

    /// Becomes true when the server drains.
    pub(crate) fn draining(&self) -> watch::Receiver<bool> {
        self.draining.subscribe()
    }

    /// Whether the server drains.
    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// Whether the server is ready for requests: models are available, and the next request would not be rejected.
    pub(crate) fn is_ready(&self) -> bool {
        let admits = !self.admission.is_full() && !self.pool.is_full();
        !self.is_draining() && self.models.is_ready() && admits && !self.models.are_full()
    }

    /// The version that answers, or the error that TF Serving returns.
    pub(crate) fn resolve(&self, name: &str, selector: &Selector) -> Result<Arc<dyn Target>, RequestError> {
        Ok(self.models.resolve(name, selector)?)
    }

    /// As [`resolve`](Self::resolve), with the statuses that servers of the Open Inference Protocol return.
    pub(crate) fn resolve_v2(&self, name: &str, selector: &Selector) -> Result<Arc<dyn Target>, RequestError> {
        self.models.resolve(name, selector).map_err(|error| match (&error, selector) {
            (ResolveError::NotAvailable(_), _) => {
                RequestError::new(StatusCode::SERVICE_UNAVAILABLE, format!("model `{name}` is not ready"))
            }
            (_, Selector::Label(version)) if self.models.contains(name) => {
                RequestError::new(StatusCode::NOT_FOUND, format!("model `{name}` has no version `{version}`"))
            }
            (_, Selector::Version(version)) if self.models.contains(name) => {
                RequestError::new(StatusCode::NOT_FOUND, format!("model `{name}` has no version `{version}`"))
            }
            _ => RequestError::new(StatusCode::NOT_FOUND, format!("unknown model `{name}`")),
        })
    }

    /// Whether a version answers; an error if there is no such model or version.
    pub(crate) fn model_is_ready(&self, name: &str, selector: &Selector) -> Result<bool, RequestError> {
        match self.resolve_v2(name, selector) {
            Ok(_) => Ok(true),
            Err(error) if error.status == StatusCode::SERVICE_UNAVAILABLE => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Runs work that belongs to no target, such as decompressing a body, on a thread of its own.
    pub(crate) async fn off_thread<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<R, RequestError> + Send + 'static,
    ) -> Result<R, RequestError> {
        self.pool.run(move |_| work()).await
    }

    /// Passes a request of `bytes` bytes to its target and returns the response: decodes, answers, encodes. `decode`
    /// returns the response form, which `encode` receives.
    ///
    /// A small request to a fast target is answered on the current thread: moving it to another thread would cost more
    /// than the answer.
    pub(crate) async fn infer<F, R>(
        &self,
        context: &RequestContext,
        operation: Operation,
        target: Arc<dyn Target>,
        bytes: usize,
        decode: impl FnOnce(&TargetSignature) -> Result<(RecordBatch, F), RequestError> + Send + 'static,
        encode: impl FnOnce(&TargetSignature, &InferenceResponse, F) -> Result<R, RequestError> + Send + 'static,
    ) -> Result<R, RequestError>
    where
        F: Send + 'static,
        R: Send + 'static,
    {
        let timeout = self.limits.request_timeout;
        let permit = self.logs.permit(context, &target.signature().name, bytes);
        let checker = target.signature().checks.as_ref().and(context.flags.as_ref()).map(|flags| InputChecker {
            policy: self.input_policy,
            metrics: Arc::clone(&self.metrics),
            flags: InputFindings::clone(flags),
        });
        let attributes = context.attributes.clone();
        let prepare = move |target: &TargetSignature| {
            let (batch, form) = decode(target)?;
            if let (Some(checker), Some(checks)) = (&checker, &target.checks) {
                checker.check(&target.name, checks, &batch)?;
            }
            let logged = permit.map(|permit| (permit, batch.clone()));
            Ok::<_, RequestError>((
                InferenceRequest { batch, operation, timeout, attributes },
                PendingResponse { form, encode, logged },
            ))
        };
        let (answered, answering) = if bytes > self.limits.inline_bytes_max {
            let work = {
                let target = Arc::clone(&target);
                move |cancelled: &Cancelled| {
                    let (request, answering) = prepare(target.signature())?;
                    cancelled.check()?;
                    finish(&*target, target.infer(request, Thread::Compute(cancelled)), answering)
                }
            };
            match target.compute_pool().run(work).await? {
                Step::Answered(answer) => return Ok(answer),
                Step::Pending(answered, answering) => (answered, answering),
            }
        } else {
            let (request, answering) = caught(|| prepare(target.signature()))?;
            match caught(|| Ok(target.infer(request, Thread::Io)))? {
                Inference::Done(response) => return caught(|| answering.encode(target.signature(), response)),
                Inference::Pending(answered) => (answered, answering),
                Inference::NeedsComputeThread(request) => {
                    let work = {
                        let target = Arc::clone(&target);
                        move |cancelled: &Cancelled| {
                            finish(&*target, target.infer(request, Thread::Compute(cancelled)), answering)
                        }
                    };
                    match target.compute_pool().run(work).await? {
                        Step::Answered(answer) => return Ok(answer),
                        Step::Pending(answered, answering) => (answered, answering),
                    }
                }
            }
        };
        let response = match tokio::time::timeout(timeout, answered).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => Err(RequestError::internal("a target dropped a request without an answer")),
            Err(_) => Err(late(timeout)),
        };
        caught(|| answering.encode(target.signature(), response))
    }
}

/// The remaining work once the response is there.
struct PendingResponse<F, E> {
    form: F,
    encode: E,
    /// The request, if it is logged with its response.
    logged: Option<(LogPermit, RecordBatch)>,
}

/// Progress of a request on a compute thread.
enum Step<R, F, E> {
    Answered(R),
    Pending(oneshot::Receiver<Result<InferenceResponse, RequestError>>, PendingResponse<F, E>),
}

impl<F, E> PendingResponse<F, E> {
    fn encode<R>(
        self,
        target: &TargetSignature,
        response: Result<InferenceResponse, RequestError>,
    ) -> Result<R, RequestError>
    where
        E: FnOnce(&TargetSignature, &InferenceResponse, F) -> Result<R, RequestError>,
    {
        let response = response?;
        let answer = (self.encode)(target, &response, self.form)?;
        if let Some((permit, batch)) = self.logged {
            permit.write(target, batch, &response);
        }
        Ok(answer)
    }
}

fn finish<R, F, E>(
    target: &dyn Target,
    inference: Inference,
    answering: PendingResponse<F, E>,
) -> Result<Step<R, F, E>, RequestError>
where
    E: FnOnce(&TargetSignature, &InferenceResponse, F) -> Result<R, RequestError>,
{
    match inference {
        Inference::Done(response) => answering.encode(target.signature(), response).map(Step::Answered),
        Inference::Pending(answered) => Ok(Step::Pending(answered, answering)),
        Inference::NeedsComputeThread(_) => {
            Err(RequestError::internal("a target asked for a compute thread on a compute thread"))
        }
    }
}

fn caught<T>(work: impl FnOnce() -> Result<T, RequestError>) -> Result<T, RequestError> {
    std::panic::catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(RequestError::internal("answering the request panicked")))
}
