//! The components a pipeline may use.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill_core::Component;

/// Components by name. The project registers its own; a third party can add more.
#[derive(Clone, Default)]
pub struct Components(BTreeMap<String, Arc<dyn Component>>);

impl Components {
    /// No components.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a component under the name of its specification, replacing one of that name.
    #[must_use]
    pub fn with(mut self, component: impl Component + 'static) -> Self {
        self.0.insert(component.spec().name.into_owned(), Arc::new(component));
        self
    }

    /// The component called `name`.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Component>> {
        self.0.get(name)
    }

    /// Every name, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Every component, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Component>> {
        self.0.values()
    }
}
