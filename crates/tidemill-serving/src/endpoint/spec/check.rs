//! What is wrong with an endpoint, as far as it can be said without its models.

use std::collections::{BTreeMap, BTreeSet};

use hyper::header::HeaderName;
use tidemill_core::{ParamIssue, suggest};
use tidemill_model::Expression;

use super::{BreakerSpec, Combination, EndpointSpec, FallbackSpec, LimitsSpec, ModelReference, ModelSpec, RuleSpec};
use crate::endpoint::condition;

/// Weights are written by hand: thirds need not sum to 100 exactly.
const WEIGHTS_TOLERANCE: f64 = 0.05;

/// Everything wrong.
pub(super) fn check(spec: &EndpointSpec) -> Vec<ParamIssue> {
    let mut check = Check { spec, issues: Vec::new() };
    check.head();
    check.models();
    check.references();
    check.route();
    check.rollout();
    check.shadows();
    check.protection();
    check.caches();
    check.graph();
    check.issues
}

struct Check<'a> {
    spec: &'a EndpointSpec,
    issues: Vec<ParamIssue>,
}

fn is_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn path<const N: usize>(keys: [&str; N]) -> Vec<String> {
    keys.map(str::to_owned).to_vec()
}

impl Check<'_> {
    fn issue(&mut self, path: Vec<String>, message: impl Into<String>) {
        self.issues.push(ParamIssue::new(path, message));
    }

    fn advise(&mut self, path: Vec<String>, message: impl Into<String>, hint: impl Into<String>) {
        self.issues.push(ParamIssue::new(path, message).with_hint(hint));
    }

    fn head(&mut self) {
        let spec = self.spec;
        if spec.version != super::FORMAT {
            self.advise(
                path(["version"]),
                format!("version {} is not known", spec.version),
                "this Tidemill reads version 1",
            );
        }
        if !is_name(&spec.endpoint) {
            self.issue(path(["endpoint"]), "the endpoint's name must be 1 to 63 letters, digits, `-`, `_` or `.`");
        }
        if let Some(day) = &spec.review_by
            && day.parse::<jiff::civil::Date>().is_err()
        {
            self.issue(path(["review_by"]), format!("`{day}` is not a date; write `2027-03-01`"));
        }
        if let Some(slo) = &spec.slo {
            if slo.latency_p99_ms.is_nan() || slo.latency_p99_ms <= 0.0 {
                self.issue(path(["slo", "latency_p99_ms"]), "the latency is a number of milliseconds above 0");
            }
            if !(slo.availability > 0.0 && slo.availability <= 100.0) {
                self.issue(path(["slo", "availability"]), "the availability is a percentage above 0, up to 100");
            }
        }
        if let Some(log) = &spec.log
            && !(0.0..=1.0).contains(&log.sample)
        {
            self.issue(path(["log", "sample"]), "the share of requests is a number from 0 to 1");
        }
        if spec.production {
            let lacks = [
                ("owner", spec.owner.is_none(), "who answers for it, as in `owner: rides-team@example.org`"),
                ("slo", spec.slo.is_none(), "as in `slo: { latency_p99_ms: 20, availability: 99.9 }`"),
                (
                    "log",
                    spec.log.as_ref().is_none_or(|log| log.folder.is_none()),
                    "where requests are logged, as in `log: { folder: logs }`",
                ),
            ];
            for (key, _, hint) in lacks.into_iter().filter(|(_, lacks, _)| *lacks) {
                let what = if key == "log" { "a log with a folder" } else { &format!("`{key}`") };
                self.advise(path(["production"]), format!("a production endpoint needs {what}"), hint);
            }
        }
    }

    fn models(&mut self) {
        let spec = self.spec;
        if spec.models.is_empty() {
            self.issue(path(["models"]), "`models` names no model");
        }
        for (name, model) in &spec.models {
            let at = |key: &str| path(["models", name, key]);
            let whole = path(["models", name]);
            if !is_name(name) || [FallbackSpec::CACHED, FallbackSpec::UNAVAILABLE].contains(&name.as_str()) {
                let message = format!("`{name}` cannot name a model: use letters, digits, `-` and `_`");
                self.advise(whole.clone(), message, "`cached` and `unavailable` have a meaning of their own");
            }
            let kinds = [
                ("path", model.path.is_some()),
                ("url", model.url.is_some()),
                ("expression", model.expression.is_some()),
                ("sequence", model.sequence.is_some()),
                ("parallel", model.parallel.is_some()),
                ("model", model.model.is_some() && model.url.is_none()),
            ];
            let given: Vec<&str> = kinds.iter().filter(|(_, given)| *given).map(|(kind, _)| *kind).collect();
            match given[..] {
                [_] => {}
                [] => self.advise(
                    whole,
                    format!("`{name}` does not say what answers"),
                    "give it one of `model`, `path`, `url`, `expression`, `sequence` and `parallel`",
                ),
                _ => self.issue(whole, format!("`{name}` has more than one of `{}`", given.join("`, `"))),
            }
            if let Some(Err(error)) = model.model.as_deref().map(str::parse::<ModelReference>) {
                self.issue(at("model"), error);
            }
            if let Some(url) = &model.url
                && let Err(error) = crate::endpoint::remote_address(url)
            {
                self.issue(at("url"), error);
            }
            if let Some(text) = &model.expression {
                self.expression(at("expression"), text, false);
            }
            self.composite(name, model);
        }
    }

    fn composite(&mut self, name: &str, model: &ModelSpec) {
        if let Some(steps) = &model.sequence {
            if steps.is_empty() {
                self.issue(path(["models", name, "sequence"]), "a sequence has at least one step");
            }
            for (at, step) in steps.iter().enumerate() {
                let place = path(["models", name, "sequence", &at.to_string(), "when"]);
                match &step.when {
                    Some(_) if at == 0 => self.issue(place, "the first step has no answer before it to look at"),
                    Some(text) => self.expression(place, text, true),
                    None => {}
                }
            }
        }
        let Some(parallel) = &model.parallel else { return };
        let at = |key: &str| path(["models", name, "parallel", key]);
        if parallel.models.is_empty() {
            self.issue(at("models"), "a combination has at least one model");
        }
        let distinct: BTreeSet<&String> = parallel.models.iter().collect();
        if distinct.len() < parallel.models.len() {
            self.issue(at("models"), "a model stands in the list twice");
        }
        let weighted = parallel.combine == Combination::Weighted;
        for model in parallel.models.iter().filter(|model| weighted && !parallel.weights.contains_key(*model)) {
            self.issue(at("weights"), format!("the weight of `{model}` is missing"));
        }
        for (model, weight) in &parallel.weights {
            let place = path(["models", name, "parallel", "weights", model]);
            if !weighted {
                self.issue(place, "weights are for `combine: weighted`");
            } else if !parallel.models.contains(model) {
                self.issue(place, format!("`{model}` is not in `models`"));
            } else if !(weight.is_finite() && *weight > 0.0) {
                self.issue(place, "a weight is a number above 0");
            }
        }
        if parallel.answers_min == 0 || parallel.answers_min > parallel.models.len().max(1) {
            self.issue(at("answers_min"), format!("from 1 to {}, the number of models", parallel.models.len().max(1)));
        }
    }

    fn expression(&mut self, place: Vec<String>, text: &str, condition: bool) {
        match Expression::parse(text) {
            Ok(expression) if condition && !expression.is_condition() => {
                let hint = "as in `trip_start_hour >= 22`";
                self.advise(place, format!("`{text}` is not a condition"), hint);
            }
            Ok(_) => {}
            Err(error) => self.issue(place, error.to_string()),
        }
    }

    /// Every name leads to a model.
    fn references(&mut self) {
        for (name, place) in self.spec.uses() {
            if self.spec.models.contains_key(name) {
                continue;
            }
            if ModelReference::is_explicit(name) {
                if let Err(error) = name.parse::<ModelReference>() {
                    self.issue(place, error);
                }
                continue;
            }
            let known: Vec<&str> = self.spec.models.keys().map(String::as_str).collect();
            let hint = match suggest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("models: {}", known.join(", ")),
            };
            self.advise(place, format!("there is no model `{name}` under `models`"), hint);
        }
    }

    fn route(&mut self) {
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

    fn rollout(&mut self) {
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

    fn shadows(&mut self) {
        for (at, shadow) in self.spec.shadow.iter().enumerate() {
            let place = |key: &str| path(["shadow", &at.to_string(), key]);
            if !(shadow.share >= 0.0 && shadow.share <= 100.0) {
                self.issue(place("share"), "a share is a percentage from 0 to 100");
            }
            if shadow.pending_max == 0 {
                self.issue(place("pending_max"), "at least 1");
            }
            if shadow.timeout_ms == 0 {
                self.issue(place("timeout_ms"), "a time is above 0");
            }
        }
    }

    fn protection(&mut self) {
        let spec = self.spec;
        self.guards(&[], spec.limits.as_ref(), spec.circuit_breaker.as_ref(), &spec.fallback);
        for (name, model) in &spec.models {
            let fallback = model.fallback.as_deref().unwrap_or_default();
            self.guards(&path(["models", name]), model.limits.as_ref(), model.circuit_breaker.as_ref(), fallback);
        }
    }

    fn guards(
        &mut self,
        place: &[String],
        limits: Option<&LimitsSpec>,
        breaker: Option<&BreakerSpec>,
        fallback: &[FallbackSpec],
    ) {
        let at = |keys: &[&str]| [place, &keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>()].concat();
        if let Some(limits) = limits {
            if limits.concurrency == 0 {
                self.issue(at(&["limits", "concurrency"]), "at least 1");
            }
            if limits.timeout_ms == Some(0) {
                self.issue(at(&["limits", "timeout_ms"]), "a time is above 0");
            }
        }
        if let Some(breaker) = breaker {
            if !(breaker.errors > 0.0 && breaker.errors <= 1.0) {
                self.issue(at(&["circuit_breaker", "errors"]), "the share of errors is a number above 0, up to 1");
            }
            let counts = [
                ("min_requests", breaker.min_requests),
                ("window_secs", breaker.window_secs),
                ("open_secs", breaker.open_secs),
                ("half_open_requests", breaker.half_open_requests),
            ];
            for (key, _) in counts.iter().filter(|(_, count)| *count == 0) {
                self.issue(at(&["circuit_breaker", key]), "at least 1");
            }
            if breaker.open_secs_max < breaker.open_secs {
                self.issue(at(&["circuit_breaker", "open_secs_max"]), "at least `open_secs`");
            }
        }
        for (index, item) in fallback.iter().enumerate() {
            let place = at(&["fallback", &index.to_string()]);
            match item {
                FallbackSpec::Named(name) if name == FallbackSpec::CACHED => {
                    if self.spec.cache.as_ref().and_then(|cache| cache.predictions.as_ref()).is_none() {
                        let hint = "add `cache: { predictions: { ttl_secs: 600 } }`";
                        self.advise(place, "there is no cache to answer from", hint);
                    }
                }
                FallbackSpec::Named(name) if name == FallbackSpec::UNAVAILABLE && index + 1 < fallback.len() => {
                    self.issue(place, "what follows `unavailable` is never reached");
                }
                FallbackSpec::Default { .. } if index + 1 < fallback.len() => {
                    self.issue(place, "what follows fixed outputs is never reached");
                }
                _ => {}
            }
        }
    }

    fn caches(&mut self) {
        let spec = self.spec;
        if let Some(cache) = spec.cache.as_ref().and_then(|cache| cache.predictions.as_ref()) {
            if cache.ttl_secs == 0 {
                self.issue(path(["cache", "predictions", "ttl_secs"]), "at least 1");
            }
            if cache.bytes_max.0 < 64 << 10 {
                self.issue(path(["cache", "predictions", "bytes_max"]), "at least `64KiB`");
            }
        }
        for (name, feature) in &spec.features {
            if feature.refresh_secs == 0 {
                self.issue(path(["features", name, "refresh_secs"]), "at least 1");
            }
            let wants = feature.on_missing == super::MissingKey::UseDefault;
            if wants && feature.default.is_empty() {
                self.issue(path(["features", name, "on_missing"]), "`use_default` needs `default`");
            } else if !wants && !feature.default.is_empty() {
                self.issue(path(["features", name, "default"]), "`default` is for `on_missing: use_default`");
            }
        }
    }

    /// No model leads to itself, and something leads to every model.
    fn graph(&mut self) {
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
fn destinations(rule: &RuleSpec) -> impl Iterator<Item = &str> {
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
