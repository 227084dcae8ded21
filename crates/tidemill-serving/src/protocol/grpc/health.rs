//! gRPC's health service: the same answer as `/readyz`, with a stream of its changes.

use std::sync::Arc;

use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::call::GrpcCall;
use crate::inference::service::InferenceService;

/// The services that can be checked; the empty name stands for the server.
const SERVICES: [&str; 5] = [
    "",
    "tensorflow.serving.PredictionService",
    "tensorflow.serving.ModelService",
    "tensorflow.serving.SessionService",
    "inference.GRPCInferenceService",
];

#[tonic::async_trait]
impl Health for GrpcCall {
    type WatchStream = ReceiverStream<Result<HealthCheckResponse, Status>>;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        match health(&self.service, &service) {
            ServingStatus::ServiceUnknown => Err(Status::not_found(format!("unknown service `{service}`"))),
            status => Ok(Response::new(HealthCheckResponse { status: status.into() })),
        }
    }

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(send_health(Arc::clone(&self.service), request.into_inner().service, sender));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

fn health(server: &InferenceService, service: &str) -> ServingStatus {
    if !SERVICES.contains(&service) {
        ServingStatus::ServiceUnknown
    } else if server.is_ready() {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    }
}

/// Sends the health now and whenever it changes, until the client leaves or the server shuts down.
async fn send_health(
    server: Arc<InferenceService>,
    service: String,
    updates: mpsc::Sender<Result<HealthCheckResponse, Status>>,
) {
    let mut progress = server.models.progress();
    let mut draining = server.draining();
    let mut last = None;
    loop {
        progress.mark_unchanged();
        let drained = *draining.borrow_and_update();
        let status = health(&server, &service);
        if last != Some(status) {
            last = Some(status);
            if updates.send(Ok(HealthCheckResponse { status: status.into() })).await.is_err() {
                return;
            }
        }
        if drained {
            return;
        }
        tokio::select! {
            changed = progress.changed() => if changed.is_err() { return },
            changed = draining.changed() => if changed.is_err() { return },
            () = updates.closed() => return,
        }
    }
}
