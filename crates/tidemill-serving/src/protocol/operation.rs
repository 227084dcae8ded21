//! The operations of all protocols.

/// The operation that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    /// Whether the process is alive.
    Live,
    /// `KServe` v1: whether the process is alive, at the root.
    Alive,
    /// Whether every model is served.
    Ready,
    /// Prometheus text.
    Metrics,
    /// TF Serving: the states of a model's versions.
    Status,
    /// TF Serving: the signature.
    Metadata,
    /// `KServe` v1: the names of all models, if the server imitates it.
    Models,
    /// The state of all endpoints.
    Endpoints,
    /// The state of an endpoint.
    EndpointStatus,
    /// A request to be answered later.
    Submit,
    /// The answer to a job.
    Job,
    /// Cancel a job.
    JobCancel,
    /// Try a job again.
    JobRetry,
    /// How many jobs there are.
    Jobs,
    /// TF Serving: predict.
    Predict,
    /// TF Serving: classify.
    Classify,
    /// TF Serving: regress.
    Regress,
    /// MLflow: predict.
    Invocations,
    /// Feedback on predictions.
    Feedback,
    /// The page for browsers.
    FrontPage,
    /// The available operations, as an `OpenAPI` document.
    OpenApi,
    /// `KServe`: what each feature adds to the score.
    Explain,
    /// TF Serving: several of classify and regress at once (gRPC only).
    MultiInference,
    /// TF Serving: tensors fed and fetched by name (gRPC only).
    SessionRun,
    /// TF Serving: a new configuration (gRPC only).
    Reload,
    /// Open Inference Protocol: whether the process is alive.
    ServerLive,
    /// Open Inference Protocol: whether every model is served.
    ServerReady,
    /// Open Inference Protocol: server metadata.
    ServerMetadata,
    /// Open Inference Protocol: the signature.
    ModelMetadata,
    /// Open Inference Protocol: whether a model is served.
    ModelReady,
    /// Open Inference Protocol: inference.
    Infer,
    /// Open Inference Protocol: every known model.
    RepositoryIndex,
    /// Open Inference Protocol: load a model.
    RepositoryLoad,
    /// Open Inference Protocol: unload a model.
    RepositoryUnload,
    /// gRPC's health check.
    Health,
    /// The descriptions of the server's messages (gRPC only).
    Reflection,
    /// No such path.
    Unknown,
}

impl Operation {
    /// The label in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Alive => "alive",
            Self::Ready => "ready",
            Self::Metrics => "metrics",
            Self::Status => "status",
            Self::Metadata => "metadata",
            Self::Models => "models",
            Self::Submit => "submit",
            Self::Job => "job",
            Self::JobCancel => "job_cancel",
            Self::JobRetry => "job_retry",
            Self::Jobs => "jobs",
            Self::Endpoints => "endpoints",
            Self::EndpointStatus => "endpoint_status",
            Self::Predict => "predict",
            Self::Classify => "classify",
            Self::Regress => "regress",
            Self::Invocations => "invocations",
            Self::Feedback => "feedback",
            Self::FrontPage => "front_page",
            Self::OpenApi => "openapi",
            Self::Explain => "explain",
            Self::MultiInference => "multi_inference",
            Self::SessionRun => "session_run",
            Self::Reload => "reload",
            Self::ServerLive => "v2_live",
            Self::ServerReady => "v2_ready",
            Self::ServerMetadata => "v2_server_metadata",
            Self::ModelMetadata => "v2_model_metadata",
            Self::ModelReady => "v2_model_ready",
            Self::Infer => "v2_infer",
            Self::RepositoryIndex => "v2_repository_index",
            Self::RepositoryLoad => "v2_repository_load",
            Self::RepositoryUnload => "v2_repository_unload",
            Self::Health => "health",
            Self::Reflection => "reflection",
            Self::Unknown => "unknown",
        }
    }

    /// The permission it requires. Health checks of the process require none.
    pub(crate) const fn permission(self) -> Permission {
        match self {
            Self::Live
            | Self::Alive
            | Self::FrontPage
            | Self::Ready
            | Self::ServerLive
            | Self::ServerReady
            | Self::Health => Permission::Open,
            Self::Metrics => Permission::Metrics,
            Self::Reload | Self::RepositoryLoad | Self::RepositoryUnload => Permission::Admin,
            _ => Permission::Infer,
        }
    }

    /// Whether it counts as work for admission control.
    pub(crate) const fn is_inference(self) -> bool {
        matches!(
            self,
            Self::Predict
                | Self::Submit
                | Self::Classify
                | Self::Regress
                | Self::Invocations
                | Self::Explain
                | Self::MultiInference
                | Self::SessionRun
                | Self::Infer
        )
    }

    /// The API label of TF Serving's own metrics; they count inference only.
    pub(crate) const fn tfs_api(self) -> Option<&'static str> {
        match self {
            Self::Predict | Self::Invocations | Self::Infer => Some("predict"),
            Self::Classify => Some("classify"),
            Self::Regress => Some("regress"),
            Self::MultiInference => Some("multi_inference"),
            Self::SessionRun => Some("session_run"),
            _ => None,
        }
    }
}

/// A permission that operations require.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permission {
    /// No permission.
    Open,
    /// Use models and read their metadata.
    Infer,
    /// Read metrics.
    Metrics,
    /// Change what is served.
    Admin,
}

impl Permission {
    /// The role that grants it.
    pub(crate) const fn role(self) -> &'static str {
        match self {
            Self::Open => "no role",
            Self::Infer => "`infer`",
            Self::Metrics => "`metrics`",
            Self::Admin => "`admin`",
        }
    }
}
