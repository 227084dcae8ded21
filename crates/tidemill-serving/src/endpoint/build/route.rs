//! From rules, splits, rollouts and shadows of an endpoint file to what they do.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Builder, Resolved};
use crate::endpoint::condition::{HeaderCondition, Window};
use crate::endpoint::rollout::{Watch, WatchedUnit};
use crate::endpoint::route::{Destination, Route, Rule, Unit};
use crate::endpoint::shadow::Shadow;
use crate::endpoint::signature::bound;
use crate::endpoint::spec::{ModelSpec, RuleSpec};
use crate::endpoint::split::Split;

impl Builder<'_> {
    pub(super) fn route(&mut self) -> Route {
        let only = [RuleSpec { to: self.models.keys().next().cloned(), ..RuleSpec::default() }];
        let specs = if self.spec.route.is_empty() { &only } else { &self.spec.route[..] };
        let last = specs.len() - 1;
        let rules = specs.iter().enumerate().map(|(at, rule)| match &self.rollout {
            _ if at < last => self.rule(rule),
            Some(rollout) => self.rule(&with_share(rule, &rollout.spec.candidate, rollout.share())),
            // As long as the candidate is not there, its rollout has not begun.
            None => match &self.spec.rollout {
                Some(rollout) => self.rule(&with_share(rule, &rollout.candidate, 0.0)),
                None => self.rule(rule),
            },
        });
        let rules = rules.collect();
        Route { rules, draws: Arc::clone(&self.state.draws) }
    }

    fn rule(&self, rule: &RuleSpec) -> Rule {
        let on = |name: &str| self.models.get(name).is_some_and(|model| !model.off);
        let to = match (&rule.to, &rule.split) {
            (Some(name), _) => match self.index(name).filter(|_| on(name)) {
                Some(node) => Destination::Node(node),
                None => Destination::Off,
            },
            (None, Some(split)) => {
                let arms: Vec<(&str, usize, f64)> = split
                    .iter()
                    .filter(|(name, weight)| on(name) && **weight > 0.0)
                    .filter_map(|(name, weight)| Some((name.as_str(), self.index(name)?, *weight)))
                    .collect();
                let salt = rule.salt.as_deref().unwrap_or(&self.spec.endpoint);
                if arms.is_empty() {
                    Destination::Off
                } else {
                    Destination::Split { split: Split::new(salt, arms), by: self.unit(rule.by.as_deref()) }
                }
            }
            (None, None) => Destination::Off,
        };
        Rule {
            when: rule.when.as_ref().and_then(|text| bound(text, &self.signature.schema)),
            headers: rule.header.iter().filter_map(|(name, of)| HeaderCondition::new(name, of)).collect(),
            time: rule.time.as_ref().and_then(|time| Window::new(time).ok()),
            to,
        }
    }

    /// What a rollout observes of a model.
    pub(super) fn watch(&self, name: &str) -> Option<Watch> {
        let rollout = self.rollout.as_ref()?;
        let rule = self.spec.route.last()?;
        rule.split.as_ref()?.get(name)?;
        let unit = match self.unit(rule.by.as_deref()) {
            Unit::Input(at) => WatchedUnit::Input(at),
            Unit::Header(name) => WatchedUnit::Header(name),
            Unit::Request => WatchedUnit::None,
        };
        Some(Watch { rollout: Arc::clone(rollout), is_candidate: rollout.spec.candidate == name, unit })
    }

    fn unit(&self, by: Option<&str>) -> Unit {
        let Some(by) = by else { return Unit::Request };
        if let Some(name) = by.strip_prefix("header:") {
            return name.parse().map_or(Unit::Request, Unit::Header);
        }
        self.signature.schema.index_of(by).map_or(Unit::Request, Unit::Input)
    }

    pub(super) fn shadows(&mut self) -> Vec<Shadow> {
        let mut shadows = Vec::new();
        for spec in &self.spec.shadow {
            if let Some(node) = self.index(&spec.to) {
                let state = self.state.shadow(spec);
                shadows.push(Shadow::new(spec, node, state));
            }
        }
        shadows
    }
}

/// A split in which a model has this share, and the others the rest in their proportions.
fn with_share(rule: &RuleSpec, candidate: &str, share: f64) -> RuleSpec {
    let Some(split) = &rule.split else { return rule.clone() };
    let others: f64 = split.iter().filter(|(name, _)| *name != candidate).map(|(_, weight)| weight).sum();
    let weight = |(name, weight): (&String, &f64)| {
        let share = if name == candidate { share } else { weight / others * (100.0 - share) };
        (name.clone(), share)
    };
    RuleSpec { split: Some(split.iter().map(weight).collect()), ..rule.clone() }
}

/// What a rollout is of: another definition or version of the candidate is another rollout. `None`: it is not loaded yet.
pub(super) fn subject(candidate: &str, models: &BTreeMap<String, ModelSpec>, resolved: &Resolved) -> Option<String> {
    if resolved.missing.contains_key(candidate) {
        return None;
    }
    let version = resolved.targets.get(candidate).and_then(|target| target.signature().version);
    let model = serde_json::to_string(models.get(candidate)?).ok()?;
    Some(format!("{model} {}", version.map_or_else(String::new, |version| format!("version {version}"))))
}
