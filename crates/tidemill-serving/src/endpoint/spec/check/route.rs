//! Mistakes in rules, splits and rollouts.

use hyper::header::HeaderName;

use super::graph::destinations;
use super::{Check, path};
use crate::endpoint::condition;
use crate::endpoint::spec::RuleSpec;

/// Weights are written by hand: thirds need not sum to 100 exactly.
const WEIGHTS_TOLERANCE: f64 = 0.05;

impl Check<'_> {
    pub(super) fn route(&mut self) {
        let spec = self.spec;
        let Some(last) = spec.route.len().checked_sub(1) else {
            if spec.models.len() > 1 {
                let hint = "end it with a rule for all other rows: `route: [ { to: champion } ]`";
                self.advise(path(["models"]), "several models need a `route`", hint);
            }
            return;
        };
        let first_unconditional = spec.route.iter().position(RuleSpec::is_unconditional);
        for (at, rule) in spec.route.iter().enumerate() {
            let whole = || path(["route", &at.to_string()]);
            let place = |key: &str| path(["route", &at.to_string(), key]);
            if first_unconditional.is_some_and(|first| at > first) {
                self.issue(whole(), "this rule is never reached: the one before has no condition");
            }
            match (&rule.to, &rule.split) {
                (Some(_), None) | (None, Some(_)) => {}
                (None, None) => self.issue(whole(), "a rule has `to` or `split`"),
                (Some(_), Some(_)) => self.issue(whole(), "a rule has `to` or `split`, not both"),
            }
            if let Some(text) = &rule.when {
                self.expression(place("when"), text, true);
            }
            for name in rule.header.keys().filter(|name| name.parse::<HeaderName>().is_err()) {
                self.issue(path(["route", &at.to_string(), "header", name]), format!("`{name}` cannot name a header"));
            }
            if let Some(Err((key, message))) = rule.time.as_ref().map(condition::Window::new) {
                self.issue(path(["route", &at.to_string(), "time", key]), message);
            }
            self.split(at, rule);
        }
        if first_unconditional.is_none() {
            let hint = "add a rule without a condition, as in `{ to: champion }`";
            self.advise(path(["route", &last.to_string()]), "rows that meet no condition go nowhere", hint);
        }
    }

    fn split(&mut self, at: usize, rule: &RuleSpec) {
        let place = |key: &str| path(["route", &at.to_string(), key]);
        let Some(split) = &rule.split else {
            for (key, _) in
                [("by", rule.by.is_some()), ("salt", rule.salt.is_some())].iter().filter(|(_, given)| *given)
            {
                self.issue(place(key), format!("`{key}` is for a `split`"));
            }
            return;
        };
        for (arm, _) in split.iter().filter(|(_, weight)| !weight.is_finite() || **weight < 0.0) {
            self.issue(path(["route", &at.to_string(), "split", arm]), "a share is a percentage from 0 to 100");
        }
        let sum: f64 = split.values().sum();
        if (sum - 100.0).abs() > WEIGHTS_TOLERANCE {
            self.issue(place("split"), format!("the shares sum to {sum}, not to 100"));
        }
        if let Some(name) = rule.by.as_ref().and_then(|by| by.strip_prefix("header:"))
            && name.parse::<HeaderName>().is_err()
        {
            self.issue(place("by"), format!("`{name}` cannot name a header"));
        }
    }

    pub(super) fn rollout(&mut self) {
        let spec = self.spec;
        let Some(rollout) = &spec.rollout else { return };
        let at = |key: &str| path(["rollout", key]);
        let arms = spec.route.last().and_then(|rule| rule.split.as_ref());
        match arms {
            None => {
                let hint = "as in `route: [ { split: { champion: 90, challenger: 10 }, by: rider_id } ]`";
                self.advise(path(["rollout"]), "a rollout needs a `split` in the last rule", hint);
            }
            Some(arms) if !arms.contains_key(&rollout.candidate) => {
                let known = arms.keys().map(String::as_str).collect::<Vec<_>>();
                let message = format!("`{}` is not in the split of the last rule", rollout.candidate);
                self.advise(at("candidate"), message, format!("its models are {}", known.join(", ")));
            }
            Some(arms) if arms.iter().all(|(name, weight)| *name == rollout.candidate || *weight <= 0.0) => {
                self.issue(path(["rollout"]), "the split of the last rule has no other model with a share");
            }
            Some(arms) => {
                // Rows of other rules would be compared too, and may be other rows.
                let before = &spec.route[..spec.route.len() - 1];
                let elsewhere =
                    before.iter().enumerate().find(|(_, rule)| destinations(rule).any(|name| arms.contains_key(name)));
                if let Some((index, _)) = elsewhere {
                    let message = "this rule leads to a model of the rollout: its rows would be compared with others";
                    let hint = "give the rule a model of its own: `models` may name the same version twice";
                    self.advise(path(["route", &index.to_string()]), message, hint);
                }
            }
        }
        let ascending = rollout.steps.windows(2).all(|pair| pair[0] < pair[1]);
        let in_range = rollout.steps.iter().all(|step| *step > 0.0 && *step <= 100.0);
        if rollout.steps.is_empty() || !ascending || !in_range {
            self.issue(at("steps"), "the steps are percentages above 0, up to 100, ascending");
        }
        if let Err(error) = tidemill_core::seconds_of_span(&rollout.every) {
            self.issue(at("every"), error);
        }
        for (key, steps) in [("approve", &rollout.approve), ("approved", &rollout.approved)] {
            let unknown = steps.iter().position(|step| !rollout.steps.iter().any(|known| (known - step).abs() < 1e-9));
            if let Some(index) = unknown {
                self.issue(
                    path(["rollout", key, &index.to_string()]),
                    format!("{} is not one of the steps", steps[index]),
                );
            }
        }
        if let Some(guard) = &rollout.guards.error_rate {
            let place = |key: &str| path(["rollout", "guards", "error_rate", key]);
            if guard.at_most.is_none() && guard.no_worse_by.is_none() {
                self.issue(path(["rollout", "guards", "error_rate"]), "a bound is missing: `at_most` or `no_worse_by`");
            }
            for (key, bound) in [("at_most", guard.at_most), ("no_worse_by", guard.no_worse_by)] {
                if bound.is_some_and(|bound| !(0.0..1.0).contains(&bound)) {
                    self.issue(place(key), "a rate is a number from 0, below 1");
                }
            }
        }
        if rollout.guards.latency_p99_ms.is_some_and(|guard| guard.at_most.is_nan() || guard.at_most <= 0.0) {
            self.issue(path(["rollout", "guards", "latency_p99_ms", "at_most"]), "a time is above 0");
        }
        if rollout.guards.score_mean.is_some_and(|guard| guard.within.is_nan() || guard.within < 0.0) {
            self.issue(path(["rollout", "guards", "score_mean", "within"]), "a difference is at least 0");
        }
    }
}
