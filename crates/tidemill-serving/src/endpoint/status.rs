//! The state of endpoints: for people, for dashboards.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde_json::{Value, json};

use super::features::FeatureTable;
use super::graph::{Kind, Node};
use super::shadow::Shadow;
use super::spec::{EndpointSpec, RuleSpec};
use super::target::EndpointTarget;

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Whether every model that must answer can, or something answers in its place.
pub(super) fn is_ready(target: &EndpointTarget) -> bool {
    let graph = &target.core.graph;
    let missing = |node: &&Node| matches!(node.kind, Kind::Missing(_)) && node.fallback.is_empty();
    let shadows: Vec<usize> = target.core.shadows.iter().map(|shadow| shadow.node).collect();
    let needed = graph.nodes.iter().enumerate().filter(|(at, _)| !shadows.contains(at)).map(|(_, node)| node);
    !needed.into_iter().any(|node| missing(&node))
}

/// Routes, models, breakers, queues, caches and shadows.
pub(super) fn status(spec: &EndpointSpec, target: &EndpointTarget) -> Value {
    let core = &target.core;
    let mut value = json!({
        "endpoint": spec.endpoint,
        "ready": is_ready(target),
        "owner": spec.owner,
        "review_by": spec.review_by,
        "slo": spec.slo,
        "route": spec.route.iter().map(rule).collect::<Vec<_>>(),
        "models": core.graph.nodes.iter().map(model).collect::<Vec<_>>(),
        "shadows": core.shadows.iter().map(shadow).collect::<Vec<_>>(),
        "features": core.tables.iter().map(|table| features(table)).collect::<Vec<_>>(),
    });
    if let Some(rollout) = &core.rollout {
        value["rollout"] = rollout.status(Instant::now());
    }
    if let Some(cache) = &core.graph.cache {
        let (rows, bytes) = cache.size();
        let sum = |of: fn(&Node) -> &AtomicU64| core.graph.nodes.iter().map(|node| load(of(node))).sum::<u64>();
        let hits = sum(|node| &node.guard.counters.cache_hits);
        let misses = sum(|node| &node.guard.counters.cache_misses);
        value["cache"] = json!({ "rows": rows, "bytes": bytes, "hits": hits, "misses": misses, "hit_ratio": ratio(hits, hits + misses) });
    }
    value
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// A rule in one line: its conditions, and where rows go.
fn rule(rule: &RuleSpec) -> Value {
    let mut conditions: Vec<String> = rule.when.iter().cloned().collect();
    conditions.extend(rule.header.iter().map(|(name, of)| format!("header {name}: {}", of.patterns().join(" or "))));
    conditions.extend(rule.time.as_ref().map(|time| {
        let days = time.days.iter().map(|day| format!("{day:?}").to_lowercase()).collect::<Vec<_>>().join(" ");
        let from = time.from.as_deref().map(|from| format!("from {from}"));
        let until = time.until.as_deref().map(|until| format!("until {until}"));
        let zone = Some(time.zone.clone().unwrap_or_else(|| "UTC".to_owned()));
        let parts = [Some(days).filter(|days| !days.is_empty()), from, until, zone];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }));
    json!({ "when": conditions, "to": rule.to, "split": rule.split, "by": rule.by })
}

fn model(node: &Node) -> Value {
    let counters = &node.guard.counters;
    let requests = load(&counters.requests);
    let (in_work, waiting) = node.guard.load();
    let mut value = json!({
        "model": node.name,
        "answers": node.label.as_ref(),
        "off": node.off,
        "requests": requests,
        "rows": load(&counters.rows),
        "errors": load(&counters.errors),
        "rejected": load(&counters.rejected),
        "fallbacks": load(&counters.fallbacks),
        "cache_hits": load(&counters.cache_hits),
        "in_work": in_work,
        "waiting": waiting,
        "mean_ms": ratio(load(&counters.micros), requests).map(|micros| micros / 1e3),
    });
    if let Kind::Missing(reason) = &node.kind {
        value["missing"] = json!(reason);
    }
    if let Some(breaker) = node.guard.breaker() {
        let mut state = json!({ "state": breaker.state, "failures": breaker.failures, "opened": breaker.opened });
        if let Some(left) = breaker.open_for {
            state["open_for_secs"] = json!(left.as_secs_f64().ceil());
        }
        value["breaker"] = state;
    }
    value
}

fn shadow(shadow: &Shadow) -> Value {
    let compared = shadow.state.compared();
    let mean = |sum: f64| (compared.numbers > 0).then(|| sum / compared.numbers as f64);
    json!({
        "model": shadow.name,
        "requests": compared.requests,
        "pending": shadow.state.pending(),
        "dropped": load(&shadow.state.dropped),
        "errors": compared.errors,
        "last_error": compared.last_error,
        "pairs": compared.pairs,
        "equal": ratio(compared.equal, compared.pairs),
        "mean_difference": mean(compared.difference_sum),
        "max_difference": (compared.numbers > 0).then_some(compared.difference_max),
        "mean_answer": mean(compared.answer_sum),
        "mean_shadow": mean(compared.shadow_sum),
        "decisions_differ": ratio(compared.decisions_differ, compared.numbers),
        "mean_ms": ratio(compared.micros, compared.requests).map(|micros| micros / 1e3),
    })
}

fn features(table: &FeatureTable) -> Value {
    json!({
        "from": table.spec().from,
        "rows": table.rows(),
        "columns": table.columns(),
        "hits": load(&table.hits),
        "misses": load(&table.misses),
    })
}

/// Counters and gauges of endpoints as Prometheus text.
pub(super) fn metrics_text(endpoints: &[(&str, &EndpointTarget)]) -> String {
    type Read = fn(&Node) -> Option<f64>;
    let counted: [(&str, &str, &str, Read); 10] = [
        ("requests_total", "counter", "Requests that a model of an endpoint answered.", |node| {
            Some(load(&node.guard.counters.requests) as f64)
        }),
        ("rows_total", "counter", "Rows that a model of an endpoint answered.", |node| {
            Some(load(&node.guard.counters.rows) as f64)
        }),
        ("errors_total", "counter", "Answers that were errors of the model.", |node| {
            Some(load(&node.guard.counters.errors) as f64)
        }),
        ("rejected_total", "counter", "Requests rejected by limits or the circuit breaker.", |node| {
            Some(load(&node.guard.counters.rejected) as f64)
        }),
        ("fallbacks_total", "counter", "Requests that a fallback answered.", |node| {
            Some(load(&node.guard.counters.fallbacks) as f64)
        }),
        ("cache_hits_total", "counter", "Rows that the cache of predictions answered.", |node| {
            Some(load(&node.guard.counters.cache_hits) as f64)
        }),
        ("cache_misses_total", "counter", "Rows that the cache of predictions lacked.", |node| {
            Some(load(&node.guard.counters.cache_misses) as f64)
        }),
        ("in_work", "gauge", "Requests in work.", |node| Some(node.guard.load().0 as f64)),
        ("waiting", "gauge", "Requests that wait for a place.", |node| Some(node.guard.load().1 as f64)),
        ("breaker_open", "gauge", "Whether the circuit breaker is open: 1, half open: 0.5, closed: 0.", |node| {
            node.guard.breaker().map(|breaker| match breaker.state {
                "open" => 1.0,
                "half_open" => 0.5,
                _ => 0.0,
            })
        }),
    ];
    let mut text = String::new();
    for (name, kind, help, read) in counted {
        let mut series = String::new();
        for (endpoint, target) in endpoints {
            for node in &target.core.graph.nodes {
                if let Some(value) = read(node) {
                    // Writing to text cannot fail.
                    let _ = writeln!(
                        series,
                        "tidemill_endpoint_model_{name}{{endpoint=\"{endpoint}\",model=\"{}\"}} {value}",
                        node.name
                    );
                }
            }
        }
        if !series.is_empty() {
            let _ = writeln!(
                text,
                "# HELP tidemill_endpoint_model_{name} {help}\n# TYPE tidemill_endpoint_model_{name} {kind}\n{series}"
            );
        }
    }
    let mut series = String::new();
    for (endpoint, target) in endpoints {
        if let Some(rollout) = &target.core.rollout {
            let _ = writeln!(series, "tidemill_endpoint_rollout_share{{endpoint=\"{endpoint}\"}} {}", rollout.share());
        }
    }
    if !series.is_empty() {
        let name = "tidemill_endpoint_rollout_share";
        let _ = writeln!(text, "# HELP {name} The share of the candidate in percent.\n# TYPE {name} gauge\n{series}");
    }
    let shadows: [(&str, &str, fn(&Shadow) -> u64); 3] = [
        ("requests_total", "Copies of requests that a shadow answered.", |shadow| shadow.state.compared().requests),
        ("errors_total", "Copies of requests that a shadow failed to answer.", |shadow| shadow.state.compared().errors),
        ("dropped_total", "Copies that were not made, as too many were in work.", |shadow| load(&shadow.state.dropped)),
    ];
    for (name, help, read) in shadows {
        let mut series = String::new();
        for (endpoint, target) in endpoints {
            for shadow in &target.core.shadows {
                let (value, model) = (read(shadow), &shadow.name);
                let _ = writeln!(
                    series,
                    "tidemill_endpoint_shadow_{name}{{endpoint=\"{endpoint}\",model=\"{model}\"}} {value}"
                );
            }
        }
        if !series.is_empty() {
            let _ = writeln!(
                text,
                "# HELP tidemill_endpoint_shadow_{name} {help}\n# TYPE tidemill_endpoint_shadow_{name} counter\n{series}"
            );
        }
    }
    text
}
