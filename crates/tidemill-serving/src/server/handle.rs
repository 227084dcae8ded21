//! What the rest of the program knows of a running server.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::versions::{LoadedModel, ModelStatus, Models, Selector};

/// What the rest of the program knows of a running server. Clones are cheap.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) address: SocketAddr,
    pub(super) grpc_address: Option<SocketAddr>,
    pub(super) models: Arc<Models>,
    pub(super) polls: mpsc::Sender<oneshot::Sender<()>>,
}

impl Handle {
    /// Where the server listens for REST.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for gRPC, if it does.
    pub fn grpc_addr(&self) -> Option<SocketAddr> {
        self.grpc_address
    }

    /// Waits until every listed model has an available version. Waits for ever if one is broken: see
    /// [`settled`](Self::settled).
    pub async fn ready(&self) {
        // The sender lives in `models`, so waiting cannot fail.
        let _ = self.models.progress().wait_for(|progress| progress.ready).await;
    }

    /// Waits until the source has answered and every listed version is available or has failed.
    pub async fn settled(&self) {
        let _ = self.models.progress().wait_for(|progress| progress.listed && progress.settled).await;
    }

    /// Has the source asked at once and waits until its answer is applied: loads are started then, not ended. `false`:
    /// the server is gone.
    pub async fn poll_now(&self) -> bool {
        let (applied, done) = oneshot::channel();
        self.polls.send(applied).await.is_ok() && done.await.is_ok()
    }

    /// All models and their versions.
    pub fn models(&self) -> Vec<ModelStatus> {
        self.models.snapshot().statuses()
    }

    /// The model that answers requests for `name` which name no version.
    pub(crate) fn latest(&self, name: &str) -> Option<Arc<LoadedModel>> {
        self.models.resolve(name, &Selector::Latest).ok()
    }
}
