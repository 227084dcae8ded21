//! What is wrong with an endpoint, as far as it can be said without its models.

mod graph;
mod route;

use std::collections::BTreeSet;

use tidemill_core::{ParamIssue, suggest};
use tidemill_model::Expression;

use super::{BreakerSpec, Combination, EndpointSpec, FallbackSpec, LimitsSpec, ModelReference, ModelSpec};

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
        let has_cache = self.spec.cache.as_ref().is_some_and(|cache| cache.predictions.is_some());
        for (index, item) in fallback.iter().enumerate() {
            let place = at(&["fallback", &index.to_string()]);
            match item {
                FallbackSpec::Named(name) if name == FallbackSpec::CACHED && !has_cache => {
                    let hint = "add `cache: { predictions: { ttl_secs: 600 } }`";
                    self.advise(place, "there is no cache to answer from", hint);
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
}
