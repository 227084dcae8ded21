//! Traces of requests over OpenTelemetry's protocol (OTLP, gRPC). Off by default, and then without cost.
//!
//! A span is created when the request is answered, with its start and end times. The caller decides whether it is
//! sampled if it sends `traceparent`; otherwise a fraction of all is. Spans wait in a bounded queue of the SDK: if the
//! collector is slow or gone they are dropped, and requests never wait.

use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind, Status as SpanStatus, TraceContextExt as _, TraceFlags, TraceId,
    TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::tonic_types::transport::{Certificate, ClientTlsConfig, Identity};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};

use crate::ServeError;
use crate::inference::context::RequestContext;
use crate::protocol::operation::Operation;
use crate::protocol::status::{Status, grpc_word};

/// Spans that the collector does not accept within this time are lost.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// At shutdown, the remaining spans are sent within this time.
const FINISH_TIMEOUT: Duration = Duration::from_secs(5);

/// Where traces go.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceOptions {
    /// The URL of a collector: `http://localhost:4317`; with TLS `https://…`.
    pub endpoint: String,
    /// Authorities (PEM), one of which must have signed the collector's certificate. `None`: the authorities of this
    /// machine.
    pub authorities: Option<Vec<u8>>,
    /// Certificate and private key (PEM) to show to the collector.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
    /// The fraction of requests that is traced if they belong to no trace yet, from 0 to 1.
    pub sample: f64,
}

impl TraceOptions {
    /// Traces all requests to a collector without TLS, or with the authorities of this machine.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), authorities: None, client: None, sample: 1.0 }
    }

    fn tls(&self) -> ClientTlsConfig {
        let tls = match &self.authorities {
            Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        match &self.client {
            Some((certificate, key)) => tls.identity(Identity::from_pem(certificate, key)),
            None => tls,
        }
    }
}

/// Sends spans.
#[derive(Debug)]
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// Starts the exporter. Requires an async runtime; an unreachable collector shows only later.
    pub(crate) fn start(options: &TraceOptions) -> Result<Self, ServeError> {
        let refuse = |reason: String| ServeError::Traces { endpoint: options.endpoint.clone(), reason };
        let secure = options.endpoint.starts_with("https://");
        if !secure && !options.endpoint.starts_with("http://") {
            return Err(refuse("the address of a collector begins with `http://` or `https://`".to_owned()));
        }
        if !secure && (options.authorities.is_some() || options.client.is_some()) {
            return Err(refuse("certificates are for a collector at `https://`".to_owned()));
        }
        let mut builder =
            SpanExporter::builder().with_tonic().with_endpoint(&options.endpoint).with_timeout(EXPORT_TIMEOUT);
        if secure {
            builder = builder.with_tls_config(options.tls());
        }
        let exporter = builder.build().map_err(|error| refuse(error.to_string()))?;
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(options.sample)));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(sampler)
            .with_resource(Resource::builder().with_service_name("tidemill").build())
            .build();
        let tracer = provider.tracer("tidemill-serving");
        Ok(Self { provider, tracer })
    }

    /// Records an inference request that ends now.
    pub(crate) fn record_response(&self, context: &RequestContext, model: &str, operation: Operation, status: Status) {
        if operation.tfs_api().is_none() {
            return;
        }
        let ended = SystemTime::now();
        let began = ended.checked_sub(context.started.elapsed()).unwrap_or(ended);
        let mut attributes = vec![KeyValue::new("tidemill.model", model.to_owned())];
        if let Some(id) = context.id.as_ref().and_then(|id| id.to_str().ok()) {
            attributes.push(KeyValue::new("tidemill.request_id", id.to_owned()));
        }
        attributes.push(match status {
            Status::Rest(status) => KeyValue::new("http.response.status_code", i64::from(status.as_u16())),
            Status::Grpc(code) => KeyValue::new("rpc.grpc.status_code", i64::from(code as i32)),
        });
        let builder = self
            .tracer
            .span_builder(operation.name())
            .with_kind(SpanKind::Server)
            .with_start_time(began)
            .with_attributes(attributes);
        let mut span = builder.start_with_context(&self.tracer, &parent(context));
        if status.http().is_server_error() {
            span.set_status(SpanStatus::error(grpc_word(status.grpc())));
        }
        span.end_with_timestamp(ended);
    }

    /// Sends the remaining spans.
    pub(crate) async fn finish(&self) {
        let provider = self.provider.clone();
        let sent = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FINISH_TIMEOUT)).await;
        if !matches!(sent, Ok(Ok(()))) {
            tracing::warn!("the last traces could not be sent");
        }
    }
}

fn parent(context: &RequestContext) -> Context {
    let Some(trace) = context.trace else { return Context::new() };
    Context::new().with_remote_span_context(SpanContext::new(
        TraceId::from(trace.trace),
        SpanId::from(trace.span),
        TraceFlags::new(trace.flags),
        true,
        TraceState::NONE,
    ))
}
