//! Names that lead to targets which are not versions of one model.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;

use crate::inference::target::Target;

/// Targets by name. A name here takes precedence over a model of the same name, except for requests that name a version
/// or a label.
#[derive(Debug, Default)]
pub(crate) struct NamedTargets {
    by_name: ArcSwap<HashMap<String, Arc<dyn Target>>>,
    /// Lets a request skip the lookup if there are none.
    is_any: AtomicBool,
}

impl NamedTargets {
    pub(crate) fn get(&self, name: &str) -> Option<Arc<dyn Target>> {
        if self.is_any.load(Ordering::Acquire) { self.by_name.load().get(name).cloned() } else { None }
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        !self.is_any.load(Ordering::Acquire)
    }

    /// Whether there are targets of these names, which ascend, and no others.
    pub(crate) fn has_exactly(&self, names: &[&String]) -> bool {
        let by_name = self.by_name.load();
        by_name.len() == names.len() && names.iter().all(|name| by_name.contains_key(*name))
    }

    /// Makes these names lead to these targets from now on, and no others.
    pub(crate) fn replace(&self, by_name: HashMap<String, Arc<dyn Target>>) {
        let is_any = !by_name.is_empty();
        self.by_name.store(Arc::new(by_name));
        self.is_any.store(is_any, Ordering::Release);
    }

    /// Makes `name` lead to `target` from now on.
    #[cfg(test)]
    pub(crate) fn set(&self, name: &str, target: &Arc<dyn Target>) {
        self.by_name.rcu(|by_name| {
            let mut next = HashMap::clone(by_name);
            next.insert(name.to_owned(), Arc::clone(target));
            next
        });
        self.is_any.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
