//! Models that lead to themselves, and models that nothing leads to.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, path};
use crate::endpoint::spec::{FallbackSpec, RuleSpec};

impl Check<'_> {
    /// No model leads to itself, and something leads to every model.
    pub(super) fn graph(&mut self) {
        let spec = self.spec;
        let next: BTreeMap<&str, Vec<&str>> = spec
            .models
            .iter()
            .map(|(name, model)| {
                let fallback = model.fallback.as_deref().unwrap_or_default().iter().filter_map(FallbackSpec::model);
                (name.as_str(), model.steps().into_iter().map(|(step, _)| step).chain(fallback).collect())
            })
            .collect();
        for name in spec.models.keys() {
            if let Some(cycle) = cycle_through(name, &next)
                // Each cycle is reported once, at the first of its models.
                && cycle.iter().all(|other| name.as_str() <= *other)
            {
                let message = format!("`{name}` leads to itself: {} → {name}", cycle.join(" → "));
                self.issue(path(["models", name]), message);
            }
        }
        if spec.route.is_empty() && spec.models.len() != 1 {
            return;
        }
        let mut open: Vec<&str> = spec.route.iter().flat_map(destinations).collect();
        open.extend(spec.primary());
        open.extend(spec.shadow.iter().map(|shadow| shadow.to.as_str()));
        open.extend(spec.fallback.iter().filter_map(FallbackSpec::model));
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        while let Some(name) = open.pop() {
            if reached.insert(name) {
                open.extend(next.get(name).into_iter().flatten());
            }
        }
        for name in spec.models.keys().filter(|name| !reached.contains(name.as_str())) {
            let hint = "name it in `route`, `shadow` or `fallback`, or remove it";
            self.advise(path(["models", name]), format!("nothing leads to the model `{name}`"), hint);
        }
    }
}

/// The models that a rule leads to.
pub(super) fn destinations(rule: &RuleSpec) -> impl Iterator<Item = &str> {
    rule.to.as_deref().into_iter().chain(rule.split.iter().flat_map(|split| split.keys().map(String::as_str)))
}

/// The models on a way from `start` back to it, beginning with it.
fn cycle_through<'a>(start: &'a str, next: &BTreeMap<&'a str, Vec<&'a str>>) -> Option<Vec<&'a str>> {
    let mut seen = BTreeSet::new();
    let mut open = vec![vec![start]];
    while let Some(way) = open.pop() {
        for step in way.last().and_then(|last| next.get(last)).into_iter().flatten() {
            if *step == start {
                return Some(way);
            }
            if seen.insert(*step) {
                open.push([&way[..], &[*step]].concat());
            }
        }
    }
    None
}
