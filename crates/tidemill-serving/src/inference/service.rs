//! What every protocol asks: which version answers, whether requests may come, and one prediction.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use hyper::{HeaderMap, StatusCode};
use tokio::sync::watch;

use crate::inference::compute_pool::Pool;
use crate::inference::context::{RequestContext, RequestIds};
use crate::inference::input_check::{InputChecker, InputFindings, InputPolicy};
use crate::inference::request_error::RequestError;
use crate::models::control::ModelControl;
use crate::models::versions::{Models, ResolveError, Selector, ServedVersion, versions_text};
use crate::observability::inference_log::{LogPermit, Logs};
use crate::observability::metrics::Metrics;
use crate::observability::traces::Traces;
use crate::protocol::operation::Operation;
use crate::protocol::status::Status;
use crate::server::access::Access;
use crate::server::admission::Admission;

/// How often the file of API keys is looked at.
const KEYS_INTERVAL: Duration = Duration::from_secs(1);

/// What a request may cost.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) body_bytes_max: usize,
    pub(crate) body_timeout: Duration,
    pub(crate) inline_bytes_max: usize,
    pub(crate) inline_rows_max: usize,
}

/// The models and how they are asked; shared by all protocols of a server.
#[derive(Debug)]
pub(crate) struct InferenceService {
    pub(crate) models: Arc<Models>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) limits: Limits,
    pub(crate) admission: Admission,
    pub(crate) access: Access,
    pub(crate) control: ModelControl,
    pool: Pool,
    pub(crate) logs: Logs,
    pub(crate) traces: Option<Traces>,
    names: RequestIds,
    input_policy: InputPolicy,
    draining: watch::Sender<bool>,
    /// As `draining`, at the price of a load.
    is_draining: AtomicBool,
}

impl InferenceService {
    #[expect(clippy::too_many_arguments, reason = "the parts of a server, put together in one place")]
    pub(crate) fn new(
        models: Arc<Models>,
        metrics: Arc<Metrics>,
        limits: Limits,
        admission: Admission,
        pool: Pool,
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
            traces: None,
            names: RequestIds::new(),
            input_policy: InputPolicy::default(),
            draining: watch::Sender::default(),
            is_draining: AtomicBool::new(false),
        }
    }

    /// What becomes of inputs that the schema of the training data does not allow.
    pub(crate) fn checking(mut self, input_policy: InputPolicy) -> Self {
        self.input_policy = input_policy;
        self
    }

    /// What happens is also told there.
    pub(crate) fn watched(mut self, traces: Option<Traces>) -> Self {
        self.traces = traces;
        self
    }

    /// Reads the API keys again whenever their file changes. Never returns if there are any.
    pub(crate) async fn follow_keys(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(KEYS_INTERVAL);
        while let Some(keys) = self.access.keys() {
            ticks.tick().await;
            keys.refresh();
        }
    }

    /// What is known of a request that came at `started`. It is given a name only where that leads to something.
    pub(crate) fn context(&self, headers: &HeaderMap, started: Instant) -> RequestContext {
        let names = self.logs.is_on().then_some(&self.names);
        let mut context = RequestContext::of(headers, started, names);
        if self.input_policy != InputPolicy::Off {
            context.flags = Some(InputFindings::default());
        }
        context
    }

    /// A request about `model` was answered: the one place where it is counted, and becomes part of its trace.
    pub(crate) fn answered(&self, context: &RequestContext, model: &str, operation: Operation, status: Status) {
        self.metrics.answered(model, operation, status, context.started.elapsed());
        if let Some(traces) = &self.traces {
            traces.answered(context, model, operation, status);
        }
    }

    /// Everything that is counted, as Prometheus text; what is of one version only as long as it is loaded.
    pub(crate) fn render_metrics(&self) -> String {
        let mut text = self.metrics.render();
        text.push_str(&versions_text(&self.models.snapshot()));
        text
    }

    /// No more requests are wanted.
    pub(crate) fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
        self.draining.send_replace(true);
    }

    /// Becomes true when no more requests are wanted.
    pub(crate) fn draining(&self) -> watch::Receiver<bool> {
        self.draining.subscribe()
    }

    /// Whether no more requests are wanted.
    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// Whether requests may come: there are models to answer, and the next one would not be refused.
    pub(crate) fn is_ready(&self) -> bool {
        !self.is_draining() && self.models.is_ready() && !self.admission.is_full() && !self.pool.is_full()
    }

    /// The version that answers, or why none does, as TF Serving says it.
    pub(crate) fn resolve(&self, name: &str, selector: &Selector) -> Result<Arc<ServedVersion>, RequestError> {
        Ok(self.models.resolve(name, selector)?)
    }

    /// As [`resolve`](Self::resolve), with the statuses the Open Inference Protocol's servers give.
    pub(crate) fn resolve_v2(&self, name: &str, selector: &Selector) -> Result<Arc<ServedVersion>, RequestError> {
        self.models.resolve(name, selector).map_err(|error| match (&error, selector) {
            (ResolveError::NotAvailable(_), _) => {
                RequestError::new(StatusCode::SERVICE_UNAVAILABLE, format!("model `{name}` is not ready"))
            }
            (_, Selector::Label(version)) if self.models.knows(name) => {
                RequestError::new(StatusCode::NOT_FOUND, format!("model `{name}` has no version `{version}`"))
            }
            (_, Selector::Version(version)) if self.models.knows(name) => {
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

    /// Runs work that takes a while when it is its turn.
    pub(crate) async fn off_thread<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<R, RequestError> + Send + 'static,
    ) -> Result<R, RequestError> {
        self.pool.run(work).await
    }

    /// Decodes a request of `bytes` bytes, predicts and encodes the answer; `decode` hands what it learns of the form
    /// of the answer to `encode`.
    ///
    /// Small requests are answered where they are: handing them to another thread would cost more than they do.
    pub(crate) async fn infer<F, R, E>(
        &self,
        context: &RequestContext,
        operation: Operation,
        model: Arc<ServedVersion>,
        bytes: usize,
        decode: impl FnOnce(&ServedVersion) -> Result<(RecordBatch, F), RequestError> + Send + 'static,
        encode: E,
    ) -> Result<R, RequestError>
    where
        F: Send + 'static,
        R: Send + 'static,
        E: FnOnce(&ServedVersion, &RecordBatch, F) -> Result<R, RequestError> + Send + 'static,
    {
        let permit = self.logs.permit(context, &model.name, bytes);
        let judge = model.checks.as_ref().and(context.flags.as_ref()).map(|flags| InputChecker {
            policy: self.input_policy,
            metrics: Arc::clone(&self.metrics),
            flags: InputFindings::clone(flags),
        });
        let decode = move |model: &ServedVersion| {
            let (batch, form) = decode(model)?;
            if let (Some(judge), Some(checks)) = (&judge, &model.checks) {
                judge.judge(&model.name, checks, &batch)?;
            }
            Ok((batch, form))
        };
        if bytes > self.limits.inline_bytes_max {
            let work = move || {
                let (batch, form) = decode(&model)?;
                answer(&model, operation, &batch, form, encode, permit)
            };
            return self.pool.run(work).await;
        }
        let (batch, form) = caught(|| decode(&model))?;
        if let Some(batcher) = model.batcher.as_ref().filter(|batcher| batch.num_rows() <= batcher.rows_max()) {
            let logged = permit.map(|permit| (permit, batch.clone()));
            let (rows, started) = (batch.num_rows(), Instant::now());
            let predictions = batcher.predict(Arc::clone(&model), batch).await?;
            model.ran(operation, rows, started.elapsed());
            return caught(|| {
                let answer = encode(&model, &predictions, form)?;
                if let Some((permit, batch)) = logged {
                    permit.write(&model, &batch, &predictions);
                }
                Ok(answer)
            });
        }
        if batch.num_rows() > self.limits.inline_rows_max {
            return self.pool.run(move || answer(&model, operation, &batch, form, encode, permit)).await;
        }
        caught(|| answer(&model, operation, &batch, form, encode, permit))
    }
}

fn answer<F, R>(
    model: &ServedVersion,
    operation: Operation,
    batch: &RecordBatch,
    form: F,
    encode: impl FnOnce(&ServedVersion, &RecordBatch, F) -> Result<R, RequestError>,
    permit: Option<LogPermit>,
) -> Result<R, RequestError> {
    let started = Instant::now();
    let predictions = model.model.predict_tensors(batch)?;
    model.ran(operation, batch.num_rows(), started.elapsed());
    let answer = encode(model, &predictions, form)?;
    if let Some(permit) = permit {
        permit.write(model, batch, &predictions);
    }
    Ok(answer)
}

fn caught<T>(work: impl FnOnce() -> Result<T, RequestError>) -> Result<T, RequestError> {
    std::panic::catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(RequestError::internal("a fault of the server: answering the request panicked")))
}
