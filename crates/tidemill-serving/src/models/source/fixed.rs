//! A source with a list set by the caller.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::{Servable, Source, SourceError};
use crate::endpoint::spec::EndpointSpec;

/// Lists the servables it was last given. Clones share the list, so a clone kept outside the server can change it.
#[derive(Debug, Clone, Default)]
pub struct StaticSource {
    servables: Arc<Mutex<Vec<Servable>>>,
    endpoints: Arc<Mutex<Vec<Arc<EndpointSpec>>>>,
}

impl StaticSource {
    /// A source that lists `servables`.
    pub fn new(servables: Vec<Servable>) -> Self {
        Self { servables: Arc::new(Mutex::new(servables)), endpoints: Arc::default() }
    }

    /// Lists `endpoints` from now on.
    pub fn set_endpoints(&self, endpoints: Vec<EndpointSpec>) {
        let endpoints = endpoints.into_iter().map(Arc::new).collect();
        *self.endpoints.lock().unwrap_or_else(PoisonError::into_inner) = endpoints;
    }

    /// Lists `servables` from now on.
    pub fn set(&self, servables: Vec<Servable>) {
        *self.servables.lock().unwrap_or_else(PoisonError::into_inner) = servables;
    }
}

#[async_trait]
impl Source for StaticSource {
    async fn list(&self) -> Result<Vec<Servable>, SourceError> {
        Ok(self.servables.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn endpoints(&self) -> Vec<Arc<EndpointSpec>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
