//! The handle of a running server.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};

use super::TlsOptions;
use super::tls::Acceptors;
use crate::ServeError;
use crate::models::versions::{ModelStatus, Models, Selector, VersionTarget};

/// Access to a running server for the rest of the program. Clones are cheap.
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
    /// The address of REST.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The scheme of its REST addresses: `https` with TLS.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// The address of gRPC, if it is served.
    pub fn grpc_addr(&self) -> Option<SocketAddr> {
        self.grpc_address
    }

    /// Waits until every listed model has an available version. Waits forever if one cannot be loaded: see
    /// [`loads_finished`](Self::loads_finished).
    pub async fn ready(&self) {
        // The sender lives in `models`, so waiting cannot fail.
        let _ = self.models.progress().wait_for(|progress| progress.ready).await;
    }

    /// Waits until the source has answered and every listed version is available or has failed.
    pub async fn loads_finished(&self) {
        let _ = self.models.progress().wait_for(|progress| progress.listed && progress.loads_finished).await;
    }

    /// Polls the source at once and waits until the listing is applied: loads have then started, not ended. Returns
    /// `false` if the server is gone.
    pub async fn poll_now(&self) -> bool {
        let (applied, done) = oneshot::channel();
        self.polls.send(applied).await.is_ok() && done.await.is_ok()
    }

    /// Uses this certificate for new connections; existing ones keep theirs. Has no effect on a server that was started
    /// without TLS.
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

    /// The names of all endpoints.
    pub fn endpoints(&self) -> Vec<String> {
        self.models.endpoints.names()
    }

    /// The version that answers requests for `name` without a version.
    pub(crate) fn latest(&self, name: &str) -> Option<Arc<dyn VersionTarget>> {
        self.models.version(name, &Selector::Latest).ok()
    }
}
