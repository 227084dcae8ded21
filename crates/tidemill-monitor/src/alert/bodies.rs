//! What receivers are told, each in its own format.

use ring::hmac;
use serde_json::{Map, Value, json};

use super::book::{Alert, AlertState};
use crate::log::{Micros, rfc3339};
use crate::watch::Severity;

/// What is the same for all alerts of a monitor.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The name of the monitor.
    pub monitor: String,
    /// The model.
    pub model: String,
    /// Who looks after it.
    pub owner: Option<String>,
    /// What to do, as an address.
    pub runbook: Option<String>,
    /// The name of the receiver.
    pub receiver: String,
}

const NEVER: &str = "0001-01-01T00:00:00Z";

fn labels(context: &Context, alert: &Alert) -> Map<String, Value> {
    let mut labels = Map::new();
    let mut put = |name: &str, value: &str| drop(labels.insert(name.to_owned(), json!(value)));
    put("alertname", alert.kind.alert_name());
    put("severity", alert.severity.name());
    put("monitor", &context.monitor);
    put("model", &context.model);
    if let Some(owner) = &context.owner {
        put("owner", owner);
    }
    labels
}

fn annotations(context: &Context, alert: &Alert) -> Map<String, Value> {
    let mut notes = Map::new();
    let mut put = |name: &str, value: String| drop(notes.insert(name.to_owned(), json!(value)));
    put("summary", format!("{}: {}", context.model, alert.finding.summary));
    if !alert.finding.causes.is_empty() {
        put("description", alert.finding.causes.iter().take(10).cloned().collect::<Vec<_>>().join("\n"));
    }
    put("model_version", alert.model_version.to_string());
    put("window", rfc3339(alert.last));
    if let Some(runbook) = &context.runbook {
        put("runbook_url", runbook.clone());
    }
    notes
}

fn is_over(alert: &Alert) -> bool {
    alert.state == AlertState::Resolved
}

/// The body of Alertmanager's webhook, version 4: every receiver that reads it reads this.
pub fn webhook(context: &Context, alerts: &[Alert]) -> Value {
    let over = alerts.iter().all(is_over);
    let group = json!({ "model": context.model, "monitor": context.monitor });
    let common = |of: &dyn Fn(&Alert) -> Map<String, Value>| {
        let mut all = alerts.iter().map(of);
        let first = all.next().unwrap_or_default();
        all.fold(first, |mut common, next| {
            common.retain(|name, value| next.get(name) == Some(value));
            common
        })
    };
    let each = alerts.iter().map(|alert| {
        json!({
            "status": if is_over(alert) { "resolved" } else { "firing" },
            "labels": labels(context, alert),
            "annotations": annotations(context, alert),
            "startsAt": rfc3339(alert.since),
            "endsAt": alert.resolved.map_or_else(|| NEVER.to_owned(), rfc3339),
            "generatorURL": "",
            "fingerprint": alert.fingerprint,
        })
    });
    json!({
        "version": "4",
        "groupKey": format!("{{}}:{{model=\"{}\", monitor=\"{}\"}}", context.model, context.monitor),
        "truncatedAlerts": 0,
        "status": if over { "resolved" } else { "firing" },
        "receiver": context.receiver,
        "groupLabels": group,
        "commonLabels": common(&|alert| labels(context, alert)),
        "commonAnnotations": common(&|alert| annotations(context, alert)),
        "externalURL": "",
        "alerts": each.collect::<Vec<_>>(),
    })
}

/// The body of `POST /api/v2/alerts`. An alert that fires ends by itself in five minutes, unless it is told again.
pub fn alertmanager(context: &Context, alerts: &[Alert], now: Micros) -> Value {
    const LASTS: Micros = 300_000_000;
    let each = alerts.iter().map(|alert| {
        let ends = if is_over(alert) { now } else { now + LASTS };
        json!({
            "labels": labels(context, alert),
            "annotations": annotations(context, alert),
            "startsAt": rfc3339(alert.since),
            "endsAt": rfc3339(ends),
        })
    });
    Value::Array(each.collect())
}

/// The body of Slack's incoming webhook.
pub fn slack(context: &Context, alert: &Alert) -> Value {
    let (mark, word) = match (is_over(alert), alert.severity) {
        (true, _) => (":white_check_mark:", "resolved"),
        (false, Severity::Critical) => (":red_circle:", "critical"),
        (false, Severity::Warning) => (":warning:", "warning"),
    };
    // Slack's own escapes: https://api.slack.com/reference/surfaces/formatting#escaping
    let safe = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let head = format!("{mark} *{}* {} ({word})", safe(alert.kind.alert_name()), safe(&context.model));
    let mut text = format!("{head}\n{}", safe(&alert.finding.summary));
    for cause in alert.finding.causes.iter().take(5) {
        text.push_str(&format!("\n• {}", safe(cause)));
    }
    if let Some(runbook) = &context.runbook {
        text.push_str(&format!("\n<{}|Runbook>", safe(runbook)));
    }
    // A block has at most 3,000 characters.
    let block: String = text.chars().take(2900).collect();
    let section = json!({ "type": "section", "text": { "type": "mrkdwn", "text": block } });
    json!({ "text": format!("{head}: {}", safe(&alert.finding.summary)), "blocks": [section] })
}

/// The body of the Events API v2 of `PagerDuty`.
pub fn pagerduty(context: &Context, alert: &Alert, routing_key: &str) -> Value {
    let action = match (alert.state, &alert.acknowledged) {
        (AlertState::Resolved, _) => "resolve",
        (_, Some(_)) => "acknowledge",
        _ => "trigger",
    };
    let summary: String = format!("{}: {}", context.model, alert.finding.summary).chars().take(1024).collect();
    let mut body = json!({
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": alert.fingerprint,
        "payload": {
            "summary": summary,
            "source": context.monitor,
            "severity": alert.severity.name(),
            "timestamp": rfc3339(alert.last),
            "component": context.model,
            "group": "models",
            "class": alert.kind.name(),
            "custom_details": annotations(context, alert),
        },
    });
    if let Some(runbook) = &context.runbook {
        body["links"] = json!([{ "href": runbook, "text": "Runbook" }]);
    }
    body
}

/// The value of `x-tidemill-signature` for a body: `sha256=` and HMAC-SHA256 in hexadecimal digits.
pub fn signature(secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, body);
    format!("sha256={}", tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_rfc_4231() {
        let expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signature("Jefe", b"what do ya want for nothing?"), expected);
    }
}
