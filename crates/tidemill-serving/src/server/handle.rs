//! What the rest of the program knows of a running server.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};

use super::TlsOptions;
use super::tls::Acceptors;
use crate::ServeError;
use crate::models::versions::{ModelStatus, Models, Selector, VersionTarget};

/// What the rest of the program knows of a running server. Clones are cheap.
#[derive(Clone)]
pub struct Handle {
    pub(super) address: SocketAddr,
    pub(super) grpc_address: Option<SocketAddr>,
    pub(crate) models: Arc<Models>,
    pub(super) polls: mpsc::Sender<oneshot::Sender<()>>,
    pub(super) tls: Option<Arc<ArcSwap<Acceptors>>>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Handle {
    /// Where the server listens for REST.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// How its REST addresses begin: `https` where it speaks TLS.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
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

    /// Takes the next connections with this certificate; those there are stay as they are. A server that was started
    /// without TLS does not take it up.
    pub fn renew_tls(&self, tls: &TlsOptions) -> Result<(), ServeError> {
        if let Some(acceptors) = &self.tls {
            acceptors.store(Arc::new(tls.acceptors()?));
        }
        Ok(())
    }

    /// All models and their versions.
    pub fn models(&self) -> Vec<ModelStatus> {
        self.models.snapshot().statuses()
    }

    /// The version that answers requests for `name` which name no version.
    pub(crate) fn latest(&self, name: &str) -> Option<Arc<dyn VersionTarget>> {
        self.models.version(name, &Selector::Latest).ok()
    }
}
